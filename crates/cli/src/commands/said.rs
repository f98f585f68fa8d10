//! What people said of a tenant's steps, as reports show it.

use flowswap_engine::{Claim, Entry, Record, TenantState};
use jiff::Timestamp;
use serde::Serialize;

use crate::display::text::{Text, text};

/// What somebody said of a step.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Said {
    /// When.
    pub(crate) at: Timestamp,
    /// Who.
    pub(crate) by: String,
    /// The step.
    pub(crate) step: String,
    /// What.
    pub(crate) word: Word,
    /// What else was said.
    pub(crate) note: Option<String>,
}

/// What can be said of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Word {
    Confirmed,
    Declined,
    ResolvedApplied,
    ResolvedNotApplied,
    Abandoned,
}

impl Said {
    /// A person's word that a step is done.
    pub(crate) fn claim(step: &str, claim: &Claim) -> Self {
        let Claim { by, at, note } = claim.clone();
        Self { at, by, step: step.to_owned(), word: Word::Confirmed, note }
    }

    /// All that was said of a tenant since its work began. The state forgets a claim once the step is seen to be done; the
    /// records do not.
    pub(crate) fn all(tenant: &str, records: &[Record]) -> Vec<Self> {
        let mut all = Vec::new();
        for record in records.iter().filter(|record| record.draft.tenant.as_deref() == Some(tenant)) {
            let at = record.draft.at;
            let said = |step: &str, by: &str, word, note: Option<&str>| Self {
                at,
                by: by.to_owned(),
                step: step.to_owned(),
                word,
                note: note.map(str::to_owned),
            };
            match &record.draft.entry {
                Entry::Confirmed { step, by, note } => all.push(said(step, by, Word::Confirmed, note.as_deref())),
                Entry::Declined { step, by, reason } => all.push(said(step, by, Word::Declined, Some(reason))),
                Entry::Resolved { step, by, reason, stands, .. } => {
                    let word = match stands {
                        flowswap_engine::Resolution::Applied => Word::ResolvedApplied,
                        flowswap_engine::Resolution::NotApplied => Word::ResolvedNotApplied,
                    };
                    all.push(said(step, by, word, Some(reason)));
                }
                Entry::Abandoned { by, reason, .. } => all.push(said("swap", by, Word::Abandoned, Some(reason))),
                Entry::TenantEnded { state: TenantState::RolledBack, .. } => all.clear(),
                _ => {}
            }
        }
        all
    }

    /// One line about it.
    pub(crate) fn show(&self) -> Text {
        let Self { at, by, step, note, .. } = self;
        let word = match self.word {
            Word::Confirmed => "is done",
            Word::Declined => "will not be done",
            Word::ResolvedApplied => "is in place",
            Word::ResolvedNotApplied => "is not in place",
            Word::Abandoned => "stays, and is not taken back",
        };
        let note = note.as_ref().map(|note| text!(" (“{}”)", note)).unwrap_or_default();
        text!("{} said at {} that `{}` {}{}", by, at, step, word, note)
    }
}
