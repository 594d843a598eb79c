//! A small REST client of our own API, for the commands that talk to a running server.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use domain::json::{self, Json};
use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE};
use hyper::{Method, Request};
use hyper_util::client::legacy::Client as HttpClient;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;

use super::Failure;

/// A client with a token.
pub(super) struct Client {
    http: HttpClient<HttpConnector, Full<Bytes>>,
    base: String,
    token: String,
}

impl Client {
    /// Gets a token by client credentials from the server at `base` (`http://host:port`).
    pub(super) async fn connect(base: &str, id: &str, secret: &str) -> Result<Self, Failure> {
        let http = HttpClient::builder(TokioExecutor::new()).build_http();
        let mut client = Self { http, base: base.to_owned(), token: String::new() };
        let request = Request::builder()
            .method(Method::POST)
            .uri(format!("{base}/token"))
            .header(AUTHORIZATION, format!("Basic {}", BASE64.encode(format!("{id}:{secret}"))))
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(Full::from("grant_type=client_credentials"))?;
        let answer = client.send(request).await?;
        let token = answer.get("access_token").and_then(Json::as_text);
        client.token = token.ok_or_else(|| Failure::Failed(format!("no token in {answer}")))?.to_owned();
        Ok(client)
    }

    /// GET, and the answer.
    pub(super) async fn get(&self, path: &str) -> Result<Json, Failure> {
        self.call(Method::GET, path, None).await
    }

    /// POST of a JSON body, and the answer.
    pub(super) async fn post(&self, path: &str, body: &Json) -> Result<Json, Failure> {
        self.call(Method::POST, path, Some(body)).await
    }

    async fn call(&self, method: Method, path: &str, body: Option<&Json>) -> Result<Json, Failure> {
        let mut request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.base))
            .header(AUTHORIZATION, format!("Bearer {}", self.token));
        if body.is_some() {
            request = request.header(CONTENT_TYPE, "application/json");
        }
        let body = body.map(ToString::to_string).unwrap_or_default();
        self.send(request.body(Full::from(body))?).await
    }

    async fn send(&self, request: Request<Full<Bytes>>) -> Result<Json, Failure> {
        let what = format!("{} {}", request.method(), request.uri());
        let failed = |why: String| Failure::Failed(format!("{what}: {why}"));
        let response = self.http.request(request).await.map_err(|e| failed(e.to_string()))?;
        let status = response.status();
        let body = response.into_body().collect().await.map_err(|e| failed(e.to_string()))?.to_bytes();
        if body.is_empty() && status.is_success() {
            return Ok(Json::Null);
        }
        let limits = json::Limits { duplicates: json::Duplicates::LastCounts, ..json::Limits::STORED };
        let answer = json::parse(&body, limits).map_err(|e| failed(format!("{status}, {e}")))?;
        if status.is_success() {
            return Ok(answer);
        }
        let error = answer.get("error").and_then(Json::as_text).unwrap_or("no reason given");
        Err(failed(format!("{status}: {error}")))
    }
}
