//! Points of a customer's order: events, and ticks after all events of their time.

/// A point: an event at its time and position, or a tick, which comes after every event of that very time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Moment {
    /// Milliseconds.
    pub time: i64,
    /// The event's position; [`Moment::TICK`] for a tick.
    pub position: u64,
}

impl Moment {
    const TICK: u64 = u64::MAX;

    /// The point of an event.
    pub const fn event(time: i64, position: u64) -> Self {
        Self { time, position }
    }

    /// The point of a tick.
    pub const fn tick(time: i64) -> Self {
        Self { time, position: Self::TICK }
    }

    /// Whether it is a tick.
    pub const fn is_tick(self) -> bool {
        self.position == Self::TICK
    }

    /// Whether no more than `span` milliseconds lie between an earlier point and this one.
    pub const fn within(self, span: i64, earlier: Self) -> bool {
        self.time.saturating_sub(earlier.time) <= span
    }
}
