//! Many aggregates at once: read as they are, and changed all together or not at all.

use cqrs_es::DomainEvent;
use domain::ids::TenantId;
use domain::integration::{self, Integration};
use domain::plan::{Plan, Resource, Step, Stored};
use domain::tenant::Tenant;

use super::kinds::{Along, Kind};
use super::repository::last_of;
use super::{Commands, Committed};
use crate::record::{Error, Expect, Item, Metadata, NewEvent, Outcome, StreamId, Write};

impl Commands {
    /// A tenant's configuration, straight from the record.
    ///
    /// # Errors
    /// The record's; an event that cannot be read is [`Error::Damaged`].
    pub async fn configuration(&self, tenant: &TenantId) -> Result<Stored, Error> {
        let mut integrations = Vec::new();
        for kind in integration::Kind::ALL {
            let stream = StreamId::new(tenant, Integration::KIND, kind.name());
            integrations.push((kind, self.load::<Integration>(&stream).await?));
        }
        Ok(Stored {
            tenant: self.load(&StreamId::new(tenant, Tenant::KIND, tenant.as_str())).await?,
            templates: self.numbered(tenant).await?,
            augments: self.numbered(tenant).await?,
            patterns: self.numbered(tenant).await?,
            listeners: self.numbered(tenant).await?,
            integrations,
        })
    }

    /// All of a kind: their numbers have no gaps, for a new one gets the next and a deleted one keeps its own.
    async fn numbered<A: Kind + Resource>(&self, tenant: &TenantId) -> Result<Vec<A>, Error> {
        let mut all = Vec::new();
        loop {
            let state = self.load::<A>(&numbered_stream::<A>(tenant, all.len() + 1)).await?;
            if state.version() == 0 {
                return Ok(all);
            }
            all.push(state);
        }
    }

    /// Carries a plan out, all of it in one commit; none if anything of what it was made on has changed since: then
    /// nothing is done.
    ///
    /// # Errors
    /// The record's.
    pub async fn carry_out(
        &self,
        tenant: &TenantId,
        stored: &Stored,
        plan: &Plan,
        metadata: Metadata,
    ) -> Result<Option<Committed>, Error> {
        let mut writes = unchanged(tenant, stored);
        for step in &plan.tenant {
            writes.push(write::<Tenant>(StreamId::new(tenant, Tenant::KIND, tenant.as_str()), step)?);
        }
        append_steps(&mut writes, tenant, &plan.integrations)?;
        append_steps(&mut writes, tenant, &plan.templates)?;
        append_steps(&mut writes, tenant, &plan.augments)?;
        append_steps(&mut writes, tenant, &plan.patterns)?;
        append_steps(&mut writes, tenant, &plan.listeners)?;
        let commands = self.clone();
        // In a task of its own, as every command: a caller who goes away does not cut it.
        let item = Item { writes: together(writes), metadata, ..Item::default() };
        let append = tokio::spawn(async move { commands.record.append(vec![item]).await });
        let outcomes =
            append.await.map_err(|error| Error::Unavailable(format!("it ended early: {error}")))?;
        match last_of(outcomes?)? {
            Outcome::Appended { last, stamp, .. } => {
                Ok(Some(Committed { position: last, version: 0, stamp }))
            }
            Outcome::Conflict(_) => Ok(None),
            refused => Err(Error::Malformed(format!("an append was {refused:?}"))),
        }
    }
}

fn numbered_stream<A: Kind + Resource>(tenant: &TenantId, number: usize) -> StreamId {
    StreamId::new(tenant, A::KIND, format!("{}{number}", A::PREFIX))
}

/// What says that everything is as it was read, and that nothing has been added to it.
fn unchanged(tenant: &TenantId, stored: &Stored) -> Vec<Write> {
    fn of<A: Kind + Resource>(writes: &mut Vec<Write>, tenant: &TenantId, states: &[A]) {
        let versions = states.iter().map(Resource::version).chain([0]);
        let streams = (1..).map(|number| numbered_stream::<A>(tenant, number));
        writes.extend(streams.zip(versions).map(|(stream, version)| expected(stream, version)));
    }
    let key = StreamId::new(tenant, Tenant::KIND, tenant.as_str());
    let mut writes = vec![expected(key, stored.tenant.version)];
    for (kind, integration) in &stored.integrations {
        let stream = StreamId::new(tenant, Integration::KIND, kind.name());
        writes.push(expected(stream, integration.version));
    }
    of(&mut writes, tenant, &stored.templates);
    of(&mut writes, tenant, &stored.augments);
    of(&mut writes, tenant, &stored.patterns);
    of(&mut writes, tenant, &stored.listeners);
    writes
}

fn expected(stream: StreamId, version: u64) -> Write {
    Write { stream, expect: Expect::Version(version), customer: None, partition: None, events: Vec::new() }
}

/// A stream is written to once in an item: what is only expected of it goes where something is written.
fn together(writes: Vec<Write>) -> Vec<Write> {
    let written: std::collections::HashSet<StreamId> =
        writes.iter().filter(|write| !write.events.is_empty()).map(|write| write.stream.clone()).collect();
    let needed = |write: &Write| !write.events.is_empty() || !written.contains(&write.stream);
    writes.into_iter().filter(needed).collect()
}

fn append_steps<A: Kind>(writes: &mut Vec<Write>, tenant: &TenantId, steps: &[Step<A>]) -> Result<(), Error> {
    for step in steps {
        writes.push(write::<A>(StreamId::new(tenant, A::KIND, step.id.as_str()), step)?);
    }
    Ok(())
}

fn write<A: Kind>(stream: StreamId, step: &Step<A>) -> Result<Write, Error> {
    let events = step.events.iter().map(new_event::<A>).collect::<Result<_, _>>()?;
    Ok(Write { events, ..expected(stream, step.version) })
}

fn new_event<A: Kind>(event: &A::Event) -> Result<NewEvent, Error> {
    let name = event.event_type();
    let malformed = |why: String| Error::Malformed(format!("{name}: {why}"));
    let known = A::EVENTS.iter().find(|(known, along)| *known == name && *along != Along::TenantKey);
    let (event_type, along) = *known.ok_or_else(|| malformed("no event that can go with others".into()))?;
    Ok(NewEvent {
        event_type,
        event_version: event.event_version().parse().map_err(|_| malformed("no version".into()))?,
        payload: serde_json::to_vec(event).map_err(|error| malformed(error.to_string()))?,
        event_id: None,
        configures: along == Along::Configuration,
    })
}
