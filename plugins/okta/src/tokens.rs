//! The token requests of a client, as the System Log shows them: which program really uses which client.
//!
//! Events arrive late, so a missing event proves nothing for some minutes. Public samples, but no document by Okta, show that
//! the client is the event's actor, and that the debug data has `grantType`, `requestedScopes`, and `grantedScopes`. Without
//! the debug data flowswap knows less.

use std::{collections::BTreeSet, fmt};

use flowswap_contract::{Error, HttpAnswer};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use crate::{
    api::Api,
    system_log::{Event, Order, find_newest, search},
};

/// The org authorization server issued an access token (Okta event types). Okta writes it for successes only.
const GRANT: &str = "app.oauth2.token.grant.access_token";

/// The server refused a token request. The event has no suffix, the outcome FAILURE, and Okta's reason (Okta support, "refresh token
/// is invalid or expired"; Events API to System Log migration guide).
const REFUSED: &str = "app.oauth2.token.grant";

/// Several requests had invalid client credentials (Okta event types). No source says whether every wrong secret leaves one, so
/// its absence says nothing.
const BAD_CREDENTIALS: &str = "app.oauth2.invalid_client_credentials";

/// The server issued a refresh token, which requires a person to sign in (Okta event types).
const REFRESH_GRANT: &str = "app.oauth2.token.grant.refresh_token";

/// The start of the `User-Agent` of every program of this project. It tells our requests from the directory's.
const OWN_AGENT: &str = "flowswap/";

/// Nobody can use a token any more this long after it was issued: tokens of the org authorization server live for an hour (Okta,
/// "Token lifetime"), and events arrive late. Until then a directory may keep using one without any event.
const EXPIRED_AFTER: SignedDuration = SignedDuration::from_mins(65);

/// Nobody uses a client any more this long after its last request in the log. A directory that keeps a token for its hour gets the
/// next one at its first sync after that, and that event may be a quarter of an hour late.
pub(crate) const UNUSED_AFTER: SignedDuration = SignedDuration::from_mins(80);

/// A request for a token by somebody other than flowswap.
#[derive(Debug, Clone)]
pub(crate) struct Token {
    pub(crate) at: Timestamp,
    event: Event,
}

/// What the log shows about a client, newest first.
#[derive(Debug, Default)]
pub(crate) struct TokenLog {
    client_id: String,
    since: String,
    pub(crate) granted: Vec<Token>,
    pub(crate) refused: Vec<Token>,
    /// Whether the log shows flowswap's own requests as the client.
    pub(crate) shows_own_requests: bool,
    /// The time before which the answer leaves events out. `None` if it is complete.
    cut_at: Option<Timestamp>,
}

impl TokenLog {
    /// Reads the newest requests since a time. They include the last token, if there was one.
    pub(crate) async fn read(api: &Api<'_>, client_id: &str, since: &str) -> Result<(Self, HttpAnswer), Error> {
        Self::read_newest(api, client_id, since, Order::NewestFirst).await
    }

    async fn read_newest(
        api: &Api<'_>,
        client_id: &str,
        since: &str,
        order: Order,
    ) -> Result<(Self, HttpAnswer), Error> {
        let filter = of_client(&[GRANT, REFUSED, BAD_CREDENTIALS], client_id);
        let (events, answer) = search(api, since, &filter, order).await?;
        let mut log = Self::of(events, client_id, since, order);
        if log.granted.is_empty() && log.cut_at.is_some() {
            // The answer has only refusals, so the last token is further back.
            let filter = of_client(&[GRANT], client_id);
            let (events, _) = search(api, since, &filter, order).await?;
            log.granted = Self::of(events, client_id, since, order).granted;
        }
        Ok((log, answer))
    }

    /// Reads the same for a client that may be unknown. The log of an unknown client is empty.
    pub(crate) async fn read_known(
        api: &Api<'_>,
        client_id: Option<&str>,
        since: &str,
        order: Order,
    ) -> Result<Self, Error> {
        match client_id {
            Some(id) => Ok(Self::read_newest(api, id, since, order).await?.0),
            None => Ok(Self::default()),
        }
    }

