//! What providers say later about sends: each receipt goes into its reaction's stream, and becomes a customer event.
//!
//! Both are one append, so that neither is there without the other, and a receipt that comes twice counts once for
//! as long as the record is kept. A reaction that is over is read back for it.

use domain::customer_event::Origin;
use domain::ids::{EventId, Position, ReactionId, TenantId};
use domain::json::{Json, Object};
use domain::reaction::Receipt;
use eventlog::customer_stream::Incoming;
use eventlog::record::{self, Item, Metadata};
use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;

use super::core::Core;
use super::perform::{Of, Ready};
use super::slot::{Letter, Reply, Slot, What};
use super::{Asked, Error, Handle, NotRunning, Tools};

/// What became of a receipt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Taken {
    /// It is in the log.
    Recorded,
    /// It was there before, or the reaction takes no more.
    Known,
    /// The tenant has no such reaction.
    Missing,
}

/// A receipt on its way in.
pub(super) struct Notice {
    receipt: Box<Receipt>,
    /// Where the send began.
    cause: Option<Position>,
    reply: oneshot::Sender<Taken>,
}

pub(super) struct ReceiptOrder {
    tenant: TenantId,
    reaction: ReactionId,
    notice: Notice,
}

impl Handle {
    /// Takes in what a provider says about a send of a reaction, which began at `cause`; answered after the commit.
    ///
    /// # Errors
    /// The notifier is not running, or is just ending: the provider is to say it again.
    pub async fn receipt(
        &self,
        tenant: &TenantId,
        reaction: ReactionId,
        receipt: Receipt,
        cause: Position,
    ) -> Result<Taken, NotRunning> {
        match self.receipt_here(tenant, reaction, receipt.clone(), cause).await {
            Err(NotRunning) => self.receipt_elsewhere(tenant, reaction, &receipt, cause).await,
            here => here,
        }
    }

    pub(super) async fn receipt_here(
        &self,
        tenant: &TenantId,
        reaction: ReactionId,
        receipt: Receipt,
        cause: Position,
    ) -> Result<Taken, NotRunning> {
        let (reply, answer) = oneshot::channel();
        let notice = Notice { receipt: Box::new(receipt), cause: Some(cause), reply };
        let order = ReceiptOrder { tenant: tenant.clone(), reaction, notice };
        self.orders.send(Asked::Receipt(order)).await.map_err(|_| NotRunning)?;
        answer.await.map_err(|_| NotRunning)
    }
}

impl Core {
    /// Takes a receipt in.
    pub(super) async fn receipt_order(&mut self, order: ReceiptOrder) -> Result<(), Error> {
        let ReceiptOrder { tenant, reaction, notice } = order;
        self.awaken([reaction]).await?;
        let here = match self.open.get(&reaction) {
            Some(slot) => slot.owner.tenant == tenant,
            None => {
                let first = self.match_of(&tenant, reaction).await?;
                // Just after a start it may not have been read again: nobody answers, and the provider says it again.
                if first.is_some_and(|row| row.position > self.seen.position) {
                    return Ok(());
                }
                self.read_back(&tenant, reaction).await?
            }
        };
        let taken = match self.open.get(&reaction).filter(|_| here) {
            None => Taken::Missing,
            Some(slot) if slot.broken_off || !slot.state.takes_receipt(&notice.receipt) => Taken::Known,
            Some(_) => {
                self.prepare_receipt(reaction, notice);
                return Ok(());
            }
        };
        // Whoever asked may have gone away.
        let _ = notice.reply.send(taken);
        self.let_go_if_over(reaction);
        Ok(())
    }

