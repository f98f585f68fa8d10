//! The System Log: what happened in an org, who did it, and with which program. It never contains secrets.

use http::{StatusCode, header};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::event::{Entity, LogEvent, Outcome, TokenGrant};
use super::filter::Filter;
use super::model::Org;
use super::paging::{link_next, link_self, read_limit};
use super::refusal::{Answer, Refusal};
use super::{Call, access};
use crate::clock::{shift, to_rfc3339};
use crate::message::Reply;

/// Okta System Log API: without `since`, the last seven days; at most 1000 events, 100 by default.
const DEFAULT_RANGE: SignedDuration = SignedDuration::from_hours(7 * 24);
const DEFAULT_LIMIT: usize = 100;
const MAX_LIMIT: usize = 1000;

/// Records that the caller did something to one object.
pub(crate) fn record(call: &mut Call<'_>, event: &str, id: &str, kind: &str, name: &str) {
    let (actor, actor_kind, actor_name) = access::find_actor(call);
    let actor = Entity { id: actor, kind: actor_kind.to_owned(), name: actor_name };
    let target = Entity { id: id.to_owned(), kind: kind.to_owned(), name: name.to_owned() };
    push(call, event, actor, vec![target], None, Outcome::Success, None);
}

/// Records what a client did at the token endpoint. The client is both the actor and the target.
pub(crate) fn record_as_client(
    call: &mut Call<'_>,
    event: &str,
    client_id: &str,
    name: &str,
    outcome: Outcome,
    grant: TokenGrant,
) {
    let client = Entity { id: client_id.to_owned(), kind: "PublicClientApp".to_owned(), name: name.to_owned() };
    let mut targets = vec![client.clone()];
    // The client id of an app may differ from the id of the app. A query for either finds the event.
    if let Some(app) = call.org.app_of_client(client_id).filter(|app| app.id != client_id) {
        targets.push(Entity { id: app.id.clone(), kind: "AppInstance".to_owned(), name: app.label.clone() });
    }
    push(call, event, client, targets, Some(client_id.to_owned()), outcome, Some(grant));
}

/// Records that several wrong secrets were sent for a client. No public source says whether Okta names the client as the
/// actor, or how many wrong secrets it takes.
pub(crate) fn record_wrong_secrets(call: &mut Call<'_>, client_id: &str, name: &str) {
    let client = Entity { id: client_id.to_owned(), kind: "PublicClientApp".to_owned(), name: name.to_owned() };
    let outcome = Outcome::Failure("invalid_client");
    push(call, "app.oauth2.invalid_client_credentials", client, Vec::new(), Some(client_id.to_owned()), outcome, None);
}

/// Records that a rate limit was exceeded: the one of the org, and the one of the operation or, at the token endpoint, of
/// the client. Okta has an event for each. No public source says which of them come together.
pub(crate) fn record_violation(call: &mut Call<'_>) {
    let narrow = match call.request.path.as_str() {
        "/oauth2/v1/token" => "system.client.rate_limit.violation",
        _ => "system.operation.rate_limit.violation",
    };
    for event in ["system.org.rate_limit.violation", narrow] {
        let system =
            Entity { id: call.org.id.clone(), kind: "SystemPrincipal".to_owned(), name: "Okta System".to_owned() };
        push(call, event, system, Vec::new(), None, Outcome::Failure("Rate limit exceeded"), None);
    }
}

/// Records that the org's administrator did something to an integration in the Admin Console.
pub(crate) fn record_admin_action(org: &mut Org, event: &str, id: &str, name: &str, at: Timestamp) {
    let administrator =
        Entity { id: org.admin_user.clone(), kind: "User".to_owned(), name: access::ADMINISTRATOR.to_owned() };
    let target = Entity { id: id.to_owned(), kind: "PublicClientApp".to_owned(), name: name.to_owned() };
    let event = LogEvent {
        uuid: org.noise.id("evt"),
        published: shift(at, org.skew),
        happened: at,
        event_type: event.to_owned(),
        actor: administrator,
        targets: vec![target],
        client_id: None,
        user_agent: "Mozilla/5.0 (X11; Linux x86_64)".to_owned(),
        outcome: Outcome::Success,
        request_id: org.noise.id("req"),
        grant: None,
    };
    org.events.push(event);
}

