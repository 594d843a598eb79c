//! The language `when` as its users meet it: every example of the original documentation (seeds 000 and 001, by
//! file and line), and what is said of a pattern that is wrong. Read next: `when_properties.rs`.

use domain::dsl::when::parse;
use domain::dsl::{Code, Diagnostic, Limits, Place};

fn canonical(source: &str) -> String {
    let when = parse(source, &Limits::default()).unwrap_or_else(|problems| panic!("{source}: {problems:?}"));
    when.trigger.to_string()
}

fn refused(source: &str) -> Vec<Diagnostic> {
    parse(source, &Limits::default()).map(|when| panic!("{source} is taken: {when:?}")).unwrap_err()
}

#[test]
fn well_formed_examples_of_the_seeds_have_a_canonical_form() {
    for (place, source, expected) in [
        ("000:201", r#"(when (event (= id "1234")))"#, r#"(event (= id "1234"))"#),
        ("000:235", r#"(event (= type "curl"))"#, r#"(event (= type "curl"))"#),
        ("000:250", r#"(when (event (= "id" "1234")))"#, r#"(event (= id "1234"))"#),
        ("000:289", r#"(when (event (= "id" "1234")))"#, r#"(event (= id "1234"))"#),
        ("000:336", r#"(event (or (= username "cxengage")))"#, r#"(event (or (= username "cxengage")))"#),
        ("001:25", r#"(event (= callAction "AbandonedCall"))"#, r#"(event (= callAction "AbandonedCall"))"#),
        ("001:371", r#"(event (= customerSegment "platinum"))"#, r#"(event (= customerSegment "platinum"))"#),
        (
            "001:385",
            r#"(event (and (= customerSegment "platinum")
            (= event "flcheck")))"#,
            r#"(event (and (= customerSegment "platinum") (= event "flcheck")))"#,
        ),
        (
            "001:402",
            r#"(count 2 (event (and (= customerSegment "platinum")
                     (= event "flcheck")))) "#,
            r#"(count 2 (event (and (= customerSegment "platinum") (= event "flcheck"))))"#,
        ),
        (
            "001:419",
            r#"(all (count 2 (event (and (= customerSegment "platinum") 
                            (= eventType "flcheck")))) 
       (count 1 (event (and (= customerSegment "platinum") 
                            (= eventType "cnclticket")))))"#,
            r#"(all (count 2 (event (and (= customerSegment "platinum") (= eventType "flcheck")))) (count 1 (event (and (= customerSegment "platinum") (= eventType "cnclticket")))))"#,
        ),
        (
            "001:428",
            r#"(within 1 hours 
        (all (count 2 (event (and (= customerSegment "platinum") 
                                    (= eventType "flcheck")))) 
               (count 1 (event (and (= customerSegment "platinum") 
                                    (= eventType "cnclticket"))))))"#,
            r#"(within 1 hours (all (count 2 (event (and (= customerSegment "platinum") (= eventType "flcheck")))) (count 1 (event (and (= customerSegment "platinum") (= eventType "cnclticket"))))))"#,
        ),
        (
            "001:447",
            r#"(all (seq (event (= eventType "flcheck")) 
                   (event (= eventType "cnclticket"))))"#,
            r#"(all (seq (event (= eventType "flcheck")) (event (= eventType "cnclticket"))))"#,
        ),
        // As when.md §3 mends 001:344.
        (
            "when.md",
            r#"(all (within 1 hours (count 2 (event (= CallAction "abandoned")))) (fail (count 1 (event (= CallAction "answered")))))"#,
            r#"(all (within 1 hours (count 2 (event (= CallAction "abandoned")))) (fail (count 1 (event (= CallAction "answered")))))"#,
        ),
    ] {
        assert_eq!(canonical(source), expected, "{place}");
        assert_eq!(canonical(expected), expected, "{place}");
    }
}

