//! Gives a directory another client secret of the client that it uses: tests the secret, and reconnects the directory with it. Repeating
//! that does no harm. The interface does not show which secret a directory has, so the provider observes it.

use flowswap_contract::{
    ApplyReply, Error, ErrorKind, EvidenceResult, Flow, Intent, Json, Phase, PlanParams, Reversibility, Role, Rotation,
    SentSecret, StepParams, StepProposal,
};

use crate::{
    api::Api,
    config::Config,
    detect,
    plan::{ConfirmPayload, ConnectionPayload, own, sent_as, step},
    swap::{date_swap, refuse_another_directory},
    template::{Bindings, Variable},
    test_connection::{self, Receipt, bind, request_test},
};

/// Proposes test, swap, and confirm.
pub(crate) fn propose(params: &PlanParams, rotation: &Rotation, config: &Config) -> Result<Vec<StepProposal>, Error> {
    let directory = &params.directory;
    let connection = ConnectionPayload {
        id: directory.id.clone(),
        name: directory.name.clone(),
        domain: directory.domain.clone(),
        app_data: directory.app_data.unwrap_or(params.app_data),
        previous_flow: Flow::ClientCredentials,
        previous_client_id: directory.client_id.clone(),
    };
    let (name, app_data) = (&directory.name, connection.app_data);
    let confirm = ConfirmPayload { id: directory.id.clone(), app_data, baseline: None, was_healthy: None };
    let query = test_connection::query(config, &connection)?;
    let connection = Json::encode(&connection)?;
    // A submission that is repeated takes another test, because a receipt may serve only once.
    let sent = |input: &str| [&config.test.operation, &config.submit].map(|to| sent_as(input, config, to)).concat();
    let mut swap = StepProposal {
        needs: own(&["client_id", "client_secret", "secret_id", "receipt"]),
        gives: own(&["swapped_at"]),
        seen_by: Some(Role::Provider),
        sends: Some(distinct(sent("client_secret"))),
        queries: query.clone().into_iter().collect(),
        reversibility: Reversibility::Attended,
        undo: Some(format!("a person reconnects `{name}` in the console with the previous client secret")),
        ..step(Phase::Swap, format!("reconnect `{name}` with the new client secret"), connection.clone())
    };
    if rotation.previous.is_some() {
        swap.needs.extend(own(&[Rotation::PREVIOUS_SECRET]));
        swap.sends.get_or_insert_default().extend(distinct(sent(Rotation::PREVIOUS_SECRET)));
        swap.reversibility = Reversibility::Unattended;
        swap.undo = Some(format!("test the previous client secret, and reconnect `{name}` with it"));
    }
    Ok(vec![
        StepProposal {
            gives: own(&["receipt", "baseline"]),
            sends: Some(sent_as("client_secret", config, &config.test.operation)),
            queries: query.into_iter().collect(),
            ..step(Phase::Test, format!("test the connection of `{name}` with the new client secret"), connection)
        },
        swap,
        StepProposal {
            needs: own(&["client_id", "swapped_at", "baseline"]),
            ..step(
                Phase::Confirm,
                format!("check that `{name}` synchronizes and that nothing is missing"),
                Json::encode(&confirm)?,
            )
        },
    ])
}

/// Reconnects the directory with the new secret. If an earlier attempt may have arrived, the directory tests the secret again.
pub(crate) async fn apply(api: &Api<'_>, params: &StepParams) -> Result<ApplyReply, Error> {
    let receipt = Receipt::of_passed_test(params)?;
    let is_repeated = params.outputs.contains_key("swapped_at");
    reconnect(api, params, "client_secret", Some(receipt).filter(|_| !is_repeated)).await
}

/// Two operations often have the secret at the same place.
fn distinct(places: Vec<SentSecret>) -> Vec<SentSecret> {
    places.into_iter().fold(Vec::new(), |mut kept, place| {
        if !kept.contains(&place) {
            kept.push(place);
        }
        kept
    })
}

/// Reconnects the directory with the previous secret, which the directory tests first.
pub(crate) async fn undo(api: &Api<'_>, params: &StepParams) -> Result<ApplyReply, Error> {
    if !params.inputs.contains_key(Rotation::PREVIOUS_SECRET) {
        return Err(Error::new(ErrorKind::Unsupported, "flowswap does not keep the previous client secret"));
    }
    let reply = reconnect(api, params, Rotation::PREVIOUS_SECRET, None).await?;
    Ok(ApplyReply { outputs: Default::default(), ..reply })
}

async fn reconnect(
    api: &Api<'_>,
    params: &StepParams,
    secret: &str,
    receipt: Option<Receipt>,
) -> Result<ApplyReply, Error> {
    let connection: ConnectionPayload = params.payload()?;
    let client = params.input("client_id")?;
    let (shown, _) = detect::read(api, &connection.id).await?;
    refuse_another_directory(&shown, &connection)?;
    let uses_another = shown.client_id.as_deref().is_some_and(|shown| shown != client);
    if uses_another || shown.flow.is_some_and(|flow| flow != Flow::ClientCredentials) {
        let message = format!("the directory no longer uses the client {client}");
        return Err(
            Error::new(ErrorKind::Conflict, message).with_hint("run `flowswap detect`, and find out who changed it")
        );
    }
    let bindings: Bindings = bind(api.config, &connection)
        .bind(Variable::ClientId, client)
        .bind(Variable::ClientSecret, params.secret_input(secret)?.to_value());
    let receipt = match receipt {
        Some(receipt) => receipt,
        None => {
            let (receipt, evidence) = request_test(api, &bindings).await?;
            receipt.ok_or_else(|| Error::new(ErrorKind::Conflict, evidence.detail))?
        }
    };
    let bindings = bindings.bind(Variable::Receipt, receipt.into_value());
    let what = "submit the client secret";
    let answer = api.send(what, Intent::Mutate, &api.config.submit, &bindings).await?;
    let evidence = api.evidence("submit", EvidenceResult::Pass, "the directory accepted the client secret", &answer);
    Ok(ApplyReply { outputs: date_swap(&shown, &answer), evidence: vec![evidence], ..ApplyReply::default() })
}
