//! What each row of the route table is asked with: whose ids its path and query take, a body that would do, and
//! what it answers to whom it belongs.
//!
//! A row that is not declared here fails the matrix: who adds a route says what its ids name.

/// What an id names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Names {
    Pattern,
    Template,
    Listener,
    /// A type of integrations that is set up.
    Integration,
    /// The same, by its uuid.
    Setting,
    /// A key attribute value: everybody is somebody's customer, so one who never came is an empty answer.
    Customer,
    Reaction,
    /// An augment that has a file.
    Augment,
    Client,
}

impl Names {
    pub const ALL: [Self; 9] = [
        Self::Pattern,
        Self::Template,
        Self::Listener,
        Self::Integration,
        Self::Setting,
        Self::Customer,
        Self::Reaction,
        Self::Augment,
        Self::Client,
    ];
}

/// A row as it is asked.
pub struct Declared {
    /// Method and path, as the route table has them.
    pub row: &'static str,
    /// What `{id}`, `{type}` or `{key}` names.
    pub item: Option<Names>,
    /// What the query names: `customer` and whose.
    pub query: &'static [(&'static str, Names)],
    /// A body that is accepted.
    pub body: &'static str,
    /// Its content type.
    pub media: &'static str,
    /// The answer to whom it belongs.
    pub own: u16,
    /// Whether the other tenant is told its own secrets by it: a control that the search for them works.
    pub tells: bool,
    /// Whether its answers come in pages, with cursors.
    pub paged: bool,
}

const fn row(row: &'static str, own: u16, body: &'static str) -> Declared {
    Declared { row, item: None, query: &[], body, media: "application/json", own, tells: false, paged: false }
}

impl Declared {
    const fn of(self, item: Names) -> Self {
        Self { item: Some(item), ..self }
    }

    /// The answer about one that is not there.
    pub fn missing(&self) -> u16 {
        if self.item == Some(Names::Customer) { self.own } else { 404 }
    }

    const fn query(self, query: &'static [(&'static str, Names)]) -> Self {
        Self { query, ..self }
    }

    const fn media(self, media: &'static str) -> Self {
        Self { media, ..self }
    }

    const fn tells(self) -> Self {
        Self { tells: true, ..self }
    }

    const fn paged(self) -> Self {
        Self { paged: true, ..self }
    }
}

const PATTERN: &str = r#"{"name":"mine","when":"(event (= type \"mine\"))","then":"(send echo message {})"}"#;
const LISTENER: &str =
    r#"{"name":"mine","type":"pusher","options":{"channel":"mine"},"mapping":{"my-key":"id"}}"#;
const TEMPLATE: &str = r#"{"name":"mine","template":"mine"}"#;
const AUGMENT: &str = r#"{"name":"mine","type":"file","service":"notification"}"#;
const TWILIO: &str = r#"{"account":"mine","password":"mine"}"#;
const LISTS: &[(&str, Names)] = &[("customer", Names::Customer), ("pattern", Names::Pattern)];

