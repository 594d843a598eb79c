//! kill -9 at any moment loses nothing that was accepted and doubles nothing that was done.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::{Value, json};
use system_tests::harness::{Request, Server, wait_for};

/// The events that each match of a customer names.
fn witnesses(matches: &[Value]) -> Vec<Value> {
    matches.iter().map(|found| found["events"].clone()).collect()
}

#[test]
fn a_reaction_goes_on_after_a_kill_wherever_it_stood() {
    let mut server = Server::start();
    let acme = server.tenant("acme");
    acme.pattern(
        r#"(event (= type "delayed"))"#,
        r#"(seq (send echo message {:message "before"})
                (delay 2 seconds)
                (send echo message {:message "after"}))"#,
    );
    acme.pattern(
        r#"(event (= type "retried"))"#,
        r#"(send twilio sms {:to-phone-number "1" :from-phone-number "2" :message *missing*}
             (retries 1)
             (failure (send echo message {:message "given up"})))"#,
    );
    acme.pattern(
        r#"(event (= type "expecting"))"#,
        r#"(expect (and (= $id *id*) (= $type "paid")) (within 1 hours)
             (success (send echo message {:message "paid"})))"#,
    );
    acme.pattern(
        r#"(within 3 seconds (seq (event (= type "cart")) (fail (event (= type "paid")))))"#,
        r#"(send echo message {:message "left"})"#,
    );
    for kind in ["delayed", "retried", "expecting", "cart"] {
        acme.event(json!({"id": kind, "type": kind}));
    }
    acme.wait_entries("delayed", "send", 1, |send| send["state"] == "succeeded");
    let expecting = acme.wait_entries("expecting", "reaction", 1, |_| true);
    let expecting = format!("reactions/{}", expecting[0]["id"].as_str().unwrap());
    wait_for("the expect", || acme.get(&expecting).body.contains("expect").then_some(()));
    server.kill();
    server.run(&[]);
    let acme = acme.on(&server);

    acme.event(json!({"id": "expecting", "type": "paid"}));
    let message = |key: &str| -> Vec<Value> {
        let sends = acme.entries(key, "send").into_iter();
        sends.filter(|s| s["endpoint"] == "echo").map(|s| s["params"]["message"].clone()).collect()
    };
    acme.wait_reactions("delayed", 1);
    assert_eq!(message("delayed"), ["before", "after"]);
    acme.wait_reactions("cart", 1);
    assert_eq!(message("cart"), ["left"]);
    acme.wait_reactions("retried", 1);
    assert_eq!(message("retried"), ["given up"]);
    // The expect may have been registered after the event that was sent first; then the next one meets it.
    wait_for("the expecting reaction", || {
        let done = acme.entries("expecting", "reaction").iter().any(|r| r["state"] == "done");
        if !done {
            acme.event(json!({"id": "expecting", "type": "paid"}));
        }
        done.then_some(())
    });
    assert_eq!(message("expecting"), ["paid"]);
    for key in ["delayed", "retried", "expecting", "cart"] {
        assert_eq!(acme.entries(key, "match").len(), 1, "{key}: one match, one reaction");
        assert_eq!(acme.entries(key, "reaction").len(), 1, "{key}: one match, one reaction");
    }
}

