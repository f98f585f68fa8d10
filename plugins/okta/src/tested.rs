//! Notes the org's time after the directory's own test of the connection. The test gets a token too, which must not count as a
//! sync's. The time is by the org's clock, because that clock dates its events; this machine's and the directory's may be wrong.

use flowswap_contract::{Error, EvidenceResult, StepParams, TestReply};
use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use crate::{
    api::{Api, a_day_before, evidence_from},
    tokens::TokenLog,
};

/// `Date` has whole seconds (RFC 9110 §5.6.7), so an event may be this much later.
const DATE_PRECISION: SignedDuration = SignedDuration::from_millis(999);

const A_SECOND_MS: u64 = 1000;

/// If the connection was tested once, a token that is not older than this is the test's, which ended just before.
const MAX_TEST_AGE: SignedDuration = SignedDuration::from_secs(5);

/// Returns `tested_at`: Okta issued every token up to and including this time before the swap.
pub(crate) async fn note_org_time(api: &Api<'_>, params: &StepParams) -> Result<TestReply, Error> {
    let client_id = params.input("client_id")?;
    let (log, answer) = TokenLog::read(api, client_id, &a_day_before(api.host.now())?).await?;
    let Some(now) = api.org_now() else {
        let detail = "okta's answers have no readable `Date`, so flowswap cannot tell a sync from the connection test";
        let evidence = vec![evidence_from("org-time", EvidenceResult::Inconclusive, detail, &answer)];
        return Ok(TestReply { evidence, ..TestReply::default() });
    };
    let newest = log.granted.first().map(|token| token.at);
    let tested_at = find_test_end(now, newest, params.attempts.len());
    if newest.is_none_or(|at| at < tested_at) {
        // Tokens after this step must not fall into the second that counts as the test's.
        api.host.sleep(A_SECOND_MS).await?;
    }
    let earlier = match log.granted.len() {
        0 => format!("nobody else got a token as {client_id} before"),
        1 => format!("1 earlier token of another program as {client_id} does not count as a sync"),
        several => format!("{several} earlier tokens of other programs as {client_id} do not count as syncs"),
    };
    let detail = format!("the connection test ended at {tested_at} by the org's clock; {earlier}");
    let evidence = vec![evidence_from("org-time", EvidenceResult::Pass, detail, &answer)];
    let outputs = [("tested_at".to_owned(), json!(tested_at.to_string()))].into();
    Ok(TestReply { outputs, evidence, ..TestReply::default() })
}

/// When the test ended: at its token, if the log shows it already. Otherwise at the latest possible time by the org's clock, because
/// events arrive late. After several attempts the token may belong to an earlier one.
fn find_test_end(now: Timestamp, newest: Option<Timestamp>, attempts: usize) -> Timestamp {
    let latest = now + DATE_PRECISION;
    match newest {
        Some(at) if at > latest || (attempts <= 1 && at + MAX_TEST_AGE >= now) => at,
        _ => latest,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_test_ends_at_its_token_or_at_the_latest_possible_time() {
        let at = |time: &str| format!("2026-01-01T12:{time}Z").parse::<Timestamp>().unwrap();
        // The org's time, the newest token, the number of attempts; when the test ended.
        for (now, newest, attempts, expected) in [
            ("10:00", None, 1, "10:00.999"),
            ("10:00", Some("10:00.250"), 1, "10:00.250"),
            ("10:00", Some("09:55"), 1, "09:55"),
            ("10:00", Some("09:54"), 1, "10:00.999"),
            ("10:00", Some("09:59"), 2, "10:00.999"),
            ("10:00", Some("10:02.5"), 2, "10:02.5"),
        ] {
            assert_eq!(find_test_end(at(now), newest.map(at), attempts), at(expected), "{now} {newest:?} {attempts}");
        }
    }
}
