//! A secret that a tenant has given is nowhere but where it has to be: not in a file, a log, a backup, an answer to
//! who may not see secrets, nor in the trail, whatever a third party says back.

use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use system_tests::harness::{Answer, Client, Request, Server, wait_for};
use system_tests::stand_in::{Reply, StandIn};

/// In every secret, and in nothing else.
const CANARY: &str = "canary";

/// Every type that has secrets, each secret a canary of its own.
fn integrations(hook: &str) -> Vec<(&'static str, Value)> {
    vec![
        ("twilio", json!({"account": "AC1", "password": "canary-twilio", "from-phone-number": "+1"})),
        (
            "sendgrid",
            json!({"api-key": "canary-sendgrid", "password": "canary-mail", "from": "a@example.com"}),
        ),
        (
            "salesforce",
            json!({"username": "u", "password": "canary-sf", "secret-token": "canary-sftoken",
                "consumer-key": "ck", "consumer-secret": "canary-sfsecret"}),
        ),
        ("urban-airship", json!({"username": "app", "password": "canary-airship"})),
        ("datasift", json!({"username": "u", "api-key": "canary-datasift"})),
        ("pusher", json!({"key": "k", "secret": "canary-pusher", "app-id": "7"})),
        ("zendesk", json!({"subdomain": "s", "email": "e@example.com", "token": "canary-zendesk"})),
        (
            "webhook",
            json!({"url": hook, "secret": "canary-webhook", "headers": {"X-Api-Key": "canary-header"}}),
        ),
    ]
}

const THEN: &str = r#"(par
    (send twilio sms {:to-phone-number "+1" :message "m"} (failure (set a 1)))
    (send twilio call {:to-phone-number "+1" :message "m"} (failure (set a 1)))
    (send sendgrid email {:to "b@example.com" :subject "s" :message "m"} (failure (set a 1)))
    (send salesforce task {:Subject "s"} (failure (set a 1)))
    (send urban-airship push {:message "m"} (failure (set a 1)))
    (send pusher trigger {:channel "c" :event "e" :data "d"} (failure (set a 1)))
    (send zendesk ticket {:subject "s" :message "m"} (failure (set a 1)))
    (send webhook post {:body {:a 1}} (success (set told $echo)) (failure (set a 1))))"#;

/// How many sends that is.
const SENDS: usize = 8;

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

/// No secret is there, neither in clear nor as it went out.
fn clean(place: &str, bytes: &[u8], sent: &[String]) {
    for secret in sent.iter().map(String::as_str).chain([CANARY]) {
        let there = bytes.windows(secret.len()).position(|window| window == secret.as_bytes());
        let around = |at: usize| {
            String::from_utf8_lossy(&bytes[at.saturating_sub(80)..bytes.len().min(at + 80)]).into_owned()
        };
        assert!(there.is_none(), "{secret} is in {place}: {:?}", there.map(around));
    }
}

/// A client of the tenant with all scopes but the one to see secrets.
fn without_secrets(server: &Server) -> Client {
    let scopes = ["read", "write", "events", "integrations:manage"];
    let (id, secret) = server.admin().new_client("acme", Some(&scopes));
    server.anonymous().with_token_of(&id, &secret)
}

