//! What a reaction runs: its program and its templates, found in the record by position (design.md §3.10).

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use domain::dsl::{Limits, then};
use domain::ids::{Position, TemplateId, TenantId};
use domain::mustache::Template;
use domain::reaction::Pinned;
use domain::{pattern, template};
use eventlog::record::{self, Record, Recorded, Select, StreamId, StreamKind};

/// A program with the templates that it names, and where they stand in the record.
#[derive(Clone, Debug)]
pub(crate) struct Source {
    pub(crate) templates: BTreeMap<TemplateId, Position>,
    pub(crate) pinned: Arc<Pinned>,
}

/// Why a program cannot be had.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// What is stored cannot be run: the reaction fails with this reason.
    #[error("{0}")]
    Unusable(String),
    /// The record's.
    #[error(transparent)]
    Record(#[from] record::Error),
}

/// Programs and templates, read from the record and kept as long as they are in use.
pub(crate) struct Sources {
    record: Arc<dyn Record>,
    limits: Limits,
    /// By tenant, then by the position of the pattern event; forgotten when a template of the tenant changes.
    in_force: HashMap<TenantId, HashMap<Position, Source>>,
    kept: usize,
    /// What reactions began with that are not what is in force.
    begun: HashMap<Begun, Arc<Pinned>>,
}

/// A program and its templates, by where they stand.
type Begun = (TenantId, Position, BTreeMap<TemplateId, Position>);

/// So many programs are kept before all are forgotten.
const MOST: usize = 4_096;

impl Sources {
    pub(crate) fn new(record: Arc<dyn Record>, limits: Limits) -> Self {
        Self { record, limits, in_force: HashMap::new(), kept: 0, begun: HashMap::new() }
    }

    /// The program of that pattern event, with the templates as they are now.
    pub(crate) async fn in_force(&mut self, tenant: &TenantId, program: Position) -> Result<Source, Error> {
        if let Some(source) = self.in_force.get(tenant).and_then(|sources| sources.get(&program)) {
            return Ok(source.clone());
        }
        let program_read = self.program(tenant, program).await?;
        let (mut templates, mut parsed) = (BTreeMap::new(), BTreeMap::new());
        let mut wanted: Vec<TemplateId> = program_read.templates.iter().cloned().collect();
        while let Some(id) = wanted.pop() {
            if templates.contains_key(&id) {
                continue;
            }
            // One that is not there is missed where it is rendered: that send fails, and says so.
            let Some((position, template)) = self.newest_template(tenant, &id).await? else { continue };
            wanted.extend(template.partials());
            templates.insert(id.clone(), position);
            parsed.insert(id, template);
        }
        let source =
            Source { templates, pinned: Arc::new(Pinned { program: program_read, templates: parsed }) };
        if self.kept >= MOST {
            self.in_force.clear();
            self.kept = 0;
        }
        self.kept += 1;
        self.in_force.entry(tenant.clone()).or_default().insert(program, source.clone());
        Ok(source)
    }

    /// The program and templates at just these positions: what a reaction began with.
    pub(crate) async fn pinned(
        &mut self,
        tenant: &TenantId,
        program: Position,
        templates: &BTreeMap<TemplateId, Position>,
    ) -> Result<Arc<Pinned>, Error> {
        if let Ok(source) = self.in_force(tenant, program).await
            && source.templates == *templates
        {
            return Ok(source.pinned);
        }
        let begun = (tenant.clone(), program, templates.clone());
        if let Some(pinned) = self.begun.get(&begun) {
            return Ok(pinned.clone());
        }
        let program = self.program(tenant, program).await?;
        let positions: Vec<Position> = templates.values().copied().collect();
        let mut parsed = BTreeMap::new();
        for row in self.record.read_at(&positions).await? {
            if let Some(template) = template_of(&row)? {
                parsed.insert(TemplateId(row.stream.id), template);
            }
        }
        if self.begun.len() >= MOST {
            self.begun.clear();
        }
        let pinned = Arc::new(Pinned { program, templates: parsed });
        self.begun.insert(begun, pinned.clone());
        Ok(pinned)
    }

    /// A template of the tenant has changed.
    pub(crate) fn template_changed(&mut self, tenant: &TenantId) {
        if let Some(forgotten) = self.in_force.remove(tenant) {
            self.kept = self.kept.saturating_sub(forgotten.len());
        }
    }

    async fn program(&self, tenant: &TenantId, position: Position) -> Result<then::Program, Error> {
        let unusable = |what: &str| Error::Unusable(format!("the pattern's event at {position} {what}"));
        let row = self.record.read_at(&[position]).await?.pop();
        let row = row
            .filter(|row| row.stream.tenant == *tenant && row.stream.kind == StreamKind::Pattern)
            .ok_or_else(|| unusable("is not there"))?;
        let event = serde_json::from_slice(&row.payload).map_err(|_| unusable("cannot be read"))?;
        let source = match event {
            pattern::Event::Created(definition) | pattern::Event::Updated(definition) => definition.then,
            pattern::Event::Deleted => None,
        };
        let source = source.ok_or_else(|| unusable("has no then"))?;
        then::parse(&source, &self.limits).map_err(|problems| match problems.first() {
            Some(problem) => {
                Error::Unusable(format!("the program does not parse any more: {}", problem.render(&source)))
            }
            None => unusable("does not parse any more"),
        })
    }

    async fn newest_template(
        &self,
        tenant: &TenantId,
        id: &TemplateId,
    ) -> Result<Option<(Position, Template)>, Error> {
        let stream = StreamId::new(tenant, StreamKind::Template, id.as_str());
        let newest = self.record.read_before(Select::Stream(stream), None, 1).await?.pop();
        let Some(row) = newest else { return Ok(None) };
        Ok(template_of(&row)?.map(|template| (row.position, template)))
    }
}

fn template_of(row: &Recorded) -> Result<Option<Template>, Error> {
    let unusable = |what: String| Error::Unusable(format!("the template {} {what}", row.stream.id));
    let event = serde_json::from_slice(&row.payload).map_err(|_| unusable("cannot be read".into()))?;
    match event {
        template::Event::Created(definition) | template::Event::Updated(definition) => {
            let parsed = Template::parse(&definition.template);
            parsed.map(Some).map_err(|problem| unusable(format!("does not parse any more: {problem}")))
        }
        template::Event::Deleted => Ok(None),
    }
}
