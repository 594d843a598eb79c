//! Endpoints, verbs and parameters, held against the catalogue.

use super::value::Member;
use super::{Parser, Scope, found, shortened, unknown};
use crate::dsl::diagnostic::quoted;
use crate::dsl::reader::{Form, FormKind};
use crate::dsl::then::catalogue::{self, Need, Verb};
use crate::dsl::then::{Call, Params, Value};
use crate::dsl::{Code, Diagnostic, Span};
use crate::mustache::Template;

/// The beginning of a `send` or an `await`.
pub(super) struct Head {
    endpoint: String,
    verb: String,
    /// What the catalogue says of it; `None` if it knows no such thing, which was said already.
    pub(super) known: Option<&'static Verb>,
    params: Vec<Member>,
    params_span: Span,
}

impl Head {
    /// What the success option sees.
    pub(super) fn scope(&self) -> Scope {
        self.known.map_or(Scope::Unknown, Scope::Answer)
    }
}

impl Parser<'_> {
    /// `endpoint verb {params}`, and what is left of the forms behind that.
    pub(super) fn call_head<'f>(
        &mut self,
        command: &str,
        form: &Form,
        forms: &'f [Form<'f>],
    ) -> Option<(Head, &'f [Form<'f>])> {
        let [endpoint_form, verb_form, params_form, rest @ ..] = forms else {
            let message = format!("expected ({command} endpoint verb {{:name value …}} …)");
            return self.refuse(Code::Shape, form.span, message);
        };
        let endpoint = self.name(endpoint_form, "an endpoint");
        let verb = self.name(verb_form, "a verb");
        let (endpoint, verb) = match (endpoint, verb) {
            (Some(endpoint), Some(verb)) => (endpoint, verb),
            _ => {
                self.map(params_form);
                return None;
            }
        };
        let known = self.known(&endpoint, endpoint_form, &verb, verb_form);
        let params = self.map(params_form)?;
        Some((Head { endpoint, verb, known, params, params_span: params_form.span }, rest))
    }

    fn name(&mut self, form: &Form, what: &str) -> Option<String> {
        match &form.kind {
            FormKind::Word(word) => Some((*word).to_owned()),
            _ => self.refuse(Code::Shape, form.span, format!("expected {what}, found {}", found(form))),
        }
    }

    fn known(
        &mut self,
        endpoint: &str,
        endpoint_form: &Form,
        verb: &str,
        verb_form: &Form,
    ) -> Option<&'static Verb> {
        if let Some(known) = catalogue::find(endpoint, verb) {
            return Some(known);
        }
        let verbs: Vec<_> = catalogue::verbs(endpoint).collect();
        self.problem(if verbs.is_empty() {
            let known: Vec<_> = catalogue::endpoints().collect();
            let message = format!("unknown endpoint {}", quoted(endpoint));
            unknown(Code::Endpoint, endpoint_form.span, message, endpoint, known)
        } else {
            let message = format!("{endpoint} has no verb {}", quoted(verb));
            unknown(Code::Endpoint, verb_form.span, message, verb, verbs)
        });
        None
    }

    /// The call, once its `template` option is known too.
    pub(super) fn call(&mut self, head: Head, templated: Vec<Member>) -> Call {
        if let Some(verb) = head.known {
            self.check_names(verb, head.params.iter().chain(&templated));
            self.warn_of_missing(verb, &head, &templated);
        }
        self.warn_of_secrets(&head.params);
        let params = self.params(head.params, templated);
        Call { endpoint: head.endpoint, verb: head.verb, params }
    }

    /// Parameters without their places; literal templates are checked.
    pub(super) fn params(&mut self, plain: Vec<Member>, templated: Vec<Member>) -> Params {
        for member in &templated {
            self.check_template(member);
        }
        let bare = |members: Vec<Member>| members.into_iter().map(|member| (member.name, member.value));
        Params { plain: bare(plain).collect(), templated: bare(templated).collect() }
    }

    fn check_template(&mut self, member: &Member) {
        let Value::Text(source) = &member.value else { return };
        match Template::parse(source) {
            Ok(template) => self.templates.extend(template.partials()),
            Err(error) => {
                self.problem(Diagnostic::new(
                    Code::Template,
                    member.value_span,
                    format!("the template of :{} is not valid: {error}", member.name),
                ));
            }
        }
    }

    fn check_names<'m>(&mut self, verb: &'static Verb, members: impl Iterator<Item = &'m Member> + Clone) {
        if !verb.open {
            for member in members.clone().filter(|member| verb.param(&member.name).is_none()) {
                let message =
                    format!("{} {} has no parameter :{}", verb.endpoint, verb.verb, shortened(&member.name));
                let known: Vec<_> = verb.params.iter().map(|param| param.name).collect();
                self.problem(unknown(Code::Endpoint, member.span, message, &member.name, known));
            }
        }
        let mut exclusive =
            members.filter(|member| verb.param(&member.name).is_some_and(|p| p.need == Need::AtMostOne));
        let Some(first) = exclusive.next() else { return };
        if let Some(second) = exclusive.find(|member| member.name != first.name) {
            let message = format!(":{} and :{} exclude each other", first.name, second.name);
            let known: Vec<_> = verb.needing(Need::AtMostOne).collect();
            let hint = format!("give one of {}", known.join(", "));
            self.problem(Diagnostic::new(Code::Endpoint, second.span, message).hint(hint));
        }
    }

    fn warn_of_missing(&mut self, verb: &'static Verb, head: &Head, templated: &[Member]) {
        let given = |name: &str| head.params.iter().chain(templated).any(|member| member.name == name);
        let mut missing: Vec<(String, Option<&str>)> = Vec::new();
        for param in verb.params.iter().filter(|param| !given(param.name)) {
            match param.need {
                Need::Mandatory => missing.push((format!(":{}", param.name), None)),
                Need::Integration => {
                    let hint = "the send fails unless the integration has a default for it";
                    missing.push((format!(":{}", param.name), Some(hint)));
                }
                Need::OneOf | Need::AtMostOne | Need::Optional => {}
            }
        }
        let one_of: Vec<_> = verb.needing(Need::OneOf).collect();
        if !one_of.is_empty() && !one_of.iter().any(|name| given(name)) {
            missing.push((format!("one of :{}", one_of.join(", :")), None));
        }
        for (what, hint) in missing {
            let message = format!("{} {} needs {what}", verb.endpoint, verb.verb);
            let warning = Diagnostic::new(Code::MissingParameter, head.params_span, message);
            self.problem(warning.hint(hint.unwrap_or("the send fails without it")));
        }
    }

    /// A literal `Authorization` header: secrets belong in the integration.
    fn warn_of_secrets(&mut self, members: &[Member]) {
        for member in members.iter().filter(|member| member.name == "headers") {
            let Value::Map(headers) = &member.value else { continue };
            let secret = headers.iter().any(|(name, value)| {
                name.eq_ignore_ascii_case("authorization") && matches!(value, Value::Text(_))
            });
            if secret {
                let message = "a literal Authorization header: whoever may read the pattern may read it";
                let warning = Diagnostic::new(Code::Secret, member.value_span, message);
                self.problem(warning.hint("put it in the headers of the integration, where it is encrypted"));
            }
        }
    }
}
