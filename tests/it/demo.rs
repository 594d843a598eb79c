//! `cxengage demo --once`: the main job on one command.

use system_tests::harness::command;

#[test]
fn the_demo_matches_its_patterns_one_of_them_by_timer() {
    let output = command(&["demo", "--once"]).output().expect("the binary runs");
    let stdout = String::from_utf8(output.stdout).expect("UTF-8");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}\n{stdout}\n{stderr}", output.status);
    let summary = stdout.rsplit("matches").next().expect("a summary");
    let matched = summary.lines().filter(|line| line.starts_with("PT") && !line.contains(" 0 done")).count();
    assert!(matched >= 5, "only {matched} patterns matched:\n{stdout}");
    assert!(summary.contains("Abandoned cart"), "one by timer:\n{stdout}");
}
