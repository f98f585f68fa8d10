//! Which new integration the step made: Okta's own log knows who created what with which program. It is asked as well where the
//! list shows none: a list may be late, and a client that is overlooked stays for ever.

use flowswap_contract::{Attempt, Error, ErrorKind, StepParams};

use crate::{
    api::{Api, a_day_before},
    system_log::{Event, Order, search},
};

/// An API service integration was created and authorized (Okta event types).
const CREATED: &str = "integration.api_service.lifecycle.authorize";

/// Events arrive late (Okta System Log documentation); how late is documented nowhere. What has not arrived by then is
/// looked for the next time.
const PAUSES_MS: [u64; 3] = [1000, 3000, 6000];

/// Where none is listed, most often none was created, so it is not waited for long.
const PAUSES_UNLISTED_MS: [u64; 1] = [1000];

/// Where a step's integration is among those that are new.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// The step made none of them.
    Nowhere,
    /// The step made this one.
    Ours(String),
    /// Any of these may be the step's; where there are none, it is one that nobody names.
    Unclear(Vec<String>),
}

impl Origin {
    /// Where the id is known.
    pub(crate) fn of_known(new: &[String], known: &str) -> Self {
        if new.iter().any(|id| id == known) { Self::Ours(known.to_owned()) } else { Self::Nowhere }
    }

    /// Where it is not known: by the log. Whoever may not read that can still compare lists.
    pub(crate) async fn find(api: &Api<'_>, params: &StepParams, new: &[String]) -> Result<Self, Error> {
        let Some(first) = params.attempts.first() else { return Ok(compare(new)) };
        // The token tells the events apart; the time only keeps the answer short.
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
                [] => judge_unlisted(&events, &params.attempts),
                new => judge(new, &events, &params.attempts),
            };
            // What is late is the event: of one that is listed, or of any at all.
            let may_be_late = match &origin {
                Self::Ours(_) => false,
                Self::Unclear(_) => !new.is_empty(),
                Self::Nowhere => new.is_empty(),
            };
            let Some(ms) = pauses.next().filter(|_| may_be_late) else { return Ok(origin) };
            api.host.progress("waiting for the System Log to tell who created the integration");
            api.host.sleep(*ms).await?;
        }
    }
}

/// What the list alone tells: only one alone is taken for the step's own.
fn compare(new: &[String]) -> Origin {
    match new {
        [] => Origin::Nowhere,
        [id] => Origin::Ours(id.clone()),
        several => Origin::Unclear(several.to_vec()),
    }
}

/// What the log tells where no new one is listed.
fn judge_unlisted(events: &[Event], attempts: &[Attempt]) -> Origin {
    let ours: Vec<_> = events.iter().filter(|event| event.is(CREATED) && is_ours(event, attempts)).collect();
    let mut ids: Vec<_> = ours.iter().flat_map(|event| event.clients()).map(str::to_owned).collect();
    ids.sort();
    ids.dedup();
    match (ours.as_slice(), ids.as_slice()) {
        ([], _) => Origin::Nowhere,
        (_, [id]) => Origin::Ours(id.clone()),
        _ => Origin::Unclear(ids),
    }
}

fn is_ours(event: &Event, attempts: &[Attempt]) -> bool {
    let agent = event.agent().unwrap_or_default();
    attempts.iter().any(|attempt| has_word(agent, &attempt.token))
}

/// What the log tells. One of which it does not know yet may be anybody's: taking it for ours could take the secret of a
/// client that somebody else uses away, or delete it.
fn judge(new: &[String], events: &[Event], attempts: &[Attempt]) -> Origin {
    let (mut ours, mut untold) = (Vec::new(), Vec::new());
    for id in new {
        match events.iter().find(|event| event.is(CREATED) && event.concerns(id)) {
            Some(event) if is_ours(event, attempts) => ours.push(id),
            // An event that names no program says no more than one that is not there.
            Some(event) if event.agent().is_some() => {}
            _ => untold.push(id),
        }
    }
    // That we created one is certain then, and which one where there is no other.
    let is_somewhere =
        events.iter().any(|event| event.is(CREATED) && is_ours(event, attempts) && event.clients().next().is_none());
    match (ours.as_slice(), untold.as_slice()) {
        ([id], _) => Origin::Ours(id.to_string()),
        ([], []) => Origin::Nowhere,
        ([], [id]) if is_somewhere => Origin::Ours(id.to_string()),
        ([], _) => Origin::Unclear(untold.into_iter().cloned().collect()),
        _ => Origin::Unclear(ours.into_iter().cloned().collect()),
    }
}

