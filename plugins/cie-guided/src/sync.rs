//! Whether the directory has synchronized by itself since the swap, from looks at one time that the interface shows. Pure.

use jiff::{SignedDuration, Timestamp};

/// Users and groups come every 5 minutes, unless a sync is running (vendor documentation, "Update schedule").
const INTERVAL: SignedDuration = SignedDuration::from_mins(5);
/// A sync that late has at least one other between it and the swap, seen or not.
const LATE: SignedDuration = SignedDuration::from_mins(10);
/// So long without a success means that there will be none.
const STALLED: SignedDuration = SignedDuration::from_mins(30);
/// Enterprise applications come every 3 hours at the latest, and no interface shows when (vendor documentation).
const APPLICATIONS: SignedDuration = SignedDuration::from_hours(3);
/// How far apart the clocks of the two sides may be: the swap is an event of the provider's log, the syncs are the directory
/// service's. A sync counts when it is later by more than this.
pub(crate) const TOLERANCE: SignedDuration = SignedDuration::from_mins(5);
/// What a sync takes until it shows, at the least that is worth another look.
const SETTLE: SignedDuration = SignedDuration::from_secs(30);

/// What is known of the syncs since the swap.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Syncs {
    pub(crate) swapped_at: Timestamp,
    /// The last success that was ever shown.
    pub(crate) last: Option<Timestamp>,
    /// The distinct successes that are certainly after the swap, oldest first.
    pub(crate) since: Vec<Timestamp>,
}

/// Where the syncs stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    /// Two natural syncs have been.
    Enough,
    Awaited,
    /// None came for too long.
    Stalled,
}

impl Syncs {
    /// What earlier looks noted and what this one shows.
    pub(crate) fn new(swapped_at: Timestamp, noted: Vec<Timestamp>, shown: Option<Timestamp>) -> Self {
        let mut since: Vec<_> = noted.into_iter().chain(shown).filter(|time| *time > swapped_at + TOLERANCE).collect();
        since.sort();
        since.dedup();
        Self { swapped_at, last: shown, since }
    }

    /// Where they stand now. Two are needed since the first may have been under way at the swap.
    pub(crate) fn judge(&self, now: Timestamp) -> Standing {
        let newest = self.newest();
        match () {
            () if now.duration_since(newest) >= STALLED => Standing::Stalled,
            () if self.since.len() >= 2 || newest.duration_since(self.swapped_at) >= LATE + TOLERANCE => {
                Standing::Enough
            }
            () => Standing::Awaited,
        }
    }

    /// The last sync that counts; where there is none, the time from which one would.
    fn newest(&self) -> Timestamp {
        self.since.last().copied().unwrap_or(self.swapped_at + TOLERANCE)
    }

    /// How long nothing new can be seen of users and groups, in milliseconds.
    pub(crate) fn wait_for_next(&self, now: Timestamp) -> u64 {
        millis_until(self.newest() + INTERVAL + SETTLE, now)
    }

    /// How long until enterprise applications must have come; 0 once they must.
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
    fn two_syncs_after_the_swap_are_enough_and_none_for_half_an_hour_are_too_few() {
        // Minutes after the swap: noted before, shown now, now; what it means, seconds to the next look.
        type Case = (&'static [i64], Option<i64>, i64, Standing, u64);
        use Standing::{Awaited, Enough, Stalled};
        let table: [Case; 16] = [
            (&[], None, 1, Awaited, 570),
            (&[], Some(-4), 1, Awaited, 570),
            (&[], Some(0), 1, Awaited, 570),
            (&[], Some(5), 6, Awaited, 270),
            (&[2], Some(2), 3, Awaited, 450),
            (&[], Some(7), 8, Awaited, 270),
            (&[7], Some(7), 11, Awaited, 90),
            (&[5], Some(10), 11, Awaited, 270),
            (&[7], Some(12), 13, Enough, 270),
            (&[7, 12], Some(17), 18, Enough, 270),
            (&[], Some(14), 17, Awaited, 150),
            (&[], Some(15), 17, Enough, 210),
            (&[], Some(-4), 34, Awaited, 30),
            (&[], Some(-4), 35, Stalled, 30),
            (&[7, 12], Some(12), 41, Enough, 30),
            (&[7, 12], Some(12), 42, Stalled, 30),
        ];
        for (noted, shown, now, standing, wait_seconds) in table {
            let syncs = Syncs::new(at(0), noted.iter().map(|m| at(*m)).collect(), shown.map(at));
            assert_eq!(syncs.judge(at(now)), standing, "{noted:?} {shown:?} {now}");
            assert_eq!(syncs.wait_for_next(at(now)), wait_seconds * 1000, "{noted:?} {shown:?} {now}");
        }
    }

    #[test]
    fn applications_are_waited_for_until_three_hours_after_the_swap() {
        let syncs = Syncs::new(at(0), vec![], None);
        assert_eq!(syncs.wait_for_applications(at(0)), 185 * 60 * 1000);
        assert_eq!(syncs.wait_for_applications(at(184)), 60 * 1000);
        assert_eq!(syncs.wait_for_applications(at(185)), 0);
    }
}
