//! The `test` before the swap. The directory's own test is a button in the form, which only a person can press. This check
//! makes sure, just before, that the directory is still the one in the plan.

use flowswap_contract::{Error, Evidence, EvidenceResult, StepParams, TestReply};
use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use crate::{
    api::Api,
    domains::{self, Directory},
    plan::ConnectionPayload,
};

/// Syncs come every 5 minutes (vendor documentation), but a few may take long.
const RECENT: SignedDuration = SignedDuration::from_mins(60);

/// Returns a receipt that says when flowswap saw the directory.
pub(crate) async fn check(api: &Api<'_>, params: &StepParams) -> Result<TestReply, Error> {
    let connection: ConnectionPayload = params.payload()?;
    params.input("client_id")?;
    params.secret_input("client_secret")?;
    let all = domains::list(api).await?;
    let now = api.service_now();
    let shown = match domains::find(&all, &connection.directory) {
        Ok(shown) => shown,
        Err(error) => {
            let evidence =
                vec![Evidence::new("directory", EvidenceResult::Fail, error.message).of_rule("directory-missing")];
            return Ok(TestReply { evidence, ..TestReply::default() });
        }
    };
    let evidence = vec![
        Evidence::new("directory", EvidenceResult::Pass, format!("{} exists under this name", shown.name)),
        check_last_sync(shown, now),
    ];
    let receipt = match now {
        Some(now) => json!(format!("{} seen at {now}", shown.name)),
        None => json!(format!("{} seen", shown.name)),
    };
    Ok(TestReply { outputs: [("receipt".to_owned(), receipt)].into(), evidence, ..TestReply::default() })
}

/// Never fails: a connection that has stopped is a reason for the swap, not against it.
fn check_last_sync(shown: &Directory, now: Option<Timestamp>) -> Evidence {
    let is_recent = |last| now.is_some_and(|now: Timestamp| now.duration_since(last) <= RECENT);
    let (result, detail) = match shown.last_success {
        Some(last) if is_recent(last) => (EvidenceResult::Pass, format!("synchronized at {last}")),
        Some(last) if now.is_none() => (
            EvidenceResult::NotApplicable,
            format!(
                "last synchronized at {last}; the answer has no readable `Date`, so flowswap cannot tell how long ago"
            ),
        ),
        Some(last) => (
            EvidenceResult::NotApplicable,
            format!("last synchronized at {last}; if the sign-in has expired after 90 days, the swap fixes it"),
        ),
        None => (EvidenceResult::NotApplicable, shown.explain_no_sync()),
    };
    Evidence::new("last-sync", result, detail)
}