/// Whether a token stands in a text as a whole: that of step `a` must not be found in that of step `ab`.
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
    fn the_log_tells_whose_an_integration_is() {
        let attempts = ["run-1", "run-2"]
            .map(|run| Attempt { token: format!("{run}/provision"), at: "2026-11-24T10:00:00Z".to_owned() });
        let check = |new: &[&str], events: Vec<Value>, expect: Origin| {
            let new = owned(new);
            let parsed: Vec<Event> =
                events.iter().map(|event| serde_json::from_value(event.clone()).unwrap()).collect();
            assert_eq!(judge(&new, &parsed, &attempts), expect, "{new:?} {events:?}");
        };
        let other = |id| event(id, "Mozilla/5.0");
        check(&[], vec![], Origin::Nowhere);
        check(&["a"], vec![], Origin::Unclear(owned(&["a"])));
        check(&["a"], vec![ours("a")], Origin::Ours("a".to_owned()));
        check(&["a"], vec![other("a")], Origin::Nowhere);
        check(&["a", "b"], vec![], Origin::Unclear(owned(&["a", "b"])));
        check(&["a", "b"], vec![ours("b")], Origin::Ours("b".to_owned()));
        check(&["a", "b"], vec![other("a")], Origin::Unclear(owned(&["b"])));
        check(&["a", "b"], vec![other("a"), other("b")], Origin::Nowhere);
        check(&["a", "b", "c"], vec![other("a")], Origin::Unclear(owned(&["b", "c"])));
        check(&["a", "b", "c"], vec![ours("a"), ours("b")], Origin::Unclear(owned(&["a", "b"])));
        // Another step of ours, another run, a failure, another kind of event, no program at all.
        check(&["a"], vec![event("a", "flowswap/0.1.0 (+intent:run-2/provision-2)")], Origin::Nowhere);
        check(&["a"], vec![event("a", "flowswap/0.1.0 (+intent:a-run-2/provision)")], Origin::Nowhere);
        check(&["a"], vec![event("a", "flowswap/0.1.0 (+intent:run-3/provision)")], Origin::Nowhere);
        let changed = |pointer: &str, value: Value| {
            let mut event = other("a");
            *event.pointer_mut(pointer).unwrap() = value;
            event
        };
        check(&["a"], vec![changed("/outcome/result", json!("FAILURE"))], Origin::Unclear(owned(&["a"])));
        check(&["a"], vec![changed("/eventType", json!("app.lifecycle"))], Origin::Unclear(owned(&["a"])));
        check(&["a"], vec![changed("/client", json!(null))], Origin::Unclear(owned(&["a"])));
        // An event that does not say which client it is about, and one that is about a client that is gone.
        let nameless = event("00uADMIN", "flowswap/0.1.0 (+intent:run-2/provision)");
        check(&["a"], vec![nameless.clone()], Origin::Ours("a".to_owned()));
        check(&["a", "b"], vec![nameless.clone(), other("b")], Origin::Ours("a".to_owned()));
        check(&["a", "b"], vec![nameless], Origin::Unclear(owned(&["a", "b"])));
        check(&["a"], vec![ours("0oaGONE")], Origin::Unclear(owned(&["a"])));
    }

    #[test]
    fn the_log_knows_what_the_list_does_not_show() {
        let attempts = [Attempt { token: "run-2/provision".to_owned(), at: "2026-11-24T10:00:00Z".to_owned() }];
        let check = |events: Vec<Value>, expect: Origin| {
            let parsed: Vec<Event> =
                events.iter().map(|event| serde_json::from_value(event.clone()).unwrap()).collect();
            assert_eq!(judge_unlisted(&parsed, &attempts), expect, "{events:?}");
        };
        check(vec![], Origin::Nowhere);
        check(vec![event("0oaA", "Mozilla/5.0")], Origin::Nowhere);
        check(vec![ours("0oaA")], Origin::Ours("0oaA".to_owned()));
        check(vec![ours("0oaA"), ours("0oaA")], Origin::Ours("0oaA".to_owned()));
        check(vec![ours("0oaA"), ours("0oaB")], Origin::Unclear(owned(&["0oaA", "0oaB"])));
        // One that names no client says that there is one.
        check(vec![ours("00uADMIN")], Origin::Unclear(vec![]));
    }
}
