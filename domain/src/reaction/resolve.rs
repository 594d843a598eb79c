//! Values of a program, looked up: in the context, the response, the variables, the templates.
//!
//! A program can nest and double what it has (`(set b {:x a :y a})`), so what comes out is bounded in size and depth.

use std::cell::Cell;

use super::{Condition, Operand, Pinned};
use crate::dsl::then::catalogue::{Need, Verb, is_html};
use crate::dsl::then::{Params, Predicate, Value};
use crate::ids::TemplateId;
use crate::json::{Json, Object};
use crate::mustache::{Escape, Template};
use crate::value::Attributes;

/// The most that one command's values may weigh, and all variables of a reaction: about their bytes as JSON.
pub(super) const HEAVIEST: usize = 1 << 20;

/// How deep a value may nest: what is stored has to be read back.
const DEEPEST: usize = 128;

/// Where values come from.
pub(super) struct Lookup<'a> {
    pinned: &'a Pinned,
    context: &'a Object,
    variables: &'a Object,
    /// The response or event that `$…` sees.
    scope: Option<&'a Object>,
    /// What values may still weigh.
    left: Cell<usize>,
}

/// Why values cannot be had, for a person.
type Reason = String;

impl<'a> Lookup<'a> {
    pub(super) fn new(
        pinned: &'a Pinned,
        context: &'a Object,
        variables: &'a Object,
        scope: Option<&'a Object>,
    ) -> Self {
        Self { pinned, context, variables, scope, left: Cell::new(HEAVIEST) }
    }

    /// A value; what is not there is null.
    pub(super) fn value(&self, value: &Value) -> Result<Json, Reason> {
        self.escaped(value, Escape::None)
    }

    fn escaped(&self, value: &Value, escape: Escape) -> Result<Json, Reason> {
        let json = self.built(value, escape)?;
        if is_deeper(&json, DEEPEST) {
            return Err(format!("a value nests over {DEEPEST} deep"));
        }
        Ok(json)
    }

    fn weighed(&self, json: Json) -> Result<Json, Reason> {
        let left = self.left.get().checked_sub(weight(&json));
        self.left.set(left.ok_or_else(|| format!("the values of the command are over {HEAVIEST} bytes"))?);
        Ok(json)
    }

    fn built(&self, value: &Value, escape: Escape) -> Result<Json, Reason> {
        let attribute = |object: Option<&Object>, name: &str| {
            object.and_then(|object| object.attribute(name)).map_or(Json::Null, |value| value.to_json())
        };
        let leaf = match value {
            Value::Text(text) => Json::Text(text.clone()),
            Value::Number(number) => Json::Number(number.clone()),
            Value::Bool(value) => Json::Bool(*value),
            Value::Context(name) => attribute(Some(self.context), name),
            Value::Response(name) => attribute(self.scope, name),
            Value::Variable(name) => attribute(Some(self.variables), name),
            Value::Template(id) => Json::Text(self.template(id, escape)?),
            Value::Map(members) => {
                let mut object = Object::new();
                for (name, value) in members {
                    match self.built(value, escape)? {
                        Json::Null => {}
                        value => object.set(name.as_str(), value),
                    }
                }
                return Ok(Json::Object(object));
            }
        };
        self.weighed(leaf)
    }

    fn template(&self, id: &TemplateId, escape: Escape) -> Result<String, Reason> {
        match self.pinned.templates.get(id) {
            Some(template) => self.render(template, escape),
            None => Err(format!("the template {id} is not there")),
        }
    }

    fn render(&self, template: &Template, escape: Escape) -> Result<String, Reason> {
        template
            .render(&[self.context, self.variables], &self.pinned.templates, escape)
            .map_err(|error| error.to_string())
    }

    /// A value of the `template` option: a text is a template itself, `+TM1` is the template of that id.
    fn templated(&self, value: &Value, escape: Escape) -> Result<Json, Reason> {
        let source = match value {
            Value::Template(_) | Value::Map(_) => return self.escaped(value, escape),
            _ => self.value(value)?,
        };
        match source {
            Json::Text(source) => {
                let template = Template::parse(&source).map_err(|error| error.to_string())?;
                self.render(&template, escape).map(Json::Text).and_then(|text| self.weighed(text))
            }
            other => Ok(other),
        }
    }

    /// Parameters as they go out: an optional one that is null is left out. `verb` says what has to be there; an
    /// event's parameters are all optional.
    pub(super) fn params(&self, params: &Params, verb: Option<&Verb>) -> Result<Object, Reason> {
        let overridden = |name: &str| params.templated.iter().any(|(other, _)| other == name);
        let mut out = Object::new();
        for (name, value) in params.plain.iter().filter(|(name, _)| !overridden(name)) {
            let json = self.escaped(value, escape_of(name))?;
            put(&mut out, verb, name, value, json)?;
        }
        for (name, value) in &params.templated {
            let json = self
                .templated(value, escape_of(name))
                .map_err(|error| format!("the template of :{name} cannot be rendered: {error}"))?;
            put(&mut out, verb, name, value, json)?;
        }
        verb.map_or(Ok(()), |verb| complete(verb, &out))?;
        Ok(out)
    }

