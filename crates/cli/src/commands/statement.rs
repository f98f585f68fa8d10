//! What people stated about a tenant's steps, as reports show it.

use flowswap_engine::{Actor, Claim, Entry, Logbook, Record, Records, TenantState, Time};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

use crate::{
    context::cannot_read,
    display::text::{Text, text},
    exit::Failure,
};

/// What a person stated about a step.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(crate) struct Statement {
    /// When the person stated it.
    #[schemars(with = "Time")]
    pub(crate) at: Timestamp,
    /// The person.
    pub(crate) by: String,
    /// The step.
    pub(crate) step: String,
    /// The kind of statement.
    #[serde(rename = "word")]
    pub(crate) kind: StatementKind,
    /// The note or the reason that the person gave.
    pub(crate) note: Option<String>,
}

/// The kinds of statements.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum StatementKind {
    Confirmed,
    Declined,
    ResolvedApplied,
    ResolvedNotApplied,
    Abandoned,
}

impl Statement {
    /// A person's confirmation that a step is done.
    pub(crate) fn claim(step: &str, claim: &Claim) -> Self {
        let Claim { by, at, note } = claim.clone();
        Self { at, by: by.to_string(), step: step.to_owned(), kind: StatementKind::Confirmed, note }
    }

    /// All statements about a tenant since its work started. The history drops a claim once flowswap sees the step
    /// done; the records keep it.
    pub(crate) async fn all(tenant: &str, logbook: &Logbook) -> Result<Vec<Self>, Failure> {
        let mut all = Vec::new();
        let mut visit = |record: Record| {
            let at = record.draft.at;
            let statement = |step: &str, by: &Actor, kind, note: Option<&str>| Self {
                at,
                by: by.to_string(),
                step: step.to_owned(),
                kind,
                note: note.map(str::to_owned),
            };
            match &record.draft.entry {
                Entry::Confirmed { step, by, note } => {
                    all.push(statement(step, by, StatementKind::Confirmed, note.as_deref()))
                }
                Entry::Declined { step, by, reason } => {
                    all.push(statement(step, by, StatementKind::Declined, Some(reason)))
                }
                Entry::Resolved { step, by, reason, stands, .. } => {
                    let kind = match stands {
                        flowswap_engine::Resolution::Applied => StatementKind::ResolvedApplied,
                        flowswap_engine::Resolution::NotApplied => StatementKind::ResolvedNotApplied,
                    };
                    all.push(statement(step, by, kind, Some(reason)));
                }
                Entry::Abandoned { by, reason, .. } => {
                    all.push(statement("swap", by, StatementKind::Abandoned, Some(reason)))
                }
                Entry::TenantEnded { state: TenantState::RolledBack, .. } => all.clear(),
                _ => {}
            }
            Ok(())
        };
        logbook.journal().load(Records::OfTenant(tenant), &mut visit).await.map_err(cannot_read)?;
        Ok(all)
    }

    /// One line about it.
    pub(crate) fn show(&self) -> Text {
        let Self { at, by, step, note, .. } = self;
        let stated = match self.kind {
            StatementKind::Confirmed => text!("confirmed `{}`", step),
            StatementKind::Declined => text!("declined `{}`", step),
            StatementKind::ResolvedApplied => text!("decided that `{}` is applied", step),
            StatementKind::ResolvedNotApplied => text!("decided that `{}` is not applied", step),
            StatementKind::Abandoned => text!("abandoned the rollback of `{}`", step),
        };
        let note = note.as_ref().map(|note| text!(" (“{}”)", note)).unwrap_or_default();
        text!("{} {} at {}{}", by, stated, at, note)
    }
}
