//! What of a third party's event becomes the customer event.

use crate::json::{Json, Object};
use crate::value::Attributes;

/// How many attributes a mapping has at most.
pub const MOST: usize = 256;

/// The customer event that a third party's event becomes: each attribute from its path; an attribute whose
/// path leads nowhere is left out. A path is looked for in the first of `sources` that has it.
pub fn apply(mapping: &Object, sources: &[&Json]) -> Object {
    let found = mapping.iter().filter_map(|(attribute, path)| {
        let path = path.as_text()?;
        let value = sources.iter().find_map(|source| source.attribute(path))?;
        Some((attribute.to_owned(), value.to_json()))
    });
    found.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::{Limits, parse};

    fn json(text: &str) -> Json {
        parse(text.as_bytes(), Limits::BODY).unwrap()
    }

    #[test]
    fn attributes_come_from_dotted_paths_and_what_leads_nowhere_is_left_out() {
        let mapping = json(
            r#"{"username":"interaction.author.username","sentiment":"salience.content.sentiment","who":"a.b",
                "gone":"interaction.author.age","none":"null"}"#,
        );
        let event = json(
            r#"{"interaction":{"author":{"username":"demo_user"}},"salience":{"content":{"sentiment":-4.50}},
                "a.b":{"c":[1]},"null":null}"#,
        );
        let mapped = apply(mapping.as_object().unwrap(), &[&event]);
        assert_eq!(
            Json::from(mapped).to_string(),
            r#"{"username":"demo_user","sentiment":-4.50,"who":{"c":[1]},"none":null}"#
        );
    }

    #[test]
    fn the_first_source_that_has_a_path_counts() {
        let mapping = json(r#"{"stage":"StageName","kind":"event.type","id":"Id"}"#);
        let (record, envelope) =
            (json(r#"{"StageName":"Won","Id":"6"}"#), json(r#"{"event":{"type":"updated"},"Id":"x"}"#));
        let mapped = apply(mapping.as_object().unwrap(), &[&record, &envelope]);
        assert_eq!(Json::from(mapped).to_string(), r#"{"stage":"Won","kind":"updated","id":"6"}"#);
    }
}
