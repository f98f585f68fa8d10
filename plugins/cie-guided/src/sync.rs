//! Decides whether the directory has synchronized by itself since the swap. The interface shows only the last sync, so several
//! checks add up. Pure.

use jiff::{SignedDuration, Timestamp};

/// Users and groups come every 5 minutes, unless a sync is running (vendor documentation, "Update schedule").
const INTERVAL: SignedDuration = SignedDuration::from_mins(5);
/// A sync this long after the swap follows at least one other sync, whether flowswap saw that or not.
const LATE: SignedDuration = SignedDuration::from_mins(10);
/// After this long without a success, flowswap expects no more syncs.
const STALLED: SignedDuration = SignedDuration::from_mins(30);
/// Enterprise applications come at least every 3 hours, and no interface shows when (vendor documentation).
const APPLICATIONS: SignedDuration = SignedDuration::from_hours(3);
/// How far apart the clocks of the two sides may be: the provider's log dates the swap, the directory service dates the syncs.
/// A sync counts if it is later than the swap by more than this.
pub(crate) const TOLERANCE: SignedDuration = SignedDuration::from_mins(5);
/// The time until a finished sync shows, and the shortest wait before another check.
const SETTLE: SignedDuration = SignedDuration::from_secs(30);

/// What flowswap knows about the syncs since the swap.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Syncs {
    pub(crate) swapped_at: Timestamp,
    /// The last success that the interface shows.
    pub(crate) last: Option<Timestamp>,
    /// The distinct successes that are certainly after the swap, oldest first.
    pub(crate) since: Vec<Timestamp>,
}

/// How far the directory has synchronized since the swap.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SyncState {
    /// The directory has synchronized twice by itself.
    Enough,
    Waiting,
    /// No sync came for too long.
    Stalled,
}

impl Syncs {
    /// Combines the syncs that earlier checks noted with the one that the interface shows now.
    pub(crate) fn new(swapped_at: Timestamp, noted: Vec<Timestamp>, shown: Option<Timestamp>) -> Self {
        let mut since: Vec<_> = noted.into_iter().chain(shown).filter(|time| *time > swapped_at + TOLERANCE).collect();
        since.sort();
        since.dedup();
        Self { swapped_at, last: shown, since }
    }

    /// The state at this time. It takes two syncs, because the first may have been running during the swap.
    pub(crate) fn state(&self, now: Timestamp) -> SyncState {
        let newest = self.newest();
        if now.duration_since(newest) >= STALLED {
            SyncState::Stalled
        } else if self.since.len() >= 2 || newest.duration_since(self.swapped_at) >= LATE + TOLERANCE {
            SyncState::Enough
        } else {
            SyncState::Waiting
        }
    }

    /// The last sync that counts, or else the time from which a sync counts.
    fn newest(&self) -> Timestamp {
        self.since.last().copied().unwrap_or(self.swapped_at + TOLERANCE)
    }

    /// The milliseconds until the next sync of users and groups can show.
    pub(crate) fn wait_for_next(&self, now: Timestamp) -> u64 {
        millis_until(self.newest() + INTERVAL + SETTLE, now)
    }

    /// The milliseconds until enterprise applications must have come; 0 after that.
    pub(crate) fn wait_for_applications(&self, now: Timestamp) -> u64 {
        let due = self.swapped_at + APPLICATIONS + TOLERANCE;
        if now >= due { 0 } else { millis_until(due, now) }
    }
}

fn millis_until(due: Timestamp, now: Timestamp) -> u64 {
    u64::try_from(due.duration_since(now).max(SETTLE).as_millis()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(minutes: i64) -> Timestamp {
        "2026-01-01T12:00:00Z".parse::<Timestamp>().unwrap() + SignedDuration::from_mins(minutes)
    }

    #[test]
    fn two_syncs_after_the_swap_are_enough_and_half_an_hour_without_one_is_too_long() {
        // Minutes after the swap: noted before, shown now, now. Then the state, and the seconds until the next check.
        type Case = (&'static [i64], Option<i64>, i64, SyncState, u64);
        use SyncState::{Enough, Stalled, Waiting};
        let table: [Case; 16] = [
            (&[], None, 1, Waiting, 570),
            (&[], Some(-4), 1, Waiting, 570),
            (&[], Some(0), 1, Waiting, 570),
            (&[], Some(5), 6, Waiting, 270),
            (&[2], Some(2), 3, Waiting, 450),
            (&[], Some(7), 8, Waiting, 270),
            (&[7], Some(7), 11, Waiting, 90),
            (&[5], Some(10), 11, Waiting, 270),
            (&[7], Some(12), 13, Enough, 270),
            (&[7, 12], Some(17), 18, Enough, 270),
            (&[], Some(14), 17, Waiting, 150),
            (&[], Some(15), 17, Enough, 210),
            (&[], Some(-4), 34, Waiting, 30),
            (&[], Some(-4), 35, Stalled, 30),
            (&[7, 12], Some(12), 41, Enough, 30),
            (&[7, 12], Some(12), 42, Stalled, 30),
        ];
        for (noted, shown, now, state, wait_seconds) in table {
            let syncs = Syncs::new(at(0), noted.iter().map(|m| at(*m)).collect(), shown.map(at));
            assert_eq!(syncs.state(at(now)), state, "{noted:?} {shown:?} {now}");
            assert_eq!(syncs.wait_for_next(at(now)), wait_seconds * 1000, "{noted:?} {shown:?} {now}");
        }
    }

    #[test]
    fn the_wait_for_applications_ends_three_hours_after_the_swap() {
        let syncs = Syncs::new(at(0), vec![], None);
        assert_eq!(syncs.wait_for_applications(at(0)), 185 * 60 * 1000);
        assert_eq!(syncs.wait_for_applications(at(184)), 60 * 1000);
        assert_eq!(syncs.wait_for_applications(at(185)), 0);
    }
}
