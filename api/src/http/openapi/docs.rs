//! What there is to say of each handler beyond its row in the route table: in words, what goes in, what comes out.
//!
//! Statuses that follow from the row itself (who may, what comes in) are not repeated here: see
//! [`super::statuses`]. A route whose handler has no entry fails the tests.

/// What is said of a handler.
#[derive(Debug)]
pub struct Doc {
    /// The handler, as the route table writes it.
    pub handler: &'static str,
    /// One line for a person.
    pub summary: &'static str,
    /// The status of a success.
    pub success: u16,
    /// What a success holds: the name of a schema, of which `[…]` is a list; none where there is no body.
    pub content: &'static str,
    /// What comes in as JSON: the name of a schema.
    pub body: &'static str,
    /// Parameters of the query, by name.
    pub query: &'static [&'static str],
    /// Headers that are heeded.
    pub headers: &'static [&'static str],
    /// Statuses beyond those that follow from the row.
    pub more: &'static [u16],
}

const fn get(handler: &'static str, summary: &'static str, content: &'static str) -> Doc {
    Doc { handler, summary, success: 200, content, body: "", query: &[], headers: &[], more: &[] }
}

const fn post(
    handler: &'static str,
    summary: &'static str,
    body: &'static str,
    content: &'static str,
) -> Doc {
    Doc { body, ..get(handler, summary, content) }
}

const fn created(
    handler: &'static str,
    summary: &'static str,
    body: &'static str,
    content: &'static str,
) -> Doc {
    Doc { success: 201, ..post(handler, summary, body, content) }
}

/// A change of what is there: it heeds `If-Match`, and 409 says that it was crossed.
const fn put(handler: &'static str, summary: &'static str, body: &'static str, content: &'static str) -> Doc {
    Doc { headers: IF_MATCH, more: &[409], ..post(handler, summary, body, content) }
}

const fn delete(handler: &'static str, summary: &'static str) -> Doc {
    Doc { success: 204, headers: IF_MATCH, more: &[409], ..get(handler, summary, "") }
}

impl Doc {
    const fn query(self, query: &'static [&'static str]) -> Self {
        Self { query, ..self }
    }

    const fn more(self, more: &'static [u16]) -> Self {
        Self { more, ..self }
    }

    const fn headers(self, headers: &'static [&'static str]) -> Self {
        Self { headers, ..self }
    }
}

const IF_MATCH: &[&str] = &["If-Match"];
const PAGE: &[&str] = &["limit", "before"];
const TRAIL: &[&str] = &["limit", "before", "state", "customer", "pattern", "from", "to"];

