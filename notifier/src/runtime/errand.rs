//! What a person decides at a server that does not run the reactions is done by the one that does: it goes there as an
//! errand, and the answer comes back. What is sent with a redrive is not in it but in the record, sealed; the errand
//! says where.

use async_trait::async_trait;
use domain::ids::{Position, ReactionId, TenantId};
use domain::integration::Sealed;
use domain::reaction::{Effect, Event, Receipt, Request};
use eventlog::crypto::{Opened, Vault};
use eventlog::record::{self, Record};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

use super::orders::Wish;
use super::{Cancelled, Decided, Handle, NotRunning, Notifier, Redrive, Taken};

/// The way to the server that runs the reactions.
#[async_trait]
pub trait Elsewhere: Send + Sync + 'static {
    /// Has an errand run there; its answer, or none if none came in time.
    async fn run(&self, errand: String) -> Option<String>;
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Errand {
    tenant: TenantId,
    reaction: String,
    by: String,
    what: What,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum What {
    Cancel,
    Release {
        key: String,
    },
    Discard {
        key: String,
    },
    Redrive {
        key: String,
        cause: Position,
        dry_run: bool,
    },
    /// What a provider says, sealed: an errand lies in the database for a moment.
    Receipt {
        sealed: Sealed,
        cause: Position,
    },
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Done {
    Cancel(Cancelled),
    Order(Decided),
    Receipt(Taken),
}

impl Handle {
    /// The same, which asks there where the reactions are not run here.
    #[must_use]
    pub fn or_elsewhere(self, elsewhere: Arc<dyn Elsewhere>) -> Self {
        Self { elsewhere: Some(elsewhere), ..self }
    }

    pub(super) async fn cancel_elsewhere(
        &self,
        tenant: &TenantId,
        reaction: ReactionId,
        by: &str,
    ) -> Result<Cancelled, NotRunning> {
        match self.ask(tenant, reaction, by, What::Cancel).await? {
            Done::Cancel(cancelled) => Ok(cancelled),
            Done::Order(_) | Done::Receipt(_) => Err(NotRunning),
        }
    }

    pub(super) async fn order_elsewhere(
        &self,
        tenant: &TenantId,
        reaction: ReactionId,
        by: &str,
        what: &Wish,
    ) -> Result<Decided, NotRunning> {
        let what = match what.clone() {
            Wish::Release { key } => What::Release { key },
            Wish::Discard { key } => What::Discard { key },
            Wish::Redrive(Redrive { key, cause, dry_run, .. }) => What::Redrive { key, cause, dry_run },
        };
        match self.ask(tenant, reaction, by, what).await? {
            Done::Order(decided) => Ok(decided),
            Done::Cancel(_) | Done::Receipt(_) => Err(NotRunning),
        }
    }

    pub(super) async fn receipt_elsewhere(
        &self,
        tenant: &TenantId,
        reaction: ReactionId,
        receipt: &Receipt,
        cause: Position,
    ) -> Result<Taken, NotRunning> {
        let clear = serde_json::to_string(receipt).map_err(|_| NotRunning)?;
        let sealed = self.vault.seal_credential(tenant, &place(reaction), &clear).await;
        let sealed = sealed.map_err(|_| NotRunning)?;
        match self.ask(tenant, reaction, "", What::Receipt { sealed, cause }).await? {
            Done::Receipt(taken) => Ok(taken),
            Done::Cancel(_) | Done::Order(_) => Err(NotRunning),
        }
    }

    async fn ask(
        &self,
        tenant: &TenantId,
        reaction: ReactionId,
        by: &str,
        what: What,
    ) -> Result<Done, NotRunning> {
        let elsewhere = self.elsewhere.as_ref().ok_or(NotRunning)?;
        let errand =
            Errand { tenant: tenant.clone(), reaction: reaction.to_string(), by: by.to_owned(), what };
        let errand = serde_json::to_string(&errand).map_err(|_| NotRunning)?;
        let answer = elsewhere.run(errand).await.ok_or(NotRunning)?;
        serde_json::from_str(&answer).map_err(|_| NotRunning)
    }
}

impl Notifier {
    /// Runs an errand of another server's, while this one runs the reactions; the answer to send back, or none: it is
    /// none that this release knows, or the reactions are not run here any more.
    pub async fn errand(&self, errand: &str) -> Option<String> {
        let errand: Errand = serde_json::from_str(errand).ok()?;
        let reaction: ReactionId = errand.reaction.parse().ok()?;
        let (handle, tenant, by) = (self.handle(), &errand.tenant, &errand.by);
        let wish = match errand.what {
            What::Cancel => {
                let cancelled = handle.cancel_here(tenant, reaction, by).await.ok()?;
                return serde_json::to_string(&Done::Cancel(cancelled)).ok();
            }
            What::Receipt { sealed, cause } => {
                let clear = self.tools.vault.open_credential(tenant, &place(reaction), &sealed).await.ok()?;
                let receipt = serde_json::from_str(&clear).ok()?;
                let taken = handle.receipt_here(tenant, reaction, receipt, cause).await.ok()?;
                return serde_json::to_string(&Done::Receipt(taken)).ok();
            }
            What::Release { key } => Wish::Release { key },
            What::Discard { key } => Wish::Discard { key },
            What::Redrive { key, cause, dry_run } => {
                let request = request(&*self.tools.record, &self.tools.vault, tenant, reaction, cause).await;
                let Request { place, params, .. } = match request {
                    Ok(request) => request?,
                    Err(error) => {
                        tracing::warn!(%error, "what is to be sent again cannot be read just now");
                        return None;
                    }
                };
                Wish::Redrive(Redrive { key, place, params, cause, dry_run })
            }
        };
        let decided = handle.order_here(tenant, reaction, by, wish).await.ok()?;
        serde_json::to_string(&Done::Order(decided)).ok()
    }
}

/// For what a receipt is sealed on its way.
fn place(reaction: ReactionId) -> String {
    format!("receipt/{reaction}")
}

/// What a send of a reaction was made with, as it stands at that position.
async fn request(
    record: &dyn Record,
    vault: &Vault,
    tenant: &TenantId,
    reaction: ReactionId,
    cause: Position,
) -> Result<Option<Request>, record::Error> {
    let Some(row) = record.read_at(&[cause]).await?.pop() else { return Ok(None) };
    if row.stream.tenant != *tenant || row.stream.id != reaction.to_string() {
        return Ok(None);
    }
    let Opened::Clear(clear) = vault.open(&row).await? else { return Ok(None) };
    Ok(match Event::from_json(&row.event_type, row.event_version, &clear) {
        Ok(Event::Effect(Effect::Send(request))) => Some(request),
        _ => None,
    })
}
