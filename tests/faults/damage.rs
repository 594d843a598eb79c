//! Flipped bits: in the record, in the engine's checkpoint, in the read models. Each is noticed and said, or harmless;
//! none is served. Beside each stands its control: without checksums, it is served.

use std::path::{Path, PathBuf};

use serde_json::json;
use system_tests::harness::{Server, Tenant, wait_for};
use system_tests::property::Dice;

use crate::audit::shown;
use crate::{seed, set, tell};

/// Flips of a run that is not told otherwise.
const FLIPS: u64 = 24;
/// What is broken on purpose in the controls.
const BLIND: &str = "break:no-checksum";
const CUSTOMERS: usize = 8;
/// The customers of whom all is looked at.
const SHOWN: [&str; 2] = ["c1", "c2"];

/// A store with some history, at rest; its server is stopped.
struct Store {
    server: Server,
    acme: Tenant,
    /// The pattern of which each customer has two matches, and half of a third.
    twice: String,
    /// The engine's checkpoint from before that half.
    older: Vec<u8>,
    /// What a sound one gives.
    events: String,
    shown: Vec<String>,
}

impl Store {
    fn new() -> Self {
        let mut server = Server::with_faults(None);
        server.run(&[]);
        let acme = server.tenant("acme");
        let twice =
            acme.pattern(r#"(count 2 (event (= type "A")))"#, r#"(send echo message {:message "two"})"#);
        let other = server.tenant("other");
        for n in 0..4 * CUSTOMERS {
            acme.event(json!({"id": format!("c{}", n % CUSTOMERS), "type": "A", "n": n}));
            other.event(json!({"id": "x", "type": "A", "n": n}));
        }
        for customer in 0..CUSTOMERS {
            acme.wait_reactions(&format!("c{customer}"), 2);
        }
        end(&mut server);
        let older = read(&server.data_dir().join("engine.db"));
        server.run(&[]);
        let acme = acme.on(&server);
        for customer in 0..CUSTOMERS {
            acme.event(json!({"id": format!("c{customer}"), "type": "A"}));
        }
        acme.settle("settled");
        let shown = shown(&acme, &SHOWN);
        end(&mut server);
        let (code, events, said) = server.cli(&["events", "--tenant", "acme"]);
        assert_eq!(code, Some(0), "{said}");
        Self { server, acme, twice, older, events, shown }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.server.data_dir().join(name)
    }

    /// Works on the store as it is after some damage, and puts it back as it was.
    fn damaged<T>(&mut self, damage: impl FnOnce(&Path), work: impl FnOnce(&mut Self) -> T) -> T {
        let folder = self.server.data_dir();
        let kept: Vec<(PathBuf, Vec<u8>)> =
            files(&folder).into_iter().map(|f| (f.clone(), read(&f))).collect();
        damage(&folder);
        let result = work(self);
        self.server.kill();
        for file in files(&folder) {
            std::fs::remove_file(file).expect("a file can be removed");
        }
        for (file, bytes) in kept {
            std::fs::write(file, bytes).expect("a file can be written");
        }
        result
    }

    /// What `events` gives; `None` if it says that the record is damaged.
    fn exported(&self, faults: &str) -> Option<String> {
        let (code, events, said) = self.server.cli_with(faults, &["events", "--tenant", "acme"]);
        match code {
            Some(0) => Some(events),
            code => {
                assert_eq!(code, Some(1), "it broke instead of saying so: {said}");
                None
            }
        }
    }

    /// Starts the server, or sees to it that it says what is damaged; whether it started.
    fn starts(&mut self, faults: &str) -> bool {
        let Err(said) = self.server.try_run(&[], faults) else { return true };
        let last = said.lines().last().unwrap_or_default();
        let of_damage = ["damage", "malformed", "not a database", "checksum", "database"];
        assert!(of_damage.iter().any(|word| last.contains(word)), "it does not start: {said}");
        false
    }

    /// What the read models show, and whether the server said that they are damaged; `None` if it does not start, and
    /// says why.
    fn shows(&mut self, faults: &str) -> Option<(Vec<String>, bool)> {
        let before = self.server.said().len();
        if !self.starts(faults) {
            return None;
        }
        let shown = shown(&self.acme.on(&self.server), &SHOWN);
        Some((shown, self.server.said()[before..].contains("damaged")))
    }

    /// How many matches each customer has once it has sent one more event, and whether the server said that its
    /// checkpoint is damaged.
    fn goes_on(&mut self, faults: &str) -> Option<(Vec<usize>, bool)> {
        let before = self.server.said().len();
        if !self.starts(faults) {
            return None;
        }
        let acme = self.acme.on(&self.server);
        let matches = (0..CUSTOMERS).map(|customer| {
            let key = format!("c{customer}");
            acme.event(json!({"id": key, "type": "A"}));
            acme.settle(&key);
            acme.entries(&key, "match").iter().filter(|found| found["pattern"] == self.twice.as_str()).count()
        });
        let matches = matches.collect();
        let said = self.server.said()[before..].to_owned();
        Some((matches, said.contains("checkpoint") || said.contains("damaged")))
    }
}

/// Stops a server and brings its files to rest: all of a file's rows are in the file itself (whose connection was the
/// last to close is left to chance, and with it what stays in the log beside it), and nothing lies there that it has
/// let go of.
fn end(server: &mut Server) {
    assert!(server.terminate().success(), "{}", server.said());
    for name in ["log.db", "views.db", "engine.db"] {
        let rest = open(&server.data_dir(), name).execute_batch("PRAGMA wal_checkpoint(TRUNCATE); VACUUM;");
        rest.expect("a file comes to rest");
    }
}

fn open(folder: &Path, name: &str) -> rusqlite::Connection {
    rusqlite::Connection::open(folder.join(name)).expect("a file of SQLite's")
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let paths = std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path());
    // The key stays as it is, its mode included.
    paths.filter(|path| path.is_file() && !path.ends_with("master.key")).collect()
}

