//! Confirms after the swap: the directory synchronizes by itself, is still called what it was, and lost nobody. Each look
//! notes which syncs it saw for the next.

use std::collections::{BTreeMap, BTreeSet};

use flowswap_contract::{Error, Evidence, EvidenceResult, Handle, StepParams, TestReply, Values};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::{
    api::{Api, read_time},
    baseline::{self, Baseline, KEY, MOST_MEMBERS},
    compare,
    domains::{self, Directory, tell_health},
    people::{Choice, People},
    plan::ConfirmPayload,
    read_payload,
    sync::{Standing, Syncs},
};

/// The note: the successful syncs since the swap that were seen.
const SYNCS: &str = "syncs";

/// Looks once. People are read only when the syncs are there: before that, the directory may hold what it held.
pub(crate) async fn confirm(api: &Api<'_>, params: &StepParams) -> Result<TestReply, Error> {
    let payload: ConfirmPayload = read_payload(params)?;
    let swapped_at = read_time("swapped_at", params.input("swapped_at")?)?;
    let before = baseline::of_inputs(params)?;
    let all = domains::list(api).await?;
    if let Some(evidence) = compare::find_missing(&payload.directory, &all, &before) {
        return Ok(TestReply { outputs: notes(&read_notes(params)), evidence: vec![evidence], wait_ms: None });
    }
    let shown = domains::find(&all, &payload.directory)?;
    let syncs = Syncs::new(swapped_at, read_notes(params), shown.last_success);
    let Some(now) = api.their_now() else {
        let detail =
            "the directory service's answer has no `Date` that can be read, and no other clock tells of its syncs";
        let evidence = vec![Evidence::new("sync", EvidenceResult::Inconclusive, detail)];
        return Ok(TestReply { outputs: notes(&syncs.since), evidence, wait_ms: None });
    };
    let standing = match (&shown.unreadable, syncs.judge(now)) {
        (Some(_), Standing::Stalled) => Standing::Awaited,
        (_, standing) => standing,
    };
    let mut evidence = vec![
        Evidence::new("directory", EvidenceResult::Pass, format!("{} is there under its name", shown.name)),
        judge_syncs(&syncs, standing, shown),
        judge_status(shown),
    ];
    let mut wait_ms = (standing == Standing::Awaited || tell_health(shown.status.as_deref()) == Some(false))
        .then(|| syncs.wait_for_next(now));
    if payload.app_data {
        let wait = syncs.wait_for_applications(now);
        evidence.push(judge_applications(&syncs, wait));
        wait_ms = wait_ms.or((wait > 0).then_some(wait));
    }
    if standing == Standing::Enough {
        let key = params.secret_input(KEY)?;
        evidence.extend(compare_people(api, &payload, &before, shown, key).await?);
    }
    Ok(TestReply { outputs: notes(&syncs.since), evidence, wait_ms })
}

fn read_notes(params: &StepParams) -> Vec<Timestamp> {
    let noted = params.outputs.get(SYNCS).and_then(Value::as_array);
    noted.into_iter().flatten().filter_map(|time| time.as_str()?.parse().ok()).collect()
}

fn notes(syncs: &[Timestamp]) -> Values {
    let syncs: Vec<_> = syncs.iter().map(Timestamp::to_string).collect();
    [(SYNCS.to_owned(), json!(syncs))].into()
}

/// A green status alone is no proof: it may be that of the sync before the swap (vendor documentation).
fn judge_syncs(syncs: &Syncs, standing: Standing, shown: &Directory) -> Evidence {
    let since: Vec<_> = syncs.since.iter().map(Timestamp::to_string).collect();
    let seen = match since.as_slice() {
        [] => format!("no sync since 5 minutes after the swap at {}", syncs.swapped_at),
        times => format!("syncs since 5 minutes after the swap at {}: {}", syncs.swapped_at, times.join(", ")),
    };
    let evidence = |result, detail| Evidence::new("sync", result, detail);
    match standing {
        Standing::Enough => evidence(EvidenceResult::Pass, seen),
        Standing::Awaited if shown.unreadable.is_some() => {
            evidence(EvidenceResult::Inconclusive, format!("{seen}; {}", shown.explain_no_sync()))
        }
        Standing::Awaited => evidence(EvidenceResult::Inconclusive, format!("{seen}; two are wanted")),
        Standing::Stalled => {
            let last = shown.last_success.map_or("never".to_owned(), |last| format!("at {last}"));
            let status = shown.status.as_deref().unwrap_or("not shown");
            let detail = format!("{seen}; the last one was {last}, more than 30 minutes ago; the status is {status}");
            evidence(EvidenceResult::Fail, detail).of_rule("sync-stalled")
        }
    }
}

/// One sync may fail and the next be good; that none is good any more, the syncs show.
fn judge_status(shown: &Directory) -> Evidence {
    let word = shown.status.as_deref().unwrap_or("not shown");
    let result = match tell_health(shown.status.as_deref()) {
        Some(true) => EvidenceResult::Pass,
        Some(false) => EvidenceResult::Inconclusive,
        None => EvidenceResult::NotApplicable,
    };
    Evidence::new("status", result, format!("the status is {word}"))
}

fn judge_applications(syncs: &Syncs, wait_ms: u64) -> Evidence {
    match wait_ms {
        0 => Evidence::new(
            "applications",
            EvidenceResult::Pass,
            "3 hours have passed since the swap, within which applications are collected; the interface shows neither them \
             nor their sync, so this rests on the schedule alone",
        ),
        _ => {
            let detail = format!("applications are collected within 3 hours of the swap at {}", syncs.swapped_at);
            Evidence::new("applications", EvidenceResult::Inconclusive, detail)
        }
    }
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
    let groups = people.groups(&Choice::These(&wanted), Some(group_key)).await?;
    let mut members = BTreeMap::new();
    for (group, id) in &groups.chosen {
        // One that has grown beyond measure has lost nobody that could be told.
        if let Some(crowd) = people.members(id, user_key, MOST_MEMBERS * 2).await? {
            members.insert(group.clone(), crowd);
        }
    }
    // Who has found that a loss is right may allow for it after the plan was made.
    let budget = api.config.loss_budget;
    Ok(vec![
        compare::users(&users, shown.counts.users, before, budget),
        compare::groups(&groups, shown.counts.groups, before, budget),
        compare::members(&members, &users.hashes, before, budget),
    ])
}
