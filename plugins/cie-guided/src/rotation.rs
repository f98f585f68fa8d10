//! Gives a directory another client secret of the client that it uses. With `directory_id`, flowswap does it through the interface.
//! Without it, a person does it in the console, by a run sheet. Neither shows which secret the directory has afterwards.

use flowswap_contract::{
    ApplyReply, By, Error, Evidence, EvidenceResult, Json, Phase, PlanParams, Reversibility, Role, Rotation,
    SentSecret, StepParams, StepProposal, TestReply,
};
use serde_json::{Value, json};

use crate::{
    api::{Api, read_time},
    config::Config,
    confirm::{check_status, check_syncs, notes, read_notes},
    domains::{self, is_healthy},
    plan::{ConnectionPayload, own, step},
    sheet,
    sync::{SyncState, Syncs},
    update_secret,
};

/// Proposes test, swap, and confirm.
pub(crate) fn propose(params: &PlanParams, rotation: &Rotation, config: &Config) -> Result<Vec<StepProposal>, Error> {
    let directory = &params.directory;
    let name = &directory.name;
    let connection = ConnectionPayload {
        directory: name.clone(),
        domain: directory.domain.clone(),
        console_url: config.console_url.clone(),
        app_data: directory.app_data.unwrap_or(params.app_data),
        previous_app_data: directory.app_data,
        auth_logs: directory.auth_logs,
        previous_client_id: directory.client_id.clone(),
        previous_client_label: None,
    };
    let swap = match &config.directory_id {
        Some(id) => propose_update(id, name, rotation, config)?,
        None => propose_sheet(&connection)?,
    };
    Ok(vec![
        StepProposal {
            needs: own(&["client_id", "client_secret"]),
            gives: own(&["receipt"]),
            ..step(Phase::Test, format!("check that `{name}` is unchanged"), Json::encode(&connection)?)
        },
        swap,
        StepProposal {
            needs: own(&["client_id", "swapped_at"]),
            ..step(
                Phase::Confirm,
                format!("check that `{name}` synchronizes by itself"),
                json!({ "directory": name }).into(),
            )
        },
    ])
}

/// What both ways of handing the secret over have in common.
fn hand_over(title: String, payload: Json) -> StepProposal {
    StepProposal {
        needs: own(&["client_id", "client_secret", "secret_id", "receipt"]),
        gives: own(&["swapped_at"]),
        seen_by: Some(Role::Provider),
        reversibility: Reversibility::Attended,
        ..step(Phase::Swap, title, payload)
    }
}

fn propose_update(id: &str, name: &str, rotation: &Rotation, config: &Config) -> Result<StepProposal, Error> {
    let sent = |input: &str| SentSecret {
        input: input.to_owned(),
        to: config.api_url.clone(),
        at: "/client_secret".to_owned(),
    };
    let payload = json!({ "operation": update_secret::OPERATION, "directory_id": id, "directory": name });
    let swap = hand_over(format!("give `{name}` the new client secret through `update-secret`"), payload.into());
    if rotation.previous.is_none() {
        let undo = format!("a person enters the previous client secret of `{name}` in the console");
        return Ok(StepProposal { sends: Some(vec![sent("client_secret")]), undo: Some(undo), ..swap });
    }
    Ok(StepProposal {
        needs: [swap.needs, own(&[Rotation::PREVIOUS_SECRET])].concat(),
        sends: Some(vec![sent("client_secret"), sent(Rotation::PREVIOUS_SECRET)]),
        reversibility: Reversibility::Unattended,
        undo: Some(format!("give `{name}` the previous client secret again")),
        ..swap
    })
}

fn propose_sheet(connection: &ConnectionPayload) -> Result<StepProposal, Error> {
    let name = &connection.directory;
    let title = format!("enter the new client secret of `{name}` in the console");
    Ok(StepProposal {
        by: By::Operator,
        undo: Some(format!("a person enters the previous client secret of `{name}` in the console")),
        ..hand_over(title, Json::encode(connection)?)
    })
}

/// Hands the new secret over, or writes the run sheet for a person.
pub(crate) async fn apply(api: &Api<'_>, params: &StepParams) -> Result<ApplyReply, Error> {
    if update_secret::is_update(params) {
        let reply = update_secret::apply(api, params, "client_secret").await?;
        let at = api.service_now().map_or(Value::Null, |now| json!(now.to_string()));
        return Ok(ApplyReply { outputs: [("swapped_at".to_owned(), at)].into(), ..reply });
    }
    let connection: ConnectionPayload = params.payload()?;
    let secret = params.secret_input("client_secret")?;
    let sheet = sheet::rotate(&connection, params.input("client_id")?, Some(&secret));
    Ok(ApplyReply { operator: Some(Box::new(sheet)), ..ApplyReply::default() })
}

/// Hands the previous secret over again, or writes the run sheet for a person.
pub(crate) async fn undo(api: &Api<'_>, params: &StepParams) -> Result<ApplyReply, Error> {
    if params.inputs.contains_key(Rotation::PREVIOUS_SECRET) {
        return update_secret::apply(api, params, Rotation::PREVIOUS_SECRET).await;
    }
    let connection: ConnectionPayload = params.payload()?;
    let sheet = sheet::rotate(&connection, params.input("client_id")?, None);
    Ok(ApplyReply { operator: Some(Box::new(sheet)), ..ApplyReply::default() })
}

/// Whether the directory has synchronized by itself since the hand-over. The provider's log shows whether it did so with the new secret.
pub(crate) async fn confirm(api: &Api<'_>, params: &StepParams) -> Result<TestReply, Error> {
    let payload = params.step.proposal.payload.to_value();
    let name = payload["directory"].as_str().unwrap_or_default();
    let swapped_at = read_time("swapped_at", params.input("swapped_at")?)?;
    let all = domains::list(api).await?;
    let shown = domains::find(&all, name)?;
    let syncs = Syncs::new(swapped_at, read_notes(params), shown.last_success);
    let Some(now) = api.service_now() else {
        let detail =
            "the directory service's answer has no readable `Date`, so flowswap cannot tell how old its syncs are";
        let evidence = vec![Evidence::new("sync", EvidenceResult::Inconclusive, detail)];
        return Ok(TestReply { outputs: notes(&syncs.since), evidence, wait_ms: None });
    };
    let state = match (&shown.unreadable, syncs.state(now)) {
        (Some(_), SyncState::Stalled) => SyncState::Waiting,
        (_, state) => state,
    };
    let waits = state == SyncState::Waiting || is_healthy(shown.status.as_deref()) == Some(false);
    let evidence = vec![check_syncs(&syncs, state, shown), check_status(shown)];
    Ok(TestReply { outputs: notes(&syncs.since), evidence, wait_ms: waits.then(|| syncs.wait_for_next(now)) })
}