fn read(file: &Path) -> Vec<u8> {
    std::fs::read(file).expect("a file can be read")
}

/// Turns one bit of a file of the data folder.
fn flip(folder: &Path, name: &str, bit: u64) {
    let file = folder.join(name);
    let mut bytes = read(&file);
    bytes[(bit / 8) as usize] ^= 1 << (bit % 8);
    std::fs::write(file, bytes).expect("a file can be written");
}

/// Flips bits of a file, one at a time, and tells how many were noticed; `look` says so, and fails if one is served.
fn flips(store: &mut Store, name: &str, flips: u64, mut look: impl FnMut(&mut Store, &str) -> bool) {
    let seed = seed();
    let (mut dice, mut noticed) = (Dice::new(seed), 0);
    let bits = read(&store.file(name)).len() * 8;
    for _ in 0..flips {
        let bit = dice.between(0, bits - 1) as u64;
        let what = format!("seed {seed}: bit {bit} of {name}");
        noticed += u64::from(store.damaged(|folder| flip(folder, name, bit), |store| look(store, &what)));
    }
    tell(&format!(
        "seed {seed}: {flips} bits of {name} flipped, each alone: {noticed} noticed, the others harmless"
    ));
}

fn count() -> u64 {
    set("CXENGAGE_FLIPS").unwrap_or(FLIPS)
}

#[test]
fn a_flipped_bit_in_the_record_is_noticed_or_harmless() {
    let mut store = Store::new();
    flips(&mut store, "log.db", 2 * count(), |store, what| match store.exported("") {
        None => true,
        Some(events) => {
            assert!(events == store.events, "{what} is served");
            false
        }
    });
}

/// Where the stamps of the store's events are in the record's file: each in 6 bytes, as SQLite has it.
fn stamps(store: &Store) -> Vec<u64> {
    let bytes = read(&store.file("log.db"));
    let stamps = store.events.lines().filter_map(|line| {
        let line: serde_json::Value = serde_json::from_str(line).ok()?;
        Some(line["@at"].as_i64()?.to_be_bytes()[2..].to_vec())
    });
    stamps
        .filter_map(|stamp| bytes.windows(6).position(|window| window == stamp))
        .map(|at| at as u64)
        .collect()
}

#[test]
fn a_flipped_bit_in_an_unsealed_column_is_noticed_and_without_checksums_is_served() {
    let mut store = Store::new();
    let stamps = stamps(&store);
    assert!(stamps.len() > 20, "{} stamps found", stamps.len());
    let (mut noticed, mut served) = (0, 0);
    for at in stamps.iter().take(12) {
        let flip = |folder: &Path| flip(folder, "log.db", (at + 5) * 8 + 3);
        let (sound, blind) = store.damaged(flip, |store| (store.exported(""), store.exported(BLIND)));
        match sound {
            None => noticed += 1,
            // The same bytes may stand somewhere else by chance.
            Some(events) => assert_eq!(events, store.events, "byte {at} is served"),
        }
        served += usize::from(blind.is_some_and(|events| events != store.events));
    }
    assert!(noticed > 0 && served > 0, "{noticed} noticed; without checksums {served} served");
}

