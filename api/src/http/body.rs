//! Taking a request's body in: of the right type, not too long, not too slow, and not too many at once.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use axum::http::{HeaderMap, StatusCode, header};
use domain::json::{self, Json, Limits};
use http_body_util::BodyExt;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout_at};

use super::problem::Problem;

/// What a path takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Payload {
    /// Nothing: what comes is not looked at.
    None,
    /// JSON of at most so many bytes.
    Json(usize),
    /// JSON or lines of JSON, of at most so many bytes.
    Lines(usize),
    /// A form of at most so many bytes.
    Form(usize),
    /// A form or JSON, as a third party likes it, of at most so many bytes.
    Receipt(usize),
    /// A CSV file of at most so many bytes, bare or in a form; it is not taken in but left to come.
    File(usize),
    /// A form of parts, of at most so many bytes in all; left to come likewise.
    Parts(usize),
}

/// How the body came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// `application/json`
    Json,
    /// `application/x-ndjson`
    Lines,
    /// `application/x-www-form-urlencoded`
    Form,
    /// `text/csv`
    Csv,
    /// `multipart/form-data`
    Multipart,
}

impl Payload {
    /// The content types that it takes.
    pub fn content_types(self) -> impl Iterator<Item = &'static str> {
        self.formats().iter().map(|(name, _)| *name)
    }

    /// How long it may take to answer a request that has it, beyond what any may take.
    pub fn patience(self) -> Duration {
        match self {
            Self::File(_) | Self::Parts(_) => FILE_TIME,
            Self::None | Self::Json(_) | Self::Lines(_) | Self::Form(_) | Self::Receipt(_) => Duration::ZERO,
        }
    }

    fn formats(self) -> &'static [(&'static str, Format)] {
        const JSON: (&str, Format) = ("application/json", Format::Json);
        const FORM: (&str, Format) = ("application/x-www-form-urlencoded", Format::Form);
        match self {
            Self::None => &[],
            Self::Json(_) => &[JSON],
            Self::Lines(_) => &[JSON, ("application/x-ndjson", Format::Lines)],
            Self::Form(_) => &[FORM],
            Self::Receipt(_) => &[JSON, FORM],
            Self::File(_) => &[("multipart/form-data", Format::Multipart), ("text/csv", Format::Csv)],
            Self::Parts(_) => &[("multipart/form-data", Format::Multipart)],
        }
    }

    fn limit(self) -> usize {
        match self {
            Self::None => 0,
            Self::Json(limit) | Self::Lines(limit) | Self::Form(limit) | Self::Receipt(limit) => limit,
            Self::File(limit) | Self::Parts(limit) => limit + FORM_BYTES,
        }
    }
}

/// A body that has been taken in.
#[derive(Debug)]
pub struct Taken {
    /// The bytes.
    pub bytes: Bytes,
    /// How they came.
    pub format: Format,
    /// What is still to come, of a body that is not taken in. (Calls are shared between threads, bodies cannot be.)
    rest: Mutex<Option<Body>>,
    /// The most that may come.
    limit: usize,
    /// The place that they take up among all bodies, given back with them.
    _place: Option<OwnedSemaphorePermit>,
}

/// What a form may have around its file, in bytes.
const FORM_BYTES: usize = 64 * 1024;

/// How long a file may take to come.
const FILE_TIME: Duration = Duration::from_secs(70);

/// How much of the room for bodies a file takes while it comes, in KiB: it is held a piece at a time.
const FILE_ROOM: u32 = 4 * 1024;

/// How much all bodies at once may take, and how slowly one may come.
#[derive(Clone)]
pub struct Intake {
    kibibytes: Arc<Semaphore>,
    pause: Duration,
    whole: Duration,
}

impl Default for Intake {
    fn default() -> Self {
        Self::new(256 * 1024, Duration::from_secs(10), Duration::from_secs(60))
    }
}

