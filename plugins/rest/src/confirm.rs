//! Confirms the flow and the client after the swap, that a sync has come since then, and that nothing was lost.

use flowswap_contract::{
    Counts, Error, ErrorKind, EvidenceResult, Flow, HttpAnswer, Intent, StepParams, TestReply, Values,
};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    api::Api,
    detect::{self, is_healthy},
    fields::Directory,
    plan::{Baseline, ConfirmPayload},
    shown_time::ShownTime,
    template::{Bindings, Variable},
};

/// How many users may be missing, per mille: people leave while a migration runs.
const USER_LOSS_PER_MILLE: u64 = 5;

/// The output for the next check if the swap has no time: the last sync that the first check saw.
const FIRST_SEEN: &str = "first_seen_sync";

/// The time that a sync must be later than, by the gateway's own clock.
struct Since {
    after: Option<Timestamp>,
    event: &'static str,
}

impl Since {
    /// The last sync, if it is certainly later.
    fn find<'a>(&self, shown: &'a Directory) -> Option<&'a ShownTime> {
        shown.last_success.as_ref().filter(|time| time.at().zip(self.after).is_some_and(|(time, after)| time > after))
    }
}

/// What the swap may not make worse.
struct Before {
    baseline: Baseline,
    app_data: bool,
}

