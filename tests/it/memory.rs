//! A server's memory stays where it is while customers come and go: what they contributed expires, their reactions
//! end, and nothing of either is kept. A minute on each home here, after some warm rounds; `CXENGAGE_MEMORY_SECONDS=3600` for an hour (`tests/run --full`).

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use system_tests::harness::{Server, Tenant, wait_for};

/// How many customers there are; each round all of them come by once, and are gone by the next.
const CUSTOMERS: usize = 12_000;

/// In the first rounds many complete a match, so that caches with a bound (pages, streams' versions) are full sooner;
/// in those that are judged, few do.
const WARM: usize = 8;
const MANY: usize = 4;
const FEW: usize = 20;

/// Events in a request.
const BATCH: usize = 1_000;

/// What the last rounds may have more than the middle ones: caches that are not full yet, and pages that the allocator
/// holds for each thread (docs/performance.md).
const SLACK_KIB: u64 = 16 * 1024;

/// A token lasts an hour.
const RENEW: Duration = Duration::from_secs(30 * 60);

#[expect(clippy::print_stderr, reason = "a measurement is shown where the harness of cargo shows it")]
fn report(line: &str) {
    eprintln!("{line}");
}

/// One event of each customer; one in so many is followed by one that completes a match at once.
fn round(tenant: &Tenant, number: usize, one_in: usize) {
    for first in (0..CUSTOMERS).step_by(BATCH) {
        let events = (first..first + BATCH).flat_map(|customer| {
            let id = format!("c{customer}");
            let seen = json!({"id": id, "type": "seen", "round": number, "text": "a text of some length"});
            let paid = (customer + number).is_multiple_of(one_in).then(|| json!({"id": id, "type": "paid"}));
            [Some(seen), paid].into_iter().flatten()
        });
        let answer = tenant.post("events", &Value::Array(events.collect())).expect(200);
        let results = answer["results"].as_array().expect("results");
        assert!(results.iter().all(|result| result["error"].is_null()), "{}", results[0]);
    }
}

fn median(figures: &[u64]) -> u64 {
    let mut sorted = figures.to_vec();
    sorted.sort_unstable();
    sorted[sorted.len() / 2]
}

fn ended(tenant: &Tenant) {
    let running = || tenant.get("reactions?state=running&limit=1").expect(200)["entries"].clone();
    wait_for("every reaction to end", || (running() == json!([])).then_some(()));
}

#[test]
fn memory_stays_flat_while_customers_come_and_go() {
    let seconds = std::env::var("CXENGAGE_MEMORY_SECONDS").map_or(60, |text| text.parse().expect("seconds"));
    let server = Server::start_with(&["--tenant-events-per-second", "0"]);
    let mut acme = server.tenant("acme");
    // What is contributed expires a second later …
    acme.pattern(
        r#"(within 1 seconds (seq (event (= type "seen")) (event (= type "waited-for"))))"#,
        "(send echo message {})",
    );
    // … or completes a match, whose reaction waits for a while and ends.
    acme.pattern(
        r#"(within 1 seconds (seq (event (= type "seen")) (event (= type "paid"))))"#,
        r#"(seq (send echo message {:message *text*}) (expect (and (= $id *id*) (= $type "never")) (within 1 seconds) (failure (set x 1))))"#,
    );
    for number in 0..WARM {
        round(&acme, number, MANY);
        ended(&acme);
    }
    let end = Instant::now() + Duration::from_secs(seconds);
    let (mut resident, mut renewed) = (Vec::new(), Instant::now());
    while Instant::now() < end || resident.len() < 9 {
        if renewed.elapsed() > RENEW {
            (acme.client, renewed) = (acme.client.renewed(), Instant::now());
        }
        round(&acme, resident.len(), FEW);
        let now = server.resident();
        resident.push(now);
        report(&format!("round {}: {now} KiB resident", resident.len()));
        // Events come faster than their reactions end: what waits would be taken for what is kept.
        ended(&acme);
    }
    ended(&acme);
    let third = resident.len() / 3;
    let (middle, last) = (median(&resident[third..2 * third]), median(&resident[2 * third..]));
    report(&format!(
        "{} rounds of {CUSTOMERS} customers; KiB resident: middle {middle}, last {last}",
        resident.len()
    ));
    assert!(last <= middle + SLACK_KIB, "memory grows: {middle} KiB, later {last} KiB");
}
