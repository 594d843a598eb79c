//! Rules of patterns: given events, when command, then events or a refusal.

use cqrs_es::Aggregate;
use cqrs_es::test::TestFramework;

use super::*;
use crate::pattern::Field;

const WHEN: &str = r#"(event (= type "a"))"#;
const THEN: &str = "(send echo message {:message \"hi\"})";

fn given(events: Vec<Event>) -> cqrs_es::test::AggregateTestExecutor<Pattern> {
    TestFramework::<Pattern>::with(()).given(events)
}

fn definition(status: bool, when: Option<&str>, then: Option<&str>, version: u32) -> Definition {
    Definition {
        name: "Abandoned".into(),
        description: None,
        status,
        when: when.map(Into::into),
        then: then.map(Into::into),
        version,
    }
}

fn create(status: bool, when: Option<&str>, then: Option<&str>) -> Command {
    Command::Create {
        name: "Abandoned".into(),
        description: None,
        status,
        when: when.map(Into::into),
        then: then.map(Into::into),
        templates: BTreeSet::from(["TM1".into()]),
        limits: Limits::default(),
    }
}

/// An update of nothing; tests set what they change.
fn update(change: impl FnOnce(&mut Fields)) -> Command {
    let mut fields = Fields::default();
    change(&mut fields);
    let Fields { expected, name, description, status, when, then } = fields;
    let (templates, limits) = (BTreeSet::from(["TM1".into()]), Limits::default());
    Command::Update { expected, name, description, status, when, then, templates, limits }
}

#[derive(Default)]
struct Fields {
    expected: Option<u64>,
    name: Option<String>,
    description: Change<String>,
    status: Option<bool>,
    when: Change<String>,
    then: Change<String>,
}

fn text(value: &str) -> Change<String> {
    Some(Some(value.into()))
}

#[test]
fn a_disabled_pattern_keeps_its_texts_word_for_word_valid_or_not() {
    let made = Event::Created(definition(false, Some("(("), None, 0));
    given(vec![]).when(create(false, Some("(("), None)).then_expect_events(vec![made.clone()]);
    given(vec![made])
        .when(update(|f| (f.when, f.then) = (Some(None), text("nonsense"))))
        .then_expect_events(vec![Event::Updated(definition(false, None, Some("nonsense"), 0))]);
}

#[test]
fn names_have_bounds_and_ids_are_never_used_again() {
    let made = Event::Created(definition(false, None, None, 0));
    given(vec![made.clone()]).when(update(|f| f.name = Some(String::new()))).then_expect_error(Error::Name);
    given(vec![made.clone()]).when(create(false, None, None)).then_expect_error(Error::Exists);
    given(vec![made, Event::Deleted]).when(create(false, None, None)).then_expect_error(Error::Exists);
}

#[test]
fn what_changes_nothing_is_no_event_and_what_crossed_another_change_is_refused() {
    let made = Event::Created(definition(false, None, None, 0));
    given(vec![made.clone()]).when(update(|_| ())).then_expect_events(vec![]);
    given(vec![made.clone()]).when(update(|f| f.status = Some(false))).then_expect_events(vec![]);
    given(vec![made.clone()]).when(update(|f| f.expected = Some(2))).then_expect_error(Error::Changed(1));
    given(vec![made.clone()])
        .when(Command::Delete { expected: Some(1) })
        .then_expect_events(vec![Event::Deleted]);
    given(vec![made.clone(), Event::Deleted])
        .when(Command::Delete { expected: None })
        .then_expect_error(Error::Missing);
    given(vec![made, Event::Deleted])
        .when(update(|f| f.status = Some(true)))
        .then_expect_error(Error::Missing);
}

#[test]
fn deleted_pattern_cannot_be_enabled_and_an_invalid_one_neither() {
    let invalid = |command: Command, events: Vec<Event>| {
        let mut pattern = Pattern::default();
        events.into_iter().for_each(|event| pattern.apply(event));
        match pattern.decide(command) {
            Err(Error::Invalid(invalid)) => invalid,
            other => panic!("{other:?}"),
        }
    };
    let found = invalid(create(true, None, Some("(cuont)")), vec![]);
    assert_eq!(found.iter().map(|i| i.field).collect::<Vec<_>>(), [Field::When, Field::Then]);
    assert_eq!(found[1].source, "(cuont)");
    let then = "(seq (send echo message {:message +TM1}) (send echo message {:message +TM11}))";
    let found = invalid(create(true, Some(WHEN), Some(then)), vec![]);
    let [Invalid { field: Field::Then, diagnostics, .. }] = &found[..] else { panic!("{found:?}") };
    assert_eq!(diagnostics.len(), 1);
    assert_eq!(diagnostics[0].code, crate::dsl::Code::Template);
    assert_eq!(&then[diagnostics[0].span.start..diagnostics[0].span.end], "+TM11");
    let enabled = Event::Created(definition(true, Some(WHEN), Some(THEN), 1));
    let found = invalid(update(|f| f.when = Some(None)), vec![enabled]);
    assert_eq!(found[0].field, Field::When);
}

#[test]
fn the_version_rises_when_matching_starts_afresh_and_only_then() {
    let enabled = |version| definition(true, Some(WHEN), Some(THEN), version);
    let made = Event::Created(enabled(1));
    given(vec![]).when(create(true, Some(WHEN), Some(THEN))).then_expect_events(vec![made.clone()]);

    let spaced = "( EVENT  (= type \"a\") )";
    given(vec![made.clone()])
        .when(update(|f| f.when = text(spaced)))
        .then_expect_events(vec![Event::Updated(definition(true, Some(spaced), Some(THEN), 1))]);
    let other = r#"(event (= type "b"))"#;
    given(vec![made.clone()])
        .when(update(|f| f.when = text(other)))
        .then_expect_events(vec![Event::Updated(definition(true, Some(other), Some(THEN), 2))]);
    let then = "(send echo message {:message \"ho\"})";
    given(vec![made.clone()])
        .when(update(|f| f.then = text(then)))
        .then_expect_events(vec![Event::Updated(definition(true, Some(WHEN), Some(then), 1))]);
    let off = Event::Updated(definition(false, Some(WHEN), Some(THEN), 1));
    given(vec![made.clone()]).when(update(|f| f.status = Some(false))).then_expect_events(vec![off.clone()]);
    given(vec![made, off])
        .when(update(|f| f.status = Some(true)))
        .then_expect_events(vec![Event::Updated(enabled(2))]);
}
