//! Token requests in a client's name, as the System Log shows them: who is connected as whom, whatever a screen says.
//!
//! Events arrive late, so the absence of one proves nothing for some minutes. That the client is the event's actor, and
//! that the debug data has `grantType`, `requestedScopes` and `grantedScopes`, is seen in public samples and in no document of
//! Okta's; without the debug data less is known.

use std::{collections::BTreeSet, fmt};

use flowswap_contract::{Error, HttpAnswer};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use crate::{
    api::Api,
    system_log::{Event, Order, find_newest, search},
};

/// The org authorization server issued an access token (Okta event types). It is written for successes only.
const GRANT: &str = "app.oauth2.token.grant.access_token";

/// It refused a token request: without a suffix, with the outcome FAILURE and a reason of Okta's own (Okta support, "refresh token
/// is invalid or expired"; Events API to System Log migration guide).
const REFUSED: &str = "app.oauth2.token.grant";

/// Several requests had invalid client credentials (Okta event types). Whether every wrong secret leaves one is in no source, so
/// its absence says nothing.
const BAD_CREDENTIALS: &str = "app.oauth2.invalid_client_credentials";

/// It issued a refresh token, for which a person signs in (Okta event types).
const REFRESH_GRANT: &str = "app.oauth2.token.grant.refresh_token";

/// How every program of this project names itself to the org, in contrast to the directory.
const OURSELVES: &str = "flowswap/";

/// So long after a token was issued nobody can use it any more: the org authorization server's live for an hour (Okta,
/// "Token lifetime"), and events arrive late. Until then a directory may go on by one without any event.
const OUTLIVED: SignedDuration = SignedDuration::from_mins(65);

/// So long after a client's last request in the log nobody uses it any more. Whoever keeps a token for its hour gets the next one at
/// the first sync after that, and the event of that may be a quarter of an hour late.
pub(crate) const UNUSED: SignedDuration = SignedDuration::from_mins(80);

/// A request for a token by somebody other than flowswap.
#[derive(Debug, Clone)]
pub(crate) struct Token {
    pub(crate) at: Timestamp,
    event: Event,
}

/// What the log shows of a client, newest first.
#[derive(Debug, Default)]
pub(crate) struct TokenLog {
    client_id: String,
    since: String,
    pub(crate) granted: Vec<Token>,
    pub(crate) refused: Vec<Token>,
    /// Whether the log shows what flowswap itself asked for as the client.
    pub(crate) shows_us: bool,
    /// Since when nothing is left out; none where that is the whole time that was asked for.
    cut_at: Option<Timestamp>,
}

impl TokenLog {
    /// The newest requests since a time. The last token is among them, if there was any.
    pub(crate) async fn read(api: &Api<'_>, client_id: &str, since: &str) -> Result<(Self, HttpAnswer), Error> {
        let filter = of_client(&[GRANT, REFUSED, BAD_CREDENTIALS], client_id);
        let (events, answer) = search(api, since, &filter, Order::NewestFirst).await?;
        let mut log = Self::of(events, client_id, since);
        if log.granted.is_empty() && log.cut_at.is_some() {
            // Nothing but refusals for hours: the last token is further back.
            let filter = of_client(&[GRANT], client_id);
            let (events, _) = search(api, since, &filter, Order::NewestFirst).await?;
            log.granted = Self::of(events, client_id, since).granted;
        }
        Ok((log, answer))
    }

    /// The same of a client that may not be known; nothing, then.
    pub(crate) async fn read_known(api: &Api<'_>, client_id: Option<&str>, since: &str) -> Result<Self, Error> {
        match client_id {
            Some(id) => Ok(Self::read(api, id, since).await?.0),
            None => Ok(Self::default()),
        }
    }

    fn of(events: Vec<Event>, client_id: &str, since: &str) -> Self {
        let is_cut = events.len() >= Order::NewestFirst.limit();
        let cut_at = events.iter().filter_map(Event::at).min().filter(|_| is_cut);
        let shows_us = events.iter().any(|event| event.actor() == Some(client_id) && is_ours(event));
        // The filter and the order are the server's; a proof does not rest on somebody else's.
        let (granted, others): (Vec<_>, Vec<_>) =
            foreign(events, client_id).into_iter().partition(|token| token.event.is(GRANT));
        let is_refusal = |event: &Event| event.is_failed(REFUSED) || event.is_failed(BAD_CREDENTIALS);
        let refused = others.into_iter().filter(|token| is_refusal(&token.event)).collect();
        Self { client_id: client_id.to_owned(), since: since.to_owned(), granted, refused, shows_us, cut_at }
    }

    /// The first token after a time, the very time excluded; without one, the first since the time that was asked for.
    pub(crate) async fn find_first(&self, api: &Api<'_>, after: Option<Timestamp>) -> Result<Option<Token>, Error> {
        let is_after = |token: &Token| after.is_none_or(|after| token.at > after);
        if self.cut_at.is_none_or(|cut_at| after.is_some_and(|after| cut_at <= after)) {
            return Ok(self.granted.iter().rev().find(|token| is_after(token)).cloned());
        }
        let since = after.map_or(self.since.clone(), |after| after.to_string());
        let filter = of_client(&[GRANT], &self.client_id);
        let (events, _) = search(api, &since, &filter, Order::OldestFirst).await?;
        Ok(foreign(events, &self.client_id).into_iter().rev().find(|token| token.event.is(GRANT) && is_after(token)))
    }

