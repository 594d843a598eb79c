//! Idempotency keys: each is sent by several at once, with other bodies, across kills, and by another tenant too; each
//! has one answer and one effect.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use system_tests::harness::{Request, Server, Tenant};
use system_tests::property::Dice;

use crate::audit::{Faults, quiet};
use crate::{seed, set, tell};

/// Keys of a run that is not told otherwise.
const KEYS: usize = 10_000;
/// How many send all of them, each in an order of its own: the last one as another tenant.
const SENDERS: usize = 6;
/// Lines of a request.
const BATCH: usize = 50;
const KILLS: usize = 5;
const TENANTS: [&str; 2] = ["acme", "other"];

/// What the senders share.
struct Shared {
    /// The tenants, on the server as it runs now; none while there is none.
    tenants: Mutex<Option<[Tenant; 2]>>,
    /// The first answer to each key of each tenant.
    answers: Mutex<BTreeMap<(usize, usize), String>>,
    /// Answers in all.
    count: AtomicUsize,
    faults: Mutex<Faults>,
}

impl Shared {
    fn tenant(&self, tenant: usize) -> Option<Tenant> {
        self.tenants.lock().expect("whole").as_ref().map(|tenants| tenants[tenant].clone())
    }

    fn answered(&self, tenant: usize, key: usize, id: &str) {
        self.count.fetch_add(1, Ordering::Relaxed);
        let mut answers = self.answers.lock().expect("whole");
        let first = answers.entry((tenant, key)).or_insert_with(|| id.to_owned());
        if first != id {
            let fault = format!("key {key} of {} was answered {first}, then {id}", TENANTS[tenant]);
            self.faults.lock().expect("whole").push(fault);
        }
    }

    /// Sends every key until it has had an answer.
    fn send(&self, sender: usize, keys: usize, mut dice: Dice) {
        let tenant = usize::from(sender == SENDERS - 1);
        let mut left: Vec<usize> = (0..keys).collect();
        for n in (1..left.len()).rev() {
            left.swap(n, dice.between(0, n));
        }
        while !left.is_empty() {
            let Some(client) = self.tenant(tenant) else {
                std::thread::sleep(Duration::from_millis(5));
                continue;
            };
            let batch = left.split_off(left.len().saturating_sub(BATCH));
            let line = |key: &usize| {
                let event =
                    json!({"id": format!("c{}", key % 100), "type": "K", "key": key, "sender": sender});
                json!({"idempotency-key": format!("key-{key}"), "event": event})
            };
            let lines: Vec<Value> = batch.iter().map(line).collect();
            let request = Request::new("POST", &client.path("events")).json(&json!(lines));
            let mut answered = vec![false; batch.len()];
            if let Ok(answer) = client.client.try_send(&request) {
                for result in answer.json()["results"].as_array().into_iter().flatten() {
                    let n = result["line"].as_u64().unwrap_or_default() as usize - 1;
                    if let Some(id) = result["id"].as_str() {
                        self.answered(tenant, batch[n], id);
                        answered[n] = true;
                    }
                }
            }
            left.extend(batch.iter().zip(answered).filter(|(_, answered)| !answered).map(|(key, _)| key));
        }
    }
}

/// Sends so many keys under these orders, with kills in between; what was found wrong.
fn run(seed: u64, keys: usize, orders: &str) -> Faults {
    let mut server = Server::with_faults(None);
    server.try_run(&["--tenant-events-per-second", "0"], orders).expect("it starts");
    let tenants = TENANTS.map(|id| server.tenant(id));
    let matched = tenants[0].pattern(r#"(event (= type "K"))"#, "(set x 1)");
    let shared = Shared {
        tenants: Mutex::new(Some(tenants.clone())),
        answers: Mutex::default(),
        count: AtomicUsize::new(0),
        faults: Mutex::default(),
    };
    std::thread::scope(|scope| {
        for sender in 0..SENDERS {
            let shared = &shared;
            scope.spawn(move || shared.send(sender, keys, Dice::new(seed ^ sender as u64)));
        }
        for kill in 1..=KILLS {
            let goal = SENDERS * keys * kill / (KILLS + 1);
            while shared.count.load(Ordering::Relaxed) < goal {
                std::thread::sleep(Duration::from_millis(1));
            }
            // First the server: what is under way has to be cut off.
            server.kill();
            *shared.tenants.lock().expect("whole") = None;
            server.try_run(&["--tenant-events-per-second", "0"], orders).expect("it starts");
            let on = tenants.clone().map(|tenant| tenant.on(&server));
            *shared.tenants.lock().expect("whole") = Some(on);
        }
    });
    let mut faults = shared.faults.into_inner().expect("whole");
    for (n, tenant) in TENANTS.iter().enumerate() {
        let answers = shared.answers.lock().expect("whole");
        let (_, events, _) = server.cli(&["events", "--tenant", tenant]);
        let mut stored: BTreeMap<usize, Vec<String>> = BTreeMap::new();
        for line in events.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok()) {
            let key = line["key"].as_u64().unwrap_or_default() as usize;
            stored.entry(key).or_default().push(line["@id"].as_str().unwrap_or_default().to_owned());
        }
        for key in 0..keys {
            let (stored, answer) = (stored.remove(&key).unwrap_or_default(), &answers[&(n, key)]);
            if stored != [answer.clone()] {
                faults.push(format!("key {key} of {tenant}, answered {answer}, is stored as {stored:?}"));
            }
        }
    }
    let acme = tenants[0].on(&server);
    faults.extend(quiet(&acme, &acme.client));
    let matches = acme.pages(&format!("patterns/{matched}/matches")).len();
    if matches != keys {
        faults.push(format!("{keys} keys have {matches} matches"));
    }
    faults
}

#[test]
fn a_key_has_one_answer_and_one_effect_whoever_sends_it_and_whatever_is_killed() {
    let (seed, keys) = (seed(), set("CXENGAGE_KEYS").map_or(KEYS, |keys| keys as usize));
    let faults = run(seed, keys, "");
    tell(&format!(
        "seed {seed}: {keys} keys, each sent by {SENDERS} and by 2 tenants, {KILLS} kills, {} faults found",
        faults.len()
    ));
    assert_eq!(faults, Faults::new(), "seed {seed}");
}

#[test]
fn keys_that_are_not_looked_at_have_several_answers_and_are_seen() {
    let faults = run(seed(), 300, "break:no-dedup");
    assert!(faults.iter().any(|fault| fault.contains("was answered")), "not seen: {faults:?}");
    assert!(faults.iter().any(|fault| fault.contains("is stored as")), "not seen: {faults:?}");
    assert!(faults.iter().any(|fault| fault.contains("matches")), "not seen: {faults:?}");
}
