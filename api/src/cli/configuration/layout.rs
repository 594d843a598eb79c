//! Which file is what.
//!
//! `configuration.json` marks the folder and holds the key attribute. Each sort of thing has a folder, each thing in it a
//! JSON file named by its handle; texts and tables stand beside it in files of their own:
//! `patterns/abandoned-cart.json`, `.when` and `.then`.

use domain::integration::Kind;

/// The file that marks the folder.
pub(super) const MARK: &str = "configuration.json";
/// The form of the files, as the mark says it.
pub(super) const FORMAT: u64 = 1;

/// A sort of things.
pub(super) struct Folder {
    /// The folder's name, and the document's member.
    pub(super) name: &'static str,
    /// Fields that are files of their own: field and ending.
    pub(super) texts: &'static [(&'static str, &'static str)],
    /// The ending of a table that goes with it.
    pub(super) table: Option<&'static str>,
}

/// Every sort.
pub(super) const FOLDERS: &[Folder] = &[
    Folder { name: "templates", texts: &[("template", "mustache")], table: None },
    Folder { name: "augments", texts: &[], table: Some("csv") },
    Folder { name: "patterns", texts: &[("when", "when"), ("then", "then")], table: None },
    Folder { name: "listeners", texts: &[], table: None },
    Folder { name: "integrations", texts: &[], table: None },
];

impl Folder {
    /// Whether a file of that ending belongs here.
    pub(super) fn takes(&self, ending: &str) -> bool {
        ending == "json" || self.table == Some(ending) || self.texts.iter().any(|(_, known)| *known == ending)
    }
}

/// The file in which a field of a thing stands.
pub(super) fn file_of(folder: &str, handle: &str, field: &str) -> String {
    let known = FOLDERS.iter().find(|known| known.name == folder);
    let text = known.and_then(|known| known.texts.iter().find(|(name, _)| *name == field));
    let ending = match (text, known.and_then(|known| known.table)) {
        (Some((_, ending)), _) => ending,
        (None, Some(table)) if field == "file" => table,
        _ => "json",
    };
    format!("{folder}/{handle}.{ending}")
}

/// The environment variable that an export names for a secret.
pub(super) fn variable(kind: Kind, field: &str) -> String {
    let word = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' };
    format!("{}_{field}", kind.name()).chars().map(word).collect()
}