    /// Whether a predicate holds.
    pub(super) fn holds(&self, predicate: &Predicate) -> Result<bool, Reason> {
        Ok(match predicate {
            Predicate::Compare(comparison, a, b) => {
                let (a, b) = (self.value(a)?, self.value(b)?);
                comparison.holds(Some(&(&a).into()), Some(&(&b).into()))
            }
            Predicate::And(members) => {
                for member in members {
                    if !self.holds(member)? {
                        return Ok(false);
                    }
                }
                true
            }
            Predicate::Or(members) => {
                for member in members {
                    if self.holds(member)? {
                        return Ok(true);
                    }
                }
                false
            }
            Predicate::Not(member) => !self.holds(member)?,
            Predicate::Value(value) => !matches!(self.value(value)?, Json::Null | Json::Bool(false)),
        })
    }

    /// An `expect`'s predicate with everything but `$…` looked up.
    pub(super) fn condition(&self, predicate: &Predicate) -> Result<Condition, Reason> {
        let members = |members: &[Predicate]| -> Result<Vec<_>, Reason> {
            members.iter().map(|member| self.condition(member)).collect()
        };
        Ok(match predicate {
            Predicate::Compare(comparison, a, b) => {
                Condition::Compare(*comparison, self.operand(a)?, self.operand(b)?)
            }
            Predicate::And(inner) => Condition::And(members(inner)?),
            Predicate::Or(inner) => Condition::Or(members(inner)?),
            Predicate::Not(member) => Condition::Not(Box::new(self.condition(member)?)),
            Predicate::Value(value) => Condition::Truthy(self.operand(value)?),
        })
    }

    fn operand(&self, value: &Value) -> Result<Operand, Reason> {
        match value {
            Value::Response(name) => Ok(Operand::Attribute(name.clone())),
            other => self.value(other).map(Operand::Literal),
        }
    }
}

fn escape_of(param: &str) -> Escape {
    if is_html(param) { Escape::Html } else { Escape::None }
}

fn put(out: &mut Object, verb: Option<&Verb>, name: &str, value: &Value, json: Json) -> Result<(), Reason> {
    if !json.is_null() {
        out.set(name, json);
        return Ok(());
    }
    let need = verb.and_then(|verb| verb.param(name)).map_or(Need::Optional, |param| param.need);
    match need {
        Need::Mandatory | Need::Integration | Need::OneOf => {
            Err(format!("the parameter :{name} is null: {}", why_null(value)))
        }
        Need::AtMostOne | Need::Optional => Ok(()),
    }
}

fn why_null(value: &Value) -> String {
    match value {
        Value::Context(name) => format!("the events have no {name}"),
        Value::Response(name) => format!("${name} is not there"),
        Value::Variable(name) => format!("the variable {name} has no value"),
        other => format!("{other} has no value"),
    }
}

/// What has to be there is there, unless the integration may still have it.
fn complete(verb: &Verb, params: &Object) -> Result<(), Reason> {
    if let Some(missing) = verb.needing(Need::Mandatory).find(|name| params.get(name).is_none()) {
        return Err(format!("the parameter :{missing} is missing"));
    }
    let one_of: Vec<&str> = verb.needing(Need::OneOf).collect();
    if !one_of.is_empty() && one_of.iter().all(|name| params.get(name).is_none()) {
        return Err(format!("one of the parameters :{} is missing", one_of.join(", :")));
    }
    Ok(())
}

/// About how many bytes a value takes as JSON.
pub(super) fn weight(json: &Json) -> usize {
    match json {
        Json::Null | Json::Bool(_) => 5,
        Json::Number(number) => number.as_str().len() + 1,
        Json::Text(text) => text.len() + 3,
        Json::Array(elements) => 2 + elements.iter().map(weight).sum::<usize>(),
        Json::Object(object) => {
            2 + object.iter().map(|(name, value)| name.len() + 4 + weight(value)).sum::<usize>()
        }
    }
}

fn is_deeper(json: &Json, levels: usize) -> bool {
    let Some(below) = levels.checked_sub(1) else {
        return matches!(json, Json::Array(_) | Json::Object(_));
    };
    match json {
        Json::Array(elements) => elements.iter().any(|element| is_deeper(element, below)),
        Json::Object(object) => object.iter().any(|(_, value)| is_deeper(value, below)),
        _ => false,
    }
}
