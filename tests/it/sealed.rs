//! What lies in the data folder and in the log tells nothing about a customer, and no secret.

use std::path::{Path, PathBuf};

use serde_json::json;
use system_tests::harness::{ADMIN, Request, Server, command, on_database};

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

#[test]
fn a_customers_data_and_every_secret_are_nowhere_in_clear() {
    let mut server = Server::start();
    let acme = server.tenant("acme");
    acme.pattern(r#"(event (= type "A"))"#, r#"(seq (send echo message {:message *name*}) (set kept *name*) (event {:id *id* :type "B" :name kept}))"#);
    let (key, name) = ("canary-key-7316", "canary-name-4482");
    acme.event_once("canary-idempotency-9917", &json!({"id": key, "type": "A", "name": name})).expect(201);
    acme.wait_reactions(key, 1);
    let (client, secret) = server.admin().new_client("acme", None);
    let token = server.anonymous().with_token_of(&client, &secret).authorization().1.replace("Bearer ", "");
    acme.settle(key);
    let check = |server: &Server, when: &str| {
        let folder = files(&server.data_dir());
        assert!(!folder.is_empty());
        let log = server.said().into_bytes();
        let all: Vec<_> = folder
            .iter()
            .map(|path| (path.display().to_string(), std::fs::read(path).expect("read")))
            .collect();
        let control = all.iter().any(|(_, bytes)| bytes.windows(4).any(|window| window == b"acme"));
        assert!(control, "what is not secret can be found, so the search works");
        for (place, bytes) in all.into_iter().chain([("the log".to_owned(), log)]) {
            for canary in [key, name, "canary-idempotency-9917", &secret, &token, ADMIN.1] {
                let there = bytes.windows(canary.len()).any(|window| window == canary.as_bytes());
                assert!(!there, "{canary} is in {place}, {when}");
            }
        }
    };
    check(&server, "while it runs");
    server.terminate();
    check(&server, "when it has stopped");
}

#[cfg(unix)]
#[test]
fn the_master_key_is_for_its_owner_only() {
    if on_database() {
        return; // with a database the key is always given
    }
    use std::os::unix::fs::PermissionsExt;
    let server = Server::start();
    let keys: Vec<_> =
        files(&server.data_dir()).into_iter().filter(|path| path.to_string_lossy().contains("key")).collect();
    assert!(!keys.is_empty(), "a key was made: {:?}", files(&server.data_dir()));
    for key in keys {
        let mode = std::fs::metadata(&key).expect("a file").permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{}", key.display());
    }
}

#[test]
fn a_master_key_is_made_for_a_new_store_only_and_never_where_one_is_said_to_be() {
    if on_database() {
        return; // with a database the key is always given
    }
    let refused = |arguments: &[&str]| {
        let output = command(arguments).output().expect("it ends");
        let said = String::from_utf8(output.stderr).expect("UTF-8");
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.contains("is not there"), "{said}");
    };
    let mut server = Server::start();
    let folder = server.data_dir();
    server.terminate();
    let key = folder.join("master.key");
    std::fs::remove_file(&key).expect("removed");
    let data_dir = folder.to_str().expect("a path");
    refused(&["serve", "--listen", "127.0.0.1:0", "--data-dir", data_dir]);
    assert!(!key.exists(), "a key that opens nothing");
    let new = tempfile::tempdir().expect("a folder");
    let (data_dir, given) = (new.path().join("data"), new.path().join("given.key"));
    let paths = [data_dir.to_str().expect("a path"), given.to_str().expect("a path")];
    refused(&["serve", "--listen", "127.0.0.1:0", "--data-dir", paths[0], "--master-key-file", paths[1]]);
    assert!(!given.exists());
}

#[test]
fn the_first_admin_secret_is_printed_once_and_works() {
    use std::io::{BufRead, BufReader};
    use std::process::Stdio;
    let folder = tempfile::tempdir().expect("a folder");
    let start = || {
        let mut process = command(&["serve", "--listen", "127.0.0.1:0", "--data-dir"])
            .arg(folder.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the server starts");
        let mut line = String::new();
        BufReader::new(process.stdout.take().expect("piped")).read_line(&mut line).expect("a line");
        let base = line.trim().strip_prefix("listening on ").expect("ready").to_owned();
        (process, base)
    };
    let stop = |mut process: std::process::Child| {
        process.kill().expect("killed");
        let output = process.wait_with_output().expect("it ends");
        String::from_utf8(output.stderr).expect("UTF-8")
    };
    let (process, _) = start();
    let said = stop(process);
    let word_after = |what: &str| {
        let line =
            said.lines().find(|line| line.contains(what)).unwrap_or_else(|| panic!("{what} in {said}"));
        line.split_whitespace().last().expect("a word").to_owned()
    };
    let (id, secret) = (word_after("client id"), word_after("client secret"));
    let (process, base) = start();
    let request = Request::new("POST", "/token").body(
        "application/x-www-form-urlencoded",
        format!("grant_type=client_credentials&client_id={id}&client_secret={secret}"),
    );
    system_tests::harness::Client::new(&base).send(&request).expect(200);
    assert!(!stop(process).contains(&secret), "shown once");
}
