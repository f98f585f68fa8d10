//! The binary killed at every point of its work, by SIGKILL: no destructor runs, nothing that is buffered is written.
//!
//! The points are not written down by hand. A run to which nothing happens is recorded, on a disk that lists each call by
//! which something is written (`fixtures/disk`) and by a simulator that lists each request. Then every point has a
//! tenant of its own: the binary is started, killed there, and started again with the same arguments. At the end
//! every tenant must be where the run that was not disturbed has brought its own: the world, the folder, what is in
//! custody, and what the journal says.
//!
//! `FLOWSWAP_CRASH=full` takes all pairs of all points, and each single write, which takes hours. Without it, of a series of
//! writes to one file the first two are struck and the rest is left to the cuts of the journal; pairs are taken over
//! what makes the journal's records durable; and of the runs other than `apply` and `rollback` only what they keep counts.
//! Requests are held, cut and killed at in `faults/sweeps.rs`.

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

/// Whether nothing is to be left out, however long that takes.
fn is_full() -> bool {
    std::env::var_os("FLOWSWAP_CRASH").is_some_and(|value| value == "full")
}

/// Does the work for each item, several at a time: most of it is waiting. Results are in the order of the items.
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
