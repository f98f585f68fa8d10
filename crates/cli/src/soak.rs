//! How long a tenant is swapped before its legacy client may be retired.

use std::fmt;

use flowswap_config::Config;
use flowswap_engine::{Overview, TenantState};
use jiff::{SignedDuration, Timestamp};

/// The time that the configuration asks for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Soak(SignedDuration);

impl Soak {
    pub(crate) fn of(config: &Config) -> Self {
        Self(SignedDuration::try_from(config.run.soak).unwrap_or(SignedDuration::MAX))
    }

    /// When the tenant may be finalized, if that is not now. For one that is not swapped, the time begins now at the earliest.
    /// `None` also for a tenant whose legacy client is retired already.
    pub(crate) fn left(self, tenant: &Overview, now: Timestamp) -> Option<Timestamp> {
        if matches!(tenant.state, TenantState::Retired | TenantState::Finalized) {
            return None;
        }
        let ends = tenant.swapped_at.unwrap_or(now).saturating_add(self.0).unwrap_or(Timestamp::MAX);
        (ends > now).then_some(ends)
    }
}

impl fmt::Display for Soak {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_counts_from_the_swap() {
        let at = |hours| Timestamp::UNIX_EPOCH + SignedDuration::from_hours(hours);
        let tenant = |state, swapped_at| Overview { state, swapped_at, ..Overview::unplanned(at(0)) };
        let soak = Soak(SignedDuration::from_hours(48));
        let swapped = tenant(TenantState::Swapped, Some(at(10)));
        assert_eq!(soak.left(&swapped, at(10)), Some(at(58)));
        assert_eq!(soak.left(&swapped, at(57)), Some(at(58)));
        assert_eq!(soak.left(&swapped, at(58)), None);
        // A run that retires it and failed in between does not restart the time.
        assert_eq!(soak.left(&tenant(TenantState::Failed, Some(at(10))), at(20)), Some(at(58)));
        assert_eq!(soak.left(&tenant(TenantState::Retired, Some(at(10))), at(20)), None);
        // A run that would see the swap and retire at once must not.
        assert_eq!(soak.left(&tenant(TenantState::Soaking, None), at(20)), Some(at(68)));
        assert_eq!(Soak(SignedDuration::ZERO).left(&tenant(TenantState::Soaking, None), at(20)), None);
        assert_eq!(Soak(SignedDuration::ZERO).left(&swapped, at(10)), None);
        assert_eq!(soak.to_string(), "48h");
    }
}
