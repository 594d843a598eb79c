//! The generic endpoint's streams: what `(send generic message {:body …})` sends reaches every web socket that the
//! tenant has open.
//!
//! A socket is opened with a ticket, so that a browser needs no token in a URL. Nothing is handed over in memory: the
//! [`hub`] follows the record, so a server shows what any notifier has sent, once, whatever crashes. Read next:
//! `tickets`, `hub`, `socket`.

pub mod hub;
mod socket;
mod tickets;

use std::time::Duration;

use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use domain::json::Json;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use uuid::Uuid;

use self::hub::Hub;
use self::tickets::{Ticket, Tickets};
use super::answer::Answer;
use super::call::Call;
use super::problem::Problem;

/// How many sockets a tenant may have open on a server.
const MOST: usize = 1_000;

/// When one that has too many may look again, in seconds.
const AGAIN: u64 = 10;

/// How long a ticket is good.
const GOOD: Duration = Duration::from_secs(120);

/// The web sockets that are open, and the tickets to them.
#[derive(Default)]
pub struct Streams {
    tickets: Tickets,
    /// Where what is sent is handed out.
    pub hub: Hub,
}

/// POST /tenants/{tid}/ticket
pub async fn ticket(call: Call) -> Result<Answer, Problem> {
    let Some(grant) = &call.grant else { return Err(Problem::internal("a ticket without a token")) };
    let ticket = Ticket { tenant: call.tenant.clone(), client: grant.client.clone(), address: call.address };
    let id = call.state.streams.tickets.sell(ticket, GOOD).ok_or_else(|| Problem::too_many(AGAIN))?;
    Ok(Answer::ok(Json::object([("ticket", id.to_string())])))
}

/// GET /stream/{ticket}
pub async fn open(mut call: Call) -> Result<Answer, Problem> {
    let unknown = || Problem::missing("there is no such ticket, or it is used, over, or somebody else's");
    let id: Uuid = call.param("ticket").parse().map_err(|_| unknown())?;
    let streams = &call.state.streams;
    if !streams.tickets.is_good(id, call.address) {
        return Err(unknown());
    }
    let upgrade = call.upgrade.take();
    let (Some(upgrade), Some(key)) = (upgrade, key(&call.headers)) else {
        let problem = Problem::new(
            StatusCode::UPGRADE_REQUIRED,
            "this path takes a web socket: Upgrade: websocket, Sec-WebSocket-Version: 13, Sec-WebSocket-Key",
        );
        return Err(problem.header(header::UPGRADE, "websocket").header(header::SEC_WEBSOCKET_VERSION, "13"));
    };
    let ticket = streams.tickets.punch(id, call.address).ok_or_else(unknown)?;
    let from = call.state.record.head().borrow().position;
    let subscription =
        streams.hub.subscribe(&ticket.tenant, from, MOST).ok_or_else(|| Problem::too_many(AGAIN))?;
    let accept = HeaderValue::from_str(&derive_accept_key(key.as_bytes()))
        .map_err(|error| Problem::internal(error.to_string()))?;
    tokio::spawn(socket::serve(call.state.clone(), upgrade, ticket.client, subscription));
    Ok(Answer::switching()
        .header(header::CONNECTION, HeaderValue::from_static("Upgrade"))
        .header(header::UPGRADE, HeaderValue::from_static("websocket"))
        .header(header::SEC_WEBSOCKET_ACCEPT, accept))
}

/// The key of a web socket's opening handshake; none if the request is not one (RFC 6455 §4.2.1).
fn key(headers: &HeaderMap) -> Option<&str> {
    let names = |name: header::HeaderName, word: &str| {
        let values = headers.get_all(name).into_iter().filter_map(|value| value.to_str().ok());
        values.flat_map(|value| value.split(',')).any(|token| token.trim().eq_ignore_ascii_case(word))
    };
    let version = headers.get(header::SEC_WEBSOCKET_VERSION).map(HeaderValue::as_bytes);
    let good = names(header::UPGRADE, "websocket")
        && names(header::CONNECTION, "upgrade")
        && version == Some(b"13".as_slice());
    headers.get(header::SEC_WEBSOCKET_KEY)?.to_str().ok().filter(|key| good && key.len() == 24)
}
