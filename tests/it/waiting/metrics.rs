//! What metrics tell of tenants that wait, that are overdue, and that failed.

use super::story::Story;
use crate::machine::exposition;

#[test]
fn waiting_overdue_and_failed_tenants_are_told_apart() {
    let story = Story::new();
    story.run("status --metrics flowswap.prom").expect(0);
    let seen = exposition::read(&story.dir().join("flowswap.prom"));
    // The first waits beyond its deadline, the second may still take its time.
    for (tenant, state, overdue) in [("acme", "waiting", 1.0), ("hooli", "waiting", 0.0), ("stark", "failed", 0.0)] {
        assert_eq!(seen[&format!("flowswap_tenant_state{{tenant=\"{tenant}\",state=\"{state}\"}}")], 1.0, "{seen:#?}");
        assert_eq!(seen[&format!("flowswap_tenant_overdue{{tenant=\"{tenant}\"}}")], overdue, "{tenant}: {seen:#?}");
    }
    assert_eq!(seen.keys().filter(|series| series.starts_with("flowswap_tenant_state{")).count(), 6);
}
