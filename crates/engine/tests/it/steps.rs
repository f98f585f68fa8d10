//! What each step does to a [`World`](crate::world::World): applied, half applied, undone, observed, tested.

use flowswap_contract::{Error, ErrorKind, Evidence, EvidenceResult, Flow, Observed, StepParams, TestReply, Values};
use flowswap_engine::RunId;
use serde_json::{Value, json};

use crate::{
    backend::Done,
    environment::State,
    world::{Client, LEGACY_CLIENT, Legacy, Receipt, World},
};

pub(crate) fn apply(
    state: &mut State,
    tenant: &str,
    run: RunId,
    params: &StepParams,
    half: bool,
) -> Result<Done, Error> {
    match params.step.id.as_str() {
        "provision" => provision(state, tenant, params, half),
        "swap" => swap(state, tenant, run, params, half),
        "retire" => change_legacy(state, tenant, Legacy::Inactive, half),
        "purge" => {
            if state.world(tenant).legacy == Legacy::Active {
                state.violations.push(format!("{tenant}: an active app would be deleted"));
                return Err(Error::new(ErrorKind::Conflict, "an active app cannot be deleted"));
            }
            change_legacy(state, tenant, Legacy::Gone, half)
        }
        other => panic!("`{other}` was applied"),
    }
}

fn provision(state: &mut State, tenant: &str, params: &StepParams, half: bool) -> Result<Done, Error> {
    state.serial += 1;
    let secret = format!("s3cret-{}", state.serial);
    let made_by = made_by(tenant, params);
    let adopted = params.outputs.get("client_id").and_then(Value::as_str).map(str::to_owned);
    if adopted.is_none() && !params.outputs.is_empty() {
        return Err(Error::new(ErrorKind::Internal, "a secret is stored, but its client is not known"));
    }
    let id = match adopted {
        Some(id) => {
            let world = state.world(tenant);
            let client = world.clients.get_mut(&id);
            let client = client.ok_or_else(|| Error::new(ErrorKind::NotFound, format!("there is no client {id}")))?;
            // Removes the lost secrets. A half-done step keeps them beside the new one.
            if !half {
                client.secrets.clear();
            }
            client.secrets.push(secret.clone());
            id
        }
        None => {
            let world = state.world(tenant);
            let id = format!("svc-{}", world.clients.len() + 1);
            if !world.made_by(&made_by).is_empty() {
                state.violations.push(format!("{tenant}: the client was created twice"));
            }
            let secrets = if half { vec![] } else { vec![secret.clone()] };
            state.world(tenant).clients.insert(id.clone(), Client { made_by, secrets });
            id
        }
    };
    Ok(Done { outputs: [("client_id".to_owned(), json!(id))].into(), secret: (!half).then_some(secret) })
}

fn swap(state: &mut State, tenant: &str, run: RunId, params: &StepParams, half: bool) -> Result<Done, Error> {
    let (client, secret) = credentials(state, params)?;
    let world = state.world(tenant);
    if !world.connection.changing {
        let receipt = world.receipts.get(params.input("receipt")?);
        if receipt != Some(&Receipt { run, client: client.clone(), secret }) {
            let message = "submitting needs a passed test of the same credentials in the same run";
            state.violations.push(format!("{tenant}: {message}"));
            return Err(Error::new(ErrorKind::Conflict, message));
        }
    }
    world.connect(Flow::ClientCredentials, &client);
    world.connection.changing = half;
    if !half {
        world.receipts.clear();
    }
    Ok(Done { outputs: swapped_at(), secret: None })
}

fn change_legacy(state: &mut State, tenant: &str, wanted: Legacy, half: bool) -> Result<Done, Error> {
    let world = state.world(tenant);
    if world.legacy == Legacy::Gone && wanted != Legacy::Gone {
        return Err(Error::new(ErrorKind::NotFound, "the app does not exist any more"));
    }
    world.legacy = if half { Legacy::Changing } else { wanted };
    if world.connection.flow == Flow::AuthorizationCode && wanted != Legacy::Active {
        state.violations.push(format!("{tenant}: the legacy client was retired while the directory uses it"));
    }
    Ok(Done::default())
}

