//! What holds of every `when`, drawn at random: the canonical form re-reads as the same tree, nothing makes the
//! parser panic, and the index says what the predicates say one by one.

use domain::dsl::Limits;
use domain::dsl::when::index::PredicateIndex;
use domain::dsl::when::{Operand, Predicate, Trigger, parse};
use domain::json::{Json, Number, Object};
use domain::time::{Span, Unit};
use domain::value::Comparison;
use proptest::collection::vec;
use proptest::prelude::*;

const WIDE: Limits = Limits {
    source: usize::MAX,
    depth: 200,
    forms: usize::MAX,
    count: u64::MAX,
    span: i64::MAX,
    retries: 0,
    state: usize::MAX,
};

fn symbol() -> impl Strategy<Value = String> {
    prop_oneof!["[abc]", "[a-zé_][a-z0-9éß._?!/%&+-]{0,5}"]
        .prop_filter("literals", |name| name != "true" && name != "false")
}

fn number() -> impl Strategy<Value = Number> {
    prop_oneof!["[0-9]", "-?(0|[1-9][0-9]{0,20})(\\.[0-9]{1,3})?"]
        .prop_map(|text| Number::from_text(&text).expect("a number of JSON"))
}

fn literal() -> impl Strategy<Value = Operand> {
    prop_oneof![
        any::<String>().prop_map(Operand::Text),
        prop_oneof!["5", "005", "true", "x", "\\PC*"].prop_map(Operand::Text),
        number().prop_map(Operand::Number),
        any::<bool>().prop_map(Operand::Bool),
    ]
}

fn comparison() -> impl Strategy<Value = Comparison> {
    use Comparison::{AtLeast, AtMost, Equal, Greater, Less, NotEqual};
    prop_oneof![
        3 => Just(Equal),
        1 => prop::sample::select(vec![NotEqual, Greater, Less, AtLeast, AtMost]),
    ]
}

/// Predicates as checked ones are: in normal form.
fn predicate() -> impl Strategy<Value = Predicate> {
    let name = || prop_oneof![3 => symbol(), 1 => any::<String>(), 1 => "true|5|=|a b|-"];
    let attribute = || symbol().prop_map(Operand::Attribute);
    let leaf = prop_oneof![
        4 => (comparison(), name(), literal()).prop_map(|(op, a, b)| Predicate::Compare(op, Operand::Attribute(a), b)),
        1 => (comparison(), attribute(), attribute()).prop_map(|(op, a, b)| Predicate::Compare(op, a, b)),
        1 => (name(), literal()).prop_map(|(a, b)| Predicate::Contains(Operand::Attribute(a), b)),
        1 => (literal(), attribute()).prop_map(|(a, b)| Predicate::Contains(a, b)),
        1 => (attribute(), attribute()).prop_map(|(a, b)| Predicate::Contains(a, b)),
        1 => name().prop_map(Predicate::Exists),
    ];
    leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            2 => vec(inner.clone(), 1..4).prop_map(Predicate::And),
            2 => vec(inner.clone(), 1..4).prop_map(Predicate::Or),
            1 => inner.prop_map(|part| Predicate::Not(Box::new(part))),
        ]
    })
}

fn span() -> impl Strategy<Value = Span> {
    let unit = prop::sample::select(vec![Unit::Seconds, Unit::Minutes, Unit::Hours, Unit::Days]);
    (1_u64..100_000, unit).prop_map(|(amount, unit)| Span { amount, unit })
}

/// Members with guards after some of them; none first.
fn guarded(inner: impl Strategy<Value = Trigger> + Clone) -> impl Strategy<Value = Vec<Trigger>> {
    let guards = vec(inner.clone().prop_map(|guard| Trigger::Fail(Box::new(guard))), 0..2);
    vec((inner.clone(), guards), 0..3).prop_flat_map(move |pairs| {
        let front: Vec<Trigger> =
            pairs.into_iter().flat_map(|(member, guards)| [vec![member], guards].concat()).collect();
        inner.clone().prop_map(move |last| [front.clone(), vec![last]].concat())
    })
}

/// Triggers with `fail` where it may stand.
fn trigger() -> impl Strategy<Value = Trigger> {
    let within = |span, trigger| Trigger::Within(span, Box::new(trigger));
    predicate().prop_map(Trigger::Event).prop_recursive(3, 16, 3, move |inner| {
        let guard = inner.clone().prop_map(|guard| Trigger::Fail(Box::new(guard)));
        prop_oneof![
            (1_u32.., inner.clone()).prop_map(|(n, trigger)| Trigger::Count(n, Box::new(trigger))),
            guarded(inner.clone()).prop_map(Trigger::Seq),
            guarded(inner.clone()).prop_map(Trigger::All),
            vec(inner.clone(), 1..4).prop_map(Trigger::Any),
            (span(), inner.clone()).prop_map(move |(span, trigger)| within(span, trigger)),
            (span(), guarded(inner.clone()), guard.clone()).prop_map(move |(span, members, guard)| {
                within(span, Trigger::Seq([members, vec![guard]].concat()))
            }),
            (span(), guarded(inner), guard).prop_map(move |(span, members, guard)| {
                Trigger::Seq([members, vec![within(span, guard)]].concat())
            }),
        ]
    })
}

