//! What an operator can set of the notifier.

use std::time::Duration;

use domain::dsl::Limits;
use domain::reaction::Rules;

use super::breaker::Rule;

/// The notifier's settings; the defaults are those of then.md.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Retry waits, the time limit of a send, commands per reaction; recorded with each reaction that starts.
    pub rules: Rules,
    /// The limits under which programs are read: the same as where they are checked.
    pub limits: Limits,
    /// How many events caused one by the other there may be, the first one not counted.
    pub chain: u32,
    /// How many sends to one endpoint may be under way for one tenant, where the endpoint does not say otherwise.
    pub lane: usize,
    /// How many sends may be under way in all.
    pub sends: usize,
    /// When an integration is left alone for a while.
    pub breaker: Rule,
    /// How many expects without an equality may be open in one tenant.
    pub unindexed_expects: usize,
    /// With so many open reactions in memory, those that only wait are let out of it.
    pub awake: usize,
    /// For how long an answer that comes after the time limit is still waited for.
    pub grace: Duration,
    /// How long sends under way are waited for at shutdown.
    pub drain: Duration,
    /// At least this often the clock is looked at while something is to be done at a time.
    pub tick: Duration,
    /// How often the place in the record is kept.
    pub checkpoint: Duration,
    /// How many rows are read at a time.
    pub batch: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            rules: Rules::default(),
            limits: Limits::default(),
            chain: 32,
            lane: 32,
            sends: 4_096,
            breaker: Rule::default(),
            unindexed_expects: 1_000,
            awake: 10_000,
            grace: Duration::from_secs(60),
            drain: Duration::from_secs(10),
            tick: Duration::from_millis(250),
            checkpoint: Duration::from_secs(1),
            batch: 1_000,
        }
    }
}
