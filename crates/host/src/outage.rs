//! Recognizes one outage that affects all tenants, so that flowswap does not wait for it once per tenant.
//!
//! For each role, this counts the tenants that failed in the same way since a server of that role last answered. In a dry
//! run, a 5xx does not count as an answer. From [`NOT_REPEATED`] tenants on, no request is repeated. From [`NOT_TRIED`] tenants
//! on, servers that have never answered get no request except an occasional probe.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use flowswap_contract::Role;
use tokio::time::Instant;

/// When this many tenants fail in the same way, requests are no longer repeated.
const NOT_REPEATED: usize = 4;

/// When this many tenants fail in the same way, requests are no longer tried.
const NOT_TRIED: usize = 8;

/// How often a request is still let through, to see whether the outage is over.
const PROBE: Duration = Duration::from_secs(10);

/// Which tenants failed, and how. Clones share one state.
#[derive(Debug, Clone, Default)]
pub(crate) struct Outages(Arc<Mutex<BTreeMap<&'static str, Tally>>>);

#[derive(Debug, Default)]
struct Tally {
    /// The tenants that failed since the last answer, grouped by cause.
    failed: BTreeMap<String, Failures>,
    /// The origins that have ever answered.
    answered: BTreeSet<String>,
}

#[derive(Debug)]
struct Failures {
    tenants: BTreeSet<String>,
    /// The cause may concern one host only and shows at once, so the next host is still tried.
    host_specific: bool,
    /// When the last request failed, or was sent as a probe.
    last: Instant,
}

impl Outages {
    /// Records a request that its server did not answer. `host_specific` says that the cause may concern its host only.
    pub(crate) fn record_failure(&self, role: Role, tenant: &str, cause: &str, host_specific: bool) {
        let mut tallies = self.lock();
        let failures = tallies.entry(name(role)).or_default().failed.entry(cause.to_owned());
        let now = Instant::now();
        let failures = failures.or_insert_with(|| Failures { tenants: BTreeSet::new(), host_specific, last: now });
        failures.tenants.insert(tenant.to_owned());
        failures.last = now;
    }

    /// Records an answer that a server gave itself.
    pub(crate) fn record_answer(&self, role: Role, origin: &str) {
        let mut tallies = self.lock();
        let tally = tallies.entry(name(role)).or_default();
        tally.failed.clear();
        if !tally.answered.contains(origin) {
            tally.answered.insert(origin.to_owned());
        }
    }

    /// Whether so many tenants failed in this way that a repetition would only waste time.
    pub(crate) fn is_common(&self, role: Role, cause: &str) -> bool {
        let tallies = self.lock();
        let failures = tallies.get(name(role)).and_then(|tally| tally.failed.get(cause));
        failures.is_some_and(|failures| failures.tenants.len() >= NOT_REPEATED)
    }

    /// The cause of the other tenants' failures if it makes a request to this origin pointless.
    pub(crate) fn rules_out(&self, role: Role, origin: &str) -> Option<String> {
        let mut tallies = self.lock();
        let tally = tallies.get_mut(name(role)).filter(|tally| !tally.answered.contains(origin))?;
        let mut struck = tally.failed.iter_mut().filter(|(_, f)| !f.host_specific && f.tenants.len() >= NOT_TRIED);
        let (cause, failures) = struck.next()?;
        if failures.last.elapsed() >= PROBE {
            failures.last = Instant::now();
            return None;
        }
        Some(cause.clone())
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<&'static str, Tally>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn name(role: Role) -> &'static str {
    match role {
        Role::Provider => "provider",
        Role::Directory => "directory",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CAUSE: &str = "connection refused";

    fn struck(tenants: usize) -> Outages {
        let outages = Outages::default();
        (0..tenants).for_each(|n| outages.record_failure(Role::Provider, &format!("t{n}"), CAUSE, false));
        outages
    }

    #[tokio::test(start_paused = true)]
    async fn tenants_that_fail_in_the_same_way_are_one_outage() {
        for (tenants, common, ruled_out) in [(3, false, false), (4, true, false), (7, true, false), (8, true, true)] {
            let outages = struck(tenants);
            assert_eq!(outages.is_common(Role::Provider, CAUSE), common, "{tenants}");
            let expect = ruled_out.then(|| CAUSE.to_owned());
            assert_eq!(outages.rules_out(Role::Provider, "https://x.test"), expect, "{tenants}");
            assert!(!outages.is_common(Role::Provider, "another"));
            assert!(!outages.is_common(Role::Directory, CAUSE));
            assert_eq!(outages.rules_out(Role::Directory, "https://x.test"), None);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn repeated_failures_of_one_tenant_are_not_an_outage() {
        let outages = Outages::default();
        (0..20).for_each(|_| outages.record_failure(Role::Provider, "acme", CAUSE, false));
        assert!(!outages.is_common(Role::Provider, CAUSE));
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_ends_the_outage_and_its_server_is_always_tried_afterwards() {
        let outages = struck(8);
        outages.record_answer(Role::Directory, "https://gateway.test");
        assert!(outages.rules_out(Role::Provider, "https://x.test").is_some());
        outages.record_answer(Role::Provider, "https://a.test");
        assert_eq!(outages.rules_out(Role::Provider, "https://x.test"), None);
        (0..8).for_each(|n| outages.record_failure(Role::Provider, &format!("t{n}"), CAUSE, false));
        assert!(outages.rules_out(Role::Provider, "https://x.test").is_some());
        assert_eq!(outages.rules_out(Role::Provider, "https://a.test"), None);
    }

    #[tokio::test(start_paused = true)]
    async fn a_probe_is_let_through_at_intervals() {
        let outages = struck(8);
        let tries = |outages: &Outages| outages.rules_out(Role::Provider, "https://x.test").is_none();
        assert!(!tries(&outages));
        tokio::time::advance(PROBE).await;
        assert_eq!([tries(&outages), tries(&outages)], [true, false], "one probe, not all");
        tokio::time::advance(PROBE).await;
        assert!(tries(&outages));
    }

    #[tokio::test(start_paused = true)]
    async fn a_cause_that_may_concern_one_host_stops_repetitions_but_not_first_tries() {
        let outages = Outages::default();
        (0..9).for_each(|n| outages.record_failure(Role::Provider, &format!("t{n}"), CAUSE, true));
        assert!(outages.is_common(Role::Provider, CAUSE));
        assert_eq!(outages.rules_out(Role::Provider, "https://x.test"), None);
    }
}
