//! Tenants that share an org: a plan migrates only the first of them.

use flowswap_contract::Op;
use flowswap_engine::{
    Goal, Outcome, Packed, Plan, PlannedTenant, Severity, TenantState as S, Verdict, find_shared_orgs,
    hold_back_shared_orgs, lint,
};

use crate::{
    fault::Fault,
    laws::assert_lawful,
    test_fleet::{TestFleet, pins},
};

/// Four tenants; all but `gamma` are connected to the org of `acme`.
async fn shared() -> TestFleet {
    let fleet = TestFleet::new(&["acme", "beta", "gamma", "delta"]).await;
    for name in ["beta", "delta"] {
        fleet.change_world(name, |world| world.domain = "acme.okta.test".to_owned());
    }
    fleet.planned_again().await
}

fn planned(plan: &Plan) -> Vec<&str> {
    plan.tenants.iter().filter(|tenant| !tenant.steps.is_empty()).map(|tenant| tenant.name.as_str()).collect()
}

fn set_org(tenant: &mut PlannedTenant, domain: &str) {
    let mut seen = tenant.seen.as_ref().unwrap().get().unwrap();
    seen.provider.domain = domain.to_owned();
    tenant.seen = Some(Packed::new(&seen).unwrap());
}

/// Freezes the tenants of a plan in which every one has steps, after a change.
async fn frozen(change: impl FnOnce(&mut Vec<PlannedTenant>)) -> Plan {
    let plan = TestFleet::new(&["acme", "beta", "gamma"]).await.plan;
    let mut tenants = plan.tenants;
    tenants.iter_mut().for_each(|tenant| set_org(tenant, "acme.okta.test"));
    change(&mut tenants);
    let mut plugins = pins();
    if tenants.iter().any(|tenant| tenant.provider_plugin == "other") {
        plugins.insert("other".to_owned(), plugins["okta"].clone());
    }
    Plan::freeze(plan.created_at, plan.not_after, None, plugins, tenants).unwrap()
}

#[tokio::test]
async fn only_the_first_tenant_of_an_org_is_planned() {
    let plan = shared().await.plan;
    assert_eq!(planned(&plan), ["acme", "gamma"]);
    assert_eq!(plan.ready().map(|tenant| tenant.name.as_str()).collect::<Vec<_>>(), ["acme", "gamma"]);
    for index in [1, 3] {
        let held = &plan.tenants[index];
        assert_eq!((held.verdict, held.steps.len(), held.way_back.len()), (Verdict::Blocked, 0, 0));
        let finding = &held.findings[0];
        assert_eq!((finding.id.as_str(), finding.severity), ("org-shared", Severity::Error));
        let message = "this plan already migrates `acme`, which is connected to the same org `acme.okta.test`";
        assert_eq!(finding.message, message);
        assert!(finding.fix.ends_with("one after the other"), "{}", finding.fix);
        assert_eq!(held.findings[1].id, "auth-code-flow", "the others stay");
    }
    for index in [0, 2] {
        assert_eq!(plan.tenants[index].verdict, Verdict::Ready);
        assert!(plan.tenants[index].findings.iter().all(|finding| finding.id != "org-shared"));
    }
    assert_eq!(lint(&plan), Vec::<String>::new());
    assert_eq!(Plan::read(&crate::plan_file::render(&plan)).unwrap(), plan);
    // Freezing what is frozen changes nothing.
    let again =
        Plan::freeze(plan.created_at, plan.not_after, None, plan.plugins.clone(), plan.tenants.clone()).unwrap();
    assert_eq!(again, plan);
}

