//! The governor against a server that enforces its limit, and that others use too, on a paused clock.

use std::{cell::RefCell, rc::Rc};

use tokio::task::LocalSet;

use super::*;

const PLACE: Place<'static> = Place { origin: "https://x.test", bucket: "/api/v1/apps/**", shows_limits: true };

/// How long a request takes.
const LATENCY: Duration = Duration::from_millis(200);

/// An org with one bucket, whose windows begin with the first request after the last one.
struct Server {
    limit: u32,
    begun: Option<Instant>,
    used: u32,
    /// How many requests a second others send, evenly.
    others: f64,
    /// When others have sent their last one.
    others_until: Instant,
    /// How many requests of others were refused.
    starved: u32,
    /// When flowswap's requests arrived, and whether they were refused.
    own: Vec<(Instant, bool)>,
}

impl Server {
    fn new(limit: u32, others: f64) -> Self {
        let (now, own) = (Instant::now(), Vec::new());
        Self { limit, begun: None, used: 0, others, others_until: now, starved: 0, own }
    }

    /// Counts a request. Returns whether it was admitted.
    fn count(&mut self, now: Instant) -> bool {
        if self.begun.is_none_or(|begun| now >= begun + Duration::from_secs(60)) {
            (self.begun, self.used) = (Some(now), 0);
        }
        self.used += 1;
        self.used <= self.limit
    }

    /// Counts what others have sent in the meantime.
    fn catch_up(&mut self, now: Instant) {
        if self.others == 0.0 {
            return;
        }
        let gap = Duration::from_secs_f64(1.0 / self.others);
        while self.others_until + gap <= now {
            self.others_until += gap;
            let is_admitted = self.count(self.others_until);
            self.starved += u32::from(!is_admitted);
        }
    }

    /// Answers one of flowswap's requests, with headers in whole seconds.
    fn answer(&mut self, now: Instant) -> (bool, Reading) {
        self.catch_up(now);
        let is_admitted = self.count(now);
        self.own.push((now, !is_admitted));
        let rest = (self.begun.unwrap() + Duration::from_secs(60)) - now;
        let rest = Duration::from_secs(rest.as_secs() + 1);
        (is_admitted, Reading { limit: Some(self.limit), remaining: self.limit.saturating_sub(self.used), rest })
    }
}

/// Sends so many requests from many tasks. Returns how long it took.
async fn send(governor: &Governor, server: &Rc<RefCell<Server>>, requests: u32, tasks: u32) -> Duration {
    let begun = Instant::now();
    let set = LocalSet::new();
    for task in 0..tasks {
        let (governor, server) = (governor.clone(), Rc::clone(server));
        let own = requests / tasks + u32::from(task < requests % tasks);
        set.spawn_local(async move {
            for _ in 0..own {
                loop {
                    let permit = loop {
                        match governor.admit(PLACE) {
                            Ok(permit) => break permit,
                            Err((wait, _)) => tokio::time::sleep(wait).await,
                        }
                    };
                    tokio::time::sleep(LATENCY / 2).await;
                    let (is_admitted, reading) = server.borrow_mut().answer(Instant::now());
                    tokio::time::sleep(LATENCY / 2).await;
                    governor.learn(PLACE, Some(reading), (!is_admitted).then_some(reading.rest));
                    drop(permit);
                    if is_admitted {
                        break;
                    }
                }
            }
        });
    }
    set.await;
    begun.elapsed()
}

/// The most of flowswap's requests that arrived within this time of each other.
fn most_within(server: &Server, time: Duration) -> usize {
    let own: Vec<Instant> = server.own.iter().map(|(at, _)| *at).collect();
    own.iter().map(|at| own.iter().filter(|other| **other >= *at && **other < *at + time).count()).max().unwrap_or(0)
}

