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
    let tested_at: Timestamp = newest.map_or(now + WITHIN_ITS_SECOND, |at| at.max(now + WITHIN_ITS_SECOND));
    let detail = format!(
        "the connection test was over at {tested_at} by the org's clock; {} tokens that others got as {client_id} until then are not \
         of a sync",
        log.granted.len()
    );
    let evidence = vec![see("org-time", EvidenceResult::Pass, detail, &answer)];
    let outputs = [("tested_at".to_owned(), json!(tested_at.to_string()))].into();
    Ok(TestReply { outputs, evidence, ..TestReply::default() })
}
