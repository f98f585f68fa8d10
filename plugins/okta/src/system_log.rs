//! Okta's System Log: who did what, and with which program.

use flowswap_contract::{Error, HttpAnswer, Intent, sdk::encode};
use serde::Deserialize;

use crate::api::{Api, decode};

/// One event; what of it matters here (Okta System Log API).
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Event {
    event_type: Option<String>,
    pub(crate) published: Option<String>,
    actor: Option<Entity>,
    target: Option<Vec<Entity>>,
    outcome: Option<Outcome>,
    client: Option<Client>,
}

#[derive(Deserialize)]
struct Entity {
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

/// The events since a time that fit a filter. One page only: the log's `next` link is for polling and is always there.
pub(crate) async fn search(api: &Api<'_>, since: &str, filter: &str) -> Result<(Vec<Event>, HttpAnswer), Error> {
    let path = format!("/api/v1/logs?since={}&filter={}&limit=1000", encode(since), encode(filter));
    let what = "search the System Log";
    let answer = api.send(what, api.ask(Intent::Read, "GET", &path)).await?;
    Ok((decode(what, &answer)?, answer))
}

impl Event {
    /// Whether it is a success of this kind. The filter is the server's; a proof does not rest on somebody else's filter.
    pub(crate) fn is(&self, kind: &str) -> bool {
        let result = self.outcome.as_ref().and_then(|outcome| outcome.result.as_deref());
        self.event_type.as_deref() == Some(kind) && result == Some("SUCCESS")
    }

    /// Who did it.
    pub(crate) fn actor(&self) -> Option<&str> {
        self.actor.as_ref()?.id.as_deref()
    }

    /// Whether it was done to this object.
    pub(crate) fn concerns(&self, id: &str) -> bool {
        self.target.iter().flatten().any(|target| target.id.as_deref() == Some(id))
    }

    /// Whether it says to which client it was done; ids of apps and clients begin so (Okta management API). What the targets
    /// of some kinds of event are is in no public source.
    pub(crate) fn names_a_client(&self) -> bool {
        self.target.iter().flatten().any(|target| target.id.as_deref().is_some_and(|id| id.starts_with("0oa")))
    }

    /// The program that it was done with, as it calls itself.
    pub(crate) fn agent(&self) -> Option<&str> {
        self.client.as_ref()?.user_agent.as_ref()?.raw_user_agent.as_deref()
    }
}
