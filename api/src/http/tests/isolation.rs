//! Tenants are walls, as a matrix made from the route table: each row, under each of its paths, asked by each who
//! may not, about each kind of id that is not theirs.
//!
//! The other tenant's every text is a canary. No answer to anybody else may hold one; what the other tenant has and
//! what nobody has must be answered alike. A row that [`table::DECLARED`] does not know fails the test, so a new
//! route has to say what its ids name.

mod table;
mod world;

use std::collections::BTreeSet;

use axum::http::Method;

use self::table::{DECLARED, Declared, Names};
use self::world::{CANARY, World};
use super::Answered;
use crate::http::route::{Access, Route};
use crate::http::routes::ROUTES;

/// A tenant's name that nobody has.
const NOBODY: &str = "nobody";

/// Tenants' names that are none, and differ from the own by little.
const MALFORMED: [&str; 8] =
    ["MINE", "mine%00", "mine%2F..%2Ftheirs", "..%2Ftheirs", "theirs%20", "%F0%9F%98%80", "mine,theirs", "*"];

/// Items' ids that are none; the last of them are told apart from real ones by little.
const NO_ITEMS: [&str; 8] =
    ["%00", "..%2F..%2Ftheirs%2Fpatterns%2FPT20", "PT20%00", "pt20", "PT020", "%25", "*", "%F0%9F%98%80"];

/// One row and how it is asked.
struct Asked<'a> {
    world: &'a World,
    route: &'static Route,
    declared: &'static Declared,
    cells: usize,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_route_keeps_every_stranger_out_and_tells_them_nothing() {
    let known: BTreeSet<String> =
        ROUTES.iter().map(|route| format!("{} {}", route.method, route.path)).collect();
    let declared: BTreeSet<String> = DECLARED.iter().map(|row| row.row.to_owned()).collect();
    let missing: Vec<_> = known.symmetric_difference(&declared).collect();
    assert!(missing.is_empty(), "declare in isolation/table.rs (or take out there): {missing:?}");
    let world = World::new().await;
    let mut rows: Vec<_> = ROUTES
        .iter()
        .map(|route| {
            let row = format!("{} {}", route.method, route.path);
            let declared = DECLARED.iter().find(|declared| declared.row == row).expect("checked above");
            Asked { world: &world, route, declared, cells: 0 }
        })
        .collect();
    for row in &mut rows {
        row.row().await;
    }
    // Whatever a stranger tried, the other tenant still has its things.
    for row in &mut rows {
        row.control().await;
    }
    let cells: usize = rows.iter().map(|row| row.cells).sum();
    assert!(cells > ROUTES.len() * 20, "{cells} cells over {} rows", ROUTES.len());
}

