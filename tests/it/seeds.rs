//! Every DSL example of the guide and of the API's description, through the API: the sound ones do what the guide
//! says, the broken ones are refused with the place where they are broken.

use serde_json::{Value, json};
use system_tests::harness::{Server, Tenant};

/// A `when` of the guide, events of one customer that meet it, and how many matches they make.
struct When {
    when: &'static str,
    events: &'static [&'static str],
    matches: usize,
}

const ABANDONED: &str = r#"{"CallAction":"abandoned"}"#;
const ANSWERED: &str = r#"{"CallAction":"answered"}"#;
const INQUEUE: &str = r#"{"CallAction":"inqueue"}"#;
const FAILED_CHECKIN: &str = r#"{"customerSegment":"platinum","event":"flcheck","eventType":"flcheck"}"#;
const CANCELLED: &str = r#"{"customerSegment":"platinum","eventType":"cnclticket"}"#;
const GOLD_CHECK: &str = r#"{"customerSegment":"Gold","eventType":"flcheck"}"#;
const GOLD_CANCELLED: &str = r#"{"customerSegment":"Gold","eventType":"cnclTicket"}"#;

const WHENS: &[When] = &[
    When {
        when: r#"(event (= callAction "AbandonedCall"))"#,
        events: &[r#"{"callAction":"AbandonedCall"}"#, r#"{"calAction":"AbandonedCall"}"#],
        matches: 1,
    },
    When {
        when: r#"(event (= customerSegment "platinum"))"#,
        events: &[FAILED_CHECKIN, GOLD_CHECK, CANCELLED],
        matches: 2,
    },
    When {
        when: r#"(event (and (= customerSegment "platinum")
                             (= event "flcheck")))"#,
        events: &[FAILED_CHECKIN, CANCELLED],
        matches: 1,
    },
    When {
        when: r#"(count 2 (event (and (= customerSegment "platinum")
                                      (= event "flcheck"))))"#,
        events: &[FAILED_CHECKIN, CANCELLED, FAILED_CHECKIN, FAILED_CHECKIN],
        matches: 1,
    },
    When {
        when: r#"(all (count 2 (event (and (= customerSegment "platinum")
                                           (= eventType "flcheck"))))
                      (count 1 (event (and (= customerSegment "platinum")
                                           (= eventType "cnclticket")))))"#,
        events: &[CANCELLED, FAILED_CHECKIN, FAILED_CHECKIN],
        matches: 1,
    },
    When {
        when: r#"(within 1 hours
                    (all (count 2 (event (and (= customerSegment "platinum")
                                              (= eventType "flcheck"))))
                         (count 1 (event (and (= customerSegment "platinum")
                                              (= eventType "cnclticket"))))))"#,
        events: &[FAILED_CHECKIN, CANCELLED, FAILED_CHECKIN],
        matches: 1,
    },
    When {
        when: r#"(all (seq (event (= eventType "flcheck"))
                           (event (= eventType "cnclticket"))))"#,
        events: &[CANCELLED, FAILED_CHECKIN, FAILED_CHECKIN, CANCELLED],
        matches: 1,
    },
    // The guide's own examples, with the parentheses that it forgot or moved.
    When {
        when: r#"(within 1 hours (count 2 (event (= CallAction "abandoned"))))"#,
        events: &[ABANDONED, ANSWERED, ABANDONED],
        matches: 1,
    },
    When {
        when: r#"(all (within 1 hours (count 2 (event (= CallAction "abandoned"))))
                      (fail (count 1 (event (= CallAction "answered")))))"#,
        events: &[ABANDONED, ANSWERED, ABANDONED, ABANDONED],
        matches: 1,
    },
    When {
        when: r#"(within 30 minutes (seq (event (= CallAction "answered")) (event (= CallAction "inqueue"))))"#,
        events: &[INQUEUE, ANSWERED, ABANDONED, INQUEUE],
        matches: 1,
    },
    // The API's description.
    When { when: r#"(when (event (= id "1234")))"#, events: &[r#"{"a":1}"#, r#"{"a":2}"#], matches: 2 },
    When { when: r#"(when (event (= "id" "1234")))"#, events: &[r#"{"a":1}"#], matches: 1 },
    When {
        when: r#"(event (= type "curl"))"#,
        events: &[r#"{"type":"curl"}"#, r#"{"type":"echoo"}"#],
        matches: 1,
    },
    When {
        when: r#"(event (or (= username "cxengage")))"#,
        events: &[r#"{"username":"cxengage"}"#],
        matches: 1,
    },
    When {
        when: r#"(within 1 minutes (allOf (count 4 (event (and (= customerSegment "Gold")
                                                             (= eventType "flcheck"))))
                                        (event (and (= customerSegment "Gold")
                                                    (= eventType "cnclTicket")))))"#,
        events: &[GOLD_CHECK, GOLD_CHECK, GOLD_CANCELLED, GOLD_CHECK, GOLD_CHECK],
        matches: 1,
    },
];

