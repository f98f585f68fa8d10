//! What must hold before a client secret is rotated: the directory uses a service client of the org, and there is room for another
//! secret.

use flowswap_contract::{ClientSecret, Flow, Rotation, ServiceClient};
use jiff::Timestamp;

use super::{
    Facts, Finding, Inventories, Rule, Severity, hint_for,
    rules::{DIRECTORY_UNREADABLE, PROVIDER_UNREADABLE, RULES},
    times,
};
use crate::{TenantSpec, Verdict};

/// A service client has this many client secrets at most (Okta management API, createApiServiceIntegrationInstanceSecret).
const SLOTS: usize = 2;

/// The rules of a migration that hold for a rotation too.
const SHARED: [&str; 8] = [
    "domain-malformed",
    PROVIDER_UNREADABLE,
    DIRECTORY_UNREADABLE,
    "not-okta",
    "flow-unknown",
    "record-contradicted",
    "domain-mismatch",
    "witnesses-disagree",
];

/// The rules about the rotation of a client secret.
pub const ROTATION_RULES: &[Rule] = &[
    Rule {
        id: "not-migrated",
        severity: Severity::Error,
        verdict: Verdict::Blocked,
        about: "The directory uses the authorization-code flow, which has no client secret that flowswap could rotate.",
        fix: "migrate the tenant first: `flowswap plan`",
        check: |facts| {
            let (_, directory) = facts.both_in(Flow::AuthorizationCode)?;
            Some(format!("the directory `{}` uses the authorization-code flow", directory.name))
        },
    },
    Rule {
        id: "work-unfinished",
        severity: Severity::Error,
        verdict: Verdict::Blocked,
        about: "flowswap has begun to migrate the tenant, or to rotate its client secret, and that is not finished. While it \
                can still be rolled back, a rotation must not change what it rolls back to.",
        fix: "run `flowswap status` to see what is next; a rotation can begin once the tenant is finalized",
        check: |facts| {
            let unfinished = || "what flowswap has begun for this tenant is not finished".to_owned();
            facts.spec.begun.then(unfinished)
        },
    },
    Rule {
        id: "client-unknown",
        severity: Severity::Error,
        verdict: Verdict::Unknown,
        about: "flowswap cannot tell which integration of the org the directory uses. A new secret for another one would \
                help nobody.",
        fix: "check the connection in the console; `flowswap detect` shows the integrations of the org",
        check: |facts| {
            let (_, directory) = facts.both_in(Flow::ClientCredentials)?;
            let unknown = || match &directory.client_id {
                Some(id) => format!("the org has no integration with the client ID `{id}`, which the directory uses"),
                None => {
                    "the directory does not show which client it uses, and the provider's log does not either".into()
                }
            };
            facts.service_in_use().is_none().then(unknown)
        },
    },
    Rule {
        id: "secrets-hidden",
        severity: Severity::Error,
        verdict: Verdict::Unknown,
        about: "The provider shows no client secret of the integration, so flowswap cannot tell whether there is room for \
                another one.",
        fix: "run `flowswap check`, and let the administrator's credential read integrations",
        check: |facts| {
            let client = facts.rotated()?;
            client.secrets.is_empty().then(|| format!("the provider shows no client secret of `{}`", client.id))
        },
    },
    Rule {
        id: "drop-wrong",
        severity: Severity::Error,
        verdict: Verdict::Blocked,
        about: "`--drop` names a client secret that must not be deleted first: the integration does not have it, or it is \
                its only one, or there is room for another one anyway.",
        fix: "see which secrets there are: `flowswap secret list TENANT`; then run `flowswap rotate` again",
        check: |facts| {
            let (client, drop) = (facts.rotated()?, facts.rotation?.drop.as_deref()?);
            let has = client.secrets.iter().any(|secret| secret.id == drop);
            match client.secrets.len() {
                0 => None,
                _ if !has => Some(format!("the client `{}` has no client secret `{drop}`", client.id)),
                count if count < SLOTS => Some(format!("the client `{}` has room for another secret", client.id)),
                _ => None,
            }
        },
    },
    Rule {
        id: "no-active-secret",
        severity: Severity::Error,
        verdict: Verdict::Blocked,
        about: "Every client secret that would be left is inactive, so the directory cannot be using one of them.",
        fix: "find out who deactivated it: with no active secret, the directory cannot synchronize",
        check: |facts| {
            let client = facts.rotated().filter(|client| !client.secrets.is_empty())?;
            let mut left = facts.left_secrets(client);
            let none = left.all(|secret| !secret.is_active());
            none.then(|| format!("the client `{}` would have no active secret: {}", client.id, list(client)))
        },
    },
    Rule {
        id: "no-room-for-secret",
        severity: Severity::Error,
        verdict: Verdict::Blocked,
        about: "A service client of Okta has two client secrets at most. Both places are taken, so one secret must be \
                deleted before there can be another. Only you know which one nobody uses.",
        fix: "delete the secret that nobody uses, or let flowswap do it: `flowswap rotate TENANT --drop ID`",
        check: |facts| {
            let client = facts.rotated().filter(|_| facts.rotation.is_none_or(|rotation| rotation.drop.is_none()))?;
            (client.secrets.len() >= SLOTS).then(|| format!("both places for a secret are taken: {}", list(client)))
        },
    },
    Rule {
        id: "previous-secret-elsewhere",
        severity: Severity::Warning,
        verdict: Verdict::Ready,
        about: "flowswap does not keep the client secret that the directory has now. It cannot give that secret back to the \
                directory, so a rollback needs a person who has it.",
        fix: "make sure that somebody has the current secret until the rotation is finalized",
        check: |facts| {
            let missing = facts.rotation?.previous.is_none();
            facts
                .rotated()
                .filter(|_| missing)
                .map(|client| format!("flowswap does not keep the secret of `{}`", client.id))
        },
    },
];

