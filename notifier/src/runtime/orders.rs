//! What a person decides about sends: a held one goes out again or is let go, a failed one is made once more.
//!
//! Each is an input of the reaction like every other, appended before anything is done. A reaction that is over is
//! read back for it, and is open again until what was sent has its answer.

use std::collections::HashSet;

use domain::dsl::then::Path;
use domain::ids::{Position, ReactionId, TenantId};
use domain::json::Object;
use domain::reaction::InputKind;
use eventlog::record::{Recorded, Select, StreamId, StreamKind};
use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;

use super::core::Core;
use super::slot::{Letter, Owner, Reply, What};
use super::{Asked, Error, Handle, NotRunning};

/// What became of an order about a send.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Decided {
    /// It is in the log. (Of a dry run: it would be.)
    Done,
    /// The send is not held, or has not failed for good, or has been made once more already.
    NotSo,
    /// The tenant has no such reaction.
    Missing,
}

/// A send that failed for good, to be made once more.
#[derive(Clone, Debug)]
pub struct Redrive {
    /// Its key.
    pub key: String,
    /// Whose command it was.
    pub place: Path,
    /// With what it was sent.
    pub params: Object,
    /// Where its last attempt began: the cause of the new one.
    pub cause: Position,
    /// Only say whether it would be made.
    pub dry_run: bool,
}

/// An order about a send of a reaction.
pub(super) struct SendOrder {
    tenant: TenantId,
    reaction: ReactionId,
    by: String,
    what: Wish,
    reply: oneshot::Sender<Decided>,
}

#[derive(Clone)]
pub(super) enum Wish {
    Release { key: String },
    Discard { key: String },
    Redrive(Redrive),
}

impl Handle {
    /// Lets a held send go out again; answered after the commit.
    ///
    /// # Errors
    /// The notifier is not running.
    pub async fn release(
        &self,
        tenant: &TenantId,
        reaction: ReactionId,
        key: &str,
        by: &str,
    ) -> Result<Decided, NotRunning> {
        self.order(tenant, reaction, by, Wish::Release { key: key.to_owned() }).await
    }

    /// Lets a held send go: it has failed; answered after the commit.
    ///
    /// # Errors
    /// The notifier is not running.
    pub async fn discard(
        &self,
        tenant: &TenantId,
        reaction: ReactionId,
        key: &str,
        by: &str,
    ) -> Result<Decided, NotRunning> {
        self.order(tenant, reaction, by, Wish::Discard { key: key.to_owned() }).await
    }

    /// Makes a send that failed for good once more; answered after the commit.
    ///
    /// # Errors
    /// The notifier is not running.
    pub async fn redrive(
        &self,
        tenant: &TenantId,
        reaction: ReactionId,
        redrive: Redrive,
        by: &str,
    ) -> Result<Decided, NotRunning> {
        self.order(tenant, reaction, by, Wish::Redrive(redrive)).await
    }

    async fn order(
        &self,
        tenant: &TenantId,
        reaction: ReactionId,
        by: &str,
        what: Wish,
    ) -> Result<Decided, NotRunning> {
        match self.order_here(tenant, reaction, by, what.clone()).await {
            Err(NotRunning) => self.order_elsewhere(tenant, reaction, by, &what).await,
            here => here,
        }
    }

    pub(super) async fn order_here(
        &self,
        tenant: &TenantId,
        reaction: ReactionId,
        by: &str,
        what: Wish,
    ) -> Result<Decided, NotRunning> {
        let (reply, answer) = oneshot::channel();
        let order = SendOrder { tenant: tenant.clone(), reaction, by: by.to_owned(), what, reply };
        self.orders.send(Asked::Send(order)).await.map_err(|_| NotRunning)?;
        answer.await.map_err(|_| NotRunning)
    }
}