/// A program, and how to spoil it.
fn mutated() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        "[(){}\";,\\\\ a5.*$:=-]",
        prop::sample::select(vec![
            "(fail ",
            "(within 1 hours ",
            "(event ",
            "null",
            "\\ud800",
            "é",
            "\n",
            "99999999999"
        ])
        .prop_map(str::to_owned),
    ];
    let edit =
        (any::<prop::sample::Index>(), any::<prop::sample::Index>(), prop_oneof![Just(String::new()), piece]);
    (trigger(), vec(edit, 1..6)).prop_map(|(trigger, edits)| {
        let mut text: Vec<char> = trigger.to_string().chars().collect();
        for (from, length, piece) in edits {
            let from = from.index(text.len() + 1);
            let to = from + length.index(4).min(text.len() - from);
            text.splice(from..to, piece.chars());
        }
        text.into_iter().collect()
    })
}

/// Words of the language in no order.
fn words() -> impl Strategy<Value = String> {
    let word = prop::sample::select(vec![
        "(", "(", ")", ")", "(event", "(count", "(seq", "(all", "(any", "(within", "(fail", "(when", "(=",
        "(and", "(not", "(exists", "a", "b", "5", "0", "hours", "\"x\"", "true", "null", "{", "}", "*a*",
        "(evnt",
    ]);
    vec(word, 0..40).prop_map(|words| words.join(" "))
}

/// What is refused has reasons that can be shown; what is taken, a canonical form that says the same.
fn check(source: &str) -> Result<(), TestCaseError> {
    match parse(source, &Limits::default()) {
        Ok(when) => {
            let again = parse(&when.trigger.to_string(), &WIDE).map(|when| when.trigger);
            prop_assert_eq!(again, Ok(when.trigger));
        }
        Err(problems) => {
            prop_assert!(!problems.is_empty());
            prop_assert!(problems.is_sorted_by_key(|problem| problem.span.start));
            problems.iter().for_each(|problem| drop(problem.render(source)));
        }
    }
    Ok(())
}

fn event() -> impl Strategy<Value = Object> {
    let scalar = prop_oneof![
        number().prop_map(Json::Number),
        any::<bool>().prop_map(Json::Bool),
        prop::sample::select(vec!["5", "005", "true", "x", "1e0"]).prop_map(Json::from),
        Just(Json::Null),
    ];
    let value = prop_oneof![
        4 => scalar.clone(),
        1 => vec(scalar.clone(), 0..3).prop_map(Json::Array),
        1 => scalar.prop_map(|value| Json::object([("b", value)])),
    ];
    vec(("a|b|c|a\\.b", value), 0..4).prop_map(|members| {
        let mut event = Object::new();
        members.into_iter().for_each(|(name, value)| event.set(name, value));
        event
    })
}

/// Predicates over few names and values, so that events meet them.
fn near() -> impl Strategy<Value = Predicate> {
    let name = || "a|b|c|a\\.b".prop_map(Operand::Attribute);
    let literal = prop_oneof![
        number().prop_map(Operand::Number),
        any::<bool>().prop_map(Operand::Bool),
        prop::sample::select(vec!["5", "005", "true", "x"]).prop_map(|text| Operand::Text(text.to_owned())),
    ];
    let leaf = prop_oneof![
        6 => (comparison(), name(), literal).prop_map(|(op, a, b)| Predicate::Compare(op, a, b)),
        1 => (comparison(), name(), name()).prop_map(|(op, a, b)| Predicate::Compare(op, a, b)),
        1 => "a|b".prop_map(Predicate::Exists),
    ];
    leaf.prop_recursive(2, 8, 3, |inner| {
        prop_oneof![
            2 => vec(inner.clone(), 1..4).prop_map(Predicate::And),
            2 => vec(inner.clone(), 1..4).prop_map(Predicate::Or),
            1 => inner.prop_map(|part| Predicate::Not(Box::new(part))),
        ]
    })
}

proptest! {
    #[test]
    fn print_then_parse_gives_the_same_tree(trigger in trigger()) {
        let text = trigger.to_string();
        match parse(&text, &WIDE) {
            Ok(when) => prop_assert_eq!(when.trigger, trigger, "{}", text),
            Err(problems) => prop_assert!(false, "{}: {:?}", text, problems),
        }
    }

    #[test]
    fn no_text_makes_the_parser_panic(text in any::<String>()) {
        check(&text)?;
    }

    #[test]
    fn no_words_make_the_parser_panic(text in words()) {
        check(&text)?;
    }

    #[test]
    fn no_spoiled_program_makes_the_parser_panic(text in mutated()) {
        check(&text)?;
    }

    #[test]
    fn the_index_says_what_the_predicates_say(predicates in vec(near(), 0..20), events in vec(event(), 1..5)) {
        let index: PredicateIndex<usize> = predicates.iter().cloned().zip(0..).collect();
        for event in &events {
            let mut found = Vec::new();
            index.for_each_match(event, |at| found.push(*at));
            let expected: Vec<usize> = (0..predicates.len()).filter(|at| predicates[*at].holds(event)).collect();
            prop_assert_eq!(found, expected);
        }
    }
}
