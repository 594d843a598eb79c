//! What a connection is doing, and until when it may go on doing that.
//!
//! One rule per state: nothing asked yet, a header half read, a request in flight, idle between requests, and a
//! write that makes no progress. The connection's own task notes what happens and asks for the deadline.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Instant;

use super::Limits;

/// The first bytes of an HTTP/2 connection; no HTTP/1 request begins so.
const HTTP2: &[u8] = b"PRI ";

/// What a connection is doing; shared by its stream, its requests and its watch.
#[derive(Clone)]
pub(super) struct Activity(Arc<Mutex<State>>);

struct State {
    limits: Limits,
    /// Since when there has been no request in flight.
    idle_since: Instant,
    /// When the first byte came since then.
    first_byte: Option<Instant>,
    /// Whether there has been a request at all.
    asked: bool,
    /// The first bytes of the connection.
    preface: Vec<u8>,
    /// When each request in flight began, with a number to find it again.
    requests: Vec<(u64, Instant)>,
    next_request: u64,
    /// Since when writing has made no progress.
    write_stalled: Option<Instant>,
}

impl Activity {
    pub(super) fn new(limits: Limits) -> Self {
        Self(Arc::new(Mutex::new(State {
            limits,
            idle_since: Instant::now(),
            first_byte: None,
            asked: false,
            preface: Vec::new(),
            requests: Vec::new(),
            next_request: 0,
            write_stalled: None,
        })))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Every change below leaves the state whole, so a panic elsewhere does not spoil it.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// When the connection has taken too long over what it is doing now.
    pub(super) fn deadline(&self) -> Instant {
        self.state().deadline()
    }

    /// A request's header is there; it is in flight until the answer's end drops this.
    pub(super) fn begin(&self) -> InFlight {
        let mut state = self.state();
        let number = state.next_request;
        state.next_request += 1;
        state.asked = true;
        state.requests.push((number, Instant::now()));
        InFlight { activity: self.clone(), number }
    }
}

impl State {
    fn deadline(&self) -> Instant {
        let limits = &self.limits;
        let doing = match (self.requests.first(), self.first_byte) {
            (Some((_, begun)), _) => *begun + limits.request,
            // HTTP/2 speaks also between requests (pings, windows): a byte does not mean that a header has begun.
            (None, Some(first)) if self.preface != HTTP2 => first + limits.header,
            // It is only waited for longer once there has been one.
            (None, Some(_)) if !self.asked => self.idle_since + limits.header,
            (None, Some(_)) => self.idle_since + limits.idle,
            (None, None) if self.asked => self.idle_since + limits.idle,
            (None, None) => self.idle_since + limits.header,
        };
        self.write_stalled.map_or(doing, |since| doing.min(since + limits.write))
    }

    fn read(&mut self, bytes: &[u8]) {
        let missing = HTTP2.len() - self.preface.len();
        self.preface.extend(bytes.iter().take(missing));
        if self.requests.is_empty() && self.first_byte.is_none() {
            self.first_byte = Some(Instant::now());
        }
    }
}

/// A request in flight.
pub(super) struct InFlight {
    activity: Activity,
    number: u64,
}

impl Drop for InFlight {
    fn drop(&mut self) {
        let mut state = self.activity.state();
        state.requests.retain(|(number, _)| *number != self.number);
        if state.requests.is_empty() {
            state.idle_since = Instant::now();
            state.first_byte = None;
        }
    }
}

/// A stream that notes what passes.
pub(super) struct Noted<S> {
    stream: S,
    activity: Activity,
}

impl<S> Noted<S> {
    pub(super) fn new(stream: S, activity: Activity) -> Self {
        Self { stream, activity }
    }

    fn note_write<T>(&self, poll: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        let mut state = self.activity.state();
        match poll {
            Poll::Pending => state.write_stalled = state.write_stalled.or_else(|| Some(Instant::now())),
            Poll::Ready(_) => state.write_stalled = None,
        }
        poll
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Noted<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let poll = Pin::new(&mut self.stream).poll_read(cx, buf);
        if let Some(read) = buf.filled().get(before..).filter(|read| !read.is_empty()) {
            self.activity.state().read(read);
        }
        poll
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Noted<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let poll = Pin::new(&mut self.stream).poll_write(cx, buf);
        self.note_write(poll)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let poll = Pin::new(&mut self.stream).poll_write_vectored(cx, bufs);
        self.note_write(poll)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn each_state_has_its_own_deadline() {
        let limits = Limits::default();
        let activity = Activity::new(limits);
        let left = |activity: &Activity| activity.deadline() - Instant::now();
        assert_eq!(left(&activity), limits.header, "nothing asked yet");

        tokio::time::advance(Duration::from_secs(4)).await;
        activity.state().read(b"GET /");
        tokio::time::advance(Duration::from_secs(4)).await;
        activity.state().read(b"x");
        assert_eq!(left(&activity), Duration::from_secs(6), "dripping does not extend the header's time");

        let request = activity.begin();
        assert_eq!(left(&activity), limits.request);
        drop(request);
        assert_eq!(left(&activity), limits.idle);
        activity.state().write_stalled = Some(Instant::now());
        assert_eq!(left(&activity), limits.write);
    }

    #[tokio::test(start_paused = true)]
    async fn http2_may_speak_between_requests() {
        let activity = Activity::new(Limits::default());
        activity.state().read(b"PRI * HTTP/2.0");
        assert_eq!(activity.deadline() - Instant::now(), Limits::default().header, "nothing asked yet");
        drop(activity.begin());
        activity.state().read(b"ping");
        assert_eq!(activity.deadline() - Instant::now(), Limits::default().idle);
    }
}