#[test]
fn broken_examples_of_the_seeds_are_refused_at_their_place() {
    for (place, source, expected) in [
        (
            "000:406",
            r#"(within 1 minutes (allOf (count 4 (event (and (= customerSegment "Gold")
                                                          (= eventType "flcheck"))))
                                              (event (and (= customerSegment "Gold")
                                                          (= eventType "cnclTicket"))))))"#,
            &[(4, 89, "`)` closes nothing")][..],
        ),
        (
            "001:332",
            r#"(within 1 hours
        (count 2 (event (= CallAction "abandoned")))"#,
            &[(1, 1, "the `(` opened here is not closed")][..],
        ),
        (
            "001:344",
            r#"(all (within 1 hours
                 (count 2 (event (= CallAction "abandoned")))))
                 (fail (count 1 (event (= CallAction "answered"))))"#,
            &[(3, 18, "expected the end, found a list")][..],
        ),
        (
            "001:358",
            r#"(within 30 minutes
        (seq (event (= CallAction "answered")
                    (event (= CallAction "inqueue"))))"#,
            &[(1, 1, "the `(` opened here is not closed"), (3, 21, "an `event` inside an `event`")],
        ),
        (
            "001:358 once closed",
            r#"(within 30 minutes
        (seq (event (= CallAction "answered")
                    (event (= CallAction "inqueue")))))"#,
            &[(3, 21, "an `event` inside an `event`")][..],
        ),
        (
            "001:475, 001:486",
            r#"(all (within 1 hours
               (count 2 (event (= CallAction "abandoned"))))"#,
            &[(1, 1, "the `(` opened here is not closed")][..],
        ),
    ] {
        let problems = refused(source);
        assert_eq!(problems.len(), expected.len(), "{place}: {problems:?}");
        for (problem, (line, column, message)) in problems.iter().zip(expected) {
            let found = Place::of(source, problem.span.start);
            assert_eq!((found.line, found.column), (*line, *column), "{place}: {problem:?}");
            assert!(problem.message.starts_with(message), "{place}: {problem:?}");
        }
    }
}

#[test]
fn the_canonical_form_has_one_way_to_say_a_thing() {
    for (source, expected) in [
        (
            "(ALLOF (Event (Exists a)) (anyof (EVENT (= a 1))))",
            "(all (event (exists a)) (any (event (= a 1))))",
        ),
        ("(within 1 Hour (event (exists a)))", "(within 1 hours (event (exists a)))"),
        (
            "(within 90 second (Seq (event (exists a)) (failWhen (event (exists b)))))",
            "(within 90 seconds (seq (event (exists a)) (fail (event (exists b)))))",
        ),
        (
            "(event (And (Not (= a 1)) (OR (!= a -0.50) (contains a \"x\"))))",
            "(event (and (not (= a 1)) (or (!= a -0.50) (contains a \"x\"))))",
        ),
        ("(event (> 5 a))", "(event (< a 5))"),
        ("(event (<= 5 a))", "(event (>= a 5))"),
        ("(event (= \"x\" a))", "(event (= a \"x\"))"),
        ("(event (= true a))", "(event (= a true))"),
        ("(event (< a b))", "(event (< a b))"),
        ("(event (exists \"a\"))", "(event (exists a))"),
        ("(event (exists \"a b\"))", "(event (exists \"a b\"))"),
        ("(event (= \"true\" \"x\"))", "(event (= \"true\" \"x\"))"),
        ("(event (= \"5\" 5))", "(event (= \"5\" 5))"),
        ("(event (= \"a\" \"b\"))", "(event (= a \"b\"))"),
        ("(event (contains \"abc\" a))", "(event (contains \"abc\" a))"),
        ("(event (contains \"abc\" \"a\"))", "(event (contains abc \"a\"))"),
        ("(event (= a \"\\u0001\n\\\"\\\\é\\ud83d\\ude00\"))", "(event (= a \"\\u0001\\n\\\"\\\\é😀\"))"),
        ("(when (event (= True \"x\"))) ; an attribute", "(event (= True \"x\"))"),
    ] {
        assert_eq!(canonical(source), expected, "{source}");
        assert_eq!(canonical(expected), expected, "{source}");
    }
}

