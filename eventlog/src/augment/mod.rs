//! Augments at work: what they add to an event on its way in, or to a reaction's context.
//!
//! They are applied in order of creation, each seeing what those before it added. None can stop an event: what fails
//! is written down beside it. Files are looked up here; a server of the tenant's is asked through [`Api`], which
//! another room implements. Read next: [`Augmenter`], `tables` and `table` (files at hand).

mod table;
mod tables;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use domain::augment::{Kind, Options, Service};
use domain::configuration::ActiveAugment;
use domain::customer_event::{Augmentations, Augmented};
use domain::ids::{AugmentId, Position, TenantId};
use domain::json::Object;
use domain::value::{Attributes, Value};
use tokio::time::Instant;

use self::table::Table;
use self::tables::{Missing, Tables};
use crate::files::FileStore;
use crate::record::Error;

/// How many bytes the tables of all files take up together before the first is let go.
pub const TABLES: usize = 512 << 20;

/// The longest that one augment may add to an event, as JSON, in bytes.
pub const MOST_ADDED: usize = 256 * 1024;

/// How long all augments together may hold a batch of events up.
const PATIENCE: Duration = Duration::from_secs(10);

/// A question to a server of the tenant's.
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    /// Whose.
    pub tenant: &'a TenantId,
    /// For which augment.
    pub augment: &'a AugmentId,
    /// Where its definition stands: an answer is good for this one only.
    pub defined: Position,
    /// Where to ask, and which attributes are taken.
    pub options: &'a Options,
    /// The value of the key attribute, if it is known.
    pub key: Option<&'a str>,
    /// All attributes, with what other augments have added.
    pub attributes: &'a Object,
}

/// Asks tenants' servers.
#[async_trait]
pub trait Api: Send + Sync + 'static {
    /// The attributes that the augment names, as far as the answer has them.
    ///
    /// # Errors
    /// Why there is no answer, for the tenant to read.
    async fn ask(&self, question: Question<'_>) -> Result<Object, String>;
}

/// Applies augments. Cheap to clone; all clones share what is at hand.
#[derive(Clone)]
pub struct Augmenter {
    tables: Arc<Tables>,
    api: Option<Arc<dyn Api>>,
}

/// What is to be applied: the augments of one service as they are in force, with their tables.
#[derive(Clone)]
pub struct Plan {
    tenant: TenantId,
    steps: Vec<Step>,
    api: Option<Arc<dyn Api>>,
    /// A file is gone: what is in force has changed since.
    pub(crate) is_stale: bool,
}

#[derive(Clone)]
struct Step {
    augment: AugmentId,
    defined: Position,
    source: Source,
}

#[derive(Clone)]
enum Source {
    Table(Arc<Table>),
    Api(Options),
    Broken(String),
}

impl Augmenter {
    /// One that looks files up and asks `api`; without one every question fails.
    pub fn new(files: FileStore, api: Option<Arc<dyn Api>>) -> Self {
        Self { tables: Arc::new(Tables::new(files, TABLES)), api }
    }

    /// Makes sure that a file is at hand, so that nobody waits for it once it is in force.
    ///
    /// # Errors
    /// The record's; a file that is not what was uploaded is [`Error::Damaged`].
    pub async fn prefetch(&self, tenant: &TenantId, file: &domain::augment::File) -> Result<(), Error> {
        match self.tables.table(tenant, file).await {
            Ok(_) => Ok(()),
            Err(Missing::Record(error)) => Err(error),
            Err(Missing::Gone) => Err(Error::Damaged("a file that was just stored is gone".into())),
            Err(Missing::Damaged(what)) => Err(Error::Damaged(what)),
        }
    }

