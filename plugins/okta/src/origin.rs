//! Finds the integration that the step created. Okta's System Log shows who created what with which program. flowswap searches it even
//! if the list shows no new integration: the list may be late, and an overlooked client would stay forever.

use flowswap_contract::{Attempt, Error, ErrorKind, StepParams};

use crate::{
    api::{Api, a_day_before},
    system_log::{Event, Order, search},
};

/// An API service integration was created and authorized (Okta event types).
const CREATED: &str = "integration.api_service.lifecycle.authorize";

/// Events arrive late (Okta System Log documentation); no source says how late. The next run looks for what has not arrived by
/// then.
const PAUSES_MS: [u64; 3] = [1000, 3000, 6000];

/// If the list shows no new integration, most often none was created, so the wait is short.
const PAUSES_UNLISTED_MS: [u64; 1] = [1000];

/// Which of the new integrations the step created.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// The step created none of them.
    NotFound,
    /// The step created this one.
    Ours(String),
    /// Any of these may be the step's. If the list is empty, the step created one whose id is unknown.
    Unclear(Vec<String>),
}

impl Origin {
    /// Looks for a known id.
    pub(crate) fn of_known(new: &[String], known: &str) -> Self {
        if new.iter().any(|id| id == known) { Self::Ours(known.to_owned()) } else { Self::NotFound }
    }

    /// Looks for an unknown id in the log. Falls back to comparing lists if the token may not read the log.
    pub(crate) async fn find(api: &Api<'_>, params: &StepParams, new: &[String]) -> Result<Self, Error> {
        let Some(first) = params.attempts.first() else { return Ok(compare(new)) };
        // The intent token identifies our events; the time only keeps the answer short.
        let since = a_day_before(&first.at)?;
        let pauses: &[u64] = if new.is_empty() { &PAUSES_UNLISTED_MS } else { &PAUSES_MS };
        let mut pauses = pauses.iter();
        loop {
            let events = match search(api, &since, &format!("eventType eq \"{CREATED}\""), Order::OldestFirst).await {
                Ok((events, _)) => events,
                Err(error) if error.kind == ErrorKind::Permission => return Ok(compare(new)),
                Err(error) => return Err(error),
            };
            let origin = match new {
                [] => find_unlisted(&events, &params.attempts),
                new => find_listed(new, &events, &params.attempts),
            };
            // The event may be late: that of a listed integration, or, if none is listed, any event.
            let may_be_late = match &origin {
                Self::Ours(_) => false,
                Self::Unclear(_) => !new.is_empty(),
                Self::NotFound => new.is_empty(),
            };
            let Some(ms) = pauses.next().filter(|_| may_be_late) else { return Ok(origin) };
            api.host.progress("waiting for the System Log to show who created the integration");
            api.host.sleep(*ms).await?;
        }
    }
}

/// Decides by the list alone: a single new integration counts as the step's.
fn compare(new: &[String]) -> Origin {
    match new {
        [] => Origin::NotFound,
        [id] => Origin::Ours(id.clone()),
        several => Origin::Unclear(several.to_vec()),
    }
}

/// Decides by the log alone, if the list shows no new integration.
fn find_unlisted(events: &[Event], attempts: &[Attempt]) -> Origin {
    let ours: Vec<_> = events.iter().filter(|event| event.is(CREATED) && is_own(event, attempts)).collect();
    let mut ids: Vec<_> = ours.iter().flat_map(|event| event.clients()).map(str::to_owned).collect();
    ids.sort();
    ids.dedup();
    match (ours.as_slice(), ids.as_slice()) {
        ([], _) => Origin::NotFound,
        (_, [id]) => Origin::Ours(id.clone()),
        _ => Origin::Unclear(ids),
    }
}

/// Whether one of the attempts made the request of the event.
pub(crate) fn is_own(event: &Event, attempts: &[Attempt]) -> bool {
    let agent = event.agent().unwrap_or_default();
    attempts.iter().any(|attempt| has_word(agent, &attempt.token))
}

/// Decides by the log which listed integration is the step's. One that the log does not show yet may be anybody's. If flowswap took it
/// for its own, it could remove the secret of a client that somebody else uses, or delete the client.
fn find_listed(new: &[String], events: &[Event], attempts: &[Attempt]) -> Origin {
    let mut ours = Vec::new();
    let mut undecided = Vec::new();
    for id in new {
        match events.iter().find(|event| event.is(CREATED) && event.concerns(id)) {
            Some(event) if is_own(event, attempts) => ours.push(id),
            // An event without a program says no more than a missing event.
            Some(event) if event.agent().is_some() => {}
            _ => undecided.push(id),
        }
    }
    // An event of ours without a client id proves that we created one. It is certain which if there is no other candidate.
    let created_unnamed =
        events.iter().any(|event| event.is(CREATED) && is_own(event, attempts) && event.clients().next().is_none());
    match (ours.as_slice(), undecided.as_slice()) {
        ([id], _) => Origin::Ours(id.to_string()),
        ([], []) => Origin::NotFound,
        ([], [id]) if created_unnamed => Origin::Ours(id.to_string()),
        ([], _) => Origin::Unclear(undecided.into_iter().cloned().collect()),
        _ => Origin::Unclear(ours.into_iter().cloned().collect()),
    }
}