/// Every handler of the route table; one may be described before its route is there.
pub static DOCS: &[Doc] = &[
    post("token::issue", "Get a token by client credentials", "", "Token").more(&[429]),
    get("tenants::show", "Retrieve a tenant", "Tenant"),
    get("key_attribute::show", "Retrieve the key attribute", "KeyAttribute"),
    put("key_attribute::set", "Set the key attribute", "KeyAttribute", "KeyAttribute"),
    get("patterns::list", "List all patterns", "[Pattern]"),
    created("patterns::create", "Create a pattern", "NewPattern", "Pattern"),
    get("patterns::show", "Retrieve a pattern", "Pattern"),
    put("patterns::update", "Update a pattern", "PatternChange", "Pattern"),
    delete("patterns::delete", "Delete a pattern"),
    get("templates::list", "List all templates", "[Template]"),
    created("templates::create", "Create a template", "NewTemplate", "Template"),
    get("templates::show", "Retrieve a template", "Template"),
    put("templates::update", "Update a template", "TemplateChange", "Template"),
    delete("templates::delete", "Delete a template; not one that an enabled pattern names"),
    get("listeners::list", "List all listeners", "[Listener]"),
    created("listeners::create", "Create a listener", "NewListener", "Listener"),
    get("listeners::show", "Retrieve a listener", "Listener"),
    put("listeners::update", "Update a listener", "ListenerChange", "Listener"),
    delete("listeners::delete", "Delete a listener"),
    get("listeners::status", "Monitor a listener", "ListenerStatus"),
    get("integrations::list", "List all integrations", "[Integration]"),
    put(
        "integrations::set_named",
        "Set up the integration that the body's id names",
        "Integration",
        "Integration",
    ),
    get("integrations::show", "Retrieve an integration", "Integration"),
    put("integrations::set", "Set up an integration, or replace it", "Integration", "Integration"),
    put("integrations::set_kind", "Set up an integration, in the older form", "Integration", "Integration"),
    delete("integrations::delete", "Delete an integration"),
    get("integrations::v1::list", "List all integrations, in the form of v1", "Settings"),
    created("integrations::v1::create", "Set up an integration, in the form of v1", "NewSetting", "Setting")
        .more(&[409]),
    get("integrations::v1::show", "Retrieve an integration, in the form of v1", "Setting"),
    put("integrations::v1::update", "Change an integration, in the form of v1", "SettingChange", "Setting"),
    delete("integrations::v1::delete", "Delete an integration, by its UUID"),
    get("augments::list", "List all augments", "[Augment]"),
    created("augments::create", "Create an augment", "NewAugment", "Augment"),
    get("augments::show", "Retrieve an augment", "Augment"),
    put("augments::update", "Update an augment", "AugmentChange", "Augment"),
    delete("augments::delete", "Delete an augment"),
    get("augments::file::show", "Retrieve an augment's file", "Csv").more(&[409]),
    created("augments::file::upload", "Upload an augment's file", "", "AugmentFile")
        .headers(IF_MATCH)
        .more(&[409]),
    delete("augments::file::delete", "Delete an augment's file"),
    post("configuration::apply", "Make the whole configuration what it is said to be", "", "Changes")
        .more(&[409]),
    created("events::create", "Send an event", "Event", "Accepted")
        .headers(&["Idempotency-Key"])
        .more(&[409, 429]),
    get("events::history::list", "The latest events, newest first", "History").query(&["limit"]),
    post("events::batch::create", "Send a batch of events", "Events", "BatchResults").more(&[429]),
    post("patterns::validate::validate", "Check a pattern without storing it", "PatternTexts", "Validation"),
    get("patterns::matches::list", "A pattern's matches", "Entries").query(TRAIL),
    get("patterns::contributing::show", "What a customer has contributed towards a match", "Contributing")
        .query(&["key"]),
    get("customers::timeline", "A customer's timeline", "Entries").query(PAGE),
    delete("customers::erase", "Forget a customer").headers(&[]),
    get("reactions::list", "Reactions", "Entries").query(TRAIL),
    get("reactions::show", "A reaction, step by step", "Reaction"),
    post("reactions::cancel", "Cancel a reaction", "", "Reaction").more(&[409]),
    get("sends::list", "Sends that failed or are held", "Entries")
        .query(&["limit", "before", "state", "endpoint", "from", "to"]),
    post("sends::redrive", "Send again what failed, by a filter", "Redrive", "Redriven"),
    post("sends::release", "Let a held send go out", "", "Send").more(&[409]),
    post("sends::discard", "Let a held send go", "", "Send").more(&[409]),
    Doc {
        success: 204,
        ..post("receipts::take", "What a third party says later about sends, signed", "Receipts", "")
    }
    .query(&["send"])
    .headers(&["X-Twilio-Signature", "X-Twilio-Email-Event-Webhook-Signature"]),
    post("streams::ticket", "A ticket for the stream: good once, for two minutes", "", "Ticket").more(&[429]),
    Doc { success: 101, ..get("streams::open", "The stream, over a web socket", "") }.more(&[404, 426, 429]),
    get("audit::list", "Every change of a resource", "Entries").query(PAGE),
    get("tenants::list", "List all tenants", "[TenantWithUuid]"),
    created("tenants::create", "Create a tenant", "NewTenant", "TenantWithUuid").more(&[409]),
    get("clients::list", "List a tenant's clients", "[Client]"),
    created("clients::create", "Create a client; its secret is shown once", "NewClient", "NewClientSecret"),
    delete("clients::delete", "Delete a client; its tokens die at once").headers(&[]),
    get("health::live", "Whether the process is alive", "Health"),
    get("health::ready", "Whether work should be sent here", "Health"),
    get("health::metrics", "Metrics, in the format of Prometheus", "Text"),
    get("openapi::show", "This document", "Document"),
];
