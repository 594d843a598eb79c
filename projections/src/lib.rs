//! Read models: they follow the record by position and answer the API's questions.
//!
//! A read model is derived: it can be thrown away and made anew from the record at any time. It holds no clear
//! customer data, only ids, states, positions and stamps: details are read from the record by position and opened
//! by the vault. Its place in the record moves in the same transaction as its rows, so that a batch delivered twice
//! changes nothing and a crash loses nothing.
//!
//! Reading order: [`Views`] (open, ask, wait), [`Runner`] (follow the record), [`rebuild`](rebuild()), then the
//! read models, a folder each: `mod.rs` says how rows of the record become rows of the model, `view.rs` what they
//! look like, `query.rs` what can be asked.

mod definitions;
mod entry;
mod error;
mod model;
mod rebuild;
mod runner;
mod store;
mod sums;
mod views;

mod audit;
mod augments;
mod clients;
mod integrations;
mod listeners;
mod patterns;
mod reactions;
mod sends;
mod templates;
mod tenants;
mod timeline;

pub use audit::{AuditEntry, ChangeKind};
pub use augments::AugmentView;
pub use clients::{ClientView, TokenView};
pub use error::Error;
pub use integrations::IntegrationView;
pub use listeners::ListenerView;
pub use model::names;
pub use patterns::PatternView;
pub use reactions::{ReactionFilter, ReactionState, ReactionView};
pub use rebuild::{Progress, rebuild};
pub use runner::Runner;
pub use sends::{SendFilter, SendId, SendState, SendView};
pub use templates::TemplateView;
pub use tenants::TenantView;
pub use timeline::TimelineEntry;
pub use views::{Page, Views};

#[cfg(test)]
mod tests;
