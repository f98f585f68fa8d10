//! Clocks that disagree. No proof compares this machine's clock with another one; what a proof compares are times of the two
//! sides, which must agree well enough for that.

use flowswap_contract::Role;
use jiff::{SignedDuration, Timestamp};

use crate::Tenant;

/// How far the clocks of both sides may be apart, for what a proof compares, and the plan's from this machine's.
const TOLERANCE: SignedDuration = SignedDuration::from_mins(5);

/// Says that a plan was made in the future, if it was.
pub(super) fn lead(made_at: Timestamp, now: Timestamp) -> Option<String> {
    let ahead = SignedDuration::from_secs(made_at.duration_since(now).as_secs());
    (ahead > TOLERANCE).then(|| {
        format!(
            "the plan was made at {made_at}, which is {ahead:#} ahead of this machine's clock: set the clock right, or plan again"
        )
    })
}

/// Says that the clocks of both sides are too far apart, if they are as far as their answers show it. In the place of a side that
/// shows no clock this machine's stands; where neither shows one there is nothing to compare.
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
            "the clocks of both sides are {apart:#} apart, and the proof needs them to agree within {TOLERANCE:#}: {one} is {} and \
             {other} is {} this machine's",
            beside(*skew),
            beside(*other_skew)
        )
    })
}

fn apart(one: SignedDuration, other: SignedDuration) -> SignedDuration {
    one.saturating_sub(other).abs()
}

/// How a clock stands to this machine's.
fn beside(skew: SignedDuration) -> String {
    match skew.signum() {
        0 => "equal to".to_owned(),
        1 => format!("{skew:#} ahead of"),
        _ => format!("{:#} behind", skew.abs()),
    }
}
