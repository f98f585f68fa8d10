//! Waves: the parts of a plan that are migrated one after the other.

use std::{fmt, str::FromStr};

use jiff::SignedDuration;
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::parse_duration;

/// Tenants of a plan that are migrated together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Wave {
    /// Its name, unique in the plan.
    pub name: String,
    /// When it opens. It says nothing about the first wave, which is always open.
    #[schemars(with = "String")]
    pub opens_after: Opening,
    /// What must be shown before it opens, also for the first wave.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requires: Option<Requirement>,
    /// The names of its tenants. Every tenant with steps is in one wave.
    pub tenants: Vec<String>,
}

/// What must be shown before a wave opens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Requirement {
    /// A rehearsal for each kind of its tenants, with the plugins of the plan.
    Rehearsal,
}

impl fmt::Display for Requirement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("rehearsal")
    }
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
        let duration = |text: &str| parse_duration(text).filter(|duration| *duration > SignedDuration::ZERO);
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

#[cfg(test)]
mod tests {
    use super::*;

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
}