    fn of(events: Vec<Event>, client_id: &str, since: &str, order: Order) -> Self {
        let is_cut = events.len() >= order.limit();
        let cut_at = events.iter().filter_map(Event::at).min().filter(|_| is_cut);
        let shows_own_requests = events.iter().any(|event| event.actor() == Some(client_id) && is_own(event));
        // The server filtered and sorted the events. A proof must not rely on that, so filter and sort again.
        let (granted, others): (Vec<_>, Vec<_>) =
            requests_of_others(events, client_id).into_iter().partition(|token| token.event.is(GRANT));
        let is_refusal = |event: &Event| event.is_failed(REFUSED) || event.is_failed(BAD_CREDENTIALS);
        let refused = others.into_iter().filter(|token| is_refusal(&token.event)).collect();
        Self { client_id: client_id.to_owned(), since: since.to_owned(), granted, refused, shows_own_requests, cut_at }
    }

    /// Finds the first token strictly after a time; without a time, the first one in the log's range.
    pub(crate) async fn find_first(&self, api: &Api<'_>, after: Option<Timestamp>) -> Result<Option<Token>, Error> {
        let is_after = |token: &Token| after.is_none_or(|after| token.at > after);
        if self.cut_at.is_none_or(|cut_at| after.is_some_and(|after| cut_at <= after)) {
            return Ok(self.granted.iter().rev().find(|token| is_after(token)).cloned());
        }
        let since = after.map_or(self.since.clone(), |after| after.to_string());
        let filter = of_client(&[GRANT], &self.client_id);
        let (events, _) = search(api, &since, &filter, Order::OldestFirst).await?;
        Ok(requests_of_others(events, &self.client_id)
            .into_iter()
            .rev()
            .find(|token| token.event.is(GRANT) && is_after(token)))
    }

    /// Every request that the directory made by itself, granted or refused, newest first. A sign-in does not count: the person may not
    /// have submitted the connection.
    pub(crate) fn requests(&self) -> Vec<&Token> {
        let is_its_own = |token: &&Token| token.grant_type() != Some(CODE);
        let mut requests: Vec<_> = self.granted.iter().chain(&self.refused).filter(is_its_own).collect();
        requests.sort_by_key(|token| std::cmp::Reverse(token.at));
        requests
    }

    /// The last request, if it was refused.
    pub(crate) fn refused_last(&self) -> Option<&Token> {
        let granted_at = self.granted.first().map(|token| token.at);
        self.refused.first().filter(|refused| granted_at.is_none_or(|at| at < refused.at))
    }
}

/// Finds the sign-ins through a client, newest first, by their refresh tokens. Rotated refresh tokens do not count if the log tells
/// them apart.
pub(crate) async fn find_sign_ins(api: &Api<'_>, client_id: &str, since: &str) -> Result<Vec<Token>, Error> {
    let (events, _) = search(api, since, &of_client(&[REFRESH_GRANT], client_id), Order::NewestFirst).await?;
    Ok(requests_of_others(events, client_id).into_iter().filter(|token| is_sign_in(&token.event)).collect())
}

/// Finds the last sign-in through a client. The second value is `false` if the log has more pages than flowswap reads. Every refresh
/// may leave a refresh token of its own, and the newest hundred events may be only those, so the search names the grant.
pub(crate) async fn find_last_sign_in(
    api: &Api<'_>,
    client_id: &str,
    since: &str,
) -> Result<(Option<Timestamp>, bool), Error> {
    let of_client = of_client(&[REFRESH_GRANT, GRANT], client_id);
    let by_code = format!("{of_client} and debugContext.debugData.grantType eq \"{CODE}\"");
    let fits = |event: &Event| is_of_others(event, client_id) && is_sign_in(event);
    let (found, is_complete) = match find_newest(api, since, &by_code, fits).await {
        // Without a search by debug data, read the whole log below.
        Err(error) if error.context.get("status").is_some_and(|status| status == "400") => (None, true),
        other => other?,
    };
    match found.as_ref().and_then(Event::at) {
        Some(at) => Ok((Some(at), is_complete)),
        // Without debug data, any refresh token may come from a sign-in.
        None => {
            let (found, is_complete) = find_newest(api, since, &of_client, fits).await?;
            Ok((found.as_ref().and_then(Event::at), is_complete))
        }
    }
}