impl Core {
    /// Takes an order about a send.
    pub(super) async fn send_order(&mut self, order: SendOrder) -> Result<(), Error> {
        // What is still to be decided about an open one comes before this: the interpreter has the last word. One
        // that is not open is in the log whole.
        let SendOrder { tenant, reaction, by, what, reply } = order;
        self.awaken([reaction]).await?;
        let here = match self.open.get(&reaction) {
            Some(slot) => slot.owner.tenant == tenant,
            None => self.read_back(&tenant, reaction).await?,
        };
        let answer = if here { self.decided_on(reaction, what, by) } else { Err(Decided::Missing) };
        match answer {
            Ok((what, cause)) => {
                self.post(reaction, Letter { what, cause, reply: Some(Reply::Send(reply)) });
            }
            Err(decided) => {
                // Whoever asked may have gone away.
                let _ = reply.send(decided);
                self.let_go_if_over(reaction);
            }
        }
        Ok(())
    }

    /// The input that an order comes to, or the answer that there is none to be made.
    fn decided_on(
        &self,
        reaction: ReactionId,
        what: Wish,
        by: String,
    ) -> Result<(What, Option<Position>), Decided> {
        let slot = self.open.get(&reaction).filter(|slot| !slot.broken_off).ok_or(Decided::NotSo)?;
        let held = |key: &str| {
            slot.state.held().find(|held| held.key == key).map(|held| held.id).ok_or(Decided::NotSo)
        };
        let (kind, cause) = match what {
            Wish::Release { key } => {
                let send = held(&key)?;
                (InputKind::SendReleased { send, by }, slot.begun.get(&send).copied())
            }
            Wish::Discard { key } => {
                let send = held(&key)?;
                (InputKind::SendDiscarded { send, by }, slot.begun.get(&send).copied())
            }
            Wish::Redrive(Redrive { key, place, params, cause, dry_run }) => {
                if !slot.state.may_redrive(&key) {
                    return Err(Decided::NotSo);
                }
                if dry_run {
                    return Err(Decided::Done);
                }
                (InputKind::SendRedriven { key, place, params, by }, Some(cause))
            }
        };
        Ok((What::Input(kind), cause))
    }

    /// A reaction that was over sends again. If it is not open here, that was decided before a crash, and the table
    /// of open reactions does not know it yet.
    pub(super) async fn redriven(&mut self, row: &Recorded) -> Result<(), Error> {
        let (Ok(reaction), Some(customer), Some(partition)) =
            (row.stream.id.parse::<ReactionId>(), row.customer, row.partition)
        else {
            return Ok(());
        };
        if self.is_open(reaction) {
            return Ok(());
        }
        let owner = Owner { tenant: row.stream.tenant.clone(), customer, partition };
        let trail = self.tools.trail(owner.stream(reaction)).await;
        self.resume(reaction, owner, trail, HashSet::new(), HashSet::new()).await
    }

    /// The match of a reaction, if it is one of that tenant's.
    pub(super) async fn match_of(
        &self,
        tenant: &TenantId,
        reaction: ReactionId,
    ) -> Result<Option<Recorded>, Error> {
        let stream = StreamId::new(tenant, StreamKind::Reaction, reaction.to_string());
        Ok(self.tools.record.read_after(Select::Stream(stream), Position(0), 1).await?.pop())
    }

    /// Opens a reaction that is over once more; whether there is one of that tenant's.
    pub(super) async fn read_back(&mut self, tenant: &TenantId, reaction: ReactionId) -> Result<bool, Error> {
        let first = self.match_of(tenant, reaction).await?;
        let Some((row, customer)) = first.and_then(|row| row.customer.map(|customer| (row, customer))) else {
            return Ok(false);
        };
        let Some(partition) = row.partition else { return Ok(false) };
        // One that has not been read yet begins when it is.
        if row.position > self.seen.position {
            return Ok(false);
        }
        let owner = Owner { tenant: tenant.clone(), customer, partition };
        self.reopen(reaction, owner).await
    }
}