    /// What the augments of a service are to do.
    ///
    /// # Errors
    /// The record's.
    pub(crate) async fn plan(
        &self,
        tenant: &TenantId,
        augments: &[ActiveAugment],
        service: Service,
    ) -> Result<Plan, Error> {
        let mut plan = Plan { api: self.api.clone(), ..Plan::nothing(tenant) };
        for augment in augments.iter().filter(|augment| augment.definition.service == service) {
            let definition = &augment.definition;
            let source = match (definition.kind, &definition.options, &definition.file) {
                (Kind::Api, Some(options), _) => Source::Api(options.clone()),
                (Kind::File, _, Some(file)) => match self.tables.table(tenant, file).await {
                    Ok(table) => Source::Table(table),
                    Err(Missing::Record(error)) => return Err(error),
                    Err(Missing::Gone) => {
                        plan.is_stale = true;
                        Source::Broken("its file is gone".into())
                    }
                    Err(Missing::Damaged(what)) => {
                        tracing::error!(tenant.id = %tenant, augment.id = %augment.id, what, "a file is damaged");
                        Source::Broken("its file is damaged; upload it again".into())
                    }
                },
                // Nothing to look into yet.
                (Kind::File, _, None) | (Kind::Api, None, _) => continue,
            };
            plan.steps.push(Step { augment: augment.id.clone(), defined: augment.position, source });
        }
        Ok(plan)
    }
}

impl Plan {
    /// Nothing to do.
    pub(crate) fn nothing(tenant: &TenantId) -> Self {
        Self { tenant: tenant.clone(), steps: Vec::new(), api: None, is_stale: false }
    }

    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    /// Whether somebody else is asked, which takes time.
    pub fn asks(&self) -> bool {
        self.steps.iter().any(|step| matches!(step.source, Source::Api(_)))
    }

    /// By when those who begin now have to be through.
    pub fn deadline() -> Instant {
        Instant::now() + PATIENCE
    }

    /// What the augments do to these attributes; who is not asked by `deadline` has failed.
    pub async fn apply(&self, key: Option<&str>, attributes: &Object, deadline: Instant) -> Augmentations {
        let mut done = Augmentations::default();
        let mut seen: Option<Object> = None;
        for step in &self.steps {
            let now = seen.as_ref().unwrap_or(attributes);
            let added = match &step.source {
                Source::Table(table) => Ok(looked_up(table, now)),
                Source::Broken(why) => Err(why.clone()),
                Source::Api(options) => {
                    let asking = self.ask(step, options, key, now);
                    tokio::time::timeout_at(deadline, asking).await.unwrap_or_else(|_| Err(too_late()))
                }
            };
            match added {
                Ok(added) if added.is_empty() => {}
                Ok(added) => {
                    seen.get_or_insert_with(|| attributes.clone()).merge(&added);
                    done.push(step.augment.clone(), Augmented::Added(added));
                }
                Err(error) => done.push(step.augment.clone(), Augmented::Error(error)),
            }
        }
        done
    }

    async fn ask(
        &self,
        step: &Step,
        options: &Options,
        key: Option<&str>,
        attributes: &Object,
    ) -> Result<Object, String> {
        let api = self.api.as_ref().ok_or_else(|| "nobody can be asked from here".to_owned())?;
        let question = Question {
            tenant: &self.tenant,
            augment: &step.augment,
            defined: step.defined,
            options,
            key,
            attributes,
        };
        let added = api.ask(question).await?;
        if added.to_string().len() > MOST_ADDED {
            return Err(format!("the answer adds more than {MOST_ADDED} bytes"));
        }
        Ok(added)
    }
}

fn too_late() -> String {
    format!("not answered within the {} s that all augments have together", PATIENCE.as_secs())
}

/// What the table has beside the attribute that it is about.
fn looked_up(table: &Table, attributes: &Object) -> Object {
    let found = match attributes.attribute(table.attribute()) {
        Some(Value::Text(text)) => table.get(&text),
        Some(Value::Number(text)) => table.get(text),
        Some(Value::Bool(value)) => table.get(if value { "true" } else { "false" }),
        Some(Value::Null | Value::Compound(_)) | None => None,
    };
    found.unwrap_or_default()
}
