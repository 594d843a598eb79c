//! A new master key, with the real binary: everything is read as before, by the new key only, whatever cut it off; and
//! servers that run meanwhile answer everything.

use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::json;
use system_tests::harness::{Home, Server, Tenant, command, on_database, wait_for};
use system_tests::stand_in::{Reply, StandIn};

/// A tenant with a secret, and a pattern that uses it.
fn acme(server: &Server) -> Tenant {
    let acme = server.tenant("acme");
    let account = json!({"account": "AC1", "password": "token-of-acme", "from-phone-number": "+1"});
    acme.post("integrations/twilio", &account).expect(200);
    acme.pattern(
        r#"(event (= type "hello"))"#,
        "(send twilio sms {:to-phone-number *phone* :message \"x\"})",
    );
    acme
}

/// Starts a command, and kills it after some milliseconds.
fn cut_off(command: &mut std::process::Command, millis: u64) {
    let mut process = command.spawn().expect("the binary runs");
    std::thread::sleep(Duration::from_millis(millis));
    process.kill().expect("killed");
    process.wait().expect("ended");
}

/// Whether all that was sealed can be read and used: a secret through the API and by a send, an event, and new ones.
fn works(server: &Server, acme: &Tenant, twilio: &StandIn, times: usize) {
    let acme = acme.on(server);
    assert_eq!(acme.get("integrations/twilio").expect(200)["password"], "token-of-acme");
    acme.event(json!({"id": "ann", "type": "hello", "phone": "+1"}));
    acme.wait_reactions("ann", times);
    let asked = twilio.asked();
    // AC1:token-of-acme
    let basic = "Basic QUMxOnRva2VuLW9mLWFjbWU=";
    assert_eq!((asked.len(), asked.last().expect("it was asked").header("authorization")), (times, basic));
    assert_eq!(acme.entries("ann", "event").len(), times);
    let new = server.tenant(&format!("new{times}"));
    new.post("integrations/twilio", &json!({"account": "AC2", "password": "p"})).expect(200);
}

fn rotate(data: &Path, new: &Path) -> std::process::Command {
    let mut command = command(&["keys", "rotate", "--data-dir"]);
    command.arg(data).arg("--new-master-key-file").arg(new);
    command
}

/// Does something while clients make tenants with secrets, read those back and send events, at each of the servers:
/// every request is answered as ever, those of the first moments after it too.
fn under_load(servers: &[&Server], acme: &Tenant, work: impl FnOnce()) {
    let (done, turns) = (AtomicBool::new(false), AtomicUsize::new(0));
    let turn = |server: &Server, name: &str| {
        let made = server.tenant(name);
        made.post("integrations/twilio", &json!({"account": "AC1", "password": name})).expect(200);
        // Read where it was not made: nothing of it is at hand there.
        for server in servers {
            let read = wait_for("another server to have read of it", || {
                let answer = made.on(server).get("integrations/twilio");
                (answer.status != 404).then_some(answer)
            });
            assert_eq!(read.expect(200)["password"], name);
            acme.on(server).event(json!({"id": name, "type": "load"}));
        }
        turns.fetch_add(1, Ordering::Relaxed);
    };
    std::thread::scope(|scope| {
        for (n, server) in servers.iter().enumerate() {
            for client in 0..2 {
                let (done, turn) = (&done, &turn);
                scope.spawn(move || {
                    let mut after = 3;
                    for k in 0.. {
                        after -= i32::from(done.load(Ordering::Acquire));
                        if after == 0 {
                            break;
                        }
                        turn(server, &format!("load-{n}-{client}-{k}-{}", std::process::id()));
                    }
                });
            }
        }
        wait_for("the load to begin", || (turns.load(Ordering::Relaxed) > 2).then_some(()));
        work();
        done.store(true, Ordering::Release);
    });
}

