//! Scheduled syncs of the directories, as the System Log and the interface show them.

use std::time::Duration;

use flowswap_sim::{Mutation, Scenario, Sim, SimConfig, SimTenant, SyncView};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::cie::call;
use crate::support::{ask, find};

const REFUSED: &str = "app.oauth2.token.grant";
const GRANT: &str = "app.oauth2.token.grant.access_token";
const MINUTE: Duration = Duration::from_secs(60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

fn timed_world() -> Sim {
    Sim::in_process(SimConfig::default().scheduled_sync(5 * MINUTE).start(Timestamp::UNIX_EPOCH))
}

/// The directory's events of one type since an instant, oldest first.
async fn list_events(sim: &Sim, tenant: &SimTenant, kind: &str, since: Timestamp) -> Vec<Value> {
    let filter = format!("filter=eventType+eq+%22{kind}%22&limit=1000&since={since}");
    let url = format!("GET https://{}/api/v1/logs?{filter}", tenant.domain);
    let events = ask(&url).ssws(tenant).send(sim).await.json.as_array().unwrap().clone();
    let is_own = |event: &Value| event["client"]["userAgent"]["rawUserAgent"] == "PaloAltoNetworks-CIE/1.0";
    events.into_iter().filter(is_own).collect()
}

/// The results of the directory's syncs so far.
fn sync(sim: &Sim, tenant: &SimTenant) -> SyncView {
    sim.world().directories.into_iter().find(|view| view.domain == tenant.domain).unwrap().sync
}

/// The time of the last successful sync according to the interface, in seconds since the start of the world.
async fn last_success(sim: &Sim, tenant: &SimTenant) -> i64 {
    let list = call(sim, tenant, "GET domains", None).await;
    let status = &list.json["result"][0]["status"];
    assert_eq!(status["description"], "cache_applied", "the interface does not show a failed sync");
    status["lastSuccessUpdatedOn"].as_i64().unwrap()
}

fn texts(events: &[Value], pointer: &str) -> Vec<String> {
    events.iter().map(|event| event.pointer(pointer).unwrap().as_str().unwrap_or_default().to_owned()).collect()
}

#[tokio::test(start_paused = true)]
async fn each_sync_happens_at_its_time_and_leaves_its_grant() {
    let sim = timed_world();
    for scenario in [Scenario::Ready, Scenario::Migrated] {
        let tenant = find(&sim, scenario);
        let client = sim.world().directories.into_iter().find(|view| view.domain == tenant.domain).unwrap().client_id;
        let before = sim.clock().now();
        let due = before.as_second() / 300 * 300;
        sim.clock().advance(12 * MINUTE);
        let events = list_events(&sim, &tenant, GRANT, before + jiff::SignedDuration::from_secs(1)).await;
        let published: Vec<i64> =
            texts(&events, "/published").iter().map(|at| at.parse::<Timestamp>().unwrap().as_second()).collect();
        let expected: Vec<_> =
            (1..).map(|n| due + 300 * n).take_while(|at| *at <= sim.clock().now().as_second()).collect();
        assert!(expected.len() >= 2);
        assert_eq!(published, expected, "{scenario:?}");
        assert_eq!(texts(&events, "/actor/id"), vec![client.clone(); expected.len()]);
        let grant = if scenario == Scenario::Ready { "refresh_token" } else { "client_credentials" };
        assert_eq!(texts(&events, "/debugContext/debugData/grantType"), vec![grant; expected.len()]);
        let scopes = &texts(&events, "/debugContext/debugData/grantedScopes")[0];
        assert!(scopes.starts_with("okta.users.read, okta.groups.read") && !scopes.contains("apps"), "{scopes}");
        assert_eq!(last_success(&sim, &tenant).await, expected[expected.len() - 1]);
    }
}

#[tokio::test(start_paused = true)]
async fn without_a_schedule_no_sync_happens_by_itself() {
    let sim = Sim::in_process(SimConfig::default());
    let tenant = find(&sim, Scenario::Ready);
    let before = sync(&sim, &tenant);
    sim.clock().advance(10 * DAY);
    assert_eq!(sync(&sim, &tenant), before);
    assert_eq!(before.good, 1, "the first sync of every world");
}

#[tokio::test(start_paused = true)]
async fn applications_are_collected_every_three_hours() {
    let sim = timed_world();
    let tenant =
        sim.tenants().into_iter().find(|tenant| tenant.scenario == Scenario::Ready && tenant.app_data).unwrap();
    sim.clock().advance(7 * 60 * MINUTE);
    let events = list_events(&sim, &tenant, GRANT, Timestamp::UNIX_EPOCH).await;
    let with_apps = events.iter().filter(|event| {
        event["debugContext"]["debugData"]["grantedScopes"].as_str().unwrap().contains("okta.apps.read")
    });
    let published: Vec<_> = with_apps.map(|event| event["published"].as_str().unwrap()[11..19].to_owned()).collect();
    assert_eq!(published, ["00:00:00", "03:00:00", "06:00:00"]);
    assert!(sync(&sim, &tenant).applications > 0);
}

#[tokio::test(start_paused = true)]
async fn a_refresh_token_expires_90_days_after_the_sign_in_even_if_it_is_used() {
    let sim = timed_world();
    let tenant = find(&sim, Scenario::Ready);
    let directory = tenant.directory_id.clone();
    sim.mutate(Mutation::SignIn { directory: directory.clone() }).unwrap();
    let signed_in = list_events(&sim, &tenant, "app.oauth2.token.grant.refresh_token", Timestamp::UNIX_EPOCH).await;
    assert_eq!(texts(&signed_in, "/debugContext/debugData/grantType"), ["authorization_code"]);
    let (good, held) = (sync(&sim, &tenant).good, sync(&sim, &tenant).users);
    sim.clock().advance(100 * DAY);
    // The last sync before the expiry is the last success, although the jump was long and most syncs were left out.
    assert_eq!(last_success(&sim, &tenant).await, 90 * 86_400 - 300);
    let after = sync(&sim, &tenant);
    assert!(after.good < good + 200 && after.failed >= 288 && after.failed < 400, "{after:?}");
    assert_eq!(after.users, held, "the last counts stay");
    let since = sim.clock().now() - jiff::SignedDuration::from_hours(1);
    let refused = list_events(&sim, &tenant, REFUSED, since).await;
    assert_eq!(texts(&refused, "/outcome/reason"), vec!["invalid_refresh_token"; 13]);
    assert!(list_events(&sim, &tenant, GRANT, since).await.is_empty(), "a refusal never appears as a grant");
    sim.mutate(Mutation::SignIn { directory }).unwrap();
    sim.clock().advance(5 * MINUTE);
    assert_eq!(last_success(&sim, &tenant).await, 100 * 86_400 + 300);
}

#[tokio::test(start_paused = true)]
async fn deactivating_the_administrator_ends_refresh_tokens_but_not_service_clients() {
    let sim = timed_world();
    for (scenario, moves) in [(Scenario::Ready, false), (Scenario::Migrated, true)] {
        let tenant = find(&sim, scenario);
        let before = last_success(&sim, &tenant).await;
        sim.mutate(Mutation::SetSyncAdminActive { org: tenant.domain.clone(), active: false }).unwrap();
        sim.clock().advance(5 * MINUTE);
        assert_eq!(last_success(&sim, &tenant).await != before, moves, "{scenario:?}");
        assert_eq!(sync(&sim, &tenant).failed > 0, !moves, "{scenario:?}");
    }
    let tenant = find(&sim, Scenario::Ready);
    let failed = sync(&sim, &tenant).failed;
    assert!(sim.mutate(Mutation::SignIn { directory: tenant.directory_id.clone() }).is_err());
    sim.mutate(Mutation::SetSyncAdminActive { org: tenant.domain.clone(), active: true }).unwrap();
    sim.mutate(Mutation::SignIn { directory: tenant.directory_id.clone() }).unwrap();
    // A sync that was due before a change happens before the change.
    sim.clock().advance(5 * MINUTE);
    sim.mutate(Mutation::SetSyncAdminActive { org: tenant.domain.clone(), active: false }).unwrap();
    assert_eq!(sync(&sim, &tenant).failed, failed);
}

#[tokio::test(start_paused = true)]
async fn a_green_sync_can_lose_objects() {
    let sim = timed_world();
    let tenant = find(&sim, Scenario::Ready);
    let whole = sync(&sim, &tenant);
    let lose = |users, groups| Mutation::LoseObjects { directory: tenant.directory_id.clone(), users, groups };
    sim.mutate(lose(7, 2)).unwrap();
    assert_eq!(sync(&sim, &tenant), whole, "only the next sync loses them");
    sim.clock().advance(5 * MINUTE);
    let less = sync(&sim, &tenant);
    assert_eq!((less.users, less.groups, less.failed), (whole.users - 7, whole.groups - 2, 0));
    let body = json!({ "domain": tenant.name, "attrs": ["Name"], "pageSz": 1000 });
    let groups = call(&sim, &tenant, "POST cache-groups", Some(&body)).await;
    assert_eq!(groups.json["result"]["count"], less.groups);
    sim.mutate(lose(0, 0)).unwrap();
    sim.clock().advance(5 * MINUTE);
    assert_eq!(sync(&sim, &tenant).users, whole.users);
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_lacks_a_scope_collects_less_and_stays_green() {
    let sim = timed_world();
    let tenant = find(&sim, Scenario::Migrated);
    let client = sim.world().directories.into_iter().find(|view| view.domain == tenant.domain).unwrap().client_id;
    let whole = sync(&sim, &tenant);
    let remove = |scope: &str| Mutation::RemoveScope {
        org: tenant.domain.clone(),
        client: client.clone(),
        scope: scope.to_owned(),
    };
    sim.mutate(remove("okta.groups.read")).unwrap();
    sim.clock().advance(5 * MINUTE);
    let less = sync(&sim, &tenant);
    assert_eq!((less.users, less.groups, less.failed), (whole.users, 0, 0));
    sim.mutate(remove("okta.users.read")).unwrap();
    let before = last_success(&sim, &tenant).await;
    sim.clock().advance(5 * MINUTE);
    assert_eq!((sync(&sim, &tenant).failed, last_success(&sim, &tenant).await), (1, before));
    assert_eq!(sync(&sim, &tenant).users, whole.users, "the collected users stay");
}
