//! Web sockets, dialled under the same rules as requests.

use std::time::Duration;

use hyper::Uri;
use hyper::body::Bytes;
use hyper_rustls::MaybeHttpsStream;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Error;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::{WebSocketStream, client_async_with_config};
use tower_service::Service;

use super::{Http, Reach, Trouble, Url, root};

/// A web socket.
pub type Socket = WebSocketStream<TokioIo<MaybeHttpsStream<TokioIo<TcpStream>>>>;

/// Why there is none.
#[derive(Debug, thiserror::Error)]
pub enum Unopened {
    /// No answer came.
    #[error(transparent)]
    Trouble(#[from] Trouble),
    /// The other side answered something else, with this status and body.
    #[error("answered {0} instead of a web socket")]
    Answered(u16, Bytes),
}

/// So long the greeting may take.
const GREETING: Duration = Duration::from_secs(10);

/// The largest message that is taken, in bytes.
const LARGEST: usize = 1 << 20;

impl Http {
    /// Opens a web socket at an http or https URL.
    ///
    /// # Errors
    /// It cannot be reached, or does not speak that protocol.
    pub async fn web_socket(&self, url: &Url, reach: Reach) -> Result<Socket, Unopened> {
        let mut connector = self.way(reach).connector.clone();
        let unreached = |error: Box<dyn std::error::Error + Send + Sync>| Trouble::Unreached(root(&*error));
        let stream = connector.call(url.uri().clone()).await.map_err(unreached)?;
        let config = WebSocketConfig::default().max_message_size(Some(LARGEST)).max_frame_size(Some(LARGEST));
        let greeting = client_async_with_config(as_socket(url)?, TokioIo::new(stream), Some(config));
        match timeout(GREETING, greeting).await {
            Ok(Ok((socket, _))) => Ok(socket),
            Ok(Err(Error::Http(response))) => {
                let status = response.status().as_u16();
                Err(Unopened::Answered(status, response.into_body().unwrap_or_default().into()))
            }
            Ok(Err(error)) => Err(Trouble::Broken(error.to_string()).into()),
            Err(_) => Err(Trouble::Broken(format!("no answer within {} s", GREETING.as_secs())).into()),
        }
    }
}

/// The same URL under the scheme of web sockets.
fn as_socket(url: &Url) -> Result<Uri, Unopened> {
    let text = url.uri().to_string();
    let text = text.strip_prefix("http").map_or_else(|| text.clone(), |rest| format!("ws{rest}"));
    text.parse().map_err(|_| Trouble::Forbidden("not a URL for a web socket".to_owned()).into())
}
