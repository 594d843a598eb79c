//! Several servers on one database: any of them answers, all share the matching, one of them runs reactions and listens,
//! and others take over when one falls silent.

use std::time::{Duration, Instant};

use eventlog::testing::postgres::{PostgresServer, held_by};
use serde_json::{Value, json};
use system_tests::harness::{Home, Request, Server, Tenant, wait_for};
use system_tests::stand_in::{Reply, StandIn};

/// How long a takeover may take.
const TAKEOVER: Duration = Duration::from_secs(10);

/// The shares of matching.
const SHARES: usize = 8;

/// Two servers on one database, and a tenant. The first one has all leases, but for half of matching, which it has handed
/// over.
fn two() -> (Server, Server, Tenant) {
    two_with(&[])
}

fn two_with(arguments: &[&str]) -> (Server, Server, Tenant) {
    let home = Home::database();
    let mut first = Server::at(home.clone());
    first.run(arguments);
    let acme = first.tenant("acme");
    for part in ["reactions", "listeners"] {
        wait_for(part, || is_the_one(&first, part).then_some(()));
    }
    matches_shares(&first, SHARES);
    let mut second = Server::at(home);
    second.run(arguments);
    matches_shares(&second, SHARES / 2);
    matches_shares(&first, SHARES / 2);
    (first, second, acme)
}

/// The terms that a server holds.
fn held(server: &Server) -> Vec<String> {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(held_by(server.home().url(), &server.identity()))
}

/// Waits until a server matches for so many shares.
fn matches_shares(server: &Server, count: usize) {
    wait_for(&format!("{count} shares"), || {
        (held(server).iter().filter(|term| term.starts_with("engine:")).count() == count).then_some(())
    });
}

fn is_the_one(server: &Server, part: &str) -> bool {
    server.said().contains(&format!("this server is the one for {part}"))
}

/// Waits until a server has taken over; how long that took.
fn taken_over(server: &Server) -> Duration {
    let began = Instant::now();
    wait_for("reactions", || is_the_one(server, "reactions").then_some(()));
    matches_shares(server, SHARES);
    began.elapsed()
}

fn ids(entries: &[Value]) -> Vec<String> {
    entries.iter().map(|entry| entry["id"].to_string()).collect()
}

