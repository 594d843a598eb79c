//! GET /openapi.json: the API described as OpenAPI 3.1, out of the route table itself.
//!
//! Paths, methods, rights and limits are those of the table's rows; words and schemas stand in [`docs`] and in
//! `components.json`. In a build with assertions a handler that answers with a status that is not described here
//! answers 500 instead, so that every test holds the description to what is done.

pub mod docs;

use std::sync::LazyLock;

use axum::http::{Method, StatusCode};
use domain::json::{Json, Limits, Object, parse};

use self::docs::{DOCS, Doc};
use super::answer::Answer;
use super::body::Payload;
use super::call::Call;
use super::problem::Problem;
use super::route::{Access, Reach, Route};
use super::routes::ROUTES;

/// Schemas, parameters and how one authenticates.
const COMPONENTS: &str = include_str!("components.json");

/// The document; none if its components cannot be read, which a test rules out.
static DOCUMENT: LazyLock<Option<Json>> = LazyLock::new(document);

/// GET /openapi.json
pub async fn show(_: Call) -> Result<Answer, Problem> {
    match &*DOCUMENT {
        Some(document) => Ok(Answer::ok(document.clone())),
        None => Err(Problem::internal("the API's description cannot be read")),
    }
}

/// What is said of a route's handler.
pub fn doc_of(route: &Route) -> Option<&'static Doc> {
    DOCS.iter().find(|doc| doc.handler == route.name)
}

/// The statuses that a route answers with, ascending.
pub fn statuses(route: &Route) -> Vec<u16> {
    // A query that is no query; what is our fault; and what passes.
    let mut all = vec![400, 500, 503];
    match route.access {
        Access::Open => {}
        Access::Signed => all.push(403),
        Access::Admin | Access::Tenant(_) => all.extend([401, 403]),
        Access::OlderTenant(_) => all.extend([401, 403, 422]),
    }
    if route.path.contains('{') {
        all.push(404);
    }
    if route.method != Method::GET {
        // What changes something finds a full disk.
        all.push(507);
    }
    if route.payload != Payload::None {
        all.extend([408, 413, 415]);
    }
    if route.path == "/token" {
        all.push(401);
    }
    if let Some(doc) = doc_of(route) {
        all.push(doc.success);
        all.extend(doc.more);
    }
    all.sort_unstable();
    all.dedup();
    all
}

/// Whether a route may answer so.
pub fn is_documented(route: &Route, status: StatusCode) -> bool {
    statuses(route).contains(&status.as_u16())
}

/// Where a route is described: with the version, where it has one.
pub fn url(route: &Route) -> String {
    match route.reach {
        Reach::Both | Reach::Versioned => format!("/1.0{}", route.path),
        Reach::Exact | Reach::Operator | Reach::Everywhere => route.path.to_owned(),
    }
}

fn document() -> Option<Json> {
    let components = parse(COMPONENTS.as_bytes(), Limits::BODY).ok()?;
    let mut paths = Object::new();
    for route in ROUTES {
        let url = url(route);
        let mut item = paths.get(&url).and_then(Json::as_object).cloned().unwrap_or_default();
        if item.is_empty() && route.path.contains('{') {
            item.set("parameters", path_parameters(route.path));
        }
        if item.is_empty() && route.reach == Reach::Both {
            item.set("description", format!("Also served as {}, without the version.", route.path));
        }
        item.set(route.method.as_str().to_ascii_lowercase(), operation(route));
        paths.set(url, item);
    }
    let mut document = Object::new();
    document.set("openapi", "3.1.0");
    document.set("info", components.get("info")?.clone());
    document.set("servers", vec![Json::object([("url", "/")])]);
    document.set("paths", paths);
    document.set("components", components.get("components")?.clone());
    Some(document.into())
}

fn path_parameters(path: &str) -> Vec<Json> {
    let names = path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
    names.map(|name| reference("parameters", &format!("path-{name}"))).collect()
}

fn reference(kind: &str, name: &str) -> Json {
    Json::object([("$ref", format!("#/components/{kind}/{name}"))])
}

