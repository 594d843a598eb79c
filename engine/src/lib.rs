//! Matching: customers' events against `when` patterns, live over the record, over files, and again for proof.
//!
//! Reading order: [`matching`] (pure: what a pattern's state is and what an event or a tick does to it), then
//! [`runtime`] (the live engine over the record), [`backtest`] (the same over files), [`replay`] (the same again,
//! for proof) and [`contributing`] (what a customer has done towards a match).

pub mod backtest;
pub mod contributing;
pub mod matching;
pub mod replay;
pub mod runtime;
