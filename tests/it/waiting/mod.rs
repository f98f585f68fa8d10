//! Tenants that wait for a person or for time.

/// A person at the terminal who is led through the sheets.
mod interactive;
/// What `--metrics` tells of tenants that wait.
mod metrics;
/// Reports about a fleet with every kind of waiting tenant.
mod reports;
/// The secret of a sheet goes only to a terminal or a clipboard.
mod secret;
/// A handmade journal with one tenant for every kind of waiting.
mod story;
/// Confirming, declining, and watching.
/// Swapped tenants whose rollback needs a person.
pub(crate) mod words;
