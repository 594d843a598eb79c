//! A notifier that stands still and wakes up after its lease is gone begins no send: the fence refuses it.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::json;
use system_tests::harness::{Home, Server, wait_for};
use system_tests::stand_in::{Reply, StandIn};

use crate::tell;

const SENDS: usize = 10;

/// That its term is another's it is not told, so that only the fence can tell it.
const DEAF: &str = "break:deaf-to-its-term";

/// A notifier stands still while its reactions wait, and wakes up when the one that took over has their sends under
/// way: how many requests came for each send.
fn requests_after_a_pause(orders: &str) -> BTreeMap<String, usize> {
    let home = Home::database();
    let mut servers = [Server::at_with_faults(home.clone()), Server::at_with_faults(home)];
    for n in 0..servers.len() {
        let run = servers[n].try_run(&["--allow-private-addresses"], orders);
        run.unwrap_or_else(|said| panic!("not ready: {said}"));
        let said = || servers[0].said().contains("this server is the one for reactions");
        wait_for("the first to be at work", || said().then_some(()));
    }
    let acme = servers[0].tenant("acme");
    let hook = StandIn::new([], Reply::Late(204, Duration::from_secs(5)));
    acme.post("integrations/webhook", &json!({"url": hook.url()})).expect(200);
    let then = "(seq (delay 9 seconds) (send webhook post {:body {:key *id*}}))";
    acme.pattern(r#"(event (= type "A"))"#, then);
    for n in 0..SENDS {
        acme.event(json!({"id": format!("c{n}"), "type": "A"}));
    }
    let there = acme.on(&servers[1]);
    servers[0].pause();
    wait_for("the sends to begin", || (hook.asked().len() >= SENDS).then_some(()));
    servers[0].wake();
    for n in 0..SENDS {
        there.wait_reactions(&format!("c{n}"), 1);
    }
    let mut requests = BTreeMap::new();
    for asked in hook.asked() {
        *requests.entry(asked.header("webhook-id").to_owned()).or_default() += 1;
    }
    requests
}

/// How many of the sends went out more than once.
fn twice(requests: &BTreeMap<String, usize>) -> usize {
    requests.values().filter(|times| **times > 1).count()
}

#[test]
fn a_notifier_that_wakes_up_without_its_lease_begins_no_send() {
    let sound = requests_after_a_pause(DEAF);
    assert_eq!((sound.len(), twice(&sound)), (SENDS, 0), "{sound:?}");
}

#[test]
fn a_notifier_that_wakes_up_and_heeds_no_fence_is_seen() {
    let broken = requests_after_a_pause(&format!("break:no-fence,{DEAF}"));
    tell(&format!("no-fence: {} of {} sends went out twice", twice(&broken), broken.len()));
    assert!(twice(&broken) > 0, "no-fence was broken and not seen: {broken:?}");
}
