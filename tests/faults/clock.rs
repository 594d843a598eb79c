//! A clock that is set, back and forth, between kills: it fires, loses and repeats no timer, and no stamp falls.

use crate::campaign::Campaign;
use crate::kills::is_seen;
use crate::{seed, tell};

const MINUTE: i64 = 60_000;

/// By how many minutes the clock is off, round by round. Forward by less than a token lives; the last is the furthest,
/// so that time goes on again and everything ends.
const OFF: [i64; 10] = [0, -60, 10, -1_440, 0, 25, 24, -60, 10, 50];

#[test]
fn a_clock_that_is_set_fires_loses_and_repeats_no_timer() {
    let mut campaign = Campaign::start(seed());
    for off in OFF {
        campaign.clock = off * MINUTE;
        campaign.kill_at_random("");
    }
    campaign.audit();
    tell(&format!("clock set by up to a day: {campaign}"));
    assert_eq!(campaign.faults, Vec::<String>::new(), "{campaign}");
}

#[test]
fn timers_before_their_time_are_seen() {
    is_seen("timers-early", 4, |campaign, orders| campaign.kill_at_random(orders), "ends early");
}
