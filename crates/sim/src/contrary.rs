//! Plays beliefs false: what a request finds, and what it is answered, is otherwise than the proofs assume.

use std::collections::{BTreeMap, HashMap};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use http::{Method, StatusCode, header};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::beliefs::Belief;
use crate::clock::{shift, to_rfc3339};
use crate::config::{CIE_API_HOST, CIE_AUTH_HOST, GATEWAY_HOST, SimConfig};
use crate::message::{Reply, Request};
use crate::okta::refusal::Refusal;
use crate::okta::token::GRANT_EVENT;
use crate::script;
use crate::state::{State, lock};

/// How late events are in a world in which they are late.
const LATE: Duration = Duration::from_secs(3 * 60 * 60);
/// How far a clock is off that disagrees: more than any proof tolerates, and less than a token lives.
const OFF: SignedDuration = SignedDuration::from_mins(40);
/// How long a token lives where it does not live an hour.
const LONG_LIFE: SignedDuration = SignedDuration::from_hours(8);
/// How many syncs of its own a directory makes before it falls silent.
const SYNCS_BEFORE_SILENCE: u32 = 2;

/// The beliefs that are false in a world, and how often each has made a difference.
#[derive(Debug, Default)]
pub(crate) struct Contrary {
    false_ones: BTreeMap<Belief, AtomicU32>,
    /// The syncs that each directory made by itself since it was reconnected.
    syncs: Mutex<HashMap<String, u32>>,
}

impl Contrary {
    pub(crate) fn new(beliefs: &[Belief]) -> Self {
        Self { false_ones: beliefs.iter().map(|belief| (*belief, AtomicU32::new(0))).collect(), ..Self::default() }
    }

    /// Whether the belief is false; if it is, this counts as played.
    pub(crate) fn plays(&self, belief: Belief) -> bool {
        let played = self.false_ones.get(&belief);
        played.is_some_and(|count| count.fetch_add(1, Ordering::Relaxed) < u32::MAX)
    }

    pub(crate) fn is_false(&self, belief: Belief) -> bool {
        self.false_ones.contains_key(&belief)
    }

    pub(crate) fn report(&self) -> BTreeMap<Belief, u32> {
        self.false_ones.iter().map(|(belief, count)| (*belief, count.load(Ordering::Relaxed))).collect()
    }

    /// Whether a reconnected directory makes its next sync. One that does not go on makes a few first.
    pub(crate) fn syncs_on(&self, directory: &str) -> bool {
        if !self.is_false(Belief::SyncsGoOn) {
            return true;
        }
        let mut syncs = lock(&self.syncs);
        let made = syncs.entry(directory.to_owned()).or_default();
        *made += 1;
        *made <= SYNCS_BEFORE_SILENCE || !self.plays(Belief::SyncsGoOn)
    }

    /// Counts as played what a setting plays.
    pub(crate) fn note(&self, belief: Belief) {
        let _is_false = self.plays(belief);
    }
}

/// Settings that make beliefs false.
pub(crate) fn adjust(config: &mut SimConfig) {
    let is_false = |belief: Belief| config.false_beliefs.contains(&belief);
    let keeps_tokens = is_false(Belief::SyncGetsAToken) || is_false(Belief::TokenLivesAnHour);
    let is_late = is_false(Belief::EventsWithinMinutes);
    config.cached_tokens |= keeps_tokens;
    if is_false(Belief::TokenLivesAnHour) {
        config.token_lifetime = config.token_lifetime.max(LONG_LIFE);
    }
    if is_late {
        config.log_delay = config.log_delay.max(LATE);
    }
}

/// Sets the clocks that disagree.
pub(crate) fn set_clocks(state: &State) {
    if state.contrary.is_false(Belief::OrgClockAgrees) {
        state.orgs.keys().for_each(|org| state.set_skew(org, -OFF));
    }
    if state.contrary.is_false(Belief::DirectoryClockAgrees) {
        [GATEWAY_HOST, CIE_API_HOST, CIE_AUTH_HOST].into_iter().for_each(|host| state.set_skew(host, OFF));
    }
}

