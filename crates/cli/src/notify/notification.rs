//! One thing that a target is told of. Its key has the number of a record of the journal, so it is the same however often it is
//! told.

use flowswap_config::Occasion;
use flowswap_engine::{Entry, Record, TenantState};
use jiff::Timestamp;
use serde::Serialize;

use crate::full_command;

/// The version of the JSON. Later versions may add keys.
const FORMAT: u32 = 1;

/// The word of a message that only tries a target.
pub(super) const TEST: &str = "test";

/// The id of the finding that makes a plan news.
const DEADLINE_NEAR: &str = "deadline-near";

/// One thing that a target is told of, as its JSON. A key that does not apply is `null`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Notification {
    format: u32,
    /// The record and the word, so that a receiver can tell a repetition.
    pub(super) key: String,
    pub(super) record: u64,
    pub(super) at: Timestamp,
    pub(super) on: &'static str,
    pub(super) tenant: Option<String>,
    pub(super) state: Option<TenantState>,
    pub(super) step: Option<String>,
    pub(super) owner: Option<String>,
    pub(super) deadline: Option<Timestamp>,
    pub(super) reason: Option<String>,
    pub(super) next: Option<String>,
    pub(super) wave: Option<String>,
}

impl Notification {
    /// What a record itself tells. `None` if it is no news.
    pub(super) fn of(record: &Record) -> Option<Self> {
        let tenant = record.draft.tenant.as_deref()?;
        match &record.draft.entry {
            Entry::OperatorAsked { .. } => Self::of_sheet(Occasion::Waiting, record),
            Entry::TenantEnded { state: state @ (TenantState::Stuck | TenantState::Failed), reason, .. } => {
                let (occasion, command) = match state {
                    TenantState::Stuck => (Occasion::Stuck, "stuck"),
                    _ => (Occasion::Failed, "status"),
                };
                Some(Self {
                    state: Some(*state),
                    reason: reason.clone(),
                    next: next(&format!("{command} {tenant}")),
                    ..Self::about(tenant, occasion, record)
                })
            }
            Entry::Planned { findings, wave, .. } if findings.iter().any(|id| id == DEADLINE_NEAR) => Some(Self {
                next: next(&format!("status {tenant}")),
                wave: wave.clone(),
                ..Self::about(tenant, Occasion::DeadlineNear, record)
            }),
            _ => None,
        }
    }

    /// That a person is asked to carry out a run sheet, or is late. `None` if the record asks nobody.
    pub(super) fn of_sheet(occasion: Occasion, record: &Record) -> Option<Self> {
        let Entry::OperatorAsked { step, owner, deadline, .. } = &record.draft.entry else { return None };
        let tenant = record.draft.tenant.as_deref()?;
        Some(Self {
            state: Some(TenantState::Waiting),
            step: Some(step.clone()),
            owner: owner.clone(),
            deadline: Some(*deadline),
            next: next(&format!("sheet {tenant}")),
            ..Self::about(tenant, occasion, record)
        })
    }

    /// That all tenants of a wave are swapped, since this record.
    pub(super) fn of_wave(wave: &str, record: u64, at: Timestamp) -> Self {
        Self {
            state: Some(TenantState::Swapped),
            next: next(&format!("status --wave {wave}")),
            wave: Some(wave.to_owned()),
            ..Self::empty(Occasion::WaveDone.word(), record, at)
        }
    }

    /// A message that only tries a target.
    pub(super) fn test(at: Timestamp) -> Self {
        Self { key: TEST.to_owned(), ..Self::empty(TEST, 0, at) }
    }

    fn about(tenant: &str, occasion: Occasion, record: &Record) -> Self {
        Self { tenant: Some(tenant.to_owned()), ..Self::empty(occasion.word(), record.seq, record.draft.at) }
    }

    fn empty(on: &'static str, record: u64, at: Timestamp) -> Self {
        Self {
            format: FORMAT,
            key: format!("{record}/{on}"),
            record,
            at,
            on,
            tenant: None,
            state: None,
            step: None,
            owner: None,
            deadline: None,
            reason: None,
            next: None,
            wave: None,
        }
    }
}

fn next(command: &str) -> Option<String> {
    Some(full_command::of(format!("flowswap {command}")))
}
