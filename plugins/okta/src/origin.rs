//! Which of several new integrations the step made: Okta's own log knows who created what with which program.

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

/// Where a step's integration is among those that are new.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Origin<'a> {
    /// The step made none of them.
    Nowhere,
    /// The step made this one.
    Ours(&'a str),
    /// Any of these may be the step's.
    Unclear(Vec<&'a str>),
}

impl<'a> Origin<'a> {
    /// Where the id is known.
    pub(crate) fn of_known(new: &'a [String], known: &str) -> Self {
        new.iter().find(|id| *id == known).map_or(Self::Nowhere, |id| Self::Ours(id))
    }

    /// Where it is not known: by the log. Whoever may not read that can still compare lists.
    pub(crate) async fn find(api: &Api<'_>, params: &StepParams, new: &'a [String]) -> Result<Self, Error> {
        let Some(first) = params.attempts.first().filter(|_| !new.is_empty()) else { return Ok(compare(new)) };
        // The token tells the events apart; the time only keeps the answer short.
        let since = a_day_before(&first.at)?;
        let mut pauses = PAUSES_MS.into_iter();
        loop {
            let events = match search(api, &since, &format!("eventType eq \"{CREATED}\""), Order::OldestFirst).await {
                Ok((events, _)) => events,
                Err(error) if error.kind == ErrorKind::Permission => {
                    return Ok(compare(new));
                }
                Err(error) => return Err(error),
            };
            let origin = judge(new, &events, &params.attempts);
            let (Self::Unclear(_), Some(ms)) = (&origin, pauses.next()) else { return Ok(origin) };
            api.host.progress("waiting for the System Log to tell who created the integration");
            api.host.sleep(ms).await?;
        }
    }
}

/// What the list alone tells: only one alone is taken for the step's own.
fn compare(new: &[String]) -> Origin<'_> {
    match new {
        [] => Origin::Nowhere,
        [id] => Origin::Ours(id),
        several => Origin::Unclear(several.iter().map(String::as_str).collect()),
    }
}

/// What the log tells. One of which it does not know yet may be anybody's: taking it for ours could take the secret of a
/// client that somebody else uses away, or delete it.
fn judge<'a>(new: &'a [String], events: &[Event], attempts: &[Attempt]) -> Origin<'a> {
    let is_ours = |event: &Event| {
        let agent = event.agent().unwrap_or_default();
        attempts.iter().any(|attempt| has_word(agent, &attempt.token))
    };
    let (mut ours, mut untold) = (Vec::new(), Vec::new());
    for id in new {
        match events.iter().find(|event| event.is(CREATED) && event.concerns(id)) {
            Some(event) if is_ours(event) => ours.push(id.as_str()),
            // An event that names no program says no more than one that is not there.
            Some(event) if event.agent().is_some() => {}
            _ => untold.push(id.as_str()),
        }
    }
    // That we created one is certain then, and which one where there is no other.
    let is_somewhere = events.iter().any(|event| event.is(CREATED) && is_ours(event) && !event.names_a_client());
    match (ours.as_slice(), untold.as_slice()) {
        ([id], _) => Origin::Ours(id),
        ([], []) => Origin::Nowhere,
        ([], [id]) if is_somewhere => Origin::Ours(id),
        ([], _) => Origin::Unclear(untold),
        _ => Origin::Unclear(ours),
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

    fn ours(id: &str) -> Value {
        event(id, "flowswap/0.1.0 (+intent:run-2/provision)")
    }

    #[test]
    fn the_log_tells_whose_an_integration_is() {
        let attempts = ["run-1", "run-2"]
            .map(|run| Attempt { token: format!("{run}/provision"), at: "2026-11-24T10:00:00Z".to_owned() });
        let check = |new: &[&str], events: Vec<Value>, expect: Origin<'_>| {
            let new: Vec<String> = new.iter().map(|&id| id.to_owned()).collect();
            let parsed: Vec<Event> =
                events.iter().map(|event| serde_json::from_value(event.clone()).unwrap()).collect();
            assert_eq!(judge(&new, &parsed, &attempts), expect, "{new:?} {events:?}");
        };
        let other = |id| event(id, "Mozilla/5.0");
        check(&[], vec![], Origin::Nowhere);
        check(&["a"], vec![], Origin::Unclear(vec!["a"]));
        check(&["a"], vec![ours("a")], Origin::Ours("a"));
        check(&["a"], vec![other("a")], Origin::Nowhere);
        check(&["a", "b"], vec![], Origin::Unclear(vec!["a", "b"]));
        check(&["a", "b"], vec![ours("b")], Origin::Ours("b"));
        check(&["a", "b"], vec![other("a")], Origin::Unclear(vec!["b"]));
        check(&["a", "b"], vec![other("a"), other("b")], Origin::Nowhere);
        check(&["a", "b", "c"], vec![other("a")], Origin::Unclear(vec!["b", "c"]));
        check(&["a", "b", "c"], vec![ours("a"), ours("b")], Origin::Unclear(vec!["a", "b"]));
        // Another step of ours, another run, a failure, another kind of event, no program at all.
        check(&["a"], vec![event("a", "flowswap/0.1.0 (+intent:run-2/provision-2)")], Origin::Nowhere);
        check(&["a"], vec![event("a", "flowswap/0.1.0 (+intent:a-run-2/provision)")], Origin::Nowhere);
        check(&["a"], vec![event("a", "flowswap/0.1.0 (+intent:run-3/provision)")], Origin::Nowhere);
        let changed = |pointer: &str, value: Value| {
            let mut event = other("a");
            *event.pointer_mut(pointer).unwrap() = value;
            event
        };
        check(&["a"], vec![changed("/outcome/result", json!("FAILURE"))], Origin::Unclear(vec!["a"]));
        check(&["a"], vec![changed("/eventType", json!("app.lifecycle"))], Origin::Unclear(vec!["a"]));
        check(&["a"], vec![changed("/client", json!(null))], Origin::Unclear(vec!["a"]));
        // An event that does not say which client it is about, and one that is about a client that is gone.
        let nameless = event("00uADMIN", "flowswap/0.1.0 (+intent:run-2/provision)");
        check(&["a"], vec![nameless.clone()], Origin::Ours("a"));
        check(&["a", "b"], vec![nameless.clone(), other("b")], Origin::Ours("a"));
        check(&["a", "b"], vec![nameless], Origin::Unclear(vec!["a", "b"]));
        check(&["a"], vec![ours("0oaGONE")], Origin::Unclear(vec!["a"]));
    }
}
