//! What is a good file, and what is said of a bad one.

use super::*;

type Read = (Vec<String>, Vec<(u64, Vec<String>)>);

/// Reads a file in pieces of `size` bytes: the header, and each row with its offset.
fn read(text: &[u8], size: usize) -> Result<Read, Error> {
    let mut scanner = Scanner::default();
    let mut rows = Vec::new();
    let see = |rows: &mut Vec<_>, seen: Row<'_>| {
        let fields: Vec<String> = slices(seen.text, seen.ends).map(str::to_owned).collect();
        assert_eq!(seen.key(), fields[0]);
        rows.push((seen.offset, fields));
    };
    for piece in text.chunks(size) {
        scanner.push(piece, |seen| see(&mut rows, seen))?;
    }
    let (header, count) = scanner.end(|seen| see(&mut rows, seen))?;
    assert_eq!(count, rows.len() as u64);
    Ok((header, rows))
}

fn whole(text: &str) -> Result<Read, String> {
    let read_whole = read(text.as_bytes(), usize::MAX).map_err(|error| error.to_string());
    for size in [1, 2, 3, 7] {
        assert_eq!(read(text.as_bytes(), size).map_err(|error| error.to_string()), read_whole, "{size}");
    }
    if let Ok((_, rows)) = &read_whole {
        for (offset, fields) in rows {
            let unmarked = text.trim_start_matches('\u{feff}').as_bytes();
            assert_eq!(row(&unmarked[usize::try_from(*offset).unwrap()..]), *fields);
        }
    }
    read_whole
}

fn rows(text: &str) -> Vec<Vec<String>> {
    whole(text).unwrap().1.into_iter().map(|(_, fields)| fields).collect()
}

#[test]
fn quotes_line_ends_and_blank_lines_are_read_as_rfc_4180_has_them() {
    assert_eq!(
        rows("custId,first-name\n101,Ryan\n201,John\n123,Bob"),
        [["101", "Ryan"], ["201", "John"], ["123", "Bob"]]
    );
    assert_eq!(rows("a,b\r\n1,2\r\n\r\n\n3,4\r\n"), [["1", "2"], ["3", "4"]]);
    assert_eq!(
        rows("a,b\n\"x, \"\"y\"\"\r\nz\",\"\"\n,\n\"\",\n"),
        [["x, \"y\"\r\nz", ""], ["", ""], ["", ""]]
    );
    assert_eq!(rows("a\n1\n\"\"\r\n2"), [["1"], [""], ["2"]]);
    let marked = (vec!["né".into(), "b".into()], vec![(6, vec!["1".into(), "ü".into()])]);
    assert_eq!(whole("\u{feff}\"né\",b\n1,ü\n".replace("\"né\"", "né").as_str()).unwrap(), marked);
    assert_eq!(whole("\u{feff}\"né\",b\n").unwrap().0, ["né", "b"]);
    assert_eq!(whole("\u{fec0},b\n").unwrap().0, ["\u{fec0}", "b"]);
    assert_eq!(whole("a,b\n").unwrap().1, []);
    // The first column's name may be borne again: what was looked up is overridden.
    assert_eq!(whole("segment,segment\nGold,Platinum\n").unwrap().0, ["segment", "segment"]);
}

#[test]
fn a_bad_file_is_refused_with_its_line() {
    for (text, line, message) in [
        ("", 1, "empty"),
        ("\n\r\n", 1, "empty"),
        ("a,,b\n", 1, "column 2 has no name"),
        ("a,b,b\n", 1, "two columns are called \"b\""),
        ("a,a,a\n", 1, "two columns are called \"a\""),
        ("a,b\n1,2\n3\n", 3, "1 field found where the header has 2 fields"),
        ("a,b\n\"1\n1\",2\n3,4,5\n", 4, "3 fields found"),
        ("a,b\n1,2\n\"3\n\n,4\n", 3, "never closed"),
        ("a,b\n1,x\"y\n", 2, "in the middle of a field"),
        ("a,b\n1,\"x\ny\"z\n", 3, "after a closing quote"),
        ("a,b\r1,2\r", 1, "carriage return"),
        ("a,b\n1,2\r", 2, "carriage return"),
        ("a,b\n1,\0\n", 2, "NUL"),
    ] {
        let error = whole(text).unwrap_err();
        assert!(error.starts_with(&format!("line {line}: ")) && error.contains(message), "{text:?}: {error}");
    }
    for bad in [&b"a,b\n\xc3,\xa9\n"[..], b"a,b\n1,\xff\n", b"a,b\n1,\xed\xa0\x80\n"] {
        assert_eq!(read(bad, 1).unwrap_err(), Error { line: 2, message: "a field is not UTF-8".into() });
    }
    let long = format!("a,b\n1,2\n1,{}\n", "x".repeat(ROW_BYTES));
    assert_eq!(read(long.as_bytes(), 1024).unwrap_err().line, 3);
    assert!(read("a,".repeat(COLUMNS).as_bytes(), 64).unwrap_err().message.contains("columns"));
}

proptest::proptest! {
    #[test]
    fn what_is_written_by_the_rules_is_read_back_and_nothing_panics(
        table in proptest::collection::vec(proptest::collection::vec("[a-c\"\n\r,é ]{0,4}", 2), 0..6),
        noise in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..64),
    ) {
        let mut text = String::from("k,v\n");
        for fields in &table {
            let quoted: Vec<_> = fields.iter().map(|f| format!("\"{}\"", f.replace('"', "\"\""))).collect();
            text.push_str(&quoted.join(","));
            text.push_str("\r\n");
        }
        proptest::prop_assert_eq!(rows(&text), table);
        let _ = read(&noise, 5);
        let _ = row(&noise);
    }
}
