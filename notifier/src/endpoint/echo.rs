//! `echo`: answers what it was sent, and tells nobody else. For trying programs out.

use async_trait::async_trait;
use domain::json::Object;
use domain::reaction::{Answer, Success};

use super::{Endpoint, Request, Sent, refused};

/// The endpoint.
pub struct Echo;

#[async_trait]
impl Endpoint for Echo {
    fn name(&self) -> &str {
        "echo"
    }

    /// Nobody is waited for.
    fn places(&self) -> Option<usize> {
        Some(4_096)
    }

    async fn send(&self, request: &Request, _: &Sent) -> Answer {
        if request.verb != "message" {
            return refused(format!("echo has no verb {:?}", request.verb));
        }
        let message = request.params.iter().filter(|(name, _)| *name == "message");
        let response: Object = message.map(|(name, value)| (name.to_owned(), value.clone())).collect();
        Answer::Succeeded(Success { response, ..Success::default() })
    }
}
