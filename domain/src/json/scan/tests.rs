//! The scanner is held to the parser: the same lines taken, the same attributes found.

use proptest::prelude::*;

use super::*;

const NAMES: [&str; 9] =
    ["a", "b", "a.b", "b.a.b", "é", "long name beyond what is kept as words", "", "a.", "."];

fn agree(scanner: &mut Scanner, text: &str) {
    let mut at = 0;
    for line in text.split('\n') {
        let tree = parse(line.as_bytes(), Limits::STORED).ok().filter(|tree| tree.as_object().is_some());
        let end = at + line.len();
        let taken = scanner.line(text, at);
        assert_eq!(taken, tree.is_some().then_some(end), "{line:?} in {text:?}");
        if let Some(tree) = tree {
            for name in NAMES {
                assert_eq!(scanner.event(text).attribute(name), tree.attribute(name), "{name:?} of {line:?}");
            }
        }
        at = end + 1;
    }
}

/// Pieces that values, names and what is wrong with them are made of.
fn piece() -> impl Strategy<Value = String> {
    let pieces = [
        "{",
        "}",
        "[",
        "]",
        ",",
        ":",
        "\"",
        "\\",
        "\"a\":",
        "\"b\":",
        "\"a.b\":",
        "\"\\u0061\":",
        "\"é\" :",
        " ",
        "\t",
        "\r",
        "0",
        "-",
        "12",
        "1.5",
        "1e9",
        "E",
        "+",
        ".",
        "true",
        "false",
        "null",
        "tru",
        "\"x\"",
        "\"\\n\"",
        "\"\\ud83d\\ude00\"",
        "\"\\ud83d\"",
        "\"\\ude00\"",
        "\"\\u12\"",
        "\"\u{1}\"",
        "\0",
        "\"a\": {\"b\": 1}",
        "é",
        "\"long name beyond what is kept as words\":",
    ];
    prop_oneof![
        6 => proptest::sample::select(pieces.to_vec()).prop_map(str::to_owned),
        1 => "[ -~]{0,12}",
    ]
}

fn json() -> impl Strategy<Value = String> {
    let text = || {
        proptest::sample::select(vec![
            "\"\"",
            "\"x\"",
            "\"eight by\"",
            "\"é\\t\\u00e9 and more of it\"",
            "\"\\\\\"",
        ])
    };
    let leaf = prop_oneof![
        text().prop_map(str::to_owned),
        proptest::sample::select(vec![
            "0",
            "-0.5",
            "1e-7",
            "123456789012345",
            "true",
            "false",
            "null",
            " {} ",
            "[ ]"
        ])
        .prop_map(str::to_owned),
    ];
    let name = proptest::sample::select(vec![
        "\"a\"",
        "\"b\"",
        "\"a.b\"",
        "\"\\u0061\"",
        "\"é\"",
        "\"c\"",
        "\"\"",
        "\"a.\"",
        "\"long name beyond what is kept as words\"",
    ]);
    leaf.prop_recursive(4, 40, 5, move |inner| {
        let member =
            (name.clone(), "[ \t\r]{0,1}", inner.clone()).prop_map(|(n, s, v)| format!("{n}{s}:{s}{v}"));
        prop_oneof![
            3 => prop::collection::vec(member, 0..6).prop_map(|members| format!("{{{}}}", members.join(","))),
            1 => prop::collection::vec(inner, 0..4).prop_map(|list| format!("[{}]", list.join(" ,"))),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4_000, ..ProptestConfig::default() })]

    #[test]
    fn a_line_is_taken_and_read_as_the_parser_does(
        lines in prop::collection::vec((json(), any::<prop::sample::Index>(), prop::option::of(piece()), any::<bool>()), 1..5),
    ) {
        let changed = lines.into_iter().map(|(line, place, piece, cut)| {
            let places: Vec<usize> = line.char_indices().map(|(at, _)| at).chain([line.len()]).collect();
            let at = *place.get(&places);
            match piece {
                Some(piece) => format!("{}{piece}{}", &line[..at], &line[at..]),
                None if cut => line[..at].to_owned(),
                None => line,
            }
        });
        agree(&mut Scanner::new(NAMES), &changed.collect::<Vec<_>>().join("\n"));
    }

    #[test]
    fn pieces_in_any_order_are_refused_as_the_parser_does(pieces in prop::collection::vec(piece(), 0..12)) {
        agree(&mut Scanner::new(NAMES), &format!("{{\"a\":1,{}", pieces.concat()));
        agree(&mut Scanner::new(NAMES), &format!("{{{}}}", pieces.concat()));
    }
}

#[test]
fn special_bytes_are_found_wherever_they_stand() {
    let mut scanner = Scanner::new(NAMES);
    for special in ["\"", "\\", "\\n", "\u{1f}", " ", "\u{7f}", "é", "!", "#", "]", "["] {
        for at in 0..20 {
            agree(&mut scanner, &format!("{{\"a\":\"{}{special}{}\"}}", "x".repeat(at), "y".repeat(20 - at)));
        }
    }
}

#[test]
fn nesting_is_bounded_as_the_parser_bounds_it() {
    let mut scanner = Scanner::new(NAMES);
    for deep in [190, 191, 192, 100_000] {
        agree(&mut scanner, &format!("{{\"a\":{}{}}}", "[".repeat(deep), "]".repeat(deep)));
        agree(&mut scanner, &format!("{}1{}", "{\"b\":".repeat(deep), "}".repeat(deep)));
    }
}
