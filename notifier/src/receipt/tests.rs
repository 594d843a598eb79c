//! What is let in as a provider's word, and what is not.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use domain::integration::Kind;
use hyper::HeaderMap;
use hyper::header::{HeaderName, HeaderValue};
use ring::hmac;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair};

use super::*;

const ACCOUNT: &str = "AC0123456789abcdef0123456789abcdef";
const ADDRESS: &str = "https://hooks.example.com/twilio/sms";
const TOKEN: &str = "demo-auth-token";
const KEY: &str = "RE00/0.1/0";

fn now() -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(1_700_000_000)
}

fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
    let header = |(name, value): &(&'static str, &str)| {
        (HeaderName::from_static(name), HeaderValue::from_str(value).unwrap())
    };
    pairs.iter().map(header).collect()
}

fn fields(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect()
}

fn delivered() -> Vec<(String, String)> {
    let sid = "SM0123456789abcdef0123456789abcdef";
    fields(&[
        ("SmsSid", sid),
        ("SmsStatus", "delivered"),
        ("MessageStatus", "delivered"),
        ("To", "+15005550006"),
        ("MessageSid", sid),
        ("AccountSid", ACCOUNT),
        ("From", "+15005550001"),
        ("ApiVersion", "2010-04-01"),
    ])
}

/// What Twilio would sign, of a form whose names come in order.
fn twilio_signs(token: &str, url: &str, form: &[(String, String)]) -> String {
    let mut sorted = form.to_vec();
    sorted.sort();
    let text: String = sorted.iter().map(|(name, value)| format!("{name}{value}")).collect();
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, token.as_bytes());
    STANDARD.encode(hmac::sign(&key, format!("{url}{text}").as_bytes()))
}

fn from_twilio(
    address: &str,
    send: Option<&str>,
    signature: Option<&str>,
    form: &[(String, String)],
) -> Result<Vec<Said>, Refused> {
    let integration = Integration::of(Kind::Twilio, &[("account", ACCOUNT), ("password", TOKEN)]);
    let headers = match signature {
        Some(signature) => headers(&[("x-twilio-signature", signature)]),
        None => HeaderMap::new(),
    };
    let delivery = Delivery { address, send, headers: &headers, body: b"", form, now: now() };
    read(Kind::Twilio, &integration, &delivery)
}

#[test]
fn twilios_signature_is_that_of_a_known_example() {
    let good = "oMokB0474l5NmDO/bC90RCtTm3I=";
    // It is signed, but was not made for a send.
    let unreadable = from_twilio(ADDRESS, None, Some(good), &delivered());
    assert!(matches!(unreadable, Err(Refused::Unreadable(_))), "{unreadable:?}");
    let forged = from_twilio(ADDRESS, None, Some("aMokB0474l5NmDO/bC90RCtTm3I="), &delivered());
    assert!(matches!(forged, Err(Refused::NotSigned(_))), "{forged:?}");
}

#[test]
fn a_status_is_read_of_what_twilio_signed_for_this_address_and_of_nothing_else() {
    let url = "https://hooks.example.com/twilio/sms?send=RE00%2F0.1%2F0";
    let form = delivered();
    let sign = |url: &str| twilio_signs(TOKEN, url, &form);
    let with_port = url.replace(".com/", ".com:443/");
    for signature in [sign(url), sign(&with_port)] {
        let said = from_twilio(ADDRESS, Some(KEY), Some(&signature), &form).unwrap().pop().unwrap();
        assert_eq!((said.key.as_str(), said.status.as_str()), (KEY, "delivered"));
        assert_eq!(said.message_id, "SM0123456789abcdef0123456789abcdef");
        assert_eq!(said.id, "SM0123456789abcdef0123456789abcdef/delivered");
        assert_eq!(said.said.get("To").unwrap().to_string(), "\"+15005550006\"");
    }
    let mut changed = form.clone();
    changed[2].1 = "failed".to_owned();
    let mut more = form.clone();
    more.push(("ErrorCode".to_owned(), "30003".to_owned()));
    let other_token = twilio_signs("another", url, &form);
    for (send, signature, form) in [
        (Some(KEY), None, &form),
        (Some(KEY), Some(String::new()), &form),
        (Some(KEY), Some("no base64".to_owned()), &form),
        (Some(KEY), Some(other_token), &form),
        (Some(KEY), Some(sign(url)), &changed),
        (Some(KEY), Some(sign(url)), &more),
        // Signed for another send, for none, for another address.
        (Some("RE00/0.2/0"), Some(sign(url)), &form),
        (None, Some(sign(url)), &form),
        (Some(KEY), Some(sign("https://elsewhere.example.com/twilio/sms?send=RE00%2F0.1%2F0")), &form),
    ] {
        let refused = from_twilio(ADDRESS, send, signature.as_deref(), form);
        assert!(matches!(refused, Err(Refused::NotSigned(_))), "{send:?} {signature:?}: {refused:?}");
    }
    // Signed, but about somebody else's account: an account may have the token of another.
    let mut other = form.clone();
    other[5].1 = "AC9".to_owned();
    let refused = from_twilio(ADDRESS, Some(KEY), Some(&twilio_signs(TOKEN, url, &other)), &other);
    assert_eq!(refused, Err(Refused::NotSigned("it is about another account")));
}

