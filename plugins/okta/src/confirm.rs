//! Confirms from Okta's System Log that the directory uses the new client and no longer uses the legacy client.
//!
//! Where the directory shows its connection, one token of the new client and a silent legacy client are enough. Where only
//! the log shows it, the legacy client counts as silent only after its last token has expired. One token alone may come from
//! a connection test that nobody submitted.

use flowswap_contract::{Error, Evidence, EvidenceResult, HttpAnswer, StepParams, TestReply};
use jiff::{SignedDuration, Timestamp};

use crate::{
    api::{Api, evidence_from, read_time},
    plan::ConfirmPayload,
    system_log::{Event, Order, search},
    tokens::{Token, TokenLog},
};

/// A sync that was running when the connection changed may still get a token as the legacy client.
const GRACE: SignedDuration = SignedDuration::from_mins(2);

/// The directory's clock, which dates its swap, may differ from the org's by this much. `finalize` refuses more.
pub(crate) const MAX_CLOCK_SKEW: SignedDuration = SignedDuration::from_mins(5);

/// The time of two syncs: a directory syncs every five minutes (Cloud Identity Engine's manual).
const TWO_SYNCS: SignedDuration = SignedDuration::from_mins(10);

/// Tokens of one Test Connection come at once. Tokens this far apart do not both come from it.
const MIN_TOKEN_GAP: SignedDuration = SignedDuration::from_mins(1);

/// How long before the swap to look for the legacy client's last token: it counts even if it is older than the swap.
const A_DAY: SignedDuration = SignedDuration::from_hours(24);

/// The next sync gets the next token, as one client or the other.
const SYNC_INTERVAL_MS: u64 = 5 * 60 * 1000;

/// Events of a reached limit: the org's, a client's, or an operation's (Okta event types). A new client's first sync is the heaviest.
const LIMITS: [&str; 6] = [
    "system.org.rate_limit.violation",
    "core.concurrency.org.limit.violation",
    "system.client.rate_limit.violation",
    "system.client.concurrency_rate_limit.violation",
    "system.operation.rate_limit.violation",
    "app.oauth2.client_id_rate_limit_warning",
];

const APPS_READ: &str = "okta.apps.read";

/// Checks which tokens others than flowswap have received as either client since the swap.
pub(crate) async fn confirm(api: &Api<'_>, params: &StepParams) -> Result<TestReply, Error> {
    let payload: ConfirmPayload = params.payload()?;
    let start = read_start(params, payload.by_log_alone)?;
    confirm_since(api, params.input("client_id")?, &payload, start).await
}

/// Checks which tokens others than flowswap have received as either client since a time.
pub(crate) async fn confirm_since(
    api: &Api<'_>,
    service_id: &str,
    payload: &ConfirmPayload,
    start: Timestamp,
) -> Result<TestReply, Error> {
    let since = start.to_string();
    let (mut service, answer) = TokenLog::read(api, service_id, &since).await?;
    if !payload.by_log_alone {
        // A token at exactly this time is the connection test's.
        service.granted.retain(|token| token.at > start);
    }
    let legacy = match &payload.legacy_client_id {
        None => None,
        Some(id) => {
            let since = if payload.by_log_alone { (start - A_DAY).to_string() } else { since.clone() };
            let (log, answer) = TokenLog::read(api, id, &since).await?;
            Some(Legacy { id, log, answer })
        }
    };
    let last = legacy.as_ref().and_then(|legacy| legacy.log.granted.first());
    let Some(now) = api.org_now() else {
        let detail = "okta's answers have no readable `Date`, so flowswap cannot tell how old the events are";
        let evidence = vec![evidence_from("token-grant", EvidenceResult::Inconclusive, detail, &answer)];
        return Ok(TestReply { evidence, wait_ms: Some(SYNC_INTERVAL_MS), ..TestReply::default() });
    };
    let newest = service.granted.first().into_iter().chain(last).map(|token| token.at);
    let now = newest.fold(now, Timestamp::max);
    let mut wait_ms = None;
    let (grant, silence) = if payload.by_log_alone {
        let silence = legacy.as_ref().map(|legacy| check_legacy_expired(legacy, &service, start, now));
        wait_ms = silence.as_ref().and_then(|(_, wait_ms)| *wait_ms);
        let grant = check_two_grants(&service, service_id, &since, last, &answer);
        (grant, silence.map(|(evidence, _)| evidence))
    } else {
        let first = service.find_first(api, Some(start)).await?;
        let silence = legacy.as_ref().map(|legacy| check_legacy_silent(legacy, &service, first.as_ref(), start));
        (check_one_grant(&service, service_id, &since, &answer), silence)
    };
    let grant = check_recent(grant, &service, service_id, now);
    if grant.result == EvidenceResult::Inconclusive && (payload.by_log_alone || !service.granted.is_empty()) {
        wait_ms = Some(wait_ms.map_or(SYNC_INTERVAL_MS, |wait_ms| wait_ms.min(SYNC_INTERVAL_MS)));
    }
    let no_client = || Evidence::new("legacy-silent", EvidenceResult::NotApplicable, "the plan names no legacy client");
    let mut evidence = vec![grant, silence.unwrap_or_else(no_client)];
    evidence.push(check_credentials(&service, service_id, legacy.as_ref(), start));
    evidence.push(check_scopes(&service, payload.app_data));
    // A directory without a token cannot have reached a limit, so this saves a request on every check.
    if !service.granted.is_empty() {
        evidence.push(check_rate_limits(api, &since).await?);
    }
    Ok(TestReply { evidence, wait_ms, ..TestReply::default() })
}

