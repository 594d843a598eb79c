//! A backup taken under load restores to one consistent point, and nobody who was erased comes back with it.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use serde_json::{Value, json};
use system_tests::harness::{Home, Server, Tenant, command, on_database, wait_for};

/// Runs the binary; its exit code, stdout and stderr.
fn run(arguments: &[&str]) -> (Option<i32>, String, String) {
    let output = command(arguments).output().expect("the binary runs");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
    (output.status.code(), text(output.stdout), text(output.stderr))
}

fn path(path: &Path) -> &str {
    path.to_str().expect("a path of this test's is UTF-8")
}

/// Backs a server up; the folder and what its manifest says.
fn backup(server: &Server, name: &str) -> (PathBuf, Value) {
    let to = server.scratch(name);
    let (code, stdout, stderr) = server.cli(&["backup", "--to", path(&to)]);
    assert_eq!(code, Some(0), "{stderr}");
    assert!(stderr.contains("master key") && stderr.contains("NOT in it"), "{stderr}");
    (to, serde_json::from_str(&stdout).expect("one line of JSON"))
}

/// Restores into a new server's folder, with the master key of the first.
fn restored(of: &Server, from: &Path, how: &[&str]) -> (Server, String) {
    let mut said = String::new();
    let server = Server::prepared(|folder| {
        let arguments = [&["restore", "--from", path(from), "--data-dir", path(folder)], how].concat();
        let (code, _, stderr) = run(&arguments);
        assert_eq!(code, Some(0), "{stderr}");
        assert!(stderr.contains("master.key"), "{stderr}");
        std::fs::copy(of.data_dir().join("master.key"), folder.join("master.key")).expect("copied");
        said = stderr;
    });
    (server, said)
}

fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry"));
    let mut names: Vec<_> = entries.map(|entry| entry.file_name().into_string().expect("UTF-8")).collect();
    names.sort_unstable();
    names
}

/// The events of a tenant as the command line writes them, one a line.
fn events(server: &Server) -> Vec<String> {
    let (code, stdout, stderr) = server.cli(&["events", "--tenant", "acme"]);
    assert_eq!(code, Some(0), "{stderr}");
    stdout.lines().map(str::to_owned).collect()
}

/// Sends events until it is told to stop; when each was accepted, and its id.
fn load(tenant: &Tenant, stop: &AtomicBool) -> Vec<(Instant, String)> {
    let mut accepted = Vec::new();
    while !stop.load(Ordering::SeqCst) {
        let n = accepted.len();
        let event = tenant.event(json!({"id": format!("k{}", n % 7), "type": "A", "n": n}));
        accepted.push((Instant::now(), event["id"].as_str().expect("an id").to_owned()));
    }
    accepted
}

#[test]
fn a_backup_under_load_restores_to_one_point_that_replays() {
    if on_database() {
        return; // backup and restore are for a store in a folder
    }
    let server = Server::start();
    let acme = server.tenant("acme");
    acme.pattern(
        r#"(within 1 hours (count 3 (event (= type "A"))))"#,
        r#"(seq (send echo message {:message *id*}) (set seen *n*))"#,
    );
    let stop = AtomicBool::new(false);
    let (copy, manifest, began, accepted) = std::thread::scope(|scope| {
        let loaders: Vec<_> = (0..3).map(|_| scope.spawn(|| load(&acme, &stop))).collect();
        wait_for("some events", || (events(&server).len() > 100).then_some(()));
        let began = Instant::now();
        let (copy, manifest) = backup(&server, "backup");
        stop.store(true, Ordering::SeqCst);
        let accepted: Vec<_> =
            loaders.into_iter().flat_map(|loader| loader.join().expect("a loader")).collect();
        (copy, manifest, began, accepted)
    });
    assert_eq!(names(&copy), ["backup.json", "log.db"]);

    let started = Instant::now();
    let (mut second, _) = restored(&server, &copy, &["--erasures", path(&server.data_dir())]);
    second.run(&[]);
    let position = manifest["position"].as_u64().expect("a position");
    report(&format!("{position} positions restored, ready after {:?}", started.elapsed()));
    assert_eq!(names(&copy), ["backup.json", "log.db"], "a restore changes nothing in the backup");

    let (was, is) = (events(&server), events(&second));
    assert_eq!(was.len(), accepted.len());
    assert!(was.len() > is.len(), "the load went on during the backup");
    assert_eq!(was[..is.len()], is[..], "the stream up to one point");
    for (_, id) in accepted.iter().filter(|(at, _)| *at < began) {
        assert!(is.iter().any(|line| line.contains(id.as_str())), "{id} was accepted before the backup");
    }
    let restored_tenant = acme.on(&second);
    assert_eq!(acme.get("audit").expect(200), restored_tenant.get("audit").expect(200));
    restored_tenant.settle("k0");
    wait_for("every reaction to end", || {
        restored_tenant.pages("reactions?state=running").is_empty().then_some(())
    });
    let (code, stdout, stderr) = second.cli(&["replay", "--tenant", "acme"]);
    assert_eq!(code, Some(0), "{stdout}{stderr}");
}