fn push(
    call: &mut Call<'_>,
    event: &str,
    actor: Entity,
    targets: Vec<Entity>,
    client_id: Option<String>,
    outcome: Outcome,
    grant: Option<TokenGrant>,
) {
    let event = LogEvent {
        uuid: call.org.noise.id("evt"),
        published: call.now,
        happened: call.world,
        event_type: event.to_owned(),
        actor,
        targets,
        client_id,
        user_agent: call.request.header(header::USER_AGENT).unwrap_or_default().to_owned(),
        outcome,
        request_id: call.request_id.clone(),
        grant,
    };
    call.org.events.push(event);
}

/// GET /api/v1/logs, oldest first. The answer always has a `next` link for polling, unless `until` closes the range.
pub(crate) fn list(call: &mut Call<'_>) -> Answer {
    let bound = |name: &str| {
        let bad = |_| Refusal::invalid(name, format!("{name}: must be a date of the form yyyy-MM-dd'T'HH:mm:ss.SSSZ"));
        call.request.parameter(name).map(|text| text.parse::<Timestamp>().map_err(bad)).transpose()
    };
    let since = bound("since")?.unwrap_or(call.now - DEFAULT_RANGE);
    let until = bound("until")?;
    let limit = read_limit(call, DEFAULT_LIMIT)?;
    if limit > MAX_LIMIT {
        return Err(Refusal::invalid("limit", "limit: must be between 0 and 1000"));
    }
    let filter = call.request.parameter("filter").map(|text| Filter::parse(&text, &FILTERABLE)).transpose()?;
    let filter = filter.unwrap_or_else(Filter::match_all);
    let start: usize = match call.request.parameter("after") {
        None => 0,
        Some(after) => after.parse().map_err(|_| Refusal::invalid("after", "after: the cursor is not known"))?,
    };
    let newest_first = match call.request.parameter("sortOrder").as_deref() {
        None | Some("ASCENDING") => false,
        Some("DESCENDING") => true,
        Some(_) => return Err(Refusal::invalid("sortOrder", "sortOrder: must be ASCENDING or DESCENDING")),
    };
    let is_wanted = |event: &LogEvent| {
        let in_range = event.published >= since && until.is_none_or(|until| event.published < until);
        in_range && filter.matches(&|field, value| event.has(field, value))
    };
    let has_arrived =
        |event: &&LogEvent| event.happened.saturating_add(call.org.log_delay).is_ok_and(|at| at <= call.world);
    let arrived = call.org.events.iter().take_while(has_arrived).count();
    let events = call.org.events.get(..arrived).unwrap_or_default();
    if newest_first {
        let mut found: Vec<_> = events.iter().filter(|event| is_wanted(event)).collect();
        found.sort_by_key(|event| std::cmp::Reverse(event.published));
        let end = start.saturating_add(limit).min(found.len());
        let body: Vec<_> = found.get(start..end).unwrap_or_default().iter().map(|event| event.render()).collect();
        let reply = Reply::json(StatusCode::OK, &body).with_header(header::LINK, &link_self(call));
        // Nobody polls in descending order, so the last page has no `next`.
        let more = end < found.len();
        return Ok(if more { reply.with_header(header::LINK, &link_next(call, &end.to_string())) } else { reply });
    }
    let found = events.iter().enumerate().skip(start).filter(|(_, event)| is_wanted(event));
    let page: Vec<_> = found.take(limit).collect();
    let full = page.len() == limit;
    // A page that is not full has covered everything, so polling continues from the end.
    let cursor = match page.last() {
        Some((index, _)) if full => index + 1,
        None if full => start,
        _ => start.max(arrived),
    };
    let body: Vec<_> = page.iter().map(|(_, event)| event.render()).collect();
    let reply = Reply::json(StatusCode::OK, &body).with_header(header::LINK, &link_self(call));
    let more = until.is_none() || full;
    Ok(if more { reply.with_header(header::LINK, &link_next(call, &cursor.to_string())) } else { reply })
}

