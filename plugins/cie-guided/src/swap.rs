//! The swap itself, which a person carries out and takes back: this side writes down what to do. Whether it was done,
//! the provider sees: the directory's interface shows neither flow nor client.

use flowswap_contract::{ApplyReply, Error, ObserveReply, Observed, RunSheet, StepParams, Values};

use crate::{plan::ConnectionPayload, read_payload, sheet};

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

/// Nothing can be seen from here.
pub(crate) fn observe() -> ObserveReply {
    ObserveReply {
        state: Observed::Unknown,
        outputs: Values::new(),
        detail:
            "the directory's interface shows neither the flow nor the client of a connection; the provider's log does"
                .to_owned(),
    }
}

fn reply(sheet: RunSheet) -> ApplyReply {
    ApplyReply { operator: Some(Box::new(sheet)), ..ApplyReply::default() }
}
