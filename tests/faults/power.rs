//! Power cuts: what was answered is on the disk, the record's own or that of its database. Two controls stand beside the
//! proofs: plain appends with fdatasync, which must lose nothing (the rig tells no lies), and commits without fsync, which
//! must lose (the rig bites).

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use eventlog::testing::postgres::PostgresServer;
use system_tests::harness::{Home, Server};

use crate::campaign::Campaign;
use crate::disk::{Disk, text};
use crate::{seed, set, tell};

/// The cuts of a run that is not told otherwise.
const CUTS: u64 = 6;

/// The disk, or none where this machine has none to give: the test is then passed over, and says so.
fn disk() -> Option<Disk> {
    match Disk::new(384) {
        Ok(disk) => Some(disk),
        Err(why) => {
            tell(&format!("SKIPPED, nothing is proved: no disk whose power can be cut: {why}"));
            None
        }
    }
}

fn cuts() -> u64 {
    set("CXENGAGE_CUTS").unwrap_or(CUTS)
}

#[test]
fn what_was_accepted_survives_power_cuts() {
    let Some(disk) = disk() else { return };
    let mut campaign = Campaign::start_on(seed(), Some(disk.path().join("data")));
    while campaign.rounds() < cuts() && campaign.faults.is_empty() {
        campaign.cut_power(&disk, "");
    }
    campaign.audit();
    tell(&format!("power cuts: {campaign}"));
    let faults = std::mem::take(&mut campaign.faults);
    drop(campaign);
    assert_eq!(faults, Vec::<String>::new());
}

#[test]
fn commits_that_do_not_wait_for_the_disk_are_seen_to_lose() {
    let Some(disk) = disk() else { return };
    let mut campaign = Campaign::start_on(seed(), Some(disk.path().join("data")));
    while campaign.rounds() < 4 * cuts() && campaign.faults.is_empty() {
        campaign.cut_power(&disk, "break:commit-without-fsync");
    }
    tell(&format!("power cuts without fsync: {campaign}"));
    let faults = std::mem::take(&mut campaign.faults);
    drop(campaign);
    assert!(faults.iter().any(|fault| fault.contains("is lost")), "nothing was lost: {faults:?}");
}

/// PostgreSQL and a server of ours on one disk, and what the client knows.
fn on_a_database(disk: &Disk) -> (Campaign, PostgresServer) {
    let database = PostgresServer::start_in(Some(disk.path().join("database")));
    let server = Server::at_with_faults_in(disk.path().join("data"), Home::database_on(&database));
    let campaign = Campaign::start_with(seed(), server);
    // PostgreSQL relies on it that what it was made of is there.
    disk.sync().expect("a disk");
    (campaign, database)
}

#[test]
fn what_was_accepted_survives_power_cuts_of_the_databases_machine() {
    let Some(disk) = disk() else { return };
    let (mut campaign, mut database) = on_a_database(&disk);
    while campaign.rounds() < cuts() && campaign.faults.is_empty() {
        campaign.cut_power_of(&mut database, &disk, "");
    }
    campaign.audit();
    tell(&format!("power cuts of a database: {campaign}"));
    let faults = std::mem::take(&mut campaign.faults);
    drop((campaign, database));
    assert_eq!(faults, Vec::<String>::new());
}

#[test]
fn commits_of_a_database_that_do_not_wait_for_the_disk_are_seen_to_lose() {
    let Some(disk) = disk() else { return };
    let (mut campaign, mut database) = on_a_database(&disk);
    while campaign.rounds() < 4 * cuts() && campaign.faults.is_empty() {
        campaign.cut_power_of(&mut database, &disk, "break:commit-without-fsync");
    }
    tell(&format!("power cuts of a database without fsync: {campaign}"));
    let faults = std::mem::take(&mut campaign.faults);
    drop((campaign, database));
    assert!(faults.iter().any(|fault| fault.contains("is lost")), "nothing was lost: {faults:?}");
}

/// Appends its line number, waits for the disk, and only then says the number.
const APPENDER: &str = "import os, sys
file = os.open(sys.argv[1], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
n = os.fstat(file).st_size // 16
while True:
    n += 1
    os.write(file, b'%15d\\n' % n)
    os.fdatasync(file)
    print(n, flush=True)";

#[test]
fn plain_appends_that_wait_for_the_disk_lose_nothing() {
    let Some(disk) = disk() else { return };
    let (file, mut acknowledged) = (disk.path().join("lines"), 0);
    for round in 0..cuts() {
        let mut appender = appender(text(&file));
        let stdout = appender.stdout.take().expect("stdout is piped");
        let said = std::thread::spawn(move || BufReader::new(stdout).lines().map_while(Result::ok).last());
        let began = Instant::now();
        while began.elapsed() < Duration::from_millis(200) {
            std::thread::sleep(Duration::from_millis(5));
        }
        disk.cut(appender.id(), || {
            appender.kill().expect("a process can be killed");
            appender.wait().expect("a killed process ends");
        });
        let last: u64 =
            said.join().expect("a reader").and_then(|line| line.parse().ok()).unwrap_or(acknowledged);
        let lines = std::fs::metadata(&file).map_or(0, |file| file.len() / 16);
        assert!(lines >= last, "round {round}: {last} acknowledged, {lines} there");
        acknowledged = last;
    }
    tell(&format!("power cuts, plain appends: {} cuts, {acknowledged} acknowledged, 0 lost", cuts()));
    assert!(acknowledged > 0, "nothing was appended");
}

fn appender(file: &str) -> Child {
    let mut command = Command::new("python3");
    command.args(["-c", APPENDER, file]).stdin(Stdio::null()).stdout(Stdio::piped());
    command.spawn().expect("python3 was there")
}