/// The time from which tokens count, by the org's clock: the swap's first token where only the log shows the swap, else the end of
/// the connection test. Plans of earlier versions do not note the test, and another clock dates their swap, so tokens close to the
/// swap do not count.
fn read_start(params: &StepParams, by_log_alone: bool) -> Result<Timestamp, Error> {
    let (name, margin) = match (by_log_alone, params.inputs.contains_key("tested_at")) {
        (true, _) => ("swapped_at", SignedDuration::ZERO),
        (false, true) => ("tested_at", SignedDuration::ZERO),
        (false, false) => ("swapped_at", MAX_CLOCK_SKEW),
    };
    Ok(read_time(name, params.input(name)?)? + margin)
}

/// Requires a token that has not expired: a directory that still uses the new client got one within a token's lifetime.
fn check_recent(grant: Evidence, service: &TokenLog, id: &str, now: Timestamp) -> Evidence {
    match service.granted.first() {
        Some(newest) if grant.result == EvidenceResult::Pass && newest.expired_at() < now => {
            let detail = format!(
                "{} got its last token as {id} at {}, and it is {now} by the org's clock. A token lives one hour, so flowswap waits \
                 for a new one",
                newest.agent(),
                newest.at
            );
            Evidence { result: EvidenceResult::Inconclusive, detail, ..grant }
        }
        _ => grant,
    }
}

/// What the log shows about the legacy client.
struct Legacy<'a> {
    id: &'a str,
    log: TokenLog,
    answer: HttpAnswer,
}

fn check_one_grant(service: &TokenLog, id: &str, since: &str, answer: &HttpAnswer) -> Evidence {
    match service.granted.first() {
        Some(token) => {
            let detail = format!("{} got a token as {id} at {}", token.agent(), token.at);
            evidence_from("token-grant", EvidenceResult::Pass, detail, answer).by_event(token.id())
        }
        // Events arrive late, and the directory chooses when to sync.
        None => {
            let detail = format!("nobody except flowswap has received a token as {id} since {since}");
            evidence_from("token-grant", EvidenceResult::Inconclusive, detail, answer)
        }
    }
}

/// Requires two tokens after the legacy client's last one: Test Connection gets one, and a sync gets another.
fn check_two_grants(
    service: &TokenLog,
    id: &str,
    since: &str,
    legacy_last: Option<&Token>,
    answer: &HttpAnswer,
) -> Evidence {
    let check = "token-grant";
    let own: Vec<_> =
        service.granted.iter().filter(|token| legacy_last.is_none_or(|last| token.at > last.at)).collect();
    match own.as_slice() {
        [newest, .., oldest] if newest.at.duration_since(oldest.at) >= MIN_TOKEN_GAP => {
            let detail = format!("{} got tokens as {id} at {} and {}", newest.agent(), oldest.at, newest.at);
            evidence_from(check, EvidenceResult::Pass, detail, answer).by_event(newest.id())
        }
        [newest, ..] => {
            let detail = format!(
                "{} got a token as {id} at {}. A connection test gets one too, so flowswap waits for another, at least a minute later",
                newest.agent(),
                newest.at
            );
            evidence_from(check, EvidenceResult::Inconclusive, detail, answer).by_event(newest.id())
        }
        [] => {
            let since = legacy_last.map_or(since.to_owned(), |last| last.at.to_string());
            let detail = format!("nobody except flowswap has received a token as {id} since {since}");
            evidence_from(check, EvidenceResult::Inconclusive, detail, answer)
        }
    }
}

