//! Reactions that reach third parties: the real binary against stand-ins.

use serde_json::json;
use system_tests::harness::{Server, wait_for};
use system_tests::stand_in::{Reply, StandIn};

const ON_CALL: &str = r#"(event (= type "abandoned"))"#;

fn answer(status: u16, body: &str) -> Reply {
    Reply::Json(status, body.to_owned())
}

#[test]
fn a_customer_is_called_back_and_what_comes_next_waits_until_they_answer() {
    let status =
        |status: &str| answer(200, &format!(r#"{{"sid":"CA1","status":"{status}","duration":null}}"#));
    let replies =
        [answer(201, r#"{"sid":"CA1","status":"queued"}"#), status("queued"), status("in-progress")];
    let twilio = StandIn::new(replies, answer(500, "{}"));
    let mut server = Server::start_with(&["--twilio-url", twilio.url()]);
    let acme = server.tenant("acme");
    let account = json!({"account": "AC1", "password": "canary-token", "from-phone-number": "+1999"});
    acme.post("integrations/twilio", &account).expect(200);
    acme.pattern(
        ON_CALL,
        r#"(seq (send twilio call {:to-phone-number *phone* :message "Sorry & hello"} (success (set sid $sid)))
                (await twilio call-status {:sid sid}
                       (if (= $call-status "answered") (success (send echo message {:message "there"})))
                       (within 20 seconds)))"#,
    );
    acme.event(json!({"id": "ann", "type": "abandoned", "phone": "+1555"}));
    acme.wait_reactions("ann", 1);
    let asked = twilio.asked();
    let lines: Vec<&str> = asked.iter().map(|asked| asked.line.as_str()).collect();
    let status = "GET /2010-04-01/Accounts/AC1/Calls/CA1.json";
    assert_eq!(lines, ["POST /2010-04-01/Accounts/AC1/Calls.json", status, status]);
    assert_eq!(
        asked[0].body,
        "To=%2B1555&From=%2B1999&Twiml=%3CResponse%3E%3CSay%3ESorry+%26amp%3B+hello%3C%2FSay%3E%3C%2FResponse%3E"
    );
    let sends = acme.entries("ann", "send");
    assert_eq!(sends[0]["response"], json!({"sid": "CA1", "call-id": "CA1", "status": "queued"}));
    assert!(server.terminate().success());
    assert!(!server.said().contains("canary"), "a secret is in the log");
    for file in std::fs::read_dir(server.data_dir()).unwrap() {
        let path = file.unwrap().path();
        let bytes = std::fs::read(&path).unwrap();
        assert!(!bytes.windows(6).any(|window| window == b"canary"), "{path:?}");
    }
}

#[test]
fn a_webhook_reaches_a_private_address_only_if_the_operator_lets_it() {
    for (arguments, state) in [(&[][..], "failed"), (&["--allow-private-addresses"][..], "succeeded")] {
        let hook = StandIn::new([], answer(200, r#"{"told":"yes"}"#));
        let server = Server::start_with(arguments);
        let acme = server.tenant("acme");
        let secret = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3";
        acme.post("integrations/webhook", &json!({"url": hook.url(), "secret": secret})).expect(200);
        acme.pattern(ON_CALL, "(send webhook post {:body {:who *id*}})");
        acme.event(json!({"id": "ann", "type": "abandoned"}));
        let sends = acme.wait_entries("ann", "send", 1, |send| send["state"] != "begun");
        assert_eq!(sends[0]["state"], state, "{sends:#?}");
        let asked = hook.asked();
        if state == "failed" {
            assert_eq!(asked.len(), 0, "it was reached");
            assert!(sends[0]["error"].as_str().unwrap().contains("not a public address"), "{sends:#?}");
        } else {
            assert_eq!(asked[0].body, r#"{"who":"ann"}"#);
            assert!(asked[0].header("webhook-signature").starts_with("v1,"), "{asked:?}");
            assert_eq!(sends[0]["response"], json!({"told": "yes", "status": 200}));
        }
    }
}

#[test]
fn a_send_that_a_crash_cut_off_is_made_again_under_its_key_and_owned_up_to() {
    let hook = StandIn::new([Reply::Nothing], answer(204, ""));
    let arguments = ["--allow-private-addresses"];
    let mut server = Server::start_with(&arguments);
    let acme = server.tenant("acme");
    acme.post("integrations/webhook", &json!({"url": hook.url()})).expect(200);
    acme.pattern(ON_CALL, "(send webhook post {:body \"x\"})");
    acme.event(json!({"id": "ann", "type": "abandoned"}));
    wait_for("the first request", || (hook.asked().len() == 1).then_some(()));
    server.kill();
    server.run(&arguments);
    let acme = acme.on(&server);
    acme.wait_reactions("ann", 1);
    let asked = hook.asked();
    assert_eq!(asked.len(), 2);
    assert_eq!(asked[0].header("webhook-id"), asked[1].header("webhook-id"));
    let sends = acme.entries("ann", "send");
    assert_eq!((&sends[0]["state"], &sends[0]["possibly-sent-twice"]), (&json!("succeeded"), &json!(true)));
}

#[test]
fn a_send_that_a_crash_cut_off_waits_for_a_person_where_the_integration_holds_such_sends() {
    let twilio = StandIn::new([Reply::Nothing], answer(201, r#"{"sid":"SM1"}"#));
    let arguments = ["--twilio-url", twilio.url()];
    let mut server = Server::start_with(&arguments);
    let acme = server.tenant("acme");
    let account = json!({"account": "AC1", "password": "token", "on-ambiguous": "hold"});
    acme.post("integrations/twilio", &account).expect(200);
    let sms = r#"(send twilio sms {:to-phone-number "+1" :from-phone-number "+2" :message "x"} (retries 5))"#;
    acme.pattern(ON_CALL, sms);
    acme.event(json!({"id": "ann", "type": "abandoned"}));
    wait_for("the first request", || (twilio.asked().len() == 1).then_some(()));
    server.kill();
    server.run(&arguments);
    let acme = acme.on(&server);
    let held = &acme.wait_entries("ann", "send", 1, |send| send["state"] == "held")[0];
    assert_eq!(twilio.asked().len(), 1, "it was sent again");
    assert!(held["error"].as_str().unwrap().contains("holds such sends"), "{held:#?}");
    let listed = acme.get("sends?state=held&endpoint=twilio").expect(200);
    assert_eq!(listed["entries"], json!([held]));
    let path = format!("sends/{}", held["id"].as_str().unwrap());
    server.tenant("other").post(&format!("{path}/release"), &json!({})).expect(404);
    acme.post("sends/redrive", &json!({"filter": {"state": "held"}})).expect(400);
    assert_eq!(acme.post("sends/redrive", &json!({})).expect(200)["count"], 0);
    acme.post(&format!("{path}/release"), &json!({})).expect(200);
    let sent = &acme.wait_entries("ann", "send", 1, |send| send["state"] == "succeeded")[0];
    assert_eq!((&sent["attempts"], &sent["possibly-sent-twice"]), (&json!(3), &json!(true)), "{sent:#?}");
    assert_eq!(twilio.asked().len(), 2);
    acme.post(&format!("{path}/discard"), &json!({})).expect(409);
}

#[test]
fn what_failed_for_good_is_listed_and_sent_again_on_demand_with_its_cause() {
    let hook = StandIn::new([answer(400, "{}")], answer(204, ""));
    let server = Server::start_with(&["--allow-private-addresses"]);
    let acme = server.tenant("acme");
    acme.post("integrations/webhook", &json!({"url": hook.url()})).expect(200);
    acme.pattern(ON_CALL, "(send webhook post {:body {:who *id*}})");
    acme.event(json!({"id": "ann", "type": "abandoned"}));
    acme.wait_entries("ann", "reaction", 1, |reaction| reaction["state"] == "failed");
    let failed = acme.get("sends?state=failed").expect(200)["entries"][0].clone();
    let filter = |dry_run: bool| json!({"filter": {"endpoint": "webhook"}, "dry-run": dry_run});
    let dry = acme.post("sends/redrive", &filter(true)).expect(200);
    assert_eq!((&dry["count"], &dry["sends"]), (&json!(1), &json!([failed])));
    assert_eq!(hook.asked().len(), 1, "a dry run sends nothing");
    let done = acme.post("sends/redrive", &filter(false)).expect(200);
    assert_eq!((&done["count"], &done["sends"][0]["redriven"]), (&json!(1), &json!(true)));
    let again = &acme.wait_entries("ann", "send", 1, |send| send["state"] == "succeeded")[0];
    assert_eq!(again["cause"], failed["id"]);
    assert_ne!(again["id"], failed["id"]);
    assert_eq!(hook.asked()[1].body, hook.asked()[0].body);
    assert_eq!(acme.post("sends/redrive", &filter(false)).expect(200)["count"], 0, "once");
    assert_eq!(acme.entries("ann", "reaction")[0]["state"], "failed", "what is over stays as it ended");
}

#[test]
fn a_send_without_a_parameter_that_it_needs_is_in_the_timeline_with_what_was_missing() {
    let server = Server::start();
    let acme = server.tenant("acme");
    acme.pattern(
        ON_CALL,
        r#"(send twilio sms {:to-phone-number *phone* :from-phone-number "1" :message "x"})"#,
    );
    acme.event(json!({"id": "ann", "type": "abandoned"}));
    let sends = acme.wait_entries("ann", "send", 1, |send| send["state"] == "failed");
    assert_eq!((&sends[0]["endpoint"], &sends[0]["verb"]), (&json!("twilio"), &json!("sms")));
    let error = sends[0]["error"].as_str().unwrap();
    assert!(error.contains(":to-phone-number is null") && error.contains("phone"), "{error}");
    assert_eq!(acme.get("sends?state=failed&endpoint=twilio").expect(200)["entries"], json!(sends));
}
