//! The order of the steps that the plugins propose, and of their rollback.

use flowswap_contract::{Phase, Role, Rotation, Step, StepProposal};

use super::StepRollback;

/// Orders the steps by phase, and within a phase as proposed. The directory comes first, so that the provider can see what the
/// directory's check caused. A baseline that needs nothing comes before everything else, so that nothing has been made if it
/// fails. Each rotation of a tenant has step ids of its own, because the secrets of a step are kept under its id.
pub(crate) fn order(mut proposals: Vec<(Role, StepProposal)>, rotation: Option<&Rotation>) -> Vec<Step> {
    proposals.sort_by_key(|(role, proposal)| (!is_first(proposal), proposal.phase, *role == Role::Provider));
    let mut steps: Vec<Step> = Vec::new();
    for (role, proposal) in proposals {
        let id = match proposal.phase {
            Phase::Baseline | Phase::Confirm => format!("{}-{role}", proposal.phase),
            // The directory's test comes right before the submission of the credentials. The provider only notes its time.
            Phase::Test if role == Role::Provider => format!("{}-{role}", proposal.phase),
            phase => phase.to_string(),
        };
        let id = rotation.map_or(id.clone(), |rotation| format!("{ROTATION}{}-{id}", rotation.number));
        steps.push(Step { id, role, proposal });
    }
    steps
}

/// How the ids of a rotation's steps begin. Journals have them, so this must not change.
const ROTATION: &str = "rotation-";

/// Whether a step of this id belongs to a rotation.
pub fn is_step_of_rotation(id: &str) -> bool {
    id.starts_with(ROTATION)
}

/// Whether a step can come before the service client exists.
pub(super) fn is_first(proposal: &StepProposal) -> bool {
    proposal.phase == Phase::Baseline && proposal.needs.is_empty()
}

/// The action of an irreversible step in a plan file. It must not change: `lint` compares it with the plans of earlier versions.
/// Reports have words of their own.
pub const NO_ROLLBACK: &str = "there is no way back from this step";

/// The rollback of the steps: every step that changes something, last first.
pub(crate) fn way_back(steps: &[Step]) -> Vec<StepRollback> {
    let changing = steps.iter().rev().filter(|step| !step.proposal.phase.is_check());
    changing
        .map(|step| StepRollback {
            step: step.id.clone(),
            action: step.proposal.undo.clone().unwrap_or_else(|| NO_ROLLBACK.to_owned()),
            reversibility: step.proposal.reversibility,
        })
        .collect()
}
