//! Who may ask: OAuth 2.0 client credentials (RFC 6749 §4.4) and the bearer tokens that they give.
//!
//! Reading order: [`request`] (what a token request says), [`secret`] (secrets and their hashes, slow on purpose),
//! [`throttle`] (guessing), [`bearer`] (what a token lets its bearer do). The handler is in `http::token`.

pub mod bearer;
pub mod request;
pub mod secret;
pub mod throttle;
