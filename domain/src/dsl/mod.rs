//! The two languages, in stages of one type each: text → [`reader`] forms → syntax tree → checked.
//!
//! Nothing here panics, does I/O, or takes more than linear time in its input. Problems are collected as
//! [`Diagnostic`]s that say what was found, what was expected and where, and how to mend it.
//! Read next: [`reader`], then [`when`] and [`then`].

pub mod diagnostic;
pub mod reader;
pub mod then;
mod token;
pub mod when;

pub use diagnostic::{Code, Diagnostic, Place, Span};

/// Limits of both languages (when.md §4); the defaults are those of that page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of source.
    pub source: usize,
    /// Parentheses nested this deep.
    pub depth: usize,
    /// Forms in one program.
    pub forms: usize,
    /// The greatest `count`.
    pub count: u64,
    /// The longest span, in milliseconds.
    pub span: i64,
    /// The most `retries`.
    pub retries: u64,
    /// What one pattern may hold for one customer, in bytes.
    pub state: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            source: 64 * 1024,
            depth: 64,
            forms: 1_000,
            count: 10_000,
            span: 366 * 86_400_000,
            retries: 100,
            state: 256 * 1024,
        }
    }
}

impl Limits {
    /// For what was accepted before, under limits that may since have been lowered.
    pub const STORED: Self = Self {
        source: 16 << 20,
        depth: 512,
        forms: 1_000_000,
        count: u32::MAX as u64,
        span: i64::MAX,
        retries: u32::MAX as u64,
        state: usize::MAX,
    };
}
