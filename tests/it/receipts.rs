//! What providers say later about sends comes back in: signed, once, and only to whom it belongs.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair};
use serde_json::{Value, json};
use system_tests::harness::{Answer, Request, Server, Tenant, wait_for};
use system_tests::stand_in::{Reply, StandIn};

const FORM: &str = "application/x-www-form-urlencoded";
const PUBLIC: &str = "https://hooks.example.com/cx";

fn twilio_account(tenant: &Tenant, account: &str, token: &str) {
    let account = json!({"account": account, "password": token, "from-phone-number": "+1999"});
    tenant.post("integrations/twilio", &account).expect(200);
}

/// Sends a text message, and gives the address that Twilio was told.
fn sms(tenant: &Tenant, twilio: &StandIn) -> Option<String> {
    tenant.pattern(
        r#"(event (= type "hello"))"#,
        "(send twilio sms {:to-phone-number *phone* :message \"hi\"})",
    );
    tenant.event(json!({"id": "ann", "type": "hello", "phone": "+1555"}));
    tenant.wait_reactions("ann", 1);
    twilio.asked().last().expect("it was asked").field("StatusCallback")
}

/// What Twilio posts and signs.
fn status(account: &str, status: &str) -> Vec<(&'static str, String)> {
    vec![
        ("AccountSid", account.to_owned()),
        ("MessageSid", "SM1".to_owned()),
        ("MessageStatus", status.to_owned()),
        ("To", "+1555".to_owned()),
    ]
}

fn twilio_signs(token: &str, url: &str, form: &[(&str, String)]) -> String {
    let text: String = form.iter().map(|(name, value)| format!("{name}{value}")).collect();
    let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, token.as_bytes());
    STANDARD.encode(ring::hmac::sign(&key, format!("{url}{text}").as_bytes()))
}

fn calls(server: &Server, url: &str, form: &[(&str, String)], signature: Option<&str>) -> Answer {
    let body: Vec<String> =
        form.iter().map(|(name, value)| format!("{name}={}", value.replace('+', "%2B"))).collect();
    let path = url.strip_prefix(PUBLIC).expect("below the public URL");
    let request = Request::new("POST", path).body(FORM, body.join("&"));
    let request = match signature {
        Some(signature) => request.header("X-Twilio-Signature", signature),
        None => request,
    };
    server.anonymous().send(&request)
}

/// The customer's events that are receipts, oldest first.
fn receipts(tenant: &Tenant) -> Vec<Value> {
    let events = tenant.entries("ann", "event").into_iter();
    events.filter(|entry| entry["event"]["type"] == "receipt").collect()
}

