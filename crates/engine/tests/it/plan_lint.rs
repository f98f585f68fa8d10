//! The plan linter: a valid plan has no defects, and every change that makes it invalid is named.

use flowswap_contract::{Phase, Reversibility, Role, SentSecret};
use flowswap_engine::{Plan, PlanError, PlannedTenant, Verdict, lint, plan_tenant};
use serde_json::json;

use crate::{
    environment::start_of_time,
    fault::Fault,
    test_fleet::{TestFleet, pins, tenant},
};

fn step<'a>(plan: &'a mut Plan, id: &str) -> &'a mut flowswap_contract::StepProposal {
    let step = plan.tenants[0].steps.iter_mut().find(|step| step.id == id);
    &mut step.unwrap().proposal
}

fn remove(plan: &mut Plan, phase: Phase) {
    let id = plan.tenants[0].steps.iter().find(|step| step.proposal.phase == phase).unwrap().id.clone();
    plan.tenants[0].steps.retain(|step| step.proposal.phase != phase);
    plan.tenants[0].way_back.retain(|back| back.step != id);
}

#[tokio::test]
async fn every_defect_is_named() {
    let sound = TestFleet::new(&["acme", "attended"]).await.plan;
    assert_eq!(lint(&sound), Vec::<String>::new());
    let mut unused = sound.clone();
    unused.plugins.insert("another".to_owned(), unused.plugins["okta"].clone());
    assert_eq!(lint(&unused), ["no tenant uses the plugin `another`"]);
    let check = |change: &dyn Fn(&mut Plan), expect: &[&str]| {
        let mut plan = sound.clone();
        change(&mut plan);
        let defects = lint(&plan);
        let expect: Vec<String> = expect.iter().map(|defect| format!("tenant `acme`: {defect}")).collect();
        assert_eq!(defects, expect);
        let frozen = Plan::freeze(plan.created_at, plan.not_after, None, plan.plugins, plan.tenants);
        assert!(matches!(frozen, Err(PlanError::Unsound(named)) if named == defects));
    };

    check(&|plan| plan.tenants[1] = plan.tenants[0].clone(), &["it is planned twice"]);
    let secret = json!({ "token": { "$secret": "acme/provision/client_secret" } });
    check(
        &|plan| step(plan, "prove").payload = secret.clone().into(),
        &["step `prove` names a secret in its payload; secrets are inputs"],
    );
    check(&|plan| plan.tenants[0].origins = None, &["it does not say which servers get its credentials"]);
    check(
        &|plan| drop(plan.tenants[0].origins.as_mut().unwrap().remove(&Role::Directory)),
        &["it does not say which servers get its credentials"],
    );
    check(&|plan| plan.tenants[0].token_paths = None, &["it does not say where it asks for tokens"]);
    check(&|plan| step(plan, "test").sends = None, &["step `test` does not say where it sends secrets"]);
    let sent = SentSecret { input: "baseline".into(), to: "https://x.test".into(), at: "/a".into() };
    check(
        &|plan| step(plan, "test").sends = Some(vec![sent.clone()]),
        &["step `test` sends `baseline`, which it does not need"],
    );
    // `freeze` takes the steps of the second away, but a file can have them.
    let mut same_org = sound.clone();
    same_org.tenants[1] = PlannedTenant { name: "hooli".to_owned(), ..sound.tenants[0].clone() };
    assert_eq!(
        lint(&same_org),
        ["tenant `hooli`: it is connected to the same org as `acme`, which the plan migrates too"]
    );
    check(
        &|plan| drop(plan.tenants.pop().and_then(|_| plan.plugins.remove("rest"))),
        &["its plugin `rest` is not pinned"],
    );
    check(&|plan| plan.tenants[0].verdict = Verdict::Unknown, &["it is `unknown` but has steps"]);
    check(&|plan| plan.tenants[0].verdict = Verdict::Migrated, &["it is `migrated` but has steps"]);
    check(&|plan| plan.tenants[0].seen = None, &["it does not record what was seen"]);
    check(&|plan| plan.tenants[0].way_back.swap(0, 1), &["its rollback does not match its steps"]);
    check(&|plan| plan.tenants[0].way_back[1].action.push('!'), &["its rollback does not match its steps"]);
    check(
        &|plan| plan.tenants[0].steps.swap(0, 1),
        &[
            "step `provision` must not come after `prove`",
            "step `prove` needs `client_id`, but no earlier step gives it",
            "step `prove` needs `client_secret`, but no earlier step gives it",
        ],
    );
    let twice = |plan: &mut Plan| {
        let again = plan.tenants[0].steps[1].clone();
        plan.tenants[0].steps.insert(1, again);
    };
    check(&twice, &["step `prove` exists twice"]);
    check(&|plan| remove(plan, Phase::Prove), &["no `prove` comes before `swap`"]);
    check(
        &|plan| remove(plan, Phase::Test),
        &[
            "no `test` by the directory comes before step `swap`",
            "step `swap` needs `receipt`, but no earlier step gives it",
        ],
    );
    let unconfirmed = |plan: &mut Plan| plan.tenants[0].steps.retain(|step| step.proposal.phase != Phase::Confirm);
    check(
        &unconfirmed,
        &["no `confirm` comes before `retire`", "the directory must confirm step `swap`, but has no `confirm`"],
    );
    // The directory must confirm the swap, unless the step names the provider for it.
    let keep = |plan: &mut Plan, role| {
        plan.tenants[0].steps.retain(|step| step.proposal.phase != Phase::Confirm || step.role == role);
    };
    let blind = "the directory must confirm step `swap`, but has no `confirm`";
    check(&|plan| keep(plan, Role::Provider), &[blind]);
    let by = |plan: &mut Plan, role| step(plan, "swap").confirmed_by = Some(role);
    let mute = |plan: &mut Plan| {
        by(plan, Role::Provider);
        keep(plan, Role::Directory);
    };
    check(&mute, &["the provider must confirm step `swap`, but has no `confirm`"]);
    let mut alone = sound.clone();
    by(&mut alone, Role::Provider);
    keep(&mut alone, Role::Provider);
    assert_eq!(lint(&alone), Vec::<String>::new());
    // A `test` by the provider does not replace the test by the directory.
    let noted = |plan: &mut Plan| {
        let test = plan.tenants[0].steps.iter_mut().find(|step| step.id == "test").unwrap();
        (test.id, test.role) = ("test-provider".to_owned(), Role::Provider);
    };
    check(&noted, &["no `test` by the directory comes before step `swap`"]);
    let expired = |plan: &mut Plan| plan.not_after = plan.created_at - jiff::SignedDuration::from_secs(1);
    let mut plan = sound.clone();
    expired(&mut plan);
    assert_eq!(lint(&plan), ["it expires at 2025-12-31T23:59:59Z, before it was made at 2026-01-01T00:00:00Z"]);
    let swapless = |plan: &mut Plan| remove(plan, Phase::Swap);
    check(
        &swapless,
        &[
            "no `swap` comes before `retire`",
            "step `confirm-provider` needs `swapped_at`, but no earlier step gives it",
        ],
    );
    check(&|plan| remove(plan, Phase::Retire), &["no `retire` comes before `purge`"]);
    check(
        &|plan| drop(step(plan, "provision").gives.pop()),
        &[
            "step `prove` needs `client_secret`, but no earlier step gives it",
            "step `test` needs `client_secret`, but no earlier step gives it",
            "step `swap` needs `client_secret`, but no earlier step gives it",
        ],
    );
    let irreversible = |plan: &mut Plan| {
        step(plan, "swap").reversibility = Reversibility::Irreversible;
        step(plan, "swap").undo = None;
        let back = plan.tenants[0].way_back.iter_mut().find(|back| back.step == "swap").unwrap();
        (back.reversibility, back.action) = (Reversibility::Irreversible, "there is no way back from this step".into());
    };
    check(&irreversible, &["step `swap` is irreversible, but only a purge may be"]);
    let reversible = |plan: &mut Plan| {
        step(plan, "purge").reversibility = Reversibility::Unattended;
        step(plan, "purge").undo = Some("undelete".into());
        let back = &mut plan.tenants[0].way_back[0];
        (back.reversibility, back.action) = (Reversibility::Unattended, "undelete".into());
    };
    check(&reversible, &["step `purge` is a purge but is not marked as irreversible"]);
    let silent = |plan: &mut Plan| {
        step(plan, "swap").undo = None;
        let back = plan.tenants[0].way_back.iter_mut().find(|back| back.step == "swap").unwrap();
        back.action = "there is no way back from this step".into();
    };
    check(&silent, &["step `swap` must either say how it is rolled back or be irreversible"]);
    for (index, id) in [(0, "provision"), (1, "prove"), (3, "swap")] {
        let other = |plan: &mut Plan| {
            let role = &mut plan.tenants[0].steps[index].role;
            *role = if *role == Role::Provider { Role::Directory } else { Role::Provider };
        };
        let wrong = if index < 2 { "directory" } else { "provider" };
        check(&other, &[&format!("step `{id}` cannot belong to the {wrong}")]);
    }
    let variant =
        |plan: &mut Plan| step(plan, "provision").payload = json!({ "variant": "application-enabled" }).into();
    check(&variant, &["step `provision` makes the application-enabled client, but the tenant needs the plain one"]);
    let domain = |plan: &mut Plan| step(plan, "swap").payload = json!({ "domain": "other.okta.test" }).into();
    check(&domain, &["step `swap` would change the domain, but a directory's domain cannot change"]);
}