#[test]
fn what_was_accepted_is_there_after_kills_and_matches_once() {
    const ROUNDS: usize = 4;
    const CUSTOMERS: usize = 5;
    let mut server = Server::start();
    let acme = server.tenant("acme");
    acme.pattern(r#"(count 2 (event (= type "A")))"#, r#"(send echo message {:message "two"})"#);
    // What was sent and answered, by the sender's own book: (customer, n, id of the answer).
    let accepted: Mutex<Vec<(usize, u64, String)>> = Mutex::default();
    let mut next = 0;
    for round in 0..ROUNDS {
        let acme = acme.on(&server);
        let stop = AtomicBool::new(false);
        let before = accepted.lock().unwrap().len();
        std::thread::scope(|scope| {
            for customer in 0..CUSTOMERS {
                let (acme, stop, accepted) = (&acme, &stop, &accepted);
                scope.spawn(move || {
                    // The end is for the case that the test itself fails in between.
                    for n in (next..next + 50_000).take_while(|_| !stop.load(Ordering::Relaxed)) {
                        let event = json!({"id": format!("c{customer}"), "type": "A", "n": n});
                        let request = Request::new("POST", &acme.path("event")).json(&event);
                        match acme.client.try_send(&request) {
                            Ok(answer) if answer.status == 201 => {
                                let id = answer.json()["id"].as_str().unwrap().to_owned();
                                accepted.lock().unwrap().push((customer, n, id));
                            }
                            // Being killed: whether this one is there is open.
                            _ => break,
                        }
                    }
                });
            }
            wait_for("some events", || {
                (accepted.lock().unwrap().len() > before + 60 + 37 * round).then_some(())
            });
            server.kill();
            stop.store(true, Ordering::Relaxed);
        });
        next += 100_000;
        server.run(&[]);
    }
    let acme = acme.on(&server);
    for customer in 0..CUSTOMERS {
        let key = format!("c{customer}");
        acme.settle(&key);
        let events = acme.entries(&key, "event");
        let of_type_a: Vec<_> = events.iter().filter(|event| event["event"]["type"] == "A").collect();
        let stored: Vec<_> = of_type_a.iter().map(|event| event["id"].as_str().unwrap()).collect();
        let accepted = accepted.lock().unwrap();
        for (_, n, id) in accepted.iter().filter(|(whose, _, _)| *whose == customer) {
            assert!(stored.contains(&id.as_str()), "event {n} of {key} was accepted and is gone");
        }
        // Each pair of events matches once, in order, and has one reaction.
        let matches = acme.entries(&key, "match");
        let pairs: Vec<Value> = stored.chunks_exact(2).map(|pair| json!(pair)).collect();
        let of_pattern: Vec<Value> = matches.iter().filter(|m| m["pattern"] == "PT1").cloned().collect();
        assert_eq!(witnesses(&of_pattern), pairs, "{key}");
        let reactions = wait_for("all reactions", || {
            let all = acme.entries(&key, "reaction");
            let done: Vec<_> =
                all.into_iter().filter(|r| r["pattern"] == "PT1" && r["state"] == "done").collect();
            (done.len() == of_pattern.len()).then_some(done)
        });
        let mut causes: Vec<_> = reactions.iter().map(|reaction| reaction["cause"].to_string()).collect();
        causes.sort();
        causes.dedup();
        assert_eq!(causes.len(), of_pattern.len(), "{key}: one match, one reaction");
    }
    let (code, _, stderr) = server.cli(&["replay", "--tenant", "acme"]);
    assert_eq!(code, Some(0), "{stderr}");
}

#[test]
fn a_stopped_server_ends_well_and_goes_on_when_it_is_started_again() {
    let mut server = Server::start();
    let acme = server.tenant("acme");
    acme.pattern(r#"(count 2 (event (= type "A")))"#, "(seq (delay 1 seconds) (send echo message {}))");
    acme.event(json!({"id": "c1", "type": "A"}));
    acme.event(json!({"id": "c2", "type": "A"}));
    acme.event(json!({"id": "c2", "type": "A"}));
    assert_eq!(server.terminate().code(), Some(0), "{}", server.said());
    server.run(&[]);
    let acme = acme.on(&server);
    acme.event(json!({"id": "c1", "type": "A"}));
    acme.wait_reactions("c1", 1);
    acme.wait_reactions("c2", 1);
    assert_eq!(acme.entries("c2", "match").len(), 1);
}

#[test]
fn a_second_server_on_the_same_folder_is_refused() {
    let server = Server::start();
    let (code, stdout, stderr) = server.cli(&["serve", "--listen", "127.0.0.1:0"]);
    assert_eq!(code, Some(1), "{stdout}{stderr}");
    assert_eq!(stdout, "");
    assert!(stderr.contains("data"), "names the folder and the first one: {stderr}");
}