fn operation(route: &Route) -> Object {
    let mut operation = Object::new();
    let Some(doc) = doc_of(route) else { return operation };
    operation.set("operationId", operation_id(route));
    operation.set("summary", doc.summary);
    let parameters: Vec<Json> =
        doc.query.iter().chain(doc.headers).map(|name| reference("parameters", name)).collect();
    if !parameters.is_empty() {
        operation.set("parameters", parameters);
    }
    if route.access.takes_token() {
        operation.set("security", vec![Json::object([("oauth", scopes(route.access))])]);
    }
    if let Some(body) = request_body(route, doc) {
        operation.set("requestBody", body);
    }
    let answers = statuses(route).into_iter().map(|status| {
        let answer = if status == doc.success { success(doc) } else { refusal(status) };
        (status.to_string(), answer)
    });
    operation.set("responses", answers.collect::<Object>());
    operation
}

fn operation_id(route: &Route) -> String {
    let word = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
    let path: String = route.path.replace(['{', '}'], "").chars().map(word).collect();
    let method = if route.method == Method::DELETE {
        "delete".into()
    } else {
        route.method.as_str().to_ascii_lowercase()
    };
    format!("{method}{path}")
}

fn scopes(access: Access) -> Json {
    let name = match access {
        Access::Open | Access::Signed => return Vec::<Json>::new().into(),
        Access::Admin => "admin",
        Access::Tenant(scope) | Access::OlderTenant(scope) => scope.name(),
    };
    vec![Json::from(name)].into()
}

/// `Name` or, for a list, `[Name]`.
fn schema(name: &str) -> Json {
    match name.strip_prefix('[').and_then(|name| name.strip_suffix(']')) {
        Some(name) => Json::object([("type", Json::from("array")), ("items", reference("schemas", name))]),
        None => reference("schemas", name),
    }
}

fn content(media: &str, schema: Json) -> Json {
    Json::object([(media, Json::object([("schema", schema)]))])
}

fn request_body(route: &Route, doc: &Doc) -> Option<Object> {
    let mut all = Object::new();
    for media in route.payload.content_types() {
        let name = match media {
            "application/x-www-form-urlencoded" if doc.body.is_empty() => "TokenRequest",
            "application/x-ndjson" => "Lines",
            "multipart/form-data" if matches!(route.payload, Payload::Parts(_)) => "ConfigurationForm",
            "multipart/form-data" => "CsvForm",
            "text/csv" => "Csv",
            _ => doc.body,
        };
        all.set(media, Json::object([("schema", schema(name))]));
    }
    let mut body = Object::new();
    (!all.is_empty()).then(|| {
        body.set("required", true);
        body.set("content", all);
        body
    })
}

fn success(doc: &Doc) -> Json {
    let mut answer = Object::new();
    answer.set("description", "Done");
    if !doc.content.is_empty() {
        let media = match doc.content {
            "Csv" => "text/csv",
            "Text" => "text/plain",
            _ => "application/json",
        };
        answer.set("content", content(media, schema(doc.content)));
    }
    answer.into()
}

fn refusal(status: u16) -> Json {
    let reason = StatusCode::from_u16(status).ok().and_then(|status| status.canonical_reason());
    let mut answer = Object::new();
    answer.set("description", reason.unwrap_or("Refused"));
    answer.set("content", content("application/json", schema("Error")));
    answer.into()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_route_is_described_and_nothing_else_is() {
        let document = document().expect("the components are JSON");
        let paths = document.get("paths").and_then(Json::as_object).unwrap();
        let mut described = BTreeSet::new();
        for (path, item) in paths.iter() {
            for (method, operation) in item.as_object().unwrap().iter() {
                if let Some(responses) = operation.get("responses").and_then(Json::as_object) {
                    let statuses: Vec<String> =
                        responses.iter().map(|(status, _)| status.to_owned()).collect();
                    described.insert((method.to_ascii_uppercase(), path.to_owned(), statuses));
                }
            }
        }
        let known = ROUTES.iter().map(|route| {
            let statuses = statuses(route).iter().map(u16::to_string).collect();
            (route.method.to_string(), url(route), statuses)
        });
        assert_eq!(described, known.collect());
        for route in ROUTES {
            assert!(doc_of(route).is_some(), "say in openapi/docs.rs what {} does", route.name);
        }
    }

    #[test]
    fn every_reference_leads_somewhere() {
        let document = document().unwrap();
        let text = document.to_string();
        for reference in text.split("\"#/components/").skip(1) {
            let place = reference.split('"').next().unwrap();
            let (kind, name) = place.split_once('/').unwrap();
            let found = document.get("components").and_then(|all| all.get(kind)?.get(name));
            assert!(found.is_some(), "{place} is not there");
        }
    }
}
