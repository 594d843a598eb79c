//! A small REST client of our own API, for the commands that talk to a running server.

use std::convert::Infallible;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use domain::json::{self, Json};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE};
use hyper::{Method, Request, StatusCode};
use hyper_util::client::legacy::Client as HttpClient;
use hyper_util::rt::TokioExecutor;
use notifier::endpoint::http::{Plain, plain};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use super::Failure;

/// Which server, and who asks.
#[derive(clap::Args)]
#[group(skip)]
#[command(next_help_heading = "Server")]
pub(super) struct Remote {
    /// Where the server is.
    #[arg(long, env = "CXENGAGE_URL", default_value = "http://127.0.0.1:8080")]
    url: String,
    /// The id of the client to act as.
    #[arg(long, env = "CXENGAGE_CLIENT_ID")]
    client_id: String,
    /// Its secret; better given by the environment than where others see it.
    #[arg(long, env = "CXENGAGE_CLIENT_SECRET", hide_env_values = true)]
    client_secret: String,
    /// Certificates (PEM) to trust besides the system's.
    #[arg(long, env = "CXENGAGE_CA", value_name = "FILE")]
    ca: Option<PathBuf>,
}

impl Remote {
    /// A client with a token.
    pub(super) async fn connect(&self) -> Result<Client, Failure> {
        let Self { url, client_id, client_secret, ca } = self;
        Client::connect(url.trim_end_matches('/'), client_id, client_secret, ca.as_deref()).await
    }
}

/// What is sent.
pub(super) type Body = UnsyncBoxBody<Bytes, std::io::Error>;

/// A body that is at hand.
pub(super) fn full(bytes: impl Into<Bytes>) -> Body {
    Full::new(bytes.into()).map_err(|never: Infallible| match never {}).boxed_unsync()
}

/// A client with a token.
pub(super) struct Client {
    http: HttpClient<Plain, Body>,
    base: String,
    token: String,
}

/// A refusal: what was asked, the status, and what the server said.
pub(super) struct Refused {
    what: String,
    status: StatusCode,
    /// The answer's body.
    pub(super) body: Json,
}

impl From<Refused> for Failure {
    fn from(refused: Refused) -> Self {
        let Refused { what, status, body } = refused;
        let error = ["error", "error_description"].iter().rev().find_map(|name| body.get(name)?.as_text());
        Self::Failed(format!("{what}: {status}: {}", error.unwrap_or("no reason given")))
    }
}

impl Client {
    /// Gets a token by client credentials from the server at `base` (`http://host:port`, `https://…`), whose certificate
    /// may be one of those in the file `ca`.
    pub(super) async fn connect(
        base: &str,
        id: &str,
        secret: &str,
        ca: Option<&Path>,
    ) -> Result<Self, Failure> {
        let http = HttpClient::builder(TokioExecutor::new()).build(plain(authorities(ca)?));
        let mut client = Self { http, base: base.to_owned(), token: String::new() };
        let request = Request::builder()
            .method(Method::POST)
            .uri(format!("{base}/token"))
            .header(AUTHORIZATION, format!("Basic {}", BASE64.encode(format!("{id}:{secret}"))))
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(full("grant_type=client_credentials"))?;
        let answer = client.send(request).await??;
        let token = answer.get("access_token").and_then(Json::as_text);
        client.token = token.ok_or_else(|| Failure::Failed(format!("no token in {answer}")))?.to_owned();
        Ok(client)
    }

    /// GET, and the answer.
    pub(super) async fn get(&self, path: &str) -> Result<Json, Failure> {
        Ok(self.call(Method::GET, path, None).await??)
    }

    /// POST of a JSON body, and the answer.
    pub(super) async fn post(&self, path: &str, body: &Json) -> Result<Json, Failure> {
        let body = ("application/json".to_owned(), full(body.to_string()));
        Ok(self.call(Method::POST, path, Some(body)).await??)
    }

    /// DELETE.
    pub(super) async fn delete(&self, path: &str) -> Result<(), Failure> {
        self.call(Method::DELETE, path, None).await??;
        Ok(())
    }

    /// A request, with a body and its content type; the answer, or the refusal.
    pub(super) async fn call(
        &self,
        method: Method,
        path: &str,
        body: Option<(String, Body)>,
    ) -> Result<Result<Json, Refused>, Failure> {
        let mut request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.base))
            .header(AUTHORIZATION, format!("Bearer {}", self.token));
        if let Some((content_type, _)) = &body {
            request = request.header(CONTENT_TYPE, content_type);
        }
        self.send(request.body(body.map_or_else(|| full(""), |(_, body)| body))?).await
    }

    async fn send(&self, request: Request<Body>) -> Result<Result<Json, Refused>, Failure> {
        let what = format!("{} {}", request.method(), request.uri());
        let failed = |why: String| Failure::Failed(format!("{what}: {why}"));
        let response = self.http.request(request).await.map_err(|error| failed(root(&error)))?;
        let status = response.status();
        let body = response.into_body().collect().await.map_err(|e| failed(e.to_string()))?.to_bytes();
        if body.is_empty() && status.is_success() {
            return Ok(Ok(Json::Null));
        }
        let limits = json::Limits { duplicates: json::Duplicates::LastCounts, ..json::Limits::STORED };
        let body = json::parse(&body, limits).map_err(|e| failed(format!("{status}, {e}")))?;
        Ok(if status.is_success() { Ok(body) } else { Err(Refused { what, status, body }) })
    }
}

/// The certificates in a file.
fn authorities(file: Option<&Path>) -> Result<Vec<CertificateDer<'static>>, Failure> {
    let Some(file) = file else { return Ok(Vec::new()) };
    let bad = |why: String| Failure::Failed(format!("{}: {why}", file.display()));
    let found = CertificateDer::pem_file_iter(file).map_err(|error| bad(error.to_string()))?;
    let found = found.collect::<Result<Vec<_>, _>>().map_err(|error| bad(error.to_string()))?;
    if found.is_empty() { Err(bad("there is no certificate in it".to_owned())) } else { Ok(found) }
}

/// What is at the bottom of an error.
fn root(error: &dyn std::error::Error) -> String {
    let mut error = error;
    while let Some(source) = error.source() {
        error = source;
    }
    error.to_string()
}
