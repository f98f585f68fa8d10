//! Takes note of the org's time after the directory's own test of the connection: the test gets a token, too, and that one is not a
//! sync's. The time is the org's, as its events are dated by it; this machine's clock and the directory's may be wrong.

use flowswap_contract::{Error, EvidenceResult, StepParams, TestReply};
use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use crate::{
    api::{Api, a_day_before, see},
    tokens::TokenLog,
};

/// `Date` has whole seconds (RFC 9110 §5.6.7), so an event may be later than it by so much.
const WITHIN_ITS_SECOND: SignedDuration = SignedDuration::from_millis(999);

const A_SECOND_MS: u64 = 1000;

/// What is not older is the test's own, if it was tested once: it was over right before.
const JUST_NOW: SignedDuration = SignedDuration::from_secs(5);

/// Gives `tested_at`: every token up to and including it was got before the swap.
pub(crate) async fn note(api: &Api<'_>, params: &StepParams) -> Result<TestReply, Error> {
    let client_id = params.input("client_id")?;
    let (log, answer) = TokenLog::read(api, client_id, &a_day_before(api.host.now())?).await?;
    let Some(now) = api.their_now() else {
        let detail = "okta's answers do not say its time (`Date`), so a sync cannot be told from the connection test";
        let evidence = vec![see("org-time", EvidenceResult::Inconclusive, detail, &answer)];
        return Ok(TestReply { evidence, ..TestReply::default() });
    };
    let newest = log.granted.first().map(|token| token.at);
    let tested_at = find_end(now, newest, params.attempts.len());
    if newest.is_none_or(|at| at < tested_at) {
        // What comes after the step must not fall into the second that counts as the test's.
        api.host.sleep(A_SECOND_MS).await?;
    }
    let detail = format!(
        "the connection test was over at {tested_at} by the org's clock; {} tokens that others got as {client_id} until then are not \
         of a sync",
        log.granted.len()
    );
    let evidence = vec![see("org-time", EvidenceResult::Pass, detail, &answer)];
    let outputs = [("tested_at".to_owned(), json!(tested_at.to_string()))].into();
    Ok(TestReply { outputs, evidence, ..TestReply::default() })
}

/// When the test was over: at its token, where the log shows that already; else, as events arrive late, at the latest by the org's
/// clock. After several tries the token may be that of another one.
fn find_end(now: Timestamp, newest: Option<Timestamp>, tries: usize) -> Timestamp {
    let latest = now + WITHIN_ITS_SECOND;
    match newest {
        Some(at) if at > latest || (tries <= 1 && at + JUST_NOW >= now) => at,
        _ => latest,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_test_is_over_at_its_token_or_at_the_latest() {
        let at = |time: &str| format!("2026-01-01T12:{time}Z").parse::<Timestamp>().unwrap();
        // The org's time, the newest token, how many tries; when the test was over.
        for (now, newest, tries, expected) in [
            ("10:00", None, 1, "10:00.999"),
            ("10:00", Some("10:00.250"), 1, "10:00.250"),
            ("10:00", Some("09:55"), 1, "09:55"),
            ("10:00", Some("09:54"), 1, "10:00.999"),
            ("10:00", Some("09:59"), 2, "10:00.999"),
            ("10:00", Some("10:02.5"), 2, "10:02.5"),
        ] {
            assert_eq!(find_end(at(now), newest.map(at), tries), at(expected), "{now} {newest:?} {tries}");
        }
    }
}
