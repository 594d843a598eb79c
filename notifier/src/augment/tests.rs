//! A tenant's server that is right, wrong, slow, huge, or leads somewhere private.

use std::collections::VecDeque;
use std::net::SocketAddr;

use super::*;
use crate::endpoint::http::{Resolver, Setup};
use crate::tests::stand_in::{Do, StandIn};

const JSON: &str = "Content-Type: application/json; charset=utf-8\r\n";
const GOLD: &str = r#"{"key-attr":"1234","attributes":{"segment":"Gold","other":1,"score":12.50}}"#;

/// Every name leads to these addresses in turn, and then to the last one.
struct Names(Mutex<VecDeque<SocketAddr>>);

#[async_trait]
impl Resolver for Names {
    async fn resolve(&self, _: &str, _: u16) -> std::io::Result<Vec<SocketAddr>> {
        let mut addresses = self.0.lock().unwrap();
        let next = if addresses.len() > 1 { addresses.pop_front() } else { addresses.front().copied() };
        Ok(next.into_iter().collect())
    }
}

/// An asker that takes `server` for a public one, and nothing else on this machine.
fn apis(server: &StandIn, names: impl IntoIterator<Item = SocketAddr>) -> Apis {
    let resolver = Arc::new(Names(Mutex::new(names.into_iter().collect())));
    let setup = Setup { resolver, exempt: vec![server.address], ..Setup::default() };
    Apis::new(Http::new(setup), Duration::from_secs(60))
}

