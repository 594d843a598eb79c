//! A tenant's configuration as a whole: as it is, as it is wanted, and what has to happen in between.
//!
//! What is wanted is the whole truth: what it does not name is deleted (but for the key attribute, which can only be
//! replaced, and `echo`, which is always there). Things are told apart by their names: a new name is a new thing. In
//! place of ids stand handles ([`handles`]), in programs (`+welcome`) and templates (`{{> welcome}}`) too. Nothing here
//! stores anything: either all is planned, or all that is refused is told. Read next: [`Document`], [`plan()`],
//! [`Resource`].

mod handle;
mod integrations;
mod kinds;
mod names;
mod resource;
mod resources;
mod steps;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use crate::dsl::Limits;
use crate::ids::TemplateId;
use crate::integration::{self, Integration, Setting};
use crate::{augment, listener, pattern, template, tenant};

pub use handle::{compare, handles};
pub use names::Names;
pub use resource::{Found, Refusal, Resource};
pub use resources::pairs;
pub use steps::{Change, Step, What};

/// A tenant's configuration as it is stored, what was deleted included: numbers go on from there.
#[derive(Clone, Debug, Default)]
pub struct Stored {
    /// The tenant.
    pub tenant: tenant::Tenant,
    /// Its templates, in order of their numbers from 1; the other lists likewise.
    pub templates: Vec<template::Template>,
    /// Its augments.
    pub augments: Vec<augment::Augment>,
    /// Its patterns.
    pub patterns: Vec<pattern::Pattern>,
    /// Its listeners.
    pub listeners: Vec<listener::Listener>,
    /// Its integrations, each type once.
    pub integrations: Vec<(integration::Kind, Integration)>,
}

/// A tenant's configuration with handles in place of ids; `I` is what is known of an integration.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Document<I> {
    /// The attribute that tells customers apart; none: as it is.
    pub key: Option<String>,
    /// Templates by handle, in the order in which they are made; the other lists likewise.
    pub templates: Vec<(String, template::Definition)>,
    /// Augments, in the order in which they are applied.
    pub augments: Vec<(String, augment::Definition)>,
    /// Patterns.
    pub patterns: Vec<(String, pattern::Definition)>,
    /// Listeners.
    pub listeners: Vec<(String, listener::Definition)>,
    /// Integrations by type.
    pub integrations: Vec<(integration::Kind, I)>,
}

/// What has to happen, all of it at once.
#[derive(Debug, Default)]
pub struct Plan {
    /// What of it a person sees, in the order in which it happens.
    pub changes: Vec<Change>,
    /// Of the tenant itself.
    pub tenant: Vec<Step<tenant::Tenant>>,
    /// Of integrations.
    pub integrations: Vec<Step<Integration>>,
    /// Of templates; what is deleted goes last.
    pub templates: Vec<Step<template::Template>>,
    /// Of augments.
    pub augments: Vec<Step<augment::Augment>>,
    /// Of patterns.
    pub patterns: Vec<Step<pattern::Pattern>>,
    /// Of listeners.
    pub listeners: Vec<Step<listener::Listener>>,
}

/// The configuration as it is stored, described.
pub fn described(stored: &Stored) -> Document<integration::Definition> {
    let names = Names::of(&stored.templates);
    let integrations = stored.integrations.iter();
    Document {
        key: stored.tenant.key.clone(),
        templates: resources::described(&stored.templates, &names),
        augments: resources::described(&stored.augments, &names),
        patterns: resources::described(&stored.patterns, &names),
        listeners: resources::described(&stored.listeners, &names),
        integrations: integrations
            .filter_map(|(kind, integration)| Some((*kind, integration.definition.clone()?)))
            .collect(),
    }
}

/// What has to happen so that what is wanted is what is stored. An augment's `file` has to be the one in force where
/// its content is.
///
/// # Errors
/// All that would be refused, each with its place.
pub fn plan(stored: &Stored, wanted: &Document<Setting>, limits: &Limits) -> Result<Plan, Vec<Refusal>> {
    let (mut plan, mut refusals) = (Plan::default(), Vec::new());
    integrations::key(stored, wanted, &mut plan, &mut refusals);
    integrations::plan(stored, &wanted.integrations, &mut plan, &mut refusals);
    let templates = resources::matched(&stored.templates, &wanted.templates);
    let found: BTreeMap<String, TemplateId> =
        templates.ids().map(|(wanted, id)| (wanted.to_owned(), TemplateId(id))).collect();
    let (before, after) = (Names::of(&stored.templates), Names::new(found));
    let around = resource::Around { limits, before: &before, after: &after };
    let (mut made, gone) = templates.steps(&around, &mut plan.changes, &mut refusals);
    let augments = resources::matched_in_order(&stored.augments, &wanted.augments);
    plan.augments = augments.all_steps(&around, &mut plan.changes, &mut refusals);
    let patterns = resources::matched(&stored.patterns, &wanted.patterns);
    plan.patterns = patterns.all_steps(&around, &mut plan.changes, &mut refusals);
    let listeners = resources::matched(&stored.listeners, &wanted.listeners);
    plan.listeners = listeners.all_steps(&around, &mut plan.changes, &mut refusals);
    // Once nothing names them any more.
    made.extend(gone);
    plan.templates = made;
    if refusals.is_empty() { Ok(plan) } else { Err(refusals) }
}
