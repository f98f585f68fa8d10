//! What a person was asked to do for a tenant, what people answered, and which secrets they received.

use flowswap_contract::{Handle, RunSheet};
use jiff::{SignedDuration, Timestamp};

use crate::{Actor, Direction, HandoverChannel};

/// How long the other side must keep inferring that a step is done before it counts without a confirmation. A test of the
/// connection looks like its submission at first. The next synchronization tells them apart, so this is longer than the five
/// minutes between two synchronizations (PAN).
const BELIEVED_AFTER: SignedDuration = SignedDuration::from_mins(6);

/// What a person was asked to do.
#[derive(Debug, Clone, PartialEq)]
pub struct Question {
    /// The step.
    pub step: String,
    /// Whether to carry it out or to roll it back.
    pub direction: Direction,
    /// What to do.
    pub sheet: RunSheet,
    /// The person who is asked. `None` if anybody may do it.
    pub owner: Option<String>,
    /// When the person was asked.
    pub since: Timestamp,
    /// When it is due.
    pub deadline: Timestamp,
    /// The confirmations, oldest first.
    pub claims: Vec<Claim>,
    /// Since when the other side infers that it is done, by the clock of this machine.
    pub noticed: Option<Timestamp>,
}

impl Question {
    /// The first secret that the run sheet asks the person to paste, with the label of its field.
    pub fn secret(&self) -> Option<(&str, Handle)> {
        let mut lines = self.sheet.lines.iter();
        lines.find_map(|line| Some((line.label.as_str(), Handle::from_value(line.value.as_ref()?)?)))
    }

    /// When the other side's inference starts to count without a confirmation. `None` while it infers nothing.
    pub fn believed_at(&self) -> Option<Timestamp> {
        self.noticed?.checked_add(BELIEVED_AFTER).ok()
    }
}

/// A person's confirmation that a step is done.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Claim {
    /// Who.
    pub by: Actor,
    /// When.
    pub at: Timestamp,
    /// A note of the person.
    pub note: Option<String>,
}

/// A secret that was given to a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Handover {
    /// Its name.
    pub handle: Handle,
    /// Who received it.
    pub by: Actor,
    /// How.
    pub way: HandoverChannel,
    /// When.
    pub at: Timestamp,
}
