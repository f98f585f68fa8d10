//! Makes beliefs false: changes what a request does, and how it is answered, so that the assumption does not hold.

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
use crate::state::State;

/// The delay of events if `events-within-minutes` or `events-in-order` is false.
const LOG_DELAY: Duration = Duration::from_secs(3 * 60 * 60);
/// The error of a wrong clock: more than any check tolerates, and less than the lifetime of a token.
const CLOCK_ERROR: SignedDuration = SignedDuration::from_mins(40);
/// The lifetime of a token if `token-lives-an-hour` is false.
const LONG_LIFETIME: SignedDuration = SignedDuration::from_hours(8);

/// Changes the settings by which some beliefs become false.
pub(crate) fn adjust_settings(config: &mut SimConfig) {
    let is_false = |belief: Belief| config.false_beliefs.contains(&belief);
    let keeps_tokens = is_false(Belief::SyncGetsAToken) || is_false(Belief::TokenLivesAnHour);
    let is_late = is_false(Belief::EventsWithinMinutes);
    config.cached_tokens |= keeps_tokens;
    if is_false(Belief::TokenLivesAnHour) {
        config.token_lifetime = config.token_lifetime.max(LONG_LIFETIME);
    }
    if is_late {
        config.log_delay = config.log_delay.max(LOG_DELAY);
    }
}

/// Sets the clocks that are wrong.
pub(crate) fn skew_clocks(state: &State) {
    if state.false_beliefs.is_false(Belief::OrgClockAgrees) {
        for org in state.orgs.keys() {
            state.set_skew(org, -CLOCK_ERROR);
        }
    }
    if state.false_beliefs.is_false(Belief::DirectoryClockAgrees) {
        for host in [GATEWAY_HOST, CIE_API_HOST, CIE_AUTH_HOST] {
            state.set_skew(host, CLOCK_ERROR);
        }
    }
}

/// Whether the host's answers have a `Date`.
pub(crate) fn shows_time(state: &State, host: &str) -> bool {
    let belief = match host {
        GATEWAY_HOST | CIE_API_HOST | CIE_AUTH_HOST => Belief::DirectoryShowsItsTime,
        _ if state.orgs.contains_key(host) => Belief::OrgShowsItsTime,
        _ => return true,
    };
    !state.false_beliefs.takes_effect(belief)
}