    /// Every request that the directory made by itself, granted or refused, newest first: a person who signs in may leave it at that.
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

/// When persons signed in through a client, newest first: by the refresh tokens that it got for that. Rotated ones are not
/// counted where the log tells them apart.
pub(crate) async fn find_sign_ins(api: &Api<'_>, client_id: &str, since: &str) -> Result<Vec<Token>, Error> {
    let (events, _) = search(api, since, &of_client(&[REFRESH_GRANT], client_id), Order::NewestFirst).await?;
    Ok(foreign(events, client_id).into_iter().filter(|token| is_sign_in(&token.event)).collect())
}

/// When a person last signed in through a client; `false` beside it where the log has more pages than are read. Every refresh may
/// leave a refresh token of its own, so the newest hundred events may show nothing else: the log is asked for the grant.
pub(crate) async fn find_last_sign_in(
    api: &Api<'_>,
    client_id: &str,
    since: &str,
) -> Result<(Option<Timestamp>, bool), Error> {
    let of_client = of_client(&[REFRESH_GRANT, GRANT], client_id);
    let by_code = format!("{of_client} and debugContext.debugData.grantType eq \"{CODE}\"");
    let fits = |event: &Event| is_foreign(event, client_id) && is_sign_in(event);
    let (asked, is_whole) = match find_newest(api, since, &by_code, fits).await {
        // A log that does not search by debug data is read through.
        Err(error) if error.context.get("status").is_some_and(|status| status == "400") => (None, true),
        other => other?,
    };
    match asked.as_ref().and_then(Event::at) {
        Some(at) => Ok((Some(at), is_whole)),
        // Where the debug data is not shown, any refresh token may be that of a sign-in.
        None => {
            let (read, is_whole) = find_newest(api, since, &of_client, fits).await?;
            Ok((read.as_ref().and_then(Event::at), is_whole))
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

fn is_foreign(event: &Event, client_id: &str) -> bool {
    event.actor() == Some(client_id) && !is_ours(event)
}

fn is_ours(event: &Event) -> bool {
    event.agent().is_some_and(|agent| agent.starts_with(OURSELVES))
}

/// What the client did and flowswap did not, newest first.
fn foreign(events: Vec<Event>, client_id: &str) -> Vec<Token> {
    let events = events.into_iter().filter(|event| is_foreign(event, client_id));
    let mut tokens: Vec<_> = events.filter_map(|event| event.at().map(|at| Token { at, event })).collect();
    tokens.sort_by_key(|token| std::cmp::Reverse(token.at));
    tokens
}

impl Token {
    /// The log's id of it.
    pub(crate) fn id(&self) -> Option<&str> {
        self.event.uuid.as_deref()
    }

    /// From when on nobody can use it any more.
    pub(crate) fn outlived_at(&self) -> Timestamp {
        self.at + OUTLIVED
    }

    /// From when on the client is not in use any more, unless there is a later request.
    pub(crate) fn unused_from(&self) -> Timestamp {
        self.at + UNUSED
    }

    /// Whether a token was issued.
    pub(crate) fn is_granted(&self) -> bool {
        self.event.is(GRANT)
    }

    /// The program that asked.
    pub(crate) fn agent(&self) -> &str {
        self.event.agent().unwrap_or("a program without a name")
    }

    /// Why it was refused.
    pub(crate) fn reason(&self) -> &str {
        self.event.reason().unwrap_or("no reason given")
    }

    /// By which grant (RFC 6749) it was issued, where the log shows it.
    pub(crate) fn grant_type(&self) -> Option<&str> {
        self.event.debug("grantType")?.as_str()
    }

    /// The scopes that it has, where the log shows them.
    pub(crate) fn scopes(&self) -> Option<BTreeSet<&str>> {
        self.read_scopes("grantedScopes")
    }

    /// Whether it was asked for with this scope and came without it, as far as the log shows both.
    pub(crate) fn lacks(&self, scope: &str) -> bool {
        let asked = self.read_scopes("requestedScopes").is_some_and(|scopes| scopes.contains(scope));
        asked && self.scopes().is_some_and(|scopes| !scopes.contains(scope))
    }

    fn read_scopes(&self, member: &str) -> Option<BTreeSet<&str>> {
        let is_between = |c: char| c == ',' || c.is_ascii_whitespace();
        Some(match self.event.debug(member)? {
            Value::String(text) => text.split(is_between).filter(|scope| !scope.is_empty()).collect(),
            Value::Array(items) => items.iter().filter_map(Value::as_str).collect(),
            _ => return None,
        })
    }
}

/// When, and by which event that is known.
impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.id() {
            Some(id) => write!(f, "{} (event {id})", self.at),
            None => write!(f, "{}", self.at),
        }
    }
}
