//! Writes the run sheets of the swap and of its rollback, which a person carries out. The provider observes whether the
//! swap was done: the directory's interface shows neither the flow nor the client.

use flowswap_contract::{ApplyReply, Error, ObserveReply, Observed, RunSheet, StepParams, Values};
use serde_json::Value;

use crate::{
    api::{Api, read_time},
    domains,
    plan::ConnectionPayload,
    sheet,
    sync::TOLERANCE,
};

/// The run sheet for the swap. Requires the receipt of the test directly before it.
pub(crate) fn apply(params: &StepParams) -> Result<ApplyReply, Error> {
    let connection: ConnectionPayload = params.payload()?;
    params.input("receipt")?;
    Ok(reply_with(sheet::forward(&connection, params.input("client_id")?, &params.secret_input("client_secret")?)))
}

/// The run sheet for the rollback.
pub(crate) fn undo(params: &StepParams) -> Result<ApplyReply, Error> {
    let connection: ConnectionPayload = params.payload()?;
    Ok(reply_with(sheet::back(&connection)))
}

/// The interface does not show which client the directory uses. If the provider knows when the new client was last in use, the
/// directory must have synchronized since then: the tokens of the legacy client may belong to another directory.
pub(crate) async fn observe(api: &Api<'_>, params: &StepParams) -> Result<ObserveReply, Error> {
    let connection: ConnectionPayload = params.payload()?;
    let Some(left_at) = params.outputs.get("left_at").and_then(Value::as_str) else {
        let detail =
            "the directory's interface shows neither the flow nor the client of a connection; the provider's log does";
        return Ok(reply_observed(Observed::Unknown, detail.to_owned()));
    };
    let left_at = read_time("left_at", left_at)?;
    let all = domains::list(api).await?;
    let Some(shown) = all.iter().find(|directory| directory.name == connection.directory) else {
        return Ok(reply_observed(Observed::Unknown, format!("there is no directory called {}", connection.directory)));
    };
    let name = &shown.name;
    Ok(match shown.last_success {
        Some(at) if at > left_at + TOLERANCE => {
            reply_observed(Observed::NotApplied, format!("{name} synchronized at {at}"))
        }
        Some(at) => reply_observed(
            Observed::Unknown,
            format!("{name} last synchronized at {at}; flowswap waits for a sync after {}", left_at + TOLERANCE),
        ),
        None => reply_observed(Observed::Unknown, format!("{name}: {}", shown.explain_no_sync())),
    })
}

fn reply_observed(state: Observed, detail: String) -> ObserveReply {
    ObserveReply { state, outputs: Values::new(), detail }
}

fn reply_with(sheet: RunSheet) -> ApplyReply {
    ApplyReply { operator: Some(Box::new(sheet)), ..ApplyReply::default() }
}