    /// Has the event that a receipt becomes prepared at the door, beside the loop. Where the reaction has gone
    /// meanwhile, nobody answers, and the provider says it again.
    pub(super) fn prepare_receipt(&mut self, reaction: ReactionId, notice: Notice) {
        let Some(slot) = self.open.get_mut(&reaction) else { return };
        slot.receipts += 1;
        let (known, causes) = slot.behind();
        let (tenant, witness) = (slot.owner.tenant.clone(), slot.witness.last().copied());
        let (tools, ready) = (self.tools.clone(), self.prepared.clone());
        let (receipt, cause) = (notice.receipt.clone(), notice.cause);
        let preparing = tokio::spawn(async move {
            let event = tools.event_of(&tenant, witness, reaction, &receipt).await?;
            let incoming = Incoming {
                tenant,
                event: Json::Object(event),
                idempotency_key: None,
                origin: Origin::Reaction { reaction, place: receipt.place.to_string(), depth: 0 },
                metadata: Metadata { cause, ..Metadata::default() },
            };
            tools.in_chain(known, &causes, incoming).await
        });
        tokio::spawn(async move {
            let result = preparing.await.unwrap_or_else(|_| Err("the door broke off".to_owned()));
            let _ = ready.send(Ready { reaction, of: Of::Receipt(notice), result });
        });
    }

    /// The door has spoken about the event that a receipt becomes: one that is refused is in the trail all the same.
    pub(super) fn receipt_ready(
        &mut self,
        reaction: ReactionId,
        notice: Notice,
        result: Result<(EventId, Item), String>,
    ) {
        let Some(slot) = self.open.get_mut(&reaction) else { return };
        slot.receipts = slot.receipts.saturating_sub(1);
        let Notice { mut receipt, cause, reply } = notice;
        let item = match result {
            Ok((event, item)) => {
                receipt.event = Some(event);
                item
            }
            Err(reason) => {
                receipt.refused = Some(reason);
                Item::default()
            }
        };
        let what = What::Receipt { receipt, item: Box::new(item) };
        self.post(reaction, Letter { what, cause, reply: Some(Reply::Receipt(reply)) });
    }

    /// What its event was prepared on is no longer so: once more.
    pub(super) fn receipt_again(&mut self, reaction: ReactionId, letter: Letter) {
        let (What::Receipt { mut receipt, .. }, Some(Reply::Receipt(reply))) = (letter.what, letter.reply)
        else {
            return;
        };
        (receipt.event, receipt.refused) = (None, None);
        self.prepare_receipt(reaction, Notice { receipt, cause: letter.cause, reply });
    }
}

impl Slot {
    /// How long the chain of events behind this reaction is, as far as that is known, and those of its events that
    /// it has to be looked up of.
    pub(super) fn behind(&self) -> (u32, Vec<Position>) {
        let mut causes = self.met.clone();
        if self.depth.is_none() {
            causes.extend(&self.witness);
        }
        (self.depth.unwrap_or(0), causes)
    }
}

impl Tools {
    /// The customer event that a receipt becomes, or why it becomes none.
    async fn event_of(
        &self,
        tenant: &TenantId,
        witness: Option<Position>,
        reaction: ReactionId,
        receipt: &Receipt,
    ) -> Result<Object, String> {
        let unreadable = |error: record::Error| format!("whose it is cannot be read: {error}");
        let attribute = self.door.key_attribute(tenant).await.map_err(unreadable)?;
        let attribute = attribute.ok_or("the tenant has no key attribute")?;
        let rows = self.record.read_at(witness.as_slice()).await.map_err(unreadable)?;
        let customer = match rows.first() {
            Some(row) => self.customer_event(row).await.map_err(unreadable)?,
            None => None,
        };
        let customer = customer.ok_or("the customer was erased")?;
        let mut event = Object::new();
        for (name, value) in [
            ("type", "receipt"),
            ("endpoint", &receipt.endpoint),
            ("status", &receipt.status),
            ("message-id", &receipt.message_id),
            ("reaction", &reaction.to_string()),
            ("idempotency-key", &receipt.key),
        ] {
            event.set(name, value);
        }
        event.set("receipt", receipt.said.clone());
        event.set(attribute, customer.key);
        Ok(event)
    }
}
