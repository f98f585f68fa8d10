//! Derives everything from a seed: the fleet, the operator's moves, and at every point whether a fault occurs.
//!
//! Faults are not planned in advance. Each is decided at the moment at which it would occur, so that every fault fires.
//! The recorded faults make a schedule.

use flowswap_sim::Scenario;

use super::schedule::{Change, End, FaultKind, Fleet, Move, Schedule};

/// Decides at random whether faults occur.
pub(crate) struct Dice {
    rng: fastrand::Rng,
    rate: Rate,
    faults: u32,
    crashes: u32,
}

/// How often faults occur.
enum Rate {
    /// Everywhere, in proportion to what is at stake.
    Anywhere(f64),
    /// Only where something is changed or shown once, so that recoveries are hit repeatedly.
    AtStake(f64),
}

impl Dice {
    /// The dice of a seed, and the seed's schedule, which has no faults yet.
    pub(crate) fn of_seed(seed: u32) -> (Self, Schedule) {
        let mut rng = fastrand::Rng::with_seed(u64::from(seed));
        let fleet = make_fleet(&mut rng, seed);
        let moves = make_moves(&mut rng, fleet.tenants.len());
        let end = if rng.f64() < 0.5 { End::Back } else { End::Forward };
        let rate = match rng.usize(..3) {
            0 => Rate::AtStake([0.1, 0.25, 0.4][rng.usize(..3)]),
            _ => Rate::Anywhere([0.005, 0.02, 0.05, 0.1][rng.usize(..4)]),
        };
        let (faults, crashes) = (rng.u32(..=12), rng.u32(..=3));
        let schedule = Schedule { about: String::new(), violates: None, end, fleet, moves, faults: Vec::new() };
        (Self { rng, rate, faults, crashes }, schedule)
    }

    /// Decides whether one of these faults occurs here, and how many times in a row.
    pub(crate) fn throw(&mut self, at: &str, options: &[FaultKind]) -> Option<(FaultKind, u32)> {
        let rate = match self.rate {
            Rate::Anywhere(rate) => rate * stakes(at),
            Rate::AtStake(rate) if stakes(at) >= 4.0 => rate,
            Rate::AtStake(_) => 0.0,
        };
        if self.faults == 0 || self.rng.f64() >= rate {
            return None;
        }
        let what = options[self.rng.usize(..options.len())];
        if what.is_crash() && self.crashes == 0 {
            return None;
        }
        self.faults -= 1;
        self.crashes -= u32::from(what.is_crash());
        let can_last = !what.is_crash() && !matches!(what, FaultKind::Stop | FaultKind::Fail | FaultKind::FailAfter);
        let times = if can_last && self.rng.f64() < 0.2 { self.rng.u32(2..=6) } else { 1 };
        Some((what, times))
    }
}

/// How much is at stake at a point. Faults are most frequent where something is changed or shown once.
pub(crate) fn stakes(at: &str) -> f64 {
    let words: Vec<&str> = at.split(' ').collect();
    match words.as_slice() {
        // Every check reads the log several times, which would otherwise use up the faults.
        ["request", "GET", path] if path.ends_with("/logs") => 0.25,
        ["request", "GET", _] => 1.0,
        // Few runs get as far as these with faults left: an irreversible deletion, and the rollback of a deactivation.
        ["request", "DELETE", path] if path.ends_with("/apps/{id}") => 60.0,
        ["request", _, path] if path.ends_with("/lifecycle/activate") => 60.0,
        ["request", _, path] if path.ends_with("/token") || path.ends_with("/test-connection") => 1.0,
        ["request", ..] => 12.0,
        ["keep" | "forget", _] => 6.0,
        ["record", kind, ..] if kind.starts_with("request-") || kind.starts_with("secret-") => 4.0,
        ["record", kind, ..] if kind.starts_with("step-") => 1.5,
        _ => 0.5,
    }
}

fn make_fleet(rng: &mut fastrand::Rng, seed: u32) -> Fleet {
    let others = [Scenario::Migrated, Scenario::LegacyInactive, Scenario::Unknown, Scenario::WrongVariant];
    let mut tenants = vec![Scenario::Ready];
    for _ in 0..rng.usize(..4) {
        tenants.push(if rng.f64() < 0.8 { Scenario::Ready } else { others[rng.usize(..others.len())] });
    }
    // If the clocks differ by more than five minutes, nothing is finalized.
    let orgs_ahead = [0, 0, 0, 1, -20, 600, -3600][rng.usize(..7)];
    Fleet {
        seed,
        tenants,
        app_data_every: rng.usize(..4),
        without_authorization_servers_every: rng.usize(..4),
        page_size: rng.usize(1..=5),
        concurrency: rng.usize(1..=4),
        orgs_ahead,
        gateway_ahead: orgs_ahead + [0, 0, -1, 20, 240, -240][rng.usize(..6)],
    }
}

fn make_moves(rng: &mut fastrand::Rng, tenants: usize) -> Vec<Move> {
    let mut moves = vec![Move::Plan, Move::Apply];
    // After two hours the legacy client is known to be unused and can be retired.
    if rng.f64() < 0.8 {
        moves.push(Move::Wait { seconds: 6900 });
    }
    // Random moves alone would rarely get beyond the swap.
    match rng.usize(..10) {
        0..2 => moves.push(Move::Finalize),
        2..4 => moves.extend([Move::Finalize, Move::Purge]),
        4 => moves.extend([Move::Finalize, Move::Rollback { tenants: Vec::new() }]),
        _ => {}
    }
    for _ in 0..rng.usize(..4) {
        moves.push(match rng.usize(..100) {
            0..40 => Move::Apply,
            40..60 => Move::Rollback { tenants: some(rng, tenants) },
            60..70 => Move::Finalize,
            70..75 => Move::Purge,
            75..85 => Move::Plan,
            85..90 => Move::Wait { seconds: [1, 60, 6900][rng.usize(..3)] },
            _ => Move::Person { tenant: name(rng.usize(..tenants)), change: make_change(rng) },
        });
    }
    moves
}

fn make_change(rng: &mut fastrand::Rng) -> Change {
    use Change as C;
    let all = [
        C::AddClient,
        C::DeleteClient,
        C::DeactivateLegacy,
        C::AddLegacy,
        C::RenameDirectory,
        C::PauseSyncs,
        C::PauseSyncs,
    ];
    all[rng.usize(..all.len())]
}

fn some(rng: &mut fastrand::Rng, tenants: usize) -> Vec<String> {
    if rng.bool() { Vec::new() } else { (0..tenants).filter(|_| rng.bool()).map(name).collect() }
}

/// The simulator's names of the first tenants.
pub(crate) fn name(index: usize) -> String {
    ["acme", "globex", "initech", "umbrella"][index].to_owned()
}