/// Whether the host's answers say its time.
pub(crate) fn shows_time(state: &State, host: &str) -> bool {
    let belief = match host {
        GATEWAY_HOST | CIE_API_HOST | CIE_AUTH_HOST => Belief::DirectoryShowsItsTime,
        _ if state.orgs.contains_key(host) => Belief::OrgShowsItsTime,
        _ => return true,
    };
    !state.contrary.plays(belief)
}

/// The answer to a request that is not carried out as it should be.
pub(crate) fn instead(state: &State, host: &str, request: &Request) -> Option<Reply> {
    let org = state.org(host)?;
    let contrary = &state.contrary;
    match (&request.method, request.segments().as_slice()) {
        (&Method::DELETE, ["api", "v1", "apps", id]) if org.app(id).is_some() => {
            contrary.plays(Belief::DeleteIsImmediate).then(|| Reply::empty(StatusCode::NO_CONTENT))
        }
        (&Method::DELETE, ["integrations", "api", "v1", "api-services", id]) if org.service(id).is_some() => {
            contrary.plays(Belief::DeleteIsImmediate).then(|| Reply::empty(StatusCode::NO_CONTENT))
        }
        (&Method::POST, ["api", "v1", "apps", _, "lifecycle", "activate"]) => {
            contrary.plays(Belief::ActivationActivates).then(|| Reply::json(StatusCode::OK, &json!({})))
        }
        (&Method::POST, ["oauth2", "v1", "token"]) => contrary.plays(Belief::IntegrationIdIsClientId).then(|| {
            let text = "Invalid value for 'client_id' parameter.";
            Refusal::oauth(StatusCode::UNAUTHORIZED, "invalid_client", text).into_reply(
                "oaeContrary",
                &request.base(),
                &request.path,
            )
        }),
        (&Method::GET, ["api", "v1", "logs"]) => contrary.plays(Belief::LogReadable).then(|| {
            let text = "You do not have permission to perform the requested action";
            Refusal::new(StatusCode::FORBIDDEN, "E0000006", text).into_reply(
                "oaeContrary",
                &request.base(),
                &request.path,
            )
        }),
        _ => None,
    }
}

/// The answer as it comes where beliefs are false.
pub(crate) fn tamper(state: &State, host: &str, request: &Request, reply: Reply) -> Reply {
    match host {
        GATEWAY_HOST => tamper_gateway(state, reply),
        _ if state.orgs.contains_key(host) => tamper_org(state, host, request, reply),
        _ => reply,
    }
}

fn tamper_gateway(state: &State, mut reply: Reply) -> Reply {
    if state.contrary.is_false(Belief::LastSuccessIsASync) {
        let now = to_rfc3339(shift(state.clock.now(), state.skew_of(GATEWAY_HOST)));
        for (member, value) in [("last_success", json!(now)), ("status", json!("success"))] {
            for place in ["/sync", "/directories/*/sync"] {
                reply = edit(state, Belief::LastSuccessIsASync, reply, &format!("{place}/{member}"), Some(&value));
            }
        }
    }
    reply
}

fn tamper_org(state: &State, host: &str, request: &Request, reply: Reply) -> Reply {
    let contrary = &state.contrary;
    if reply.status == StatusCode::NOT_FOUND && contrary.plays(Belief::NotFoundHasCode) {
        let bare = Reply { body: "<html><title>Not Found</title></html>".into(), ..Reply::empty(reply.status) };
        return bare.with_header(header::CONTENT_TYPE, "text/html");
    }
    if !reply.status.is_success() {
        return reply;
    }
    match (&request.method, request.segments().as_slice()) {
        (&Method::GET, ["api", "v1", "logs"]) => tamper_log(state, host, request, reply),
        (&Method::GET, ["integrations", "api", "v1", "api-services"]) if reply.value() != json!([]) => {
            match contrary.plays(Belief::IntegrationsListIsComplete) {
                true => Reply::json(StatusCode::OK, &json!([])),
                false => reply,
            }
        }
        (&Method::POST, ["integrations", "api", "v1", "api-services"]) => {
            edit(state, Belief::CreationShowsTheSecret, reply, "/clientSecret", None)
        }
        (&Method::POST, ["oauth2", "v1", "token"]) => {
            if contrary.is_false(Belief::TokenLivesAnHour) {
                contrary.note(Belief::TokenLivesAnHour);
            }
            edit(state, Belief::TokenHasTheScopes, reply, "/scope", Some(&json!("okta.users.read")))
        }
        (&Method::GET, ["api", "v1", "apps"]) => {
            edit(state, Belief::DeactivationIsShown, reply, "/*/status", Some(&json!("ACTIVE")))
        }
        (&Method::GET, ["api", "v1", "apps", _]) => {
            edit(state, Belief::DeactivationIsShown, reply, "/status", Some(&json!("ACTIVE")))
        }
        _ => reply,
    }
}

