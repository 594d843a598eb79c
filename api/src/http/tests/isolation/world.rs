//! Two tenants side by side: one that asks, and one whose every text is a canary.

use std::collections::BTreeMap;

use super::super::{Edge, entries, text};
use super::table::Names;
use domain::client::Scope;
use domain::json::Json;

/// What no answer to anybody but the other tenant may hold.
pub const CANARY: &str = "canary";

/// A tenant, one of each of its things, and its client's token.
pub struct Side {
    pub id: &'static str,
    pub uuid: String,
    pub token: String,
    pub items: BTreeMap<Names, String>,
    /// The `next` of its lists, by row.
    pub cursors: BTreeMap<&'static str, String>,
    word: &'static str,
}

/// All who ask.
pub struct World {
    pub edge: Edge,
    pub own: Side,
    pub other: Side,
    /// The token of an admin that is bound to no tenant.
    pub admin: String,
    /// That of an admin that is bound to the asking tenant.
    pub bound_admin: String,
    /// That of a client of the asking tenant that was deleted.
    pub dead: String,
    /// Tokens of clients of the asking tenant that have all scopes but one.
    pub lacking: BTreeMap<Scope, String>,
    /// Items of the asking tenant that were deleted.
    pub gone: BTreeMap<Names, String>,
}

impl World {
    pub async fn new() -> Self {
        let edge = Edge::at(Some("https://hooks.example.com"), |_| {}).await;
        let admin = edge.admin().await;
        let own = Side::new(&edge, &admin, "mine", "mine").await;
        let other = Side::new(&edge, &admin, "theirs", CANARY).await;
        let (_, bound_admin) = client(&edge, &admin, own.id, "bound", &Scope::ALL).await;
        let (id, dead) = client(&edge, &admin, own.id, "dead", &Scope::TENANT).await;
        edge.ask(&format!("GET /tenants/{}", own.id), &dead, "").await;
        let deleted = edge.ask(&format!("DELETE /1.0/tenants/{}/clients/{id}", own.id), &admin, "").await;
        assert_eq!(deleted.status, 204);
        let mut lacking = BTreeMap::new();
        for scope in Scope::TENANT {
            let others: Vec<_> = Scope::TENANT.into_iter().filter(|other| *other != scope).collect();
            lacking.insert(scope, client(&edge, &admin, own.id, "less", &others).await.1);
        }
        let mut world = Self {
            edge,
            own,
            other,
            admin,
            bound_admin,
            dead,
            lacking,
            gone: BTreeMap::from([(Names::Client, id)]),
        };
        for name in [Names::Pattern, Names::Template, Names::Augment, Names::Listener, Names::Setting] {
            let id = world.fresh(name).await;
            let path = match name {
                Names::Pattern => format!("/tenants/mine/patterns/{id}"),
                Names::Template => format!("/tenants/mine/templates/{id}"),
                Names::Augment => format!("/tenants/mine/augments/{id}"),
                Names::Listener => format!("/tenants/mine/listeners/{id}"),
                _ => format!("/v1/tenants/mine/integrations/{id}"),
            };
            let deleted = world.edge.ask(&format!("DELETE {path}"), &world.own.token, "").await;
            assert_eq!(deleted.status, 204, "{path}: {}", deleted.body);
            world.gone.insert(name, id);
        }
        // Deleted with its uuid, above.
        world.gone.insert(Names::Integration, "sendgrid".to_owned());
        world
    }

    /// A new item of the asking tenant: what a row does to it harms no other row.
    pub async fn fresh(&self, name: Names) -> String {
        self.own.make(&self.edge, &self.admin, name).await
    }
}

