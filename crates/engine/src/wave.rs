//! Waves: the parts of a plan that are migrated one after the other.

use std::{collections::BTreeMap, fmt, str::FromStr};

use jiff::{SignedDuration, Span, SpanRelativeTo, Timestamp};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::{Overview, TenantState};

/// Tenants of a plan that are migrated together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wave {
    /// Its name, unique in the plan.
    pub name: String,
    /// When it opens. It says nothing about the first wave, which is always open.
    pub opens_after: Opening,
    /// The names of its tenants. Every tenant with steps is in one wave.
    pub tenants: Vec<String>,
}

/// What the waves before must have reached so that a wave opens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Opening {
    /// All their tenants are swapped.
    #[default]
    Swapped,
    /// All their tenants have been swapped for this long.
    ConfirmedFor(SignedDuration),
    /// It does not open by itself: a person names the wave.
    ByHand,
}

const SWAPPED: &str = "swapped";
const CONFIRMED_FOR: &str = "confirmed for ";
const BY_HAND: &str = "by hand";

impl FromStr for Opening {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let duration = |text: &str| {
            let span: Span = text.parse().ok()?;
            let duration = span.to_duration(SpanRelativeTo::days_are_24_hours()).ok()?;
            (duration > SignedDuration::ZERO).then_some(duration)
        };
        match (text, text.strip_prefix(CONFIRMED_FOR).map(duration)) {
            (SWAPPED, _) => Ok(Self::Swapped),
            (BY_HAND, _) => Ok(Self::ByHand),
            (_, Some(Some(duration))) => Ok(Self::ConfirmedFor(duration)),
            _ => Err(format!("expected \"{SWAPPED}\", \"{CONFIRMED_FOR}24h\", or \"{BY_HAND}\"")),
        }
    }
}

impl fmt::Display for Opening {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Swapped => f.write_str(SWAPPED),
            Self::ConfirmedFor(duration) => write!(f, "{CONFIRMED_FOR}{duration:#}"),
            Self::ByHand => f.write_str(BY_HAND),
        }
    }
}

impl Serialize for Opening {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Opening {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

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
    /// Whether the wave at an index may begin, as far as the journal knows.
    pub fn of(waves: &[Wave], index: usize, known: &BTreeMap<String, Overview>, now: Timestamp) -> Self {
        let (Some(wave), Some(before)) = (waves.get(index), waves.get(..index).filter(|before| !before.is_empty()))
        else {
            return Self::Open;
        };
        let before = || before.iter().flat_map(|wave| &wave.tenants);
        let state = |name: &String| known.get(name).map_or(TenantState::Unplanned, |tenant| tenant.state);
        let behind = before().map(|name| (name.clone(), state(name))).filter(|(_, state)| !state.is_swapped_or_later());
        let behind: Vec<_> = behind.collect();
        if !behind.is_empty() {
            return Self::Behind(behind);
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
    use super::*;

    fn wave(name: &str, opens_after: &str, tenants: &[&str]) -> Wave {
        let tenants = tenants.iter().map(ToString::to_string).collect();
        Wave { name: name.to_owned(), opens_after: opens_after.parse().unwrap(), tenants }
    }

    #[test]
    fn an_opening_is_written_as_it_is_read() {
        for (text, written) in [
            ("swapped", "swapped"),
            ("by hand", "by hand"),
            ("confirmed for 24h", "confirmed for 24h"),
            ("confirmed for 2 days", "confirmed for 48h"),
            ("confirmed for 1h30m", "confirmed for 1h 30m"),
        ] {
            let opening: Opening = text.parse().unwrap();
            assert_eq!(opening.to_string(), written);
            assert_eq!(written.parse::<Opening>(), Ok(opening));
        }
        for wrong in ["", "24h", "confirmed", "confirmed for", "confirmed for 0h", "confirmed for -1h", "by  hand"] {
            assert!(wrong.parse::<Opening>().is_err(), "{wrong}");
        }
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
