//! When a wave of a plan begins.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::{Opening, Overview, TenantState, Wave};

/// Whether a wave may begin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Gate {
    /// It is open.
    Open,
    /// It opens at this time, if nothing happens until then.
    At(Timestamp),
    /// These tenants of the waves before are not swapped, and this is their state.
    Behind(Vec<(String, TenantState)>),
    /// A person must name it.
    ByHand,
}

impl Gate {
    /// Whether all these tenants are swapped.
    pub fn behind<'a>(tenants: impl IntoIterator<Item = &'a String>, known: &BTreeMap<String, Overview>) -> Self {
        let is_behind = |name: &&String| known.get(*name).is_none_or(|tenant| !tenant.is_swapped_for_good());
        let state = |name: &String| known.get(name).map_or(TenantState::Unplanned, |tenant| tenant.state);
        let behind = tenants.into_iter().filter(is_behind);
        let behind: Vec<_> = behind.map(|name| (name.clone(), state(name))).collect();
        if behind.is_empty() { Self::Open } else { Self::Behind(behind) }
    }

    /// Whether the wave at an index may begin, as far as the journal knows.
    pub fn of(waves: &[Wave], index: usize, known: &BTreeMap<String, Overview>, now: Timestamp) -> Self {
        let (Some(wave), Some(before)) = (waves.get(index), waves.get(..index).filter(|before| !before.is_empty()))
        else {
            return Self::Open;
        };
        let before = || before.iter().flat_map(|wave| &wave.tenants);
        let gate = Self::behind(before(), known);
        if gate != Self::Open {
            return gate;
        }
        match wave.opens_after {
            Opening::Swapped => Self::Open,
            Opening::ByHand => Self::ByHand,
            Opening::ConfirmedFor(duration) => {
                let swapped = before().filter_map(|name| known.get(name)?.swapped_at).max();
                let opens = swapped.map(|at| at.saturating_add(duration).unwrap_or(Timestamp::MAX));
                opens.filter(|opens| *opens > now).map_or(Self::Open, Self::At)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;

    fn wave(name: &str, opens_after: &str, tenants: &[&str]) -> Wave {
        let tenants = tenants.iter().map(ToString::to_string).collect();
        Wave { name: name.to_owned(), opens_after: opens_after.parse().unwrap(), requires: None, tenants }
    }

    #[test]
    fn a_wave_opens_when_all_before_it_are_there() {
        let waves = [
            wave("canary", "by hand", &["a"]),
            wave("tenth", "swapped", &["b", "c"]),
            wave("half", "confirmed for 24h", &["d"]),
            wave("rest", "by hand", &["e"]),
        ];
        let at = |hours: i64| Timestamp::UNIX_EPOCH + SignedDuration::from_hours(hours);
        let tenant = |name: &str, state, hours: i64| {
            let swapped_at = TenantState::is_swapped_or_later(state).then(|| at(hours));
            (name.to_owned(), Overview { state, swapped_at, ..Overview::unplanned(at(0)) })
        };
        let gate = |index, known: &[(String, Overview)], hours| {
            Gate::of(&waves, index, &known.iter().cloned().collect(), at(hours))
        };
        use TenantState as S;
        assert_eq!(gate(0, &[], 0), Gate::Open, "the first wave is always open");
        assert_eq!(gate(1, &[], 0), Gate::Behind(vec![("a".to_owned(), S::Unplanned)]));
        for state in [S::Planned, S::Soaking, S::Waiting, S::Failed, S::Stuck, S::RolledBack] {
            let known = [tenant("a", state, 1)];
            assert_eq!(gate(1, &known, 100), Gate::Behind(vec![("a".to_owned(), state)]));
        }
        for state in [S::Swapped, S::Retired, S::Finalized] {
            assert_eq!(gate(1, &[tenant("a", state, 1)], 1), Gate::Open);
        }
        let two = [tenant("a", S::Retired, 1), tenant("b", S::Swapped, 3), tenant("c", S::Swapped, 2)];
        assert_eq!(gate(2, &two, 26), Gate::At(at(27)), "it counts from the last swap");
        assert_eq!(gate(2, &two, 27), Gate::Open);
        let three = [two.to_vec(), vec![tenant("d", S::Swapped, 30)]].concat();
        assert_eq!(gate(3, &three, 1000), Gate::ByHand);
        let back = [two.to_vec(), vec![tenant("d", S::Swapped, 30), tenant("a", S::RollingBack, 31)]].concat();
        assert_eq!(
            gate(3, &back, 1000),
            Gate::Behind(vec![("a".to_owned(), S::RollingBack)]),
            "any wave before counts"
        );
    }
}
