//! A blocking HTTP client that shows answers as they are: no status is an error by itself.

use std::time::Duration;

use serde_json::{Value, json};
use ureq::http;

/// Speaks to one server, with or without a token.
#[derive(Clone)]
pub struct Client {
    agent: ureq::Agent,
    base: String,
    token: Option<String>,
    /// Whose the token is: id and secret.
    credentials: Option<(String, String)>,
}

/// A request as the bytes that it is.
#[derive(Clone, Debug)]
pub struct Request {
    /// `GET`, ….
    pub method: String,
    /// From the first slash on.
    pub path: String,
    /// Names and values; a token is added by the client that sends it.
    pub headers: Vec<(String, String)>,
    /// The body; empty: none.
    pub body: Vec<u8>,
}

impl Request {
    /// A request without a body.
    pub fn new(method: &str, path: &str) -> Self {
        Self { method: method.to_owned(), path: path.to_owned(), headers: Vec::new(), body: Vec::new() }
    }

    /// The same with one header more.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The same with a body of that type.
    #[must_use]
    pub fn body(mut self, content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self.header("content-type", content_type)
    }

    /// The same with a JSON body.
    #[must_use]
    pub fn json(self, body: &Value) -> Self {
        self.body("application/json", body.to_string())
    }
}

/// An answer.
#[derive(Clone, Debug)]
pub struct Answer {
    /// What was asked, for messages.
    pub asked: String,
    /// The status code.
    pub status: u16,
    /// The headers.
    pub headers: http::HeaderMap,
    /// The body.
    pub body: String,
}

impl Answer {
    /// The body as JSON; null if it is empty.
    ///
    /// # Panics
    /// If it is something else.
    pub fn json(&self) -> Value {
        if self.body.is_empty() {
            return Value::Null;
        }
        serde_json::from_str(&self.body)
            .unwrap_or_else(|error| panic!("{}: {error}: {}", self.asked, self.body))
    }

    /// The JSON body of an answer that has to have this status.
    ///
    /// # Panics
    /// If it has another.
    #[track_caller]
    pub fn expect(&self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}: {}", self.asked, self.body);
        self.json()
    }

    /// A header's value, empty if it is not there.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// The text of its `error`.
    ///
    /// # Panics
    /// If it has none.
    #[track_caller]
    pub fn error(&self) -> String {
        match self.json().get("error").and_then(Value::as_str) {
            Some(error) if !error.is_empty() => error.to_owned(),
            _ => panic!("{}: {} without an error: {}", self.asked, self.status, self.body),
        }
    }
}

impl Client {
    /// A client of the server at `base`, without a token.
    pub fn new(base: &str) -> Self {
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .allow_non_standard_methods(true)
            .max_redirects(0)
            .timeout_global(Some(Duration::from_secs(60)))
            .build();
        Self { agent: config.into(), base: base.to_owned(), token: None, credentials: None }
    }

    /// The same client with this token.
    #[must_use]
    pub fn with_token(&self, token: &str) -> Self {
        Self { token: Some(token.to_owned()), ..self.clone() }
    }

    /// The same client with a token got by client credentials.
    #[must_use]
    pub fn with_token_of(&self, id: &str, secret: &str) -> Self {
        let form = format!("grant_type=client_credentials&client_id={id}&client_secret={secret}");
        let request = Request::new("POST", "/token").body("application/x-www-form-urlencoded", form);
        let without = Self { token: None, ..self.clone() };
        let answer = without.send(&request).expect(200);
        let credentials = Some((id.to_owned(), secret.to_owned()));
        Self { credentials, ..self.with_token(answer["access_token"].as_str().expect("an access token")) }
    }

    /// The same client with a new token: each lasts an hour.
    ///
    /// # Panics
    /// If it got its token in another way than by its credentials.
    #[must_use]
    pub fn renewed(&self) -> Self {
        let (id, secret) = self.credentials.as_ref().expect("credentials");
        self.with_token_of(id, secret)
    }

    /// The same client, the same token, another server (after a restart).
    #[must_use]
    pub fn at(&self, base: &str) -> Self {
        Self { base: base.to_owned(), ..self.clone() }
    }

    /// The header that carries its token.
    ///
    /// # Panics
    /// If it has none.
    pub fn authorization(&self) -> (String, String) {
        let token = self.token.as_ref().expect("a token");
        ("authorization".to_owned(), format!("Bearer {token}"))
    }

    /// Sends a request.
    ///
    /// # Panics
    /// If no answer comes.
    #[track_caller]
    pub fn send(&self, request: &Request) -> Answer {
        self.try_send(request).unwrap_or_else(|error| panic!("{} {}: {error}", request.method, request.path))
    }

    /// The same where no answer may be the answer (the server is being killed).
    ///
    /// # Errors
    /// Why none came.
    pub fn try_send(&self, request: &Request) -> Result<Answer, ureq::Error> {
        let asked = format!("{} {}", request.method, request.path);
        let mut built = http::Request::builder()
            .method(request.method.as_str())
            .uri(format!("{}{}", self.base, request.path));
        if let Some(token) = &self.token {
            built = built.header("authorization", format!("Bearer {token}"));
        }
        for (name, value) in &request.headers {
            built = built.header(name, value);
        }
        let mut response = if request.body.is_empty() {
            self.agent.run(built.body(())?)?
        } else {
            self.agent.run(built.body(&request.body[..])?)?
        };
        let body = response.body_mut().with_config().limit(64 << 20).read_to_string()?;
        Ok(Answer { asked, status: response.status().as_u16(), headers: response.headers().clone(), body })
    }

    /// GET.
    #[track_caller]
    pub fn get(&self, path: &str) -> Answer {
        self.send(&Request::new("GET", path))
    }

    /// POST of JSON.
    #[track_caller]
    pub fn post(&self, path: &str, body: &Value) -> Answer {
        self.send(&Request::new("POST", path).json(body))
    }

    /// PUT of JSON.
    #[track_caller]
    pub fn put(&self, path: &str, body: &Value) -> Answer {
        self.send(&Request::new("PUT", path).json(body))
    }

    /// DELETE.
    #[track_caller]
    pub fn delete(&self, path: &str) -> Answer {
        self.send(&Request::new("DELETE", path))
    }

    /// A tenant's new client: its id and secret.
    #[track_caller]
    pub fn new_client(&self, tenant: &str, scopes: Option<&[&str]>) -> (String, String) {
        let mut body = json!({"name": "test"});
        if let Some(scopes) = scopes {
            body["scopes"] = json!(scopes);
        }
        let made = self.post(&format!("/1.0/tenants/{tenant}/clients"), &body).expect(201);
        let text = |name: &str| made[name].as_str().expect("a text").to_owned();
        (text("client_id"), text("client_secret"))
    }
}