async fn ask(apis: &Apis, url: &str, key: &str, defined: u64) -> Result<String, String> {
    let options = Options { url: url.to_owned(), attributes: vec!["score".into(), "segment".into()] };
    let event = parse(br#"{"id":"1234","price":1.0}"#, Limits::EVENT).unwrap();
    let question = Question {
        tenant: &TenantId::from("acme"),
        augment: &AugmentId::from("AU1"),
        defined: Position(defined),
        options: &options,
        key: Some(key),
        attributes: event.as_object().unwrap(),
    };
    apis.ask(question).await.map(|answer| answer.to_string())
}

fn good(headers: &'static str) -> Do {
    Do::Answer(200, headers, GOLD.to_owned())
}

#[tokio::test]
async fn the_whole_event_is_asked_about_and_only_what_is_named_is_taken() {
    let server = StandIn::new([], good(JSON)).await;
    let apis = apis(&server, []);
    let answer = ask(&apis, &server.url(), "1234", 1).await;
    assert_eq!(answer.unwrap(), r#"{"score":12.50,"segment":"Gold"}"#);
    let seen = server.seen().remove(0);
    let (head, body) = seen.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("POST / HTTP/1.1") && head.contains("application/json"), "{head}");
    assert_eq!(body, r#"{"key-attr":"1234","attributes":{"id":"1234","price":1.0}}"#);
}

#[tokio::test]
async fn an_answer_is_kept_for_its_key_and_definition_as_long_as_its_server_says() {
    let server = StandIn::new([], good(JSON)).await;
    let apis = apis(&server, []);
    for _ in 0..3 {
        ask(&apis, &server.url(), "1234", 1).await.unwrap();
    }
    assert_eq!(server.seen().len(), 1);
    ask(&apis, &server.url(), "1234", 2).await.unwrap();
    assert_eq!(server.seen().len(), 2, "another definition was answered with the old one's answer");
    assert!(
        ask(&apis, &server.url(), "5", 1).await.is_err(),
        "another key was answered with this one's answer"
    );
    assert_eq!(server.seen().len(), 3);

    let headers = "Content-Type: application/json\r\nCache-Control: private, no-store\r\n";
    let fleeting = StandIn::new([], good(headers)).await;
    let apis = self::apis(&fleeting, []);
    for _ in 0..3 {
        ask(&apis, &fleeting.url(), "1234", 1).await.unwrap();
    }
    assert_eq!(fleeting.seen().len(), 3);
    let lifetime =
        |value: &'static str| lifetime(&[(CACHE_CONTROL, value.parse().unwrap())].into_iter().collect());
    assert_eq!(lifetime("max-age=5"), Some(Duration::from_secs(5)));
    assert_eq!(lifetime("public, Max-Age=\"99999999\""), Some(LONGEST));
    assert_eq!(lifetime("max-age=soon"), Some(Duration::ZERO));
    assert_eq!(lifetime("max-age=9, no-cache"), Some(Duration::ZERO));
    assert_eq!(lifetime("public"), None);
}

#[tokio::test(start_paused = true)]
async fn kept_answers_go_when_their_time_is_over_or_room_is_short() {
    let place = |n: usize| Place {
        tenant: "acme".into(),
        augment: "AU1".into(),
        defined: Position(1),
        key: n.to_string(),
    };
    let mut kept = Kept::default();
    let mut answer = Object::new();
    answer.set("a", "x".repeat(1 << 20));
    let until = Instant::now() + Duration::from_secs(5);
    (0..40).for_each(|n| kept.put(place(n), answer.clone(), until));
    assert!(kept.young.len() + kept.old.len() <= 32, "more is kept than there is room for");
    assert!(kept.get(&place(39), Instant::now()).is_some());
    assert!(kept.get(&place(0), Instant::now()).is_none());
    assert!(kept.get(&place(39), until).is_none());
}

#[tokio::test]
async fn every_wrong_answer_is_told_in_words() {
    let json = |status, body: &str| Do::Answer(status, JSON, body.to_owned());
    for (order, reason) in [
        (json(500, "boom"), "answered 500"),
        (json(204, ""), "answered 204"),
        (json(404, GOLD), "answered 404"),
        (Do::Answer(200, "Content-Type: text/html\r\n", GOLD.to_owned()), "not application/json"),
        (Do::answer(200, GOLD), "not application/json"),
        (json(200, "{\"attributes\":"), "not acceptable JSON (line 1"),
        (json(200, "[]"), "no object \"attributes\""),
        (json(200, r#"{"attributes":[1]}"#), "no object \"attributes\""),
        (json(200, r#"{"attributes":{"a":1,"a":2}}"#), "not acceptable JSON"),
        (json(200, &GOLD.replace("1234", "4321")), "about another key-attr"),
        (Do::Answer(200, JSON, format!("{GOLD}{}", " ".repeat(2 << 20))), "longer than"),
        (Do::Break, "the connection"),
        (Do::Hang, "no answer within 2 s"),
        (Do::Drip, "no answer within 2 s"),
        (Do::Flood, "not application/json"),
    ] {
        let server = StandIn::new([], order.clone()).await;
        let begun = Instant::now();
        let error = ask(&apis(&server, []), &server.url(), "1234", 1).await.unwrap_err();
        assert!(error.contains(reason), "{order:?}: {error}");
        assert!(begun.elapsed() < LIMIT + Duration::from_secs(1), "{order:?} took {:?}", begun.elapsed());
    }
}

#[tokio::test]
async fn three_redirects_are_followed_and_a_fourth_is_not() {
    let on = |status, headers| Do::Answer(status, headers, String::new());
    let hops =
        || [on(307, "Location: /a/b\r\n"), on(301, "Location: c?x=1#y\r\n"), on(303, "Location: ../d\r\n")];
    let server = StandIn::new(hops(), good(JSON)).await;
    ask(&apis(&server, []), &server.url(), "1234", 1).await.unwrap();
    let lines = ["POST / HTTP/1.1", "POST /a/b HTTP/1.1", "POST /a/c?x=1 HTTP/1.1", "GET /a/../d HTTP/1.1"];
    assert_eq!(server.lines(), lines);
    let round = StandIn::new([], on(308, "Location: /\r\n")).await;
    let error = ask(&apis(&round, []), &round.url(), "1234", 1).await.unwrap_err();
    assert_eq!((round.seen().len(), error.as_str()), (4, "it redirected more than 3 times"));
    let nowhere = StandIn::new([], on(302, "")).await;
    let error = ask(&apis(&nowhere, []), &nowhere.url(), "1234", 1).await.unwrap_err();
    assert_eq!(error, "it redirected without saying where");

    let from = Url::parse("https://example.com/a").unwrap();
    let headers = [(LOCATION, "http://example.com/b".parse().unwrap())].into_iter().collect();
    let received = Received { status: 302, headers, body: "".into(), cut: None };
    assert_eq!(redirect(&from, &received).unwrap_err(), "it redirected from https to http");
}

#[tokio::test]
async fn no_redirect_and_no_name_leads_to_a_private_address() {
    let canary = StandIn::new([], good(JSON)).await;
    let refused = "not a public address";
    for location in [
        "Location: http://169.254.169.254/latest/meta-data/\r\n",
        "Location: http://[::ffff:169.254.169.254]/\r\n",
        "Location: http://[::1]/\r\n",
        "Location: http://10.0.0.1/\r\n",
        "Location: http://0/\r\n",
        "Location: http://0x7f.1/\r\n",
        "Location: http://user@127.0.0.1/\r\n",
        "Location: file:///etc/passwd\r\n",
        "Location: gopher://127.0.0.1:6379/\r\n",
    ] {
        let server = StandIn::new([], Do::Answer(302, location, String::new())).await;
        let error = ask(&apis(&server, []), &server.url(), "1234", 1).await.unwrap_err();
        assert!(error.contains(refused) || error.contains("what is no URL"), "{location}: {error}");
    }
    // The name leads to a public server at first, and to a private one when it is asked again.
    let port = canary.address.port();
    let rebinding = format!("http://rebind.example:{port}/");
    let lead: &'static str = Box::leak(format!("Location: {rebinding}\r\n").into_boxed_str());
    let server = StandIn::new([], Do::Answer(307, lead, String::new())).await;
    let first = format!("http://rebind.example:{}/", server.address.port());
    let apis = apis(&server, [server.address, canary.address]);
    let error = ask(&apis, &first, "1234", 1).await.unwrap_err();
    assert!(error.contains(refused), "{error}");
    assert_eq!(server.seen().len(), 1);
    let error = ask(&apis, &canary.url(), "1234", 1).await.unwrap_err();
    assert!(error.contains(refused), "{error}");
    assert_eq!(canary.seen().len(), 0, "the private server was reached");
}

#[test]
fn a_bare_host_is_asked_over_https_and_other_schemes_are_refused() {
    let url = |text: &str| {
        let options = Options { url: text.to_owned(), attributes: Vec::new() };
        url_of(&options).map(|url| url.uri().to_string())
    };
    assert_eq!(url("hostname").unwrap(), "https://hostname/");
    assert_eq!(url("example.com:8443/a?b").unwrap(), "https://example.com:8443/a?b");
    assert_eq!(url("http://example.com/a").unwrap(), "http://example.com/a");
    for bad in ["ftp://example.com", "file:///etc/passwd", "mailto:a@b.c", "a b", "", "javascript:alert(1)"] {
        assert!(url(bad).is_err(), "{bad}");
    }
}
