//! How long the phases took over all tenants, and how long people were waited for.

use std::collections::BTreeMap;

use flowswap_contract::Phase;
use flowswap_engine::Direction;
use schemars::JsonSchema;
use serde::Serialize;

use super::{attempt::Attempt, tenant::WorkedTenant};

/// How long one phase took, in milliseconds by the clock of the machine that ran flowswap. Each percentile is the time of one
/// tenant, by the nearest rank.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Durations {
    /// The phase.
    pub phase: Phase,
    /// Forward or back.
    pub direction: Direction,
    /// Whether this is the time from asking a person until flowswap saw it done, or somebody ended the wait.
    pub by_person: bool,
    /// How many steps were measured.
    pub count: usize,
    /// Half of them took at most this long.
    pub median_ms: u64,
    /// Nine tenths of them took at most this long.
    pub p90_ms: u64,
    /// The longest.
    pub longest_ms: u64,
    /// The tenant that took the longest.
    pub longest: String,
}

/// Which steps are measured together.
type Key = (bool, bool, Phase);

/// The durations of all phases: first those of flowswap, then those of people, each forward before back.
pub(crate) fn measure(tenants: &[WorkedTenant]) -> Vec<Durations> {
    let mut measured: BTreeMap<Key, Vec<(u64, &str)>> = BTreeMap::new();
    for tenant in tenants {
        for attempt in &tenant.attempts {
            let times = [(false, attempt.duration()), (true, attempt.wait())];
            for (by_person, time) in times {
                // A clock that was set back measures nothing.
                let Some(Ok(ms)) = time.map(|time| u64::try_from(time.as_millis())) else { continue };
                measured.entry(key(attempt, by_person)).or_default().push((ms, &tenant.name));
            }
        }
    }
    measured.into_iter().filter_map(|(key, times)| Durations::of(key, times)).collect()
}

fn key(attempt: &Attempt, by_person: bool) -> Key {
    (by_person, attempt.direction == Direction::Back, attempt.phase)
}

impl Durations {
    fn of((by_person, is_back, phase): Key, mut times: Vec<(u64, &str)>) -> Option<Self> {
        times.sort_unstable();
        let (longest_ms, longest) = *times.last()?;
        let rank = |percent: usize| times[(times.len() * percent).div_ceil(100).max(1) - 1].0;
        Some(Self {
            phase,
            direction: if is_back { Direction::Back } else { Direction::Forward },
            by_person,
            count: times.len(),
            median_ms: rank(50),
            p90_ms: rank(90),
            longest_ms,
            longest: longest.to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_is_the_time_of_a_tenant() {
        let of = |times: &[u64]| {
            let times = times.iter().map(|ms| (*ms, "acme")).collect();
            let durations = Durations::of((false, false, Phase::Swap), times).unwrap();
            [durations.median_ms, durations.p90_ms, durations.longest_ms]
        };
        let table: [(&[u64], [u64; 3]); 4] = [
            (&[7], [7, 7, 7]),
            (&[1, 9], [1, 9, 9]),
            (&[3, 1, 2], [2, 3, 3]),
            (&[10, 20, 30, 40, 50, 60, 70, 80, 90, 1000], [50, 90, 1000]),
        ];
        for (times, expect) in table {
            assert_eq!(of(times), expect, "{times:?}");
        }
        assert_eq!(Durations::of((false, false, Phase::Swap), Vec::new()), None);
    }
}
