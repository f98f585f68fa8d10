//! Rows whose expectation is not met yet, each with the reason. They are printed, and one that is met must leave this list.

/// A row's name, and why it fails.
pub(super) const KNOWN: &[(&str, &str)] = &[];