#[test]
fn a_new_master_key_opens_all_and_the_old_one_nothing_and_a_rotation_that_was_cut_off_is_gone_on_with() {
    if on_database() {
        return; // a folder's own key and lock; for a database: the test below
    }
    let twilio = StandIn::new([], Reply::Json(201, r#"{"sid":"SM1"}"#.to_owned()));
    let mut server = Server::start_with(&["--twilio-url", twilio.url()]);
    let acme = acme(&server);
    works(&server, &acme, &twilio, 1);
    let (data, new) = (server.data_dir(), server.scratch("new.key"));
    let in_use = data.join("master.key");
    let first = std::fs::read(&in_use).unwrap();
    under_load(&[&server], &acme, || {
        let output = rotate(&data, &new).output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    });
    let old = std::fs::read(&in_use).unwrap();
    assert!(old != first && old == std::fs::read(&new).unwrap());
    let new = server.scratch("newer.key");
    server.terminate();
    // Cut off again and again, wherever it is then.
    for millis in [0, 1, 2, 3, 5, 8, 13, 20, 30, 50] {
        cut_off(&mut rotate(&data, &new), millis);
    }
    // Whatever is under which key by now, a server can open it, and the rest is done beside it.
    server.run(&["--twilio-url", twilio.url()]);
    let output = rotate(&data, &new).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    assert_ne!(std::fs::read(&in_use).unwrap(), old);
    assert_eq!(std::fs::read(&in_use).unwrap(), std::fs::read(&new).unwrap());
    works(&server, &acme, &twilio, 2);
    server.terminate();
    // Cut off just before the key was put into its place: the old one is refused, and it is gone on with.
    std::fs::write(&in_use, &old).unwrap();
    let refused = server.try_run(&[], "").unwrap_err();
    assert!(refused.contains("master key"), "{refused}");
    let output = rotate(&data, &new).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success() && said.contains("already"), "{said}");
    server.run(&["--twilio-url", twilio.url()]);
    works(&server, &acme, &twilio, 3);
}

#[test]
fn a_master_key_that_the_operator_keeps_is_left_alone_and_a_wrong_one_changes_nothing() {
    if on_database() {
        return; // a folder's own key and lock; for a database: the test below
    }
    let mut server = Server::start();
    let acme = server.tenant("acme");
    acme.post("integrations/twilio", &json!({"account": "AC1", "password": "secret"})).expect(200);
    server.terminate();
    let data = server.data_dir();
    let (own, wrong, new) =
        (server.scratch("own.key"), server.scratch("wrong.key"), server.scratch("new.key"));
    std::fs::rename(data.join("master.key"), &own).unwrap();
    let before = std::fs::read(&own).unwrap();
    // Another store's.
    let mut other = Server::start();
    other.terminate();
    std::fs::copy(other.data_dir().join("master.key"), &wrong).unwrap();
    let output = rotate(&data, &new).arg("--master-key-file").arg(&wrong).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", String::from_utf8_lossy(&output.stderr));
    let output = rotate(&data, &new).arg("--master-key-file").arg(&own).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert!(said.contains("--master-key-file"), "what to do now: {said}");
    assert_eq!(std::fs::read(&own).unwrap(), before);
    assert!(!data.join("master.key").exists());
    let own = own.to_str().unwrap();
    assert!(server.try_run(&["--master-key-file", own], "").is_err(), "the old one opens nothing");
    server.run(&["--master-key-file", new.to_str().unwrap()]);
    assert_eq!(acme.on(&server).get("integrations/twilio").expect(200)["password"], "secret");
    let output = rotate(Path::new("/nowhere"), Path::new("/nowhere/new.key")).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn servers_on_a_database_go_on_under_a_new_master_key_once_each_has_been_given_it() {
    let twilio = StandIn::new([], Reply::Json(201, r#"{"sid":"SM1"}"#.to_owned()));
    let home = Home::database();
    let mut servers = [Server::at(home.clone()), Server::at(home)];
    let arguments = ["--twilio-url", twilio.url()];
    for server in &mut servers {
        server.run(&arguments);
    }
    let acme = acme(&servers[0]);
    works(&servers[0], &acme, &twilio, 1);
    let new = servers[0].scratch("new.key");
    let path = new.to_str().expect("UTF-8");
    let rotate = ["keys", "rotate", "--new-master-key-file", path];
    let (code, _, said) = servers[0].cli(&rotate);
    assert!(code == Some(1) && said.contains("into the file of each of them"), "what to do first: {said}");
    let added = std::fs::read_to_string(&new).expect("it was made");
    for server in &servers {
        let file = server.data_dir().join("master.key");
        let old = std::fs::read_to_string(&file).expect("a key");
        std::fs::write(&file, format!("{}\n{added}", old.trim())).expect("a file can be written");
    }
    let [first, second] = &servers;
    under_load(&[first, second], &acme, || {
        let (code, _, said) = first.cli(&rotate);
        assert!(code == Some(0) && said.contains("are sealed under"), "{said}");
    });
    works(second, &acme, &twilio, 2);
    let (code, _, said) = first.cli(&rotate);
    assert!(code == Some(0) && said.contains("already"), "twice is once: {said}");
    // The old key is taken away, and opens nothing any more.
    for server in &mut servers {
        server.terminate();
    }
    servers[0].run(&[&arguments[..], &["--master-key-file", path]].concat());
    works(&servers[0], &acme, &twilio, 3);
    servers[0].terminate();
    let file = servers[1].data_dir().join("master.key");
    let both = std::fs::read_to_string(&file).expect("two keys");
    std::fs::write(&file, both.lines().next().expect("the old one")).expect("a file can be written");
    let refused = servers[1].try_run(&arguments, "").expect_err("the old key");
    assert!(refused.contains("master key"), "{refused}");
    // Without servers, cut off again and again, wherever it is then.
    std::fs::write(&file, &added).expect("a file can be written");
    let newer = servers[0].scratch("newer.key");
    let rotate = ["keys", "rotate", "--new-master-key-file", newer.to_str().expect("UTF-8")];
    for millis in [0, 2, 5, 10, 20, 40, 80] {
        cut_off(&mut servers[1].command(&rotate), millis);
    }
    let (code, _, said) = servers[1].cli(&rotate);
    assert_eq!(code, Some(0), "{said}");
    servers[1].run(&[&arguments[..], &["--master-key-file", newer.to_str().expect("UTF-8")]].concat());
    works(&servers[1], &acme, &twilio, 4);
}
