//! Okta's System Log: who did what, and with which program.

use flowswap_contract::{Error, ErrorKind, HttpAnswer, Intent, sdk::encode};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;

use crate::api::{Api, Pages, decode};

/// One event; what of it matters here (Okta System Log API).
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Event {
    pub(crate) uuid: Option<String>,
    event_type: Option<String>,
    published: Option<String>,
    actor: Option<Entity>,
    target: Option<Vec<Entity>>,
    outcome: Option<Outcome>,
    client: Option<Client>,
    debug_context: Option<DebugContext>,
}

#[derive(Debug, Clone, Deserialize)]
struct Entity {
    id: Option<String>,
}

#[derive(Debug, Clone, Deserialize)]
struct Outcome {
    result: Option<String>,
    reason: Option<String>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Client {
    user_agent: Option<UserAgent>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
struct UserAgent {
    raw_user_agent: Option<String>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
struct DebugContext {
    debug_data: Option<Value>,
}

/// How many pages of a search are read: 2,000 events.
const MOST_PAGES: usize = 20;

/// Which events come first, and how many at most: there is no second page.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Order {
    /// The log's own order, as many as it answers at once.
    OldestFirst,
    /// So few that looking at a busy org costs little.
    NewestFirst,
}

impl Order {
    /// How many events an answer has at most; one that has as many may have left others out.
    pub(crate) fn limit(self) -> usize {
        match self {
            Self::OldestFirst => 1000,
            Self::NewestFirst => 100,
        }
    }

    fn parameters(self) -> String {
        let order = match self {
            Self::OldestFirst => "",
            Self::NewestFirst => "&sortOrder=DESCENDING",
        };
        format!("{order}&limit={}", self.limit())
    }
}

/// The events since a time that fit a filter. One page only: the log's `next` link is for polling and is always there.
pub(crate) async fn search(
    api: &Api<'_>,
    since: &str,
    filter: &str,
    order: Order,
) -> Result<(Vec<Event>, HttpAnswer), Error> {
    let path = format!("/api/v1/logs?since={}&filter={}{}", encode(since), encode(filter), order.parameters());
    let what = "search the System Log";
    let answer = api.send(what, api.ask(Intent::Read, "GET", &path)).await?;
    let events: Vec<Event> = decode(what, &answer)?;
    events.iter().try_for_each(Event::expect_time)?;
    Ok((events, answer))
}

/// The newest event since a time that fits a filter and a condition of ours, over as many pages as it takes; `false` beside it
/// where the pages were more than are read, so that an older one may be there.
pub(crate) async fn find_newest(
    api: &Api<'_>,
    since: &str,
    filter: &str,
    fits: impl Fn(&Event) -> bool,
) -> Result<(Option<Event>, bool), Error> {
    let order = Order::NewestFirst.parameters();
    let path = format!("/api/v1/logs?since={}&filter={}{order}", encode(since), encode(filter));
    let mut pages = Pages::new(api, "search the System Log", api.ask(Intent::Read, "GET", &path));
    for _ in 0..MOST_PAGES {
        let Some(events) = pages.next::<Event>().await? else { return Ok((None, true)) };
        events.iter().try_for_each(Event::expect_time)?;
        if events.is_empty() {
            // Where the log leads on for ever, nothing comes any more.
            return Ok((None, true));
        }
        let newest = events.into_iter().filter(&fits).max_by_key(Event::at);
        if newest.is_some() {
            return Ok((newest, true));
        }
    }
    Ok((None, false))
}

impl Event {
    /// Whether it is a success of this kind. The filter is the server's; a proof does not rest on somebody else's filter.
    pub(crate) fn is(&self, kind: &str) -> bool {
        self.is_of(kind) && self.result() == Some("SUCCESS")
    }

    /// Whether it is a failure of this kind.
    pub(crate) fn is_failed(&self, kind: &str) -> bool {
        self.is_of(kind) && self.result() == Some("FAILURE")
    }

    /// Whether it is of this kind, however it went.
    pub(crate) fn is_of(&self, kind: &str) -> bool {
        self.event_type.as_deref() == Some(kind)
    }

    fn result(&self) -> Option<&str> {
        self.outcome.as_ref()?.result.as_deref()
    }

    /// Why it failed, in Okta's words.
    pub(crate) fn reason(&self) -> Option<&str> {
        self.outcome.as_ref()?.reason.as_deref()
    }

    /// An event whose time cannot be read would not be seen by anything that looks at times.
    fn expect_time(&self) -> Result<(), Error> {
        if self.at().is_some() {
            return Ok(());
        }
        let (id, time) = (self.uuid.as_deref().unwrap_or("without an id"), self.published.as_deref());
        let time = time.map_or("no time".to_owned(), |time| format!("the time `{time}`"));
        let message = format!("an event of the System Log cannot be placed: event {id} has {time}");
        Err(Error::new(ErrorKind::Invalid, message)
            .with_hint("a time is RFC 3339 with its offset, such as 2026-01-01T00:00:00Z"))
    }

    /// When it happened.
    pub(crate) fn at(&self) -> Option<Timestamp> {
        self.published.as_deref()?.parse().ok()
    }

    /// A member of the debug data, of which Okta promises nothing: whoever uses it must do without it, too.
    pub(crate) fn debug(&self, member: &str) -> Option<&Value> {
        self.debug_context.as_ref()?.debug_data.as_ref()?.get(member)
    }

    /// Who did it.
    pub(crate) fn actor(&self) -> Option<&str> {
        self.actor.as_ref()?.id.as_deref()
    }

    /// Whether it was done to this object.
    pub(crate) fn concerns(&self, id: &str) -> bool {
        self.target.iter().flatten().any(|target| target.id.as_deref() == Some(id))
    }

    /// To which clients it was done, as far as it says; ids of apps and clients begin so (Okta management API). What the targets
    /// of some kinds of event are is in no public source.
    pub(crate) fn clients(&self) -> impl Iterator<Item = &str> {
        self.target.iter().flatten().filter_map(|target| target.id.as_deref()).filter(|id| id.starts_with("0oa"))
    }

    /// The program that it was done with, as it calls itself.
    pub(crate) fn agent(&self) -> Option<&str> {
        self.client.as_ref()?.user_agent.as_ref()?.raw_user_agent.as_deref()
    }
}
