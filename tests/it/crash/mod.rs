//! Kills the binary at every point of its work with SIGKILL: no destructor runs, and buffered data is not written.
//!
//! The points are not listed by hand. A run without faults is recorded on a disk that lists each call that writes
//! something (`fixtures/disk`) and by a simulator that lists each request. Then every point gets its own tenant: the
//! binary is started, killed there, and started again with the same arguments. At the end every tenant must be as after
//! the run without faults: the world, the folder, the secret store, and the journal.
//!
//! `FLOWSWAP_CRASH=full` takes all pairs of all points and each single write, which takes hours. Without it, a series of
//! writes to one file is killed only at its first two, and the tests that truncate the journal cover the rest. Pairs
//! cover the points that make journal records durable. Runs other than `apply` and `rollback` are killed only at the
//! points where they store something. `faults/sweeps.rs` covers requests that are held, cut, or interrupted by a kill.

mod by_chance;
mod cut;
pub(crate) mod field;
pub(crate) mod judge;
mod kills;

use std::{
    num::NonZero,
    sync::atomic::{AtomicUsize, Ordering},
    thread,
};

/// Whether to take all points and pairs, even if that takes hours.
fn is_full() -> bool {
    std::env::var_os("FLOWSWAP_CRASH").is_some_and(|value| value == "full")
}

/// Does the work for each item, several at a time because most of it is waiting. Results are in the order of the items.
pub(crate) fn each<T: Sync, R: Send>(items: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let next = AtomicUsize::new(0);
    let take = || {
        let indexes = std::iter::from_fn(|| Some(next.fetch_add(1, Ordering::Relaxed)));
        indexes.map_while(|index| Some((index, work(items.get(index)?)))).collect::<Vec<_>>()
    };
    let workers = (3 * thread::available_parallelism().map_or(1, NonZero::get)).min(16);
    let mut results: Vec<_> = thread::scope(|scope| {
        let running: Vec<_> = (0..workers).map(|_| scope.spawn(take)).collect();
        running.into_iter().flat_map(|worker| worker.join().unwrap()).collect()
    });
    results.sort_by_key(|(index, _)| *index);
    results.into_iter().map(|(_, result)| result).collect()
}
