//! One open web socket: frames out, nothing in, and an end for whoever is gone, slow, or not welcome any more.

use std::sync::Arc;
use std::time::Duration;

use domain::ids::ClientId;
use futures_util::{SinkExt, StreamExt};
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Bytes, Error, Message};

use super::hub::Subscription;
use crate::http::call::Upgrade;
use crate::http::state::State;

/// A client is pinged so often, and its right to listen looked at.
const PING: Duration = Duration::from_secs(20);

/// One that has said nothing for so long is gone.
const SILENCE: Duration = Duration::from_secs(60);

/// How long one write may take.
const WRITE: Duration = Duration::from_secs(10);

/// The most that a client may send in one message: control frames have 125 bytes at most.
const HEARD: usize = 1024;

type Socket = WebSocketStream<TokioIo<Upgraded>>;

/// Serves a web socket to its end.
pub(super) async fn serve(state: Arc<State>, upgrade: Upgrade, client: ClientId, frames: Subscription) {
    let Upgrade { on, held } = upgrade;
    let upgraded = match on.await {
        Ok(upgraded) => TokioIo::new(upgraded),
        Err(error) => return tracing::debug!(%error, "a client went away before its web socket was open"),
    };
    let config = WebSocketConfig::default().max_message_size(Some(HEARD)).max_frame_size(Some(HEARD));
    let mut socket = WebSocketStream::from_raw_socket(upgraded, Role::Server, Some(config)).await;
    let stopped = held.stop.cancelled();
    let end = tokio::select! {
        end = exchange(&state, &mut socket, &client, frames) => end,
        () = stopped => Some((CloseCode::Away, "the server stops")),
    };
    if let Some((code, reason)) = end {
        // Whoever is gone is not told.
        let _ = timeout(WRITE, close(&mut socket, code, reason)).await;
    }
    drop(held);
}

/// Why the socket is closed; none if there is nobody left to be told.
type End = Option<(CloseCode, &'static str)>;

async fn exchange(state: &State, socket: &mut Socket, client: &ClientId, mut frames: Subscription) -> End {
    let mut pings = interval(PING);
    pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut heard = Instant::now();
    loop {
        tokio::select! {
            frame = frames.next() => {
                let Some(frame) = frame else { return Some((CloseCode::Policy, "too slow")) };
                let bytes = frame.len();
                if !matches!(timeout(WRITE, socket.send(Message::Text(frame))).await, Ok(Ok(()))) {
                    return None;
                }
                frames.sent(bytes);
            }
            message = socket.next() => match message {
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => heard = Instant::now(),
                Some(Ok(Message::Text(_) | Message::Binary(_)) | Err(Error::Capacity(_))) => {
                    return Some((CloseCode::Policy, "nothing may be sent on this stream"));
                }
                Some(Ok(Message::Close(_) | Message::Frame(_)) | Err(_)) | None => return None,
            },
            _ = pings.tick() => {
                if heard.elapsed() > SILENCE {
                    return None;
                }
                match state.views.client(client).await {
                    Ok(Some(_)) => {}
                    Ok(None) => return Some((CloseCode::Policy, "the client is no more")),
                    Err(error) => tracing::warn!(%error, "a stream's client cannot be looked up"),
                }
                if !matches!(timeout(WRITE, socket.send(Message::Ping(Bytes::new()))).await, Ok(Ok(()))) {
                    return None;
                }
            }
        }
    }
}

/// Says goodbye and waits for the other side to do so too: closing over what it still sends resets the connection.
async fn close(socket: &mut Socket, code: CloseCode, reason: &'static str) -> Result<(), Error> {
    socket.close(Some(CloseFrame { code, reason: reason.into() })).await?;
    while let Some(message) = socket.next().await {
        message?;
    }
    Ok(())
}
