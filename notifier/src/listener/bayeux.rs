//! Bayeux messages as Salesforce speaks them: what is said, and what an answer means. Pure.

use domain::json::{Duplicates, Json, Limits, Object};

use super::pace::{End, Pace};
use crate::endpoint::provider::call::line;

/// An array, a message, its data, an object in that: then comes what a customer event may hold.
pub(super) const LIMITS: Limits = Limits { depth: 35, duplicates: Duplicates::LastCounts };

/// What goes wrong for now, and what may for hours.
pub(super) const SHORT: Pace = Pace::doubling(1, 60);
const LONG: Pace = Pace::doubling(60, 900);

/// Where to begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Replay {
    /// With what comes.
    New,
    /// With all that is still kept.
    All,
    /// After this one.
    After(i64),
}

impl Replay {
    fn number(self) -> i64 {
        match self {
            Self::New => -1,
            Self::All => -2,
            Self::After(id) => id,
        }
    }
}

pub(super) fn handshake() -> Object {
    let mut message = Object::new();
    message.set("channel", "/meta/handshake");
    message.set("version", "1.0");
    message.set("minimumVersion", "1.0");
    message.set("supportedConnectionTypes", vec!["long-polling".into()]);
    message.set("ext", Json::object([("replay", true)]));
    message
}

fn of_client(channel: &str, client: &str) -> Object {
    let mut message = Object::new();
    message.set("channel", channel);
    message.set("clientId", client);
    message
}

pub(super) fn subscribe(client: &str, channel: &str, replay: Option<Replay>) -> Object {
    let mut message = of_client("/meta/subscribe", client);
    message.set("subscription", channel);
    if let Some(replay) = replay {
        message.set("ext", Json::object([("replay", Json::object([(channel, replay.number())]))]));
    }
    message
}

pub(super) fn connect(client: &str) -> Object {
    let mut message = of_client("/meta/connect", client);
    message.set("connectionType", "long-polling");
    message
}

pub(super) fn disconnect(client: &str) -> Object {
    of_client("/meta/disconnect", client)
}

/// What a server advises; what it does not say stays as it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Advice {
    /// What to do after a connect.
    pub(super) reconnect: Reconnect,
    /// How long to wait before the next one, in milliseconds.
    pub(super) interval: u64,
    /// How long the server holds one, in milliseconds.
    pub(super) timeout: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reconnect {
    Retry,
    Handshake,
    None,
}

impl Default for Advice {
    fn default() -> Self {
        Self { reconnect: Reconnect::Retry, interval: 0, timeout: 110_000 }
    }
}

impl Advice {
    pub(super) fn heed(&mut self, message: &Json) {
        let Some(advice) = message.get("advice") else { return };
        let number = |name: &str| match advice.get(name) {
            Some(Json::Number(number)) => number.as_str().parse().ok(),
            _ => None,
        };
        match advice.get("reconnect").and_then(Json::as_text) {
            Some("retry") => self.reconnect = Reconnect::Retry,
            Some("handshake") => self.reconnect = Reconnect::Handshake,
            Some("none") => self.reconnect = Reconnect::None,
            _ => {}
        }
        self.interval = number("interval").unwrap_or(self.interval);
        self.timeout = number("timeout").unwrap_or(self.timeout);
    }
}

/// The channel of a message.
pub(super) fn channel(message: &Json) -> &str {
    message.get("channel").and_then(Json::as_text).unwrap_or_default()
}

/// Whether a meta message says that it went well.
pub(super) fn is_successful(message: &Json) -> bool {
    message.get("successful").and_then(Json::as_bool) == Some(true)
}

/// What a message says went wrong: the reason may be nested, and then that is the one.
pub(super) fn complaint(message: &Json) -> String {
    let nested = message.get("ext").and_then(|ext| ext.get("sfdc")?.get("failureReason")?.as_text());
    let plain = message.get("error").and_then(Json::as_text);
    line(nested.or(plain).unwrap_or("no reason is given"))
}

/// What a refusal means.
#[derive(Debug, PartialEq)]
pub(super) enum Refusal {
    /// The token is over: log in anew.
    Token,
    /// The session is over: begin again with a handshake.
    Session,
    /// The place in the stream is not kept any more.
    Place,
    /// Something else.
    Other(End),
}

