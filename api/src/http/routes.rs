//! The one table of what can be asked (rest-api.md §1).
//!
//! The words of a row: method, path, reach, who may, what comes in, who answers.

use axum::http::Method;
use domain::client::Scope::{Events, IntegrationsManage, Read, Write};
use domain::integration::Kind;

use super::body::Payload;
use super::events::EVENT_BYTES;
use super::route::Access::{Admin, OlderTenant, Open, Signed, Tenant};
use super::route::Reach::{Both, Everywhere, Exact, Operator, Versioned};
use super::route::Route;
use super::{
    audit, augments, clients, configuration, customers, events, health, integrations, key_attribute,
    listeners, openapi, patterns, reactions, receipts, sends, streams, templates, tenants, token,
};

const NONE: Payload = Payload::None;
const JSON: Payload = Payload::Json(1024 * 1024);
const EVENT: Payload = Payload::Json(EVENT_BYTES);
const BATCH: Payload = Payload::Lines(16 * 1024 * 1024);
const CSV: Payload = Payload::File(augments::file::FILE_BYTES);
const RECEIPT: Payload = Payload::Receipt(1024 * 1024);
const PARTS: Payload = Payload::Parts(configuration::ALL_BYTES);
const FORM: Payload = Payload::Form(16 * 1024);

macro_rules! route {
    ($method:ident $path:literal, $reach:expr, $access:expr, $payload:expr, $handler:path) => {
        Route {
            method: Method::$method,
            path: $path,
            reach: $reach,
            access: $access,
            payload: $payload,
            handler: |call| Box::pin($handler(call)),
            name: stringify!($handler),
        }
    };
}

/// The older form of setting an integration up: a path for each type.
macro_rules! older {
    ($path:literal, $kind:ident) => {
        Route {
            method: Method::POST,
            path: $path,
            reach: Both,
            access: OlderTenant(IntegrationsManage),
            payload: JSON,
            handler: |call| Box::pin(integrations::set_kind(call, Kind::$kind)),
            name: "integrations::set_kind",
        }
    };
}

