//! Receipts: what providers say later about sends, on their own account.
//!
//! A provider calls an address that holds a secret part, and signs what it says with what it shares with the tenant.
//! Here it is checked and read: pure, without I/O; whose send it is and what becomes of it is the caller's business.
//! Nothing of what a provider says is believed before its signature is. Read next: [`twilio`], [`sendgrid`], and
//! [`Addresses`] (where they call).

mod address;
mod sendgrid;
#[cfg(test)]
mod tests;
mod twilio;

use std::time::SystemTime;

use domain::integration::Kind;
use domain::json::Object;
use hyper::HeaderMap;

pub use self::address::{Addresses, Public};
use crate::endpoint::integration::Integration;

/// What came in, in a body of the provider's own form.
#[derive(Clone, Copy, Debug)]
pub struct Delivery<'a> {
    /// The address as the provider was given it, without what says which send it is about.
    pub address: &'a str,
    /// The idempotency key of the send that the address was given for, where it was given for one.
    pub send: Option<&'a str>,
    /// The headers.
    pub headers: &'a HeaderMap,
    /// The body.
    pub body: &'a [u8],
    /// Its names and values, if it is a form.
    pub form: &'a [(String, String)],
    /// The time.
    pub now: SystemTime,
}

/// What a provider says about one send.
#[derive(Clone, Debug, PartialEq)]
pub struct Said {
    /// The send's idempotency key.
    pub key: String,
    /// What tells it from all else that is said about the send.
    pub id: String,
    /// What has become of the send, in the provider's word.
    pub status: String,
    /// The provider's id of the message.
    pub message_id: String,
    /// All of it.
    pub said: Object,
}

/// Why nothing of it is taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// It does not come from the provider, or is old.
    #[error("{0}")]
    NotSigned(&'static str),
    /// It is signed, and cannot be read.
    #[error("{0}")]
    Unreadable(String),
}

/// Whether a third party of this type gives receipts.
pub fn gives(kind: Kind) -> bool {
    matches!(kind, Kind::Twilio | Kind::Sendgrid)
}

/// Checks and reads what came in from a third party. What it says about messages that are none of ours is left out.
///
/// # Errors
/// It is not what the provider signs, or cannot be read.
pub fn read(kind: Kind, integration: &Integration, delivery: &Delivery<'_>) -> Result<Vec<Said>, Refused> {
    match kind {
        Kind::Twilio => twilio::read(integration, delivery).map(|said| vec![said]),
        Kind::Sendgrid => sendgrid::read(integration, delivery),
        _ => Err(Refused::NotSigned("this third party gives no receipts")),
    }
}

/// A text from outside is kept up to so many characters where it becomes part of an id.
const LONGEST: usize = 256;

fn short(text: &str) -> String {
    text.chars().take(LONGEST).collect()
}