pub(crate) fn undo(state: &mut State, tenant: &str, params: &StepParams, half: bool) -> Result<Done, Error> {
    let world = state.world(tenant);
    match params.step.id.as_str() {
        "provision" => {
            let id = params.outputs.get("client_id").and_then(Value::as_str);
            let id = id.ok_or_else(|| Error::new(ErrorKind::Internal, "the client that the step made is not known"))?;
            if world.connection.flow == Flow::ClientCredentials {
                state.violations.push(format!("{tenant}: the client was deleted while the directory uses it"));
            } else if half {
                world.clients.get_mut(id).unwrap().secrets.clear();
            } else {
                world.clients.remove(id);
            }
            Ok(Done::default())
        }
        "swap" => {
            if !world.can_restore {
                state.violations.push(format!("{tenant}: only a person can roll the swap back"));
                return Err(Error::new(ErrorKind::Unsupported, "only a person can roll this back"));
            }
            world.connect(Flow::AuthorizationCode, LEGACY_CLIENT);
            world.connection.changing = half;
            if world.legacy != Legacy::Active {
                state.violations.push(format!("{tenant}: the directory was given a legacy client that is not active"));
            }
            Ok(Done::default())
        }
        "retire" => change_legacy(state, tenant, Legacy::Active, half),
        other => panic!("`{other}` was rolled back"),
    }
}

pub(crate) fn observe(world: &World, tenant: &str, params: &StepParams) -> (Observed, Values) {
    let id = params.step.id.as_str();
    if id != "provision" {
        let state = world.stands(id);
        let outputs = if id == "swap" && state == Observed::Applied { swapped_at() } else { Values::new() };
        return (state, outputs);
    }
    let outputs = |id: &str| Values::from([("client_id".to_owned(), json!(id))]);
    // As with a real provider, a stored secret cannot be compared with the live one.
    match world.made_by(&made_by(tenant, params)).as_slice() {
        [] => (Observed::NotApplied, Values::new()),
        [id] if params.outputs.contains_key("client_secret") => {
            (Observed::Applied, outputs(id).into_iter().chain(params.outputs.clone()).collect())
        }
        [id] => (Observed::Partial, outputs(id)),
        _ => (Observed::Unknown, Values::new()),
    }
}

pub(crate) fn test(state: &mut State, tenant: &str, run: RunId, params: &StepParams) -> TestReply {
    let credentials = credentials(state, params);
    state.serial += 1;
    let receipt = format!("receipt-{}", state.serial);
    let world = state.world(tenant);
    let live = credentials
        .as_ref()
        .is_ok_and(|(client, secret)| world.clients.get(client).is_some_and(|client| client.secrets.contains(secret)));
    let (result, outputs) = match params.step.id.as_str() {
        "prove" => (of(live), Values::new()),
        "test" if live => {
            let (client, secret) = credentials.unwrap();
            world.receipts.insert(receipt.clone(), Receipt { run, client, secret });
            (EvidenceResult::Pass, [("receipt".to_owned(), json!(receipt))].into())
        }
        "test" => (EvidenceResult::Fail, Values::new()),
        "baseline-directory" => {
            if world.connection.flow == Flow::ClientCredentials {
                state.violations.push(format!("{tenant}: a baseline was taken after the swap"));
            }
            (EvidenceResult::Pass, Values::new())
        }
        _ if world.broken || !world.is_working() || world.connection.flow != Flow::ClientCredentials => {
            (EvidenceResult::Fail, Values::new())
        }
        "confirm-directory" if world.slow_confirmations > 0 => {
            world.slow_confirmations -= 1;
            (EvidenceResult::Inconclusive, Values::new())
        }
        _ => (EvidenceResult::Pass, Values::new()),
    };
    if state.world(tenant).silent == Some(params.step.id.as_str()) {
        return TestReply { outputs, ..TestReply::default() };
    }
    let check = params.step.id.clone();
    let detail = format!("{result:?}").to_lowercase();
    TestReply { outputs, evidence: vec![Evidence::new(&check, result, detail)], ..TestReply::default() }
}

fn of(passed: bool) -> EvidenceResult {
    if passed { EvidenceResult::Pass } else { EvidenceResult::Fail }
}

/// The client and the value of its secret from the secret store, as the host would insert it.
fn credentials(state: &State, params: &StepParams) -> Result<(String, String), Error> {
    let client = params.input("client_id")?.to_owned();
    let handle = params.secret_input("client_secret")?;
    let secret = state.secrets.get(&handle);
    let secret = secret.ok_or_else(|| Error::new(ErrorKind::Internal, "the secret is not in the secret store"))?;
    Ok((client, secret.clone()))
}

fn made_by(tenant: &str, params: &StepParams) -> String {
    format!("{tenant}/{}", params.step.id)
}

fn swapped_at() -> Values {
    [("swapped_at".to_owned(), json!("2026-01-01T00:00:00Z"))].into()
}