/// A tenant that cannot be migrated is in the plan without steps, with the reason.
#[tokio::test]
async fn only_a_ready_tenant_gets_steps() {
    let plan_after = async |change: &dyn Fn(&TestFleet)| -> PlannedTenant {
        let fleet = TestFleet::new(&["acme"]).await;
        change(&fleet);
        let planned = plan_tenant(&tenant(&fleet.env, "acme"), start_of_time()).await.unwrap();
        let plan = Plan::freeze(start_of_time(), start_of_time(), None, pins(), vec![planned.clone()]).unwrap();
        assert_eq!(plan.ready().count(), usize::from(!planned.steps.is_empty()));
        planned
    };
    let ready = plan_after(&|_| {}).await;
    let ids: Vec<&str> = ready.steps.iter().map(|step| step.id.as_str()).collect();
    let order = ["provision", "prove", "test", "swap", "confirm-directory", "confirm-provider", "retire", "purge"];
    assert_eq!(ids, order);
    let back: Vec<&str> = ready.way_back.iter().map(|back| back.step.as_str()).collect();
    assert_eq!(back, ["purge", "retire", "swap", "provision"]);

    let blocked =
        plan_after(&|fleet| fleet.change_world("acme", |world| world.legacy = crate::world::Legacy::Inactive));
    let blocked = blocked.await;
    assert_eq!((blocked.verdict, blocked.steps.len(), blocked.seen.is_some()), (Verdict::Blocked, 0, true));
    // Outside of steps, the test double counts a call under `-`. Planning has already inspected both sides.
    let unreadable = |fleet: &TestFleet| fleet.inject("-", flowswap_contract::Op::Detect, 2, Fault::Refuse);
    let unknown = plan_after(&unreadable).await;
    assert_eq!((unknown.verdict, unknown.steps.len(), unknown.seen.is_some()), (Verdict::Unknown, 0, false));
    let unplannable = plan_after(&|fleet| fleet.inject("-", flowswap_contract::Op::Plan, 2, Fault::Refuse)).await;
    assert_eq!((unplannable.verdict, unplannable.steps.len()), (Verdict::Blocked, 0));
    let finding = &unplannable.findings[0];
    assert_eq!(
        (finding.id.as_str(), finding.message.as_str()),
        ("not-plannable", "the plugin cannot plan this tenant: not permitted")
    );
}
