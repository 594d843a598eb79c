//! A full disk: writes are refused in so many words, what is there is read, and with room all goes on.

use serde_json::json;
use system_tests::harness::{Server, wait_for};

use crate::disk::{Disk, text};
use crate::tell;

/// Fills the disk but for some KiB.
fn fill(disk: &Disk, leave_kib: u64) {
    let output = std::process::Command::new("df").args(["--output=avail", "-k", text(&disk.path())]).output();
    let output = String::from_utf8(output.expect("df is there").stdout).expect("text");
    let free: u64 = output.lines().last().and_then(|line| line.trim().parse().ok()).expect("a number");
    std::fs::write(disk.path().join("filler"), vec![7; (free.saturating_sub(leave_kib) << 10) as usize])
        .expect("it fits");
}

#[test]
fn a_full_disk_refuses_writes_in_so_many_words_and_forgets_nothing() {
    let disk = match Disk::new(32) {
        Ok(disk) => disk,
        Err(why) => return tell(&format!("SKIPPED, nothing is proved: no disk that can be filled: {why}")),
    };
    let mut server = Server::with_faults(Some(disk.path().join("data")));
    server.try_run(&[], "break:checkpoints-often").unwrap();
    let acme = server.tenant("acme");
    acme.pattern(r#"(count 2 (event (= type "A")))"#, "(send echo message {})");
    acme.event(json!({"id": "before", "type": "A"}));
    fill(&disk, 600);
    let mut accepted = 0;
    let refused = loop {
        let event = json!({"id": "c", "type": "A", "n": accepted, "text": "x".repeat(8_000)});
        let answer = acme.post("event", &event);
        if answer.status != 201 {
            break answer;
        }
        accepted += 1;
        assert!(accepted < 5_000, "the disk does not fill");
    };
    assert_eq!(refused.status, 507, "{}", refused.body);
    assert!(refused.error().contains("disk"), "{}", refused.body);
    // A change, too; and nothing but writes is refused.
    let change = acme.post("templates", &json!({"name": "T", "template": "x".repeat(9_000)}));
    assert!([503, 507].contains(&change.status), "{} {}", change.status, change.body);
    acme.get("customers/before").expect(200);
    acme.get("event/history").expect(200);
    let admin = server.anonymous();
    wait_for("/readyz to say so", || {
        // Smaller writes may find a gap: the disk is used up to the last block.
        acme.post("event", &json!({"id": "c", "type": "x"}));
        let ready = admin.get("/readyz");
        // The read models, too, find no room, and may be the first to say so.
        (ready.status == 503 && ready.body.contains("takes no writes")).then_some(())
    });
    assert_eq!(admin.get("/healthz").status, 200);
    assert!(server.is_alive(), "{}", server.said());

    std::fs::remove_file(disk.path().join("filler")).unwrap();
    wait_for("a write", || {
        (acme.post("event", &json!({"id": "after", "type": "A"})).status == 201).then_some(())
    });
    wait_for("/readyz", || (admin.get("/readyz").status == 200).then_some(()));
    acme.event(json!({"id": "after", "type": "A"}));
    acme.wait_reactions("after", 1);
    let stored = acme.entries("c", "event").iter().filter(|entry| entry["event"]["type"] == "A").count();
    assert_eq!(stored, accepted, "what was accepted, and no more");
    acme.wait_reactions("c", accepted / 2);
    let (code, _, said) = server.cli(&["replay", "--tenant", "acme"]);
    assert_eq!(code, Some(0), "{said}");
    assert!(server.terminate().success(), "{}", server.said());
    server.run(&[]);
    acme.on(&server).event(json!({"id": "after", "type": "A"}));
    tell(&format!("full disk: {accepted} events accepted till it was full, all there"));
    server.kill();
}
