//! Tickets: good once, for a while, from the address that asked for one.
//!
//! They are kept by the server that sold them; one that it has not used yet when it stops is lost, and asked for
//! again.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use domain::ids::{ClientId, TenantId};
use tokio::time::Instant;
use uuid::Uuid;

/// How many tickets of one tenant may be good at a time.
const MOST: usize = 1_000;

/// What a ticket lets in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Ticket {
    /// To whose stream.
    pub(super) tenant: TenantId,
    /// The client that asked for it: the stream ends with the client.
    pub(super) client: ClientId,
    /// From where.
    pub(super) address: IpAddr,
}

/// Tickets that were sold and not used.
#[derive(Default)]
pub(super) struct Tickets(Mutex<HashMap<Uuid, (Ticket, Instant)>>);

impl Tickets {
    fn sold(&self) -> MutexGuard<'_, HashMap<Uuid, (Ticket, Instant)>> {
        // Whole at every moment, so a panic elsewhere does not spoil it.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A ticket that is good for so long; none if the tenant has too many.
    pub(super) fn sell(&self, ticket: Ticket, good: Duration) -> Option<Uuid> {
        let now = Instant::now();
        let mut sold = self.sold();
        sold.retain(|_, (_, until)| *until > now);
        if sold.values().filter(|(other, _)| other.tenant == ticket.tenant).count() >= MOST {
            return None;
        }
        let id = Uuid::new_v4();
        sold.insert(id, (ticket, now + good));
        Some(id)
    }

    /// Whether a ticket lets in from there now.
    pub(super) fn is_good(&self, id: Uuid, address: IpAddr) -> bool {
        let now = Instant::now();
        self.sold().get(&id).is_some_and(|(ticket, until)| ticket.address == address && *until > now)
    }

    /// Uses a ticket up.
    pub(super) fn punch(&self, id: Uuid, address: IpAddr) -> Option<Ticket> {
        let mut sold = self.sold();
        let (ticket, until) = sold.get(&id)?;
        // A stranger who has it does not use it up.
        if ticket.address != address || *until <= Instant::now() {
            return None;
        }
        sold.remove(&id).map(|(ticket, _)| ticket)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_ticket_is_good_once_for_its_time_from_its_address() {
        let tickets = Tickets::default();
        let [here, there] = ["10.0.0.1", "10.0.0.2"].map(|text| text.parse::<IpAddr>().unwrap());
        let ticket = Ticket { tenant: "acme".into(), client: "shop".into(), address: here };
        let sell = || tickets.sell(ticket.clone(), Duration::from_secs(120)).unwrap();
        let id = sell();
        assert!(!tickets.is_good(id, there));
        assert_eq!(tickets.punch(id, there), None);
        assert_eq!(tickets.punch(id, here), Some(ticket.clone()), "a stranger has not used it up");
        assert_eq!(tickets.punch(id, here), None, "once");
        let late = sell();
        tokio::time::advance(Duration::from_secs(119)).await;
        assert!(tickets.is_good(late, here));
        tokio::time::advance(Duration::from_secs(1)).await;
        assert!(!tickets.is_good(late, here) && tickets.punch(late, here).is_none());
        (0..MOST).for_each(|_| assert!(!sell().is_nil()));
        assert_eq!(tickets.sell(ticket.clone(), Duration::from_secs(1)), None, "one tenant, so many");
        let other = Ticket { tenant: "other".into(), ..ticket };
        assert!(tickets.sell(other, Duration::from_secs(1)).is_some());
    }
}
