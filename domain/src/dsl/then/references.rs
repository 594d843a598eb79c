//! Where a text names templates: in any text, also in one that is not valid yet.

use std::ops::Range;

use crate::dsl::token::{Fragment, Token, begins_like_a_number, fragment, token};

/// The places of the names in `+name`, without the `+`, in order.
pub fn template_names(source: &str) -> Vec<Range<usize>> {
    let mut names = Vec::new();
    let mut rest = source;
    while let Ok((after, token)) = token(rest) {
        rest = match token {
            Token::Quote => behind_string(after),
            Token::Word(word) => {
                let end = source.len() - after.len();
                let name =
                    word.strip_prefix('+').filter(|name| !name.is_empty() && !begins_like_a_number(word));
                names.extend(name.map(|name| end - name.len()..end));
                after
            }
            Token::Blank | Token::Open(_) | Token::Close(_) | Token::Stray(_) => after,
        };
    }
    names
}

/// What follows a string, from behind its opening quote.
fn behind_string(mut rest: &str) -> &str {
    while let Ok((after, fragment)) = fragment(rest) {
        rest = after;
        if matches!(fragment, Fragment::End) {
            break;
        }
    }
    rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_outside_strings_and_comments_even_in_a_torn_text() {
        let names = |source: &str| {
            template_names(source).into_iter().map(|range| source[range].to_owned()).collect::<Vec<_>>()
        };
        let source = r#"(send echo message {:a +TM1 :b "+TM2 \" +TM3"} ; +TM4
            (template {:message +über-2 :n +5})) + a+b"#;
        assert_eq!(names(source), ["TM1", "über-2"]);
        assert_eq!(names("((+TM1 \"+TM2"), ["TM1"]);
        assert_eq!(names(""), Vec::<String>::new());
    }
}