/// Applies the rules of a rotation. Returns the verdict, and the rules that matched, most severe first.
pub(crate) fn assess_rotation(
    spec: &TenantSpec,
    rotation: &Rotation,
    inventories: &Inventories,
    now: Timestamp,
) -> (Verdict, Vec<Finding>) {
    let facts = Facts { rotation: Some(rotation), ..Facts::gather(spec, inventories, now, 0) };
    let shared = RULES.iter().filter(|rule| SHARED.contains(&rule.id));
    let matched = shared.chain(ROTATION_RULES).filter_map(|rule| Some((rule, (rule.check)(&facts)?)));
    let (mut verdict, mut findings) = (Verdict::Ready, Vec::new());
    for (rule, message) in matched {
        verdict = verdict.max(rule.verdict);
        let fix = hint_for(rule.id, inventories).unwrap_or_else(|| rule.fix.to_owned());
        findings.push(Finding { id: rule.id.to_owned(), severity: rule.severity, message, fix });
    }
    findings.sort_by_key(|finding| finding.severity);
    (verdict, findings)
}

impl<'a> Facts<'a> {
    /// The service client that gets another secret.
    fn rotated(&self) -> Option<&'a ServiceClient> {
        self.both_in(Flow::ClientCredentials).and(self.service_in_use())
    }

    /// Its secrets, without the one that is deleted first.
    fn left_secrets(&self, client: &'a ServiceClient) -> impl Iterator<Item = &'a ClientSecret> {
        let drop = self.rotation.and_then(|rotation| rotation.drop.as_deref());
        client.secrets.iter().filter(move |secret| Some(secret.id.as_str()) != drop)
    }
}

/// The secrets of a client, oldest first.
fn list(client: &ServiceClient) -> String {
    let describe = |secret: &ClientSecret| {
        let made = times::read(&secret.created_at).map(|at| format!(", made at {at}")).unwrap_or_default();
        format!("{} ({}{made})", secret.id, secret.status.to_ascii_lowercase())
    };
    client.secrets.iter().map(describe).collect::<Vec<_>>().join(", ")
}