/// What a person reads, in full.
#[test]
fn problems_are_told_with_a_caret_and_a_way_out() {
    for (source, expected) in [
        (
            "",
            &[
                "line 1, column 1: expected a trigger, found nothing; for example (event (= type \"order\"))\n  \n  ^",
            ][..],
        ),
        (
            "(cuont 2 (evnt (= a 1)))",
            &[
                "line 1, column 2: unknown word \"cuont\"; did you mean \"count\"?\n  (cuont 2 (evnt (= a 1)))\n   ^",
            ],
        ),
        (
            "(count 0\n  (evnt (= a 1)))",
            &[
                "line 1, column 8: `count` takes at least 1, found 0\n  (count 0\n         ^",
                "line 2, column 4: unknown word \"evnt\"; did you mean \"event\"?\n    (evnt (= a 1)))\n     ^",
            ],
        ),
        (
            "(within 1.5 huors (event (exsits a)))",
            &[
                "line 1, column 9: `within` takes a whole number, found 1.5\n  (within 1.5 huors (event (exsits a)))\n          ^",
                "line 1, column 13: unknown unit \"huors\"; did you mean \"hours\"?\n  (within 1.5 huors (event (exsits a)))\n              ^",
                "line 1, column 27: unknown word \"exsits\"; did you mean \"exists\"?\n  (within 1.5 huors (event (exsits a)))\n                            ^",
            ],
        ),
        (
            "(cuont 2\n  (event (= a 1))",
            &[
                "line 1, column 1: the `(` opened here is not closed; `)` is missing at the end, or further in front\n  (cuont 2\n  ^",
                "line 1, column 2: unknown word \"cuont\"; did you mean \"count\"?\n  (cuont 2\n   ^",
            ],
        ),
        (
            "(frobnicate)",
            &[
                "line 1, column 2: unknown word \"frobnicate\"; a trigger begins with one of event, count, seq, all, any, within, fail, when, allOf, anyOf, failWhen\n  (frobnicate)\n   ^",
            ],
        ),
        (
            "(event (= 1 2))",
            &[
                "line 1, column 8: `=` without an attribute says nothing about the event; name one first: (= name …)\n  (event (= 1 2))\n         ^",
            ],
        ),
        (
            "(event (= é *id*))",
            &[
                "line 1, column 13: \"*id*\" cannot be the name of an attribute; in a `when` it stands bare: id\n  (event (= é *id*))\n              ^",
            ],
        ),
        (
            "(and (event (exists a)))",
            &[
                "line 1, column 2: expected a trigger, found the predicate `and`; triggers are combined with all; a predicate stands in an event: (event (and …))\n  (and (event (exists a)))\n   ^",
            ],
        ),
    ] {
        let rendered: Vec<String> = refused(source).iter().map(|problem| problem.render(source)).collect();
        assert_eq!(rendered, expected, "{source}");
    }
}

#[test]
fn each_wrong_shape_is_told_at_its_place() {
    for (source, at, part) in [
        ("event", 0, "expected a trigger such as (event …), found the word \"event\""),
        ("()", 0, "expected a trigger such as (event …), found an empty list"),
        ("(5 (event (exists a)))", 0, "expected a keyword after the parenthesis, found 5"),
        ("{}", 0, "found a map"),
        ("(event)", 6, "`event` takes one predicate; something is missing"),
        ("(event a)", 7, "expected a predicate such as (= name \"value\"), found the word \"a\""),
        ("(event (exists a) (exists b))", 18, "`event` takes one predicate; this is one part too many"),
        ("(event (event (exists a)))", 8, "expected a predicate, found the trigger `event`"),
        ("(event (= a))", 11, "`=` takes two operands; something is missing"),
        ("(event (= a 1 2))", 14, "one part too many"),
        ("(event (= a (b)))", 12, "expected an attribute or a literal, found a list"),
        ("(event (= a :b))", 12, "cannot be the name of an attribute"),
        ("(event (exists 5))", 15, "`exists` takes the name of an attribute, found 5"),
        ("(event (and))", 11, "`and` takes at least one predicate"),
        ("(seq)", 4, "`seq` takes at least one trigger"),
        ("(count (event (exists a)))", 25, "`count` takes a whole number and one trigger"),
        ("(count 10001 (event (exists a)))", 7, "`count` takes at most 10000, found 10001"),
        ("(count 99999999999999999999999 (event (exists a)))", 7, "at most 10000"),
        ("(count -1 (event (exists a)))", 7, "`count` takes a whole number, found -1"),
        ("(within 0 days (event (exists a)))", 8, "`within` takes at least 1, found 0"),
        ("(within 367 days (event (exists a)))", 8, "`within` takes at most 366, found 367"),
        ("(within 8785 hours (event (exists a)))", 8, "`within` takes at most 8784, found 8785"),
        ("(within 1 (event (exists a)))", 28, "`within` takes a whole number, a unit and one trigger"),
        ("(within 1 2 (event (exists a)))", 10, "`within` takes seconds, minutes, hours or days"),
        ("(seq (when (event (exists a))))", 6, "`when` stands outermost, and once"),
        ("(when (when (event (exists a))))", 7, "`when` stands outermost, and once"),
        ("(event (exists a)) (event (exists b))", 19, "expected the end, found a list"),
    ] {
        let problems = refused(source);
        assert_eq!(problems.len(), 1, "{source}: {problems:?}");
        assert_eq!(problems[0].span.start, at, "{source}: {problems:?}");
        assert!(problems[0].message.contains(part), "{source}: {problems:?}");
    }
}

/// `A` … `X` stand for events, as on the page.
fn spelled(pattern: &str) -> String {
    let letter = |c: char| c.is_ascii_uppercase().then(|| format!("(event (= type \"{c}\"))"));
    pattern.chars().map(|c| letter(c).unwrap_or_else(|| c.to_string())).collect()
}

