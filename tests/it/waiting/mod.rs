//! What waits for a person or for time.

/// A person at the terminal, led through the queue.
mod interactive;
/// What is shown of histories that were made by hand: every kind of waiting in one fleet.
mod reports;
/// The secret of a sheet: given once, to a terminal or a clipboard, and nowhere else.
mod secret;
/// A fleet with one tenant in every kind of waiting, as a journal would have it.
mod story;
/// Confirming, declining, watching.
mod words;
