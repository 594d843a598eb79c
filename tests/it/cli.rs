//! The command line as scripts rely on it: exit codes 0 done, 1 failed, 2 bad usage; data on stdout, talk on stderr.

use std::io::Write;
use std::path::Path;
use std::process::{Output, Stdio};

use system_tests::harness::command;

fn run(folder: &Path, arguments: &[&str], stdin: &str) -> (Option<i32>, String, String) {
    let mut child = command(arguments)
        .current_dir(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary runs");
    // A command that refuses its arguments does not read its input.
    let _ = child.stdin.take().expect("stdin is piped").write_all(stdin.as_bytes());
    let Output { status, stdout, stderr } = child.wait_with_output().expect("it ends");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
    (status.code(), text(stdout), text(stderr))
}

fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).expect("written");
    write(
        "good.json",
        r#"[{"id":"P1","when":"(event (= a 1))","then":"(send echo message {})","further":1}]"#,
    );
    write("broken.json", r#"[{"id":"P1","when":"(cuont 2 (event (= a 1)))"}]"#);
    write("twice.json", r#"[{"id":"P1","when":"(event (= a 1))"},{"id":"P1","when":"(event (= a 2))"}]"#);
    write("not.json", "not JSON");
    write(
        "events.jsonl",
        "{\"k\":1,\"a\":1,\"ts\":5000}\n{\"k\":\"1\",\"a\":\"1\"}\n\n{\"a\":1}\n{\"k\":2,\"a\":1,\"ts\":\"1970-01-01T00:00:06Z\"}",
    );
    folder
}

#[test]
fn exit_codes_tell_done_failed_and_bad_usage() {
    let folder = folder();
    let backtest = ["backtest", "--key", "k", "--events", "events.jsonl", "--patterns"];
    let with = |further: &[&'static str]| [&backtest[..], further].concat();
    for (arguments, code, says) in [
        (vec!["--help"], 0, "serve"),
        (vec!["backtest", "--help"], 0, "--until"),
        (vec!["--version"], 0, "cxengage"),
        (vec![], 2, ""),
        (vec!["srve"], 2, "serve"),
        (vec!["serve", "--listen", "nowhere"], 2, "--listen"),
        (vec!["check", "good.json"], 0, ""),
        (vec!["check", "broken.json"], 1, "count"),
        (vec!["check", "good.json", "broken.json"], 1, "line 1, column 2"),
        (vec!["check", "not.json"], 1, "not.json"),
        (vec!["check", "absent.json"], 1, "absent.json"),
        (with(&["good.json"]), 0, ""),
        (with(&["broken.json"]), 1, "count"),
        (with(&["twice.json"]), 2, "P1"),
        (with(&["good.json", "--until", "5999"]), 2, "until"),
        (with(&["good.json", "--jobs", "0"]), 2, "jobs"),
        (
            vec!["backtest", "--patterns", "good.json", "--events", "absent.jsonl", "--key", "k"],
            1,
            "absent.jsonl",
        ),
        (vec!["events", "--tenant", "t", "--data-dir", "absent"], 1, "absent"),
        (vec!["replay", "--tenant", "t", "--data-dir", "absent"], 1, "absent"),
    ] {
        let (found, stdout, stderr) = run(folder.path(), &arguments, "");
        assert_eq!(found, Some(code), "{arguments:?}: {stdout}{stderr}");
        assert!(
            format!("{stdout}{stderr}").contains(says),
            "{arguments:?} does not say {says:?}: {stdout}{stderr}"
        );
        assert!(!stderr.contains("panicked"), "{arguments:?}: {stderr}");
    }
}

#[test]
fn bare_text_is_checked_from_standard_input() {
    let folder = folder();
    for (text, code, says) in [
        ("(event (= a 1))", 0, ""),
        ("(send echo message {})", 0, ""),
        ("(seq (event (= a 1))", 1, "line 1, column 1"),
        ("\n  (evnt (= a 1))", 1, "line 2, column 4"),
    ] {
        let (found, stdout, stderr) = run(folder.path(), &["check"], text);
        assert_eq!(found, Some(code), "{text}: {stdout}{stderr}");
        assert!(stdout.contains(says), "{text}: {stdout}{stderr}");
    }
}

#[test]
fn what_is_not_utf_8_on_standard_input_is_told_with_its_place() {
    use std::io::Write;
    let mut child = command(&["check"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary runs");
    child.stdin.take().expect("piped").write_all(b"(event\n (= \xc3\xa9\xff 1))").expect("written");
    let output = child.wait_with_output().expect("it ends");
    let said = String::from_utf8(output.stderr).expect("UTF-8");
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("line 2, column 6") && said.contains("UTF-8"), "{said}");
}

#[test]
fn a_command_whose_reader_has_seen_enough_ends_quietly() {
    let folder = folder();
    let many = "{\"k\":1,\"a\":1}\n".repeat(50_000);
    std::fs::write(folder.path().join("many.jsonl"), many).expect("written");
    let mut child = command(&["backtest", "--key", "k", "--patterns", "good.json", "--events", "many.jsonl"])
        .current_dir(folder.path())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary runs");
    // Read by nobody: the pipe is gone before the first match is written.
    drop(child.stdout.take());
    let output = child.wait_with_output().expect("it ends");
    let said = String::from_utf8(output.stderr).expect("UTF-8");
    assert_eq!((output.status.code(), said.as_str()), (Some(0), ""));
}

#[test]
fn a_backtest_prints_matches_on_stdout_and_its_summary_on_stderr() {
    let folder = folder();
    let arguments = ["backtest", "--key", "k", "--events", "-", "--patterns", "good.json"];
    let events = std::fs::read_to_string(folder.path().join("events.jsonl")).expect("read");
    let (code, stdout, stderr) = run(folder.path(), &arguments, &events);
    assert_eq!(code, Some(0), "{stderr}");
    let lines: Vec<serde_json::Value> =
        stdout.lines().map(|l| serde_json::from_str(l).expect("JSON")).collect();
    let expected = [
        // The second line has no time: its line number, 2 ms, which counts as equal to the one before it.
        serde_json::json!({"pattern": "P1", "key": "1", "at": 5000, "events": [1]}),
        serde_json::json!({"pattern": "P1", "key": "1", "at": 5000, "events": [2]}),
        serde_json::json!({"pattern": "P1", "key": "2", "at": 6000, "events": [5]}),
    ];
    assert_eq!(lines, expected, "{stderr}");
    for word in ["events", "skipped", "matches", "customers"] {
        assert!(stderr.contains(word), "the summary says {word}: {stderr}");
    }
}
