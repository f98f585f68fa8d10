//! The initial conditions of the tenants.

use serde::{Deserialize, Serialize};

/// The initial condition of a tenant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scenario {
    /// Authorization-code flow with one active legacy client: ready to migrate.
    Ready,
    /// Client-credential flow with a service client of the right variant; the legacy client is inactive.
    Migrated,
    /// Client-credential flow, application data collected, but the service client is of the plain variant.
    WrongVariant,
    /// Client-credential flow with the legacy web app's client id, which Okta refuses.
    LegacyIdReused,
    /// The org does not know the directory's client id.
    Unknown,
    /// Authorization-code flow, but the legacy client is inactive.
    LegacyInactive,
}

/// The smallest fleet in which some tenants are not ready.
const MIXED_FROM: usize = 8;
/// A fleet has one set of tenants that are not ready for each of this many tenants.
const SET_SIZE: usize = 50;

/// The conditions of a fleet, spread evenly. The first tenant is always ready.
pub(crate) fn assign(tenants: usize) -> Vec<Scenario> {
    use Scenario::{LegacyIdReused, LegacyInactive, Migrated, Unknown, WrongVariant};
    let mut fleet = vec![Scenario::Ready; tenants];
    let kinds: &[Scenario] = match tenants {
        0..MIXED_FROM => return fleet,
        MIXED_FROM..12 => &[Migrated, WrongVariant, LegacyIdReused, Unknown],
        _ => &[Migrated, WrongVariant, LegacyIdReused, Unknown, LegacyInactive],
    };
    let count = kinds.len() * (tenants / SET_SIZE).max(1);
    for (number, kind) in kinds.iter().cycle().take(count).enumerate() {
        // Divide the tenants after the first into `count` equal parts, and take the middle of part `number`.
        let position = 1 + (2 * number + 1) * (tenants - 1) / (2 * count);
        fleet[position] = *kind;
    }
    fleet
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fleets_have_the_documented_mix() {
        let count = |tenants: usize, wanted: Scenario| assign(tenants).iter().filter(|kind| **kind == wanted).count();
        for (tenants, ready) in [(0, 0), (1, 1), (7, 7), (8, 4), (12, 7), (13, 8), (200, 180), (1000, 900)] {
            assert_eq!(count(tenants, Scenario::Ready), ready, "{tenants}");
        }
        assert_eq!((count(8, Scenario::LegacyInactive), count(12, Scenario::LegacyInactive)), (0, 1));
        assert_eq!(assign(12)[0], Scenario::Ready);
    }
}
