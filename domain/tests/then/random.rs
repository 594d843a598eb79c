//! What must hold of any program and any order of inputs.

use domain::dsl::then::{Command, CommandKind, Program};
use domain::dsl::{Limits, Span, then};
use domain::reaction::{Answer, Effect, Failure, InputKind, State, StepId, Success, step};
use proptest::prelude::*;
use proptest::sample::{Index, select};

use super::script::{Script, object, program};

fn value() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        select(vec![
            "1",
            "-2.50",
            "true",
            "false",
            "*a*",
            "*a.b*",
            "*none*",
            "$x",
            "$x.y",
            "v",
            "w",
            "+TM1",
            "+TM9",
            "\"\"",
            "\"{{v}} {{a.b}}\"",
            "\"{\"",
        ])
        .prop_map(str::to_owned),
        // No `{`: a text may be a template, and two of them would open a tag that never closes.
        "[ -z|-~é\n]{0,6}"
            .prop_map(|text| format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))),
    ];
    leaf.prop_recursive(2, 6, 3, |inner| {
        prop::collection::vec(inner, 0..3).prop_map(|values| {
            let members = values.iter().enumerate().map(|(n, value)| format!(":k{n} {value}"));
            format!("{{{}}}", members.collect::<Vec<_>>().join(", "))
        })
    })
}

fn predicate() -> impl Strategy<Value = String> {
    let comparison = select(vec!["=", "!=", ">", "<", ">=", "<="]);
    let leaf = prop_oneof![
        value(),
        (comparison, value(), value()).prop_map(|(symbol, a, b)| format!("({symbol} {a} {b})")),
    ];
    leaf.prop_recursive(2, 6, 3, |inner| {
        prop_oneof![
            (select(vec!["and", "or"]), prop::collection::vec(inner.clone(), 1..3))
                .prop_map(|(word, members)| format!("({word} {})", members.join(" "))),
            inner.prop_map(|member| format!("(not {member})")),
        ]
    })
}

/// Options in any order, each at most once.
fn options(
    inner: impl Strategy<Value = String> + Clone + 'static,
    allowed: &'static [&'static str],
) -> impl Strategy<Value = String> {
    let one = move |word: &'static str| -> BoxedStrategy<String> {
        match word {
            "retries" => (0..4).prop_map(|n| format!(" (retries {n})")).boxed(),
            "within" => (1..9).prop_map(|n| format!(" (within {n} seconds)")).boxed(),
            "template" => value().prop_map(|v| format!(" (template {{:message {v}}})")).boxed(),
            word => inner.clone().prop_map(move |command| format!(" ({word} {command})")).boxed(),
        }
    };
    let maybe: Vec<_> = allowed.iter().map(|word| prop::option::weighted(0.4, one(word))).collect();
    maybe.prop_map(|options| options.into_iter().flatten().collect::<String>())
}

fn command() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        (1..5).prop_map(|n| format!("(delay {n} minutes)")),
        (select(vec!["v", "w"]), value()).prop_map(|(name, value)| format!("(set {name} {value})")),
        value().prop_map(|v| format!("(send echo message {{:message {v}}})")),
        value().prop_map(|v| format!("(send twilio call-status {{:sid {v}}})")),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        let block = ["retries", "within", "success", "failure"].as_slice();
        prop_oneof![
            (select(vec!["seq", "par"]), prop::collection::vec(inner.clone(), 1..4), options(inner.clone(), block))
                .prop_map(|(word, members, options)| format!("({word} {}{options})", members.join(" "))),
            (value(), options(inner.clone(), &["template", "retries", "within", "success", "failure"]))
                .prop_map(|(v, options)| format!("(send echo message {{:message {v}}}{options})")),
            (value(), options(inner.clone(), &["template", "success", "failure"]))
                .prop_map(|(v, options)| format!("(event {{:id {v}}}{options})")),
            (predicate(), options(inner.clone(), &["within", "success", "failure"]))
                .prop_map(|(p, options)| format!("(expect {p}{options})")),
            (predicate(), options(inner.clone(), &["success", "failure"])).prop_filter_map(
                "an if needs a branch",
                |(p, options)| (!options.is_empty()).then(|| format!("(if {p}{options})"))
            ),
            (value(), predicate(), inner.clone(), options(inner, &["retries", "success", "failure"])).prop_map(
                |(v, p, c, options)| format!(
                    "(await twilio call-status {{:sid {v}}} (if {p} (success {c})) (within 9 seconds){options})"
                )
            ),
        ]
    })
}