/// Everything that can be asked.
pub static ROUTES: &[Route] = &[
    route!(POST "/token", Both, Open, FORM, token::issue),
    route!(GET "/tenants/{tid}", Both, Tenant(Read), NONE, tenants::show),
    route!(GET "/tenants/{tid}/key-attribute", Both, Tenant(Read), NONE, key_attribute::show),
    route!(POST "/tenants/{tid}/key-attribute", Both, Tenant(Write), JSON, key_attribute::set),
    route!(GET "/tenants/{tid}/patterns", Both, Tenant(Read), NONE, patterns::list),
    route!(POST "/tenants/{tid}/patterns", Both, Tenant(Write), JSON, patterns::create),
    route!(GET "/tenants/{tid}/patterns/{id}", Both, Tenant(Read), NONE, patterns::show),
    route!(PUT "/tenants/{tid}/patterns/{id}", Both, Tenant(Write), JSON, patterns::update),
    route!(DELETE "/tenants/{tid}/patterns/{id}", Both, Tenant(Write), NONE, patterns::delete),
    route!(GET "/tenants/{tid}/templates", Both, Tenant(Read), NONE, templates::list),
    route!(POST "/tenants/{tid}/templates", Both, Tenant(Write), JSON, templates::create),
    route!(GET "/tenants/{tid}/templates/{id}", Both, Tenant(Read), NONE, templates::show),
    route!(PUT "/tenants/{tid}/templates/{id}", Both, Tenant(Write), JSON, templates::update),
    route!(DELETE "/tenants/{tid}/templates/{id}", Both, Tenant(Write), NONE, templates::delete),
    route!(GET "/tenants/{tid}/listeners", Both, Tenant(Read), NONE, listeners::list),
    route!(POST "/tenants/{tid}/listeners", Both, Tenant(Write), JSON, listeners::create),
    route!(GET "/tenants/{tid}/listeners/{id}", Both, Tenant(Read), NONE, listeners::show),
    route!(PUT "/tenants/{tid}/listeners/{id}", Both, Tenant(Write), JSON, listeners::update),
    route!(DELETE "/tenants/{tid}/listeners/{id}", Both, Tenant(Write), NONE, listeners::delete),
    route!(GET "/tenants/{tid}/listeners/{id}/status", Both, Tenant(Read), NONE, listeners::status),
    route!(GET "/tenants/{tid}/integrations", Both, Tenant(Read), NONE, integrations::list),
    route!(POST "/tenants/{tid}/integrations", Both, Tenant(IntegrationsManage), JSON, integrations::set_named),
    route!(GET "/tenants/{tid}/integrations/{type}", Both, Tenant(Read), NONE, integrations::show),
    route!(POST "/tenants/{tid}/integrations/{type}", Both, Tenant(IntegrationsManage), JSON, integrations::set),
    route!(DELETE "/tenants/{tid}/integrations/{type}", Both, Tenant(IntegrationsManage), NONE, integrations::delete),
    older!("/tenants/{tid}/salesforce", Salesforce),
    older!("/tenants/{tid}/twilio", Twilio),
    older!("/tenants/{tid}/sendgrid", Sendgrid),
    older!("/tenants/{tid}/urban-airship", UrbanAirship),
    older!("/tenants/{tid}/datasift", Datasift),
    older!("/tenants/{tid}/pusher", Pusher),
    older!("/tenants/{tid}/zendesk", Zendesk),
    older!("/tenants/{tid}/webhook", Webhook),
    older!("/tenants/{tid}/rest-api", Webhook),
    older!("/tenants/{tid}/generic", Generic),
    older!("/tenants/{tid}/echo", Echo),
    route!(GET "/v1/tenants/{tid}/integrations", Exact, Tenant(Read), NONE, integrations::v1::list),
    route!(POST "/v1/tenants/{tid}/integrations", Exact, Tenant(IntegrationsManage), JSON, integrations::v1::create),
    route!(GET "/v1/tenants/{tid}/integrations/{id}", Exact, Tenant(Read), NONE, integrations::v1::show),
    route!(PUT "/v1/tenants/{tid}/integrations/{id}", Exact, Tenant(IntegrationsManage), JSON, integrations::v1::update),
    route!(DELETE "/v1/tenants/{tid}/integrations/{id}", Exact, Tenant(IntegrationsManage), NONE, integrations::v1::delete),
    route!(GET "/tenants/{tid}/augments", Both, Tenant(Read), NONE, augments::list),
    route!(POST "/tenants/{tid}/augments", Both, Tenant(Write), JSON, augments::create),
    route!(GET "/tenants/{tid}/augments/{id}", Both, Tenant(Read), NONE, augments::show),
    route!(PUT "/tenants/{tid}/augments/{id}", Both, Tenant(Write), JSON, augments::update),
    route!(DELETE "/tenants/{tid}/augments/{id}", Both, Tenant(Write), NONE, augments::delete),
    route!(GET "/tenants/{tid}/augments/{id}/file", Both, Tenant(Read), NONE, augments::file::show),
    route!(POST "/tenants/{tid}/augments/{id}/file", Both, Tenant(Write), CSV, augments::file::upload),
    route!(DELETE "/tenants/{tid}/augments/{id}/file", Both, Tenant(Write), NONE, augments::file::delete),
    route!(GET "/tenants/{tid}/augment", Both, Tenant(Read), NONE, augments::list),
    route!(POST "/tenants/{tid}/augment", Both, Tenant(Write), JSON, augments::create),
    route!(GET "/tenants/{tid}/augment/{id}", Both, Tenant(Read), NONE, augments::show),
    route!(PUT "/tenants/{tid}/augment/{id}", Both, Tenant(Write), JSON, augments::update),
    route!(DELETE "/tenants/{tid}/augment/{id}", Both, Tenant(Write), NONE, augments::delete),
    route!(GET "/tenants/{tid}/augment/{id}/file", Both, Tenant(Read), NONE, augments::file::show),
    route!(POST "/tenants/{tid}/augment/{id}/file", Both, Tenant(Write), CSV, augments::file::upload),
    route!(DELETE "/tenants/{tid}/augment/{id}/file", Both, Tenant(Write), NONE, augments::file::delete),
    route!(POST "/tenants/{tid}/configuration", Versioned, Tenant(Write), PARTS, configuration::apply),
    route!(POST "/tenants/{tid}/event", Both, Tenant(Events), EVENT, events::create),
    route!(GET "/tenants/{tid}/event/history", Both, Tenant(Read), NONE, events::history::list),
    route!(POST "/tenants/{tid}/events", Versioned, Tenant(Events), BATCH, events::batch::create),
    route!(POST "/tenants/{tid}/patterns/validate", Versioned, Tenant(Read), JSON, patterns::validate::validate),
    route!(GET "/tenants/{tid}/patterns/{id}/matches", Versioned, Tenant(Read), NONE, patterns::matches::list),
    route!(
        GET "/tenants/{tid}/patterns/{id}/contributing",
        Versioned,
        Tenant(Read),
        NONE,
        patterns::contributing::show
    ),
    route!(GET "/tenants/{tid}/customers/{key}", Versioned, Tenant(Read), NONE, customers::timeline),
    route!(DELETE "/tenants/{tid}/customers/{key}", Versioned, Tenant(Write), NONE, customers::erase),
    route!(GET "/tenants/{tid}/reactions", Versioned, Tenant(Read), NONE, reactions::list),
    route!(GET "/tenants/{tid}/reactions/{id}", Versioned, Tenant(Read), NONE, reactions::show),
    route!(POST "/tenants/{tid}/reactions/{id}/cancel", Versioned, Tenant(Write), NONE, reactions::cancel),
    route!(GET "/tenants/{tid}/sends", Versioned, Tenant(Read), NONE, sends::list),
    route!(POST "/tenants/{tid}/sends/redrive", Versioned, Tenant(Write), JSON, sends::redrive),
    route!(POST "/tenants/{tid}/sends/{id}/release", Versioned, Tenant(Write), NONE, sends::release),
    route!(POST "/tenants/{tid}/sends/{id}/discard", Versioned, Tenant(Write), NONE, sends::discard),
    route!(POST "/receipts/{tid}/{type}/{secret}", Versioned, Signed, RECEIPT, receipts::take),
    route!(POST "/tenants/{tid}/ticket", Versioned, Tenant(Read), NONE, streams::ticket),
    route!(GET "/stream/{ticket}", Versioned, Open, NONE, streams::open),
    route!(GET "/tenants/{tid}/audit", Versioned, Tenant(Read), NONE, audit::list),
    route!(GET "/tenants", Versioned, Admin, NONE, tenants::list),
    route!(POST "/tenants", Versioned, Admin, JSON, tenants::create),
    route!(GET "/tenants/{tid}/clients", Versioned, Admin, NONE, clients::list),
    route!(POST "/tenants/{tid}/clients", Versioned, Admin, JSON, clients::create),
    route!(DELETE "/tenants/{tid}/clients/{id}", Versioned, Admin, NONE, clients::delete),
    route!(GET "/openapi.json", Everywhere, Open, NONE, openapi::show),
    route!(GET "/healthz", Operator, Open, NONE, health::live),
    route!(GET "/readyz", Operator, Open, NONE, health::ready),
    route!(GET "/metrics", Operator, Open, NONE, health::metrics),
];

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::*;
    use crate::http::route::{allow, row};

    #[test]
    fn every_row_is_there_once_and_paths_with_a_tenant_are_guarded() {
        let mut seen = BTreeSet::new();
        let mut reach = BTreeMap::new();
        for route in ROUTES {
            assert!(seen.insert((route.method.as_str(), route.path)), "{} twice", route.path);
            let first = reach.entry(route.path).or_insert(route.reach);
            assert_eq!(*first, route.reach, "one path has one reach: {}", route.path);
            if route.path.contains("{tid}") {
                assert_ne!(route.access, Open, "{}", route.path);
            }
            let takes = route.method == Method::POST || route.method == Method::PUT;
            assert!(takes || route.payload == NONE, "{}", route.path);
        }
    }

    #[test]
    fn who_may_only_read_changes_nothing() {
        // Nothing is kept of what these are told.
        let harmless = ["/tenants/{tid}/patterns/validate", "/tenants/{tid}/ticket"];
        for route in ROUTES {
            let reads = matches!(route.access, Tenant(Read) | OlderTenant(Read));
            let changes = route.method != Method::GET && !harmless.contains(&route.path);
            assert!(!(reads && changes), "{} {}", route.method, route.path);
        }
    }

    #[test]
    fn a_head_is_a_get_and_allow_names_all() {
        let rows: Vec<&Route> =
            ROUTES.iter().filter(|route| route.path == "/tenants/{tid}/patterns").collect();
        assert_eq!(allow(&rows), "GET, HEAD, POST");
        assert_eq!(row(&rows, &Method::HEAD).unwrap().method, Method::GET);
        assert!(row(&rows, &Method::DELETE).is_none());
        let urls = rows[0].urls();
        assert!(urls.contains(&"/tenants/{tid}/patterns".to_owned()));
        assert!(urls.contains(&"/1.0/tenants/{tid}/patterns/".to_owned()));
        let beyond = ROUTES.iter().find(|route| route.path == "/tenants/{tid}/audit").unwrap();
        assert!(beyond.urls().iter().all(|url| url.starts_with("/1.0/")));
    }
}
