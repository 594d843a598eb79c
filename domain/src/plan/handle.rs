//! Handles: what stands in files for a name, and in place of an id.

use std::cmp::Ordering;
use std::collections::BTreeMap;

/// How many characters of a name a handle takes over: it becomes a file's name.
const LONGEST: usize = 60;

/// A handle for each name, in their order: lower case, letters, digits and hyphens, a letter first, for `+2nd` would be a
/// number in a program; what is taken gets a number. What a name lacks of it, the word `otherwise` gives.
pub fn handles<'a>(names: impl IntoIterator<Item = &'a str>, otherwise: &str) -> Vec<String> {
    // With what is taken the number from which to look on: many may have one name.
    let mut taken: BTreeMap<String, u64> = BTreeMap::new();
    let mut handles = Vec::new();
    for name in names {
        let base = handle(name, otherwise);
        let mut free = base.clone();
        if let Some(mut next) = taken.get(&base).copied() {
            while taken.contains_key(&free) {
                free = format!("{base}-{next}");
                next += 1;
            }
            taken.insert(base, next);
        }
        taken.insert(free.clone(), 2);
        handles.push(free);
    }
    handles
}

fn handle(name: &str, otherwise: &str) -> String {
    let lower = name.to_lowercase();
    let words = lower.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    let joined: String = words.collect::<Vec<_>>().join("-").chars().take(LONGEST).collect();
    let handle = joined.trim_end_matches('-');
    match handle.chars().next() {
        None => otherwise.to_owned(),
        Some(first) if first.is_alphabetic() => handle.to_owned(),
        Some(_) => format!("{otherwise}-{handle}"),
    }
}

/// The order of handles: that of their words, numbers by their value (`cart-2` before `cart-10`).
pub fn compare(a: &str, b: &str) -> Ordering {
    words(a).cmp(&words(b)).then_with(|| a.cmp(b))
}

/// The words of a handle; of a number its length and digits, and it comes before any other word.
fn words(handle: &str) -> Vec<(bool, usize, &str)> {
    let word = |word| match str::trim_start_matches(word, '0') {
        digits if !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_digit()) => {
            (false, digits.len(), digits)
        }
        _ => (true, 0, word),
    };
    handle.split('-').map(word).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_handle_is_its_name_in_lower_case_and_what_is_taken_gets_a_number() {
        let names = [
            "Abandoned cart!",
            "abandoned  CART",
            "Abandoned cart 2",
            "",
            "—",
            "Über 100%",
            "x/../y",
            "2 for 1",
        ];
        let want = [
            "abandoned-cart",
            "abandoned-cart-2",
            "abandoned-cart-2-2",
            "it",
            "it-2",
            "über-100",
            "x-y",
            "it-2-for-1",
        ];
        assert_eq!(handles(names, "it"), want);
        assert_eq!(handles(["é".repeat(256).as_str()], "it"), ["é".repeat(60)]);
    }

    #[test]
    fn numbers_are_ordered_by_their_value() {
        let mut all = ["cart-10", "cart", "cart-2-2", "cart-2", "cart-b", "b"];
        all.sort_by(|a, b| compare(a, b));
        assert_eq!(all, ["b", "cart", "cart-2", "cart-2-2", "cart-10", "cart-b"]);
    }

    proptest! {
        /// Made anew in the order of their handles, the same names get the same handles.
        #[test]
        fn names_keep_their_handles_when_they_are_made_in_the_order_of_handles(
            names in prop::collection::vec("(it|[aA2])?( 2)?", 0..14)
        ) {
            let mut first: Vec<(String, String)> =
                handles(names.iter().map(String::as_str), "it").into_iter().zip(names).collect();
            first.sort_by(|(a, _), (b, _)| compare(a, b));
            let again = handles(first.iter().map(|(_, name)| name.as_str()), "it");
            let before: Vec<&String> = first.iter().map(|(handle, _)| handle).collect();
            prop_assert_eq!(again.iter().collect::<Vec<_>>(), before);
        }
    }
}
