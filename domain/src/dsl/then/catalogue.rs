//! Endpoints, their verbs and parameters, as data (then.md §4). What goes over the wire for them is the notifier's
//! business.

/// What one verb of one endpoint takes and gives.
#[derive(Debug, PartialEq, Eq)]
pub struct Verb {
    /// The endpoint.
    pub endpoint: &'static str,
    /// The verb.
    pub verb: &'static str,
    /// Its parameters, the mandatory ones first.
    pub params: &'static [Param],
    /// Whether fields beyond these go to the endpoint as they are.
    pub open: bool,
    /// The values that `$…` can name in an answer.
    pub response: Response,
}

/// One parameter.
#[derive(Debug, PartialEq, Eq)]
pub struct Param {
    /// Its name.
    pub name: &'static str,
    /// Whether it has to be there.
    pub need: Need,
}

/// Whether a parameter has to be there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// Always.
    Mandatory,
    /// Always, but the tenant's integration may have a default for it.
    Integration,
    /// One of those that say so has to be there.
    OneOf,
    /// It may be left out, and no two of those that say so may be there together.
    AtMostOne,
    /// It may be left out.
    Optional,
}

/// What an answer holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Response {
    /// These values.
    Values(&'static [&'static str]),
    /// Whatever the other side answers.
    Any,
}

impl Verb {
    /// The parameter of that name.
    pub fn param(&self, name: &str) -> Option<&'static Param> {
        self.params.iter().find(|param| param.name == name)
    }

    /// The names of the parameters that say `need`.
    pub fn needing(&self, need: Need) -> impl Iterator<Item = &'static str> {
        self.params.iter().filter(move |param| param.need == need).map(|param| param.name)
    }
}

/// Whether a parameter is HTML, so that what templates put into it is escaped.
pub fn is_html(param: &str) -> bool {
    param == "html"
}

/// What `endpoint` does at `verb`.
pub fn find(endpoint: &str, verb: &str) -> Option<&'static Verb> {
    VERBS.iter().find(|known| known.endpoint == endpoint && known.verb == verb)
}

/// The endpoints, each once.
pub fn endpoints() -> impl Iterator<Item = &'static str> {
    let mut last = "";
    VERBS
        .iter()
        .map(|verb| verb.endpoint)
        .filter(move |endpoint| std::mem::replace(&mut last, endpoint) != *endpoint)
}

/// The verbs of an endpoint.
pub fn verbs(endpoint: &str) -> impl Iterator<Item = &'static str> {
    VERBS.iter().filter(move |verb| verb.endpoint == endpoint).map(|verb| verb.verb)
}

const fn must(name: &'static str) -> Param {
    Param { name, need: Need::Mandatory }
}

const fn defaulted(name: &'static str) -> Param {
    Param { name, need: Need::Integration }
}

const fn one_of(name: &'static str) -> Param {
    Param { name, need: Need::OneOf }
}

const fn at_most_one(name: &'static str) -> Param {
    Param { name, need: Need::AtMostOne }
}

const fn may(name: &'static str) -> Param {
    Param { name, need: Need::Optional }
}

const fn verb(
    endpoint: &'static str,
    verb: &'static str,
    params: &'static [Param],
    response: &'static [&'static str],
) -> Verb {
    Verb { endpoint, verb, params, open: false, response: Response::Values(response) }
}

const fn salesforce(name: &'static str, params: &'static [Param]) -> Verb {
    Verb { open: true, ..verb("salesforce", name, params, &["id"]) }
}

/// Every verb of every endpoint; an endpoint's stand together.
pub static VERBS: &[Verb] = &[
    verb("echo", "message", &[may("message")], &["message"]),
    verb(
        "twilio",
        "sms",
        &[must("to-phone-number"), defaulted("from-phone-number"), must("message"), may("status-callback")],
        &["sid", "call-id", "status"],
    ),
    verb(
        "twilio",
        "call",
        &[must("to-phone-number"), defaulted("from-phone-number"), one_of("message"), one_of("twil-ml")],
        &["sid", "call-id", "status"],
    ),
    verb("twilio", "call-status", &[must("sid")], &["call-status", "duration"]),
    verb("twilio", "sms-status", &[must("sid")], &["sms-status", "error-code"]),
    verb(
        "sendgrid",
        "email",
        &[
            must("to"),
            defaulted("from"),
            must("subject"),
            must("message"),
            may("html"),
            may("cc"),
            may("bcc"),
            may("reply-to"),
        ],
        &["message-id"],
    ),
    salesforce(
        "task",
        &[
            may("OwnerId"),
            may("Description"),
            may("Priority"),
            may("Status"),
            may("WhoId"),
            may("WhatId"),
            may("ActivityDate"),
            may("Subject"),
        ],
    ),
    salesforce(
        "opportunity",
        &[may("Name"), may("OwnerId"), may("AccountId"), may("CloseDate"), may("StageName")],
    ),
    salesforce("lead", &[must("LastName"), must("Company"), may("Status"), may("OwnerId")]),
    salesforce("case", &[may("Origin"), may("Status"), may("OwnerId"), may("Subject"), may("Description")]),
    verb(
        "urban-airship",
        "push",
        &[
            must("message"),
            at_most_one("named-user"),
            at_most_one("channel"),
            at_most_one("tag"),
            at_most_one("audience"),
            may("device-types"),
        ],
        &["push-id"],
    ),
    verb("pusher", "trigger", &[must("channel"), must("event"), must("data"), may("socket-id")], &[]),
    verb("generic", "message", &[must("body")], &[]),
    Verb {
        response: Response::Any,
        ..verb("webhook", "post", &[defaulted("url"), must("body"), may("headers")], &[])
    },
    verb(
        "zendesk",
        "ticket",
        &[must("subject"), must("message"), may("requester"), may("priority"), may("tags")],
        &["id"],
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_verb_is_found_and_every_endpoint_listed_once() {
        assert_eq!(VERBS.len(), 15);
        for verb in VERBS {
            assert!(std::ptr::eq(find(verb.endpoint, verb.verb).unwrap(), verb), "{verb:?} is there twice");
        }
        let endpoints: Vec<&str> = endpoints().collect();
        assert_eq!(
            endpoints.join(" "),
            "echo twilio sendgrid salesforce urban-airship pusher generic webhook zendesk"
        );
    }
}