/// The grant type of a sign-in (RFC 6749 §4.1.3).
const CODE: &str = "authorization_code";

fn is_sign_in(event: &Event) -> bool {
    match event.debug("grantType").and_then(Value::as_str) {
        Some(grant) => grant == CODE && (event.is(REFRESH_GRANT) || event.is(GRANT)),
        None => event.is(REFRESH_GRANT),
    }
}

fn of_client(kinds: &[&str], client_id: &str) -> String {
    let kinds: Vec<_> = kinds.iter().map(|kind| format!("eventType eq \"{kind}\"")).collect();
    let kinds = if kinds.len() == 1 { kinds.concat() } else { format!("({})", kinds.join(" or ")) };
    format!("{kinds} and actor.id eq \"{}\"", client_id.replace('"', ""))
}

fn is_of_others(event: &Event, client_id: &str) -> bool {
    event.actor() == Some(client_id) && !is_own(event)
}

fn is_own(event: &Event) -> bool {
    event.agent().is_some_and(|agent| agent.starts_with(OWN_AGENT))
}

/// The client's requests that flowswap did not make, newest first.
fn requests_of_others(events: Vec<Event>, client_id: &str) -> Vec<Token> {
    let events = events.into_iter().filter(|event| is_of_others(event, client_id));
    let mut tokens: Vec<_> = events.filter_map(|event| event.at().map(|at| Token { at, event })).collect();
    tokens.sort_by_key(|token| std::cmp::Reverse(token.at));
    tokens
}

impl Token {
    /// The id of its event.
    pub(crate) fn id(&self) -> Option<&str> {
        self.event.uuid.as_deref()
    }

    /// The time by which the token has expired.
    pub(crate) fn expired_at(&self) -> Timestamp {
        self.at + EXPIRED_AFTER
    }

    /// The time from which the client is unused, unless there is a later request.
    pub(crate) fn unused_from(&self) -> Timestamp {
        self.at + UNUSED_AFTER
    }

    /// Whether a token was issued.
    pub(crate) fn is_granted(&self) -> bool {
        self.event.is(GRANT)
    }

    /// The program that made the request.
    pub(crate) fn agent(&self) -> &str {
        self.event.agent().unwrap_or("a program without a name")
    }

    /// Why it was refused.
    pub(crate) fn reason(&self) -> &str {
        self.event.reason().unwrap_or("no reason given")
    }

    /// The grant type (RFC 6749), if the log shows it.
    pub(crate) fn grant_type(&self) -> Option<&str> {
        self.event.debug("grantType")?.as_str()
    }

    /// The token's scopes, if the log shows them.
    pub(crate) fn scopes(&self) -> Option<BTreeSet<&str>> {
        self.read_scopes("grantedScopes")
    }

    /// Whether the request named this scope and the token lacks it. `false` if the log does not show both.
    pub(crate) fn lacks(&self, scope: &str) -> bool {
        let asked = self.read_scopes("requestedScopes").is_some_and(|scopes| scopes.contains(scope));
        asked && self.scopes().is_some_and(|scopes| !scopes.contains(scope))
    }

    fn read_scopes(&self, member: &str) -> Option<BTreeSet<&str>> {
        let is_separator = |c: char| c == ',' || c.is_ascii_whitespace();
        Some(match self.event.debug(member)? {
            Value::String(text) => text.split(is_separator).filter(|scope| !scope.is_empty()).collect(),
            Value::Array(items) => items.iter().filter_map(Value::as_str).collect(),
            _ => return None,
        })
    }
}

/// The time of the request and its event.
impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.id() {
            Some(id) => write!(f, "{} (event {id})", self.at),
            None => write!(f, "{}", self.at),
        }
    }
}
