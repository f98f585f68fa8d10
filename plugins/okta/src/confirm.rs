//! Confirms from Okta's own log that the directory uses the new client, whatever the directory's screen says.

use flowswap_contract::{Error, Evidence, EvidenceResult, HttpAnswer, Intent, StepParams, sdk::encode};
use serde::Deserialize;

use crate::api::{Api, decode, see};

/// The org authorization server issued an access token (Okta event types); the client is the event's actor.
const GRANT: &str = "app.oauth2.token.grant.access_token";

/// How every program of this project names itself to the org, in contrast to the directory.
const OURSELVES: &str = "flowswap/";

/// Looks for a token that somebody but us got as the new client since the swap.
pub(crate) async fn confirm(api: &Api<'_>, params: &StepParams) -> Result<Vec<Evidence>, Error> {
    let client_id = params.input("client_id")?;
    let since = params.input("swapped_at")?;
    let filter = format!("eventType eq \"{GRANT}\" and actor.id eq \"{}\"", client_id.replace('"', ""));
    let path = format!("/api/v1/logs?since={}&filter={}&limit=100", encode(since), encode(&filter));
    let what = "search the System Log";
    // One page only: the log's `next` link is for polling and is always there.
    let answer = api.send(what, api.ask(Intent::Read, "GET", &path)).await?;
    let events: Vec<Event> = decode(what, &answer)?;
    Ok(vec![judge(&events, client_id, since, &answer)])
}

fn judge(events: &[Event], client_id: &str, since: &str, answer: &HttpAnswer) -> Evidence {
    let foreign = events.iter().find(|event| event.is_grant_to(client_id) && !event.is_ours());
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

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Event {
    event_type: Option<String>,
    published: Option<String>,
    actor: Option<Actor>,
    outcome: Option<Outcome>,
    client: Option<Client>,
}

#[derive(Deserialize)]
struct Actor {
    id: Option<String>,
}

#[derive(Deserialize)]
struct Outcome {
    result: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Client {
    user_agent: Option<UserAgent>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct UserAgent {
    raw_user_agent: Option<String>,
}

impl Event {
    /// The filter is the server's; a proof does not rest on somebody else's filter.
    fn is_grant_to(&self, client_id: &str) -> bool {
        self.event_type.as_deref() == Some(GRANT)
            && self.actor.as_ref().and_then(|actor| actor.id.as_deref()) == Some(client_id)
            && self.outcome.as_ref().and_then(|outcome| outcome.result.as_deref()) == Some("SUCCESS")
    }

    fn is_ours(&self) -> bool {
        self.agent().is_some_and(|agent| agent.starts_with(OURSELVES))
    }

    fn agent(&self) -> Option<&str> {
        self.client.as_ref()?.user_agent.as_ref()?.raw_user_agent.as_deref()
    }
}
