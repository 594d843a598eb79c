//! Files to a document. All that is wrong with them is told, each with its file and place.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use domain::dsl::Place;
use domain::integration::{Kind, MASK};
use domain::json::{self, Json, Object};
use domain::plan::compare;

use super::layout::{FOLDERS, FORMAT, Folder, MARK};
use super::told::Told;
use crate::cli::Failure;

/// What a folder says.
#[derive(Default)]
pub(super) struct Files {
    /// The document, as the API takes it.
    pub(super) document: Object,
    /// Augments' tables by handle.
    pub(super) tables: BTreeMap<String, PathBuf>,
    /// Variables that were named for secrets and are not set, by the secret's place.
    pub(super) unset: BTreeMap<String, String>,
}

/// Reads a folder.
pub(super) fn read(root: &Path) -> Result<Files, Failure> {
    let (mut files, mut told) = (Files::default(), Vec::new());
    if !root.join(MARK).is_file() {
        return Err(Failure::Failed(format!(
            "{} holds no configuration: there is no {MARK} in it",
            root.display()
        )));
    }
    strangers(root, &mut told)?;
    if let Some(mut mark) = object(root, MARK, &mut told)? {
        let format = mark.remove("format").and_then(|format| match format {
            Json::Number(number) => number.as_u64(),
            _ => None,
        });
        if format != Some(FORMAT) {
            told.push(Told::new(MARK, format!("\"format\" has to be {FORMAT}")));
        }
        for (name, _) in mark.iter().filter(|(name, _)| *name != "key-attribute") {
            told.push(Told::new(
                MARK,
                format!("{name:?} is no member; there are \"format\" and \"key-attribute\""),
            ));
        }
        files.document = mark;
    }
    for folder in FOLDERS {
        let things = things(root, folder, &mut files, &mut told)?;
        files.document.set(folder.name, things);
    }
    if told.is_empty() { Ok(files) } else { Err(Told::failure(root, &told)) }
}

/// What is no part of a configuration is more likely a slip than a wish.
fn strangers(root: &Path, told: &mut Vec<Told>) -> Result<(), Failure> {
    for name in names(root)? {
        let known = name == MARK || name.ends_with(".md") || FOLDERS.iter().any(|folder| folder.name == name);
        if !known {
            let folders = FOLDERS.iter().map(|folder| folder.name).collect::<Vec<_>>().join(", ");
            told.push(Told::new(
                &name,
                format!("is no part of a configuration; there are {MARK}, {folders}"),
            ));
        }
    }
    Ok(())
}

/// The names in a folder but for those that begin with a dot; none if it is not there.
fn names(folder: &Path) -> Result<Vec<String>, Failure> {
    let named = |error: std::io::Error| Failure::Failed(format!("{}: {error}", folder.display()));
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(named)?,
    };
    let mut names = Vec::new();
    for entry in entries {
        names.push(entry.map_err(named)?.file_name().to_string_lossy().into_owned());
    }
    names.retain(|name| !name.starts_with('.'));
    names.sort_by(|a, b| compare(a, b));
    Ok(names)
}

fn things(root: &Path, folder: &Folder, files: &mut Files, told: &mut Vec<Told>) -> Result<Object, Failure> {
    let mut handles: Vec<String> = Vec::new();
    let mut beside: Vec<(String, String)> = Vec::new();
    for name in names(&root.join(folder.name))? {
        match name.rsplit_once('.') {
            Some((handle, "json")) if is_handle(handle) => handles.push(handle.to_owned()),
            Some((handle, ending)) if is_handle(handle) && folder.takes(ending) => {
                beside.push((handle.to_owned(), ending.to_owned()));
            }
            _ => {
                let file = format!("{}/{name}", folder.name);
                let message = "is no file of a configuration: a name has letters, digits, '-', '_' and '.', and a known ending";
                told.push(Told::new(&file, message.to_owned()));
            }
        }
    }
    for (handle, ending) in &beside {
        if !handles.contains(handle) {
            let file = format!("{}/{handle}.{ending}", folder.name);
            told.push(Told::new(&file, format!("has no {handle}.json beside it")));
        }
    }
    handles.sort_by(|a, b| compare(a, b));
    let mut things = Vec::new();
    for handle in handles {
        if let Some((order, thing)) = thing(root, folder, &handle, files, told)? {
            things.push((order, handle, thing));
        }
    }
    things.sort_by_key(|(order, _, _)| *order);
    Ok(things.into_iter().map(|(_, handle, thing)| (handle, Json::from(thing))).collect())
}