/// Requires that the legacy client's last token has expired, however late after the start of the swap Okta issued it: an
/// operator may submit late. Returns the milliseconds to wait if the token has not expired.
fn check_legacy_expired(
    legacy: &Legacy<'_>,
    service: &TokenLog,
    swapped_at: Timestamp,
    now: Timestamp,
) -> (Evidence, Option<u64>) {
    let id = legacy.id;
    let evidence = |result, detail: String| evidence_from("legacy-silent", result, detail, &legacy.answer);
    let newest = service.granted.first().map_or(swapped_at, |token| token.at);
    let Some(last) = legacy.log.granted.first() else {
        let since = swapped_at - A_DAY;
        return (
            evidence(
                EvidenceResult::Pass,
                format!("nobody has received a token as the legacy client {id} since {since}"),
            ),
            None,
        );
    };
    let (agent, expired_at) = (last.agent(), last.expired_at());
    if last.at > newest + GRACE {
        let detail = format!(
            "{agent} got a token as the legacy client {id} at {}, after the new client's newest token at {newest}: \
             something still uses the legacy client",
            last.at
        );
        let failed = evidence(EvidenceResult::Fail, detail).by_event(last.id());
        return (failed.of_rule("legacy-still-active"), None);
    }
    let detail = format!("{agent} got its last token as the legacy client {id} at {}", last.at);
    if now < expired_at {
        let detail =
            format!("{detail}. A token lives one hour, so the directory may still use this one until {expired_at}");
        let wait_ms = u64::try_from(expired_at.duration_since(now).as_millis()).unwrap_or(0);
        return (evidence(EvidenceResult::Inconclusive, detail).by_event(last.id()), Some(wait_ms));
    }
    (evidence(EvidenceResult::Pass, format!("{detail}; that token had expired by {expired_at}")), None)
}

/// Fails if the legacy client still gets tokens: somebody tested the new client without submitting it, reconnected another
/// directory, or chose the old flow again. A single token does not count once only the new client has been at work since.
fn check_legacy_silent(
    legacy: &Legacy<'_>,
    service: &TokenLog,
    first: Option<&Token>,
    swapped_at: Timestamp,
) -> Evidence {
    let (check, id, answer) = ("legacy-silent", legacy.id, &legacy.answer);
    let quiet_from = first.map_or(swapped_at, |token| token.at).max(swapped_at + GRACE);
    match (legacy.log.granted.first(), first) {
        (Some(token), _)
            if token.at > quiet_from
                && service.granted.first().is_none_or(|newest| newest.at < token.unused_from()) =>
        {
            let detail = format!(
                "{} got a token as the legacy client {id} at {}, after {quiet_from}: something still uses the legacy client",
                token.agent(),
                token.at
            );
            evidence_from(check, EvidenceResult::Fail, detail, answer)
                .by_event(token.id())
                .of_rule("legacy-still-active")
        }
        (last, Some(first)) => {
            let since = last.map_or(first.at, |last| last.at.max(first.at)).max(swapped_at);
            let detail = format!("nobody has received a token as the legacy client {id} since {since}");
            evidence_from(check, EvidenceResult::Pass, detail, answer)
        }
        (_, None) => {
            let detail =
                format!("the legacy client {id} is silent, but the new client has not received a token yet either");
            evidence_from(check, EvidenceResult::Inconclusive, detail, answer)
        }
    }
}