/// `then`s of the guide as they stand there; `"…"` in its sketches is left out.
const THENS: &[&str] = &[
    r#"(send twilio call {:to-phone-number *To-PhoneNumber*})"#,
    r#"(send echo message {:message "send message"})"#,
    r#"(send echo message {}
(template {:message +TM1}))"#,
    r#"(send twilio sms {:to-phone-number *toPhoneNumber*
                  :from-phone-number *fromPhoneNumber*
                  :message *message*})"#,
    r#"(send twilio call {:to-phone-number *toPhoneNumber*
                  :from-phone-number "15068009013"
                  :message *message*})"#,
    r#"(send twilio call {:to-phone-number *toPhoneNumber*
                  :from-phone-number "15068009013"}
      (template {:message +TM1}))"#,
    r#"(send sendgrid email {:to *to-email-address*
                      :from *from-email-address*
                      :subject *subject*
                      :message *message*})"#,
    r#"(send sendgrid email {:to *to-email-address*
                      :from "no-reply@cxengage.com"
                      :subject *subject*
                      :message +TM1})"#,
    r#"(send salesforce task
                {:OwnerId "ownerid"
                       :Description "Salesforce endpoint"
                       :Priority "High"
                       :Status "Normal"
                       :WhoId "whoid"
                       :WhatId "whatid"
                       :ActivityDate "2014-08-29T17:55:14.000+0000"
                       :Subject "Salesforce Endpoint"
                       })"#,
    r#" (send salesforce opportunity
                      {:OwnerId "ownerid"
                       :AccountId "accountid"
                       :CloseDate "2014-08-30T17:55:14.000+0000"
                       :StageName "Prospecting"
                       :message "hello"
                       })"#,
    r#" (send salesforce lead
                      {:LastName "lname"
                       :Company "Athena Home Products"
                       :Status "Working - Contacted"
                       :OwnerId "ownerid"
                       })"#,
    r#"(send salesforce case
                      {:Origin "Phone"
                       :Status "New"
                       :OwnerId "ownerid"
                       })"#,
    r#"(seq
  (send twilio sms {:to-phone-number *phone-number*
                    :message "We apologize for the long waits, an agent
                              will call you back shortly"})
  (send twilio call {:to-phone-number *phone-number*}))"#,
    r#"(par
  (send echo message {:message "Hello World1"})
  (send echo message {:message "Hello World2"})
  (send echo message {:message "Hello World3"}))"#,
    r#"; Syntax
; Send one message to echo, delay one minute, then send another message to echo
(seq
  (send echo message {:message "Hello World1"})
  (delay 1 minutes)
  (send echo message {:message "Hello World2"}))"#,
    r#"(set message-sent $call-id)"#,
    r#"(set cust-seg "gold")"#,
    r#"(set id *custId*)"#,
    r#"(send twilio sms {:to-phone-number *phone-number*
                  :from-phone-number "1-506-555-1234"
                  :message sms-message})"#,
    r#"(event {:id *id* :type "b"})"#,
    r#"(delay 5 minutes)"#,
    r#"(delay 30 seconds)"#,
    r#"(expect (and (= $id *id*)
             (= $type "b"))
  (within 5 minutes)
  (success (set got-event true))
  (failure (set got-event false)))"#,
    r#"(seq
  (await twilio call-status {:sid 12345}
    (if (= "answered" $call-status)
        (success (set msg "The call was answered"))
        (failure (set msg "No one was there")))
    (within 10 minutes))
  (send twilio sms {:message msg}))"#,
    r#"(if (= *cust-seg* "gold")
  (success (send echo message {:message message-one}))
  (failure (send echo message {:message message-two})))"#,
    r#"(send echo message {:message "Hello World"}
  (retries 2))"#,
    r#"(par
  (send echo message {:message "Hello World"})
  (send echo message {:message "Hello World"})
  (send echo message {:message "Hello World"})
  (within 5 seconds))"#,
    r#"(send twilio sms {:to-phone-number *phone-number*
                  :from-phone-number "1-506-555-1234"}
  (template {:message "Hello {{first-name}}"}))"#,
    r#"(send twilio sms {:to-phone-number *phone-number*
                  :from-phone-number "1-506-555-1234"}
  (success (send echo message {:message "It sent"}))
  (failure (send echo message {:message "No it didn't"})))"#,
    r#"(seq (send echo message {:message "Hello world"}))"#,
    r#"(send sendgrid email {:to *email*, :subject "Welcome to a wonderful put experience"})"#,
    r#"(par (send echo message {:message "We should probably call the customer"})
                 (send echo message {:message "We should probably call the customer now "}))"#,
];

