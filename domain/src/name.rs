//! The one rule for names of things (rest-api.md §2); what a name is for is the business of who bears it.

/// The longest name, in characters.
pub const MAX: usize = 256;

/// Whether `name` is neither empty nor longer than [`MAX`] characters.
pub fn is_valid(name: &str) -> bool {
    // Cut short: a name of a megabyte is not counted to its end.
    (1..=MAX).contains(&name.chars().take(MAX + 1).count())
}
