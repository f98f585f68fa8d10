//! Turns what both sides show into findings and a verdict. Pure: the same inventories give the same assessment.

mod domain;
mod evidence_rules;
mod people;
mod reconcile;
mod rotation;
mod rules;
mod shared;
mod times;

use flowswap_contract::{
    self as contract, DirectoryInventory, Flow, LegacyClient, ProviderInventory, Rotation, ScopeNeed, ServiceClient,
    Variant,
};
use jiff::{SignedDuration, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use domain::find_domain_defect;
pub use evidence_rules::EVIDENCE_RULES;
pub use rotation::ROTATION_RULES;
pub(crate) use rotation::assess_rotation;
pub use rules::{ACCEPTABLE, RULES, Rule};
use rules::{DIRECTORY_UNREADABLE, PROVIDER_UNREADABLE};
pub(crate) use rules::{NOT_PLANNABLE, ORG_SHARED};
pub(crate) use shared::find_busy_org;
pub use shared::find_shared_orgs;

use crate::{TenantSpec, Verdict};

/// An authorization-code connection dies this many days after a person last signed in for it: Okta's org
/// authorization server gives refresh tokens this lifetime, and using one does not extend it
/// (Palo Alto Networks, "Deploy Auth Code for Okta Directory").
pub const SIGN_IN_LIFETIME_DAYS: i64 = 90;

/// A connection is about to die when it has this many days left, or fewer, unless somebody asks for another number.
pub const WARN_DAYS: i64 = 14;

/// Days are rounded down, so that a connection that died a moment ago has -1 days left and not 0.
const NANOS_PER_DAY: i128 = 24 * 60 * 60 * 1_000_000_000;

/// What both sides of a tenant showed, or why they did not answer.
#[derive(Debug, Clone)]
pub struct Inventories {
    /// The provider's inventory.
    pub provider: Result<ProviderInventory, contract::Error>,
    /// The directory's inventory.
    pub directory: Result<DirectoryInventory, contract::Error>,
}

/// What the rules make of a tenant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assessment {
    /// What the findings add up to.
    pub verdict: Verdict,
    /// The rules that matched, most severe first.
    pub findings: Vec<Finding>,
    /// The flow that the directory shows.
    pub flow: Flow,
    /// The legacy client in use, if it is known.
    pub legacy_client: Option<LegacyClient>,
    /// Whole days until the connection dies, where the directory shows the last sign-in; negative when it is dead.
    pub days_left: Option<i64>,
}

/// A rule that matched.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Finding {
    /// The rule's id; `flowswap explain ID` tells more.
    pub id: String,
    /// How much it matters.
    pub severity: Severity,
    /// What was seen.
    pub message: String,
    /// What to do about it.
    pub fix: String,
}

/// Every rule there is, also those that only evidence matches.
pub fn all_rules() -> impl Iterator<Item = &'static Rule> {
    RULES.iter().chain(ROTATION_RULES).chain(EVIDENCE_RULES)
}

impl Inventories {
    /// Completes the directory's inventory from the provider's: a directory that does not show its connection gets the flow
    /// and the client that the provider shows to be in use.
    #[must_use]
    pub fn reconciled(self) -> Self {
        reconcile::reconcile(self)
    }
}

impl Finding {
    /// Makes a finding of a rule that [`assess`] does not match.
    pub(crate) fn of(id: &str, message: String) -> Self {
        let rule = RULES.iter().find(|rule| rule.id == id);
        let (severity, fix) = rule.map_or((Severity::Error, ""), |rule| (rule.severity, rule.fix));
        Self { id: id.to_owned(), severity, message, fix: fix.to_owned() }
    }
}

/// How much a finding matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// It blocks the migration.
    Error,
    /// A person should check it.
    Warning,
    /// It is worth knowing.
    Info,
}

impl std::fmt::Display for Severity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Info => "info",
        })
    }
}

/// Applies every rule. A connection with `warn_days` left, or fewer, is about to die; usually, that is [`WARN_DAYS`].
pub fn assess(spec: &TenantSpec, inventories: &Inventories, now: Timestamp, warn_days: i64) -> Assessment {
    let facts = Facts::gather(spec, inventories, now, warn_days);
    let mut verdict = Verdict::Ready;
    let mut findings = Vec::new();
    for rule in RULES {
        if let Some(message) = (rule.check)(&facts) {
            if ACCEPTABLE.contains(&rule.id) && spec.accepted.iter().any(|id| id == rule.id) {
                findings.push(accepted(rule, &message));
                continue;
            }
            verdict = verdict.max(rule.verdict);
            // The side's own hint is more specific than the rule's fix.
            let fix = hint_for(rule.id, inventories).unwrap_or_else(|| rule.fix.to_owned());
            findings.push(Finding { id: rule.id.into(), severity: rule.severity, message, fix });
        }
    }
    findings.sort_by_key(|finding| finding.severity);
    Assessment {
        verdict,
        findings,
        flow: facts.directory.map_or(Flow::Unknown, |directory| directory.flow),
        legacy_client: facts.legacy_in_use().cloned(),
        days_left: facts.days_left,
    }
}