fn queued() -> Reply {
    Reply::Json(201, r#"{"sid":"SM1","status":"queued"}"#.to_owned())
}

#[test]
fn what_twilio_says_of_a_message_is_in_its_trail_and_starts_reactions_once() {
    let twilio = StandIn::new([], queued());
    let arguments = ["--twilio-url", twilio.url(), "--public-url", PUBLIC];
    let mut server = Server::start_with(&arguments);
    let acme = server.tenant("acme");
    twilio_account(&acme, "AC1", "canary-token");
    acme.pattern(
        r#"(event (and (= type "receipt") (= status "undelivered")))"#,
        "(send echo message {:message *message-id*})",
    );
    let url = sms(&acme, &twilio).expect("Twilio was told where");
    assert!(url.starts_with(&format!("{PUBLIC}/1.0/receipts/acme/twilio/")), "{url}");
    for word in ["sent", "undelivered"] {
        let form = status("AC1", word);
        let signature = twilio_signs("canary-token", &url, &form);
        for _ in 0..2 {
            calls(&server, &url, &form, Some(&signature)).expect(204);
        }
        server.kill();
        server.run(&arguments);
        // Until it has read again where it was, it is said to come later.
        let again = wait_for("the server to go on", || {
            let answer = calls(&server, &url, &form, Some(&signature));
            (answer.status != 503).then_some(answer)
        });
        again.expect(204);
    }
    let acme = acme.on(&server);
    let send = &acme.entries("ann", "send")[0];
    let said = send["receipts"].as_array().expect("they are in its trail");
    let words: Vec<_> = said.iter().map(|receipt| receipt["status"].as_str().unwrap_or_default()).collect();
    assert_eq!(words, ["sent", "undelivered"], "each once");
    assert_eq!(said[0]["receipt"]["To"], "+1555");
    let events = receipts(&acme);
    assert_eq!(events.len(), 2, "{events:?}");
    let ids: Vec<&Value> = events.iter().map(|event| &event["id"]).collect();
    assert!(said.iter().all(|receipt| ids.contains(&&receipt["event"])), "{said:?} {ids:?}");
    let reaction = &send["reaction"];
    assert!(events.iter().all(|event| event["cause"] == *reaction), "{events:?}");
    let path = format!("reactions/{}", reaction.as_str().unwrap());
    let steps = acme.get(&path).expect(200)["steps"].clone();
    let steps = steps.as_array().unwrap().iter().filter(|step| step["kind"] == "receipt-came");
    assert_eq!(steps.map(|step| step["place"].clone()).collect::<Vec<_>>(), [json!("0"), json!("0")]);
    acme.wait_reactions("ann", 2);
    let echoed = acme.wait_entries("ann", "send", 1, |send| send["endpoint"] == "echo");
    assert_eq!(echoed[0]["response"]["message"], "SM1");
    let (code, _, said) = server.cli(&["replay", "--tenant", "acme"]);
    assert_eq!(code, Some(0), "{said}");
    assert!(!server.said().contains("canary"));
}

#[test]
fn a_receipt_that_is_forged_unsigned_or_anothers_is_refused_and_leaves_no_trace() {
    let twilio = StandIn::new([], queued());
    let server = Server::start_with(&["--twilio-url", twilio.url(), "--public-url", PUBLIC]);
    let (acme, other) = (server.tenant("acme"), server.tenant("other"));
    twilio_account(&acme, "AC1", "token-of-acme");
    twilio_account(&other, "AC2", "token-of-other");
    let (url, theirs) = (sms(&acme, &twilio).unwrap(), sms(&other, &twilio).unwrap());
    let form = status("AC1", "delivered");
    let good = twilio_signs("token-of-acme", &url, &form);
    // Another send's address, of the same tenant: what is signed for one is not for another.
    let elsewhere = url.replace("%2F0%2F0", "%2F0%2F1");
    let changed = status("AC1", "failed");
    for (url, form, signature) in [
        (&url, &form, None),
        (&url, &form, Some(String::new())),
        (&url, &form, Some(twilio_signs("token-of-other", &url, &form))),
        (&url, &changed, Some(good.clone())),
        (&elsewhere, &form, Some(good.clone())),
        (&theirs, &form, Some(good.clone())),
    ] {
        assert_eq!(calls(&server, url, form, signature.as_deref()).status, 403, "{url} {signature:?}");
    }
    // A tenant that knows its own token and its own address says something about another's send.
    let address = theirs.split('?').next().unwrap();
    let stranger = format!("{address}?{}", url.split('?').nth(1).unwrap());
    let form_of_other = status("AC2", "delivered");
    let signature = twilio_signs("token-of-other", &stranger, &form_of_other);
    assert_eq!(calls(&server, &stranger, &form_of_other, Some(&signature)).status, 404);
    // An address that is none.
    let secret = url.split('?').next().unwrap().rsplit('/').next().unwrap();
    for wrong in [
        url.replace(secret, &"0".repeat(64)),
        url.replace("/acme/", "/nobody/"),
        url.replace("/acme/", "/other/"),
        url.replace("/twilio/", "/sendgrid/"),
        url.replace("/twilio/", "/webhook/"),
    ] {
        let signature = twilio_signs("token-of-acme", &wrong, &form);
        assert_eq!(calls(&server, &wrong, &form, Some(&signature)).status, 404, "{wrong}");
    }
    for tenant in [&acme, &other] {
        assert!(receipts(tenant).is_empty());
        assert_eq!(tenant.entries("ann", "send")[0].get("receipts"), None);
    }
    calls(&server, &url, &form, Some(&good)).expect(204);
    assert_eq!((receipts(&acme).len(), receipts(&other).len()), (1, 0), "the control");
}

#[test]
fn without_a_public_url_no_callback_is_asked_for_and_none_is_taken() {
    let twilio = StandIn::new([], queued());
    let server = Server::start_with(&["--twilio-url", twilio.url()]);
    let acme = server.tenant("acme");
    twilio_account(&acme, "AC1", "token");
    assert_eq!(sms(&acme, &twilio), None);
    let url = format!("{PUBLIC}/1.0/receipts/acme/twilio/{}?send=x", "0".repeat(64));
    assert_eq!(calls(&server, &url, &status("AC1", "sent"), None).status, 404);
    acme.post("integrations/sendgrid", &json!({"api-key": "SG.k", "from": "a@example.com"})).expect(200);
    assert_eq!(acme.get("integrations/sendgrid").expect(200).get("receipts-url"), None);
}

#[test]
fn what_sendgrid_says_of_a_mail_is_in_its_trail_once_and_only_if_it_signed_it() {
    let random = SystemRandom::new();
    let algorithm = &ECDSA_P256_SHA256_ASN1_SIGNING;
    let document = EcdsaKeyPair::generate_pkcs8(algorithm, &random).unwrap();
    let pair = EcdsaKeyPair::from_pkcs8(algorithm, document.as_ref(), &random).unwrap();
    let head = STANDARD.decode("MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE").unwrap();
    let public = STANDARD.encode([&head[..26], pair.public_key().as_ref()].concat());
    let sendgrid = StandIn::new([], Reply::Json(202, String::new()));
    let server = Server::start_with(&["--sendgrid-url", sendgrid.url(), "--public-url", PUBLIC]);
    let acme = server.tenant("acme");
    let account = json!({"api-key": "SG.k", "from": "a@example.com", "webhook-public-key": public});
    let url = acme.post("integrations/sendgrid", &account).expect(200)["receipts-url"].clone();
    // What is shown may be written back.
    let shown = acme.get("integrations/sendgrid").expect(200);
    assert_eq!(shown["receipts-url"], url);
    acme.post("integrations/sendgrid", &shown).expect(200);
    acme.pattern(
        r#"(event (= type "hello"))"#,
        r#"(send sendgrid email {:to "b@example.com" :subject "s" :message "m"})"#,
    );
    acme.event(json!({"id": "ann", "type": "hello"}));
    acme.wait_reactions("ann", 1);
    let mail: Value = serde_json::from_str(&sendgrid.asked()[0].body).unwrap();
    let key = mail["personalizations"][0]["custom_args"]["notification_id"].clone();
    let events = json!([
        {"event": "delivered", "sg_event_id": "E1", "sg_message_id": "m1.x", "notification_id": key},
        {"event": "delivered", "sg_event_id": "E1", "sg_message_id": "m1.x", "notification_id": key},
        {"event": "open", "sg_event_id": "E2", "sg_message_id": "m1.x", "notification_id": key},
        {"event": "open", "sg_event_id": "E3", "sg_message_id": "other", "notification_id": "RE9/0/0"},
        {"event": "open", "sg_event_id": "E4", "sg_message_id": "newsletter"},
    ])
    .to_string();
    let seconds = || std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    let sign = |at: u64| STANDARD.encode(pair.sign(&random, format!("{at}{events}").as_bytes()).unwrap());
    let post = |signature: &str, at: u64| {
        let path = url.as_str().unwrap().strip_prefix(PUBLIC).unwrap();
        let request = Request::new("POST", path)
            .body("application/json", events.clone())
            .header("X-Twilio-Email-Event-Webhook-Signature", signature)
            .header("X-Twilio-Email-Event-Webhook-Timestamp", &at.to_string());
        server.anonymous().send(&request)
    };
    let (now, old) = (seconds(), seconds() - 2 * 86_400);
    assert_eq!(post("", now).status, 403);
    assert_eq!(post(&sign(now), now + 1).status, 403);
    assert_eq!(post(&sign(old), old).status, 403, "somebody has kept it");
    assert!(receipts(&acme).is_empty());
    for _ in 0..2 {
        post(&sign(now), now).expect(204);
    }
    let send = &acme.entries("ann", "send")[0];
    let said: Vec<_> =
        send["receipts"].as_array().unwrap().iter().map(|said| said["status"].clone()).collect();
    assert_eq!(said.len(), 2, "{send}");
    assert!(said.contains(&json!("delivered")) && said.contains(&json!("open")), "{send}");
    assert_eq!(receipts(&acme).len(), 2);
    // Who may not see secrets does not see the address.
    let (id, secret) = server.admin().new_client("acme", Some(&["read"]));
    let reader = server.anonymous().with_token_of(&id, &secret);
    let seen = reader.send(&Request::new("GET", "/1.0/tenants/acme/integrations/sendgrid")).expect(200);
    assert_eq!(seen["receipts-url"], "********");
}
