//! What is ordered, read from text.

use std::time::Duration;

use super::{BREAKS, OFTEN, POINTS};

/// What is to happen at a point.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Order {
    pub(super) point: String,
    pub(super) action: Action,
    /// At which passage; `None`: a crash at the first, the others at each.
    pub(super) passage: Option<u64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Action {
    Crash,
    Error,
    Delay(Duration),
}

/// All that a text orders.
#[derive(Debug, Default)]
pub(super) struct Orders {
    pub(super) points: Vec<Order>,
    /// The promises that are broken.
    pub(super) broken: Vec<String>,
    /// By how many milliseconds the wall clock is off.
    pub(super) clock: i64,
}

/// The orders of a text such as `record.rows=crash@3,break:no-dedup,clock:-3600000`.
pub(super) fn parse(text: &str) -> Result<Orders, String> {
    let mut orders = Orders::default();
    for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
        match part.split_once(':') {
            Some(("break", name)) if BREAKS.contains(&name) || name == OFTEN => {
                orders.broken.push(name.to_owned());
            }
            Some(("break", name)) => return Err(format!("there is no break {name:?}")),
            Some(("clock", off)) => {
                orders.clock = off.parse().map_err(|_| format!("{off:?} is no number of milliseconds"))?;
            }
            _ => orders.points.push(order(part)?),
        }
    }
    Ok(orders)
}

fn order(part: &str) -> Result<Order, String> {
    let (point, action) = part.split_once('=').ok_or_else(|| format!("{part:?} is not NAME=ACTION"))?;
    if !POINTS.contains(&point) {
        return Err(format!("there is no point {point:?}"));
    }
    let (action, passage) = match action.split_once('@') {
        Some((action, passage)) => {
            (action, Some(passage.parse().map_err(|_| format!("{passage:?} is no number"))?))
        }
        None => (action, None),
    };
    let action = match (action, action.strip_prefix("delay:").map(str::parse)) {
        ("crash", _) => Action::Crash,
        ("error", _) => Action::Error,
        (_, Some(Ok(ms))) => Action::Delay(Duration::from_millis(ms)),
        _ => return Err(format!("{action:?} is not crash, error or delay:MILLISECONDS")),
    };
    Ok(Order { point: point.to_owned(), action, passage })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn orders_are_read_and_what_is_unknown_is_refused() {
        let orders = parse("record.rows=crash@3, send.begun=delay:50,break:no-dedup,clock:-5").unwrap();
        let order = |point: &str, action, passage| Order { point: point.into(), action, passage };
        let delay = Action::Delay(Duration::from_millis(50));
        assert_eq!(
            orders.points,
            [order("record.rows", Action::Crash, Some(3)), order("send.begun", delay, None)]
        );
        assert_eq!((orders.broken, orders.clock), (vec!["no-dedup".to_owned()], -5));
        for wrong in [
            "record.row=crash",
            "break:all",
            "record.rows",
            "record.rows=stop",
            "record.rows=crash@x",
            "clock:early",
        ] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }
}
