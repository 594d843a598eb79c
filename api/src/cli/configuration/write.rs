//! A document to files. What an earlier export left in the folder and is no more goes.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use domain::ids::TenantId;
use domain::integration::{Kind, MASK};
use domain::json::{Json, Object};
use eventlog::files::FileStore;

use super::layout::{FOLDERS, FORMAT, Folder, MARK, variable};
use crate::cli::Failure;

/// A folder that is written to.
pub(super) struct Writer<'a> {
    root: &'a Path,
    written: BTreeSet<PathBuf>,
}

impl<'a> Writer<'a> {
    /// Writes into a folder that is empty, not there yet, or holds an earlier export.
    pub(super) fn new(root: &'a Path) -> Result<Self, Failure> {
        let named = |error: std::io::Error| Failure::Failed(format!("{}: {error}", root.display()));
        fs::create_dir_all(root).map_err(named)?;
        let empty = fs::read_dir(root).map_err(named)?.next().is_none();
        if !empty && !root.join(MARK).is_file() {
            return Err(Failure::Failed(format!(
                "{} is not empty, and no export: there is no {MARK} in it",
                root.display()
            )));
        }
        Ok(Self { root, written: BTreeSet::new() })
    }

    /// Writes a document; how many things it has.
    pub(super) fn document(&mut self, mut document: Object) -> Result<usize, Failure> {
        let mut mark = Object::new();
        mark.set("format", FORMAT);
        if let Some(key) = document.remove("key-attribute") {
            mark.set("key-attribute", key);
        }
        self.json(Path::new(MARK), mark.into())?;
        let mut things = 0;
        for folder in FOLDERS {
            let all = document.remove(folder.name).unwrap_or_else(|| Object::new().into());
            for (place, (handle, thing)) in all.as_object().iter().flat_map(|all| all.iter()).enumerate() {
                self.thing(folder, handle, place, thing.as_object().cloned().unwrap_or_default())?;
                things += 1;
            }
        }
        Ok(things)
    }

    fn thing(
        &mut self,
        folder: &Folder,
        handle: &str,
        place: usize,
        mut thing: Object,
    ) -> Result<(), Failure> {
        let file = |ending: &str| Path::new(folder.name).join(format!("{handle}.{ending}"));
        for (field, ending) in folder.texts {
            if let Some(Json::Text(text)) = thing.remove(field) {
                // A line of a file ends; the text need not.
                self.bytes(&file(ending), &[format!("{text}\n").as_bytes()])?;
            }
        }
        if folder.table.is_some() {
            thing.set("order", place as u64 + 1);
        }
        if folder.name == "integrations" {
            hide(handle, &mut thing);
        }
        self.json(&file("json"), thing.into())
    }

    /// Writes the table of an augment.
    pub(super) async fn table(
        &mut self,
        files: &FileStore,
        tenant: &TenantId,
        handle: &str,
        id: &str,
    ) -> Result<(), Failure> {
        let path = Path::new("augments").join(format!("{handle}.csv"));
        let mut out = self.create(&path)?;
        let mut number = 0;
        while let Some(piece) = files.piece(tenant, id, number).await? {
            out.write_all(&piece)?;
            number += 1;
        }
        Ok(out.sync_all()?)
    }

    fn json(&mut self, path: &Path, json: Json) -> Result<(), Failure> {
        self.bytes(path, &[json.pretty().as_bytes(), b"\n"])
    }

    fn bytes(&mut self, path: &Path, parts: &[&[u8]]) -> Result<(), Failure> {
        let mut out = self.create(path)?;
        parts.iter().try_for_each(|part| out.write_all(part))?;
        Ok(())
    }

    fn create(&mut self, path: &Path) -> Result<fs::File, Failure> {
        let whole = self.root.join(path);
        let named = |error: std::io::Error| Failure::Failed(format!("{}: {error}", whole.display()));
        if let Some(folder) = whole.parent() {
            fs::create_dir_all(folder).map_err(named)?;
        }
        self.written.insert(path.to_owned());
        fs::File::create(&whole).map_err(named)
    }

    /// Removes what an earlier export wrote and this one did not.
    pub(super) fn end(self) -> Result<(), Failure> {
        for folder in FOLDERS {
            let Ok(entries) = fs::read_dir(self.root.join(folder.name)) else { continue };
            for entry in entries {
                let path = Path::new(folder.name).join(entry?.file_name());
                let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or_default();
                if folder.takes(ending) && !self.written.contains(&path) {
                    fs::remove_file(self.root.join(&path))?;
                }
            }
        }
        Ok(())
    }
}

/// Puts the name of an environment variable where a secret is.
fn hide(kind: &str, thing: &mut Object) {
    let Some(kind) = Kind::from_name(kind) else { return };
    let named = |field: &str| Json::object([("env", variable(kind, field))]);
    for field in kind.fields().iter().filter(|field| field.secret) {
        if thing.get(field.name).and_then(Json::as_text) == Some(MASK) {
            thing.set(field.name, named(field.name));
        }
    }
    let headers = thing.get("headers").and_then(Json::as_object).cloned();
    if let Some(headers) = headers {
        let mut taken = BTreeSet::new();
        let hidden = headers.iter().map(|(name, _)| {
            let base = variable(kind, &format!("header-{name}"));
            // Two names may be one but for signs that no variable can have.
            let numbered = (2..).map(|n: u32| format!("{base}_{n}"));
            let free = std::iter::once(base.clone()).chain(numbered).find(|name| !taken.contains(name));
            let variable = free.unwrap_or(base);
            taken.insert(variable.clone());
            (name.to_owned(), Json::object([("env", variable)]))
        });
        thing.set("headers", hidden.collect::<Object>());
    }
}
