//! What people and programs read differently: fields of a thing.

use domain::json::{Json, Object};

use super::{Failure, print};

/// In which form.
#[derive(clap::Args)]
#[group(skip)]
pub(super) struct Form {
    /// One JSON line each, instead of text for a person.
    #[arg(long, env = "CXENGAGE_JSON")]
    pub(super) json: bool,
}

impl Form {
    /// Prints a thing: as a JSON line, or each field on a line of its own and a blank line.
    pub(super) fn print(&self, thing: &Object) -> Result<(), Failure> {
        if self.json {
            return print(&thing.to_string());
        }
        let widest = thing.iter().map(|(name, _)| name.len()).max().unwrap_or_default();
        thing.iter().try_for_each(|(name, value)| print(&format!("{name:<widest$}  {}", text(value))))?;
        print("")
    }
}

fn text(value: &Json) -> String {
    match value {
        Json::Text(text) => text.clone(),
        Json::Array(all) => all.iter().map(text).collect::<Vec<_>>().join(", "),
        other => other.to_string(),
    }
}
