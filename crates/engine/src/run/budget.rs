//! The limits of a run: how many tenants at once, and how many of them may fail.

use std::fmt;

/// How many tenants run at once, and how many failures are too many.
#[derive(Debug, Clone, Copy)]
pub struct FleetLimits {
    /// The most tenants that run at the same time.
    pub concurrency: usize,
    /// Once this many tenants have failed or are stuck, no further tenant starts.
    pub max_failures: FailureBudget,
}

/// How many tenants of a run may fail or be stuck. Once they have, no further tenant starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailureBudget {
    /// This many tenants.
    Tenants(usize),
    /// This many of a hundred tenants of the run, rounded down, but at least one tenant.
    Percent(u8),
}

impl FailureBudget {
    /// The budget of a run with so many tenants.
    pub fn of(self, tenants: usize) -> usize {
        match self {
            Self::Tenants(limit) => limit,
            Self::Percent(percent) => (tenants.saturating_mul(percent.into()) / 100).max(1),
        }
    }
}

impl fmt::Display for FailureBudget {
    /// As the configuration has it: `5`, or `"10%"`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tenants(limit) => write!(f, "{limit}"),
            Self::Percent(percent) => write!(f, "\"{percent}%\""),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentage_is_rounded_down_to_at_least_one_tenant() {
        for (percent, tenants, expect) in
            [(10, 300, 30), (10, 19, 1), (10, 9, 1), (1, 0, 1), (100, 7, 7), (33, 100, 33)]
        {
            assert_eq!(FailureBudget::Percent(percent).of(tenants), expect, "{percent}% of {tenants}");
        }
        assert_eq!(FailureBudget::Tenants(5).of(3), 5);
        assert_eq!(FailureBudget::Percent(100).of(usize::MAX), usize::MAX / 100);
        assert_eq!(FailureBudget::Percent(10).to_string(), "\"10%\"");
    }
}