impl Asked<'_> {
    /// All cells of the row; those that may change something come last.
    async fn row(&mut self) {
        if self.route.access == Access::Signed {
            self.unsigned().await;
        } else if self.route.path.contains("{tid}") {
            self.strangers().await;
            self.other_verbs().await;
            self.items().await;
            self.cursors().await;
        }
        self.without_rights().await;
        self.control().await;
        self.own().await;
    }

    /// The path with a tenant and an item in it, with its query.
    fn path(&self, url: &str, tenant: &str, item: &str, customer: &str) -> String {
        let mut path = url.replace("{tid}", tenant);
        for name in ["{id}", "{type}", "{key}", "{ticket}", "{secret}"] {
            path = path.replace(name, item);
        }
        assert!(!path.contains('{'), "{path}: say what it names");
        let query = self
            .declared
            .query
            .iter()
            .map(|(name, of)| format!("{name}={}", if *of == Names::Customer { customer } else { item }));
        let query = query.collect::<Vec<_>>().join("&");
        if query.is_empty() { path } else { format!("{path}?{query}") }
    }

    /// Asks; nobody but the other tenant ever gets a canary.
    async fn ask(&mut self, method: &Method, path: &str, token: &str) -> Answered {
        self.cells += 1;
        let line = format!("{method} {path}");
        let (media, body) = (self.declared.media, self.declared.body);
        let answered = self.world.edge.ask_with(&line, token, media, body).await;
        assert!(answered.status < 500, "{line}: {} {}", answered.status, answered.body);
        if token != self.world.other.token && token != self.world.admin {
            let told = told(&answered);
            // What was asked for may be said back.
            let said_back = path.replace("%2F", "/");
            assert!(!told.contains(CANARY) || said_back.contains(CANARY), "{line} tells a stranger: {told}");
            assert!(!told.contains(&self.world.other.uuid), "{line} tells a stranger: {told}");
        }
        answered
    }

    fn item(&self, of: &std::collections::BTreeMap<Names, String>) -> String {
        self.declared.item.and_then(|name| of.get(&name).cloned()).unwrap_or_else(|| "none".to_owned())
    }

    /// Another tenant's path, by its id and by its uuid, with its own items: as if there were no such tenant.
    async fn strangers(&mut self) {
        let (own, other) = (&self.world.own, &self.world.other);
        let theirs = self.item(&other.items);
        for url in self.route.urls() {
            let nobody = self.path(&url, NOBODY, &theirs, "k");
            let nobody = self.ask(&self.route.method, &nobody, &own.token).await;
            assert_eq!(nobody.status, 403, "{url}: {}", nobody.body);
            for tenant in [other.id, &other.uuid, &other.uuid.to_ascii_uppercase()] {
                let path = self.path(&url, tenant, &theirs, "k");
                let answered = self.ask(&self.route.method, &path, &own.token).await;
                assert_eq!(seen(&answered, &[]), seen(&nobody, &[]), "{path}: existing or not");
            }
            for malformed in MALFORMED {
                let path = self.path(&url, malformed, &theirs, "k");
                let answered = self.ask(&self.route.method, &path, &own.token).await;
                assert_eq!(answered.status, 403, "{path}: {}", answered.body);
            }
        }
        let broken = self.path(&self.route.urls()[0], "%FF", &theirs, "k");
        assert_eq!(self.ask(&self.route.method, &broken, &own.token).await.status, 404, "{broken}");
    }

    /// An address that takes signatures in place of tokens is none to whom does not know its secret, with whatever
    /// token: whose it might be, or whether there is such a tenant, is not told.
    async fn unsigned(&mut self) {
        let (own, other) = (&self.world.own, &self.world.other);
        let tenants = [own.id, &own.uuid, other.id, &other.uuid, NOBODY].into_iter().chain(MALFORMED);
        let nobody = self.path(&self.route.urls()[0], NOBODY, "none", "k");
        let nobody = self.ask(&self.route.method, &nobody, "").await;
        assert_eq!(nobody.status, 404, "{}", nobody.body);
        for tenant in tenants {
            for kind in ["twilio", "sendgrid", "webhook", "none"] {
                for token in ["", own.token.as_str(), "wrong"] {
                    let path = self.route.urls()[0].replace("{tid}", tenant).replace("{type}", kind);
                    let path = path.replace("{secret}", &"0".repeat(64));
                    let answered = self.ask(&self.route.method, &path, token).await;
                    assert_eq!(seen(&answered, &[]), seen(&nobody, &[]), "{path}");
                }
            }
        }
    }

    /// Verbs that the path does not take: the wall comes before the verb.
    async fn other_verbs(&mut self) {
        let path = self.route.path;
        let taken = |method: &str| {
            let method = if method == "HEAD" { "GET" } else { method };
            ROUTES.iter().any(|route| route.path == path && route.method == method)
        };
        let url = self.route.urls()[0].clone();
        for verb in ["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "PURGE"] {
            if taken(verb) {
                continue;
            }
            let verb = Method::from_bytes(verb.as_bytes()).unwrap();
            let (own, other) = (&self.world.own, &self.world.other);
            let admins = self.route.access == Access::Admin;
            for (tenant, token, status) in [
                (own.id, own.token.as_str(), if admins { 403 } else { 405 }),
                (other.id, &own.token, 403),
                (NOBODY, &own.token, 403),
                (own.id, "", 401),
            ] {
                let path = self.path(&url, tenant, "none", "k");
                let answered = self.ask(&verb, &path, token).await;
                assert_eq!(answered.status, status, "{verb} {path}: {}", answered.body);
            }
        }
    }

    /// The own tenant's path, with an id that only the other has: as if nobody had it.
    async fn items(&mut self) {
        let Some(name) = self.declared.item else { return };
        let (own, other) = (&self.world.own, &self.world.other);
        let token = if self.route.access == Access::Admin { &self.world.bound_admin } else { &own.token };
        let none = match name {
            Names::Integration => "zendesk",
            Names::Setting | Names::Client => "7f1d9f0e-3c55-4a56-8c55-3d3d6a0c9d11",
            Names::Reaction => "RE00000000000000000000000000000000",
            Names::Pattern => "PT999",
            Names::Template => "TM999",
            Names::Augment => "AU999",
            Names::Listener => "LI999",
            Names::Customer => "nobody",
        };
        let (theirs, gone) = (other.items[&name].clone(), self.world.gone.get(&name).cloned());
        if matches!(name, Names::Integration | Names::Setting) {
            // Its id is that of its type: gone only as long as no row has made it anew.
            self.world.edge.ask("DELETE /1.0/tenants/mine/integrations/sendgrid", &own.token, "").await;
        }
        for url in self.route.urls() {
            let path = self.path(&url, own.id, none, none);
            let missing = self.ask(&self.route.method, &path, token).await;
            assert_eq!(missing.status, self.declared.missing(), "{path}: {}", missing.body);
            for id in [Some(theirs.clone()), gone.clone()].into_iter().flatten() {
                let path = self.path(&url, own.id, &id, &id);
                let answered = self.ask(&self.route.method, &path, token).await;
                assert_eq!(seen(&answered, &[&id]), seen(&missing, &[none]), "{path}: another's or nobody's");
            }
            for id in NO_ITEMS {
                let path = self.path(&url, own.id, id, "k");
                let answered = self.ask(&self.route.method, &path, token).await;
                assert_eq!(answered.status, self.declared.missing(), "{path}: {}", answered.body);
            }
        }
    }

    /// A page's cursor means nothing to another tenant; nor do ids in a query.
    async fn cursors(&mut self) {
        let (own, other) = (&self.world.own, &self.world.other);
        let url = self.route.urls()[0].clone();
        if self.declared.paged {
            let cursor = &other.cursors[self.declared.row];
            let path = self.path(&url, own.id, &self.item(&own.items), "mine-customer");
            let sign = if path.contains('?') { '&' } else { '?' };
            let answered =
                self.ask(&self.route.method, &format!("{path}{sign}before={cursor}"), &own.token).await;
            assert_eq!(answered.status, 400, "{path}: {}", answered.body);
        }
        if self.declared.query.is_empty() {
            return;
        }
        let item = if self.declared.item.is_some() {
            &own.items[&Names::Pattern]
        } else {
            &other.items[&Names::Pattern]
        };
        let customer = &other.items[&Names::Customer];
        let path = self.path(&url, own.id, item, customer);
        let answered = self.ask(&self.route.method, &path, &own.token).await;
        let path =
            self.path(&url, own.id, if self.declared.item.is_some() { item } else { "PT999" }, "nobody");
        let nobody = self.ask(&self.route.method, &path, &own.token).await;
        assert_eq!(answered.status, 200, "{path}: {}", answered.body);
        assert_eq!(seen(&answered, &[customer]), seen(&nobody, &["nobody"]), "{path}: another's or nobody's");
    }

    /// No token, a wrong one, a dead one, one without the scope, a tenant's where an admin's is needed, and back.
    async fn without_rights(&mut self) {
        if !self.route.access.takes_token() {
            return;
        }
        let (own, other) = (&self.world.own, &self.world.other);
        let mine = self.item(&own.items);
        for url in self.route.urls() {
            let path = self.path(&url, own.id, &mine, "k");
            for token in ["", "wrong", self.world.dead.as_str()] {
                let answered = self.ask(&self.route.method, &path, token).await;
                assert_eq!(answered.status, 401, "{path} with {token:?}: {}", answered.body);
            }
        }
        let url = self.route.urls()[0].clone();
        let path = self.path(&url, own.id, &mine, "k");
        match self.route.access {
            Access::Open | Access::Signed => {}
            Access::Admin => {
                let answered = self.ask(&self.route.method, &path, &own.token).await;
                assert_eq!(answered.status, 403, "{path}: {}", answered.body);
                if self.route.path.contains("{tid}") {
                    let path = self.path(&url, other.id, &self.item(&other.items), "k");
                    let answered = self.ask(&self.route.method, &path, &self.world.bound_admin).await;
                    assert_eq!(answered.status, 403, "{path}: {}", answered.body);
                    let path = self.path(&url, NOBODY, "none", "k");
                    let answered = self.ask(&self.route.method, &path, &self.world.admin).await;
                    assert_eq!(answered.status, 404, "{path}: {}", answered.body);
                }
            }
            Access::Tenant(scope) | Access::OlderTenant(scope) => {
                let answered = self.ask(&self.route.method, &path, &self.world.lacking[&scope]).await;
                assert_eq!(answered.status, 403, "{path} without {scope:?}: {}", answered.body);
                let answered = self.ask(&self.route.method, &path, &self.world.admin).await;
                assert_eq!(answered.status, 403, "{path}: an admin reads no tenant: {}", answered.body);
                let unknown = if matches!(self.route.access, Access::OlderTenant(_)) { 422 } else { 404 };
                let path = self.path(&url, NOBODY, &mine, "k");
                let answered = self.ask(&self.route.method, &path, &self.world.admin).await;
                assert_eq!(answered.status, unknown, "{path}: {}", answered.body);
            }
        }
    }

    /// The other tenant is told its own canaries: else nothing is shown by their being told to nobody else.
    async fn control(&mut self) {
        if !self.declared.tells {
            return;
        }
        let other = &self.world.other;
        let url = self.route.urls()[0].clone();
        let path = self.path(&url, other.id, &self.item(&other.items), "canary-customer");
        let answered = self.ask(&self.route.method, &path, &other.token).await;
        assert!(told(&answered).contains(CANARY), "{path} tells nothing: {}", told(&answered));
    }

    /// To whom it belongs it is answered, by the tenant's id and by its uuid.
    async fn own(&mut self) {
        let own = &self.world.own;
        let admins = self.route.access == Access::Admin;
        let token = if admins { &self.world.bound_admin } else { &own.token };
        for (url, tenant) in self.route.urls().into_iter().zip([own.id, &own.uuid, own.id, &own.uuid]) {
            let item = match self.declared.item {
                Some(name @ Names::Setting) => self.world.fresh(name).await,
                Some(name) if self.route.method != Method::GET => self.world.fresh(name).await,
                _ => self.item(&own.items),
            };
            if self.declared.row == "POST /v1/tenants/{tid}/integrations" {
                // There is at most one of a type.
                let path = "DELETE /1.0/tenants/mine/integrations/sendgrid";
                self.world.edge.ask(path, token, "").await;
            }
            let path = self.path(&url, tenant, &item, "mine-customer");
            let answered = self.ask(&self.route.method, &path, token).await;
            assert_eq!(answered.status, self.declared.own, "{path}: {}", answered.body);
            if self.route.method == Method::GET {
                let head = self.ask(&Method::HEAD, &path, token).await;
                assert_eq!((head.status, &head.body), (answered.status, &domain::json::Json::Null), "{path}");
            }
        }
    }
}

