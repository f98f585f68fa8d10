//! The swap itself, which a person carries out and takes back: this side writes down what to do. Whether it was done,
//! the provider sees: the directory's interface shows neither flow nor client.

use flowswap_contract::{ApplyReply, Error, ObserveReply, Observed, RunSheet, StepParams, Values};
use serde_json::Value;

use crate::{
    api::{Api, read_time},
    domains,
    plan::ConnectionPayload,
    read_payload, sheet,
    sync::TOLERANCE,
};

/// The run sheet for the swap. Without the receipt of the test right before it there is none.
pub(crate) fn apply(params: &StepParams) -> Result<ApplyReply, Error> {
    let connection: ConnectionPayload = read_payload(params)?;
    params.input("receipt")?;
    Ok(reply(sheet::forward(&connection, params.input("client_id")?, &params.secret_input("client_secret")?)))
}

/// The run sheet for the way back.
pub(crate) fn undo(params: &StepParams) -> Result<ApplyReply, Error> {
    let connection: ConnectionPayload = read_payload(params)?;
    Ok(reply(sheet::back(&connection)))
}

/// As which client the directory is connected cannot be seen from here. Where the provider has seen when the new client was last
/// in use, the directory must have synchronized since: it may be another one that gets tokens as the legacy client.
pub(crate) async fn observe(api: &Api<'_>, params: &StepParams) -> Result<ObserveReply, Error> {
    let connection: ConnectionPayload = read_payload(params)?;
    let Some(left_at) = params.outputs.get("left_at").and_then(Value::as_str) else {
        let detail =
            "the directory's interface shows neither the flow nor the client of a connection; the provider's log does";
        return Ok(seen(Observed::Unknown, detail.to_owned()));
    };
    let left_at = read_time("left_at", left_at)?;
    let all = domains::list(api).await?;
    let Some(shown) = all.iter().find(|directory| directory.name == connection.directory) else {
        return Ok(seen(Observed::Unknown, format!("no directory is called {}", connection.directory)));
    };
    let name = &shown.name;
    Ok(match shown.last_success {
        Some(at) if at > left_at + TOLERANCE => seen(Observed::NotApplied, format!("{name} synchronized at {at}")),
        Some(at) => seen(
            Observed::Unknown,
            format!(
                "{name} synchronized last at {at}, and a sync is wanted that is later than {}",
                left_at + TOLERANCE
            ),
        ),
        None => seen(Observed::Unknown, format!("{name}: {}", shown.explain_no_sync())),
    })
}

fn seen(state: Observed, detail: String) -> ObserveReply {
    ObserveReply { state, outputs: Values::new(), detail }
}

fn reply(sheet: RunSheet) -> ApplyReply {
    ApplyReply { operator: Some(Box::new(sheet)), ..ApplyReply::default() }
}
