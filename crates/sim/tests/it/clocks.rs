//! Hosts with their own clocks: every time that a host shows follows its clock.

use flowswap_sim::{CIE_API_HOST, GATEWAY_HOST, Mutation, Scenario, Sim, SimConfig};
use jiff::{SignedDuration, Timestamp};

use crate::cie::call;
use crate::support::{ask, create_service, find};

const START: &str = "2026-03-01T08:00:00Z";
const AUTHORIZED: &str = "eventType+eq+%22integration.api_service.lifecycle.authorize%22";

/// How far the times in the answers of each skewed host are ahead of the start of the world.
async fn shown_times(sim: &Sim) -> [(&'static str, i64); 5] {
    let tenant = find(sim, Scenario::Ready);
    let start: Timestamp = START.parse().unwrap();
    let ahead = |at: Timestamp| at.duration_since(start).as_secs();
    let date = |text: &str| {
        let date = jiff::fmt::strtime::parse("%a, %d %b %Y %H:%M:%S GMT", text).unwrap();
        ahead(jiff::tz::TimeZone::UTC.to_timestamp(date.to_datetime().unwrap()).unwrap())
    };
    let made = create_service(sim, &tenant).await;
    let log = ask(&format!("GET https://{}/api/v1/logs?filter={AUTHORIZED}", tenant.domain)).ssws(&tenant);
    let log = log.send(sim).await.json;
    let read = ask(&format!("GET https://{GATEWAY_HOST}/v1/directories/{}", tenant.directory_id));
    let read = read.auth(&format!("Bearer {}", sim.gateway_token())).send(sim).await;
    let domains = call(sim, &tenant, "GET domains", None).await.json;
    let time = |value: &serde_json::Value| ahead(value.as_str().unwrap().parse().unwrap());
    [
        ("the org's Date", date(made.header("date"))),
        ("an event of the org", time(&log[0]["published"])),
        ("the gateway's Date", date(read.header("date"))),
        ("a sync by the gateway", time(&read.json["sync"]["last_success"])),
        (
            "a sync by the interface",
            domains["result"][0]["status"]["lastSuccessUpdatedOn"].as_i64().unwrap() - start.as_second(),
        ),
    ]
}

#[tokio::test(start_paused = true)]
async fn every_time_of_a_host_follows_its_own_clock() {
    for [org, gateway, cie] in [[0, 0, 0], [-900, 0, 3600], [3600, -1, 0], [1, 3600, -3600]] {
        let config = SimConfig::default().start(START.parse().unwrap());
        let domain = find(&Sim::in_process(config.clone()), Scenario::Ready).domain;
        let hosts = [(domain.as_str(), org), (GATEWAY_HOST, gateway), (CIE_API_HOST, cie)];
        let expected = [org, org, gateway, gateway, cie];
        let by_config = hosts
            .iter()
            .fold(config.clone(), |config, (host, ahead)| config.skew(*host, SignedDuration::from_secs(*ahead)));
        let by_mutation = Sim::in_process(config.clone());
        let by_method = Sim::in_process(config);
        for (host, ahead) in hosts {
            let skew = Mutation::SkewClock { host: host.to_owned(), milliseconds: ahead * 1000 };
            by_mutation.mutate(skew).unwrap();
            by_method.set_skew(host, SignedDuration::from_secs(ahead));
        }
        for sim in [Sim::in_process(by_config), by_mutation, by_method] {
            let said = shown_times(&sim).await;
            assert_eq!(said.map(|(_, ahead)| ahead), expected, "{said:?}");
        }
    }
}

/// Events of an org stay visible after its clock is set back.
#[tokio::test(start_paused = true)]
async fn events_stay_visible_after_the_clock_is_set_back() {
    let sim = Sim::in_process(SimConfig::default().start(START.parse().unwrap()));
    let tenant = find(&sim, Scenario::Ready);
    create_service(&sim, &tenant).await;
    sim.set_skew(&tenant.domain, SignedDuration::from_hours(-1));
    let list = ask(&format!("GET https://{}/api/v1/logs?filter={AUTHORIZED}", tenant.domain));
    assert_eq!(list.ssws(&tenant).send(&sim).await.json.as_array().unwrap().len(), 1);
}
