//! One connection: HTTP/1 or HTTP/2, each within its bounds, watched until it ends.

use std::convert::Infallible;
use std::future::Future;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes, HttpBody};
use hyper::Request;
use hyper::body::{Frame, Incoming, SizeHint};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use super::activity::{Activity, InFlight, Noted};
use super::{Held, Limits, Peer, Tls};

/// A request's header may be this long, in bytes.
const HEADER_BYTES: u32 = 64 * 1024;
/// Requests at once on one HTTP/2 connection.
const STREAMS: u32 = 128;
/// Streams that the peer, or we, may have reset before they were looked at: the bound of a reset flood.
const RESET_STREAMS: usize = 32;

/// Serves an accepted connection to its end, after its TLS handshake if there is to be one.
pub(super) async fn accept(
    stream: TcpStream,
    tls: Option<Tls>,
    router: Router,
    limits: Limits,
    held: Held,
    cut: CancellationToken,
) {
    let Ok(peer) = stream.peer_addr() else { return };
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "cannot set TCP_NODELAY");
    }
    let Some(tls) = tls else { return serve(stream, Peer(peer), router, limits, held, cut).await };
    let shaken = tokio::select! {
        shaken = tokio::time::timeout(limits.header, tls.0.accept(stream)) => shaken,
        () = held.stop.cancelled() => return,
    };
    match shaken {
        Ok(Ok(stream)) => serve(stream, Peer(peer), router, limits, held, cut).await,
        Ok(Err(error)) => tracing::debug!(%error, "no TLS with a client"),
        Err(_) => tracing::debug!("a client took too long over its TLS handshake"),
    }
}

async fn serve<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(
    stream: S,
    peer: Peer,
    router: Router,
    limits: Limits,
    held: Held,
    cut: CancellationToken,
) {
    let activity = Activity::new(limits);
    let stop = held.stop.clone();
    let service = {
        let activity = activity.clone();
        hyper::service::service_fn(move |request: Request<Incoming>| {
            let in_flight = activity.begin();
            let mut request = request.map(Body::new);
            request.extensions_mut().insert(peer);
            request.extensions_mut().insert(held.clone());
            let router = router.clone();
            async move {
                let response = router.oneshot(request).await?;
                Ok::<_, Infallible>(response.map(|body| Answered { body, _in_flight: in_flight }))
            }
        })
    };
    let builder = builder(limits);
    let connection =
        builder.serve_connection_with_upgrades(TokioIo::new(Noted::new(stream, activity.clone())), service);
    let mut connection = pin!(Watched::new(connection, activity));
    let result = tokio::select! {
        result = connection.as_mut() => result,
        () = cut.cancelled() => return,
        () = stop.cancelled() => {
            connection.as_mut().inner().graceful_shutdown();
            tokio::select! {
                result = connection => result,
                () = cut.cancelled() => return,
            }
        }
    };
    if let Some(Err(error)) = result {
        tracing::debug!(%error, "connection ended");
    }
}

fn builder(limits: Limits) -> auto::Builder<TokioExecutor> {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    // The watch ends what dawdles, between requests too; hyper's own header timer would end an idle connection.
    builder.http1().timer(TokioTimer::new()).header_read_timeout(None).max_buf_size(HEADER_BYTES as usize);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS)
        .max_header_list_size(HEADER_BYTES)
        .max_pending_accept_reset_streams(RESET_STREAMS)
        .max_local_error_reset_streams(RESET_STREAMS)
        .max_send_buf_size(256 * 1024)
        .keep_alive_interval(Duration::from_secs(20))
        .keep_alive_timeout(limits.header);
    builder
}

/// A connection that ends (`None`) when what it is doing takes too long.
struct Watched<C> {
    connection: Pin<Box<C>>,
    activity: Activity,
    alarm: Pin<Box<Sleep>>,
}

impl<C> Watched<C> {
    fn new(connection: C, activity: Activity) -> Self {
        let alarm = Box::pin(tokio::time::sleep_until(activity.deadline()));
        Self { connection: Box::pin(connection), activity, alarm }
    }

    fn inner(self: Pin<&mut Self>) -> Pin<&mut C> {
        self.get_mut().connection.as_mut()
    }
}

impl<C: Future> Future for Watched<C> {
    type Output = Option<C::Output>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        if let Poll::Ready(output) = self.connection.as_mut().poll(cx) {
            return Poll::Ready(Some(output));
        }
        loop {
            // An alarm that is too early is cheap: it looks again. One that is too late is not allowed.
            let deadline = self.activity.deadline();
            if deadline <= Instant::now() {
                return Poll::Ready(None);
            }
            if deadline < self.alarm.deadline() || self.alarm.is_elapsed() {
                self.alarm.as_mut().reset(deadline);
            }
            if self.alarm.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
        }
    }
}

/// An answer's body, whose end is the request's end.
struct Answered {
    body: Body,
    _in_flight: InFlight,
}

impl HttpBody for Answered {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
