//! Rotations of the client secret: work of its own that begins when the work before it is done. A rotation that is rolled back gives
//! way to that work again.

use flowswap_contract::{Handle, Phase, Rotation};
use jiff::Timestamp;

use super::{TenantHistory, settled::Settled, work::Work};
use crate::{Direction, PlanPart, TenantState};

impl TenantHistory {
    /// The next rotation of the tenant. `drop` is the id of a client secret that is deleted first.
    pub fn next_rotation(&self, drop: Option<String>) -> Rotation {
        let previous = self.work.as_deref().and_then(Work::kept_client_secret);
        Rotation { number: self.rotations + 1, previous, drop }
    }

    /// The current work, and the work from before the rotation that is under way.
    pub fn works(&self) -> impl Iterator<Item = &Work> {
        self.work.as_deref().into_iter().chain(self.settled.as_ref().map(|settled| &*settled.work))
    }

    /// Whether a rotation can begin: nothing is left to do of the work before it.
    pub fn can_rotate(&self) -> bool {
        self.work.is_none() || matches!(self.state, TenantState::Retired | TenantState::Finalized)
    }

    /// Whether the last rotation was rolled back, so that what was there before it counts again. That is not rolled back any more:
    /// a person who repeats a rollback means the rotation.
    pub fn is_back_from_rotation(&self) -> bool {
        let before = self.work.as_ref().map(|work| work.tenant.rotation.as_ref().map_or(0, |rotation| rotation.number));
        before.is_some_and(|before| before < self.rotations)
    }

    /// Whether the part of a plan is a rotation that has not begun, although there is work.
    pub(crate) fn would_rotate(&self, part: &PlanPart) -> bool {
        let is_other = self.work.as_ref().is_some_and(|work| work.plan != part.plan);
        part.tenant.rotation.is_some() && self.can_rotate() && is_other
    }

    /// Puts the work that is done aside, because a rotation begins. A rotation that ended before has left nothing that a rollback could
    /// need.
    pub(super) fn settle(&mut self) {
        if let Some(work) = self.work.take() {
            let (state, step, swapped_at) = (self.state, self.step.take(), self.swapped_at);
            self.settled = Some(Settled { work, state, step, swapped_at });
            self.swapped_at = None;
        }
    }

    /// Adds that the tenant is completely rolled back. Returns whether the work from before the rotation counts again.
    pub(super) fn restore_settled(&mut self, at: Timestamp) -> bool {
        let Some(Settled { work, state, step, swapped_at }) = self.settled.take() else { return false };
        (self.work, self.step, self.swapped_at) = (Some(work), step, swapped_at);
        (self.former, self.direction) = (None, Direction::Forward);
        self.enter(state, Some("the rotation was rolled back".to_owned()), at);
        true
    }
}

impl Work {
    /// When the client secret of the service client was made.
    pub(super) fn client_secret_made_at(&self) -> Option<Timestamp> {
        let made = self.done.iter().find(|done| self.phase_of(&done.id) == Some(Phase::Provision));
        made.map(|done| done.at)
    }

    /// The client secret that the work made, if it is kept.
    fn kept_client_secret(&self) -> Option<Handle> {
        let made = self.done.iter().filter(|done| self.phase_of(&done.id) == Some(Phase::Provision));
        let mut secrets = made.flat_map(|done| done.outputs.values()).filter_map(Handle::from_value);
        secrets.find(|handle| self.secrets.contains(handle))
    }

    fn phase_of(&self, step: &str) -> Option<Phase> {
        self.tenant.step(step).map(|step| step.proposal.phase)
    }
}