#[test]
fn fail_is_taken_where_it_guards_a_stretch() {
    for pattern in [
        "(all A (fail X))",
        "(all (fail X) A (fail Y) B)",
        "(seq A (fail X) B)",
        "(seq A (fail X) (fail Y) B)",
        "(within 1 hours (seq A (fail X)))",
        "(within 1 hours (seq A (fail X) B (fail Y) (fail Z)))",
        "(seq A (within 1 hours (fail X)))",
        "(within 2 hours (seq A (within 1 hours (fail X))))",
        "(seq (within 10 minutes (seq A (fail X))) B)",
        "(any (seq A (within 1 hours (fail X))) B)",
        "(count 2 (all A (fail X)))",
        "(all A (fail (within 1 hours (seq X (fail Y)))))",
        "(all A (fail (all X (fail Y))))",
    ] {
        let source = spelled(pattern);
        assert_eq!(canonical(&source), source);
    }
}

#[test]
fn fail_anywhere_else_is_refused_with_why_and_what_to_write() {
    for (pattern, place, why, instead) in [
        ("(fail X)", "(fail", "alone guards nothing", "(all T (fail …))"),
        ("(when (fail X))", "(fail", "alone guards nothing", "(seq T (within 1 hours (fail …)))"),
        ("(within 1 hours (fail X))", "(within", "alone guards nothing", "(seq T (within 1 hours (fail …)))"),
        ("(seq (fail X))", "(fail", "first in a `seq`", "(all (seq …) (fail …))"),
        ("(seq (fail X) A)", "(fail", "first in a `seq`", "between two members"),
        ("(seq (within 1 hours (fail X)) A)", "(within", "first in a `seq`", "between two members"),
        ("(count 2 (fail X))", "(fail", "cannot be counted", "(all (count n T) (fail …))"),
        ("(any A (fail X))", "(fail", "one of `any`", "(all (any T…) (fail …))"),
        ("(all A (fail (fail X)))", "(fail X", "inside a `fail`", "(fail (all T (fail …)))"),
        ("(event (fail X))", "fail", "takes a trigger", "(all T (fail (event P)))"),
        ("(event (not (fail X)))", "fail", "takes a trigger", "(not P)"),
        ("(seq A (fail X))", "(fail", "until when", "(within 1 hours (seq … (fail …)))"),
        ("(within 1 days (all (seq A (fail X)) B))", "(fail", "until when", "(within 1 hours (fail …))"),
        ("(seq A (within 1 hours (fail X)) B)", "(within", "takes no `within`", "(within 1 hours (seq …))"),
        (
            "(all A (within 1 hours (fail X)))",
            "(within",
            "takes no `within`",
            "(all (within 1 hours T) (fail …))",
        ),
        ("(all (fail X) (fail Y))", "(all", "waits for nothing", "(all T (fail …))"),
        ("(seq A (fail X) (within 1 hours (fail Y)))", "(fail X", "mixed", "(fail (any T U))"),
        (
            "(within 1 days (seq A (within 1 hours (fail X)) (fail Y)))",
            "(within 1 hours",
            "mixed",
            "(fail (any T U))",
        ),
        (
            "(seq A (within 1 hours (fail X)) (within 2 hours (fail Y)))",
            "(within 2",
            "only one",
            "(fail (any T U))",
        ),
        (
            "(seq A (within 2 hours (within 1 hours (fail X))))",
            "(within 1",
            "not in another `within`",
            "(seq T (within",
        ),
    ] {
        let source = spelled(pattern);
        let problems = refused(&source);
        assert_eq!(problems.len(), 1, "{pattern}: {problems:?}");
        let problem = &problems[0];
        assert_eq!(problem.code, Code::MisplacedFail, "{pattern}");
        assert_eq!(Some(problem.span.start), source.find(&spelled(place)), "{pattern}: {problem:?}");
        assert!(problem.message.contains(why), "{pattern}: {problem:?}");
        assert!(problem.hint.as_deref().unwrap_or_default().contains(instead), "{pattern}: {problem:?}");
    }
}