/// What somebody is told who asks for everything, and who writes what is wrong.
fn told(client: &Client) -> Vec<Answer> {
    let get = |path: &str| client.send(&Request::new("GET", path));
    let reactions = get("/1.0/tenants/acme/reactions").expect(200);
    let reaction = reactions["entries"][0]["id"].as_str().expect("a reaction").to_owned();
    let mut answers: Vec<Answer> = [
        "/1.0/tenants/acme/integrations".to_owned(),
        "/v1/tenants/acme/integrations".to_owned(),
        "/1.0/tenants/acme/customers/ann".to_owned(),
        "/1.0/tenants/acme/sends".to_owned(),
        "/1.0/tenants/acme/audit?limit=1000".to_owned(),
        "/1.0/tenants/acme/event/history".to_owned(),
        "/metrics".to_owned(),
        format!("/1.0/tenants/acme/reactions/{reaction}"),
    ]
    .iter()
    .map(|path| get(path))
    .collect();
    for answer in &answers {
        assert_eq!(answer.status, 200, "{}: {}", answer.asked, answer.body);
    }
    for (kind, fields) in integrations("http://127.0.0.1:1/") {
        answers.push(get(&format!("/1.0/tenants/acme/integrations/{kind}")));
        let wrong = fields.as_object().expect("an object").iter().map(|(name, value)| match value {
            Value::String(text) => (name.clone(), json!([text])),
            other => (name.clone(), other.clone()),
        });
        let wrong: serde_json::Map<_, _> = wrong.chain([("canary".to_owned() + "x", json!(1))]).collect();
        let path = format!("/1.0/tenants/acme/integrations/{kind}");
        let refused = client.send(&Request::new("POST", &path).json(&json!(wrong)));
        assert_eq!(refused.status, 400, "{}", refused.body);
        // The name of a field that is not known is said back; it is no secret.
        answers.push(Answer { body: refused.body.replace("canaryx", "x"), ..refused });
    }
    answers
}

#[test]
fn no_secret_of_any_integration_leaves_it() {
    // One round in which everybody refuses and repeats what they were sent, one in which the webhook succeeds so.
    for status in [400, 200] {
        let echo = StandIn::new([], Reply::Echo(status));
        let url = echo.url();
        let mut arguments = vec!["--allow-private-addresses", "--log", "trace"];
        for option in ["--twilio-url", "--sendgrid-url", "--salesforce-login-url", "--airship-url"] {
            arguments.extend([option, url]);
        }
        arguments.extend(["--pusher-url", url, "--zendesk-url", url]);
        let mut server = Server::start_with(&arguments);
        let acme = server.tenant("acme");
        for (kind, fields) in integrations(url) {
            acme.post(&format!("integrations/{kind}"), &fields).expect(200);
        }
        acme.pattern(r#"(event (= type "go"))"#, THEN);
        acme.event(json!({"id": "ann", "type": "go"}));
        acme.wait_entries("ann", "send", SENDS, |send| send["state"] != "begun");
        wait_for("the stand-in to be asked", || (echo.asked().len() >= SENDS).then_some(()));
        // As it went out: `Basic …`, without its scheme.
        let mut sent: Vec<String> = echo
            .asked()
            .iter()
            .filter_map(|asked| Some(asked.header("authorization").split_once(' ')?.1.to_owned()))
            .collect();
        assert!(sent.len() >= 3, "{sent:?}");
        sent.extend(["AC1:canary-twilio", "app:canary-airship"].map(|basic| STANDARD.encode(basic)));
        let body = echo.asked().iter().map(|asked| format!("{asked:?}")).collect::<String>();
        assert!(
            body.contains("canary-header") && body.contains("canary-sfsecret"),
            "the control: they went out"
        );
        for answer in told(&without_secrets(&server)) {
            clean(&answer.asked, answer.body.as_bytes(), &sent);
        }
        // The trail is clean also for who may see secrets.
        for path in ["customers/ann", "sends", "audit?limit=1000"] {
            clean(path, acme.get(path).body.as_bytes(), &sent);
        }
        let shown = acme.get("integrations/twilio").expect(200);
        assert_eq!(shown["password"], "canary-twilio", "the control");
        let mut folders = vec![server.data_dir()];
        if server.home().is_database() {
            clean("the database", &server.home().all_tables(), &sent);
        } else {
            let backup = server.scratch("backup");
            let (code, out, said) = server.cli(&["backup", "--to", backup.to_str().expect("a path")]);
            assert_eq!(code, Some(0), "{said}");
            clean("what the backup says", format!("{out}{said}").as_bytes(), &sent);
            folders.push(backup);
        }
        server.terminate();
        for path in folders.iter().flat_map(|folder| files(folder)) {
            clean(&path.display().to_string(), &std::fs::read(path).expect("a file"), &sent);
        }
        let log = server.said();
        assert!(log.contains("TRACE"), "the log says all that it can");
        clean("the log", log.as_bytes(), &sent);
    }
}
