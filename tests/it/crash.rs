//! kill -9 at any moment loses nothing that was accepted and doubles nothing that was done.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use system_tests::harness::{PATIENCE, Request, Server, Tenant, wait_for};

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

/// A sender that gives each of its events a key of its own and sends on what was not answered, under the same key, as
/// long as it takes: (customer, number) → the answer's id.
#[derive(Default)]
struct Sender {
    answered: Mutex<BTreeMap<(usize, u64), String>>,
}

impl Sender {
    /// Sends one customer's events one after the other until there is no answer.
    fn send(&self, acme: &Tenant, customer: usize) {
        loop {
            let next = self.book().keys().filter(|(whose, _)| *whose == customer).count() as u64;
            let event = json!({"id": format!("c{customer}"), "type": "A", "n": next});
            let request = Request::new("POST", &acme.path("event")).json(&event);
            let request = request.header("idempotency-key", &format!("{customer}/{next}"));
            match acme.client.try_send(&request) {
                Ok(answer) => {
                    let id = answer.expect(201)["id"].as_str().expect("an id").to_owned();
                    self.book().insert((customer, next), id);
                }
                Err(_) => return,
            }
        }
    }

    fn book(&self) -> MutexGuard<'_, BTreeMap<(usize, u64), String>> {
        self.answered.lock().expect("no sender panics while it writes")
    }

    fn count(&self) -> usize {
        self.book().len()
    }

    fn ids(&self, customer: usize) -> Vec<String> {
        self.book().iter().filter(|((whose, _), _)| *whose == customer).map(|(_, id)| id.clone()).collect()
    }
}

#[test]
fn what_was_accepted_is_there_after_kills_and_nothing_is_doubled() {
    const ROUNDS: usize = 5;
    const CUSTOMERS: usize = 5;
    let mut server = Server::start();
    let acme = server.tenant("acme");
    acme.pattern(r#"(count 2 (event (= type "A")))"#, r#"(send echo message {:message "two"})"#);
    let sender = Sender::default();
    for round in 0..ROUNDS {
        let acme = acme.on(&server);
        let enough = sender.count() + 60 + 37 * round;
        std::thread::scope(|scope| {
            let sending: Vec<_> = (0..CUSTOMERS)
                .map(|c| {
                    scope.spawn({
                        let (s, acme) = (&sender, &acme);
                        move || s.send(acme, c)
                    })
                })
                .collect();
            let waiting = Instant::now();
            while sender.count() < enough
                && sending.iter().any(|thread| !thread.is_finished())
                && waiting.elapsed() < PATIENCE
            {
                std::thread::sleep(Duration::from_millis(1));
            }
            // Only without a server do the senders come to their end.
            server.kill();
        });
        assert!(sender.count() >= enough, "only {} of {enough} events were answered", sender.count());
        server.run(&[]);
    }
    let acme = acme.on(&server);
    for customer in 0..CUSTOMERS {
        let key = format!("c{customer}");
        // What was in flight at the last kill is there or not; all before it is there once, and in order.
        acme.settle(&key);
        let events = acme.entries(&key, "event");
        let stored: Vec<_> = events.iter().filter(|event| event["event"]["type"] == "A").collect();
        let ids: Vec<_> = stored.iter().map(|event| event["id"].as_str().unwrap()).collect();
        let answered = sender.ids(customer);
        assert_eq!(ids[..answered.len()], answered, "{key}");
        assert!(ids.len() <= answered.len() + 1, "{key}: {} answered, {} stored", answered.len(), ids.len());
        let numbers: Vec<_> = stored.iter().map(|event| event["event"]["n"].as_u64().unwrap()).collect();
        assert_eq!(numbers, (0..ids.len() as u64).collect::<Vec<_>>(), "{key}");
        // Each pair of events matches once, has one reaction, and that one send.
        let of_pattern = |entry: &Value| entry["pattern"] == "PT1";
        let pairs = ids.chunks_exact(2).map(|pair| json!(pair)).collect::<Vec<_>>();
        let matches = acme.entries(&key, "match").into_iter().filter(of_pattern).collect::<Vec<_>>();
        assert_eq!(witnesses(&matches), pairs, "{key}");
        let reactions =
            acme.wait_entries(&key, "reaction", pairs.len(), |r| of_pattern(r) && r["state"] == "done");
        let cause_of = |entries: &[Value], name: &str| {
            entries.iter().map(|e| e[name].to_string()).collect::<BTreeSet<_>>()
        };
        assert_eq!(reactions.len(), pairs.len(), "{key}");
        assert_eq!(cause_of(&reactions, "cause"), cause_of(&matches, "id"), "{key}");
        let sends = acme
            .entries(&key, "send")
            .into_iter()
            .filter(|s| s["params"]["message"] == "two")
            .collect::<Vec<_>>();
        assert_eq!(sends.len(), pairs.len(), "{key}");
        assert_eq!(cause_of(&sends, "reaction"), cause_of(&reactions, "id"), "{key}");
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
