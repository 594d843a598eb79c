//! What a handler answers, and how it is put on the wire.

use axum::body::Body;
use axum::http::{HeaderName, HeaderValue, Response, StatusCode, header};
use domain::json::{Json, Object};

use super::problem::Problem;

/// A good answer.
#[derive(Debug)]
pub struct Answer {
    status: StatusCode,
    body: Option<(HeaderValue, u64, Body)>,
    headers: Vec<(HeaderName, HeaderValue)>,
}

const JSON: HeaderValue = HeaderValue::from_static("application/json; charset=utf-8");

impl Answer {
    /// 200 with a body.
    pub fn ok(body: impl Into<Json>) -> Self {
        Self::json(StatusCode::OK, &body.into())
    }

    /// 201 with a body.
    pub fn created(body: impl Into<Json>) -> Self {
        Self::json(StatusCode::CREATED, &body.into())
    }

    /// 204.
    pub fn no_content() -> Self {
        Self { status: StatusCode::NO_CONTENT, body: None, headers: Vec::new() }
    }

    /// The connection goes on in another protocol; headers say in which.
    pub fn switching() -> Self {
        Self { status: StatusCode::SWITCHING_PROTOCOLS, body: None, headers: Vec::new() }
    }

    /// A status with a body.
    pub fn json(status: StatusCode, body: &Json) -> Self {
        Self::whole(status, JSON, body.text())
    }

    /// A body that is not JSON.
    pub fn text(status: StatusCode, content_type: &'static str, body: String) -> Self {
        Self::whole(status, HeaderValue::from_static(content_type), body)
    }

    /// 200 with a body that comes bit by bit and is so many bytes long.
    pub fn stream(content_type: &'static str, bytes: u64, body: Body) -> Self {
        let body = Some((HeaderValue::from_static(content_type), bytes, body));
        Self { status: StatusCode::OK, body, headers: Vec::new() }
    }

    fn whole(status: StatusCode, content_type: HeaderValue, body: String) -> Self {
        let body = Some((content_type, body.len() as u64, Body::from(body)));
        Self { status, body, headers: Vec::new() }
    }

    /// Its status.
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// The same with a header.
    #[must_use]
    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.push((name, value));
        self
    }

    /// The same with the resource's version as its tag.
    #[must_use]
    pub fn version(self, version: u64) -> Self {
        match HeaderValue::from_str(&format!("\"{version}\"")) {
            Ok(tag) => self.header(header::ETAG, tag),
            Err(_) => self,
        }
    }

    /// On the wire; `head`: without the body, which is still described.
    pub fn into_response(self, head: bool) -> Response<Body> {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        if let Some((content_type, bytes, body)) = self.body {
            headers.insert(header::CONTENT_TYPE, content_type);
            headers.insert(header::CONTENT_LENGTH, HeaderValue::from(bytes));
            headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
            headers.extend(self.headers);
            if !head {
                *response.body_mut() = body;
            }
        } else {
            headers.extend(self.headers);
        }
        response
    }
}

/// The members that begin what is shown of a thing with a name.
pub fn named(name: &str, description: Option<&str>) -> Object {
    let mut shown = Object::new();
    shown.set("name", name);
    if let Some(description) = description {
        shown.set("description", description);
    }
    shown
}

/// A thing with its id before all else.
pub fn identified(id: &str, members: &Object) -> Json {
    let mut shown = Object::new();
    shown.set("id", id);
    shown.merge(members);
    shown.into()
}

impl From<Problem> for Answer {
    fn from(problem: Problem) -> Self {
        Self { headers: problem.headers, ..Self::json(problem.status, &problem.body) }
    }
}
