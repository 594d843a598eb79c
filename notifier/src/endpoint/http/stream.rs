//! Answers that are read as they come: streams without an end, and answers of any length.

use http_body_util::BodyExt;
use hyper::HeaderMap;
use hyper::body::{Bytes, Incoming};

use super::{Http, Outgoing, Sent, Trouble, root};

/// An answer of which the head has come.
pub struct Opened {
    /// The status.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    body: Incoming,
}

impl Http {
    /// Sends a request; returns when the answer's head is there. Keeps no time.
    ///
    /// # Errors
    /// No status came.
    pub async fn open(&self, outgoing: Outgoing) -> Result<Opened, Trouble> {
        self.opened(outgoing, &Sent::default()).await
    }

    /// The same; `sent` learns when it goes out.
    pub(super) async fn opened(&self, outgoing: Outgoing, sent: &Sent) -> Result<Opened, Trouble> {
        let (head, body) = self.request(outgoing, sent).await?.into_parts();
        Ok(Opened { status: head.status.as_u16(), headers: head.headers, body })
    }
}

impl Opened {
    /// The next bytes; none at the end.
    ///
    /// # Errors
    /// Why the answer broke off.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, String> {
        while let Some(frame) = self.body.frame().await {
            let frame = frame.map_err(|error| root(&error))?;
            if let Ok(data) = frame.into_data() {
                return Ok(Some(data));
            }
        }
        Ok(None)
    }

    /// All that is still to come.
    ///
    /// # Errors
    /// It broke off, or is longer than `most` bytes.
    pub async fn all(&mut self, most: usize) -> Result<Bytes, String> {
        let mut read = Vec::new();
        while let Some(chunk) = self.chunk().await? {
            if read.len() + chunk.len() > most {
                return Err(format!("the answer is longer than {most} bytes"));
            }
            read.extend_from_slice(&chunk);
        }
        Ok(read.into())
    }
}