#[test]
fn what_a_window_bounds_too_widely_is_refused_with_the_figure() {
    let source = spelled("(within 1 days (count 10000 (seq A (any B (count 2 C)))))");
    let problems = refused(&source);
    assert_eq!(problems[0].code, Code::Limit);
    assert!(problems[0].message.contains("30000 events") && problems[0].message.contains("480000 bytes"));
    assert!(problems[0].hint.as_deref().unwrap_or_default().contains("16384 events"));
    // 16,384 events are 256 KiB.
    canonical(&spelled("(within 1 days (all (count 8192 A) (fail (count 8192 X))))"));
    refused(&spelled("(within 1 days (all (count 8192 A) (fail (count 8193 X))))"));
    let nested = (0..40).fold("A".to_owned(), |inner, _| format!("(count 10000 {inner})"));
    refused(&spelled(&format!("(within 1 days {nested})")));
}

#[test]
fn chains_whose_beginnings_grow_with_the_square_of_a_count_are_refused_with_and_without_a_window() {
    for (pattern, good) in [
        ("(count 8000 (seq A B))", false),
        ("(within 1 hours (count 8000 (seq A B)))", false),
        ("(within 1 hours (count 1000 (seq A B)))", false),
        ("(within 1 hours (count 100 (seq A B)))", true),
        ("(within 1 hours (count 1000 (any (seq A B) C)))", false),
        ("(within 1 hours (count 1000 (all A B)))", false),
        ("(within 1 hours (count 100 (all A B)))", true),
        ("(within 1 hours (all (count 1000 (seq A B)) (fail X)))", false),
        ("(within 1 hours (seq A (fail (count 1000 (seq X Y))) B))", false),
        ("(within 1 hours (count 10000 A))", true),
        ("(within 1 hours (count 10000 (any A B)))", true),
        ("(within 1 hours (count 100 (count 100 A)))", true),
        ("(count 10000 A)", true),
    ] {
        let source = spelled(pattern);
        match parse(&source, &Limits::default()) {
            Ok(_) => assert!(good, "{pattern} was taken"),
            Err(problems) => {
                assert!(!good, "{pattern}: {problems:?}");
                assert_eq!((problems.len(), problems[0].code), (1, Code::Limit), "{pattern}");
                assert!(problems[0].message.contains("bytes"), "{pattern}: {problems:?}");
            }
        }
    }
}

#[test]
fn what_is_valid_but_doubtful_is_warned_of() {
    for (pattern, expected) in [
        ("A", &[][..]),
        ("(count 1 A)", &[]),
        ("(any A B)", &[]),
        ("(within 1 hours (count 2 A))", &[]),
        ("(any (within 1 hours (count 2 A)) B)", &[]),
        ("(all (within 1 hours (count 2 A)) (fail X))", &[]),
        ("(seq A (within 1 hours (fail (seq X Y))))", &[]),
        ("(count 2 A)", &[Code::Unbounded]),
        ("(seq A B)", &[Code::Unbounded]),
        ("(seq (within 1 hours (seq A B)) C)", &[Code::Unbounded]),
        ("(any A (all B C))", &[Code::Unbounded]),
        ("(event (= a null))", &[Code::Suspicious]),
        ("(event (not (= nil 5)))", &[Code::Suspicious]),
        ("(event (= a \"null\"))", &[]),
        ("(event (> a true))", &[Code::Suspicious]),
    ] {
        let when = parse(&spelled(pattern), &Limits::default()).unwrap();
        let codes: Vec<Code> = when.warnings.iter().map(|warning| warning.code).collect();
        assert_eq!(codes, expected, "{pattern}");
    }
    let null = parse("(event (= a null))", &Limits::default()).unwrap();
    assert_eq!(null.warnings[0].span.start, 12);
    assert!(null.warnings[0].hint.as_deref().unwrap_or_default().contains("(not (exists a))"));
}

#[test]
fn bombs_end_at_a_limit() {
    let wide = Limits { source: usize::MAX, ..Limits::default() };
    for (source, part) in [
        ("(".repeat(100_000), "nested over 64 deep"),
        ("(seq ".repeat(100_000), "nested over 64 deep"),
        ("{".repeat(100_000), "nested over 64 deep"),
        (")".repeat(100_000), "closes nothing"),
        (format!("(seq \"{}", "(".repeat(100_000)), "not closed"),
        ("@".repeat(100_000), "unexpected character"),
        ("5a ".repeat(100_000), "is not a number"),
        ("a ".repeat(100_000), "more than 1000 forms"),
        (format!("({})", "é".repeat(100_000)), "unknown word"),
    ] {
        let problems = parse(&source, &wide).unwrap_err();
        assert!(problems.len() <= 20);
        assert!(problems.iter().any(|problem| problem.message.contains(part)), "{part}: {problems:?}");
        assert!(problems.iter().all(|problem| problem.render(&source).len() < 1_000));
        assert!(refused(&source)[0].message.contains("bytes of source; at most 65536 are taken"));
    }
}