#[test]
fn who_was_erased_after_the_backup_does_not_come_back_with_it() {
    if on_database() {
        return; // backup and restore are for a store in a folder
    }
    let mut server = Server::start();
    let acme = server.tenant("acme");
    for key in ["gone", "stays"] {
        acme.event(json!({"id": key, "type": "A", "text": format!("canary-{key}")}));
    }
    let (yesterday, _) = backup(&server, "yesterday");
    acme.delete("customers/gone").expect(204);
    assert!(acme.entries("gone", "event").is_empty());
    acme.event(json!({"id": "gone", "type": "A", "text": "canary-back"}));
    let (today, _) = backup(&server, "today");
    let texts = |server: &Server, key: &str| {
        let entries = acme.on(server).entries(key, "event");
        entries
            .iter()
            .map(|entry| entry["event"]["text"].as_str().expect("a text").to_owned())
            .collect::<Vec<_>>()
    };

    let (code, _, stderr) =
        run(&["restore", "--from", path(&yesterday), "--data-dir", path(&server.scratch("no"))]);
    assert_eq!(code, Some(2), "it has to be said whose erasures count: {stderr}");
    // The control: without them, a backup brings everybody back.
    let (mut careless, said) = restored(&server, &yesterday, &["--no-erasures"]);
    assert!(said.contains("erase them again"), "{said}");
    careless.run(&[]);
    assert_eq!(texts(&careless, "gone"), ["canary-gone"]);
    drop(careless);

    server.terminate();
    for source in [server.data_dir(), today.clone()] {
        let (mut second, said) = restored(&server, &yesterday, &["--erasures", path(&source)]);
        assert!(said.contains("1 erasures heeded, 1 customers erased again"), "{said}");
        second.run(&[]);
        assert_eq!(texts(&second, "gone"), [""; 0]);
        assert_eq!(texts(&second, "stays"), ["canary-stays"]);
        let (_, stdout, stderr) = second.cli(&["events", "--tenant", "acme"]);
        assert!(!stdout.contains("canary-gone") && stderr.contains("1 erased"), "{stdout}{stderr}");
        // What was restored knows it from now on.
        let (again, _) = backup(&second, "again");
        let (mut third, _) = restored(&server, &yesterday, &["--erasures", path(&again)]);
        third.run(&[]);
        assert_eq!(texts(&third, "gone"), [""; 0]);
    }
    // Who came back after the erasure is not erased by it.
    let (mut second, said) = restored(&server, &today, &["--erasures", path(&server.data_dir())]);
    assert!(said.contains("0 customers erased again"), "{said}");
    second.run(&[]);
    assert_eq!(texts(&second, "gone"), ["canary-back"]);
}