fn is_handle(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_alphanumeric() || matches!(c, '-' | '_' | '.'))
}

/// A thing, and its place among those that have an order.
fn thing(
    root: &Path,
    folder: &Folder,
    handle: &str,
    files: &mut Files,
    told: &mut Vec<Told>,
) -> Result<Option<(u64, Object)>, Failure> {
    let file = |ending: &str| format!("{}/{handle}.{ending}", folder.name);
    let Some(mut thing) = object(root, &file("json"), told)? else { return Ok(None) };
    for (field, ending) in folder.texts {
        if thing.get(field).is_some() {
            let message = format!("{field} stands in a file of its own: {handle}.{ending}");
            told.push(Told::new(&file("json"), message));
        }
        if let Some(text) = text(root, &file(ending), told)? {
            // The last line's end is the file's, not the text's.
            thing.set(*field, text.strip_suffix('\n').unwrap_or(&text));
        }
    }
    let mut order = 0;
    if let Some(table) = folder.table {
        order = match thing.remove("order") {
            Some(Json::Number(number)) if number.as_u64().is_some() => number.as_u64().unwrap_or_default(),
            // Behind those that have one.
            None => u64::MAX,
            Some(_) => {
                told.push(Told::new(&file("json"), "order has to be a number from 1".to_owned()));
                0
            }
        };
        let path = root.join(file(table));
        if path.is_file() {
            files.tables.insert(handle.to_owned(), path);
        }
    }
    if folder.name == "integrations" {
        thing = revealed(handle, thing, files, told);
    }
    Ok(Some((order, thing)))
}

/// The object in a file; what is wrong with it is told.
fn object(root: &Path, file: &str, told: &mut Vec<Told>) -> Result<Option<Object>, Failure> {
    let Some(text) = text(root, file, told)? else { return Ok(None) };
    match json::parse(text.as_bytes(), json::Limits::BODY) {
        Ok(Json::Object(object)) => return Ok(Some(object)),
        Ok(other) => told.push(Told::new(file, format!("has to be a JSON object; found {}", other.kind()))),
        Err(error) => {
            told.push(Told::new(file, error.message).at(error.line, error.column));
        }
    }
    Ok(None)
}

/// The text in a file, if there is such a file.
fn text(root: &Path, file: &str, told: &mut Vec<Told>) -> Result<Option<String>, Failure> {
    let path = root.join(file);
    let bytes = match fs::read(&path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        bytes => bytes.map_err(|error| Failure::Failed(format!("{}: {error}", path.display())))?,
    };
    let good = match String::from_utf8(bytes) {
        Ok(text) => return Ok(Some(text)),
        Err(error) => {
            let good = error.utf8_error().valid_up_to();
            String::from_utf8_lossy(error.as_bytes().get(..good).unwrap_or_default()).into_owned()
        }
    };
    let at = Place::of(&good, good.len());
    told.push(Told::new(file, "is not UTF-8 here".to_owned()).at(at.line, at.column));
    Ok(None)
}

/// An integration with its secrets from the environment; one that is not set there is kept as it is stored.
fn revealed(name: &str, mut thing: Object, files: &mut Files, told: &mut Vec<Told>) -> Object {
    let Some(kind) = Kind::from_name(name) else { return thing };
    let file = format!("integrations/{name}.json");
    let mut secret = |field: &str, place: &str, value: &Json| -> Json {
        let named = value.as_object().filter(|object| object.len() == 1).and_then(|object| object.get("env"));
        match (named.and_then(Json::as_text), value.as_text()) {
            (Some(variable), _) => match std::env::var(variable) {
                Ok(clear) if !clear.is_empty() => clear.into(),
                _ => {
                    files.unset.insert(format!("integrations/{name}/{place}"), variable.to_owned());
                    MASK.into()
                }
            },
            (None, Some(MASK)) => MASK.into(),
            _ => {
                let message = format!(
                    "{field} is a secret and does not stand in a file: write {{\"env\": \"NAME\"}}, and give it by \
                     the environment variable of that name"
                );
                told.push(Told::new(&file, message));
                MASK.into()
            }
        }
    };
    for field in kind.fields().iter().filter(|field| field.secret) {
        if let Some(value) = thing.get(field.name).cloned() {
            thing.set(field.name, secret(field.name, field.name, &value));
        }
    }
    if let Some(headers) = thing.get("headers").and_then(Json::as_object).cloned() {
        let headers = headers.iter().map(|(header, value)| {
            (header.to_owned(), secret(&format!("the header {header}"), header, value))
        });
        thing.set("headers", headers.collect::<Object>());
    }
    thing
}