/// Okta refuses a wrong secret as the new client. It refuses the old client ID in the new form as the legacy client. It may
/// refuse others as the legacy client too, so that counts only once the new client is silent for longer than two syncs.
fn check_credentials(
    service: &TokenLog,
    service_id: &str,
    legacy: Option<&Legacy<'_>>,
    swapped_at: Timestamp,
) -> Evidence {
    let last = service.granted.first().map(|token| token.at);
    let as_service = service.refused_last().map(|token| (service_id, token));
    let as_legacy = legacy.and_then(|legacy| Some((legacy.id, legacy.log.refused_last()?)));
    let as_legacy = as_legacy.filter(|(_, token)| token.at >= swapped_at);
    let as_legacy = as_legacy.filter(|(_, token)| last.is_none_or(|last| token.at > last + TWO_SYNCS));
    match as_service.or(as_legacy) {
        Some((id, token)) => {
            let detail = format!(
                "okta refused {} a token as {id} at {} ({}), and has issued no token as {service_id} since",
                token.agent(),
                token.at,
                token.reason()
            );
            let evidence = Evidence::new("credentials", EvidenceResult::Fail, detail);
            evidence.by_event(token.id()).of_rule("credentials-refused")
        }
        None => {
            let of_service = service.refused.first().map(|token| (service_id, token));
            let of_legacy = legacy.and_then(|legacy| Some((legacy.id, legacy.log.refused_last()?)));
            let of_legacy = of_legacy.filter(|(_, token)| token.at >= swapped_at);
            // A later check sees more tokens. It must not say something else for each.
            let detail = match of_service.or(of_legacy) {
                None => format!("since {swapped_at}, okta has refused no token request"),
                Some((id, token)) => {
                    let is_before = last.is_some_and(|last| last <= token.at);
                    let when = if is_before { "shortly before" } else { "since" };
                    format!("okta refused a token as {id} at {}, but issued one as {service_id} {when}", token.at)
                }
            };
            Evidence::new("credentials", EvidenceResult::Pass, detail)
        }
    }
}

fn check_scopes(service: &TokenLog, app_data: bool) -> Evidence {
    let not_applicable = |detail: &str| Evidence::new("scopes", EvidenceResult::NotApplicable, detail);
    if let Some(token) = service.granted.iter().find(|token| token.lacks(APPS_READ)) {
        let detail = format!(
            "the directory requested {APPS_READ}, but its token of {} lacks this scope: “Collect enterprise applications” is \
             selected, but the client may not read applications",
            token.at
        );
        return Evidence::new("scopes", EvidenceResult::Fail, detail).by_event(token.id()).of_rule("app-data-lost");
    }
    if !app_data {
        return not_applicable("the plan does not collect enterprise applications");
    }
    let shown: Vec<_> = service.granted.iter().filter_map(|token| Some((token, token.scopes()?))).collect();
    let Some((newest, _)) = shown.first() else {
        return not_applicable("the System Log does not show the tokens' scopes");
    };
    match shown.iter().find(|(_, scopes)| scopes.contains(APPS_READ)) {
        Some((token, _)) => {
            let detail = format!("the token issued at {} has {APPS_READ}", token.at);
            Evidence::new("scopes", EvidenceResult::Pass, detail).by_event(token.id())
        }
        None => {
            let detail = format!(
                "no token of the new client has {APPS_READ} ({} tokens up to {}): the directory no longer collects \
                 enterprise applications",
                shown.len(),
                newest.at
            );
            Evidence::new("scopes", EvidenceResult::Fail, detail).by_event(newest.id()).of_rule("app-data-lost")
        }
    }
}

/// Never fails, because a limited client tries again. The finding explains a sync that is slow or incomplete.
async fn check_rate_limits(api: &Api<'_>, since: &str) -> Result<Evidence, Error> {
    let kinds: Vec<_> = LIMITS.iter().map(|kind| format!("eventType eq \"{kind}\"")).collect();
    let (events, _) = search(api, since, &kinds.join(" or "), Order::NewestFirst).await?;
    let is_limit = |event: &Event| LIMITS.iter().any(|kind| event.is_of(kind));
    let reached: Vec<_> = events.into_iter().filter(is_limit).filter_map(|event| Some((event.at()?, event))).collect();
    Ok(match reached.iter().max_by_key(|(at, _)| *at) {
        None => Evidence::new(
            "rate-limits",
            EvidenceResult::Pass,
            format!("the log shows no rate limit reached since {since}"),
        ),
        Some((at, event)) => {
            let detail = format!("the log shows {} rate limits reached since {since}, the last at {at}", reached.len());
            Evidence::new("rate-limits", EvidenceResult::Pass, detail)
                .by_event(event.uuid.as_deref())
                .of_rule("rate-limited")
        }
    })
}
