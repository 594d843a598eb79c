//! What every door that takes texts from outside has to keep to, whatever bytes come: no panic, no hang, and what is
//! accepted says the same when it is read again.
//!
//! Two drive it: `tests/it/fuzz.rs` for a bounded time with [`mutate`], on every run; and `fuzz/` with libFuzzer, for
//! as long as one likes. Both begin with `fuzz/corpus`.

pub mod mutate;

use std::collections::BTreeMap;

use api::oauth::request::TokenRequest;
use domain::dsl::{Diagnostic, Limits, then};
use domain::ids::TemplateId;
use domain::json::{self, Json, Object};
use domain::mustache::{Escape, MAX_OUTPUT, Template};
use engine::matching::{Machine, State};
use ureq::http::{HeaderMap, HeaderValue, header};

/// A door.
pub type Target = (&'static str, fn(&[u8]));

/// All of them, by name.
pub const TARGETS: [Target; 5] =
    [("when", when), ("then", then), ("event", event), ("template", template), ("token", token)];

/// A `when`: read, printed, read again, and run over a few events with its state written and read at each.
///
/// # Panics
/// If one of the promises is broken; as all of these.
pub fn when(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let limits = Limits::default();
    match domain::dsl::when::parse(&text, &limits) {
        Err(problems) => refused(&text, &problems),
        Ok(parsed) => {
            let printed = parsed.trigger.to_string();
            let again =
                domain::dsl::when::parse(&printed, &Limits::STORED).expect("the canonical text is good");
            assert_eq!(again.trigger, parsed.trigger, "{printed}");
            run(&Machine::new(&parsed.trigger));
        }
    }
}

fn run(machine: &Machine) {
    let mut state = State::default();
    let met = (0..).zip(machine.predicates()).map(|(id, _)| id).collect();
    for n in 0..4u64 {
        let time = i64::try_from(n).unwrap_or_default() * 1_000;
        machine.event(&mut state, n + 1, time, &met);
        let bytes = state.encode();
        assert_eq!(machine.decode(&bytes).expect("what was written can be read").encode(), bytes);
    }
    if let Some(deadline) = machine.deadline(&state) {
        machine.tick(&mut state, deadline);
    }
}

/// A `then`: read, printed, read again.
pub fn then(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    match then::parse(&text, &Limits::default()) {
        Err(problems) => refused(&text, &problems),
        Ok(program) => {
            let printed = program.to_string();
            let again = then::parse(&printed, &Limits::STORED).expect("the canonical text is good");
            assert_eq!(again.to_string(), printed);
        }
    }
}

/// A refusal says what, and where, in few words.
fn refused(text: &str, problems: &[Diagnostic]) {
    assert!(!problems.is_empty(), "refused without a word");
    for problem in problems {
        assert!(!problem.message.is_empty());
        assert!(problem.render(text).len() < 4_096, "{problem:?}");
    }
}

/// An event's JSON: what is accepted is JSON by another reader's judgement too, and is written as it is read.
pub fn event(bytes: &[u8]) {
    let Ok(read) = json::parse(bytes, json::Limits::EVENT) else { return };
    serde_json::from_slice::<serde::de::IgnoredAny>(bytes).expect("what is accepted is JSON");
    let written = read.to_string();
    let again = json::parse(written.as_bytes(), json::Limits::EVENT).expect("what is written can be read");
    assert_eq!(again, read);
    assert_eq!(again.to_string(), written);
}

/// A template, rendered over data of every kind, with itself as its partial.
pub fn template(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let template = match Template::parse(&text) {
        Ok(template) => template,
        Err(error) => {
            assert!(error.line > 0 && error.column > 0 && error.to_string().len() < 4_096, "{error}");
            return;
        }
    };
    let data = data();
    let partials: BTreeMap<TemplateId, Template> =
        template.partials().into_iter().map(|id| (id, template.clone())).collect();
    for escape in [Escape::None, Escape::Html] {
        if let Ok(rendered) = template.render(&[&data], &partials, escape) {
            assert!(rendered.len() <= MAX_OUTPUT);
        }
    }
}

fn data() -> Object {
    let text = r#"{"a":"<&\"'>","b":[1,[2],{"c":null}],"c":{"a":{"b":"deep"}},"d":true,"e":1e400,"n":0,
        "l":[[],{},"",[[[1]]],false],"many":[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20]}"#;
    match json::parse(text.as_bytes(), json::Limits::STORED) {
        Ok(Json::Object(data)) => data,
        other => panic!("the data is an object: {other:?}"),
    }
}

/// A request for a token: the first line is the `Authorization` header, the rest the form.
pub fn token(bytes: &[u8]) {
    let cut = bytes.iter().position(|byte| *byte == b'\n').unwrap_or(0);
    let (head, form) = bytes.split_at(cut);
    let mut headers = HeaderMap::new();
    if let Ok(value) = HeaderValue::from_bytes(head)
        && !head.is_empty()
    {
        headers.insert(header::AUTHORIZATION, value);
    }
    match TokenRequest::read(&headers, form.strip_prefix(b"\n").unwrap_or(form)) {
        Ok(request) => {
            let shown = format!("{request:?}");
            assert!(!shown.contains("secret-canary") || request.credentials.id.contains("secret-canary"));
        }
        Err(problem) => {
            assert!((400..500).contains(&problem.status.as_u16()), "{problem:?}");
            assert!(problem.body.to_string().len() < 4_096, "{problem:?}");
        }
    }
}