/// What the shell might say next about what is open, or about what is not.
fn input(open: &[Effect], pick: Index, fate: u8) -> InputKind {
    let stray = StepId(u32::from(fate) % 7);
    if open.is_empty() || fate.is_multiple_of(13) {
        return match fate % 4 {
            0 => InputKind::TimerFired { timer: stray },
            1 => InputKind::ExpectMissed { expect: stray },
            2 => InputKind::SendResumed { send: stray },
            _ => InputKind::Answered { send: stray, answer: Answer::Failed(Failure::default()) },
        };
    }
    let bad = fate.is_multiple_of(3);
    let answer = if bad {
        let error = "no".to_owned();
        Answer::Failed(Failure {
            error,
            retryable: fate.is_multiple_of(2),
            ambiguous: fate.is_multiple_of(5),
            ..Failure::default()
        })
    } else {
        let response = object(if fate.is_multiple_of(2) { r#"{"x":{"y":1}}"# } else { r#"{"x":"z"}"# });
        Answer::Succeeded(Success { response, ..Success::default() })
    };
    match &open[pick.index(open.len())] {
        Effect::Send(request) if request.poll => InputKind::Polled { poll: request.id, answer, unchanged: 0 },
        Effect::Send(request) => InputKind::Answered { send: request.id, answer },
        Effect::SetTimer(timer) => InputKind::TimerFired { timer: timer.id },
        Effect::OpenExpect(expect) if bad => InputKind::ExpectMissed { expect: expect.id },
        Effect::OpenExpect(expect) => InputKind::ExpectMet {
            expect: expect.id,
            position: domain::ids::Position(1),
            event: object(r#"{"x":1}"#),
        },
        Effect::AppendEvent(append) if bad => {
            InputKind::EventRefused { append: append.id, reason: "no".to_owned() }
        }
        Effect::AppendEvent(append) => {
            InputKind::EventAppended { append: append.id, event: domain::ids::EventId([1; 16]) }
        }
        other => panic!("{other:?} is never outstanding"),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    /// `take` checks each step: pure, its entries read back, and something is outstanding until it has ended.
    #[test]
    fn a_reaction_ends_or_waits_and_is_the_fold_of_its_inputs(
        source in command(),
        fates in prop::collection::vec((any::<Index>(), any::<u8>()), 0..60),
        cut in any::<Index>(),
    ) {
        let mut script = Script::new(&source, &[("TM1", "{{a}} {{v}}")]);
        let mut recorded: Vec<Effect> = Vec::new();
        let start = InputKind::Started(Box::new(domain::reaction::Started {
            reaction: domain::ids::ReactionId([7; 16]),
            program: domain::ids::Position(1),
            templates: Default::default(),
            context: object(r#"{"a":{"b":"c"}}"#),
            augmented: Default::default(),
            rules: domain::reaction::Rules { commands: 200, ..Default::default() },
        }));
        recorded.extend(script.take(start));
        for (pick, fate) in fates {
            let open: Vec<Effect> = script.state.outstanding().cloned().collect();
            recorded.extend(script.take(input(&open, pick, fate)));
        }
        // A process that dies at any point and comes back folds what was recorded, and goes on.
        let mut state = State::default();
        let mut effects = Vec::new();
        let cut = cut.index(script.inputs.len() + 1);
        for input in &script.inputs[..cut] {
            effects.extend(step(&script.pinned, &mut state, input));
        }
        let back = program(&source);
        let pinned = domain::reaction::Pinned { program: back, templates: script.pinned.templates.clone() };
        for input in &script.inputs[cut..] {
            effects.extend(step(&pinned, &mut state, input));
        }
        prop_assert_eq!(&state, &script.state);
        prop_assert_eq!(&effects, &recorded);
        // One key is one notification: only the attempts of one command share it.
        let mut keys: Vec<_> = recorded.iter().filter_map(|effect| match effect {
            Effect::Send(request) => Some((&request.key, request.attempt)),
            _ => None,
        }).collect();
        let all = keys.len();
        keys.sort();
        keys.dedup();
        prop_assert_eq!(keys.len(), all);
        let ended = recorded.iter().filter(|effect| matches!(effect, Effect::Finished(_))).count();
        prop_assert_eq!(ended, usize::from(state.finished().is_some()));
    }

    #[test]
    fn what_is_printed_reads_back_as_the_same_program(source in command()) {
        let program = program(&source);
        let again = self::program(&program.to_string());
        prop_assert_eq!(placeless(again), placeless(program));
    }

    #[test]
    fn no_text_makes_the_parser_panic(
        pieces in prop::collection::vec(
            select(vec![
                "(", ")", "{", "}", "seq", "par", "send", "echo", "message", ":message", "\"a\"", "*a*", "$x", "v",
                "+TM1", "5", "minutes", "within", "retries", "success", "failure", "if", "await", "expect", "event",
                "=", "and", "set", "delay", "template", "é", "*", "$", ":", "+", "\"{{a\"",
            ]),
            0..60,
        ),
        text in "\\PC{0,40}",
    ) {
        for source in [pieces.join(" "), text] {
            if let Err(problems) = then::parse(&source, &Limits::default()) {
                prop_assert!(!problems.is_empty());
                for problem in problems {
                    problem.render(&source);
                }
            }
        }
    }
}

/// The program without its places in the source.
fn placeless(mut program: Program) -> Program {
    fn forget(command: &mut Command) {
        command.span = Span::default();
        match &mut command.kind {
            CommandKind::Seq(members) | CommandKind::Par(members) => members.iter_mut().for_each(forget),
            CommandKind::If { then: a, otherwise: b, .. }
            | CommandKind::Await { success: a, failure: b, .. } => {
                a.iter_mut().chain(b).for_each(|branch| forget(branch));
            }
            _ => {}
        }
        command.success.iter_mut().chain(&mut command.failure).for_each(|option| forget(option));
    }
    forget(&mut program.root);
    program.warnings.clear();
    program
}