#[test]
fn what_comes_in_at_any_server_is_matched_once_and_seen_at_all() {
    let (first, second, acme) = two();
    let pattern = acme.pattern(r#"(count 2 (event (= type "A")))"#, "(send echo message {})");
    let there = acme.on(&second);
    assert_eq!(there.event(json!({"id": "c", "type": "A"}))["key-attr"], "c", "the token is good there");
    acme.event(json!({"id": "c", "type": "A"}));
    for tenant in [&acme, &there] {
        let done = tenant.wait_reactions("c", 1);
        assert_eq!((done.len(), &done[0]["pattern"]), (1, &json!(pattern)));
        assert_eq!(tenant.entries("c", "match").len(), 1);
    }
    let (client, secret) = first.admin().new_client("acme", None);
    let known = acme.client.at(second.base()).with_token_of(&client, &secret);
    assert_eq!(known.get(&acme.path("patterns")).status, 200, "made here, known there");
    let made = first.tenant("globex").on(&second);
    assert_eq!(made.get("patterns").status, 200, "made here, known there");
    // Made there, in force everywhere at once: an event that comes after it is matched against it.
    there.pattern(r#"(event (= type "B"))"#, "(send echo message {})");
    acme.event(json!({"id": "d", "type": "B"}));
    acme.wait_reactions("d", 1);
    assert!(is_the_one(&first, "reactions") && !is_the_one(&second, "reactions"));
    for server in [&first, &second] {
        wait_for("readiness", || (server.anonymous().get("/readyz").status == 200).then_some(()));
    }
}

#[test]
fn another_server_takes_over_within_ten_seconds_of_a_kill_and_nothing_is_lost_or_doubled() {
    let (mut first, second, acme) = two();
    acme.pattern(r#"(count 2 (event (= type "A")))"#, r#"(seq (delay 1 seconds) (send echo message {}))"#);
    for n in 0..40 {
        acme.event(json!({"id": format!("c{}", n % 10), "type": "A"}));
    }
    first.kill();
    let took = taken_over(&second);
    assert!(took < TAKEOVER, "{took:?}");
    let there = acme.on(&second);
    for c in 0..10 {
        there.event(json!({"id": format!("c{c}"), "type": "A"}));
        there.event(json!({"id": format!("c{c}"), "type": "A"}));
    }
    for c in 0..10 {
        let done = there.wait_reactions(&format!("c{c}"), 3);
        let matches = there.entries(&format!("c{c}"), "match");
        assert_eq!((done.len(), matches.len()), (3, 3), "c{c}");
    }
    let (code, said, counts) = second.cli(&["replay", "--tenant", "acme"]);
    assert_eq!(code, Some(0), "{said}{counts}");
}

#[test]
fn matching_is_shared_out_anew_as_servers_come_and_go_and_nothing_is_lost_or_doubled() {
    let (first, mut second, acme) = two();
    acme.pattern(r#"(count 2 (event (= type "A")))"#, "(send echo message {})");
    let customers: Vec<String> = (0..64).map(|n| format!("c{n}")).collect();
    let mut rounds = 0;
    let mut round = |servers: &[&Server]| {
        rounds += 1;
        for (customer, server) in customers.iter().zip(servers.iter().cycle()) {
            acme.on(server).event(json!({"id": customer, "type": "A"}));
        }
    };
    round(&[&first, &second]);
    let mut third = Server::at(first.home().clone());
    third.run(&[]);
    round(&[&first, &second, &third]);
    matches_shares(&third, 2);
    round(&[&first, &second, &third]);
    matches_shares(&first, 3);
    matches_shares(&second, 3);
    // One goes in good order: at once the others have its part.
    second.terminate();
    round(&[&first, &third]);
    matches_shares(&first, SHARES / 2);
    matches_shares(&third, SHARES / 2);
    // One is killed, and comes back for its part.
    third.kill();
    round(&[&first]);
    matches_shares(&first, SHARES);
    third.run(&[]);
    matches_shares(&third, SHARES / 2);
    round(&[&first, &third]);
    for customer in &customers {
        let done = acme.wait_reactions(customer, rounds / 2);
        let matches = acme.entries(customer, "match");
        assert_eq!((done.len(), matches.len()), (rounds / 2, rounds / 2), "{customer}");
    }
    let (code, said, counts) = first.cli(&["replay", "--tenant", "acme"]);
    assert_eq!(code, Some(0), "{said}{counts}");
}

#[test]
fn a_server_that_was_paused_past_its_lease_lets_go_and_stands_by_again() {
    let hook = StandIn::new([], Reply::Json(204, String::new()));
    let (first, mut second, acme) = two_with(&["--allow-private-addresses"]);
    acme.post("integrations/webhook", &json!({"url": hook.url()})).expect(200);
    acme.pattern(
        r#"(event (= type "A"))"#,
        r#"(seq (delay 2 seconds) (send webhook post {:body {:key *id*}}))"#,
    );
    for n in 0..20 {
        acme.event(json!({"id": format!("c{n}"), "type": "A"}));
    }
    first.pause();
    let there = acme.on(&second);
    let took = taken_over(&second);
    assert!(took < TAKEOVER, "{took:?}");
    for n in 0..20 {
        there.wait_reactions(&format!("c{n}"), 1);
    }
    first.wake();
    wait_for("the first one to let go", || {
        let said = first.said();
        let let_go = |part: &str| said.contains(part);
        (let_go("taken over matching") || let_go("taken over engine:")).then_some(())
    });
    // It answers as before, and what it takes in is matched by the other.
    acme.event(json!({"id": "later", "type": "A"}));
    acme.wait_reactions("later", 1);
    let mut keys: Vec<_> = hook.asked().iter().map(|asked| asked.header("webhook-id").to_owned()).collect();
    keys.sort();
    let sent = keys.len();
    keys.dedup();
    assert_eq!((sent, keys.len()), (21, 21), "each send went out once");
    // And it is there when it is needed.
    second.terminate();
    acme.event(json!({"id": "last", "type": "A"}));
    let done = acme.wait_reactions("last", 1);
    assert_eq!(ids(&acme.entries("last", "reaction")), ids(&done));
}

#[test]
fn who_was_erased_or_deleted_at_one_server_is_so_at_the_others() {
    let (first, second, acme) = two();
    let there = acme.on(&second);
    acme.event(json!({"id": "gone", "type": "A", "secret": "canary"}));
    wait_for("the event there", || {
        let history = there.get("event/history").expect(200).to_string();
        history.contains("canary").then_some(())
    });
    acme.delete("customers/gone").expect(204);
    wait_for("its end there", || {
        let history = there.get("event/history").expect(200).to_string();
        (!history.contains("canary")).then_some(())
    });
    let admin = second.admin();
    let (id, secret) = admin.new_client("acme", None);
    let shop = admin.with_token_of(&id, &secret);
    assert_eq!(shop.get("/1.0/tenants/acme/patterns").status, 200);
    first.admin().delete(&format!("/1.0/tenants/acme/clients/{id}")).expect(204);
    wait_for("the token's end there", || {
        (shop.get("/1.0/tenants/acme/patterns").status == 401).then_some(())
    });
}

#[test]
fn a_data_folder_goes_with_one_database_and_one_server() {
    let (first, second, _) = two();
    let folder = first.data_dir();
    let key = folder.join("master.key").display().to_string();
    let refused = |arguments: &[&str]| {
        let mut all = vec!["serve", "--listen", "127.0.0.1:0", "--data-dir", folder.to_str().expect("UTF-8")];
        all.extend(arguments);
        let output = system_tests::harness::command(&all).output().expect("the binary runs");
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let url = first.home().url();
    let (code, said) = refused(&["--database", url, "--master-key-file", &key]);
    assert!(code == Some(1) && said.contains("in use by"), "{code:?} {said}");
    let (code, said) = refused(&["--database", url]);
    assert!(code == Some(2) && said.contains("--master-key-file"), "{code:?} {said}");
    let (code, said) = refused(&["--role", "api"]);
    assert!(code == Some(2) && said.contains("--database"), "{code:?} {said}");
    drop((second, first));
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("database"), "me\nanother\n").expect("a file");
    let mut other = Server::at(Home::database());
    std::fs::create_dir_all(other.data_dir()).expect("a folder");
    std::fs::copy(folder.path().join("database"), other.data_dir().join("database")).expect("a file");
    let said = other.try_run(&[], "").expect_err("it is another's");
    assert!(said.contains("another database") && said.contains("--data-dir"), "{said}");
}

#[test]
fn servers_with_a_role_each_do_the_job_together() {
    let home = Home::database();
    let (mut face, mut work) = (Server::at(home.clone()), Server::at(home));
    face.run(&["--role", "api"]);
    work.run(&["--role", "engine,notifier,projections"]);
    let acme = face.tenant("acme");
    acme.pattern(r#"(event (= type "A"))"#, "(send echo message {})");
    acme.pattern(r#"(event (= type "B"))"#, "(seq (delay 1 hours) (send echo message {}))");
    acme.event(json!({"id": "c", "type": "A"}));
    acme.wait_reactions("c", 1);
    acme.event(json!({"id": "d", "type": "B"}));
    let waiting = acme.wait_entries("d", "reaction", 1, |reaction| reaction["state"] == "running");
    // Asked here, done there.
    let id = waiting[0]["id"].as_str().expect("an id");
    let cancel =
        |id: &str| acme.client.send(&Request::new("POST", &acme.path(&format!("reactions/{id}/cancel"))));
    let cancelled = cancel(id).expect(200);
    assert_eq!(cancelled["state"], "cancelled", "{cancelled}");
    let stranger = "RE00000000000000000000000000000000";
    assert_eq!(cancel(stranger).status, 404);
    assert_eq!(face.anonymous().get("/readyz").status, 200);
    assert_eq!(work.anonymous().get("/readyz").status, 200);
    assert_eq!(work.anonymous().get("/1.0/tenants").status, 404, "it has no part in the API");
    assert!(!is_the_one(&face, "matching"));
}

#[test]
fn a_database_that_crashes_and_comes_back_loses_nothing_and_ends_no_server() {
    let mut database = PostgresServer::start();
    let home = Home::database_on(&database);
    let mut servers = [Server::at(home.clone()), Server::at(home)];
    for server in &mut servers {
        server.run(&[]);
    }
    let acme = servers[0].tenant("acme");
    acme.pattern(r#"(event (= type "A"))"#, r#"(seq (delay 1 seconds) (send echo message {}))"#);
    let mut sent = 0;
    for mode in ["immediate", "fast"] {
        for server in servers.iter().cycle().take(10) {
            acme.on(server).event(json!({"id": format!("c{sent}"), "type": "A"}));
            sent += 1;
        }
        database.restart(mode);
        for server in &servers {
            let (began, there) = (Instant::now(), acme.on(server));
            let event = json!({"id": format!("c{sent}"), "type": "A"});
            let key = format!("again {sent}");
            wait_for("writes", || (there.event_once(&key, &event).status == 201).then_some(()));
            assert!(began.elapsed() < TAKEOVER, "{mode}: {:?}", began.elapsed());
            sent += 1;
        }
    }
    for n in 0..sent {
        acme.wait_reactions(&format!("c{n}"), 1);
        assert_eq!(acme.entries(&format!("c{n}"), "match").len(), 1, "c{n}");
    }
    assert!(servers.iter_mut().all(Server::is_alive));
}
