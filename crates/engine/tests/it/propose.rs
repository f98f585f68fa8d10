//! The steps that both test plugins propose, in the shape of the real plugins' steps.

use flowswap_contract::{By, Error, Phase, PlanParams, Reversibility, Role, StepProposal};
use serde_json::json;

pub(crate) fn propose(role: Role, params: &PlanParams) -> Result<Vec<StepProposal>, Error> {
    Ok(match role {
        Role::Provider => {
            let variant = if params.app_data { "application-enabled" } else { "plain" };
            let mut provision = step(Phase::Provision, "create the integration", Some("delete the integration"));
            provision.gives = words(&["client_id", "client_secret"]);
            provision.payload = json!({ "variant": variant, "type": "cie" }).into();
            let mut prove = step(Phase::Prove, "get a token as the new client", None);
            prove.needs = words(&["client_id", "client_secret"]);
            let mut confirm = step(Phase::Confirm, "see the grants in the System Log", None);
            confirm.needs = words(&["client_id", "swapped_at"]);
            let retire = step(Phase::Retire, "deactivate the app", Some("activate the app again"));
            let mut purge = step(Phase::Purge, "delete the app", None);
            purge.reversibility = Reversibility::Irreversible;
            // Any order: the engine sorts.
            vec![purge, confirm, provision, retire, prove]
        }
        Role::Directory => {
            let mut test = step(Phase::Test, "test the connection", None);
            test.needs = words(&["client_id", "client_secret"]);
            test.gives = words(&["receipt"]);
            let can_restore = params.directory.can_restore;
            let undo = if can_restore { "restore the connection" } else { "sign in at the directory" };
            let mut swap = step(Phase::Swap, "reconnect the directory", Some(undo));
            swap.needs = words(&["client_id", "client_secret", "receipt"]);
            swap.gives = words(&["swapped_at"]);
            swap.payload = json!({ "domain": params.directory.domain }).into();
            if !can_restore {
                swap.reversibility = Reversibility::Attended;
            }
            let mut steps = vec![step(Phase::Confirm, "see a synchronization", None), test];
            if params.tenant.starts_with("watched") {
                swap.seen_by = Some(Role::Provider);
                swap.reversibility = Reversibility::Attended;
            }
            if params.tenant.starts_with("manual") || params.tenant.starts_with("watched") {
                swap.by = By::Operator;
                steps.push(step(Phase::Baseline, "count the users", None));
            }
            steps.push(swap);
            steps
        }
    })
}

fn step(phase: Phase, title: &str, undo: Option<&str>) -> StepProposal {
    StepProposal {
        seen_by: None,
        confirmed_by: None,
        phase,
        title: title.to_owned(),
        by: By::Plugin,
        reversibility: Reversibility::Unattended,
        undo: undo.map(str::to_owned),
        needs: vec![],
        gives: vec![],
        sends: Some(vec![]),
        queries: vec![],
        payload: json!({}).into(),
    }
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|&word| word.to_owned()).collect()
}
