//! What is not known of tenants, or only inferred, and which of it a plan has.

use std::borrow::Cow;

use flowswap_contract::{Flow, KnownFrom};
use flowswap_engine::{PlannedTenant, Seen};
use schemars::JsonSchema;
use serde::Serialize;

use crate::tenant::{SeenTenant, dies_at};

/// Something that is not known of some tenants.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Unknown {
    /// What, as a sentence.
    pub what: Cow<'static, str>,
    /// The tenants, if it is about tenants.
    pub tenants: Vec<String>,
}

/// Something that a reviewer should know, and whether it is true of a tenant.
type Doubtful = (&'static str, fn(&PlannedTenant, &Seen) -> bool);

const DOUBTFUL: [Doubtful; 6] = [
    (
        "Nobody knows when the connection stops working, because the directory does not show the last sign-in.",
        |_, seen| is_undated(seen),
    ),
    (
        "The flow and the client come from `record` in the configuration. The directory does not show them.",
        |_, seen| seen.directory.known_from == KnownFrom::Record,
    ),
    (
        "The flow and the client are inferred from the System Log of the org. The directory does not show them.",
        |_, seen| seen.directory.known_from == KnownFrom::Provider,
    ),
    ("Only one side confirms the swap, because the other side shows nothing afterwards.", |tenant, _| {
        tenant.steps.iter().any(|step| step.proposal.confirmed_by.is_some())
    }),
    (
        "The type of the new integration comes from the configuration. No integration in the org shows it.",
        |tenant, seen| {
            let creates = !tenant.steps.is_empty() && tenant.rotation.is_none();
            creates && seen.provider.variants.iter().any(|variant| variant.source == "config")
        },
    ),
    (
        "While both client secrets are active, nothing shows which one the directory uses. That shows once the previous one is \
         inactive.",
        |tenant, _| !tenant.steps.is_empty() && tenant.rotation.is_some(),
    ),
];

/// Whether the connection dies some day, and nobody knows when.
pub(crate) fn is_undated(seen: &Seen) -> bool {
    seen.directory.flow == Flow::AuthorizationCode && dies_at(seen).is_none()
}

pub(crate) fn unknowns(tenants: &[SeenTenant<'_>]) -> Vec<Unknown> {
    let unread = tenants.iter().filter(|(_, seen)| seen.is_none()).map(|(tenant, _)| tenant.name.clone());
    let unread = Unknown {
        what: "One side did not answer, so nothing is known of the connection.".into(),
        tenants: unread.collect(),
    };
    let others = DOUBTFUL.iter().map(|(what, applies)| {
        let is_one = |(tenant, seen): &&SeenTenant<'_>| seen.as_ref().is_some_and(|seen| applies(tenant, seen));
        Unknown {
            what: (*what).into(),
            tenants: tenants.iter().filter(is_one).map(|(tenant, _)| tenant.name.clone()).collect(),
        }
    });
    std::iter::once(unread).chain(others).filter(|unknown| !unknown.tenants.is_empty()).collect()
}
