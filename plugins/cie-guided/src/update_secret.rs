//! Replaces the client secret of a connection that uses the client-credential flow already: the one change that the
//! interface can make by itself.

use flowswap_contract::{ApplyReply, Body, Error, ErrorKind, Evidence, EvidenceResult, Intent, StepParams};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{api::Api, read_payload};

/// The word that stands as `operation` in the payload of such a step.
const OPERATION: &str = "update-secret";
const RULE: &str = "secret-not-updated";

#[derive(Deserialize)]
struct UpdatePayload {
    directory_id: String,
}

/// Whether the step is one of these, and not a swap by a person.
pub(crate) fn is_meant(params: &StepParams) -> bool {
    params.step.proposal.payload["operation"] == OPERATION
}

/// Sends the new secret. To send it twice does no harm.
pub(crate) async fn apply(api: &Api<'_>, params: &StepParams) -> Result<ApplyReply, Error> {
    let payload: UpdatePayload = read_payload(params)?;
    let mut ask = api.ask(Intent::Mutate, "POST", "connection/update-secret");
    ask.idempotent = true;
    ask.body = Some(Body::Json(json!({
        "directoryId": payload.directory_id,
        "provider": "okta",
        "client_secret": params.secret_input("client_secret")?.to_value(),
    })));
    let result = api.send("replace the client secret", ask).await.map_err(of_rule)?;
    if result != Value::Bool(true) {
        // Whatever it is, it is not the answer that is documented for success.
        let message = "the directory service answered 200 and does not say that the client secret was replaced";
        return Err(of_rule(Error::new(ErrorKind::Invalid, message).with_unknown_effect()));
    }
    let detail = format!("the directory service replaced the client secret of {}", payload.directory_id);
    let evidence = vec![Evidence::new(OPERATION, EvidenceResult::Pass, detail)];
    Ok(ApplyReply { evidence, ..ApplyReply::default() })
}

fn of_rule(error: Error) -> Error {
    let hint = match (error.hint.clone(), error.kind) {
        (Some(hint), _) => hint,
        (None, ErrorKind::NotFound) => "look at `directory_id`, and at `tsg_id`".to_owned(),
        (None, _) => format!("keep the old secret until this has worked; see `flowswap explain {RULE}`"),
    };
    error.with_context("rule", RULE).with_hint(hint)
}