#[test]
fn a_server_does_not_go_on_over_a_damaged_record_and_says_where_it_is() {
    let mut store = Store::new();
    let is_noticed = |store: &mut Store, at: u64| {
        store.damaged(|folder| flip(folder, "log.db", (at + 5) * 8), |store| store.exported("").is_none())
    };
    let stamps = stamps(&store);
    let at = stamps.into_iter().find(|at| is_noticed(&mut store, *at)).expect("a stamp in a row");
    let ended = |store: &mut Store| {
        if store.server.try_run(&[], "").is_ok() {
            wait_for("the server to end", || (!store.server.is_alive()).then_some(()));
        }
        store.server.said()
    };
    let said = store.damaged(|folder| flip(folder, "log.db", (at + 5) * 8), ended);
    assert!(said.contains("its checksum does not fit"), "{said}");
}

#[test]
fn a_flipped_bit_in_the_read_models_is_noticed_or_harmless() {
    let mut store = Store::new();
    flips(&mut store, "views.db", count(), |store, what| match store.shows("") {
        None => true,
        Some((shown, said)) => {
            assert_eq!(shown, store.shown, "{what} is served");
            said
        }
    });
}

#[test]
fn a_flipped_bit_in_a_row_of_a_read_model_is_noticed_and_without_sums_is_served() {
    let mut store = Store::new();
    let (name, bytes) = (b"a pattern", read(&store.file("views.db")));
    let places: Vec<_> = bytes.windows(name.len()).enumerate().filter(|(_, found)| found == name).collect();
    assert!(!places.is_empty(), "no name of a pattern found");
    let mut served = 0;
    for (at, _) in places {
        let flip = |folder: &Path| flip(folder, "views.db", at as u64 * 8);
        let sound = store.damaged(flip, |store| store.shows(""));
        let blind = store.damaged(flip, |store| store.shows(BLIND));
        assert_eq!(sound.expect("it starts").0, store.shown, "byte {at} of views.db is served");
        served += usize::from(blind.is_some_and(|(shown, _)| shown != store.shown));
    }
    assert!(served > 0, "no-checksum was broken and not seen");
}

#[test]
fn a_flipped_bit_in_the_engines_checkpoint_is_noticed_or_harmless() {
    let mut store = Store::new();
    flips(&mut store, "engine.db", count().div_ceil(2), |store, what| match store.goes_on("") {
        None => true,
        Some((matches, said)) => {
            assert_eq!(matches, [3; CUSTOMERS], "{what} is served");
            said
        }
    });
}

#[test]
fn a_checkpoint_that_says_another_place_is_noticed_and_without_checksums_is_gone_by() {
    let mut store = Store::new();
    let older = store.older.clone();
    let ahead = move |folder: &Path| {
        std::fs::write(folder.join("engine.db"), &older).expect("a file can be written");
        ahead(folder);
    };
    let sound = store.damaged(&ahead, |store| store.goes_on(""));
    assert_eq!(sound, Some((vec![3; CUSTOMERS], true)));
    let blind = store.damaged(&ahead, |store| store.goes_on(BLIND));
    assert!(
        blind.is_some_and(|(matches, _)| matches != [3; CUSTOMERS]),
        "no-checksum was broken and not seen"
    );
}

/// Whether there is a checkpoint of the engine's.
pub fn has_one(folder: &Path) -> bool {
    let rows =
        open(folder, "engine.db").query_row("SELECT count(*) FROM checkpoint_v2", [], |row| row.get(0));
    // A server that is killed at once has not even made the table.
    rows.unwrap_or(0) > 0
}

/// Makes the engine's checkpoint say that it is of the end of the record.
pub fn ahead(folder: &Path) {
    let end: i64 = open(folder, "log.db")
        .query_row("SELECT max(position) FROM events", [], |row| row.get(0))
        .expect("the record has rows");
    let changed = open(folder, "engine.db").execute("UPDATE checkpoint_v2 SET position = ?1", [end]);
    assert_eq!(changed.expect("a checkpoint"), 1);
}