/// Texts that the seeds have as they stand here, and which are broken: the field, the text, the line and column
/// at which the refusal has to point (0: anywhere), and a word that it has to say.
const BROKEN: &[(&str, &str, (u64, u64), &str)] = &[
    // never closed: points at where the innermost open one was opened, or at the end
    ("when", "(within 1 hours\n        (count 2 (event (= CallAction \"abandoned\")))", (0, 0), "clos"),
    (
        "when",
        "(all (within 1 hours\n               (count 2 (event (= CallAction \"abandoned\"))))",
        (0, 0),
        "clos",
    ),
    // closed too early: what follows stands alone
    (
        "when",
        "(all (within 1 hours\n                 (count 2 (event (= CallAction \"abandoned\")))))\n                 (fail (count 1 (event (= CallAction \"answered\"))))",
        (3, 18),
        "",
    ),
    // an event inside an event
    (
        "when",
        "(within 30 minutes\n        (seq (event (= CallAction \"answered\")\n                    (event (= CallAction \"inqueue\")))))",
        (3, 21),
        "event",
    ),
    // one parenthesis too many
    ("then", "(send twilio call {:to-phone-number *To-PhoneNumber*}))", (1, 55), ""),
    ("then", "(send echo message {:message \"Call abandoned twice , call customer back\"}))", (1, 75), ""),
    (
        "when",
        "(within 1 minutes (allOf (count 4 (event (and (= customerSegment \"Gold\")\n (= eventType \"flcheck\"))))\n (event (and (= customerSegment \"Gold\")\n (= eventType \"cnclTicket\"))))))",
        (4, 32),
        "",
    ),
    // sketches
    ("then", "(send <endpoint> <type> {<params>} <options>)", (0, 0), ""),
    ("then", "(seq\n  (send twilio sms {:message msg ...}))", (2, 34), ""),
];

fn tenant(server: &Server) -> Tenant {
    let tenant = server.tenant("seeds");
    tenant.post("templates", &json!({"name": "SMS", "template": "Hi {{FirstName}}"})).expect(201);
    tenant
}

#[test]
fn every_sound_when_of_the_guide_matches_what_the_guide_says() {
    let server = Server::start();
    let tenant = tenant(&server);
    for When { when, events, matches } in WHENS {
        let pattern = tenant.pattern(when, r#"(send echo message {:message "matched"})"#);
        for event in *events {
            let mut event: Value = serde_json::from_str(event).unwrap();
            event["id"] = json!("1234");
            tenant.event(event);
        }
        let last = tenant.settle("1234");
        let mut found = tenant.pages(&format!("patterns/{pattern}/matches"));
        // Some patterns meet any event of that customer, also the settling one.
        found.retain(|found| !found["events"].as_array().expect("events").contains(&last));
        assert_eq!(found.len(), *matches, "{when} on {events:?}: {found:#?}");
        tenant.delete(&format!("patterns/{pattern}")).expect(204);
    }
}

#[test]
fn every_sound_then_of_the_guide_can_be_enabled() {
    let server = Server::start();
    let tenant = tenant(&server);
    for then in THENS {
        let pattern = tenant.pattern("(event (= type \"never\"))", then);
        let stored = tenant.get(&format!("patterns/{pattern}")).expect(200);
        assert_eq!(stored["then"], *then, "the user's own text is kept");
        let validate = |then: &str| {
            tenant.post("patterns/validate", &json!({"when": "(event (= a 1))", "then": then})).expect(200)
        };
        let checked = validate(then);
        assert_eq!(
            (&checked["valid"], &checked["errors"]),
            (&json!(true), &json!([])),
            "{then}: {checked:#}"
        );
        let canonical = checked["then"].as_str().expect("the canonical text");
        let again = validate(canonical);
        assert_eq!(again["then"], canonical, "the canonical text reads as itself");
    }
}

#[test]
fn every_broken_example_is_refused_with_its_place() {
    let server = Server::start();
    let tenant = tenant(&server);
    for (field, text, (line, column), says) in BROKEN {
        let mut body = json!({"name": "broken", "status": true, "when": "(event (= a 1))", "then": "(send echo message {})"});
        body[*field] = json!(text);
        let refused = tenant.post("patterns", &body);
        refused.expect(400);
        let details = refused.json()["details"].as_array().cloned().unwrap_or_default();
        assert!(!details.is_empty(), "{text}: no details: {}", refused.body);
        for detail in &details {
            assert_eq!(detail["field"], *field, "{text}: {detail}");
            assert!(detail["line"].is_u64() && detail["column"].is_u64(), "{text}: {detail}");
            assert!(
                detail["message"].as_str().is_some_and(|message| !message.is_empty()),
                "{text}: {detail}"
            );
        }
        if *line > 0 {
            let there = details.iter().any(|d| d["line"] == *line && d["column"] == *column);
            assert!(there, "{text}: not at line {line}, column {column}: {details:#?}");
        }
        assert!(refused.body.contains(says), "{text}: does not say {says:?}: {}", refused.body);
        assert!(refused.error().contains('^'), "{text}: no caret: {}", refused.error());
    }
    assert_eq!(tenant.get("patterns").expect(200), json!([]));
}
