//! From a request to its answer, in the order of rest-api.md §1: path, token, tenant and scope, method, body, item.
//!
//! What is asked of the handlers stands in the table; this module holds no row of it. Every answer leaves here with
//! the request's id, and a panic leaves here as a 500.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use axum::RequestPartsExt;
use axum::Router;
use axum::body::Body;
use axum::extract::{RawPathParams, Request};
use axum::http::request::Parts;
use axum::http::{HeaderName, HeaderValue, Method, Response, StatusCode, header};
use axum::routing::any;
use domain::ids::TenantId;
use hyper::upgrade::OnUpgrade;
use tokio::time::{Instant, timeout};

use super::answer::Answer;
use super::body::{self, Payload};
use super::call::{Call, Upgrade};
use super::openapi;
use super::peer;
use super::problem::Problem;
use super::query::Query;
use super::route::{Access, Reach, Route, allow, row};
use super::routes::ROUTES;
use super::state::State;
use super::to_the_end::to_the_end;
use crate::oauth::bearer::{Grant, token};
use crate::oauth::request::{Code, in_rfc_form};
use crate::server::{Held, Peer};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// What a listener serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Face {
    /// The API, and health and metrics.
    All,
    /// The API only.
    Api,
    /// Health and metrics only.
    Operator,
}

impl Face {
    fn shows(self, route: &Route) -> bool {
        match self {
            Self::All => true,
            Self::Api => route.reach != Reach::Operator,
            Self::Operator => matches!(route.reach, Reach::Operator | Reach::Everywhere),
        }
    }
}

