//! Tells one cause that strikes all tenants from many causes, so that nobody waits for each of them.
//!
//! Of each role it is counted which tenants failed in the same way since a server of that role has answered last; for who only
//! looks, a 5xx is no answer. From a few on nothing is repeated; from some more on nothing is tried any more at servers that have
//! never answered, but for a probe now and then.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use flowswap_contract::Role;
use tokio::time::Instant;

/// So many tenants must fail in the same way before nothing is repeated.
const NOT_REPEATED: usize = 4;

/// So many tenants must fail in the same way before nothing is tried.
const NOT_TRIED: usize = 8;

/// How often a request is let through all the same.
const PROBE: Duration = Duration::from_secs(10);

/// Who failed and how. Clones share one state.
#[derive(Debug, Clone, Default)]
pub(crate) struct Outages(Arc<Mutex<BTreeMap<&'static str, Tally>>>);

#[derive(Debug, Default)]
struct Tally {
    /// The tenants that failed since the last answer, by cause.
    failed: BTreeMap<String, Failures>,
    /// The origins that have ever answered.
    answered: BTreeSet<String>,
}

#[derive(Debug)]
struct Failures {
    tenants: BTreeSet<String>,
    /// Each host may have its own such cause, and it shows at once, so the next one is tried all the same.
    of_host: bool,
    /// When the last one failed, or was sent as a probe.
    last: Instant,
}

/// Why a request is not tried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Outage {
    /// What others failed by.
    pub(crate) cause: String,
    /// How many they are.
    pub(crate) tenants: usize,
}

impl Outages {
    /// Takes note of a request that got no answer of its server; `of_host`, where the cause may be one of its host alone.
    pub(crate) fn failed(&self, role: Role, tenant: &str, cause: &str, of_host: bool) {
        let mut tallies = self.lock();
        let failures = tallies.entry(name(role)).or_default().failed.entry(cause.to_owned());
        let now = Instant::now();
        let failures = failures.or_insert_with(|| Failures { tenants: BTreeSet::new(), of_host, last: now });
        failures.tenants.insert(tenant.to_owned());
        failures.last = now;
    }

    /// Takes note of a server's own answer.
    pub(crate) fn answered(&self, role: Role, origin: &str) {
        let mut tallies = self.lock();
        let tally = tallies.entry(name(role)).or_default();
        tally.failed.clear();
        if !tally.answered.contains(origin) {
            tally.answered.insert(origin.to_owned());
        }
    }

    /// Whether so many failed in this way that a repetition would only take time.
    pub(crate) fn is_common(&self, role: Role, cause: &str) -> bool {
        let tallies = self.lock();
        let failures = tallies.get(name(role)).and_then(|tally| tally.failed.get(cause));
        failures.is_some_and(|failures| failures.tenants.len() >= NOT_REPEATED)
    }

    /// Why a request to this origin is not worth trying; none where it is.
    pub(crate) fn rules_out(&self, role: Role, origin: &str) -> Option<Outage> {
        let mut tallies = self.lock();
        let tally = tallies.get_mut(name(role)).filter(|tally| !tally.answered.contains(origin))?;
        let mut struck = tally.failed.iter_mut().filter(|(_, f)| !f.of_host && f.tenants.len() >= NOT_TRIED);
        let (cause, failures) = struck.next()?;
        if failures.last.elapsed() >= PROBE {
            failures.last = Instant::now();
            return None;
        }
        Some(Outage { cause: cause.clone(), tenants: failures.tenants.len() })
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
        (0..tenants).for_each(|n| outages.failed(Role::Provider, &format!("t{n}"), CAUSE, false));
        outages
    }

    #[tokio::test(start_paused = true)]
    async fn many_that_fail_alike_are_one_outage() {
        for (tenants, common, ruled_out) in [(3, false, false), (4, true, false), (7, true, false), (8, true, true)] {
            let outages = struck(tenants);
            assert_eq!(outages.is_common(Role::Provider, CAUSE), common, "{tenants}");
            let expect = ruled_out.then(|| Outage { cause: CAUSE.to_owned(), tenants });
            assert_eq!(outages.rules_out(Role::Provider, "https://x.test"), expect, "{tenants}");
            assert!(!outages.is_common(Role::Provider, "another"));
            assert!(!outages.is_common(Role::Directory, CAUSE));
            assert_eq!(outages.rules_out(Role::Directory, "https://x.test"), None);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn one_tenant_that_fails_often_is_no_outage() {
        let outages = Outages::default();
        (0..20).for_each(|_| outages.failed(Role::Provider, "acme", CAUSE, false));
        assert!(!outages.is_common(Role::Provider, CAUSE));
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_ends_the_outage_and_who_has_answered_is_always_tried() {
        let outages = struck(8);
        outages.answered(Role::Directory, "https://gateway.test");
        assert!(outages.rules_out(Role::Provider, "https://x.test").is_some());
        outages.answered(Role::Provider, "https://a.test");
        assert_eq!(outages.rules_out(Role::Provider, "https://x.test"), None);
        (0..8).for_each(|n| outages.failed(Role::Provider, &format!("t{n}"), CAUSE, false));
        assert!(outages.rules_out(Role::Provider, "https://x.test").is_some());
        assert_eq!(outages.rules_out(Role::Provider, "https://a.test"), None);
    }

    #[tokio::test(start_paused = true)]
    async fn a_probe_goes_through_now_and_then() {
        let outages = struck(8);
        let tries = |outages: &Outages| outages.rules_out(Role::Provider, "https://x.test").is_none();
        assert!(!tries(&outages));
        tokio::time::advance(PROBE).await;
        assert_eq!([tries(&outages), tries(&outages)], [true, false], "one probe, not all");
        tokio::time::advance(PROBE).await;
        assert!(tries(&outages));
    }

    #[tokio::test(start_paused = true)]
    async fn what_answers_in_the_place_of_all_is_asked_again_but_not_repeated() {
        let outages = Outages::default();
        (0..9).for_each(|n| outages.failed(Role::Provider, &format!("t{n}"), CAUSE, true));
        assert!(outages.is_common(Role::Provider, CAUSE));
        assert_eq!(outages.rules_out(Role::Provider, "https://x.test"), None);
    }
}
