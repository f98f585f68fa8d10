//! What a rotation leaves as it is while it goes on.

use std::sync::Arc;

use jiff::Timestamp;

use super::work::Work;
use crate::TenantState;

/// The work that was done when a rotation began.
#[derive(Debug, Clone)]
pub struct Settled {
    /// The work.
    pub work: Arc<Work>,
    /// The state of the tenant.
    pub state: TenantState,
    /// Its last step.
    pub(super) step: Option<String>,
    /// Since when its swap is done and confirmed.
    pub(super) swapped_at: Option<Timestamp>,
}
