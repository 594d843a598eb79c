//! The notifier.