#[tokio::test(start_paused = true)]
async fn others_are_never_starved_and_the_share_is_used() {
    let seed = fastrand::u64(..);
    println!("seed: {seed}");
    let mut rng = Rng::with_seed(seed);
    let mut ratios = Vec::new();
    for limit in [10, 20, 50, 100, 500, 1200] {
        for percent in [25, 50, 80] {
            let share = Share::percent(percent).unwrap();
            let cap = share.of(limit);
            let governor = Governor::new(share, rng.u64(..));
            // Others use what is left to them. One request more may fall into a window than sixty seconds have.
            let server = Rc::new(RefCell::new(Server::new(limit, f64::from((limit - cap).saturating_sub(1)) / 60.0)));
            let windows = 4;
            // Enough tasks that their latency is not what limits them.
            let tasks = rng.u32(1..24).max(cap / 60 / 2 + 2);
            let took = send(&governor, &server, cap * windows, tasks).await;
            let server = server.borrow();
            let case = format!("limit {limit}, share {share}");
            assert_eq!(server.starved, 0, "{case}");
            assert!(server.own.iter().all(|(_, refused)| !refused), "{case}");
            // A window of the server and one of flowswap may overlap by some seconds.
            assert!(most_within(&server, Duration::from_secs(57)) <= cap as usize + 1, "{case}");
            // No more than the part that may be sent at once, and what is due in that second.
            let most = cap / 4 + cap.div_ceil(55) + 1;
            let at_once = most_within(&server, Duration::from_secs(1));
            assert!(at_once <= most as usize, "{case}: {at_once} of {most}");
            let ideal = Duration::from_secs(60) * windows;
            let ratio = took.as_secs_f64() / ideal.as_secs_f64();
            println!("{case}: {:.1} s, {ratio:.2} of the ideal, {at_once} at once", took.as_secs_f64());
            ratios.push(ratio);
        }
    }
    assert!(ratios.iter().all(|ratio| *ratio <= 1.2), "{ratios:?}");
}

#[tokio::test(start_paused = true)]
async fn others_that_take_everything_come_first() {
    let governor = Governor::new(Share::HALF, 7);
    // Others send as much as the limit allows.
    let server = Rc::new(RefCell::new(Server::new(60, 1.0)));
    let took = send(&governor, &server, 30, 8).await;
    let server = server.borrow();
    // They lose no more than the requests that flowswap sends, and flowswap gets through at all.
    assert!(server.starved <= 30, "{}", server.starved);
    assert!(took < Duration::from_secs(30 * 60), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn two_processes_share_a_limit() {
    let server = Rc::new(RefCell::new(Server::new(40, 0.0)));
    let (one, other) = (Governor::new(Share::HALF, 1), Governor::new(Share::HALF, 2));
    tokio::join!(send(&one, &server, 60, 4), send(&other, &server, 60, 4));
    assert!(server.borrow().own.iter().all(|(_, refused)| !refused));
}

#[tokio::test(start_paused = true)]
async fn the_first_answer_is_awaited_and_a_lost_one_is_not() {
    let governor = Governor::new(Share::HALF, 1);
    let first = governor.admit(PLACE).unwrap();
    assert_eq!(governor.hold(PLACE).unwrap().1, Reason::Unknown);
    // Another server, and one that shows no limits, are not held.
    assert_eq!(governor.hold(Place { origin: "https://y.test", ..PLACE }), None);
    drop(first);
    let second = governor.admit(PLACE).unwrap();
    governor.learn(PLACE, None, None);
    assert_eq!(governor.hold(PLACE), None, "the server showed none of the headers");
    drop(second);
    let silent = Place { bucket: "silent", shows_limits: false, ..PLACE };
    let _first = governor.admit(silent).unwrap();
    assert_eq!(governor.hold(silent), None);
}

#[tokio::test(start_paused = true)]
async fn too_many_in_flight_make_it_narrow_until_it_is_calm() {
    let governor = Governor::new(Share::HALF, 1);
    let place = Place { shows_limits: false, ..PLACE };
    let mut permits: Vec<Permit> = (0..8).map(|_| governor.admit(place).unwrap()).collect();
    let none = Reading { limit: Some(0), remaining: 0, rest: Duration::from_secs(50) };
    governor.learn(place, Some(none), Some(Duration::from_secs(50)));
    permits.truncate(4);
    let (wait, reason) = governor.hold(place).unwrap();
    assert_eq!(reason, Reason::InFlight);
    assert!(wait < Duration::from_secs(1), "the end of a window says nothing about requests in flight");
    permits.truncate(3);
    assert_eq!(governor.hold(place), None);
    permits.push(governor.admit(place).unwrap());
    for _ in 0..CALM {
        governor.learn(place, None, None);
    }
    assert_eq!(governor.hold(place), None, "one more after a calm time");
    let usage = governor.usage()["https://x.test"];
    assert_eq!((usage.requests, usage.refused), (9, 1));
}