/// The answer to a request that a false belief keeps from being carried out. `None` if no such belief applies.
pub(crate) fn replace_answer(state: &State, host: &str, request: &Request) -> Option<Reply> {
    let org = state.org(host)?;
    let false_beliefs = &state.false_beliefs;
    match (&request.method, request.segments().as_slice()) {
        (&Method::DELETE, ["api", "v1", "apps", id]) if org.app(id).is_some() => {
            false_beliefs.takes_effect(Belief::DeleteIsImmediate).then(|| Reply::empty(StatusCode::NO_CONTENT))
        }
        (&Method::DELETE, ["integrations", "api", "v1", "api-services", id]) if org.service(id).is_some() => {
            false_beliefs.takes_effect(Belief::DeleteIsImmediate).then(|| Reply::empty(StatusCode::NO_CONTENT))
        }
        (&Method::POST, ["api", "v1", "apps", _, "lifecycle", "activate"]) => {
            false_beliefs.takes_effect(Belief::ActivationActivates).then(|| Reply::json(StatusCode::OK, &json!({})))
        }
        (&Method::POST, ["oauth2", "v1", "token"]) => {
            false_beliefs.takes_effect(Belief::IntegrationIdIsClientId).then(|| {
                let text = "Invalid value for 'client_id' parameter.";
                Refusal::oauth(StatusCode::UNAUTHORIZED, "invalid_client", text).into_reply(
                    "oaeContrary",
                    &request.base(),
                    &request.path,
                )
            })
        }
        (&Method::GET, ["api", "v1", "logs"]) => false_beliefs.takes_effect(Belief::LogReadable).then(|| {
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

/// Changes an answer as the false beliefs require.
pub(crate) fn tamper(state: &State, host: &str, request: &Request, reply: Reply) -> Reply {
    match host {
        GATEWAY_HOST => tamper_gateway(state, reply),
        _ if state.orgs.contains_key(host) => tamper_org(state, host, request, reply),
        _ => reply,
    }
}

fn tamper_gateway(state: &State, mut reply: Reply) -> Reply {
    if state.false_beliefs.is_false(Belief::LastSuccessIsASync) {
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
    let false_beliefs = &state.false_beliefs;
    if reply.status == StatusCode::NOT_FOUND && false_beliefs.takes_effect(Belief::NotFoundHasCode) {
        let bare = Reply { body: "<html><title>Not Found</title></html>".into(), ..Reply::empty(reply.status) };
        return bare.with_header(header::CONTENT_TYPE, "text/html");
    }
    if !reply.status.is_success() {
        return reply;
    }
    match (&request.method, request.segments().as_slice()) {
        (&Method::GET, ["api", "v1", "logs"]) => tamper_log(state, host, request, reply),
        (&Method::GET, ["integrations", "api", "v1", "api-services"]) if reply.value() != json!([]) => {
            if false_beliefs.takes_effect(Belief::IntegrationsListIsComplete) {
                Reply::json(StatusCode::OK, &json!([]))
            } else {
                reply
            }
        }
        (&Method::POST, ["integrations", "api", "v1", "api-services"]) => {
            edit(state, Belief::CreationShowsTheSecret, reply, "/clientSecret", None)
        }
        (&Method::POST, ["oauth2", "v1", "token"]) => {
            if false_beliefs.is_false(Belief::TokenLivesAnHour) {
                false_beliefs.count_effect(Belief::TokenLivesAnHour);
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
    let false_beliefs = &state.false_beliefs;
    if false_beliefs.is_false(Belief::EventsWithinMinutes) {
        false_beliefs.count_effect(Belief::EventsWithinMinutes);
    }
    let hide = |belief: Belief, reply: Reply, is_hidden: &dyn Fn(&Value) -> bool| {
        if !false_beliefs.is_false(belief) {
            return reply;
        }
        let Value::Array(events) = reply.value() else { return reply };
        if !events.iter().any(is_hidden) {
            return reply;
        }
        false_beliefs.count_effect(belief);
        let shown: Vec<_> = events.into_iter().filter(|event| !is_hidden(event)).collect();
        Reply { body: serde_json::to_vec(&shown).unwrap_or_default().into(), ..reply }
    };
    reply = hide(Belief::GrantsLeaveEvents, reply, &|event| event["eventType"] == GRANT_EVENT);
    let is_client_credentials = |event: &Value| event["debugContext"]["debugData"]["grantType"] == "client_credentials";
    reply = hide(Belief::ServiceGrantsLeaveEvents, reply, &is_client_credentials);
    let now = shift(state.clock.now(), state.skew_of(host));
    let is_late = |event: &Value| {
        let published = event["published"].as_str().and_then(|at| at.parse::<Timestamp>().ok());
        published.is_some_and(|at| now.duration_since(at) < SignedDuration::try_from(LOG_DELAY).unwrap_or_default())
    };
    reply = hide(Belief::EventsInOrder, reply, &|event| is_client_credentials(event) && is_late(event));
    reply = hide(Belief::RefusalsLeaveEvents, reply, &|event| event["outcome"]["result"] == "FAILURE");
    // A filter does not find events by a member that they do not show.
    let filters_by_grant = request.parameter("filter").is_some_and(|filter| filter.contains("debugData.grantType"));
    reply = hide(Belief::GrantTypeShown, reply, &|_| filters_by_grant);
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

/// Changes a member if the belief is false. Counts an effect if the answer changed.
fn edit(state: &State, belief: Belief, reply: Reply, pointer: &str, value: Option<&Value>) -> Reply {
    if !state.false_beliefs.is_false(belief) {
        return reply;
    }
    let before = reply.value();
    let after = script::edit(reply, pointer, value);
    if after.value() != before {
        state.false_beliefs.count_effect(belief);
    }
    after
}

/// Counts an effect when a host with a wrong clock answers.
pub(crate) fn count_skewed_clock(state: &State, host: &str) {
    let belief = match host {
        GATEWAY_HOST | CIE_API_HOST => Belief::DirectoryClockAgrees,
        _ if state.orgs.contains_key(host) => Belief::OrgClockAgrees,
        _ => return,
    };
    state.false_beliefs.count_effect(belief);
}