/// All that an answer tells.
fn told(answered: &Answered) -> String {
    format!("{} {:?} {}", answered.status, answered.headers, answered.body)
}

/// An answer as it can be told from another one: without its request's id, and without the ids that were asked for.
fn seen(answered: &Answered, ids: &[&str]) -> (u16, Vec<String>, String) {
    let headers = answered
        .headers
        .iter()
        .filter(|(name, _)| !["x-request-id", "content-length"].contains(&name.as_str()));
    let mut headers: Vec<_> = headers.map(|(name, value)| format!("{name}: {value:?}")).collect();
    headers.sort_unstable();
    let body = ids.iter().fold(answered.body.to_string(), |body, id| body.replace(id, "…"));
    (answered.status, headers, body)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_body_or_a_header_names_is_looked_for_within_the_own_walls_only() {
    let world = World::new().await;
    let (own, other) = (&world.own, &world.other);
    let ask = async |line: &str, body: &str| world.edge.ask(line, &own.token, body).await;

    // A template of the other's, named by a pattern or by a partial.
    let theirs = &other.items[&Names::Template];
    let naming = |id: &str| {
        format!(
            r#"{{"name":"mine","status":true,"when":"(event (= a 1))",
               "then":"(send echo message {{}} (template {{:message +{id}}}))"}}"#
        )
    };
    let another = ask("POST /1.0/tenants/mine/patterns", &naming(theirs)).await;
    let nobody = ask("POST /1.0/tenants/mine/patterns", &naming("TM999")).await;
    assert_eq!(another.status, 400, "{}", another.body);
    assert_eq!(seen(&another, &[theirs]), seen(&nobody, &["TM999"]));

    // A secret that is written back masked keeps what the own tenant has stored, and it has none.
    let masked = r#"{"username":"mine","password":"********"}"#;
    let kept = ask("POST /1.0/tenants/mine/integrations/urban-airship", masked).await;
    assert_eq!(kept.status, 400, "{}", kept.body);

    // An idempotency key that the other has used.
    let post = async |tenant: &str, token: &str, key: &str, body: String| {
        let request = axum::http::Request::post(format!("/1.0/tenants/{tenant}/event"))
            .header("authorization", format!("Bearer {token}"))
            .header("content-type", "application/json")
            .header("idempotency-key", key)
            .body(axum::body::Body::from(body));
        world.edge.send(request.unwrap()).await
    };
    assert_eq!(ask("POST /1.0/tenants/mine/key-attribute", r#"{"key":"id"}"#).await.status, 200);
    let event =
        |word: &str| format!(r#"{{"{}":"{word}"}}"#, if word == CANARY { "canary-key" } else { "id" });
    let first = post("theirs", &other.token, "one-key", event(CANARY)).await;
    let mine = post("mine", &own.token, "one-key", event("mine")).await;
    assert_eq!((first.status, mine.status, mine.text("key-attr")), (201, 201, "mine"), "{}", mine.body);
    assert_ne!(first.text("id"), mine.text("id"));
    let again = post("mine", &own.token, "one-key", event("else")).await;
    assert_eq!(again.text("id"), mine.text("id"), "the key is the own tenant's now");
    let line = r#"[{"event":{"id":"mine"},"idempotency-key":"one-key"}]"#;
    let batch = ask("POST /1.0/tenants/mine/events", line).await;
    let results = batch.body.get("results").unwrap().as_array().unwrap();
    assert_eq!(results[0].get("id").unwrap().as_text(), Some(mine.text("id")));
    assert!(!batch.body.to_string().contains(CANARY));

    // A tenant's id that is taken is told to admins only; a client's secret of another tenant is no secret.
    let taken = world.edge.ask("POST /1.0/tenants", &own.token, r#"{"id":"theirs","name":"n"}"#).await;
    let free = world.edge.ask("POST /1.0/tenants", &own.token, r#"{"id":"nobody","name":"n"}"#).await;
    assert_eq!(seen(&taken, &[]), seen(&free, &[]));
    let known = world.edge.token(&other.items[&Names::Client], "wrong").await;
    let unknown = world.edge.token("7f1d9f0e-3c55-4a56-8c55-3d3d6a0c9d11", "wrong").await;
    assert_eq!((known.status, seen(&known, &[])), (401, seen(&unknown, &[])));
    let metrics = world.edge.ask("GET /metrics", "", "").await;
    assert!(!told(&metrics).contains(CANARY));
}