/// A new client of a tenant: its id and a token.
async fn client(edge: &Edge, admin: &str, tenant: &str, name: &str, scopes: &[Scope]) -> (String, String) {
    let scopes: Vec<_> = scopes.iter().map(|scope| format!("{:?}", scope.name())).collect();
    let body = format!(r#"{{"name":"{name}","scopes":[{}]}}"#, scopes.join(","));
    let made = edge.ask(&format!("POST /1.0/tenants/{tenant}/clients"), admin, &body).await;
    assert_eq!(made.status, 201, "{}", made.body);
    let id = made.text("client_id").to_owned();
    let token = edge.token(&id, made.text("client_secret")).await;
    (id, token.text("access_token").to_owned())
}

impl Side {
    /// A tenant with one of each, every text of which is `word`.
    async fn new(edge: &Edge, admin: &str, id: &'static str, word: &'static str) -> Self {
        let body = format!(r#"{{"id":"{id}","name":"{word}-tenant"}}"#);
        let made = edge.ask("POST /1.0/tenants", admin, &body).await;
        assert_eq!(made.status, 201, "{}", made.body);
        let (_, token) = client(edge, admin, id, &format!("{word}-client"), &Scope::TENANT).await;
        let uuid = made.text("uuid").to_owned();
        let mut side = Self { id, uuid, token, items: BTreeMap::new(), cursors: BTreeMap::new(), word };
        side.ask(edge, "POST", "key-attribute", &format!(r#"{{"key":"{word}-key"}}"#), 200).await;
        // The other tenant has more of each than the asking one will ever have: its last id is only its own.
        for name in Names::ALL {
            let more = if name == Names::Augment { 100 } else { 20 };
            for _ in 0..if word == CANARY { more } else { 1 } {
                let id = side.make(edge, admin, name).await;
                side.items.insert(name, id);
                if !matches!(name, Names::Pattern | Names::Template | Names::Augment | Names::Listener) {
                    break;
                }
            }
        }
        side.make(edge, admin, Names::Reaction).await;
        let pattern = &side.items[&Names::Pattern];
        for (row, path) in [
            (
                "GET /tenants/{tid}/patterns/{id}/matches",
                format!("patterns/{}/matches", side.matched(edge).await),
            ),
            ("GET /tenants/{tid}/customers/{key}", format!("customers/{}", side.items[&Names::Customer])),
            ("GET /tenants/{tid}/reactions", "reactions".to_owned()),
            ("GET /tenants/{tid}/audit", "audit".to_owned()),
        ] {
            assert!(!pattern.is_empty());
            let page = edge.ask(&format!("GET /1.0/tenants/{id}/{path}?limit=1"), &side.token, "").await;
            side.cursors.insert(row, page.text("next").to_owned());
        }
        // What an event contributed to a pattern that is still waiting for more.
        let event = side.event("waiting");
        side.ask(edge, "POST", "event", &event, 201).await;
        side
    }

    async fn ask(&self, edge: &Edge, method: &str, rest: &str, body: &str, status: u16) -> Json {
        let path = format!("{method} /1.0/tenants/{}/{rest}", self.id);
        let answered = edge.ask(&path, &self.token, body).await;
        assert_eq!(answered.status, status, "{path}: {}", answered.body);
        answered.body
    }

    fn event(&self, kind: &str) -> String {
        let word = self.word;
        format!(r#"{{"{word}-key":"{word}-customer","type":"{kind}","text":"{word}-text"}}"#)
    }

    /// The pattern that reactions are of.
    async fn matched(&self, edge: &Edge) -> String {
        let all = self.ask(edge, "GET", "reactions", "", 200).await;
        text(&entries(&all)[0], "pattern").to_owned()
    }

    /// A new item; its id.
    async fn make(&self, edge: &Edge, admin: &str, name: Names) -> String {
        let word = self.word;
        let id = |made: &Json| text(made, "id").to_owned();
        match name {
            Names::Template => {
                let body = format!(r#"{{"name":"{word}","description":"{word}","template":"{word}"}}"#);
                id(&self.ask(edge, "POST", "templates", &body, 201).await)
            }
            Names::Listener => {
                let body = format!(
                    r#"{{"name":"{word}","description":"{word}","type":"datasift",
                       "options":{{"hash":"a"}},"mapping":{{"{word}":"{word}"}}}}"#
                );
                id(&self.ask(edge, "POST", "listeners", &body, 201).await)
            }
            Names::Pattern => {
                let body = format!(
                    r#"{{"name":"{word}","description":"{word}","status":true,
                       "when":"(count 2 (event (= type \"waiting\")))",
                       "then":"(send echo message {{:message \"{word}\"}})"}}"#
                );
                id(&self.ask(edge, "POST", "patterns", &body, 201).await)
            }
            Names::Integration => {
                let body = format!(r#"{{"username":"{word}","password":"{word}"}}"#);
                let kind = if word == CANARY { "urban-airship" } else { "twilio" };
                let body = if word == CANARY { body } else { body.replace("username", "account") };
                self.ask(edge, "POST", &format!("integrations/{kind}"), &body, 200).await;
                kind.to_owned()
            }
            Names::Setting => {
                // There is one of a type: made anew.
                let path = format!("/1.0/tenants/{}/integrations/sendgrid", self.id);
                edge.ask(&format!("DELETE {path}"), &self.token, "").await;
                let body = format!(
                    r#"{{"type":"Sendgrid","name":"{word}","active":true,
                       "properties":{{"account":"{word}","password":"{word}"}}}}"#
                );
                let made =
                    edge.ask(&format!("POST /v1/tenants/{}/integrations", self.id), &self.token, &body).await;
                assert_eq!(made.status, 201, "{}", made.body);
                id(made.body.get("result").unwrap())
            }
            Names::Customer => {
                let event = self.event("seen");
                self.ask(edge, "POST", "event", &event, 201).await;
                format!("{word}-customer")
            }
            Names::Augment => {
                let body = format!(
                    r#"{{"name":"{word}","description":"{word}","type":"file","service":"notification"}}"#
                );
                let id = id(&self.ask(edge, "POST", "augments", &body, 201).await);
                let path = format!("POST /1.0/tenants/{}/augments/{id}/file", self.id);
                let csv = format!("{word},{word}\n1,{word}\n");
                let uploaded = edge.ask_with(&path, &self.token, "text/csv", &csv).await;
                assert_eq!(uploaded.status, 201, "{}", uploaded.body);
                id
            }
            Names::Reaction => self.reaction(edge).await,
            Names::Client => client(edge, admin, self.id, &format!("{word}-client"), &Scope::TENANT).await.0,
        }
    }

    /// A reaction that waits for what never comes.
    async fn reaction(&self, edge: &Edge) -> String {
        let word = self.word;
        let body = format!(
            r#"{{"name":"{word}","status":true,"when":"(event (= type \"match\"))",
               "then":"(seq (send echo message {{:message \"{word}\"}}) (expect (= $type \"never\")))"}}"#
        );
        let pattern = text(&self.ask(edge, "POST", "patterns", &body, 201).await, "id").to_owned();
        self.ask(edge, "POST", "event", &self.event("match"), 201).await;
        self.ask(edge, "POST", "event", &self.event("match"), 201).await;
        let sent = |body: &Json| {
            let of_it = entries(body).iter().filter(|entry| text(entry, "pattern") == pattern).count();
            of_it == 2
        };
        let path = format!("GET /1.0/tenants/{}/reactions?state=running&pattern={pattern}", self.id);
        let running = edge.until(&path, &self.token, sent).await;
        text(&entries(&running)[0], "id").to_owned()
    }
}
