//! Confirms that the directory gets tokens. Once the replaced secret is inactive, only a later token counts: it proves that the directory
//! has the new secret.

use flowswap_contract::{Error, StepParams, TestReply};
use jiff::Timestamp;

use super::Payload;
use crate::{
    api::{Api, read_time},
    confirm::confirm_since,
    plan::ConfirmPayload,
    secrets,
};

/// Checks who got tokens since the hand-over, or since the replaced secret was deactivated.
pub(crate) async fn confirm(api: &Api<'_>, params: &StepParams) -> Result<TestReply, Error> {
    let payload: Payload = params.payload()?;
    let tested_at = read_time("tested_at", params.input("tested_at")?)?;
    let found = secrets::list(api, &payload.client_id).await?;
    let replaced = found.iter().find(|secret| secret.id == payload.replaced && secret.is_inactive());
    let inactive_since = replaced.map(|secret| read_time("lastUpdated", &secret.last_updated)).transpose()?;
    let start = inactive_since.map_or(tested_at, |since: Timestamp| since.max(tested_at));
    confirm_since(api, &payload.client_id, &ConfirmPayload::default(), start).await
}
