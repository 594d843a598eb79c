//! Which handle stands for which template, and texts with the one in place of the other.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use super::handle::handles;
use crate::dsl::then::template_names;
use crate::ids::TemplateId;
use crate::mustache;
use crate::template::Template;

/// Handles and ids of templates.
#[derive(Clone, Debug, Default)]
pub struct Names {
    ids: BTreeMap<String, TemplateId>,
    handles: BTreeMap<TemplateId, String>,
}

impl Names {
    /// These handles stand for these ids.
    pub fn new(ids: BTreeMap<String, TemplateId>) -> Self {
        let handles = ids.iter().map(|(handle, id)| (id.clone(), handle.clone())).collect();
        Self { ids, handles }
    }

    /// Of the templates that there are.
    pub fn of(templates: &[Template]) -> Self {
        let there = templates.iter().enumerate();
        let there: Vec<(TemplateId, &str)> = there
            .filter_map(|(n, template)| {
                Some((TemplateId(format!("TM{}", n + 1)), template.definition.as_ref()?.name.as_str()))
            })
            .collect();
        let handles = handles(there.iter().map(|(_, name)| *name), "template");
        Self::new(handles.into_iter().zip(there.into_iter().map(|(id, _)| id)).collect())
    }

    /// The ids.
    pub fn ids(&self) -> BTreeSet<TemplateId> {
        self.handles.keys().cloned().collect()
    }

    /// The handles, as programs of files name templates by them.
    pub fn handles(&self) -> BTreeSet<TemplateId> {
        self.ids.keys().map(|handle| TemplateId(handle.clone())).collect()
    }

    /// Whether it is a handle.
    pub fn knows(&self, handle: &str) -> bool {
        self.ids.contains_key(handle)
    }

    /// A `then` with handles; what names no template stays.
    pub fn then_with_handles(&self, then: &str) -> String {
        replaced(then, template_names(then), |id| self.handle(id))
    }

    /// A `then` with ids; what is no handle stays.
    pub fn then_with_ids(&self, then: &str) -> String {
        replaced(then, template_names(then), |handle| self.id(handle))
    }

    /// A template with handles; one that is not valid stays as it is.
    pub fn template_with_handles(&self, template: &str) -> String {
        let places = mustache::Template::partials_in(template).unwrap_or_default();
        replaced(template, places, |id| self.handle(id))
    }

    /// A template with ids; one that is not valid stays as it is.
    pub fn template_with_ids(&self, template: &str) -> String {
        let places = mustache::Template::partials_in(template).unwrap_or_default();
        replaced(template, places, |handle| self.id(handle))
    }

    fn handle(&self, id: &str) -> Option<&str> {
        self.handles.get(&TemplateId::from(id)).map(String::as_str)
    }

    fn id(&self, handle: &str) -> Option<&str> {
        self.ids.get(handle).map(TemplateId::as_str)
    }
}

/// `source` with what stands at these places replaced where there is something to put there.
fn replaced<'a>(source: &str, places: Vec<Range<usize>>, with: impl Fn(&str) -> Option<&'a str>) -> String {
    let (mut text, mut done) = (String::with_capacity(source.len()), 0);
    for place in places {
        let name = &source[place.clone()];
        text.push_str(&source[done..place.start]);
        text.push_str(with(name).unwrap_or(name));
        done = place.end;
    }
    text.push_str(&source[done..]);
    text
}
