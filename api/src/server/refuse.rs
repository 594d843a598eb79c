//! Refusing a connection that is over the cap, so that the client can tell: a 503, then the end.
//!
//! A refusal itself costs a descriptor for a moment, so only so many are polite at once; the rest are closed.

use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;

/// How many refusals are given an answer at once.
pub(super) const AT_ONCE: usize = 256;

const ANSWER: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\nretry-after: 1\r\nconnection: close\r\n\
    content-type: application/json\r\ncontent-length: 63\r\n\r\n\
    {\"error\":\"too many connections at once; try again in a second\"}";

/// Answers 503 and closes, or closes at once if too many are being answered.
pub(super) fn refuse(mut stream: TcpStream, refusals: &Arc<Semaphore>) {
    let Ok(turn) = refusals.clone().try_acquire_owned() else { return };
    tokio::spawn(async move {
        let farewell = async {
            stream.write_all(ANSWER).await?;
            stream.shutdown().await?;
            // Closing over unread input resets the connection, and the answer would be lost with it.
            let mut unread = [0; 1024];
            while stream.read(&mut unread).await? > 0 {}
            Ok::<_, std::io::Error>(())
        };
        // A client that went away or dawdles has had its chance.
        let _ = tokio::time::timeout(Duration::from_secs(1), farewell).await;
        drop(turn);
    });
}

#[cfg(test)]
mod tests {
    use super::ANSWER;

    #[test]
    fn the_refusal_says_how_long_it_is() {
        let text = std::str::from_utf8(ANSWER).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        assert!(head.ends_with(&format!("content-length: {}", body.len())));
    }
}
