//! What a person is told: what is wrong in which file, and what changes.

use std::path::Path;

use domain::json::{Json, Object};
use domain::plan::{Change, Refusal, What};

use super::files::Files;
use super::layout::{MARK, file_of};
use crate::cli::{Failure, print};

/// Something that is wrong with a file.
pub(super) struct Told {
    /// Which, below the folder.
    file: String,
    /// Line and column.
    at: Option<(usize, usize)>,
    message: String,
}

impl Told {
    pub(super) fn new(file: &str, message: String) -> Self {
        Self { file: file.to_owned(), at: None, message }
    }

    /// The same at that line and column.
    pub(super) fn at(self, line: usize, column: usize) -> Self {
        Self { at: Some((line, column)), ..self }
    }

    /// A refusal, as its file's.
    pub(super) fn refusal(refusal: &Refusal, files: &Files) -> Self {
        let Refusal { place, field, at, message, hint } = refusal;
        let mut message = match (at, field.as_str()) {
            (None, field) if !field.is_empty() && field != "file" => format!("{field}: {message}"),
            _ => message.clone(),
        };
        if let Some(hint) = hint {
            message = format!("{message} ({hint})");
        }
        if let Some(variable) = files.unset.get(&format!("{place}/{field}")) {
            message = format!("{message}: the environment variable {variable} is not set");
        }
        let file = match place.split_once('/') {
            Some((folder, handle)) => file_of(folder, handle, field),
            None => MARK.to_owned(),
        };
        Self { file, at: *at, message }
    }

    /// The failure that tells all of it.
    pub(super) fn failure(root: &Path, told: &[Self]) -> Failure {
        let line = |told: &Self| {
            let at = told.at.map(|(line, column)| format!("{line}:{column}:")).unwrap_or_default();
            format!("{}:{at} {}", root.join(&told.file).display(), told.message)
        };
        let lines = told.iter().map(line).collect::<Vec<_>>().join("\n");
        Failure::Failed(format!("nothing is changed; these files are not acceptable:\n{lines}"))
    }
}

/// The refusals in a server's answer.
pub(super) fn refusals(body: &Json) -> Vec<Refusal> {
    let details = body.get("details").and_then(Json::as_array).unwrap_or_default();
    details.iter().filter_map(refusal).collect()
}

fn refusal(detail: &Json) -> Option<Refusal> {
    let text = |name| detail.get(name).and_then(Json::as_text).map(str::to_owned);
    let number = |name| match detail.get(name) {
        Some(Json::Number(number)) => number.as_u64().and_then(|number| usize::try_from(number).ok()),
        _ => None,
    };
    let whole = text("field")?;
    let mut parts = whole.splitn(3, '/');
    let (place, field) = match (parts.next(), parts.next(), parts.next()) {
        (Some(folder), Some(handle), field) => (format!("{folder}/{handle}"), field.unwrap_or_default()),
        (field, _, _) => (String::new(), field.unwrap_or_default()),
    };
    // A table knows lines only.
    let at = number("line").map(|line| (line, number("column").unwrap_or(1)));
    Some(Refusal { place, field: field.to_owned(), at, message: text("message")?, hint: text("hint") })
}

/// Prints what would change.
pub(super) fn changes(changes: &[Change], as_json: bool) -> Result<(), Failure> {
    changes.iter().try_for_each(|change| if as_json { print(&json(change)) } else { person(change) })
}

fn person(change: &Change) -> Result<(), Failure> {
    let name = [change.resource, &change.handle].join(" ");
    let id = if change.id.is_empty() { String::new() } else { format!(" ({})", change.id) };
    print(&format!("{}{id} would be {}", name.trim_end(), change.what.name()))?;
    if change.what == What::Deleted {
        return Ok(());
    }
    for (field, before, after) in &change.fields {
        print(&format!("    {field}"))?;
        for (sign, text) in [('-', before), ('+', after)] {
            let lines = text.iter().flat_map(|text| text.lines());
            lines.into_iter().try_for_each(|line| print(&format!("      {sign} {line}")))?;
        }
    }
    Ok(())
}

fn json(change: &Change) -> String {
    let mut shown = Object::new();
    shown.set("change", change.what.name());
    shown.set("resource", change.resource);
    shown.set("handle", change.handle.as_str());
    shown.set("id", change.id.as_str());
    let value = |text: &Option<String>| text.as_deref().map_or(Json::Null, Json::from);
    let fields = change.fields.iter().map(|(name, before, after)| {
        let values = [("before", value(before)), ("after", value(after))];
        ((*name).to_owned(), Json::object(values))
    });
    shown.set("fields", fields.collect::<Object>());
    shown.to_string()
}
