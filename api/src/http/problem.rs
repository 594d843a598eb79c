//! Why a request is not answered as it wished: status, a sentence for a person, and details.
//!
//! The one place where the rest of the system's refusals and failures become statuses. A 5xx shows nothing of the
//! inside: what happened goes to the log under the request's id.

use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use domain::json::{self, Json, Object};
use eventlog::record;
use notifier::runtime::NotRunning;

/// A refusal or a failure.
#[derive(Debug)]
pub struct Problem {
    /// The status.
    pub status: StatusCode,
    /// The body.
    pub body: Json,
    /// Headers beyond the usual ones.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// What the log has to know and the client must not.
    pub internal: Option<String>,
}

impl Problem {
    /// A problem with a sentence for a person.
    pub fn new(status: StatusCode, error: impl Into<String>) -> Self {
        let body = Json::object([("error", Json::Text(error.into()))]);
        Self { status, body, headers: Vec::new(), internal: None }
    }

    /// The same with details.
    #[must_use]
    pub fn details(mut self, details: Vec<Json>) -> Self {
        if let Json::Object(body) = &mut self.body {
            body.set("details", details);
        }
        self
    }

    /// Whether nothing has been changed for certain. Where the server is at fault, what was to be changed may have been
    /// before it failed: a file that came with it is not let go of, for it may be in force; if not, it is swept up later.
    pub fn leaves_all_as_it_was(&self) -> bool {
        self.status.is_client_error()
    }

    /// The same about something that is part of more: its fields are told as those of `place`.
    #[must_use]
    pub fn within(mut self, place: &str) -> Self {
        let told = |detail: &Json| {
            let mut detail = detail.as_object().cloned().unwrap_or_default();
            let field = detail.get("field").and_then(Json::as_text).unwrap_or_default().to_owned();
            detail.set("field", format!("{place}/{field}"));
            Json::from(detail)
        };
        let details = self.body.get("details").and_then(Json::as_array).unwrap_or_default();
        let details: Vec<Json> = details.iter().map(told).collect();
        let error = self.body.get("error").and_then(Json::as_text).unwrap_or_default();
        let error = format!("{place}: {error}");
        if let Json::Object(body) = &mut self.body {
            body.set("error", error);
        }
        if details.is_empty() { self } else { self.details(details) }
    }

    /// The same with a header; one whose value is no header value is left out.
    #[must_use]
    pub fn header(mut self, name: HeaderName, value: &str) -> Self {
        self.headers.extend(HeaderValue::from_str(value).map(|value| (name, value)));
        self
    }

    /// 400: the request's own fault.
    pub fn bad(error: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, error)
    }

    /// 400, about one field (or parameter).
    pub fn bad_field(field: &str, message: &str) -> Self {
        Self::bad(format!("{field}: {message}")).details(vec![detail(field, message)])
    }

    /// 401 with the challenge.
    pub fn unauthorized(error: &str) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, error)
            .header(header::WWW_AUTHENTICATE, "Bearer realm=\"cxengage\"")
    }

    /// 403.
    pub fn forbidden(error: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, error)
    }

    /// 404.
    pub fn missing(error: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, error)
    }

    /// 503: done, and not to be seen yet.
    pub fn late(error: impl Into<String>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, error).header(header::RETRY_AFTER, "1")
    }

    /// 409.
    pub fn conflict(error: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, error)
    }

    /// 413: more than the path takes.
    pub fn too_large(error: impl Into<String>) -> Self {
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, error)
    }

    /// 429, and after how many seconds to come again.
    pub fn too_many(seconds: u64) -> Self {
        Self::new(StatusCode::TOO_MANY_REQUESTS, "Exceeded rate limit")
            .header(header::RETRY_AFTER, &seconds.max(1).to_string())
    }

    /// 503: not now.
    pub fn unavailable(internal: impl Into<String>) -> Self {
        Self {
            internal: Some(internal.into()),
            ..Self::new(StatusCode::SERVICE_UNAVAILABLE, "not available just now; try again in a second")
                .header(header::RETRY_AFTER, "1")
        }
    }

    /// 507: there is no room on the server's disk.
    pub fn disk_full() -> Self {
        let error = "the server's disk is full: nothing is stored until there is room on it";
        Self { internal: Some(error.to_owned()), ..Self::new(StatusCode::INSUFFICIENT_STORAGE, error) }
            .header(header::RETRY_AFTER, "30")
    }

    /// 500: our fault.
    pub fn internal(internal: impl Into<String>) -> Self {
        Self {
            internal: Some(internal.into()),
            ..Self::new(StatusCode::INTERNAL_SERVER_ERROR, "something bad happened on our end")
        }
    }
}

/// A detail about a field.
pub fn detail(field: &str, message: &str) -> Json {
    Json::object([("field", field), ("message", message)])
}

impl From<json::Error> for Problem {
    fn from(error: json::Error) -> Self {
        let mut place = Object::new();
        place.set("line", error.line as u64);
        place.set("column", error.column as u64);
        place.set("message", error.message.as_str());
        Self::bad(format!("the body is not acceptable JSON: {error}")).details(vec![place.into()])
    }
}

impl From<record::Error> for Problem {
    fn from(error: record::Error) -> Self {
        match error {
            error if error.is_disk_full() => Self::disk_full(),
            // Of a server that has not been given the new one yet.
            record::Error::Unavailable(_) | record::Error::MasterKey => Self::unavailable(error.to_string()),
            record::Error::Damaged(_)
            | record::Error::Format { .. }
            | record::Error::Locked(_)
            | record::Error::Malformed(_) => Self::internal(error.to_string()),
        }
    }
}

impl From<NotRunning> for Problem {
    fn from(error: NotRunning) -> Self {
        Self::unavailable(error.to_string())
    }
}

impl From<projections::Error> for Problem {
    fn from(error: projections::Error) -> Self {
        use projections::Error;
        match error {
            Error::Record(error) => error.into(),
            Error::Store(_) | Error::Behind(_) | Error::Late { .. } | Error::Ended => {
                Self::unavailable(error.to_string())
            }
            Error::Files(_)
            | Error::Unreadable { .. }
            | Error::Damaged(_)
            | Error::Superseded(_)
            | Error::Unknown { .. } => Self::internal(error.to_string()),
        }
    }
}