/// Every row.
pub const DECLARED: &[Declared] = &[
    row("POST /token", 401, "grant_type=client_credentials&client_id=nobody&client_secret=wrong")
        .media("application/x-www-form-urlencoded"),
    row("GET /tenants/{tid}", 200, "").tells(),
    row("GET /tenants/{tid}/key-attribute", 200, "").tells(),
    row("POST /tenants/{tid}/key-attribute", 200, r#"{"key":"mine-key"}"#),
    row("GET /tenants/{tid}/patterns", 200, "").tells(),
    row("POST /tenants/{tid}/patterns", 201, PATTERN),
    row("GET /tenants/{tid}/patterns/{id}", 200, "").of(Names::Pattern).tells(),
    row("PUT /tenants/{tid}/patterns/{id}", 200, r#"{"description":"mine"}"#).of(Names::Pattern),
    row("DELETE /tenants/{tid}/patterns/{id}", 204, "").of(Names::Pattern),
    row("GET /tenants/{tid}/templates", 200, "").tells(),
    row("POST /tenants/{tid}/templates", 201, TEMPLATE),
    row("GET /tenants/{tid}/templates/{id}", 200, "").of(Names::Template).tells(),
    row("PUT /tenants/{tid}/templates/{id}", 200, r#"{"description":"mine"}"#).of(Names::Template),
    row("DELETE /tenants/{tid}/templates/{id}", 204, "").of(Names::Template),
    row("GET /tenants/{tid}/listeners", 200, "").tells(),
    row("POST /tenants/{tid}/listeners", 201, LISTENER),
    row("GET /tenants/{tid}/listeners/{id}", 200, "").of(Names::Listener).tells(),
    row("PUT /tenants/{tid}/listeners/{id}", 200, r#"{"description":"mine"}"#).of(Names::Listener),
    row("DELETE /tenants/{tid}/listeners/{id}", 204, "").of(Names::Listener),
    row("GET /tenants/{tid}/listeners/{id}/status", 200, "").of(Names::Listener),
    row("GET /tenants/{tid}/integrations", 200, "").tells(),
    row("POST /tenants/{tid}/integrations", 200, r#"{"id":"twilio","account":"mine","password":"mine"}"#),
    row("GET /tenants/{tid}/integrations/{type}", 200, "").of(Names::Integration).tells(),
    // Setting one up makes it, whoever else has one of that type.
    row("POST /tenants/{tid}/integrations/{type}", 404, "{}"),
    row("DELETE /tenants/{tid}/integrations/{type}", 204, "").of(Names::Integration),
    row(
        "POST /tenants/{tid}/salesforce",
        200,
        r#"{"secret-token":"m","username":"m","password":"m","consumer-key":"m","consumer-secret":"m"}"#,
    ),
    row("POST /tenants/{tid}/twilio", 200, TWILIO),
    row("POST /tenants/{tid}/sendgrid", 200, TWILIO),
    row("POST /tenants/{tid}/urban-airship", 200, r#"{"username":"mine","password":"mine"}"#),
    row("POST /tenants/{tid}/datasift", 200, r#"{"username":"mine","api-key":"mine"}"#),
    row("POST /tenants/{tid}/pusher", 200, r#"{"key":"mine","secret":"mine"}"#),
    row("POST /tenants/{tid}/zendesk", 200, r#"{"subdomain":"mine","email":"m@example.com","token":"mine"}"#),
    row("POST /tenants/{tid}/webhook", 200, r#"{"secret":"mine"}"#),
    row("POST /tenants/{tid}/rest-api", 200, r#"{"secret":"mine"}"#),
    row("POST /tenants/{tid}/generic", 200, "{}"),
    row("POST /tenants/{tid}/echo", 200, "{}"),
    row("GET /v1/tenants/{tid}/integrations", 200, "").tells(),
    row(
        "POST /v1/tenants/{tid}/integrations",
        201,
        r#"{"type":"Sendgrid","name":"mine","active":true,"properties":{"account":"mine","password":"mine"}}"#,
    ),
    row("GET /v1/tenants/{tid}/integrations/{id}", 200, "").of(Names::Setting).tells(),
    row("PUT /v1/tenants/{tid}/integrations/{id}", 200, r#"{"active":true}"#).of(Names::Setting),
    row("DELETE /v1/tenants/{tid}/integrations/{id}", 204, "").of(Names::Setting),
    row("GET /tenants/{tid}/augments", 200, "").tells(),
    row("POST /tenants/{tid}/augments", 201, AUGMENT),
    row("GET /tenants/{tid}/augments/{id}", 200, "").of(Names::Augment).tells(),
    row("PUT /tenants/{tid}/augments/{id}", 200, r#"{"description":"mine"}"#).of(Names::Augment),
    row("DELETE /tenants/{tid}/augments/{id}", 204, "").of(Names::Augment),
    row("GET /tenants/{tid}/augments/{id}/file", 200, "").of(Names::Augment).tells(),
    row("POST /tenants/{tid}/augments/{id}/file", 201, "a,b\n1,mine\n").of(Names::Augment).media("text/csv"),
    row("DELETE /tenants/{tid}/augments/{id}/file", 204, "").of(Names::Augment),
    row("GET /tenants/{tid}/augment", 200, "").tells(),
    row("POST /tenants/{tid}/augment", 201, AUGMENT),
    row("GET /tenants/{tid}/augment/{id}", 200, "").of(Names::Augment).tells(),
    row("PUT /tenants/{tid}/augment/{id}", 200, r#"{"description":"mine"}"#).of(Names::Augment),
    row("DELETE /tenants/{tid}/augment/{id}", 204, "").of(Names::Augment),
    row("GET /tenants/{tid}/augment/{id}/file", 200, "").of(Names::Augment).tells(),
    row("POST /tenants/{tid}/augment/{id}/file", 201, "a,b\n1,mine\n").of(Names::Augment).media("text/csv"),
    row("DELETE /tenants/{tid}/augment/{id}/file", 204, "").of(Names::Augment),
    // Refused, so that there is something left to ask about.
    row("POST /tenants/{tid}/configuration", 400, "--x\r\n\r\n--x--\r\n")
        .media("multipart/form-data; boundary=x"),
    row("POST /tenants/{tid}/event", 201, r#"{"mine-key":"mine","type":"mine"}"#),
    row("GET /tenants/{tid}/event/history", 200, "").tells(),
    row("POST /tenants/{tid}/events", 200, r#"[{"mine-key":"mine","type":"mine"}]"#),
    row(
        "POST /tenants/{tid}/patterns/validate",
        200,
        r#"{"when":"(event (= a 1))","then":"(send echo message {})"}"#,
    ),
    row("GET /tenants/{tid}/patterns/{id}/matches", 200, "")
        .of(Names::Pattern)
        .query(&[("customer", Names::Customer)])
        .paged(),
    row("GET /tenants/{tid}/patterns/{id}/contributing", 200, "")
        .of(Names::Pattern)
        .query(&[("key", Names::Customer)])
        .tells(),
    row("GET /tenants/{tid}/customers/{key}", 200, "").of(Names::Customer).tells().paged(),
    row("DELETE /tenants/{tid}/customers/{key}", 204, "").of(Names::Customer),
    row("GET /tenants/{tid}/reactions", 200, "").query(LISTS).paged(),
    row("GET /tenants/{tid}/reactions/{id}", 200, "").of(Names::Reaction).tells(),
    row("POST /tenants/{tid}/reactions/{id}/cancel", 200, "").of(Names::Reaction),
    row("GET /tenants/{tid}/sends", 200, "").tells(),
    row("POST /tenants/{tid}/sends/redrive", 200, r#"{"dry-run":true}"#),
    // Neither has a send that is held.
    row("POST /tenants/{tid}/sends/{id}/release", 404, ""),
    row("POST /tenants/{tid}/sends/{id}/discard", 404, ""),
    row("POST /receipts/{tid}/{type}/{secret}", 404, "MessageSid=SM1&MessageStatus=sent")
        .media("application/x-www-form-urlencoded"),
    row("POST /tenants/{tid}/ticket", 200, ""),
    row("GET /stream/{ticket}", 404, ""),
    row("GET /tenants/{tid}/audit", 200, "").tells().paged(),
    row("GET /tenants", 200, ""),
    row("POST /tenants", 409, r#"{"id":"mine","name":"mine"}"#),
    row("GET /tenants/{tid}/clients", 200, ""),
    row("POST /tenants/{tid}/clients", 201, r#"{"name":"mine"}"#),
    row("DELETE /tenants/{tid}/clients/{id}", 204, "").of(Names::Client),
    row("GET /openapi.json", 200, ""),
    row("GET /healthz", 200, ""),
    row("GET /readyz", 200, ""),
    row("GET /metrics", 200, ""),
];
