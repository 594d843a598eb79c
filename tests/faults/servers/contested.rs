//! One resource that many clients change at two servers at once. With `If-Match` one of those who saw a version wins and
//! the others see 409; without, every change holds, in some order.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;

use serde_json::json;
use system_tests::harness::{Home, Request, Server, Tenant};

use crate::audit::Faults;
use crate::{set, tell};

/// Clients at each of the two servers.
const CLIENTS: usize = 16;

/// What each asks for, where not told otherwise.
const CHANGES: u64 = 12;

/// Changes that were answered 200: what each asked for, and the version it was shown.
#[derive(Default)]
struct Done {
    named: BTreeSet<String>,
    /// Which versions were seen by a change that won, and how many won.
    seen: BTreeMap<String, usize>,
    conflicts: usize,
    faults: Faults,
}

fn change(acme: &Tenant, pattern: &str, name: &str, seen: Option<&str>, done: &Mutex<Done>) {
    let path = acme.path(&format!("patterns/{pattern}"));
    let request = Request::new("PUT", &path).json(&json!({"name": name}));
    let request = match seen {
        Some(seen) => request.header("if-match", seen),
        None => request,
    };
    let answer = acme.client.send(&request);
    let mut done = done.lock().expect("whole");
    match (answer.status, seen) {
        (200, _) => {
            done.named.insert(name.to_owned());
            if let Some(seen) = seen {
                *done.seen.entry(seen.to_owned()).or_default() += 1;
            }
        }
        (409, Some(_)) => done.conflicts += 1,
        _ => done.faults.push(format!("{name}: {} {}", answer.status, answer.body)),
    }
}

/// Runs all clients; what was found wrong.
fn run(orders: &str, changes: u64) -> Faults {
    let home = Home::database();
    let mut servers = [Server::at_with_faults(home.clone()), Server::at_with_faults(home)];
    for server in &mut servers {
        server.try_run(&[], orders).unwrap_or_else(|said| panic!("not ready: {said}"));
    }
    let acme = servers[0].tenant("acme");
    let pattern = acme.pattern(r#"(event (= type "A"))"#, "(set x 1)");
    let version = || {
        let tag = acme.get(&format!("patterns/{pattern}")).header("etag").trim_matches('"').to_owned();
        tag.parse::<usize>().expect("a version")
    };
    let (done, first) = (Mutex::new(Done::default()), version());
    std::thread::scope(|scope| {
        for (s, server) in servers.iter().enumerate() {
            for client in 0..CLIENTS {
                let (acme, pattern, done) = (acme.on(server), &pattern, &done);
                scope.spawn(move || {
                    for n in 0..changes {
                        let name = format!("{s}-{client}-{n}");
                        let shown = acme.get(&format!("patterns/{pattern}"));
                        // Every other client says what it saw.
                        let seen = client.is_multiple_of(2).then(|| shown.header("etag").to_owned());
                        change(&acme, pattern, &name, seen.as_deref(), done);
                    }
                });
            }
        }
    });
    // What a server has written itself it shows, and with it all that stands before it.
    acme.pattern(r#"(event (= type "last"))"#, "(set x 1)");
    let mut done = done.into_inner().expect("whole");
    let won = done.seen.iter().filter(|(_, count)| **count > 1);
    let mut faults: Faults = won.map(|(seen, count)| format!("{count} who saw {seen} won")).collect();
    faults.append(&mut done.faults);
    if version() != first + done.named.len() {
        faults.push(format!("{} changes took it from {first} to {}", done.named.len(), version()));
    }
    let told: Vec<_> = acme.pages("audit").iter().map(|entry| entry.to_string()).collect();
    let lost: Vec<_> = done
        .named
        .iter()
        .filter(|name| !told.iter().any(|entry| entry.contains(&format!("\"{name}\""))))
        .collect();
    if !lost.is_empty() {
        faults.push(format!("answered 200 and not in the trail: {lost:?}"));
    }
    tell(&format!(
        "one resource, {} clients at 2 servers: {} changes held, {} saw 409, {} faults found {orders}",
        2 * CLIENTS,
        done.named.len(),
        done.conflicts,
        faults.len()
    ));
    faults
}

#[test]
fn of_changes_of_one_resource_at_two_servers_one_wins_or_all_hold_and_two_that_win_are_seen() {
    let changes = set("CXENGAGE_CHANGES").map_or(CHANGES, |all| all.div_ceil(2 * CLIENTS as u64));
    assert_eq!(run("", changes), Faults::new());
    let broken = run("break:no-version-check", CHANGES);
    assert!(broken.iter().any(|fault| fault.contains(" won")), "broken and not seen: {broken:?}");
}
