//! The mixed load: single events and batches under keys that are used again, patterns that change, and reactions of
//! every durable kind under way.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use system_tests::harness::{Request, Tenant};
use system_tests::property::Dice;

use crate::book::Book;

/// Customers that send one event after the other.
const SINGLE: [&str; 2] = ["c0", "c1"];
/// The one that sends batches.
const BATCH: &str = "b0";
/// All customers.
pub const CUSTOMERS: [&str; 3] = ["c0", "c1", "b0"];

/// Patterns that stay as they are: name, `when`, `then`.
pub const STEADY: [(&str, &str, &str); 6] = [
    ("pairs", r#"(count 2 (event (= type "A")))"#, r#"(send echo message {:message "two"})"#),
    ("hooks", r#"(event (= type "hook"))"#, r#"(send webhook post {:body {:key *key*}} (retries 3))"#),
    (
        "delays",
        r#"(event (= type "delayed"))"#,
        r#"(seq (send echo message {:message "a"}) (delay 1 seconds) (event {:id *id* :type "made"}))"#,
    ),
    (
        "retries",
        r#"(event (= type "retried"))"#,
        r#"(send twilio sms {:to-phone-number "1" :from-phone-number "2" :message *missing*}
             (retries 1) (failure (send echo message {:message "given up"})))"#,
    ),
    (
        "expects",
        r#"(event (= type "expecting"))"#,
        r#"(expect (and (= $id *id*) (= $type "paid")) (within 1 seconds) (success (send echo message {})))"#,
    ),
    (
        "carts",
        r#"(within 1 seconds (seq (event (= type "cart")) (fail (event (= type "paid")))))"#,
        "(set x 1)",
    ),
];

/// The pattern that changes between these two.
pub const CHANGING: [&str; 2] = [r#"(count 3 (event (= type "B")))"#, r#"(count 2 (event (= type "B")))"#];

const TYPES: [&str; 10] = ["A", "A", "A", "B", "hook", "hook", "delayed", "expecting", "paid", "cart"];

/// An event of the load.
pub fn event(customer: &str, key: &str, dice: &mut Dice) -> Value {
    let kind = if dice.chance(3) { "retried" } else { dice.one_of(&TYPES) };
    json!({"id": customer, "type": kind, "key": key})
}

/// Sends until there is no answer any more, or it is told to stop. `changing` is the id of the pattern that changes.
pub fn run(acme: &Tenant, book: &Book, changing: &str, seed: u64, stop: &AtomicBool) {
    std::thread::scope(|scope| {
        for (n, customer) in SINGLE.iter().enumerate() {
            scope.spawn(move || single(acme, book, customer, Dice::new(seed ^ (n as u64 + 1)), stop));
        }
        scope.spawn(move || batches(acme, book, Dice::new(seed ^ 77), stop));
        scope.spawn(move || changes(acme, changing, stop));
    });
}

fn single(acme: &Tenant, book: &Book, customer: &str, mut dice: Dice, stop: &AtomicBool) {
    let post = |key: &str, event: &Value| {
        let request = Request::new("POST", &acme.path("event")).json(event).header("idempotency-key", key);
        acme.client.try_send(&request)
    };
    while !stop.load(Ordering::Relaxed) {
        let again = book.answered_key(customer, dice.between(0, 1_000)).filter(|_| dice.chance(10));
        let (key, event) = match (book.unanswered(customer).pop(), again) {
            (Some(open), _) => open,
            // What has had an answer has the same again, whatever the body is now.
            (None, Some(key)) => (key, json!({"id": customer, "type": "never"})),
            (None, None) => book.begin(customer, |key| event(customer, key, &mut dice)),
        };
        match post(&key, &event) {
            Ok(answer) if answer.status == 201 => match answer.json()["id"].as_str() {
                Some(id) => book.answered(&key, id),
                None => book.fault(format!("{key}: a 201 without an id: {}", answer.body)),
            },
            Ok(answer) if answer.status < 500 => {
                book.fault(format!("{key}: {} {}", answer.status, answer.body))
            }
            Ok(_) => {}
            Err(_) => return,
        }
    }
}

fn batches(acme: &Tenant, book: &Book, mut dice: Dice, stop: &AtomicBool) {
    while !stop.load(Ordering::Relaxed) {
        let mut lines = book.unanswered(BATCH);
        while lines.len() < 4 {
            lines.push(book.begin(BATCH, |key| event(BATCH, key, &mut dice)));
        }
        let body: Vec<_> =
            lines.iter().map(|(key, event)| json!({"idempotency-key": key, "event": event})).collect();
        let Ok(answer) = acme.client.try_send(&Request::new("POST", &acme.path("events")).json(&json!(body)))
        else {
            return;
        };
        for result in answer.json()["results"].as_array().into_iter().flatten() {
            let line = result["line"].as_u64().and_then(|n| lines.get(n as usize - 1));
            if let (Some((key, _)), Some(id)) = (line, result["id"].as_str()) {
                book.answered(key, id);
            }
        }
    }
}

fn changes(acme: &Tenant, changing: &str, stop: &AtomicBool) {
    let path = acme.path(&format!("patterns/{changing}"));
    for when in CHANGING.iter().cycle() {
        // Now and then: a change makes every event that is under way be decided again.
        std::thread::sleep(Duration::from_millis(100));
        if stop.load(Ordering::Relaxed) {
            return;
        }
        if acme.client.try_send(&Request::new("PUT", &path).json(&json!({"when": when}))).is_err() {
            return;
        }
    }
}
