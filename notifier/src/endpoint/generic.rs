//! `generic`: to every web socket that the tenant has open. None open is a success too.
//!
//! There is nobody to be asked here: a success that is in the record is what the streams follow, on every server that
//! has some, so each open one gets it once, whatever crashes. What it becomes on the wire is said here all the same,
//! with the other endpoints.

use async_trait::async_trait;
use domain::json::{Json, Object};
use domain::reaction::{Answer, Success};

use super::{Endpoint, Request, Sent, refused};

/// The endpoint.
pub struct Generic;

/// Its name in programs.
pub const NAME: &str = "generic";

/// What a message of these parameters is as a frame: a text as it is, anything else as JSON.
pub fn frame(params: &Object) -> String {
    match params.get("body") {
        Some(Json::Text(text)) => text.clone(),
        Some(other) => other.to_string(),
        None => String::new(),
    }
}

#[async_trait]
impl Endpoint for Generic {
    fn name(&self) -> &str {
        NAME
    }

    /// Nobody is waited for.
    fn places(&self) -> Option<usize> {
        Some(4_096)
    }

    async fn send(&self, request: &Request, _: &Sent) -> Answer {
        if request.verb != "message" {
            return refused(format!("generic has no verb {:?}", request.verb));
        }
        Answer::Succeeded(Success::default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_a_frame_as_it_is_and_a_map_is_json() {
        let params = |body: Json| [("body".to_owned(), body)].into_iter().collect::<Object>();
        assert_eq!(frame(&params("plain \"text\"".into())), "plain \"text\"");
        assert_eq!(frame(&params(Json::object([("a", "b")]))), r#"{"a":"b"}"#);
    }
}
