//! Detects clocks that disagree. Confirmations never compare this machine's clock with another clock. They do compare times of
//! both sides, so the clocks of both sides must agree well enough.

use flowswap_contract::Role;
use jiff::{SignedDuration, Timestamp};

use crate::Tenant;

/// How far apart the clocks of both sides may be, and how far a plan's time may be ahead of this machine's clock.
const TOLERANCE: SignedDuration = SignedDuration::from_mins(5);

/// Says that a plan was made in the future, if it was. Then one of two clocks is wrong.
pub(super) fn from_the_future(made_at: Timestamp, now: Timestamp) -> Option<String> {
    let ahead = SignedDuration::from_secs(made_at.duration_since(now).as_secs());
    (ahead > TOLERANCE).then(|| {
        format!(
            "the plan was made at {made_at}, which is {ahead:#} ahead of this machine's clock: correct the clock, or plan again"
        )
    })
}

/// Says that the clocks of both sides are too far apart, if their answers show it. This machine's clock stands in for a side
/// that shows no clock. If neither side shows one, there is nothing to compare.
pub(super) fn disagreement(tenant: &Tenant) -> Option<String> {
    let (mut provider, mut directory) =
        (tenant.backend(Role::Provider).skews(), tenant.backend(Role::Directory).skews());
    for (role, side) in [(Role::Provider, &mut provider), (Role::Directory, &mut directory)] {
        if side.is_empty() {
            side.insert(format!("the {role} (which shows no clock)"), SignedDuration::ZERO);
        }
    }
    let pairs = provider.iter().flat_map(|one| directory.iter().map(move |other| (one, other)));
    let ((one, skew), (other, other_skew)) = pairs.max_by_key(|((_, a), (_, b))| apart(**a, **b))?;
    let apart = apart(*skew, *other_skew);
    (apart > TOLERANCE).then(|| {
        format!(
            "the clocks of both sides are {apart:#} apart, but must agree within {TOLERANCE:#}. Compared with this machine, {one} \
             is {}, and {other} is {}",
            relative_to_local(*skew),
            relative_to_local(*other_skew)
        )
    })
}

fn apart(one: SignedDuration, other: SignedDuration) -> SignedDuration {
    one.saturating_sub(other).abs()
}

/// How a clock relates to this machine's clock.
fn relative_to_local(skew: SignedDuration) -> String {
    match skew.signum() {
        0 => "equal".to_owned(),
        1 => format!("{skew:#} ahead"),
        _ => format!("{:#} behind", skew.abs()),
    }
}
