//! Matching: customers' events against `when` patterns, live over the record, over files, and again for proof.
//!
//! Reading order: [`matching`] (pure: what a pattern's state is and what an event or a tick does to it), then
//! [`backtest`] and [`runtime`], which host that same code over files and over the record, and [`replay`].

pub mod backtest;
pub mod matching;
