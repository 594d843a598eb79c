//! Reading an object field by field: every problem is collected, and what nobody asked for is a problem too.
//!
//! A handler takes the fields that it knows, then calls [`Fields::end`]; the defaults it got for fields with
//! problems never get further than that.

use std::collections::BTreeMap;

use domain::dsl::diagnostic::nearest;
use domain::json::{Json, Object};
use domain::pattern::Change;

use super::problem::{Problem, detail};

/// An object being read.
pub struct Fields {
    left: Object,
    known: Vec<&'static str>,
    problems: Vec<(String, String)>,
}

impl Fields {
    /// Reads a body.
    ///
    /// # Errors
    /// It is not an object.
    pub fn of(body: Json) -> Result<Self, Problem> {
        match body {
            Json::Object(left) => Ok(Self { left, known: Vec::new(), problems: Vec::new() }),
            other => Err(Problem::bad(format!("the body has to be a JSON object; found {}", other.kind()))),
        }
    }

    fn take(&mut self, name: &'static str) -> Option<Json> {
        self.known.push(name);
        self.left.remove(name)
    }

    fn problem(&mut self, field: &str, message: impl Into<String>) {
        self.problems.push((field.to_owned(), message.into()));
    }

    /// A value that `read` takes: left alone, cleared by null, or set.
    pub fn typed<T>(
        &mut self,
        name: &'static str,
        expected: &str,
        read: impl Fn(&Json) -> Option<T>,
    ) -> Change<T> {
        match self.take(name)? {
            Json::Null => Some(None),
            value => {
                let typed = read(&value);
                if typed.is_none() {
                    self.problem(name, format!("has to be {expected}; found {}", value.kind()));
                    return None;
                }
                Some(typed)
            }
        }
    }

    fn mandatory<T: Default>(&mut self, name: &'static str, change: Change<T>) -> T {
        match change {
            Some(Some(value)) => return value,
            Some(None) => self.problem(name, "must not be null"),
            // A value of the wrong type has been noted already.
            None if self.problems.iter().any(|(field, _)| field == name) => {}
            None => self.problem(name, "is missing"),
        }
        T::default()
    }

    /// A text: left alone, cleared by null, or set.
    pub fn text(&mut self, name: &'static str) -> Change<String> {
        self.typed(name, "a string", |value| value.as_text().map(str::to_owned))
    }

    /// A text that may be missing; null counts as not given.
    pub fn optional_text(&mut self, name: &'static str) -> Option<String> {
        self.text(name).flatten()
    }

    /// A text that has to be there.
    pub fn mandatory_text(&mut self, name: &'static str) -> String {
        let change = self.text(name);
        self.mandatory(name, change)
    }

    /// A text that may be left alone but not cleared.
    pub fn changed_text(&mut self, name: &'static str) -> Option<String> {
        let change = self.text(name)?;
        Some(self.mandatory(name, Some(change)))
    }

    /// A text of 1 to 256 characters that has to be there.
    pub fn mandatory_name(&mut self, name: &'static str) -> String {
        let text = self.mandatory_text(name);
        self.check_name(name, &text);
        text
    }

    /// A text of 1 to 256 characters that may be left alone.
    pub fn changed_name(&mut self, name: &'static str) -> Option<String> {
        let text = self.changed_text(name)?;
        self.check_name(name, &text);
        Some(text)
    }

    fn check_name(&mut self, name: &'static str, text: &str) {
        let message = format!("has to have 1 to {} characters", domain::name::MAX);
        self.check(name, domain::name::is_valid(text), &message);
    }

    /// Notes that a field that was taken is no good, unless something has been noted of it already.
    pub fn check(&mut self, name: &'static str, good: bool, message: &str) {
        if !good && !self.problems.iter().any(|(field, _)| field == name) {
            self.problem(name, message);
        }
    }

    /// A truth value: left alone, cleared by null, or set.
    pub fn boolean(&mut self, name: &'static str) -> Change<bool> {
        self.typed(name, "true or false", Json::as_bool)
    }

    /// A list of texts that may be missing; null counts as not given.
    pub fn optional_texts(&mut self, name: &'static str) -> Option<Vec<String>> {
        self.typed(name, "a list of strings", |value| {
            value.as_array()?.iter().map(|element| element.as_text().map(str::to_owned)).collect()
        })
        .flatten()
    }