#[test]
fn what_twilio_says_of_a_call_is_told_apart_by_its_number_in_the_sequence() {
    let url = "https://hooks.example.com/twilio/sms?send=RE00%2F0.1%2F0";
    let said = |number: &str, status: &str| {
        let form = fields(&[
            ("CallSid", "CA1"),
            ("CallStatus", status),
            ("AccountSid", ACCOUNT),
            ("SequenceNumber", number),
        ]);
        from_twilio(ADDRESS, Some(KEY), Some(&twilio_signs(TOKEN, url, &form)), &form).unwrap().remove(0)
    };
    assert_eq!(said("0", "in-progress").id, "CA1/in-progress/0");
    assert_ne!(said("0", "completed").id, said("1", "completed").id);
}

/// SendGrid's side: a key, its public half as SendGrid shows it, and what it signs.
struct Sendgrid {
    pair: EcdsaKeyPair,
    random: SystemRandom,
}

impl Sendgrid {
    fn new() -> Self {
        let random = SystemRandom::new();
        let algorithm = &ECDSA_P256_SHA256_ASN1_SIGNING;
        let document = EcdsaKeyPair::generate_pkcs8(algorithm, &random).unwrap();
        let pair = EcdsaKeyPair::from_pkcs8(algorithm, document.as_ref(), &random).unwrap();
        Self { pair, random }
    }

    fn public(&self) -> String {
        let head = STANDARD.decode("MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE").unwrap();
        // The head's last byte is the point's first.
        STANDARD.encode([&head[..26], self.pair.public_key().as_ref()].concat())
    }

    fn signs(&self, timestamp: &str, body: &str) -> String {
        let signed = format!("{timestamp}{body}");
        STANDARD.encode(self.pair.sign(&self.random, signed.as_bytes()).unwrap())
    }
}

fn from_sendgrid(
    public: Option<&str>,
    signature: &str,
    timestamp: &str,
    body: &str,
) -> Result<Vec<Said>, Refused> {
    let fields: Vec<(&str, &str)> =
        [("api-key", "SG.k")].into_iter().chain(public.map(|key| ("webhook-public-key", key))).collect();
    let integration = Integration::of(Kind::Sendgrid, &fields);
    let headers = headers(&[
        ("x-twilio-email-event-webhook-signature", signature),
        ("x-twilio-email-event-webhook-timestamp", timestamp),
    ]);
    let body = body.as_bytes();
    let delivery = Delivery { address: ADDRESS, send: None, headers: &headers, body, form: &[], now: now() };
    read(Kind::Sendgrid, &integration, &delivery)
}

#[test]
fn events_are_read_of_what_sendgrid_signed_lately_and_of_nothing_else() {
    let sendgrid = Sendgrid::new();
    let public = sendgrid.public();
    let body = r#"[{"email":"a@example.com","event":"delivered","notification_id":"RE00/0.1/0",
        "sg_event_id":"E1","sg_message_id":"m1.filter","timestamp":1700000000},
        {"email":"b@example.com","event":"open","sg_event_id":"E2","sg_message_id":"m2"},
        {"email":"a@example.com","event":"bounce","notification_id":"RE00/0.1/0","sg_message_id":"m1.x",
         "timestamp":1700000001}, 7]"#;
    let (at, signature) = ("1700000000", sendgrid.signs("1700000000", body));
    let said = from_sendgrid(Some(&public), &signature, at, body).unwrap();
    let seen: Vec<_> = said.iter().map(|said| (said.id.as_str(), said.status.as_str())).collect();
    assert_eq!(seen, [("E1", "delivered"), ("m1.x/bounce/1700000001", "bounce")], "only our own messages");
    assert_eq!((said[0].key.as_str(), said[0].message_id.as_str()), (KEY, "m1.filter"));
    let stranger = Sendgrid::new();
    let late = |age: i64| (1_700_000_000 - age).to_string();
    let signed_at = |at: &str| sendgrid.signs(at, body);
    let spaced = body.replace("delivered", "delivered ");
    for (public, signature, at, body) in [
        (None, signature.clone(), at.to_owned(), body),
        (Some("bm8ga2V5"), signature.clone(), at.to_owned(), body),
        (Some(stranger.public().as_str()), signature.clone(), at.to_owned(), body),
        (Some(&public), String::new(), at.to_owned(), body),
        (Some(&public), stranger.signs(at, body), at.to_owned(), body),
        (Some(&public), signature.clone(), "1700000001".to_owned(), body),
        (Some(&public), signature.clone(), at.to_owned(), &spaced),
        // Somebody has kept it for a while; or it is from the future.
        (Some(&public), signed_at(&late(86_400 + 301)), late(86_400 + 301), body),
        (Some(&public), signed_at(&late(-301)), late(-301), body),
        (Some(&public), signed_at("soon"), "soon".to_owned(), body),
    ] {
        let refused = from_sendgrid(public, &signature, &at, body);
        assert!(matches!(refused, Err(Refused::NotSigned(_))), "{public:?} at {at}: {refused:?}");
    }
    let at = late(86_400);
    assert!(from_sendgrid(Some(&public), &signed_at(&at), &at, body).is_ok(), "it tries for a day");
    let nonsense = sendgrid.signs("1700000000", "{}");
    let unreadable = from_sendgrid(Some(&public), &nonsense, "1700000000", "{}");
    assert!(matches!(unreadable, Err(Refused::Unreadable(_))), "{unreadable:?}");
}

#[test]
fn a_public_url_is_one_that_providers_can_call() {
    assert_eq!(Public::parse("https://a.example/x/"), Public::parse("https://a.example/x"));
    for bad in
        ["a.example", "ftp://a.example", "https://a_b.example", "https://a.example/?x", "https://u@a.example"]
    {
        assert!(Public::parse(bad).is_err(), "{bad}");
    }
}