/// What a person accepted stays in every report, so that a reviewer sees it.
fn accepted(rule: &Rule, message: &str) -> Finding {
    let message = format!("{message}; the configuration accepts this");
    let fix = format!("remove `{}` from `accept` in the configuration once somebody has signed in", rule.id);
    Finding { id: rule.id.into(), severity: Severity::Warning, message, fix }
}

/// The hint of the error that the rule reports, if it reports one.
fn hint_for(rule: &str, inventories: &Inventories) -> Option<String> {
    let error = match rule {
        PROVIDER_UNREADABLE => inventories.provider.as_ref().err(),
        DIRECTORY_UNREADABLE => inventories.directory.as_ref().err(),
        _ => None,
    };
    error?.hint.clone()
}

/// What the rules read.
pub struct Facts<'a> {
    spec: &'a TenantSpec,
    inventories: &'a Inventories,
    domain_defect: Option<String>,
    provider: Option<&'a ProviderInventory>,
    directory: Option<&'a DirectoryInventory>,
    days_left: Option<i64>,
    now: Timestamp,
    warn_days: i64,
    /// What is rotated. `None` for a migration.
    rotation: Option<&'a Rotation>,
}

impl<'a> Facts<'a> {
    fn gather(spec: &'a TenantSpec, inventories: &'a Inventories, now: Timestamp, warn_days: i64) -> Self {
        let directory = inventories.directory.as_ref().ok();
        let mut facts = Self {
            spec,
            inventories,
            domain_defect: find_domain_defect(&spec.domain),
            provider: inventories.provider.as_ref().ok(),
            directory,
            days_left: None,
            now,
            warn_days,
            rotation: None,
        };
        // What the directory itself shows takes precedence over the provider's log.
        let signed_in = directory
            .filter(|directory| directory.flow == Flow::AuthorizationCode)
            .and_then(|directory| directory.last_sign_in.clone())
            .or_else(|| facts.both_in(Flow::AuthorizationCode).and(facts.legacy_in_use())?.last_sign_in.clone());
        facts.days_left = signed_in
            .and_then(|signed_in| times::read(&signed_in))
            .and_then(|signed_in| signed_in.checked_add(SignedDuration::from_hours(24 * SIGN_IN_LIFETIME_DAYS)).ok())
            .and_then(|death| i64::try_from(death.duration_since(now).as_nanos().div_euclid(NANOS_PER_DAY)).ok());
        facts
    }

    /// Both inventories, if both sides answered.
    fn both(&self) -> Option<(&'a ProviderInventory, &'a DirectoryInventory)> {
        Some((self.provider?, self.directory?))
    }

    /// Both inventories, if both sides answered and the directory uses this flow.
    fn both_in(&self, flow: Flow) -> Option<(&'a ProviderInventory, &'a DirectoryInventory)> {
        self.both().filter(|(_, directory)| directory.flow == flow)
    }

    /// The legacy client that the directory names. If it names no client and uses the authorization-code flow, which needs
    /// one, this is the org's only legacy client.
    fn legacy_in_use(&self) -> Option<&'a LegacyClient> {
        let (provider, directory) = self.both()?;
        match &directory.client_id {
            Some(client_id) => provider.legacy_clients.iter().find(|client| client.client_id == *client_id),
            None => match provider.legacy_clients.as_slice() {
                [only] if directory.flow == Flow::AuthorizationCode => Some(only),
                _ => None,
            },
        }
    }

    /// The service client that the directory names.
    fn service_in_use(&self) -> Option<&'a ServiceClient> {
        let (provider, directory) = self.both()?;
        let client_id = directory.client_id.as_ref()?;
        provider.service_clients.iter().find(|client| client.id == *client_id)
    }

    /// The client that the directory uses, its scopes, and those that it needs. The variant of a service client has rules of its own.
    fn scopes_in_use(&self) -> Option<(&'a str, &'a [String], &'a ScopeNeed)> {
        let legacy = self.both_in(Flow::AuthorizationCode).and(self.legacy_in_use());
        let legacy = legacy.map(|client| (client.client_id.as_str(), client.scopes.as_slice(), self.needed_variant()));
        let service = self.both_in(Flow::ClientCredentials).and(self.service_in_use());
        let service = service.map(|client| (client.id.as_str(), client.scopes.as_slice(), client.variant));
        let (client, scopes, variant) = legacy.or(service)?;
        let need = self.provider?.needs.iter().find(|need| need.variant == variant)?;
        Some((client, scopes, need))
    }

    fn needed_variant(&self) -> Variant {
        if self.spec.app_data { Variant::ApplicationEnabled } else { Variant::Plain }
    }
}
