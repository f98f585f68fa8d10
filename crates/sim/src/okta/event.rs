//! The events of the System Log, as an org stores them.

use jiff::Timestamp;

/// One event.
#[derive(Clone, Debug)]
pub(crate) struct LogEvent {
    pub(super) uuid: String,
    /// By the org's clock.
    pub(super) published: Timestamp,
    /// By the world's.
    pub(super) happened: Timestamp,
    pub(super) event_type: String,
    pub(super) actor: Entity,
    pub(super) targets: Vec<Entity>,
    pub(super) client_id: Option<String>,
    pub(super) user_agent: String,
    pub(super) outcome: Outcome,
    pub(super) request_id: String,
    pub(super) grant: Option<TokenGrant>,
}

/// The details of a token grant in `debugContext.debugData` of its event. It is an inference that Okta puts them there:
/// its documents show such members, and promise none.
#[derive(Clone, Debug)]
pub(crate) struct TokenGrant {
    pub(crate) grant_type: String,
    /// The requested scopes. `None` if the event does not show them.
    pub(crate) requested: Option<String>,
    pub(crate) scopes: Vec<String>,
}

/// The outcome of an event. A failure has a reason.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Outcome {
    Success,
    Failure(&'static str),
}

/// Who did something, or to what.
#[derive(Clone, Debug)]
pub(super) struct Entity {
    pub(super) id: String,
    pub(super) kind: String,
    pub(super) name: String,
}