#[test]
fn what_is_no_sound_backup_or_no_empty_folder_is_refused_and_left_alone() {
    if on_database() {
        return; // backup and restore are for a store in a folder
    }
    let server = Server::start();
    let acme = server.tenant("acme");
    acme.event(json!({"id": "k"}));
    let (good, _) = backup(&server, "good");
    let bent = |name: &str, bend: &dyn Fn(&Path)| {
        let folder = server.scratch(name);
        std::fs::create_dir(&folder).expect("made");
        for file in names(&good) {
            std::fs::copy(good.join(&file), folder.join(&file)).expect("copied");
        }
        bend(&folder);
        folder
    };
    let edit = |folder: &Path, change: &dyn Fn(&mut Value)| {
        let file = folder.join("backup.json");
        let mut manifest: Value = serde_json::from_slice(&std::fs::read(&file).expect("read")).expect("JSON");
        change(&mut manifest);
        std::fs::write(file, manifest.to_string()).expect("written");
    };
    let flip = |folder: &Path| {
        let file = folder.join("log.db");
        let mut bytes = std::fs::read(&file).expect("read");
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        std::fs::write(file, bytes).expect("written");
    };
    let cut = |folder: &Path| {
        let file = std::fs::File::options().write(true).open(folder.join("log.db")).expect("opened");
        file.set_len(8192).expect("cut");
    };
    let full = server.scratch("full");
    std::fs::create_dir(&full).expect("made");
    std::fs::write(full.join("log.db"), "mine").expect("written");
    let fresh = server.scratch("fresh");
    for (from, to, says) in [
        (good.clone(), &full, vec!["log.db", "not empty", "new folder"]),
        (good.clone(), &server.data_dir(), vec!["not empty"]),
        (server.scratch("absent"), &fresh, vec!["absent", "no backup"]),
        (
            bent("unfinished", &|at| std::fs::remove_file(at.join("backup.json")).expect("removed")),
            &fresh,
            vec!["no backup"],
        ),
        (bent("flipped", &flip), &fresh, vec!["damaged", "log.db", "SHA-256"]),
        (bent("cut", &cut), &fresh, vec!["damaged", "8192 bytes"]),
        (
            bent("newer", &|at| edit(at, &|m| m["record-format"] = json!(4_000_000))),
            &fresh,
            vec!["format 4000000", "reads up to"],
        ),
        (
            bent("shape", &|at| edit(at, &|m| m["backup-format"] = json!(77))),
            &fresh,
            vec!["format 77", "reads up to 1"],
        ),
        (
            bent("odd", &|at| edit(at, &|m| m["file"] = json!("../../log.db"))),
            &fresh,
            vec!["damaged", "backup.json"],
        ),
        (
            bent("not", &|at| std::fs::write(at.join("backup.json"), "{").expect("written")),
            &fresh,
            vec!["damaged"],
        ),
    ] {
        let (code, stdout, stderr) =
            run(&["restore", "--no-erasures", "--from", path(&from), "--data-dir", path(to)]);
        assert_eq!((code, stdout.as_str()), (Some(1), ""), "{}: {stderr}", from.display());
        for word in says {
            assert!(stderr.contains(word), "{} does not say {word:?}: {stderr}", from.display());
        }
        assert!(
            !fresh.exists() || names(&fresh).is_empty(),
            "{:?} is left of {}",
            names(&fresh),
            from.display()
        );
    }
    assert_eq!(std::fs::read(full.join("log.db")).expect("read"), b"mine");
    let (code, _, stderr) = server.cli(&["backup", "--to", path(&good)]);
    assert!(code == Some(1) && stderr.contains("not empty"), "{stderr}");
    let nowhere = server.scratch("full/log.db/x");
    let (code, _, stderr) = server.cli(&["backup", "--to", path(&nowhere)]);
    assert!(code == Some(1) && stderr.contains(path(&nowhere)), "{stderr}");
    let erasures = server.scratch("no-store");
    let (code, _, stderr) =
        run(&["restore", "--from", path(&good), "--data-dir", path(&fresh), "--erasures", path(&erasures)]);
    assert!(code == Some(1) && stderr.contains("no-store"), "{stderr}");
    acme.event(json!({"id": "k"}));
}

