//! What may be asked of a client, and what is refused.

/// The aggregate's state.
#[derive(Clone, Debug, Default)]
pub struct Client {}

/// What may be asked.
#[derive(Clone, Debug)]
pub enum Command {}

/// Why a command is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {}
