//! Crashes at the points that no server passes under load alone: while somebody is erased, while read models are made
//! anew, and while a mark says that time has passed.

use serde_json::json;
use system_tests::harness::{Request, Server, Tenant, wait_for};

use crate::audit::shown;
use crate::tell;

/// Those points: the campaigns pass over them.
pub const APART: [&str; 6] = [
    "erase.before",
    "erase.after",
    "rebuild.swap.before",
    "rebuild.swap.after",
    "mark.append.before",
    "mark.append.after",
];

/// Waits for the crash that is on order, and starts the server again without.
fn crashed(server: &mut Server, acme: &Tenant) -> Tenant {
    wait_for("the crash", || (!server.is_alive()).then_some(()));
    server.kill();
    server.run(&[]);
    acme.on(server)
}

fn replays(server: &Server, what: &str) {
    let (code, said, counts) = server.cli(&["replay", "--tenant", "acme"]);
    assert_eq!(code, Some(0), "{what}: {said}{counts}");
}

#[test]
fn an_erasure_that_a_crash_cuts_off_is_finished_and_touches_nobody_else() {
    for point in ["erase.before", "erase.after"] {
        let mut server = Server::with_faults(None);
        server.try_run(&[], &format!("{point}=crash")).unwrap();
        let acme = server.tenant("acme");
        acme.pattern(r#"(count 2 (event (= type "A")))"#, r#"(send echo message {:message *secret*})"#);
        for key in ["gone", "stays", "gone", "stays"] {
            acme.event(json!({"id": key, "type": "A", "secret": format!("canary of {key}")}));
        }
        acme.wait_reactions("gone", 1);
        acme.wait_reactions("stays", 1);
        let erase = Request::new("DELETE", &acme.path("customers/gone"));
        assert!(acme.client.try_send(&erase).is_err(), "{point}: it was answered");
        let acme = crashed(&mut server, &acme);

        let (code, events, counts) = server.cli(&["events", "--tenant", "acme"]);
        assert_eq!(code, Some(0), "{point}: {counts}");
        assert!(counts.contains("2 events, 2 erased"), "{point}: {counts}");
        assert!(!events.contains("canary of gone"), "{point}: {events}");
        let told = [shown(&acme, &["gone"]), vec![acme.get("event/history").body]].concat().concat();
        assert!(!told.contains("canary of gone"), "{point}: {told}");
        assert_eq!(acme.entries("stays", "event").len(), 2, "{point}");
        assert_eq!(acme.entries("stays", "reaction").len(), 1, "{point}");
        // Who comes back is somebody new.
        acme.event(json!({"id": "gone", "type": "A"}));
        acme.settle("gone");
        assert_eq!(
            acme.entries("gone", "event").iter().filter(|e| e["event"]["type"] == "A").count(),
            1,
            "{point}"
        );
        replays(&server, point);
    }
}

#[test]
fn a_rebuild_that_a_crash_cuts_off_never_goes_live_in_part_and_nothing_waits_for_it() {
    let mut server = Server::with_faults(None);
    server.run(&[]);
    let acme = server.tenant("acme");
    acme.pattern(r#"(event (= type "A"))"#, r#"(send echo message {:message "m"})"#);
    acme.post("templates", &json!({"name": "T", "template": "x"})).expect(201);
    for n in 0..20 {
        acme.event(json!({"id": "c", "type": "A", "n": n}));
    }
    acme.wait_reactions("c", 20);
    let before = shown(&acme, &["c"]);
    let mut crashes = 0;
    for point in ["rebuild.swap.before", "rebuild.swap.after"] {
        for passage in 1.. {
            let (code, _, said) = server.cli_with(&format!("{point}=crash@{passage}"), &["rebuild"]);
            if code == Some(0) {
                break;
            }
            assert_eq!(code, None, "{point}@{passage}: {said}");
            assert_eq!(shown(&acme, &["c"]), before, "{point}@{passage}");
            crashes += 1;
        }
    }
    assert!(crashes >= 18, "{crashes} crashes: each read model passes both points");
    // What comes in meanwhile is not lost to what was made beside.
    acme.event(json!({"id": "c", "type": "A"}));
    acme.wait_reactions("c", 21);
    let whole = shown(&acme, &["c"]);
    server.kill();
    server.run(&[]);
    let acme = acme.on(&server);
    assert_eq!(shown(&acme, &["c"]), whole);
    let (code, _, said) = server.cli(&["rebuild"]);
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(shown(&acme, &["c"]), whole);
    tell(&format!("{crashes} rebuilds crashed in mid-swap, each time what is served stayed as it was"));
}

#[test]
fn a_mark_that_a_crash_cuts_off_is_made_again_and_the_match_is_made_once() {
    for point in ["mark.append.before", "mark.append.after"] {
        let mut server = Server::with_faults(None);
        server.try_run(&[], &format!("{point}=crash")).unwrap();
        let acme = server.tenant("acme");
        let left = acme.pattern(
            r#"(within 1 seconds (seq (event (= type "cart")) (fail (event (= type "paid")))))"#,
            r#"(send echo message {:message "left"})"#,
        );
        acme.event(json!({"id": "c", "type": "cart"}));
        let acme = crashed(&mut server, &acme);
        acme.wait_reactions("c", 1);
        acme.settle("c");
        let matches = acme.pages(&format!("patterns/{left}/matches"));
        assert_eq!(matches.len(), 1, "{point}: {matches:?}");
        replays(&server, point);
    }
}
