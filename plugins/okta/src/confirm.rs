//! Confirms from Okta's own log that the directory uses the new client, whatever the directory's screen says.

use flowswap_contract::{Error, Evidence, EvidenceResult, HttpAnswer, StepParams};

use crate::{
    api::{Api, see},
    system_log::{Event, search},
};

/// The org authorization server issued an access token (Okta event types); the client is the event's actor.
const GRANT: &str = "app.oauth2.token.grant.access_token";

/// How every program of this project names itself to the org, in contrast to the directory.
const OURSELVES: &str = "flowswap/";

/// Looks for a token that somebody but us got as the new client since the swap.
pub(crate) async fn confirm(api: &Api<'_>, params: &StepParams) -> Result<Vec<Evidence>, Error> {
    let client_id = params.input("client_id")?;
    let since = params.input("swapped_at")?;
    let filter = format!("eventType eq \"{GRANT}\" and actor.id eq \"{}\"", client_id.replace('"', ""));
    let (events, answer) = search(api, since, &filter).await?;
    Ok(vec![judge(&events, client_id, since, &answer)])
}

fn judge(events: &[Event], client_id: &str, since: &str, answer: &HttpAnswer) -> Evidence {
    let is_grant = |event: &&Event| event.is(GRANT) && event.actor() == Some(client_id);
    let is_ours = |event: &Event| event.agent().is_some_and(|agent| agent.starts_with(OURSELVES));
    let foreign = events.iter().filter(is_grant).find(|event| !is_ours(event));
    match foreign {
        Some(event) => {
            let agent = event.agent().unwrap_or("a program without a name");
            let when = event.published.as_deref().unwrap_or("an unknown time");
            let detail = format!("{agent} got a token as {client_id} at {when}");
            see("token-grant", EvidenceResult::Pass, detail, answer)
        }
        // Events arrive late, and the directory comes when it comes.
        None => {
            let detail = format!("nobody but flowswap got a token as {client_id} since {since} yet");
            see("token-grant", EvidenceResult::Inconclusive, detail, answer)
        }
    }
}
