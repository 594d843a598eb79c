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
fn a_send_that_a_crash_cut_off_is_left_alone_where_the_integration_holds_such_sends() {
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
    acme.wait_entries("ann", "reaction", 1, |reaction| reaction["state"] == "failed");
    assert_eq!(twilio.asked().len(), 1, "it was sent again");
    let sends = acme.entries("ann", "send");
    assert!(sends[0]["error"].as_str().unwrap().contains("holds such sends"), "{sends:#?}");
}
