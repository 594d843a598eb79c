//! What is planned, and what is refused with its place.

use std::collections::BTreeMap;

use cqrs_es::Aggregate;

use super::*;
use crate::augment::Augment;
use crate::integration::{Kind, Sealed, Secret};
use crate::listener::Listener;
use crate::pattern::Pattern;
use crate::template::Template;
use crate::tenant::Tenant;

fn template(name: &str, text: &str) -> template::Definition {
    template::Definition { name: name.into(), description: None, template: text.into() }
}

fn pattern(name: &str, then: &str, status: bool) -> pattern::Definition {
    pattern::Definition {
        name: name.into(),
        status,
        when: Some("(event (= a 1))".into()),
        then: Some(then.into()),
        ..pattern::Definition::default()
    }
}

fn augment(name: &str, file: Option<&str>) -> augment::Definition {
    let file = file.map(|id| augment::File { id: id.into(), bytes: 1, rows: 1 });
    augment::Definition { name: name.into(), file, ..augment::Definition::default() }
}

fn wanted() -> Document<Setting> {
    let setting = Setting {
        active: true,
        fields: [("account".to_owned(), "SID".to_owned())].into(),
        secrets: [("password".to_owned(), Secret::New(Sealed("x".into())))].into(),
        ..Setting::default()
    };
    Document {
        key: Some("id".into()),
        templates: vec![
            ("footer".into(), template("Footer", "bye")),
            ("hello".into(), template("Hello", "hi {{> footer}}")),
        ],
        augments: vec![("a".into(), augment("a", Some("f1"))), ("b".into(), augment("b", None))],
        patterns: vec![
            ("cart".into(), pattern("Cart", "(send echo message {} (template {:message +hello}))", true)),
            ("draft".into(), pattern("Draft", "(send echo +unknown", false)),
        ],
        listeners: vec![],
        integrations: vec![(Kind::Twilio, setting)],
    }
}

/// What is stored once a plan has been carried out.
fn done(mut stored: Stored, plan: Plan) -> Stored {
    fn take<A: Aggregate>(states: &mut Vec<A>, steps: Vec<Step<A>>) {
        for step in steps {
            let number: usize = step.id[2..].parse().unwrap();
            if states.len() < number {
                assert_eq!((states.len() + 1, step.version), (number, 0), "numbers have no gaps");
                states.push(A::default());
            }
            step.events.into_iter().for_each(|event| states[number - 1].apply(event));
        }
    }
    take::<Template>(&mut stored.templates, plan.templates);
    take::<Augment>(&mut stored.augments, plan.augments);
    take::<Pattern>(&mut stored.patterns, plan.patterns);
    take::<Listener>(&mut stored.listeners, plan.listeners);
    let tenant = plan.tenant.into_iter().flat_map(|step| step.events);
    tenant.for_each(|event| stored.tenant.apply(event));
    for step in plan.integrations {
        let kind = Kind::from_name(&step.id).unwrap();
        let mut integrations: BTreeMap<_, _> = stored.integrations.drain(..).collect();
        let integration: &mut Integration = integrations.entry(kind).or_default();
        step.events.into_iter().for_each(|event| integration.apply(event));
        stored.integrations = integrations.into_iter().collect();
    }
    stored
}

fn empty() -> Stored {
    Stored { tenant: Tenant { version: 1, key: None }, ..Stored::default() }
}

fn applied(stored: &Stored, wanted: &Document<Setting>) -> Result<Stored, Vec<Refusal>> {
    plan(stored, wanted, &Limits::default()).map(|plan| done(stored.clone(), plan))
}

fn changes(stored: &Stored, wanted: &Document<Setting>) -> Vec<String> {
    let plan = plan(stored, wanted, &Limits::default()).unwrap();
    plan.changes
        .iter()
        .map(|change| format!("{} {} {}", change.what.name(), change.resource, change.id))
        .collect()
}

/// What was given is kept: as an export and a later apply have it.
fn kept(mut wanted: Document<Setting>) -> Document<Setting> {
    for (_, setting) in &mut wanted.integrations {
        setting.secrets.values_mut().for_each(|secret| *secret = Secret::Kept);
    }
    wanted
}

#[test]
fn what_is_applied_is_described_in_the_same_words_and_applied_again_changes_nothing() {
    let stored = applied(&empty(), &wanted()).unwrap();
    let pattern = stored.patterns[0].definition.clone().unwrap();
    assert_eq!(pattern.then.unwrap(), "(send echo message {} (template {:message +TM2}))");
    assert_eq!(stored.templates[1].definition.clone().unwrap().template, "hi {{> TM1}}");
    let described = described(&stored);
    let (wanted, key) = (wanted(), Some("id".to_owned()));
    assert_eq!((described.templates, described.key), (wanted.templates.clone(), key));
    assert_eq!(described.patterns, wanted.patterns);
    assert_eq!(described.augments, wanted.augments);
    assert_eq!(changes(&stored, &kept(wanted)), Vec::<String>::new());
}

