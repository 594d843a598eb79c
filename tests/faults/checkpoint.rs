//! The engine's checkpoint is a shortcut: deleted, torn, flipped, old or of another place, the matches are those of the
//! events all the same, each once.

use std::path::Path;

use system_tests::property::Dice;

use crate::campaign::Campaign;
use crate::damage::{ahead, has_one};
use crate::kills::is_seen;
use crate::{seed, set, tell};

/// How often each kind of damage is done.
const TIMES: u64 = 1;

/// What SQLite keeps the checkpoint in.
const FILES: [&str; 3] = ["engine.db", "engine.db-wal", "engine.db-shm"];

/// The files as they are.
type Kept = Vec<(&'static str, Vec<u8>)>;

fn keep(folder: &Path) -> Kept {
    FILES.into_iter().filter_map(|name| Some((name, std::fs::read(folder.join(name)).ok()?))).collect()
}

fn remove(folder: &Path) {
    for name in FILES {
        let file = folder.join(name);
        if file.exists() {
            std::fs::remove_file(file).expect("a file can be removed");
        }
    }
}

fn put(folder: &Path, kept: &Kept) {
    remove(folder);
    for (name, bytes) in kept {
        std::fs::write(folder.join(name), bytes).expect("a file can be written");
    }
}

/// Keeps the files once they hold a checkpoint: a crash may come before the first one is written.
fn keep_one(campaign: &mut Campaign, orders: &str) -> Kept {
    for _ in 0..20 {
        let mut kept = None;
        campaign.damage(orders, |folder| kept = has_one(folder).then(|| keep(folder)));
        if let Some(kept) = kept {
            return kept;
        }
    }
    panic!("twenty crashes, and each before the first checkpoint")
}

/// Changes the bytes of the checkpoint's file.
fn change(folder: &Path, change: impl FnOnce(&mut Vec<u8>)) {
    let file = folder.join(FILES[0]);
    let mut bytes = std::fs::read(&file).expect("a checkpoint");
    change(&mut bytes);
    std::fs::write(file, bytes).expect("a file can be written");
}

#[test]
fn a_checkpoint_that_is_gone_or_damaged_changes_no_match() {
    let seed = seed();
    let mut campaign = Campaign::start(seed);
    let mut dice = Dice::new(seed);
    for _ in 0..set("CXENGAGE_DAMAGES").unwrap_or(TIMES) {
        let older = keep_one(&mut campaign, "");
        campaign.damage("", remove);
        campaign.damage("", |folder| put(folder, &older));
        campaign.damage("", |folder| change(folder, |bytes| bytes.truncate(bytes.len() / 2)));
        campaign.damage("", |folder| change(folder, |bytes| bytes.fill(0xa5)));
        campaign.damage("", |folder| {
            change(folder, |bytes| {
                for _ in 0..20 {
                    let at = dice.between(0, bytes.len() - 1);
                    bytes[at] ^= 1 << dice.between(0, 7);
                }
            });
        });
        campaign.damage("", |folder| {
            put(folder, &older);
            ahead(folder);
        });
    }
    campaign.audit();
    tell(&format!("checkpoints gone and damaged: {campaign}"));
    assert_eq!(campaign.faults, Vec::<String>::new(), "{campaign}");
}

#[test]
fn a_checkpoint_of_another_place_that_is_believed_is_seen() {
    let round = |campaign: &mut Campaign, orders: &str| {
        let older = keep_one(campaign, orders);
        campaign.damage(orders, |_| ());
        campaign.damage(orders, |folder| {
            put(folder, &older);
            ahead(folder);
        });
    };
    // Events that were left out lose a match, or make one of a pattern that waits for them not to come.
    is_seen("no-checksum", 4, round, "in the backtest; lost");
}