    /// An object that may be missing; null counts as not given.
    pub fn optional_object(&mut self, name: &'static str) -> Option<Object> {
        self.typed(name, "an object", |value| value.as_object().cloned()).flatten()
    }

    /// An object of texts that may be missing; null counts as not given.
    pub fn optional_map(&mut self, name: &'static str) -> Option<BTreeMap<String, String>> {
        self.typed(name, "an object of strings", |value| {
            let members = value.as_object()?.iter();
            members.map(|(name, value)| Some((name.to_owned(), value.as_text()?.to_owned()))).collect()
        })
        .flatten()
    }

    /// A field that may only say what the path says already.
    pub fn repeats(&mut self, name: &'static str, path: &str) {
        match self.take(name) {
            None => {}
            Some(value) if value.as_text() == Some(path) => {}
            Some(_) => self.problem(name, format!("cannot be changed: the path says {path:?}")),
        }
    }

    /// Says what is wrong, if anything is; a field that nobody has taken is.
    ///
    /// # Errors
    /// 400 with all problems.
    pub fn end(mut self) -> Result<(), Problem> {
        let unknown: Vec<String> = self.left.iter().map(|(name, _)| name.to_owned()).collect();
        for name in unknown {
            let message = match nearest(&name, self.known.iter().copied()) {
                Some(known) => format!("is not a known field; did you mean {known:?}?"),
                None => format!("is not a known field; known are {}", self.known.join(", ")),
            };
            self.problem(&name, message);
        }
        if self.problems.is_empty() {
            return Ok(());
        }
        let sentences: Vec<String> = self
            .problems
            .iter()
            .take(3)
            .map(|(field, message)| format!("{} {message}", shown(field)))
            .collect();
        let more = self.problems.len() - sentences.len();
        let more = if more == 0 { String::new() } else { format!("; and {more} more") };
        let details = self.problems.iter().take(100).map(|(field, message)| detail(field, message)).collect();
        Err(Problem::bad(sentences.join("; ") + &more).details(details))
    }
}

/// A field's name as it is shown in a sentence: not longer than a person reads.
fn shown(field: &str) -> String {
    field.chars().take(64).collect()
}

#[cfg(test)]
mod tests {
    use domain::json::{Limits, parse};

    use super::*;

    fn fields(text: &str) -> Fields {
        Fields::of(parse(text.as_bytes(), Limits::BODY).unwrap()).unwrap()
    }

    fn details(problem: &Problem) -> Vec<(String, String)> {
        let text = |detail: &Json, name| detail.get(name).and_then(Json::as_text).unwrap().to_owned();
        let details = problem.body.get("details").unwrap().as_array().unwrap();
        details.iter().map(|detail| (text(detail, "field"), text(detail, "message"))).collect()
    }

    #[test]
    fn every_problem_is_said_once_and_unknown_fields_name_the_nearest() {
        let mut read = fields(r#"{"name":"","status":"yes","descripton":"x","when":null,"then":7}"#);
        read.mandatory_name("name");
        read.boolean("status");
        read.mandatory_text("when");
        read.mandatory_text("then");
        read.optional_text("description");
        read.mandatory_text("key");
        let problem = read.end().unwrap_err();
        let details = details(&problem);
        let names: Vec<&str> = details.iter().map(|(field, _)| field.as_str()).collect();
        assert_eq!(names, ["name", "status", "when", "then", "key", "descripton"]);
        assert_eq!(details[3].1, "has to be a string; found a number");
        assert!(details[5].1.contains("did you mean \"description\"?"), "{}", details[5].1);
        assert!(problem.body.get("error").unwrap().as_text().unwrap().ends_with("and 3 more"));
    }

    #[test]
    fn null_clears_what_is_optional_and_nothing_else() {
        let mut read = fields(r#"{"description":null,"name":null}"#);
        assert_eq!(read.text("description"), Some(None));
        assert_eq!(read.text("when"), None);
        read.changed_name("name");
        assert_eq!(details(&read.end().unwrap_err()), [("name".to_owned(), "must not be null".to_owned())]);
    }

    #[test]
    fn an_id_may_be_repeated_and_not_changed() {
        let mut read = fields(r#"{"id":"PT1"}"#);
        read.repeats("id", "PT1");
        assert!(read.end().is_ok());
        let mut read = fields(r#"{"id":"PT1"}"#);
        read.repeats("id", "PT2");
        assert!(read.end().is_err());
        assert!(Fields::of(Json::Null).is_err());
    }
}
