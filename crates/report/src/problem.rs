//! Tenants that need a person before they can be migrated, by cause.

use std::cmp::Reverse;

use flowswap_engine::{Finding, PlannedTenant, Seen, Severity, Verdict};
use schemars::JsonSchema;
use serde::Serialize;

use crate::{
    cause::{Group, group},
    own_words::OwnWords,
    tenant::SeenTenant,
};

/// A tenant that may need a person.
#[derive(Debug, Clone)]
pub struct TroubledTenant<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its verdict.
    pub verdict: Verdict,
    /// Its findings.
    pub findings: &'a [Finding],
    /// Words other than its name that belong to this tenant alone, such as its hosts.
    pub own_words: Vec<String>,
}

/// What blocks tenants. It is the same for all of them, apart from their own names and ids.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Problem {
    /// Their verdict.
    pub verdict: Verdict,
    /// Their names.
    pub tenants: Vec<String>,
    /// The errors among their findings, most severe first.
    pub errors: Vec<ProblemError>,
}

/// A finding that blocks tenants. If its texts differ from tenant to tenant, they have placeholders.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct ProblemError {
    /// The id of its rule.
    pub id: String,
    /// What was seen.
    pub message: String,
    /// What to do.
    pub fix: String,
}

impl<'a> TroubledTenant<'a> {
    /// A tenant of a plan.
    pub fn of(tenant: &'a PlannedTenant) -> Self {
        Self::with(tenant, tenant.seen().as_ref())
    }

    fn with(tenant: &'a PlannedTenant, seen: Option<&Seen>) -> Self {
        Self {
            name: &tenant.name,
            verdict: tenant.verdict,
            findings: &tenant.findings,
            own_words: OwnWords::of(tenant, seen).without_labels().into_words(),
        }
    }
}

impl Problem {
    /// Groups those that need a person by what blocks them.
    pub fn by_cause<'a>(tenants: impl IntoIterator<Item = TroubledTenant<'a>>) -> Vec<Self> {
        let tenants: Vec<_> = tenants.into_iter().filter(needs_person).collect();
        let groups = group(&tenants, |tenant| {
            (describe(tenant), tenant.own_words.iter().map(String::as_str).chain([tenant.name]).collect())
        });
        groups.into_iter().map(Self::of_group).collect()
    }

    /// Those that need a person, each with what blocks it.
    pub fn of_each<'a>(tenants: impl IntoIterator<Item = TroubledTenant<'a>>) -> Vec<Self> {
        let tenants: Vec<_> = tenants.into_iter().filter(needs_person).collect();
        tenants.iter().map(|tenant| Self::of_group(Group { text: describe(tenant), items: vec![tenant] })).collect()
    }

    /// The problems of a plan, the most frequent one first.
    pub(crate) fn of_plan(tenants: &[SeenTenant<'_>]) -> Vec<Self> {
        let mut problems =
            Self::by_cause(tenants.iter().map(|(tenant, seen)| TroubledTenant::with(tenant, seen.as_ref())));
        problems.sort_by_key(|problem| Reverse(problem.tenants.len()));
        problems
    }

    fn of_group(group: Group<&TroubledTenant<'_>>) -> Self {
        let mut lines = group.text.lines().skip(1).map(str::to_owned);
        let mut errors = Vec::new();
        while let (Some(id), Some(message), Some(fix)) = (lines.next(), lines.next(), lines.next()) {
            errors.push(ProblemError { id, message, fix });
        }
        Self {
            verdict: group.items[0].verdict,
            tenants: group.items.iter().map(|tenant| tenant.name.to_owned()).collect(),
            errors,
        }
    }
}

fn needs_person(tenant: &TroubledTenant<'_>) -> bool {
    matches!(tenant.verdict, Verdict::Blocked | Verdict::Unknown)
}

/// The verdict, then the id, message, and fix of every error, one per line. Tenants with equal descriptions have one problem.
fn describe(tenant: &TroubledTenant<'_>) -> String {
    let one_line = |text: &str| text.lines().collect::<Vec<_>>().join(" ");
    let errors = tenant.findings.iter().filter(|finding| finding.severity == Severity::Error);
    let errors = errors.flat_map(|finding| [&finding.id, &finding.message, &finding.fix].map(|text| one_line(text)));
    std::iter::once(tenant.verdict.to_string()).chain(errors).collect::<Vec<_>>().join("\n")
}
