//! Why a tenant failed, in words that other tenants can share: without their own names, ids, and secrets. Two tenants have the
//! same cause if and only if these are equal.

use std::{collections::BTreeSet, fmt};

use flowswap_contract::{self as contract, ErrorKind, Evidence, EvidenceResult, Role};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use crate::{EVIDENCE_RULES, PlannedTenant, TenantSpec, Work};

/// What went wrong, on which side, and at which request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Cause {
    /// What went wrong.
    pub what: Fault,
    /// The side that said so, or that was asked.
    pub side: Role,
    /// The method and the path of the request, such as `POST /api/v1/apps/{id}/credentials`. `None` if no request is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request: Option<String>,
    /// flowswap could not tell what is wrong, because the side did not answer or the check saw too little.
    pub inconclusive: bool,
}

/// What went wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum Fault {
    /// The id of a rule; `flowswap explain ID` explains it.
    Rule(String),
    /// A check did not pass, and no rule says why. This is the name of the check.
    Check(String),
    /// A call failed in this way.
    Call(ErrorKind),
}

impl Cause {
    /// The cause of a failed call.
    pub(super) fn of_error(side: Role, error: &contract::Error, own: &OwnWords) -> Self {
        Self {
            what: known_rule(error.context.get("rule")).unwrap_or(Fault::Call(error.kind)),
            side,
            request: error.context.get("request").and_then(|request| own.generalize(request)),
            inconclusive: is_inconclusive(error),
        }
    }

    /// The cause of a check that did not pass.
    pub(super) fn of_evidence(side: Role, seen: &Evidence, own: &OwnWords) -> Self {
        let check = if own.is_shared(&seen.check) {
            Fault::Check(seen.check.clone())
        } else {
            Fault::Call(ErrorKind::Conflict)
        };
        Self {
            what: known_rule(seen.rule.as_ref()).unwrap_or(check),
            side,
            request: None,
            inconclusive: seen.result == EvidenceResult::Inconclusive,
        }
    }

    /// The cause of an inspection that failed, whatever the error. It says nothing about whether the tenant is as planned.
    pub(super) fn of_inspection(side: Role, error: &contract::Error, own: &OwnWords) -> Self {
        Self { inconclusive: true, ..Self::of_error(side, error, own) }
    }
}

/// A plugin may write anything as the id of a rule, so only those that flowswap knows count.
fn known_rule(id: Option<&String>) -> Option<Fault> {
    let id = id.filter(|id| EVIDENCE_RULES.iter().any(|rule| rule.id == id.as_str()))?;
    Some(Fault::Rule(id.clone()))
}

/// Whether the error says nothing about the tenant itself: the other side did not answer, or something else answered.
fn is_inconclusive(error: &contract::Error) -> bool {
    match error.kind {
        ErrorKind::Unavailable | ErrorKind::Unreachable | ErrorKind::RateLimited => true,
        // Without a host, it is the plugin that took too long, and that is a defect.
        ErrorKind::TimedOut => error.context.contains_key("host") || error.context.contains_key("request"),
        _ => false,
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.what {
            Fault::Rule(id) => write!(f, "the finding `{id}`")?,
            Fault::Check(name) => write!(f, "the check `{name}` did not pass")?,
            Fault::Call(kind) => f.write_str(describe(*kind))?,
        }
        let side = match self.side {
            Role::Provider => "provider",
            Role::Directory => "directory",
        };
        write!(f, " ({side}")?;
        if let Some(request) = &self.request {
            write!(f, ", `{request}`")?;
        }
        f.write_str(")")
    }
}

fn describe(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::Config => "the configuration is wrong",
        ErrorKind::Auth => "the credential was refused",
        ErrorKind::Permission => "the credential does not permit it",
        ErrorKind::NotFound => "something does not exist",
        ErrorKind::Conflict => "something is not in the expected state",
        ErrorKind::RateLimited => "too many requests",
        ErrorKind::Unavailable => "no usable answer",
        ErrorKind::Unreachable => "no server was reached",
        ErrorKind::Unsupported => "the other side cannot do this",
        ErrorKind::Invalid => "a request or an answer is malformed",
        ErrorKind::Refused => "flowswap refused what the plugin asked for",
        ErrorKind::Interrupted => "the run was stopped",
        ErrorKind::Crashed => "the plugin crashed",
        ErrorKind::TimedOut => "no answer in time",
        ErrorKind::Protocol => "the plugin broke the protocol",
        ErrorKind::Internal => "a defect of flowswap or of the plugin",
        ErrorKind::Unknown => "an error that this version does not know",
    }
}

/// The names and ids of one tenant, which another tenant does not have.
pub(super) struct OwnWords(BTreeSet<String>);