#[test]
fn neither_the_master_key_nor_anything_in_clear_is_in_a_backup() {
    if on_database() {
        return; // backup and restore are for a store in a folder
    }
    let server = Server::start();
    let acme = server.tenant("acme");
    acme.event(json!({"id": "canary-key", "text": "canary-text"}));
    acme.post("integrations/webhook", &json!({"secret": "canary-secret"})).expect(200);
    let (copy, _) = backup(&server, "backup");
    let key = std::fs::read_to_string(server.data_dir().join("master.key")).expect("read");
    let all: Vec<u8> =
        names(&copy).iter().flat_map(|name| std::fs::read(copy.join(name)).expect("read")).collect();
    let there = |text: &str| all.windows(text.len()).any(|window| window == text.as_bytes());
    assert!(there("acme"), "the search works");
    for secret in ["canary", key.trim()] {
        assert!(!there(secret), "{secret}");
    }
}

#[test]
fn who_was_erased_after_a_backup_of_the_database_does_not_come_back_with_it() {
    let mut server = Server::at(Home::database());
    server.run(&[]);
    let acme = server.tenant("acme");
    for key in ["gone", "stays"] {
        acme.event(json!({"id": key, "type": "A", "text": format!("canary-{key}")}));
    }
    server.terminate();
    let yesterday = server.home().copied();
    server.run(&[]);
    let acme = acme.on(&server);
    acme.delete("customers/gone").expect(204);
    acme.event(json!({"id": "gone", "type": "A", "text": "canary-back"}));
    let (code, list, said) = run(&["erasures", "--database", server.home().url()]);
    assert!(code == Some(0) && list.lines().count() == 1, "{list}{said}");
    let kept = server.scratch("erasures.jsonl");
    std::fs::write(&kept, list).expect("a file");
    server.terminate();
    let texts = |home: Home, how: &[&str], says: &str| {
        let (code, _, said) = run(&[&["restore", "--database", home.url()], how].concat());
        assert!(code == Some(0) && said.contains(says), "{said}");
        let mut restored = Server::at(home);
        restored.run(&[]);
        let acme = acme.on(&restored);
        let text = |entry: &Value| entry["event"]["text"].as_str().expect("a text").to_owned();
        let entries = ["gone", "stays"].map(|key| acme.entries(key, "event"));
        let texts = entries.map(|entries| entries.iter().map(text).collect::<Vec<_>>());
        let (_, events, _) = restored.cli(&["events", "--tenant", "acme"]);
        let is_back = texts[0].iter().any(|text| text == "canary-gone");
        assert_eq!(events.contains("canary-gone"), is_back, "{events}");
        (texts, restored)
    };

    let (code, _, said) = run(&["restore", "--database", yesterday.url()]);
    assert_eq!(code, Some(2), "it has to be said whose erasures count: {said}");
    // The control: without them, a backup brings everybody back.
    let (careless, _) = texts(yesterday.copied(), &["--no-erasures"], "erase them again");
    assert_eq!(careless, [["canary-gone"], ["canary-stays"]]);
    for source in [server.home().url(), path(&kept)] {
        let heeded = "1 erasures heeded, 1 customers erased again";
        let (found, mut restored) = texts(yesterday.copied(), &["--erasures", source], heeded);
        assert_eq!(found, [vec![], vec!["canary-stays".to_owned()]]);
        // What was restored knows it from now on.
        restored.terminate();
        let (_, list, _) = run(&["erasures", "--database", restored.home().url()]);
        assert_eq!(list, std::fs::read_to_string(&kept).expect("the list"));
    }
    // Who came back after the erasure is not erased by it.
    let today = server.home().copied();
    let (found, _) = texts(today, &["--erasures", path(&kept)], "0 customers erased again");
    assert_eq!(found, [["canary-back"], ["canary-stays"]]);
    // What a server made of the rows from before is of another store now.
    let (code, _, said) = run(&["restore", "--database", server.home().url(), "--no-erasures"]);
    assert_eq!(code, Some(0), "{said}");
    let refused = server.try_run(&[], "").expect_err("an old data folder");
    assert!(refused.contains("another database"), "{refused}");
}

/// A figure for whoever reads the test's output.
#[expect(clippy::print_stderr, reason = "a measurement is shown where the harness of cargo shows it")]
fn report(line: &str) {
    eprintln!("{line}");
}
