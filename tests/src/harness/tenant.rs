//! One tenant, spoken to by a client of its own.

use serde_json::{Value, json};

use super::{Answer, Client, Request, Server, wait_for};

/// A tenant and a client that is bound to it.
#[derive(Clone)]
pub struct Tenant {
    /// Its id.
    pub id: String,
    /// Its client, with a token.
    pub client: Client,
}

impl Tenant {
    /// A new tenant whose customers are told apart by `id`.
    pub fn create(admin: &Client, id: &str) -> Self {
        admin.post("/1.0/tenants", &json!({"id": id, "name": format!("Tenant {id}")})).expect(201);
        let (client_id, secret) = admin.new_client(id, None);
        let tenant = Self { id: id.to_owned(), client: admin.with_token_of(&client_id, &secret) };
        tenant.post("key-attribute", &json!({"key": "id"})).expect(200);
        tenant
    }

    /// The same tenant and token, on a server that was started again.
    #[must_use]
    pub fn on(&self, server: &Server) -> Self {
        Self { client: self.client.at(server.base()), ..self.clone() }
    }

    /// `/1.0/tenants/{id}/{rest}`
    pub fn path(&self, rest: &str) -> String {
        format!("/1.0/tenants/{}/{rest}", self.id)
    }

    /// GET below the tenant.
    #[track_caller]
    pub fn get(&self, rest: &str) -> Answer {
        self.client.get(&self.path(rest))
    }

    /// POST below the tenant.
    #[track_caller]
    pub fn post(&self, rest: &str, body: &Value) -> Answer {
        self.client.post(&self.path(rest), body)
    }

    /// PUT below the tenant.
    #[track_caller]
    pub fn put(&self, rest: &str, body: &Value) -> Answer {
        self.client.put(&self.path(rest), body)
    }

    /// DELETE below the tenant.
    #[track_caller]
    pub fn delete(&self, rest: &str) -> Answer {
        self.client.delete(&self.path(rest))
    }

    /// A new, enabled pattern; its id.
    #[track_caller]
    pub fn pattern(&self, when: &str, then: &str) -> String {
        let body = json!({"name": "a pattern", "status": true, "when": when, "then": then});
        self.post("patterns", &body).expect(201)["id"].as_str().expect("an id").to_owned()
    }

    /// An event that is accepted; the answer.
    #[track_caller]
    pub fn event(&self, event: Value) -> Value {
        self.post("event", &event).expect(201)
    }

    /// An event under an idempotency key.
    #[track_caller]
    pub fn event_once(&self, key: &str, event: &Value) -> Answer {
        let request = Request::new("POST", &self.path("event")).json(event).header("idempotency-key", key);
        self.client.send(&request)
    }

    /// All of a customer's timeline, oldest first, read page by page.
    #[track_caller]
    pub fn timeline(&self, key: &str) -> Vec<Value> {
        let mut all = self.pages(&format!("customers/{key}"));
        all.reverse();
        all
    }

    /// A customer's entries of one kind, oldest first.
    #[track_caller]
    pub fn entries(&self, key: &str, kind: &str) -> Vec<Value> {
        self.timeline(key).into_iter().filter(|entry| entry["kind"] == kind).collect()
    }

    /// All entries of a list that comes in pages, as they come (newest first).
    #[track_caller]
    pub fn pages(&self, rest: &str) -> Vec<Value> {
        let mut all = Vec::new();
        let mut before = String::new();
        loop {
            let sign = if rest.contains('?') { '&' } else { '?' };
            let page = self.get(&format!("{rest}{sign}limit=1000{before}")).expect(200);
            all.extend(page["entries"].as_array().expect("entries").iter().cloned());
            match page["next"].as_str() {
                Some(next) => before = format!("&before={next}"),
                None => return all,
            }
        }
    }

    /// Waits until the customer has `count` entries of a kind of which `is` holds; these, oldest first.
    pub fn wait_entries(
        &self,
        key: &str,
        kind: &str,
        count: usize,
        is: impl Fn(&Value) -> bool,
    ) -> Vec<Value> {
        wait_for(&format!("{count} entries of kind {kind} for {key}"), || {
            let found: Vec<_> = self.entries(key, kind).into_iter().filter(&is).collect();
            (found.len() >= count).then_some(found)
        })
    }

    /// Waits until `count` reactions of the customer are done; these, oldest first.
    pub fn wait_reactions(&self, key: &str, count: usize) -> Vec<Value> {
        self.wait_entries(key, "reaction", count, |reaction| reaction["state"] == "done")
    }

    /// Waits until the engine has seen everything that was sent for this customer: a pattern of its own matches an
    /// event after it, and a customer's events are matched in order.
    pub fn settle(&self, key: &str) -> Value {
        let pattern = self.pattern("(event (= settle true))", "(send echo message {})");
        let event = self.event(json!({"id": key, "settle": true}));
        self.wait_entries(key, "match", 1, |found| found["pattern"] == pattern.as_str());
        self.delete(&format!("patterns/{pattern}")).expect(204);
        event["id"].clone()
    }
}
