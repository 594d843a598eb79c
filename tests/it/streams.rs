//! The generic endpoint's stream, over real web sockets.

use std::net::TcpStream;

use serde_json::json;
use system_tests::harness::{PATIENCE, Server, Tenant};
use tungstenite::protocol::frame::coding::CloseCode;
use tungstenite::{Error, HandshakeError, Message, WebSocket};

fn ticket(tenant: &Tenant) -> String {
    tenant.post("ticket", &json!({})).expect(200)["ticket"].as_str().expect("a ticket").to_owned()
}

/// Opens a stream, or says with which status it is refused.
fn open(server: &Server, ticket: &str) -> Result<WebSocket<TcpStream>, u16> {
    let authority = server.base().trim_start_matches("http://");
    let socket = TcpStream::connect(authority).expect("a connection");
    socket.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    match tungstenite::client(format!("ws://{authority}/1.0/stream/{ticket}"), socket) {
        Ok((socket, _)) => Ok(socket),
        Err(HandshakeError::Failure(Error::Http(response))) => Err(response.status().as_u16()),
        Err(other) => panic!("{other}"),
    }
}

/// The next text.
fn next(socket: &mut WebSocket<TcpStream>) -> String {
    loop {
        match socket.read().expect("a message") {
            Message::Text(text) => return text.to_string(),
            Message::Ping(_) => {}
            other => panic!("{other:?}"),
        }
    }
}

/// With what the other side closes.
fn end(socket: &mut WebSocket<TcpStream>) -> CloseCode {
    loop {
        match socket.read().expect("a message") {
            Message::Close(frame) => return frame.expect("a reason").code,
            Message::Ping(_) => {}
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn what_a_generic_send_says_reaches_every_socket_of_the_tenant_and_no_other() {
    let mut server = Server::start();
    let (acme, other) = (server.tenant("acme"), server.tenant("other"));
    for tenant in [&acme, &other] {
        tenant.pattern(r#"(event (= type "hi"))"#, "(send generic message {:body {:who *id*}})");
        tenant.pattern(r#"(event (= type "text"))"#, "(send generic message {:body *id*})");
    }
    // Nobody listens: that is a success too.
    acme.event(json!({"id": "early", "type": "hi"}));
    acme.wait_reactions("early", 1);
    let mut sockets = [&acme, &acme, &other].map(|tenant| open(&server, &ticket(tenant)).unwrap());
    for n in 0..20 {
        let id = format!("c{n}");
        acme.event(json!({"id": id, "type": if n % 2 == 0 { "hi" } else { "text" }}));
        acme.wait_reactions(&id, 1);
        let want = if n % 2 == 0 { format!(r#"{{"who":"{id}"}}"#) } else { id };
        for socket in &mut sockets[..2] {
            assert_eq!(next(socket), want);
        }
    }
    other.event(json!({"id": "theirs", "type": "text"}));
    assert_eq!(next(&mut sockets[2]), "theirs", "nothing of another tenant's came before");
    // One that is gone holds up nobody.
    let [gone, mut stays, mut loud] = sockets;
    drop(gone);
    loud.send(Message::text("let me in")).unwrap();
    assert_eq!(end(&mut loud), CloseCode::Policy, "nothing may be sent");
    acme.event(json!({"id": "last", "type": "text"}));
    assert_eq!(next(&mut stays), "last");
    let stopping = std::thread::spawn(move || (server.terminate().success(), server));
    assert_eq!(end(&mut stays), CloseCode::Away);
    drop(stays);
    assert!(stopping.join().unwrap().0, "open streams do not hold up the end");
}

#[test]
fn a_ticket_opens_one_web_socket_and_nothing_else() {
    let server = Server::start();
    let acme = server.tenant("acme");
    let good = ticket(&acme);
    let path = format!("/1.0/stream/{good}");
    let plain = server.anonymous().get(&path);
    assert_eq!(plain.status, 426, "{plain:?}");
    let socket = open(&server, &good).expect("asking without a web socket has not used it up");
    assert_eq!(open(&server, &good).err(), Some(404), "used");
    assert_eq!(server.anonymous().get(&path).status, 404);
    for bad in ["x", "6ba7b810-9dad-11d1-80b4-00c04fd430c8"] {
        assert_eq!(open(&server, bad).err(), Some(404), "{bad}");
    }
    drop(socket);
    let reader = server.admin().new_client("acme", Some(&["events"]));
    let reader = server.anonymous().with_token_of(&reader.0, &reader.1);
    assert_eq!(reader.post("/1.0/tenants/acme/ticket", &json!({})).status, 403);
}
