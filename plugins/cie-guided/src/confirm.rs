//! Confirms after the swap that the directory synchronizes by itself, kept its name, and lost nobody. Each check notes the
//! syncs that it saw for the next check.

use std::collections::{BTreeMap, BTreeSet};

use flowswap_contract::{Error, Evidence, EvidenceResult, Handle, StepParams, TestReply, Values};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::{
    api::{Api, read_time},
    baseline::{self, Baseline, KEY, MAX_MEMBERS},
    compare,
    domains::{self, Directory, is_healthy},
    people::{GroupSelection, People},
    plan::ConfirmPayload,
    sync::{SyncState, Syncs},
};

/// The output for the next check: the successful syncs since the swap that flowswap saw.
const SYNCS: &str = "syncs";

/// Checks once. Reads people only after enough syncs: before that, the directory may still hold the old state.
pub(crate) async fn confirm(api: &Api<'_>, params: &StepParams) -> Result<TestReply, Error> {
    let payload: ConfirmPayload = params.payload()?;
    let swapped_at = read_time("swapped_at", params.input("swapped_at")?)?;
    let before = baseline::of_inputs(params)?;
    let all = domains::list(api).await?;
    if let Some(evidence) = compare::find_missing(&payload.directory, &all, &before) {
        return Ok(TestReply { outputs: notes(&read_notes(params)), evidence: vec![evidence], wait_ms: None });
    }
    let shown = domains::find(&all, &payload.directory)?;
    let syncs = Syncs::new(swapped_at, read_notes(params), shown.last_success);
    let Some(now) = api.service_now() else {
        let detail =
            "the directory service's answer has no readable `Date`, so flowswap cannot tell how old its syncs are";
        let evidence = vec![Evidence::new("sync", EvidenceResult::Inconclusive, detail)];
        return Ok(TestReply { outputs: notes(&syncs.since), evidence, wait_ms: None });
    };
    let state = match (&shown.unreadable, syncs.state(now)) {
        (Some(_), SyncState::Stalled) => SyncState::Waiting,
        (_, state) => state,
    };
    let mut evidence = vec![
        Evidence::new("directory", EvidenceResult::Pass, format!("{} exists under its name", shown.name)),
        check_syncs(&syncs, state, shown),
        check_status(shown),
    ];
    let mut wait_ms = (state == SyncState::Waiting || is_healthy(shown.status.as_deref()) == Some(false))
        .then(|| syncs.wait_for_next(now));
    if payload.app_data {
        let wait = syncs.wait_for_applications(now);
        evidence.push(check_applications(&syncs, wait));
        wait_ms = wait_ms.or((wait > 0).then_some(wait));
    }
    if state == SyncState::Enough {
        let key = params.secret_input(KEY)?;
        evidence.extend(compare_people(api, &payload, &before, shown, key).await?);
    }
    Ok(TestReply { outputs: notes(&syncs.since), evidence, wait_ms })
}

pub(crate) fn read_notes(params: &StepParams) -> Vec<Timestamp> {
    let noted = params.outputs.get(SYNCS).and_then(Value::as_array);
    noted.into_iter().flatten().filter_map(|time| time.as_str()?.parse().ok()).collect()
}

pub(crate) fn notes(syncs: &[Timestamp]) -> Values {
    let syncs: Vec<_> = syncs.iter().map(Timestamp::to_string).collect();
    [(SYNCS.to_owned(), json!(syncs))].into()
}

/// A green status alone proves nothing: it may be that of the sync before the swap (vendor documentation).
pub(crate) fn check_syncs(syncs: &Syncs, state: SyncState, shown: &Directory) -> Evidence {
    let since: Vec<_> = syncs.since.iter().map(Timestamp::to_string).collect();
    let seen = match since.as_slice() {
        [] => format!("no sync yet that is more than 5 minutes after the swap at {}", syncs.swapped_at),
        times => format!("syncs more than 5 minutes after the swap at {}: {}", syncs.swapped_at, times.join(", ")),
    };
    let evidence = |result, detail| Evidence::new("sync", result, detail);
    match state {
        SyncState::Enough => evidence(EvidenceResult::Pass, seen),
        SyncState::Waiting if shown.unreadable.is_some() => {
            evidence(EvidenceResult::Inconclusive, format!("{seen}; {}", shown.explain_no_sync()))
        }
        SyncState::Waiting => {
            evidence(EvidenceResult::Inconclusive, format!("{seen}; flowswap waits for two such syncs"))
        }
        SyncState::Stalled => {
            let last = shown.last_success.map_or("never".to_owned(), |last| format!("at {last}"));
            let status = shown.status.as_deref().unwrap_or("not shown");
            let detail = format!("{seen}; the last sync was {last}, more than 30 minutes ago; the status is {status}");
            evidence(EvidenceResult::Fail, detail).of_rule("sync-stalled")
        }
    }
}

/// Never fails: one sync may fail and the next succeed. If no sync succeeds any more, the check of the syncs fails.
pub(crate) fn check_status(shown: &Directory) -> Evidence {
    let word = shown.status.as_deref().unwrap_or("not shown");
    let result = match is_healthy(shown.status.as_deref()) {
        Some(true) => EvidenceResult::Pass,
        Some(false) => EvidenceResult::Inconclusive,
        None => EvidenceResult::NotApplicable,
    };
    Evidence::new("status", result, format!("the status is {word}"))
}

fn check_applications(syncs: &Syncs, wait_ms: u64) -> Evidence {
    if wait_ms > 0 {
        let detail = format!("the directory collects applications within 3 hours of the swap at {}", syncs.swapped_at);
        return Evidence::new("applications", EvidenceResult::Inconclusive, detail);
    }
    Evidence::new(
        "applications",
        EvidenceResult::Pass,
        "3 hours have passed since the swap, and the schedule collects applications within that time. The interface does not \
         show applications or their sync, so this check relies only on the schedule",
    )
}

async fn compare_people(
    api: &Api<'_>,
    payload: &ConfirmPayload,
    before: &Baseline,
    shown: &Directory,
    key: Handle,
) -> Result<Vec<Evidence>, Error> {
    let people = People { api, directory: &payload.directory, key };
    let user_key = before.user_key.as_deref().unwrap_or("User Principal Name");
    let group_key = before.group_key.as_deref().unwrap_or("Distinguished Name");
    let users = people.users(Some(user_key)).await?;
    let wanted: BTreeSet<&str> = before.sample.iter().map(|sampled| sampled.group.as_str()).collect();
    let groups = people.groups(&GroupSelection::Only(&wanted), Some(group_key)).await?;
    let mut members = BTreeMap::new();
    for (group, id) in &groups.chosen {
        // A group that has more than doubled its limit is left out, as too large to compare.
        if let Some(crowd) = people.members(id, user_key, MAX_MEMBERS * 2).await? {
            members.insert(group.clone(), crowd);
        }
    }
    // The budget comes from the configuration, not from the plan: an administrator may allow an expected loss later.
    let budget = api.config.loss_budget;
    Ok(vec![
        compare::users(&users, shown.counts.users, before, budget),
        compare::groups(&groups, shown.counts.groups, before, budget),
        compare::members(&members, &users.hashes, before, budget),
    ])
}
