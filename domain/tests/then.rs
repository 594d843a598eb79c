//! The `then` language and the reactions that run it, from text to effects (then.md).
//!
//! `script` plays a reaction line by line; `seeds` holds every example of the guide; `steps` has a table for each
//! form and option; `held` what a person decides about sends; `diagnostics` what is refused, and where; `random` what must hold of any program.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

#[path = "then/diagnostics.rs"]
mod diagnostics;
#[path = "then/held.rs"]
mod held;
#[path = "then/random.rs"]
mod random;
#[path = "then/script.rs"]
mod script;
#[path = "then/seeds.rs"]
mod seeds;
#[path = "then/steps.rs"]
mod steps;