/// The result of one check: its name, result, and detail.
type CheckResult = (&'static str, EvidenceResult, String);

/// Checks the directory once. To wait for a sync, the engine calls it again.
pub(crate) async fn confirm(api: &Api<'_>, params: &StepParams) -> Result<TestReply, Error> {
    let payload: ConfirmPayload = params.payload()?;
    let baseline = read_baseline(params, &payload)?;
    let client_id = params.input("client_id")?;
    let swapped_at = read_swapped_at(params)?;
    let (shown, answer) = read_status(api, &payload.id).await?;
    let healthy = is_healthy(api.config, shown.status.as_deref());
    let first_seen = params.outputs.get(FIRST_SEEN).and_then(Value::as_str).and_then(|text| text.parse().ok());
    // Only times of one clock are compared. If the swap has no time, a sync must follow the one that the first check saw.
    let (after, since) = match (swapped_at, first_seen) {
        (Some(swapped_at), _) => (Some(swapped_at), "the swap"),
        (None, first_seen) => (first_seen, "the sync that the first check after the swap saw"),
    };
    let before = Before { baseline, app_data: payload.app_data };
    let results = check_all(&shown, healthy, shows_sync(api), &before, client_id, &Since { after, event: since });
    let shown_now = shown.last_success.as_ref().and_then(ShownTime::at);
    let note = first_seen.or(shown_now).filter(|_| swapped_at.is_none());
    let outputs = note.map(|time| (FIRST_SEEN.to_owned(), json!(time.to_string())));
    let evidence =
        results.into_iter().map(|(check, result, detail)| api.evidence(check, result, detail, &answer)).collect();
    Ok(TestReply { outputs: Values::from_iter(outputs), evidence, ..TestReply::default() })
}

/// Reads the time of the swap. It is null if the answer to the submit had no readable `Date`.
fn read_swapped_at(params: &StepParams) -> Result<Option<Timestamp>, Error> {
    if params.inputs.get("swapped_at").is_some_and(Value::is_null) {
        return Ok(None);
    }
    let text = params.input("swapped_at")?;
    let wrong = || Error::new(ErrorKind::Protocol, format!("`swapped_at` is not an RFC 3339 time: {text}"));
    text.parse().map(Some).map_err(|_| wrong())
}

/// Reads what the step `test` saw before the swap.
fn read_baseline(params: &StepParams, payload: &ConfirmPayload) -> Result<Baseline, Error> {
    let Some(value) = params.inputs.get("baseline") else {
        let counts = payload
            .baseline
            .ok_or_else(|| Error::new(ErrorKind::Protocol, format!("step `{}` has no baseline", params.step.id)))?;
        return Ok(Baseline { counts, was_healthy: payload.was_healthy });
    };
    Baseline::deserialize(value).map_err(|error| {
        Error::new(ErrorKind::Protocol, format!("the baseline of step `{}` cannot be read: {error}", params.step.id))
    })
}

async fn read_status(api: &Api<'_>, id: &str) -> Result<(Directory, HttpAnswer), Error> {
    let Some(status) = &api.config.status else { return detect::read(api, id).await };
    let bindings = Bindings::default().bind(Variable::Id, id);
    let answer = api.send("show its status", Intent::Read, &status.operation, &bindings).await?;
    Ok((status.fields.decode(&answer.body, api.config)?, answer))
}

fn shows_sync(api: &Api<'_>) -> bool {
    api.config.status.as_ref().unwrap_or(&api.config.read).fields.has("last_success")
}

fn check_all(
    shown: &Directory,
    healthy: Option<bool>,
    shows_sync: bool,
    before: &Before,
    client_id: &str,
    since: &Since,
) -> Vec<CheckResult> {
    let has_synced = since.find(shown).is_some();
    let mut results = vec![
        check_flow(shown),
        check_client(shown, client_id),
        check_status(shown, healthy, before.baseline, has_synced),
        check_sync(shown, shows_sync, since),
    ];
    if let Some(app_data) = shown.app_data {
        let result = if app_data == before.app_data { EvidenceResult::Pass } else { EvidenceResult::Fail };
        let verb = if app_data { "collects" } else { "does not collect" };
        results.push(("app-data", result, format!("the directory {verb} enterprise applications")));
    }
    if has_synced || !shows_sync {
        results.extend(check_counts(&shown.counts, before));
    }
    results
}

fn check_flow(shown: &Directory) -> CheckResult {
    let Some(flow) = shown.flow else {
        return ("flow", EvidenceResult::Inconclusive, "the directory does not show its flow".to_owned());
    };
    let result = if flow == Flow::ClientCredentials { EvidenceResult::Pass } else { EvidenceResult::Fail };
    ("flow", result, format!("the directory uses the flow {flow}"))
}

fn check_client(shown: &Directory, client_id: &str) -> CheckResult {
    match shown.client_id.as_deref() {
        Some(shown) if shown == client_id => {
            ("client", EvidenceResult::Pass, format!("the directory uses the client {shown}"))
        }
        Some(shown) => {
            ("client", EvidenceResult::Fail, format!("the directory uses the client {shown}, not {client_id}"))
        }
        None => ("client", EvidenceResult::NotApplicable, "the directory does not show its client".to_owned()),
    }
}

fn check_status(shown: &Directory, healthy: Option<bool>, baseline: Baseline, has_synced: bool) -> CheckResult {
    let word = shown.status.as_deref().unwrap_or("not shown");
    let result = match healthy {
        Some(true) => EvidenceResult::Pass,
        // If the last sync before the swap failed, the status stays so until the next sync ends.
        Some(false) if baseline.was_healthy == Some(false) && !has_synced => EvidenceResult::Inconclusive,
        Some(false) => EvidenceResult::Fail,
        None if shown.status.is_some() => EvidenceResult::Inconclusive,
        None => EvidenceResult::NotApplicable,
    };
    ("status", result, format!("the status is {word}"))
}

/// A green status alone proves nothing: it may be that of the sync before the swap (vendor documentation).
fn check_sync(shown: &Directory, shows_sync: bool, since: &Since) -> CheckResult {
    let event = since.event;
    if let Some(time) = since.find(shown) {
        return ("sync", EvidenceResult::Pass, format!("synchronized at {time}"));
    }
    let detail = match (&shown.last_success, since.after) {
        // Only the provider's log can show a sync then.
        (None, _) if !shows_sync => {
            let detail = "the description does not say where the answer shows a sync".to_owned();
            return ("sync", EvidenceResult::NotApplicable, detail);
        }
        (None, _) => "the directory does not show a sync yet".to_owned(),
        (Some(time @ ShownTime::Unreadable(_)), _) => {
            format!(
                "the directory shows `{time}` as its last sync; expected RFC 3339 with an offset, or seconds since 1970"
            )
        }
        (Some(time), Some(after)) => format!("last synchronized at {time}, not later than {event} at {after}"),
        (Some(time), None) => format!(
            "last synchronized at {time}; the answer that showed the swap had no readable `Date`, so only a later sync counts"
        ),
    };
    ("sync", EvidenceResult::Inconclusive, detail)
}

fn check_counts(now: &Counts, before: &Before) -> Vec<CheckResult> {
    let then = &before.baseline.counts;
    let mut results = Vec::new();
    if let (Some(then), Some(now)) = (then.users, now.users) {
        let is_enough = u128::from(now) * 1000 >= u128::from(then) * u128::from(1000 - USER_LOSS_PER_MILLE);
        results.push(check_count("users", then, now, is_enough, EvidenceResult::Fail));
    }
    if let (Some(then), Some(now)) = (then.groups, now.groups) {
        results.push(check_count("groups", then, now, now >= then, EvidenceResult::Fail));
    }
    if let (true, Some(then), Some(now)) = (before.app_data, then.applications, now.applications) {
        // Applications follow their own schedule, up to three hours later. If all of them are gone, something may be wrong.
        let is_enough = then == 0 || now > 0;
        results.push(check_count("applications", then, now, is_enough, EvidenceResult::Inconclusive));
    }
    results
}

fn check_count(check: &'static str, then: u64, now: u64, is_enough: bool, otherwise: EvidenceResult) -> CheckResult {
    let result = if is_enough { EvidenceResult::Pass } else { otherwise };
    (check, result, format!("{now} now, {then} before"))
}

#[cfg(test)]
mod tests {
    use EvidenceResult::{Fail, Inconclusive, NotApplicable, Pass};

    use super::*;

    const SWAPPED: &str = "2026-01-01T12:00:00.5Z";

    fn at(text: &str) -> Option<ShownTime> {
        ShownTime::read(&json!(text))
    }

    fn since_swap() -> Since {
        Since { after: SWAPPED.parse().ok(), event: "the swap" }
    }

    fn good() -> Directory {
        Directory {
            flow: Some(Flow::ClientCredentials),
            client_id: Some("new".to_owned()),
            app_data: Some(true),
            status: Some("success".to_owned()),
            last_success: at("2026-01-01T12:00:00.51Z"),
            counts: Counts { users: Some(1000), groups: Some(10), applications: Some(3) },
            ..Directory::default()
        }
    }

    fn check_with(change: impl Fn(&mut Directory, &mut Baseline), healthy: Option<bool>) -> Vec<CheckResult> {
        let mut shown = good();
        let counts = Counts { users: Some(1000), groups: Some(10), applications: Some(3) };
        let mut baseline = Baseline { counts, was_healthy: Some(true) };
        change(&mut shown, &mut baseline);
        check_all(&shown, healthy, true, &Before { baseline, app_data: true }, "new", &since_swap())
    }

    #[test]
    fn each_check_has_its_result() {
        type Change = fn(&mut Directory, &mut Baseline);
        let table: [(&str, Change, Option<bool>, &str, EvidenceResult); 22] = [
            ("all good", |_, _| {}, Some(true), "sync", Pass),
            ("old flow", |s, _| s.flow = Some(Flow::AuthorizationCode), Some(true), "flow", Fail),
            ("no flow", |s, _| s.flow = None, Some(true), "flow", Inconclusive),
            ("another client", |s, _| s.client_id = Some("old".to_owned()), Some(true), "client", Fail),
            ("hidden client", |s, _| s.client_id = None, Some(true), "client", NotApplicable),
            ("running", |_, _| {}, None, "status", Inconclusive),
            ("failed", |_, _| {}, Some(false), "status", Fail),
            (
                "still failed",
                |s, p| (s.last_success, p.was_healthy) = (None, Some(false)),
                Some(false),
                "status",
                Inconclusive,
            ),
            ("failed again", |_, p| p.was_healthy = Some(false), Some(false), "status", Fail),
            ("no status", |s, _| s.status = None, None, "status", NotApplicable),
            ("no sync yet", |s, _| s.last_success = at("2026-01-01T12:00:00.50Z"), Some(true), "sync", Inconclusive),
            ("never a sync", |s, _| s.last_success = None, Some(true), "sync", Inconclusive),
            ("a word", |s, _| s.last_success = at("yesterday"), Some(true), "sync", Inconclusive),
            ("no offset", |s, _| s.last_success = at("2026-01-01T12:05:00"), Some(true), "sync", Inconclusive),
            ("apps dropped", |s, _| s.app_data = Some(false), Some(true), "app-data", Fail),
            ("few users left", |s, _| s.counts.users = Some(995), Some(true), "users", Pass),
            ("many users left", |s, _| s.counts.users = Some(994), Some(true), "users", Fail),
            ("users came", |s, _| s.counts.users = Some(1001), Some(true), "users", Pass),
            ("a group left", |s, _| s.counts.groups = Some(9), Some(true), "groups", Fail),
            ("all apps left", |s, _| s.counts.applications = Some(0), Some(true), "applications", Inconclusive),
            (
                "no apps before",
                |s, p| (s.counts.applications, p.counts.applications) = (Some(0), Some(0)),
                Some(true),
                "applications",
                Pass,
            ),
            (
                "huge",
                |s, p| (s.counts.users, p.counts.users) = (Some(u64::MAX), Some(u64::MAX)),
                Some(true),
                "users",
                Pass,
            ),
        ];
        for (case, change, healthy, check, expected) in table {
            let results = check_with(change, healthy);
            let found = results.iter().find(|(name, ..)| *name == check).map(|(_, result, _)| *result);
            assert_eq!(found, Some(expected), "{case}: {results:?}");
            let others = results.iter().filter(|(name, ..)| *name != check && *name != "sync");
            assert!(others.clone().all(|(_, result, _)| *result == Pass), "{case}: {results:?}");
        }
    }

    #[test]
    fn counts_are_checked_at_once_if_the_interface_shows_no_sync() {
        let counts = Counts { users: Some(1000), groups: Some(10), applications: None };
        let before = Before { baseline: Baseline { counts, was_healthy: None }, app_data: true };
        for (users, expected) in [(1000, Pass), (900, Fail)] {
            let shown = Directory { last_success: None, ..good() };
            let shown = Directory { counts: Counts { users: Some(users), ..shown.counts }, ..shown };
            let results = check_all(&shown, Some(true), false, &before, "new", &since_swap());
            let of = |check: &str| results.iter().find(|(name, ..)| *name == check).map(|(_, result, _)| *result);
            assert_eq!((of("sync"), of("users")), (Some(NotApplicable), Some(expected)), "{results:?}");
        }
    }

    #[test]
    fn counts_are_not_checked_before_a_sync() {
        let results = check_with(|s, _| (s.last_success, s.counts.users) = (None, Some(0)), Some(true));
        assert!(results.iter().all(|(name, ..)| !["users", "groups", "applications"].contains(name)), "{results:?}");
    }
}
