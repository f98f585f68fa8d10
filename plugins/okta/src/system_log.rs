//! Okta's System Log: who did what, and with which program.

use flowswap_contract::{Error, ErrorKind, HttpAnswer, Intent, sdk::encode};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;

use crate::api::{Api, Pages, decode};

/// The used part of an event (Okta System Log API).
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

/// The places of [`Event`] in a list of events. The rest can say who somebody is: names, addresses, and places.
pub(crate) const EVENT: &[&str] = &[
    "/*/uuid",
    "/*/eventType",
    "/*/published",
    "/*/actor/id",
    "/*/target/*/id",
    "/*/outcome/result",
    "/*/outcome/reason",
    "/*/client/userAgent/rawUserAgent",
    "/*/debugContext/debugData/grantType",
    "/*/debugContext/debugData/grantedScopes",
    "/*/debugContext/debugData/requestedScopes",
];

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

/// How many pages of a search flowswap reads: 2,000 events.
const MAX_LOG_PAGES: usize = 20;

/// Which events come first, and how many at most. Searches read one page only.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Order {
    /// The log's default order, with its largest page.
    OldestFirst,
    /// A small page, so that a check of a busy org costs little.
    NewestFirst,
    /// Only a few, if nothing depends on older ones: a directory that synchronizes often fills a page of 100 in hours.
    LastFew,
}

impl Order {
    /// The most events in an answer. An answer with this many may leave others out.
    pub(crate) fn limit(self) -> usize {
        match self {
            Self::OldestFirst => 1000,
            Self::NewestFirst => 100,
            Self::LastFew => 5,
        }
    }

    fn parameters(self) -> String {
        let order = match self {
            Self::OldestFirst => "",
            Self::NewestFirst | Self::LastFew => "&sortOrder=DESCENDING",
        };
        format!("{order}&limit={}", self.limit())
    }
}

/// Finds the events since a time that match a filter. Reads one page: the log's `next` link is for polling and is always there.
pub(crate) async fn search(
    api: &Api<'_>,
    since: &str,
    filter: &str,
    order: Order,
) -> Result<(Vec<Event>, HttpAnswer), Error> {
    let path = format!("/api/v1/logs?since={}&filter={}{}", encode(since), encode(filter), order.parameters());
    let what = "search the System Log";
    let answer = api.send(what, api.ask(Intent::Read, "GET", &path).keeping(EVENT)).await?;
    let events: Vec<Event> = decode(what, &answer)?;
    events.iter().try_for_each(Event::expect_time)?;
    Ok((events, answer))
}

/// Finds the newest event since a time that matches a filter and our own condition, over up to `MAX_LOG_PAGES` pages. The second value
/// is `false` if there are more pages, so an older event may match.
pub(crate) async fn find_newest(
    api: &Api<'_>,
    since: &str,
    filter: &str,
    fits: impl Fn(&Event) -> bool,
) -> Result<(Option<Event>, bool), Error> {
    let order = Order::NewestFirst.parameters();
    let path = format!("/api/v1/logs?since={}&filter={}{order}", encode(since), encode(filter));
    let mut pages = Pages::new(api, "search the System Log", api.ask(Intent::Read, "GET", &path).keeping(EVENT));
    for _ in 0..MAX_LOG_PAGES {
        let Some(events) = pages.next::<Event>().await? else { return Ok((None, true)) };
        events.iter().try_for_each(Event::expect_time)?;
        if events.is_empty() {
            // The log's `next` link never ends, so an empty page means that there is nothing more.
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
    /// Whether it is a success of this kind. The server has filtered already, but a proof must not rely on that.
    pub(crate) fn is(&self, kind: &str) -> bool {
        self.is_of(kind) && self.result() == Some("SUCCESS")
    }

    /// Whether it is a failure of this kind.
    pub(crate) fn is_failed(&self, kind: &str) -> bool {
        self.is_of(kind) && self.result() == Some("FAILURE")
    }

    /// Whether it is of this kind, with any outcome.
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

    /// Refuses an event without a readable time: every check that compares times would ignore it.
    fn expect_time(&self) -> Result<(), Error> {
        if self.at().is_some() {
            return Ok(());
        }
        let (id, time) = (self.uuid.as_deref().unwrap_or("without an id"), self.published.as_deref());
        let time = time.map_or("no time".to_owned(), |time| format!("the time `{time}`"));
        let message = format!("failed to read the time of a System Log event: event {id} has {time}");
        Err(Error::new(ErrorKind::Invalid, message)
            .with_hint("expected a time in RFC 3339 with an offset, such as 2026-01-01T00:00:00Z"))
    }

    /// When it happened.
    pub(crate) fn at(&self) -> Option<Timestamp> {
        self.published.as_deref()?.parse().ok()
    }

    /// A member of the debug data. Okta promises nothing about these, so callers must work without them too.
    pub(crate) fn debug(&self, member: &str) -> Option<&Value> {
        self.debug_context.as_ref()?.debug_data.as_ref()?.get(member)
    }

    /// The id of who did it.
    pub(crate) fn actor(&self) -> Option<&str> {
        self.actor.as_ref()?.id.as_deref()
    }

    /// Whether it was done to this object.
    pub(crate) fn concerns(&self, id: &str) -> bool {
        self.target.iter().flatten().any(|target| target.id.as_deref() == Some(id))
    }

    /// The clients among its targets. Ids of apps and clients start with `0oa` (Okta management API). For some kinds of event, no public
    /// source says what the targets are.
    pub(crate) fn clients(&self) -> impl Iterator<Item = &str> {
        self.target.iter().flatten().filter_map(|target| target.id.as_deref()).filter(|id| id.starts_with("0oa"))
    }

    /// The raw `User-Agent` of the program that did it.
    pub(crate) fn agent(&self) -> Option<&str> {
        self.client.as_ref()?.user_agent.as_ref()?.raw_user_agent.as_deref()
    }
}
