//! From a match to what was done about it: reactions run here, durably, over the record (then.md §2–3).
//!
//! What a reaction does next is decided by the pure interpreter, `domain::reaction`; this crate gives it its inputs
//! (a match, an answer, a timer, an event, a cancel), appends what it decides, and only then carries it out. It
//! decides nothing itself, and keeps nothing that it could not find again in the record.
//! Read next: [`endpoint`], the third parties; [`augment`], what tenants' own servers know; [`listener`], the way in from third parties; [`receipt`], what they say later;
//! [`runtime`], the loop; [`replay`], the proof that it decides alike.

pub mod augment;
pub mod endpoint;
mod history;
pub mod listener;
pub mod receipt;
pub mod replay;
pub mod runtime;
mod sources;

#[cfg(test)]
mod tests;