/// Whether a text contains a token as a whole word: the token of step `a` must not match that of step `ab`.
fn has_word(text: &str, word: &str) -> bool {
    let is_part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '/' | '.');
    text.match_indices(word)
        .any(|(at, _)| !text[..at].ends_with(is_part) && !text[at + word.len()..].starts_with(is_part))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn event(id: &str, agent: &str) -> Value {
        json!({
            "eventType": CREATED,
            "outcome": {"result": "SUCCESS"},
            "client": {"userAgent": {"rawUserAgent": agent}},
            "target": [{"id": "00uADMIN"}, {"id": id}],
        })
    }

    fn owned(ids: &[&str]) -> Vec<String> {
        ids.iter().map(|&id| id.to_owned()).collect()
    }

    fn ours(id: &str) -> Value {
        event(id, "flowswap/0.1.0 (+intent:run-2/provision)")
    }

    #[test]
    fn the_log_shows_who_created_a_listed_integration() {
        let attempts = ["run-1", "run-2"]
            .map(|run| Attempt { token: format!("{run}/provision"), at: "2026-11-24T10:00:00Z".to_owned() });
        let check = |new: &[&str], events: Vec<Value>, expect: Origin| {
            let new = owned(new);
            let parsed: Vec<Event> =
                events.iter().map(|event| serde_json::from_value(event.clone()).unwrap()).collect();
            assert_eq!(find_listed(&new, &parsed, &attempts), expect, "{new:?} {events:?}");
        };
        let other = |id| event(id, "Mozilla/5.0");
        check(&[], vec![], Origin::NotFound);
        check(&["a"], vec![], Origin::Unclear(owned(&["a"])));
        check(&["a"], vec![ours("a")], Origin::Ours("a".to_owned()));
        check(&["a"], vec![other("a")], Origin::NotFound);
        check(&["a", "b"], vec![], Origin::Unclear(owned(&["a", "b"])));
        check(&["a", "b"], vec![ours("b")], Origin::Ours("b".to_owned()));
        check(&["a", "b"], vec![other("a")], Origin::Unclear(owned(&["b"])));
        check(&["a", "b"], vec![other("a"), other("b")], Origin::NotFound);
        check(&["a", "b", "c"], vec![other("a")], Origin::Unclear(owned(&["b", "c"])));
        check(&["a", "b", "c"], vec![ours("a"), ours("b")], Origin::Unclear(owned(&["a", "b"])));
        // Another step of ours, another run, a failure, another kind of event, no program.
        check(&["a"], vec![event("a", "flowswap/0.1.0 (+intent:run-2/provision-2)")], Origin::NotFound);
        check(&["a"], vec![event("a", "flowswap/0.1.0 (+intent:a-run-2/provision)")], Origin::NotFound);
        check(&["a"], vec![event("a", "flowswap/0.1.0 (+intent:run-3/provision)")], Origin::NotFound);
        let changed = |pointer: &str, value: Value| {
            let mut event = other("a");
            *event.pointer_mut(pointer).unwrap() = value;
            event
        };
        check(&["a"], vec![changed("/outcome/result", json!("FAILURE"))], Origin::Unclear(owned(&["a"])));
        check(&["a"], vec![changed("/eventType", json!("app.lifecycle"))], Origin::Unclear(owned(&["a"])));
        check(&["a"], vec![changed("/client", json!(null))], Origin::Unclear(owned(&["a"])));
        // An event without a client id, and one about a client that is gone.
        let nameless = event("00uADMIN", "flowswap/0.1.0 (+intent:run-2/provision)");
        check(&["a"], vec![nameless.clone()], Origin::Ours("a".to_owned()));
        check(&["a", "b"], vec![nameless.clone(), other("b")], Origin::Ours("a".to_owned()));
        check(&["a", "b"], vec![nameless], Origin::Unclear(owned(&["a", "b"])));
        check(&["a"], vec![ours("0oaGONE")], Origin::Unclear(owned(&["a"])));
    }

    #[test]
    fn the_log_shows_an_integration_that_the_list_lacks() {
        let attempts = [Attempt { token: "run-2/provision".to_owned(), at: "2026-11-24T10:00:00Z".to_owned() }];
        let check = |events: Vec<Value>, expect: Origin| {
            let parsed: Vec<Event> =
                events.iter().map(|event| serde_json::from_value(event.clone()).unwrap()).collect();
            assert_eq!(find_unlisted(&parsed, &attempts), expect, "{events:?}");
        };
        check(vec![], Origin::NotFound);
        check(vec![event("0oaA", "Mozilla/5.0")], Origin::NotFound);
        check(vec![ours("0oaA")], Origin::Ours("0oaA".to_owned()));
        check(vec![ours("0oaA"), ours("0oaA")], Origin::Ours("0oaA".to_owned()));
        check(vec![ours("0oaA"), ours("0oaB")], Origin::Unclear(owned(&["0oaA", "0oaB"])));
        // An event without a client id proves that an integration exists.
        check(vec![ours("00uADMIN")], Origin::Unclear(vec![]));
    }
}
