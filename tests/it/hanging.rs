//! A third party that takes everything and answers nothing: whom that holds up, and whom it does not.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use system_tests::harness::{Server, Tenant, wait_for};
use system_tests::stand_in::{Reply, StandIn};

/// How many reactions wait for the endpoint that hangs.
const HUNG: usize = 1_000;

/// How many healthy sends are timed in a round, half of them another tenant's.
const HEALTHY: usize = 100;

/// So many requests to one endpoint may be under way for one tenant.
const LANE: usize = 32;

struct World {
    server: Server,
    healthy: StandIn,
    hook: StandIn,
    tenants: [Tenant; 2],
}

impl World {
    fn new() -> Self {
        let healthy = StandIn::new([], Reply::Json(201, r#"{"sid":"SM1"}"#.to_owned()));
        let hook = StandIn::new([], Reply::Nothing);
        let server = Server::start_with(&["--twilio-url", healthy.url(), "--allow-private-addresses"]);
        let tenants = ["acme", "other"].map(|name| {
            let tenant = server.tenant(name);
            let account = json!({"account": "AC1", "password": "p", "from-phone-number": "+1"});
            tenant.post("integrations/twilio", &account).expect(200);
            tenant.pattern(
                r#"(event (= type "healthy"))"#,
                r#"(send twilio sms {:to-phone-number "+2" :message "m"})"#,
            );
            tenant
        });
        tenants[0].post("integrations/webhook", &json!({"url": hook.url()})).expect(200);
        tenants[0]
            .pattern(r#"(event (= type "hang"))"#, "(send webhook post {:body {:a 1}} (within 2 minutes))");
        Self { server, healthy, hook, tenants }
    }

    /// Has the first tenant's reactions wait for what does not answer; all are in the record when this returns.
    fn hang(&self) {
        let events: Vec<_> = (0..HUNG).map(|n| json!({"id": format!("h{n}"), "type": "hang"})).collect();
        self.tenants[0].post("events", &json!(events)).expect(200);
        wait_for("the lane to be full", || (self.hook.asked().len() >= LANE).then_some(()));
        wait_for("all of them to have begun", || (self.under_way().len() == HUNG).then_some(()));
    }

    /// The first tenant's sends that have begun and not ended.
    fn under_way(&self) -> Vec<Value> {
        let listed = self.tenants[0].get("sends?state=begun&limit=1000").expect(200);
        listed["entries"].as_array().expect("a list").clone()
    }

    /// From event to request, one after the other, in ascending order.
    fn round(&self) -> Vec<Duration> {
        let mut took = Vec::with_capacity(HEALTHY);
        for n in 0..HEALTHY {
            let before = self.healthy.asked().len();
            let begun = Instant::now();
            self.tenants[n % 2].event(json!({"id": format!("c{n}"), "type": "healthy"}));
            while self.healthy.asked().len() == before {
                assert!(begun.elapsed() < Duration::from_secs(10), "a healthy send waits behind hung ones");
                std::thread::sleep(Duration::from_micros(100));
            }
            took.push(begun.elapsed());
        }
        took.sort_unstable();
        took
    }
}

fn p99(sorted: &[Duration]) -> Duration {
    sorted[sorted.len() * 99 / 100 - 1]
}

#[test]
fn a_thousand_reactions_that_hang_hold_up_no_healthy_send_of_anybody() {
    let world = World::new();
    world.round();
    world.hang();
    world.round();
    assert_eq!(world.healthy.asked().len(), 2 * HEALTHY, "each healthy send went out while the others hung");
    assert_eq!(world.hook.asked().len(), LANE, "the hung ones wait for their own places only");
    // The list is cut at as many as hang, so whatever else is under way shows in it.
    wait_for("the hung ones to be all that is under way", || {
        let waiting = world.under_way();
        let is_hung = |send: &Value| send["endpoint"] == "webhook";
        (waiting.len() == HUNG && waiting.iter().all(is_hung)).then_some(())
    });
    drop(world.server);
}

/// Five pairs in turn: `cargo test -p system-tests --test it -- --nocapture --ignored hanging`
#[test]
#[ignore = "times, so it wants the machine to itself"]
fn healthy_sends_take_as_long_beside_a_thousand_that_hang() {
    let mut ratios = Vec::new();
    for pair in 1..=5 {
        let world = World::new();
        world.round();
        let quiet = world.round();
        world.hang();
        let beside = world.round();
        let ratio = p99(&beside).as_secs_f64() / p99(&quiet).as_secs_f64();
        println!(
            "pair {pair}: undisturbed p50 {:?} p99 {:?}, beside {HUNG} hung p50 {:?} p99 {:?}: {ratio:.2}",
            quiet[HEALTHY / 2],
            p99(&quiet),
            beside[HEALTHY / 2],
            p99(&beside)
        );
        ratios.push(ratio);
    }
    ratios.sort_unstable_by(f64::total_cmp);
    assert!(ratios[2] <= 1.5, "{ratios:?}");
}