impl Intake {
    /// At most `kibibytes` of bodies at once, each with progress every `pause` and complete after `whole`.
    pub fn new(kibibytes: usize, pause: Duration, whole: Duration) -> Self {
        Self { kibibytes: Arc::new(Semaphore::new(kibibytes)), pause, whole }
    }

    /// Takes a body in.
    ///
    /// # Errors
    /// 415, 413, 408 (too slow), 400 (broken off), 503 (too many at once), in this order of looking.
    pub async fn take(
        &self,
        payload: Payload,
        headers: &HeaderMap,
        body: &mut Body,
    ) -> Result<Taken, Problem> {
        as_it_is(payload, headers, body)?;
        let format = format(payload, headers, body)?;
        let limit = payload.limit();
        let mut taken = Taken { bytes: Bytes::new(), format, rest: Mutex::default(), limit, _place: None };
        if payload == Payload::None || body.is_end_stream() {
            return Ok(taken);
        }
        if body.size_hint().lower() > limit as u64 {
            return Err(over(limit));
        }
        if let Payload::File(_) | Payload::Parts(_) = payload {
            let place = self.kibibytes.clone().try_acquire_many_owned(FILE_ROOM);
            taken._place = Some(place.map_err(|_| too_many())?);
            taken.rest = Mutex::new(Some(std::mem::take(body)));
            return Ok(taken);
        }
        let mut arriving = self.over(std::mem::take(body), limit, self.whole);
        let collected = self.collect(&mut arriving, &mut taken).await;
        *body = arriving.body;
        collected.map(|()| taken)
    }

    /// The body of a request that was not taken in.
    pub fn arriving(&self, taken: &mut Taken) -> Arriving {
        let rest = taken.rest.get_mut().unwrap_or_else(PoisonError::into_inner).take();
        self.over(rest.unwrap_or_default(), taken.limit, FILE_TIME)
    }

    fn over(&self, body: Body, limit: usize, whole: Duration) -> Arriving {
        let begun = Instant::now();
        Arriving { body, limit, left: limit, pause: self.pause, begun, end: begun + whole }
    }

    async fn collect(&self, arriving: &mut Arriving, taken: &mut Taken) -> Result<(), Problem> {
        let mut bytes = Vec::new();
        while let Some(data) = arriving.next().await? {
            bytes.extend_from_slice(&data);
            self.widen(&mut taken._place, bytes.len())?;
        }
        taken.bytes = bytes.into();
        Ok(())
    }

    /// Makes `place` big enough for `bytes`.
    fn widen(&self, place: &mut Option<OwnedSemaphorePermit>, bytes: usize) -> Result<(), Problem> {
        let held = place.as_ref().map_or(0, OwnedSemaphorePermit::num_permits);
        let Some(more) = bytes.div_ceil(1024).checked_sub(held).filter(|more| *more > 0) else {
            return Ok(());
        };
        let more = u32::try_from(more).unwrap_or(u32::MAX);
        let permit = self.kibibytes.clone().try_acquire_many_owned(more);
        let permit = permit.map_err(|_| too_many())?;
        match place {
            Some(place) => place.merge(permit),
            None => *place = Some(permit),
        }
        Ok(())
    }
}

/// How many bytes a second a body has to come by, on the whole, once it is past its first pause: empty frames and
/// single bytes are progress of a kind, and no reason to wait for more.
const SLOWEST: u32 = 1024;

/// A body that comes: of bounded length, and not too slowly.
pub struct Arriving {
    body: Body,
    limit: usize,
    left: usize,
    pause: Duration,
    begun: Instant,
    end: Instant,
}