/// The fields that a filter may use. At Okta, a filter may use every member of an event.
const FILTERABLE: [&str; 8] = [
    "eventType",
    "target.id",
    "actor.id",
    "outcome.result",
    "outcome.reason",
    "client.id",
    "uuid",
    "debugContext.debugData.grantType",
];

impl LogEvent {
    fn has(&self, field: &str, value: &str) -> bool {
        match field {
            "eventType" => self.event_type == value,
            "target.id" => self.targets.iter().any(|target| target.id == value),
            "actor.id" => self.actor.id == value,
            "client.id" => self.client_id.as_deref() == Some(value),
            "outcome.result" => self.outcome.text() == value,
            "outcome.reason" => matches!(self.outcome, Outcome::Failure(reason) if reason == value),
            "debugContext.debugData.grantType" => self.grant.as_ref().is_some_and(|grant| grant.grant_type == value),
            "uuid" => self.uuid == value,
            _ => false,
        }
    }

    fn render(&self) -> Value {
        let reason = match self.outcome {
            Outcome::Success => Value::Null,
            Outcome::Failure(reason) => json!(reason),
        };
        let mut debug = json!({ "requestId": self.request_id });
        if let Some(grant) = &self.grant {
            // As in public samples: scopes separated by commas, and no requested scopes for a refresh.
            debug["clientAuthType"] = json!("client_secret_basic");
            debug["requestUri"] = json!("/oauth2/v1/token");
            debug["grantType"] = json!(grant.grant_type);
            debug["grantedScopes"] = json!(grant.scopes.join(", "));
            let requested =
                grant.requested.as_deref().filter(|_| grant.grant_type != "refresh_token").unwrap_or_default();
            debug["requestedScopes"] = json!(requested.split_whitespace().collect::<Vec<_>>().join(", "));
        }
        json!({
            "uuid": self.uuid,
            "version": "0",
            "published": to_rfc3339(self.published),
            "eventType": self.event_type,
            "legacyEventType": null,
            "displayMessage": self.event_type,
            "severity": if matches!(self.outcome, Outcome::Success) { "INFO" } else { "WARN" },
            "actor": self.actor.render(),
            "client": {
                "userAgent": { "rawUserAgent": self.user_agent, "os": "Unknown", "browser": "UNKNOWN" },
                "zone": null,
                "device": "Unknown",
                "id": self.client_id,
                "ipAddress": "127.0.0.1",
                "geographicalContext": null,
            },
            "outcome": { "result": self.outcome.text(), "reason": reason },
            "target": self.targets.iter().map(Entity::render).collect::<Vec<_>>(),
            "transaction": { "type": "WEB", "id": self.request_id, "detail": {} },
            "debugContext": { "debugData": debug },
            "authenticationContext": { "authenticationStep": 0, "externalSessionId": "unknown" },
            "request": { "ipChain": [] },
        })
    }
}

impl Outcome {
    fn text(self) -> &'static str {
        match self {
            Self::Success => "SUCCESS",
            Self::Failure(_) => "FAILURE",
        }
    }
}

impl Entity {
    fn render(&self) -> Value {
        // In the examples of the API description, this is the login of a user.
        let alternate = match self.kind.as_str() {
            "User" => format!("{}@example.com", self.name.to_lowercase().replace(' ', ".")),
            _ => self.id.clone(),
        };
        json!({
            "id": self.id,
            "type": self.kind,
            "alternateId": alternate,
            "displayName": self.name,
            "detailEntry": null,
        })
    }
}
