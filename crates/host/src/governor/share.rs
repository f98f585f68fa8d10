//! The part of a rate limit that flowswap uses.

use std::fmt;

/// A percentage, from 1 to 100.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Share(u8);

impl Share {
    /// What flowswap uses if nothing else is configured.
    pub const HALF: Self = Self(50);

    /// `None` if it is not a percentage from 1 to 100.
    pub fn percent(percent: u8) -> Option<Self> {
        (1..=100).contains(&percent).then_some(Self(percent))
    }

    /// This part of a number, rounded down, but at least 1 of anything.
    pub(super) fn of(self, number: u32) -> u32 {
        let part = u64::from(number) * u64::from(self.0) / 100;
        u32::try_from(part).unwrap_or(number).max(1).min(number)
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}%", self.0)
    }
}
