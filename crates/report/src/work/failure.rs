//! What failed or was refused, by cause: failures that differ only in a tenant's own names and ids are one.

use std::{borrow::Cow, collections::BTreeMap};

use flowswap_contract::{ErrorKind, Phase};
use flowswap_engine::{Direction, TenantState};
use schemars::JsonSchema;
use serde::Serialize;

use super::{attempt::AttemptEnd, tenant::WorkedTenant};
use crate::cause::group;

/// Failures with one cause.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Failure {
    /// The step that failed. `None` if the work failed outside of a step, or if a run refused the tenant.
    pub step: Option<String>,
    /// The phase of the step.
    pub phase: Option<Phase>,
    /// Whether it was to be carried out or rolled back.
    pub direction: Option<Direction>,
    /// The kind of error. `None` if only the state of the tenant shows the failure, or if a run refused the tenant.
    pub kind: Option<ErrorKind>,
    /// What happened, with `…` for the words that differ between the tenants.
    pub message: String,
    /// How many attempts failed, or how often a run refused a tenant.
    pub times: usize,
    /// The tenants.
    pub tenants: Vec<String>,
    /// Those of the tenants whose failure did not last: the step succeeded later, the tenant left the state, or a later run did not
    /// refuse it.
    pub healed: Vec<String>,
}

/// One failure of one tenant.
struct Occurrence<'a> {
    tenant: &'a str,
    message: Cow<'a, str>,
    is_healed: bool,
}

/// What failures with one cause have in common besides their message. The order is that of the report.
type Key<'a> = (Option<Phase>, Option<&'a str>, bool, Option<String>);

/// What else the failures of a key share.
type Common = (Option<Direction>, Option<ErrorKind>);

/// Groups the failures of all tenants. `own_words` gives the names and ids of a tenant.
pub(crate) fn by_cause<'a>(tenants: &'a [WorkedTenant], own_words: impl Fn(&str) -> Vec<String>) -> Vec<Failure> {
    let mut found: BTreeMap<Key<'a>, (Common, Vec<Occurrence<'a>>)> = BTreeMap::new();
    let mut words: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for tenant in tenants {
        let mut has_failed = false;
        let mut add = |key, common, message: Cow<'a, str>, is_healed| {
            has_failed = true;
            let occurrence = Occurrence { tenant: &tenant.name, message, is_healed };
            found.entry(key).or_insert_with(|| (common, Vec::new())).1.push(occurrence);
        };
        for attempt in tenant.attempts.iter().filter(|attempt| attempt.end == AttemptEnd::Failed) {
            let Some(error) = &attempt.error else { continue };
            let is_back = attempt.direction == Direction::Back;
            let key = (Some(attempt.phase), Some(attempt.step.as_str()), is_back, Some(format!("{:?}", error.kind)));
            let common = (Some(attempt.direction), Some(error.kind));
            add(key, common, error.message.as_str().into(), attempt.healed_at.is_some());
        }
        for reason in failures_without_attempt(tenant) {
            let is_healed = !is_failure(tenant.state_now.unwrap_or(tenant.state));
            add((None, None, false, None), (None, None), reason.into(), is_healed);
        }
        for refusal in tenant.refusals.iter().filter(|refusal| !refusal.is_skipped) {
            let lasts = tenant.is_refused && tenant.state_now.is_none() && tenant.refusals.last() == Some(refusal);
            add((None, None, false, None), (None, None), refusal.sentence().into(), !lasts);
        }
        if has_failed {
            words.insert(&tenant.name, own_words(&tenant.name));
        }
    }
    let of_key = |((phase, step, ..), ((direction, kind), occurrences)): (Key<'_>, (Common, Vec<Occurrence<'_>>))| {
        let describe = |occurrence: &Occurrence<'_>| {
            let own = words.get(occurrence.tenant).into_iter().flatten().map(String::as_str);
            (occurrence.message.clone().into_owned(), own.collect())
        };
        let groups = group(occurrences, describe).into_iter();
        let step = step.map(str::to_owned);
        groups.map(move |group| Failure::of((phase, step.clone(), direction, kind), group.text, &group.items)).collect()
    };
    let mut failures: Vec<Failure> = found.into_iter().flat_map(|entry| -> Vec<Failure> { of_key(entry) }).collect();
    // The sort is stable, so equal numbers stay in the order of the phases.
    failures.sort_by_key(|failure| std::cmp::Reverse(failure.tenants.len()));
    failures
}

/// The reasons of failures that no attempt shows: a step in doubt that no check could settle, or a run sheet that was declined.
fn failures_without_attempt(tenant: &WorkedTenant) -> Vec<&str> {
    let has_failed_attempt = |run| {
        let failed = |attempt: &super::attempt::Attempt| attempt.end == AttemptEnd::Failed && attempt.run == run;
        tenant.attempts.iter().any(failed)
    };
    let ended = tenant.ends.iter().filter(|end| is_failure(end.state) && !has_failed_attempt(end.run));
    let reasons: Vec<_> = ended.map(|end| end.reason.as_deref().unwrap_or_default()).collect();
    let is_shown = !reasons.is_empty() || tenant.attempts.iter().any(|attempt| attempt.end == AttemptEnd::Failed);
    if is_failure(tenant.state) && !is_shown {
        return vec![tenant.reason.as_deref().unwrap_or_default()];
    }
    reasons
}

/// Whether a tenant in this state counts as failed.
pub(crate) fn is_failure(state: TenantState) -> bool {
    matches!(state, TenantState::Failed | TenantState::Stuck)
}

impl Failure {
    fn of(
        (phase, step, direction, kind): (Option<Phase>, Option<String>, Option<Direction>, Option<ErrorKind>),
        message: String,
        occurrences: &[Occurrence<'_>],
    ) -> Self {
        // A tenant is healed if its last failure is.
        let healed: BTreeMap<&str, bool> =
            occurrences.iter().map(|occurrence| (occurrence.tenant, occurrence.is_healed)).collect();
        Self {
            step,
            phase,
            direction,
            kind,
            message,
            times: occurrences.len(),
            tenants: healed.keys().map(|name| (*name).to_owned()).collect(),
            healed: healed.iter().filter(|(_, is_healed)| **is_healed).map(|(name, _)| (*name).to_owned()).collect(),
        }
    }
}
