//! Orgs that other clients use too: flowswap keeps to its share of their rate limits, on a paused clock.

use std::{collections::BTreeMap, time::Duration};

use flowswap_engine::TenantState;
use flowswap_sim::{OKTA_SUFFIX, RateLimits, Scenario, SimConfig};
use jiff::{Timestamp, fmt::rfc2822};
use tokio::time::Instant;

use crate::{
    simulation::{
        fate::{Fate, Source},
        machine::{Machine, START},
        operator::Goals,
        schedule::{Fleet, Move},
    },
    support::print,
};

/// What flowswap sent to one kind of request of one org: when, by the clock of the org.
type Sent = BTreeMap<(String, &'static str), Vec<Timestamp>>;

fn machine(tenants: usize, seed: u32, limits: RateLimits) -> Machine {
    let fleet = Fleet {
        seed,
        tenants: vec![Scenario::Ready; tenants],
        app_data_every: 0,
        without_authorization_servers_every: 0,
        page_size: 200,
        concurrency: tenants,
        orgs_ahead: 0,
        gateway_ahead: 0,
    };
    let config = SimConfig::default()
        .scenarios(fleet.tenants.clone())
        .seed(u64::from(seed))
        .scheduled_sync(Duration::from_secs(20 * 60))
        .start(START.parse().unwrap())
        .record(true)
        .rate_limits(limits)
        // They use nearly all that flowswap leaves.
        .others(48);
    Machine::in_world(fleet, Fate::new(seed, Source::Schedule(Vec::new())), config)
}

/// The requests of flowswap by org and kind, and how many of them were refused.
fn sent(machine: &Machine) -> (Sent, usize) {
    let (mut sent, mut refused) = (Sent::new(), 0);
    for exchange in machine.sim.traffic().iter().filter(|exchange| exchange.host.ends_with(OKTA_SUFFIX)) {
        let segments: Vec<&str> = exchange.path_and_query.split(['/', '?']).collect();
        let kind = match *segments.as_slice() {
            ["", "api", "v1", "apps", id] if id.starts_with("0oa") => "app",
            ["", "api", "v1", "apps", ..] => "apps",
            ["", "api", "v1", "logs", ..] => "logs",
            ["", "api", "v1", "users", ..] => "users",
            ["", "api", "v1", "groups", ..] => "groups",
            ["", "oauth2", "v1", "token"] => "token",
            _ => "others",
        };
        let date = exchange.response_headers.iter().find(|(name, _)| name == "date").map(|(_, date)| date);
        let date = rfc2822::parse(date.unwrap()).unwrap().timestamp();
        sent.entry((exchange.host.clone(), kind)).or_default().push(date);
        refused += usize::from(exchange.status == Some(429));
    }
    (sent, refused)
}

/// The most requests within 57 seconds. The windows of an org and those of flowswap differ by some seconds.
fn most_in_a_window(times: &[Timestamp]) -> usize {
    let count = |at: &Timestamp| {
        let is_within = |other: &&Timestamp| (0..57).contains(&(other.as_second() - at.as_second()));
        times.iter().filter(is_within).count()
    };
    times.iter().map(count).max().unwrap_or(0)
}

/// Plans and applies in a world, and returns how long that took.
fn migrate(machine: &Machine) -> Duration {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    runtime.block_on(async {
        let (begun, mut goals) = (Instant::now(), Goals::new());
        machine.make(0, &Move::Plan, &mut goals).await;
        machine.make(1, &Move::Apply, &mut goals).await;
        begun.elapsed()
    })
}

/// Migrates so many tenants, and checks that no request was refused, neither of flowswap nor of others.
fn keep_the_share(tenants: usize, limits: RateLimits, share: usize) {
    let seed = fastrand::u32(..);
    print(&format!("neighbors: seed {seed}"));
    let machine = machine(tenants, seed, limits);
    let took = migrate(&machine);
    let history = machine.history();
    let others = history.tenants().filter(|(_, tenant)| tenant.state != TenantState::Swapped);
    let others: Vec<_> = others.map(|(name, tenant)| (name, tenant.state, tenant.reason.as_deref())).collect();
    assert!(others.is_empty(), "{others:?}");
    let (sent, refused) = sent(&machine);
    assert_eq!(refused, 0, "{limits:?}");
    let others = machine.sim.world().orgs.into_iter().map(|org| org.others);
    assert!(others.clone().all(|others| others.refused == 0), "{limits:?}");
    assert!(others.map(|others| others.admitted).sum::<u32>() > 0);
    let most = sent.values().map(|times| most_in_a_window(times)).max().unwrap();
    // `plan` and `apply` are two processes, and the second one does not know what the first one has sent.
    assert!(most <= share + 2, "{limits:?}: {most} of {share}");
    let all: usize = sent.values().map(Vec::len).sum();
    let seconds = took.as_secs_f64();
    print(&format!(
        "neighbors: {tenants} tenants, {limits:?}: {all} requests, at most {most} of one kind in a window, {seconds:.0} s"
    ));
}

#[test]
fn a_hundred_busy_orgs_keep_half_of_each_limit() {
    keep_the_share(100, RateLimits::Each(50), 25);
    keep_the_share(20, RateLimits::Each(24), 12);
    keep_the_share(20, RateLimits::Published, 50);
}