impl OwnWords {
    /// From the configuration, from what was planned, and from what the steps gave so far.
    pub(super) fn of(spec: &TenantSpec, planned: Option<&PlannedTenant>, work: Option<&Work>) -> Self {
        let mut words = BTreeSet::from([spec.name.clone(), spec.domain.clone()]);
        words.extend(spec.domain.split('.').next().map(str::to_owned));
        let seen = planned.and_then(PlannedTenant::seen).map(|seen| (seen.provider, seen.directory));
        let seen = seen.and_then(|seen| serde_json::to_value(seen).ok());
        seen.iter().for_each(|seen| add_texts(seen, &mut words));
        let outputs = work.iter().flat_map(|work| &work.done).flat_map(|done| done.outputs.values());
        outputs.for_each(|value| add_texts(value, &mut words));
        Self(words)
    }

    /// Whether other tenants may have the same word. A word is also the tenant's own if a part of it is, such as `acme-prod`.
    fn is_shared(&self, word: &str) -> bool {
        let mut parts = word.split(['-', '_']);
        is_plain(word) && !self.0.contains(word) && !parts.any(|part| self.0.contains(part))
    }

    /// A request without the server, the query, and everything that may be the tenant's own. `None` if it is not a request.
    fn generalize(&self, request: &str) -> Option<String> {
        let (method, url) = request.split_once(' ')?;
        let (_, rest) = url.split_once("://")?;
        let path = rest.split(['?', '#']).next()?;
        let segments = path
            .split('/')
            .skip(1)
            .map(|segment| if segment.is_empty() || self.is_shared(segment) { segment } else { "{id}" });
        let path = segments.collect::<Vec<_>>().join("/");
        let is_method = !method.is_empty() && method.bytes().all(|byte| byte.is_ascii_uppercase());
        is_method.then(|| format!("{method} /{path}"))
    }
}

/// Whether a part of a path is an ordinary word such as `clientRoles`, `oauth2`, or `v1`. Ids have more digits, or other
/// characters.
fn is_plain(segment: &str) -> bool {
    let word = segment.trim_end_matches(|c: char| c.is_ascii_digit());
    let is_letter = |byte: u8| byte.is_ascii_alphabetic() || b"-_".contains(&byte);
    segment.len() <= 32 && segment.len() - word.len() <= 2 && !word.is_empty() && word.bytes().all(is_letter)
}

fn add_texts(value: &Value, texts: &mut BTreeSet<String>) {
    match value {
        Value::String(text) => {
            texts.insert(text.clone());
        }
        Value::Array(items) => items.iter().for_each(|item| add_texts(item, texts)),
        Value::Object(members) => members.values().for_each(|member| add_texts(member, texts)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_told_without_what_is_the_tenants_own() {
        let own = OwnWords(["acme", "Corp"].map(str::to_owned).into());
        for (request, expect) in [
            ("POST https://acme.okta.com/api/v1/apps", Some("POST /api/v1/apps")),
            (
                "GET https://acme.okta.com/oauth2/v1/clients/0oa1b2C3d4/roles?after=x",
                Some("GET /oauth2/v1/clients/{id}/roles"),
            ),
            ("DELETE https://api.test/tenants/acme/dirs/Corp/", Some("DELETE /tenants/{id}/dirs/{id}/")),
            ("GET https://api.test/authorizationServers/a%20b", Some("GET /authorizationServers/{id}")),
            ("PUT https://api.test/orgs/acme-prod/read-only", Some("PUT /orgs/{id}/read-only")),
            ("GET https://api.test/a@b.example", Some("GET /{id}")),
            ("GET https://api.test/f47ac10b-58cc-4372-a567-0e02b2c3d479", Some("GET /{id}")),
            ("GET https://api.test/1234#x", Some("GET /{id}")),
            ("GET https://api.test", Some("GET /")),
            ("read the users", None),
            ("get https://api.test/x", None),
        ] {
            assert_eq!(own.generalize(request).as_deref(), expect, "{request}");
        }
    }

    #[test]
    fn a_plugin_that_hangs_is_no_side_that_does_not_answer() {
        let cause = |error: &contract::Error| Cause::of_error(Role::Provider, error, &OwnWords(BTreeSet::new()));
        let hangs = contract::Error::new(ErrorKind::TimedOut, "the plugin did not continue");
        assert!(!cause(&hangs).inconclusive);
        assert!(cause(&hangs.with_context("host", "acme.okta.com")).inconclusive);
    }

    #[test]
    fn a_rule_that_flowswap_does_not_know_names_no_cause() {
        let error = contract::Error::new(ErrorKind::Permission, "no").with_context("rule", "acme");
        let cause = Cause::of_error(Role::Provider, &error, &OwnWords(BTreeSet::new()));
        assert_eq!(cause.what, Fault::Call(ErrorKind::Permission));
        assert_eq!(cause.to_string(), "the credential does not permit it (provider)");
        let known = error.with_context("rule", EVIDENCE_RULES[0].id);
        let cause = Cause::of_error(Role::Provider, &known, &OwnWords(BTreeSet::new()));
        assert_eq!(cause.what, Fault::Rule(EVIDENCE_RULES[0].id.to_owned()));
    }
}