/// What a message that is not successful means; `step` is what was tried.
pub(super) fn refusal(step: &str, message: &Json) -> Refusal {
    let complaint = complaint(message);
    let says = |words: &[&str]| words.iter().any(|word| complaint.contains(word));
    let why = format!("{step}: {complaint}");
    let mut advice = Advice::default();
    advice.heed(message);
    if says(&["Authentication invalid", "requires authentication"]) {
        Refusal::Token
    } else if says(&["Unknown client", "session_unknown"]) {
        Refusal::Session
    } else if complaint.starts_with("400") && says(&["replayId"]) {
        Refusal::Place
    } else if complaint.starts_with("413") || (step == "subscribe" && says(&PERMANENT)) {
        Refusal::Other(End::never(why))
    } else if says(&["limit"]) {
        Refusal::Other(End::later(LONG, why))
    } else if advice.reconnect == Reconnect::Handshake && step == "connect" {
        Refusal::Session
    } else {
        Refusal::Other(End::later(SHORT, why))
    }
}

/// Refusals of a subscription that stay.
const PERMANENT: [&str; 5] = [
    "does not exist",
    "Restricted channel",
    "User not enabled",
    "Cannot create channel",
    "does not have access",
];

#[cfg(test)]
mod tests {
    use domain::json::parse;

    use super::super::pace::Then;
    use super::*;

    fn json(text: &str) -> Json {
        parse(text.as_bytes(), LIMITS).unwrap()
    }

    #[test]
    fn messages_are_as_the_protocol_says() {
        let shown = |message: Object| Json::from(message).to_string();
        assert_eq!(
            shown(handshake()),
            r#"{"channel":"/meta/handshake","version":"1.0","minimumVersion":"1.0","supportedConnectionTypes":["long-polling"],"ext":{"replay":true}}"#
        );
        assert_eq!(
            shown(subscribe("c", "/topic/A", Some(Replay::After(17)))),
            r#"{"channel":"/meta/subscribe","clientId":"c","subscription":"/topic/A","ext":{"replay":{"/topic/A":17}}}"#
        );
        assert!(shown(subscribe("c", "/topic/A", Some(Replay::All))).contains(":-2}"));
        assert!(!shown(subscribe("c", "/topic/A", None)).contains("ext"));
        assert_eq!(
            shown(connect("c")),
            r#"{"channel":"/meta/connect","clientId":"c","connectionType":"long-polling"}"#
        );
    }

    #[test]
    fn advice_holds_until_it_is_replaced() {
        let mut advice = Advice::default();
        advice.heed(&json(r#"{"advice":{"reconnect":"handshake","interval":2000}}"#));
        let heeded = Advice { reconnect: Reconnect::Handshake, interval: 2_000, timeout: 110_000 };
        assert_eq!(advice, heeded);
        advice.heed(&json("{}"));
        assert_eq!(advice, heeded);
        advice.heed(&json(r#"{"advice":{"reconnect":"none","timeout":5}}"#));
        assert_eq!(advice, Advice { reconnect: Reconnect::None, interval: 2_000, timeout: 5 });
    }

    #[test]
    fn every_refusal_has_its_consequence() {
        let of = |step: &str, text: &str| refusal(step, &json(text));
        let error =
            |step: &str, error: &str| of(step, &format!(r#"{{"successful":false,"error":"{error}"}}"#));
        assert_eq!(error("connect", "401::Authentication invalid"), Refusal::Token);
        assert_eq!(
            of(
                "handshake",
                r#"{"error":"403::Handshake denied","ext":{"sfdc":{"failureReason":"401::Request requires authentication"}}}"#
            ),
            Refusal::Token
        );
        for unknown in ["403::Unknown client", "401:abc:Unknown client", "402::session_unknown"] {
            assert_eq!(error("connect", unknown), Refusal::Session, "{unknown}");
        }
        assert_eq!(
            of("connect", r#"{"error":"500::odd","advice":{"reconnect":"handshake"}}"#),
            Refusal::Session
        );
        let expired = "400::The replayId {17} you provided was invalid.";
        assert_eq!(error("subscribe", expired), Refusal::Place);
        let then = |refusal: Refusal| match refusal {
            Refusal::Other(end) => end.then,
            other => panic!("{other:?}"),
        };
        for permanent in [
            "400::The channel you requested to subscribe to does not exist",
            "403::Restricted channel",
            "403::User not enabled for streaming",
            "403::Cannot create channel",
            "403::Subscriber does not have access to the entity x",
        ] {
            assert_eq!(then(error("subscribe", permanent)), Then::Never, "{permanent}");
        }
        assert_eq!(then(error("connect", "413 Maximum Request Size Exceeded")), Then::Never);
        for limit in [
            "403::Organization total events daily limit exceeded",
            "403::Organization concurrent user limit exceeded",
            "403::Subscription limit exceeded for this topic",
        ] {
            assert_eq!(then(error("connect", limit)), Then::Later(LONG), "{limit}");
        }
        let busy = "503::Server is too busy. Please try your request again later.";
        assert_eq!(then(error("handshake", busy)), Then::Later(SHORT));
    }
}