#[test]
fn what_is_not_named_is_deleted_and_what_has_another_name_is_another() {
    let stored = applied(&empty(), &wanted()).unwrap();
    let mut other = kept(wanted());
    other.integrations.clear();
    other.key = None;
    other.patterns.remove(1);
    other.patterns[0].1 = pattern("Basket", "(send echo message {} (template {:message +hello}))", true);
    other.templates[0].1.template = "ciao".into();
    let want = [
        "deleted integration ",
        "updated template TM1",
        "deleted pattern PT1",
        "deleted pattern PT2",
        "created pattern PT3",
    ];
    assert_eq!(changes(&stored, &other), want);
    let stored = applied(&stored, &other).unwrap();
    assert_eq!(changes(&stored, &other), Vec::<String>::new());
    assert_eq!(stored.tenant.key.as_deref(), Some("id"), "a key attribute is not taken away");
}

#[test]
fn augments_have_the_order_that_is_wanted() {
    let mut wanted = kept(wanted());
    wanted.integrations.clear();
    let stored = applied(&empty(), &wanted).unwrap();
    wanted.augments.insert(1, ("c".into(), augment("c", None)));
    let want = ["deleted augment AU2", "created augment AU3", "created augment AU4"];
    assert_eq!(changes(&stored, &wanted), want);
    let stored = applied(&stored, &wanted).unwrap();
    let names: Vec<String> = described(&stored).augments.into_iter().map(|(handle, _)| handle).collect();
    assert_eq!(names, ["a", "c", "b"]);
    assert_eq!(changes(&stored, &wanted), Vec::<String>::new());
}

#[test]
fn all_that_would_be_refused_is_told_at_its_place_in_the_text_as_it_was_written() {
    let mut bad = wanted();
    bad.key = Some(String::new());
    bad.templates[0].1.template = "a\n {{#b}}".into();
    bad.templates[1].1.template = "{{> fotter}} {{> TM9}}".into();
    bad.patterns[0].1.then =
        Some("(seq (send echo message {} (template {:message +hello}))\n (sned echo))".into());
    bad.patterns.push(("p".into(), pattern("p", "(send echo message {} (template {:message +TM1}))", true)));
    bad.augments[0].1.name = String::new();
    bad.integrations[0].1.secrets.insert("password".into(), Secret::Kept);
    let refusals = plan(&empty(), &bad, &Limits::default()).unwrap_err();
    let told: Vec<_> =
        refusals.into_iter().map(|refusal| (refusal.place, refusal.field, refusal.at)).collect();
    let want = [
        ("", "key-attribute", None),
        ("integrations/twilio", "password", None),
        ("templates/footer", "template", Some((2, 2))),
        ("templates/hello", "template", Some((1, 5))),
        ("augments/a", "name", None),
        ("patterns/cart", "then", Some((2, 3))),
        ("patterns/p", "then", Some((1, 43))),
    ];
    let want: Vec<_> = want.iter().map(|(a, b, c)| ((*a).to_owned(), (*b).to_owned(), *c)).collect();
    assert_eq!(told, want);
}

#[test]
fn things_of_one_name_are_told_apart_by_their_order() {
    let mut twice = kept(wanted());
    twice.integrations.clear();
    twice.patterns = (0..3)
        .map(|n| (format!("p{n}"), pattern("Same", &format!("(send echo message {{:message {n}}})"), true)))
        .collect();
    let stored = applied(&empty(), &twice).unwrap();
    let handles: Vec<String> = described(&stored).patterns.into_iter().map(|(handle, _)| handle).collect();
    assert_eq!(handles, ["same", "same-2", "same-3"]);
    assert_eq!(changes(&stored, &twice), Vec::<String>::new());
    twice.patterns.remove(2);
    assert_eq!(changes(&stored, &twice), ["deleted pattern PT3"]);
}

#[test]
fn a_template_whose_name_begins_with_a_digit_has_a_handle_that_programs_can_name() {
    let program = "(send echo message {} (template {:message +deal}))";
    let wanted = Document {
        templates: vec![("deal".into(), template("2 for 1", "x"))],
        patterns: vec![("p".into(), pattern("P", program, true))],
        ..Document::default()
    };
    let stored = applied(&empty(), &wanted).unwrap();
    let described = described(&stored);
    assert_eq!(described.templates[0].0, "template-2-for-1");
    let again =
        Document { templates: described.templates, patterns: described.patterns, ..Document::default() };
    assert_eq!(changes(&stored, &again), Vec::<String>::new());
}
