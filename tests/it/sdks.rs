//! The providers' own clients: what they send is what we send, what the stand-ins answer they take, and what the
//! tests sign in a provider's name they believe. So nobody here has only their own word for a provider's wire.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair};
use serde_json::{Value, json};
use system_tests::harness::{Request, Server, Tenant, wait_for};
use system_tests::peer::Peer;
use system_tests::stand_in::{self, Asked, Reply, StandIn};

use crate::listeners::Datasift;

const PUBLIC: &str = "https://hooks.example.com";

fn clients() -> Peer {
    Peer::python("sdks.py")
}

fn clients_for_node() -> Peer {
    Peer::node("sdks.js", &[])
}

fn ask(clients: &mut Peer, asked: &Value) -> Value {
    let answer: Value = serde_json::from_str(&clients.ask(&asked.to_string())).expect("JSON");
    assert!(answer.get("error").is_none(), "{asked}: {answer}");
    answer
}

/// Has a tenant's reaction send once; what arrived.
fn ours(
    server: &Server,
    tenant: &str,
    kind: &str,
    fields: &Value,
    then: &str,
    there: &StandIn,
) -> (Tenant, Asked) {
    let tenant = server.tenant(tenant);
    tenant.post(&format!("integrations/{kind}"), fields).expect(200);
    tenant.pattern(r#"(event (= type "go"))"#, then);
    tenant.event(json!({"id": "ann", "type": "go"}));
    let send = &tenant.wait_entries("ann", "send", 1, |send| send["state"] != "begun")[0];
    assert_eq!(send["state"], "succeeded", "{send}");
    (tenant, there.asked().remove(0))
}

/// The names and values of a form, each name's in order.
fn form(body: &str) -> BTreeMap<String, Vec<String>> {
    let mut fields: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (name, value) in stand_in::fields(body) {
        fields.entry(name).or_default().push(value);
    }
    fields
}

fn parsed(asked: &Asked) -> Value {
    serde_json::from_str(&asked.body).expect("JSON")
}

fn same_head(ours: &Asked, theirs: &Asked) {
    assert_eq!(ours.line.trim_end_matches('/'), theirs.line.trim_end_matches('/'));
    for header in ["authorization", "content-type", "accept"] {
        let plain = |asked: &Asked| asked.header(header).trim_end_matches(';').to_owned();
        assert_eq!(plain(ours), plain(theirs), "{header} of {}", ours.line);
    }
}

#[test]
fn twilios_own_client_asks_and_signs_as_we_do_and_takes_what_the_stand_in_answers() {
    let mut clients = clients();
    let queued = Reply::Json(201, r#"{"sid":"CA1","status":"queued"}"#.to_owned());
    let twilio = StandIn::new([], queued);
    let server = Server::start_with(&["--twilio-url", twilio.url(), "--public-url", PUBLIC]);
    let account = json!({"account": "AC1", "password": "token", "from-phone-number": "+1999"});
    let then = r#"(send twilio call {:to-phone-number "+1555" :message "Disk A & B <full>"})"#;
    let (acme, call) = ours(&server, "acme", "twilio", &account, then, &twilio);
    let fields = form(&call.body);
    let url = fields["StatusCallback"][0].clone();
    let there = json!({"url": twilio.url(), "account": "AC1", "token": "token"});
    let with = |sdk: &str, more: Value| {
        let mut asked = there.clone();
        asked["sdk"] = sdk.into();
        asked.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        asked
    };
    let params = json!({"to": "+1555", "from_": "+1999", "status_callback": url,
        "twiml": "<Response><Say>Disk A &amp; B &lt;full&gt;</Say></Response>",
        "status_callback_event": ["answered", "completed"]});
    let answer = ask(&mut clients, &with("twilio_call", json!({"params": params})));
    assert_eq!(answer, json!({"sid": "CA1", "status": "queued"}));
    let theirs = twilio.asked().remove(1);
    same_head(&call, &theirs);
    assert_eq!(fields, form(&theirs.body));
    assert_eq!(ask(&mut clients, &with("twilio_status", json!({"sid": "CA1"})))["call"], "queued");
    assert_eq!(twilio.asked()[2].line, "GET /2010-04-01/Accounts/AC1/Calls/CA1.json");
    // What Twilio's own client signs is let in.
    let said = json!({"AccountSid": "AC1", "CallSid": "CA1", "CallStatus": "busy", "SequenceNumber": "1"});
    let signs = json!({"sdk": "twilio_signs", "token": "token", "url": url, "params": said});
    let signature = ask(&mut clients, &signs);
    let request = Request::new("POST", url.strip_prefix(PUBLIC).unwrap())
        .body(
            "application/x-www-form-urlencoded",
            "AccountSid=AC1&CallSid=CA1&CallStatus=busy&SequenceNumber=1",
        )
        .header("X-Twilio-Signature", signature.as_str().unwrap());
    server.anonymous().send(&request).expect(204);
    wait_for("the receipt in the send's trail", || {
        (acme.entries("ann", "send")[0]["receipts"][0]["status"] == "busy").then_some(())
    });
}

#[test]
fn sendgrids_own_client_asks_as_we_do_and_believes_what_the_tests_sign() {
    let mut clients = clients();
    let sendgrid = StandIn::new([], Reply::Json(202, String::new()));
    let server = Server::start_with(&["--sendgrid-url", sendgrid.url()]);
    let account = json!({"api-key": "SG.key", "from": "Alerts <a@example.com>"});
    let then = r#"(send sendgrid email {:to "b@example.com" :subject "s" :message "m" :html "<p>m</p>"})"#;
    let (_, mail) = ours(&server, "acme", "sendgrid", &account, then, &sendgrid);
    let asked =
        json!({"sdk": "sendgrid_mail", "key": "SG.key", "url": sendgrid.url(), "mail": parsed(&mail)});
    assert_eq!(ask(&mut clients, &asked)["status"], 202);
    let theirs = sendgrid.asked().remove(1);
    same_head(&mail, &theirs);
    assert_eq!(parsed(&mail), parsed(&theirs));
    // The other direction: the tests' way to sign events is SendGrid's.
    let random = SystemRandom::new();
    let algorithm = &ECDSA_P256_SHA256_ASN1_SIGNING;
    let document = EcdsaKeyPair::generate_pkcs8(algorithm, &random).unwrap();
    let pair = EcdsaKeyPair::from_pkcs8(algorithm, document.as_ref(), &random).unwrap();
    let head = STANDARD.decode("MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE").unwrap();
    let public = STANDARD.encode([&head[..26], pair.public_key().as_ref()].concat());
    let body = r#"[{"event":"delivered"}]"#;
    let signature = STANDARD.encode(pair.sign(&random, format!("1700000000{body}").as_bytes()).unwrap());
    let mut asked = json!({"sdk": "sendgrid_believes", "public": public, "body": body, "signature": signature,
        "timestamp": "1700000000"});
    assert_eq!(ask(&mut clients, &asked), true);
    asked["body"] = r#"[{"event":"bounce"}]"#.into();
    assert_eq!(ask(&mut clients, &asked), false, "the control");
}

#[test]
fn pushers_own_client_asks_and_signs_as_we_do() {
    let mut clients = clients();
    let pusher = StandIn::new([], Reply::Json(200, "{}".to_owned()));
    let server = Server::start_with(&["--pusher-url", pusher.url()]);
    let account = json!({"key": "app-key", "secret": "app-secret", "app-id": "77"});
    let then = r#"(send pusher trigger {:channel "orders" :event "placed" :data {:id 42}})"#;
    let (_, trigger) = ours(&server, "acme", "pusher", &account, then, &pusher);
    let asked = json!({"sdk": "pusher_trigger", "url": pusher.url(), "app": "77", "key": "app-key",
        "secret": "app-secret", "channel": "orders", "event": "placed", "data": {"id": 42}});
    ask(&mut clients, &asked);
    let theirs = pusher.asked().remove(1);
    let [(our_path, our_query), (path, query)] =
        [&trigger, &theirs].map(|asked| asked.line.split_once('?').expect("a query"));
    assert_eq!(our_path, path);
    assert_eq!(trigger.header("content-type"), theirs.header("content-type"));
    assert_eq!(form(our_query).keys().collect::<Vec<_>>(), form(query).keys().collect::<Vec<_>>());
    let loose = |asked: &Asked| {
        let mut body = parsed(asked);
        body["data"] = serde_json::from_str(body["data"].as_str().unwrap()).unwrap();
        body
    };
    assert_eq!(loose(&trigger), loose(&theirs));
    // Pusher's own signature of what we have sent is ours.
    let fields = form(our_query);
    let signed: Vec<String> = fields
        .iter()
        .filter(|(name, _)| *name != "auth_signature")
        .map(|(name, values)| format!("{name}={}", values[0]))
        .collect();
    let text = format!("POST\n{}\n{}", our_path.trim_start_matches("POST "), signed.join("&"));
    let signature = ask(&mut clients, &json!({"sdk": "pusher_signs", "secret": "app-secret", "text": text}));
    assert_eq!(signature, fields["auth_signature"][0]);
}

#[test]
fn airships_own_client_asks_as_we_do() {
    let mut clients = clients();
    let airship = StandIn::new([], Reply::Json(202, r#"{"ok":true,"push_ids":["p1"]}"#.to_owned()));
    let server = Server::start_with(&["--airship-url", airship.url()]);
    let (key, secret) = ("a".repeat(22), "b".repeat(22));
    let account = json!({"username": key, "password": secret});
    let then = r#"(send urban-airship push {:message "hello"})"#;
    let (_, push) = ours(&server, "acme", "urban-airship", &account, then, &airship);
    let asked = json!({"sdk": "airship_push", "url": airship.url(), "key": key, "secret": secret,
        "user": "ann", "alert": "hello"});
    assert_eq!(ask(&mut clients, &asked)["ids"], json!(["p1"]));
    let theirs = airship.asked().remove(1);
    same_head(&push, &theirs);
    assert_eq!(parsed(&push), parsed(&theirs));
}

#[test]
fn a_salesforce_client_logs_in_and_makes_records_as_we_do() {
    let mut clients = clients_for_node();
    let salesforce =
        StandIn::new([], Reply::Json(201, r#"{"id":"00Q1","success":true,"errors":[]}"#.to_owned()));
    let token = json!({"access_token": "00D!t", "instance_url": salesforce.url(), "token_type": "Bearer",
        "id": "https://login.salesforce.com/id/00Dxx0000001gPLEAY/005xx000001SwiUAAS"});
    let token = Reply::Json(200, token.to_string());
    salesforce.next([token.clone()]);
    let server = Server::start_with(&["--salesforce-login-url", salesforce.url()]);
    let account = json!({"consumer-key": "ck", "consumer-secret": "c&s", "username": "u@example.com",
        "password": "p w", "secret-token": "T"});
    let then = r#"(send salesforce lead {:LastName "Löw" :Company "C" :NumberOfEmployees 3})"#;
    let tenant = server.tenant("acme");
    tenant.post("integrations/salesforce", &account).expect(200);
    tenant.pattern(r#"(event (= type "go"))"#, then);
    tenant.event(json!({"id": "ann", "type": "go"}));
    let send = &tenant.wait_entries("ann", "send", 1, |send| send["state"] != "begun")[0];
    assert_eq!(send["state"], "succeeded", "{send}");
    let ours = salesforce.asked();
    salesforce.next([token]);
    let asked = json!({"sdk": "salesforce_create", "url": salesforce.url(), "account": account,
        "object": "Lead", "record": parsed(&ours[1])});
    assert_eq!(ask(&mut clients, &asked)["id"], "00Q1");
    let theirs = salesforce.asked().split_off(ours.len());
    assert_eq!(ours[0].line, theirs[0].line);
    assert_eq!(ours[0].header("content-type"), theirs[0].header("content-type"));
    assert_eq!(form(&ours[0].body), form(&theirs[0].body));
    assert_eq!(ours[1].line, theirs[1].line);
    for header in ["authorization", "content-type"] {
        assert_eq!(ours[1].header(header), theirs[1].header(header));
    }
    assert_eq!(parsed(&ours[1]), parsed(&theirs[1]));
}

#[test]
fn a_zendesk_client_asks_as_we_do() {
    let mut clients = clients_for_node();
    let zendesk = StandIn::new([], Reply::Json(201, r#"{"ticket":{"id":35}}"#.to_owned()));
    let server = Server::start_with(&["--zendesk-url", zendesk.url()]);
    let account = json!({"subdomain": "acme", "email": "a@example.com", "token": "tk"});
    let then = r#"(send zendesk ticket {:subject "s" :message "m" :priority "high" :tags "a, b"
        :requester "Ann <ann@example.com>"})"#;
    let (_, ticket) = ours(&server, "acme", "zendesk", &account, then, &zendesk);
    let asked = json!({"sdk": "zendesk_ticket", "url": zendesk.url(), "account": account,
        "ticket": parsed(&ticket)["ticket"]});
    assert_eq!(ask(&mut clients, &asked)["id"], 35);
    let theirs = zendesk.asked().remove(1);
    assert_eq!(ticket.line, theirs.line);
    for header in ["authorization", "content-type"] {
        assert_eq!(ticket.header(header), theirs.header(header));
    }
    assert_eq!(parsed(&ticket), parsed(&theirs));
}

#[test]
fn the_standards_own_library_believes_our_webhooks_and_no_others() {
    let mut clients = clients();
    let hook = StandIn::new([], Reply::Json(200, "{}".to_owned()));
    let server = Server::start_with(&["--allow-private-addresses"]);
    let secret = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3";
    let account = json!({"url": hook.url(), "secret": secret});
    let then = "(send webhook post {:body {:who *id* :n 1.50}})";
    let (_, posted) = ours(&server, "acme", "webhook", &account, then, &hook);
    let headers: BTreeMap<&str, &str> = ["webhook-id", "webhook-timestamp", "webhook-signature"]
        .into_iter()
        .map(|name| (name, posted.header(name)))
        .collect();
    let asked = json!({"sdk": "webhook_believes", "secret": secret, "headers": headers, "body": posted.body});
    assert_eq!(ask(&mut clients, &asked), true);
    let mut other = asked.clone();
    other["body"] = r#"{"who":"bob","n":1.50}"#.into();
    let refused: Value = serde_json::from_str(&clients.ask(&other.to_string())).unwrap();
    assert!(refused["error"].as_str().is_some_and(|error| error.contains("Verification")), "{refused}");
}

#[test]
fn datasifts_own_client_says_who_it_is_as_we_do_and_hears_what_the_stand_in_sends() {
    let mut clients = clients_for_node();
    let datasift = Datasift::start();
    let server = Server::start_with(&["--datasift-url", &format!("http://127.0.0.1:{}", datasift.port)]);
    let acme = server.tenant("acme");
    let account = json!({"username": "demo", "api-key": "key"});
    acme.post("integrations/datasift", &account).expect(200);
    let hash = "0f1e2d3c4b5a69788796a5b4c3d2e1f0";
    let listener = json!({"name": "Tweets", "type": "datasift", "status": true, "options": {"hash": hash},
        "mapping": {"id": "interaction.author.username", "n": "twitter.n"}});
    acme.post("listeners", &listener).expect(201);
    datasift.send(3);
    wait_for("the interactions", || (acme.entries("c2", "event").len() == 1).then_some(()));
    let asked = json!({"sdk": "datasift_stream", "host": "127.0.0.1", "port": datasift.port, "account": account,
        "hash": hash, "count": 3});
    let heard = ask(&mut clients, &asked);
    let numbers: Vec<_> =
        heard["interactions"].as_array().unwrap().iter().map(|i| &i["twitter"]["n"]).collect();
    assert_eq!((numbers, &heard["ticks"]), (vec![&json!(0), &json!(1), &json!(2)], &json!(1)));
    let said = datasift.asked().into_iter().map(|head| {
        let line =
            head.lines().find(|line| line.to_lowercase().starts_with("authorization:")).unwrap().to_owned();
        line.split_once(": ").unwrap().1.to_owned()
    });
    assert_eq!(said.collect::<Vec<_>>(), ["demo:key", "demo:key"], "ours and theirs");
}