/// The service of a listener.
pub fn router(state: &Arc<State>, face: Face) -> Router {
    let mut paths: BTreeMap<String, Vec<&'static Route>> = BTreeMap::new();
    for route in ROUTES.iter().filter(|route| face.shows(route)) {
        for url in route.urls() {
            paths.entry(url).or_default().push(route);
        }
    }
    let mut router = Router::new();
    for (url, rows) in paths {
        let (state, rows): (_, Arc<[&'static Route]>) = (state.clone(), rows.into());
        router = router.route(&url, any(move |request| serve(state.clone(), rows.clone(), request)));
    }
    let state = state.clone();
    router.fallback(move |request| serve(state.clone(), Arc::new([]), request))
}

/// Answers a request to a path that has these rows.
async fn serve(state: Arc<State>, rows: Arc<[&'static Route]>, request: Request) -> Response<Body> {
    let begun = Instant::now();
    let id = state.next_request_id();
    let row = row(&rows, request.method());
    let (method, head) = (row.map_or("other", |row| row.method.as_str()), request.method() == Method::HEAD);
    let path = rows.first().map_or("unknown", |row| row.path);
    let answering = to_the_end(answer(state.clone(), rows, request, id.clone()));
    let result = answering.await.unwrap_or_else(|panic| Err(Problem::internal(panic)));
    let result = row.map_or(Ok(()), |row| described(row, &result)).and(result);
    let answer = result.unwrap_or_else(|problem| {
        if let Some(internal) = &problem.internal {
            tracing::error!(request.id = id, http.route = path, error = internal, "request failed");
        }
        problem.into()
    });
    let mut response = answer.into_response(head);
    if let Ok(id) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(REQUEST_ID, id);
    }
    let (status, took) = (response.status().as_u16(), begun.elapsed());
    state.metrics.answered(method, path, status, took);
    tracing::debug!(
        request.id = id,
        http.route = path,
        method,
        status,
        duration_ms = took.as_millis(),
        "answered"
    );
    response
}

/// In a build with assertions: an answer that the API's description does not know is our fault.
fn described(row: &Route, result: &Result<Answer, Problem>) -> Result<(), Problem> {
    let status = match result {
        Ok(answer) => answer.status(),
        Err(problem) => problem.status,
    };
    if cfg!(debug_assertions) && !openapi::is_documented(row, status) {
        let (method, path) = (&row.method, row.path);
        return Err(Problem::internal(format!("{method} {path} answers {status}, which is not described")));
    }
    Ok(())
}

async fn answer(
    state: Arc<State>,
    rows: Arc<[&'static Route]>,
    request: Request,
    id: String,
) -> Result<Answer, Problem> {
    let (mut parts, mut body) = request.into_parts();
    // A client that waits to be told to go on has sent nothing that could be in the way.
    let waits = parts.headers.contains_key(header::EXPECT);
    let result = checked(&state, &rows, &mut parts, &mut body, id).await;
    let too_slow = matches!(&result, Err(problem) if problem.status == StatusCode::REQUEST_TIMEOUT);
    if !waits && !too_slow {
        body::drain(body).await;
    }
    result
}

/// Goes through the checks in their order, then to the handler.
async fn checked(
    state: &Arc<State>,
    rows: &[&'static Route],
    parts: &mut Parts,
    body: &mut Body,
    id: String,
) -> Result<Answer, Problem> {
    if rows.is_empty() {
        return Err(Problem::missing("there is no such path"));
    }
    let params = params(parts).await?;
    let grant = grant(state, rows, parts).await?;
    let tenant = match (&grant, param(&params, "tid")) {
        (Some(grant), Some(name)) => Some(tenant(state, grant, name).await?),
        _ => None,
    };
    let found = row(rows, &parts.method);
    let may = |row: &Route| authorised(row, grant.as_deref(), tenant.as_ref());
    let route = match found {
        Some(row) => may(row).map(|()| row)?,
        None => {
            rows.iter().map(|row| may(row)).reduce(Result::or).unwrap_or(Ok(()))?;
            return Err(not_allowed(rows));
        }
    };
    let body = state.intake.take(route.payload, &parts.headers, body).await;
    let body = body.map_err(|problem| match route.payload {
        // Only OAuth has forms, and its own way to say what is wrong with them.
        Payload::Form(_) => in_rfc_form(problem, Code::InvalidRequest),
        Payload::None
        | Payload::Json(_)
        | Payload::Lines(_)
        | Payload::File(_)
        | Payload::Parts(_)
        | Payload::Receipt(_) => problem,
    })?;
    let tenant = match tenant {
        Some(Tenant::Unknown) => {
            let status = match route.access {
                Access::OlderTenant(_) => StatusCode::UNPROCESSABLE_ENTITY,
                Access::Open | Access::Signed | Access::Tenant(_) | Access::Admin => StatusCode::NOT_FOUND,
            };
            return Err(Problem::new(status, "there is no such tenant"));
        }
        Some(Tenant::Bound(id) | Tenant::Other(id)) => id,
        None => TenantId::from(""),
    };
    let peer = parts.extensions.get::<Peer>().map_or(Ipv4Addr::LOCALHOST.into(), |peer| peer.0.ip());
    let upgrade = upgrade(parts);
    let call = Call {
        query: Query::parse(parts.uri.query())?,
        address: address(state, peer, parts),
        upgrade,
        headers: std::mem::take(&mut parts.headers),
        state: state.clone(),
        grant,
        tenant,
        params,
        body,
        id,
    };
    let limit = state.settings.handler + route.payload.patience();
    match timeout(limit, (route.handler)(call)).await {
        Ok(result) => result,
        Err(_) => Err(Problem::unavailable("the handler took too long")),
    }
}

/// The way to another protocol, for a GET that asks for one.
fn upgrade(parts: &mut Parts) -> Option<Upgrade> {
    if parts.method != Method::GET || !parts.headers.contains_key(header::UPGRADE) {
        return None;
    }
    let on = parts.extensions.remove::<OnUpgrade>()?;
    Some(Upgrade { on, held: parts.extensions.get::<Held>()?.clone() })
}

fn address(state: &State, peer: IpAddr, parts: &Parts) -> IpAddr {
    peer::address(peer, &parts.headers, &state.settings.trusted_proxies)
}

/// The path's parameters, unescaped; a path that is not UTF-8 is no path of ours.
async fn params(parts: &mut Parts) -> Result<Vec<(String, String)>, Problem> {
    let params = parts.extract::<RawPathParams>().await;
    let params = params.map_err(|_| Problem::missing("there is no such path"))?;
    Ok(params.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
}

fn param<'a>(params: &'a [(String, String)], name: &str) -> Option<&'a str> {
    params.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
}

/// What the request's token allows; none on a path that is open.
async fn grant(state: &State, rows: &[&Route], parts: &Parts) -> Result<Option<Arc<Grant>>, Problem> {
    if rows.iter().all(|row| !row.access.takes_token()) {
        return Ok(None);
    }
    let token = token(&parts.headers)?;
    let grant = state.grants.of(state, token).await?;
    grant
        .map(Some)
        .ok_or_else(|| Problem::unauthorized("the token is not valid, or no longer; POST /token for one"))
}

/// A path's tenant as the bearer sees it.
#[derive(Debug)]
enum Tenant {
    /// One that the bearer's client is bound to.
    Bound(TenantId),
    /// Another one, seen by an admin that is bound to none.
    Other(TenantId),
    /// There is none of that name: only an admin is told.
    Unknown,
}

/// Whose path it is. A client that is bound to tenants learns nothing about others: they are not even looked up.
async fn tenant(state: &State, grant: &Grant, name: &str) -> Result<Tenant, Problem> {
    if let Some(id) = grant.bound_to(name) {
        return Ok(Tenant::Bound(id.clone()));
    }
    if eventlog::broken!("no-tenant-check")
        && let Some(id) = state.tenant_named(name).await?
    {
        return Ok(Tenant::Bound(id));
    }
    if !grant.is_admin_of_all() {
        return Err(Problem::forbidden("the token's client has no access to this tenant"));
    }
    Ok(state.tenant_named(name).await?.map_or(Tenant::Unknown, Tenant::Other))
}

fn authorised(row: &Route, grant: Option<&Grant>, tenant: Option<&Tenant>) -> Result<(), Problem> {
    let scope = match row.access {
        Access::Open | Access::Signed => return Ok(()),
        Access::Admin => domain::client::Scope::Admin,
        Access::Tenant(scope) | Access::OlderTenant(scope) => match tenant {
            // It is said below that there is no such tenant.
            Some(Tenant::Unknown) => return Ok(()),
            Some(Tenant::Other(_)) => {
                return Err(Problem::forbidden(
                    "an admin client reads and changes no tenant that it is not bound to",
                ));
            }
            Some(Tenant::Bound(_)) | None => scope,
        },
    };
    if grant.is_some_and(|grant| grant.scopes.contains(&scope)) {
        return Ok(());
    }
    Err(Problem::forbidden(format!("the token lacks the scope {:?}", scope.name())))
}

fn not_allowed(rows: &[&Route]) -> Problem {
    let allow = allow(rows);
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, format!("this path takes {allow}"))
        .header(header::ALLOW, &allow)
}