impl Arriving {
    /// The next bytes; none at its end.
    ///
    /// # Errors
    /// 413, 408 (too slow), 400 (broken off).
    pub async fn next(&mut self) -> Result<Option<Bytes>, Problem> {
        loop {
            let come = Duration::from_secs((self.limit - self.left) as u64) / SLOWEST;
            let earned = self.begun + self.pause + come;
            let until = self.end.min(earned).min(Instant::now() + self.pause);
            let frame = match timeout_at(until, self.body.frame()).await {
                Ok(Some(Ok(frame))) => frame,
                Ok(None) => return Ok(None),
                Ok(Some(Err(_))) => return Err(Problem::bad("the body broke off")),
                Err(_) => {
                    return Err(Problem::new(StatusCode::REQUEST_TIMEOUT, "the body came too slowly"));
                }
            };
            let Ok(data) = frame.into_data() else { continue };
            self.left = self.left.checked_sub(data.len()).ok_or_else(|| over(self.limit))?;
            return Ok(Some(data));
        }
    }

    /// Reads what is left and lets it go, so that the client sees its answer.
    pub async fn drain(self) {
        drain(self.body).await;
    }
}

fn too_many() -> Problem {
    Problem::unavailable("too many bodies at once")
}

/// How much of a body that is not wanted is read all the same, and for how long.
const DRAINED: (usize, Duration) = (128 * 1024 * 1024, Duration::from_secs(10));

/// Reads what is left of a body and lets it go: closing over unread input resets the connection, and a client that
/// is still sending would never see its answer.
pub async fn drain(mut body: Body) {
    if body.is_end_stream() {
        return;
    }
    let all = async {
        let mut left = DRAINED.0;
        while let Some(Ok(frame)) = body.frame().await {
            let read = frame.data_ref().map_or(0, Bytes::len);
            let Some(less) = left.checked_sub(read) else { return };
            left = less;
        }
    };
    // What takes longer is cut off: the client had its time.
    let _ = tokio::time::timeout(DRAINED.1, all).await;
}

fn over(limit: usize) -> Problem {
    let shown = if limit >= 1024 * 1024 {
        format!("{} MiB", limit / 1024 / 1024)
    } else {
        format!("{} KiB", limit / 1024)
    };
    Problem::too_large(format!("the body is over {shown}"))
}

/// A body that was compressed on its way would have to be opened here, where nobody knows how long it gets.
fn as_it_is(payload: Payload, headers: &HeaderMap, body: &Body) -> Result<(), Problem> {
    let encodings = headers.get_all(header::CONTENT_ENCODING).iter();
    let mut other = encodings.filter(|value| !value.as_bytes().eq_ignore_ascii_case(b"identity"));
    match other.next() {
        Some(found) if payload != Payload::None && !body.is_end_stream() => {
            let found = String::from_utf8_lossy(found.as_bytes());
            let error = format!("a body is taken as it is, without a content encoding; found {found:?}");
            let problem = Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, error);
            Err(problem.header(header::ACCEPT_ENCODING, "identity"))
        }
        _ => Ok(()),
    }
}

fn format(payload: Payload, headers: &HeaderMap, body: &Body) -> Result<Format, Problem> {
    let formats = payload.formats();
    let Some((first, assumed)) = formats.first() else { return Ok(Format::Json) };
    if body.is_end_stream() && !headers.contains_key(header::CONTENT_TYPE) {
        return Ok(*assumed);
    }
    let said = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    said.and_then(|said| formats.iter().find(|(name, _)| is_type(said, name)).map(|(_, format)| *format))
        .ok_or_else(|| {
            let names: Vec<&str> = formats.iter().map(|(name, _)| *name).collect();
            let found = said.map_or_else(|| "none".to_owned(), |said| format!("{said:?}"));
            let expected = if names.len() > 1 { names.join(" or ") } else { (*first).to_owned() };
            Problem::new(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                format!("the content type has to be {expected}; found {found}"),
            )
        })
}

/// Whether a `Content-Type` says `name`, in UTF-8 if it names a character set.
fn is_type(said: &str, name: &str) -> bool {
    let mut parts = said.split(';').map(str::trim);
    let utf8 = |parameter: &str| match parameter.split_once('=') {
        Some((key, value)) if key.trim().eq_ignore_ascii_case("charset") => {
            value.trim().trim_matches('"').eq_ignore_ascii_case("utf-8")
        }
        _ => true,
    };
    parts.next().is_some_and(|essence| essence.eq_ignore_ascii_case(name)) && parts.all(utf8)
}