/// `detect` goes by this, and must tell what a plan would do.
#[test]
fn shared_orgs_are_found_before_a_plan() {
    let org = |domain: &str| ("okta".to_owned(), domain.to_owned());
    let tenants = || [("acme", org("a")), ("beta", org("a")), ("gamma", org("b")), ("delta", org("a"))];
    let found = |busy: &[(&str, &str)]| {
        let busy = busy.iter().map(|(domain, name)| (org(domain), (*name).to_owned())).collect();
        let found = find_shared_orgs(tenants(), &busy).into_iter();
        found.map(|(name, finding)| format!("{name}: {}: {}", finding.id, finding.message)).collect::<Vec<_>>()
    };
    let first = |name| format!("{name}: org-shared: `acme` is connected to the same org `a`, and is migrated first");
    assert_eq!(found(&[]), [first("beta"), first("delta")]);
    let busy = |name, domain| {
        format!("{name}: org-shared: the migration of `other` in the same org `{domain}` is not finished")
    };
    assert_eq!(found(&[("b", "other")]), [first("beta"), first("delta"), busy("gamma", "b")]);
    assert_eq!(found(&[("a", "other")]), ["acme", "beta", "delta"].map(|name| busy(name, "a")));
    assert_eq!(found(&[("b", "gamma")]), [first("beta"), first("delta")], "its own migration blocks no tenant");
}

#[tokio::test]
async fn tenants_share_an_org_if_plugin_and_domain_are_equal_and_both_have_steps() {
    assert_eq!(planned(&frozen(|_| {}).await), ["acme"]);
    let other_plugin = frozen(|tenants| tenants[1].provider_plugin = "other".to_owned()).await;
    assert_eq!(planned(&other_plugin), ["acme", "beta"]);
    let other_directory = frozen(|tenants| tenants[1].directory_plugin = "other".to_owned()).await;
    assert_eq!(planned(&other_directory), ["acme"]);
    assert_eq!(planned(&frozen(|tenants| set_org(&mut tenants[2], "x.okta.test")).await), ["acme", "gamma"]);
    let stepless = frozen(|tenants| {
        tenants[0].steps.clear();
        tenants[0].way_back.clear();
    });
    let stepless = stepless.await;
    assert_eq!(planned(&stepless), ["beta"]);
    assert_eq!(stepless.tenants[0].verdict, Verdict::Ready, "a tenant without steps is not blocked");
    assert!(stepless.tenants[2].findings[0].message.starts_with("this plan already migrates `beta`, "));
}

/// Each with its own plan.
#[tokio::test(start_paused = true)]
async fn tenants_of_one_org_are_migrated_one_after_the_other() {
    let mut fleet = shared().await;
    let mut order = Vec::new();
    for _ in 0..3 {
        for (name, outcome) in fleet.run(Goal::Swapped).await {
            assert_eq!(outcome, Outcome::Ended { state: S::Swapped, reason: None });
            order.push(name);
        }
        assert_lawful(&fleet.env.state());
        fleet = fleet.planned_again().await;
    }
    assert_eq!(order, ["acme", "gamma", "beta", "delta"]);
    assert_eq!(planned(&fleet.plan), Vec::<&str>::new());
    assert!(fleet.plan.tenants.iter().all(|tenant| tenant.verdict == Verdict::Migrated));
}

/// Also for plans without the unfinished tenant.
#[tokio::test(start_paused = true)]
async fn an_unfinished_tenant_blocks_the_other_tenants_of_its_org() {
    let fleet = shared().await;
    fleet.inject("swap", Op::Apply, 0, Fault::Refuse);
    fleet.run(Goal::Swapped).await;
    fleet.assert_fired();
    let mut planned = fleet.planned_again().await.plan.tenants;
    let alone = |tenant: &PlannedTenant| ["beta", "delta"].contains(&tenant.name.as_str());
    planned.retain(alone);
    assert_eq!(planned.iter().filter(|tenant| !tenant.steps.is_empty()).count(), 1, "one plan has only one of them");
    hold_back_shared_orgs(&mut planned, &fleet.env.ports().logbook.busy_orgs());
    for tenant in planned.iter().filter(|tenant| tenant.findings[0].id == "org-shared") {
        assert_eq!((tenant.verdict, tenant.steps.len()), (Verdict::Blocked, 0));
    }
    let message = "the migration of `acme` in the same org `acme.okta.test` is not finished";
    assert_eq!(planned[0].findings[0].message, message);

    fleet.run(Goal::Swapped).await;
    let mut planned = fleet.planned_again().await.plan.tenants;
    planned.retain(alone);
    let before = planned.clone();
    hold_back_shared_orgs(&mut planned, &fleet.env.ports().logbook.busy_orgs());
    assert_eq!(planned, before, "a swapped tenant blocks no other");
}
