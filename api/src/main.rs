//! The binary: arguments → subcommand, and no more.

fn main() {}
