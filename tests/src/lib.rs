//! What the system tests are made of: the reference that the engine is held to, the property test around it, and
//! a harness that runs the real binary.
//!
//! Nothing here is a test; those are in `it/`, a module per behaviour. Read next: [`mod@reference`], then [`harness`].

pub mod fuzz;
pub mod harness;
pub mod peer;
pub mod property;
pub mod proxy;
pub mod reference;
pub mod stand_in;
pub mod swarm;