/// Reads JSON; a long text is read apart, so that it holds up nobody.
///
/// # Errors
/// What is not acceptable JSON, with its place.
pub async fn parse(bytes: Bytes, limits: Limits) -> Result<Json, Problem> {
    const LONG: usize = 64 * 1024;
    if bytes.is_empty() {
        return Err(Problem::bad("the body is empty; a JSON text is expected"));
    }
    if bytes.len() <= LONG {
        return Ok(json::parse(&bytes, limits)?);
    }
    apart(move || json::parse(&bytes, limits)).await?.map_err(Problem::from)
}

/// Runs work that takes long on a thread of its own.
///
/// # Errors
/// 500 if it panics.
pub async fn apart<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Problem> {
    tokio::task::spawn_blocking(work).await.map_err(|error| Problem::internal(error.to_string()))
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    async fn status(intake: &Intake, content_type: Option<&str>, mut body: Body) -> Result<Format, u16> {
        let mut headers = HeaderMap::new();
        if let Some(content_type) = content_type {
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_str(content_type).unwrap());
        }
        let taken = intake.take(Payload::Lines(2048), &headers, &mut body).await;
        taken.map(|taken| taken.format).map_err(|problem| problem.status.as_u16())
    }

    #[tokio::test]
    async fn type_comes_before_size_and_both_before_the_body() {
        let intake = Intake::default();
        let json = Some("application/json; charset=UTF-8");
        assert_eq!(status(&intake, json, "{}".into()).await, Ok(Format::Json));
        assert_eq!(status(&intake, Some("Application/X-NDJSON"), "{}".into()).await, Ok(Format::Lines));
        assert_eq!(status(&intake, None, Body::empty()).await, Ok(Format::Json));
        let long = || Body::from(vec![b' '; 4096]);
        for wrong in
            [None, Some("text/plain"), Some("application/json; charset=latin1"), Some("application/jsonx")]
        {
            assert_eq!(status(&intake, wrong, long()).await, Err(415), "{wrong:?}");
        }
        assert_eq!(status(&intake, json, long()).await, Err(413));
    }

    #[tokio::test]
    async fn a_compressed_body_is_refused_and_told_what_is_taken() {
        for (encoding, status) in [("gzip", Some(415)), ("Identity", None), ("identity, br", Some(415))] {
            let mut headers = HeaderMap::new();
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
            headers.insert(header::CONTENT_ENCODING, HeaderValue::from_str(encoding).unwrap());
            let taken = Intake::default().take(Payload::Json(2048), &headers, &mut "{}".into()).await;
            let refused = taken.err();
            assert_eq!(refused.as_ref().map(|problem| problem.status.as_u16()), status, "{encoding}");
            if let Some(problem) = refused {
                assert!(problem.body.to_string().contains(encoding), "{}", problem.body);
                assert_eq!(problem.headers[0].0, header::ACCEPT_ENCODING);
            }
        }
    }

    #[tokio::test]
    async fn all_bodies_together_are_bounded() {
        let intake = Intake::new(1, Duration::from_secs(1), Duration::from_secs(1));
        assert_eq!(status(&intake, Some("application/json"), vec![b' '; 1025].into()).await, Err(503));
        assert_eq!(
            status(&intake, Some("application/json"), vec![b' '; 1024].into()).await,
            Ok(Format::Json)
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_stops_coming_is_given_up() {
        struct Never;
        impl HttpBody for Never {
            type Data = Bytes;
            type Error = axum::Error;
            fn poll_frame(
                self: std::pin::Pin<&mut Self>,
                _: &mut std::task::Context<'_>,
            ) -> std::task::Poll<Option<Result<hyper::body::Frame<Bytes>, axum::Error>>> {
                std::task::Poll::Pending
            }
        }
        let body = Body::new(Never);
        assert_eq!(status(&Intake::default(), Some("application/json"), body).await, Err(408));
    }
}