fn tamper_log(state: &State, host: &str, request: &Request, mut reply: Reply) -> Reply {
    let contrary = &state.contrary;
    if contrary.is_false(Belief::EventsWithinMinutes) {
        contrary.note(Belief::EventsWithinMinutes);
    }
    let drop = |belief: Belief, reply: Reply, is_dropped: &dyn Fn(&Value) -> bool| {
        if !contrary.is_false(belief) {
            return reply;
        }
        let Value::Array(events) = reply.value() else { return reply };
        if !events.iter().any(is_dropped) {
            return reply;
        }
        contrary.note(belief);
        let left: Vec<_> = events.into_iter().filter(|event| !is_dropped(event)).collect();
        Reply { body: serde_json::to_vec(&left).unwrap_or_default().into(), ..reply }
    };
    reply = drop(Belief::GrantsLeaveEvents, reply, &|event| event["eventType"] == GRANT_EVENT);
    let is_for_itself = |event: &Value| event["debugContext"]["debugData"]["grantType"] == "client_credentials";
    reply = drop(Belief::ServiceGrantsLeaveEvents, reply, &is_for_itself);
    let now = shift(state.clock.now(), state.skew_of(host));
    let is_late = |event: &Value| {
        let published = event["published"].as_str().and_then(|at| at.parse::<Timestamp>().ok());
        published.is_some_and(|at| now.duration_since(at) < SignedDuration::try_from(LATE).unwrap_or_default())
    };
    reply = drop(Belief::EventsInOrder, reply, &|event| is_for_itself(event) && is_late(event));
    reply = drop(Belief::RefusalsLeaveEvents, reply, &|event| event["outcome"]["result"] == "FAILURE");
    // What an event does not show, it is not found by either.
    let asks_for_grant = request.parameter("filter").is_some_and(|filter| filter.contains("debugData.grantType"));
    reply = drop(Belief::GrantTypeShown, reply, &|_| asks_for_grant);
    let other = json!("00uSomebodyElse");
    let edits = [
        (Belief::ActorIsClient, "/*/actor/id", Some(&other)),
        (Belief::UserAgentKept, "/*/client/userAgent/rawUserAgent", None),
        (Belief::GrantTypeShown, "/*/debugContext/debugData/grantType", None),
        (Belief::ScopesShown, "/*/debugContext/debugData/grantedScopes", None),
        (Belief::ScopesShown, "/*/debugContext/debugData/requestedScopes", None),
    ];
    edits.into_iter().fold(reply, |reply, (belief, pointer, value)| edit(state, belief, reply, pointer, value))
}

/// Changes a member where the belief is false; it counts as played if that changes anything.
fn edit(state: &State, belief: Belief, reply: Reply, pointer: &str, value: Option<&Value>) -> Reply {
    if !state.contrary.is_false(belief) {
        return reply;
    }
    let before = reply.value();
    let after = script::edit(reply, pointer, value);
    if after.value() != before {
        state.contrary.note(belief);
    }
    after
}

/// Notes that clocks that are off were seen.
pub(crate) fn note_clocks(state: &State, host: &str) {
    let belief = match host {
        GATEWAY_HOST | CIE_API_HOST => Belief::DirectoryClockAgrees,
        _ if state.orgs.contains_key(host) => Belief::OrgClockAgrees,
        _ => return,
    };
    state.contrary.note(belief);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_false_belief_is_counted_and_a_true_one_is_not() {
        let contrary = Contrary::new(&[Belief::NameStays]);
        assert!(contrary.plays(Belief::NameStays) && !contrary.plays(Belief::ActorIsClient));
        assert_eq!(contrary.report(), [(Belief::NameStays, 1)].into());
    }
}
