//! Replaces the client secret of a connection that already uses the client-credential flow. This is the only change to a
//! connection that the interface offers.

use flowswap_contract::{ApplyReply, Body, Error, ErrorKind, Evidence, EvidenceResult, Intent, StepParams};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::api::Api;

/// The value of `operation` in the payload of such a step.
pub(crate) const OPERATION: &str = "update-secret";
const RULE: &str = "secret-not-updated";

#[derive(Deserialize)]
struct UpdatePayload {
    directory_id: String,
}

/// Whether the step replaces a secret and is not a swap by a person.
pub(crate) fn is_update(params: &StepParams) -> bool {
    params.step.proposal.payload.to_value()["operation"] == OPERATION
}

/// Sends the secret with this name among the step's inputs. Sending it twice does no harm.
pub(crate) async fn apply(api: &Api<'_>, params: &StepParams, secret: &str) -> Result<ApplyReply, Error> {
    let payload: UpdatePayload = params.payload()?;
    let mut ask = api.ask(Intent::Mutate, "POST", "connection/update-secret");
    ask.idempotent = true;
    ask.body = Some(Body::Json(json!({
        "directoryId": payload.directory_id,
        "provider": "okta",
        "client_secret": params.secret_input(secret)?.to_value(),
    })));
    let result = api.send("replace the client secret", ask).await.map_err(of_rule)?;
    if result != Value::Bool(true) {
        // The documentation gives `true` for success and nothing else.
        let message = "the directory service answered 200, but does not say that it replaced the client secret";
        return Err(of_rule(Error::new(ErrorKind::Invalid, message).with_unknown_effect()));
    }
    let detail = format!("the directory service replaced the client secret of {}", payload.directory_id);
    let evidence = vec![Evidence::new(OPERATION, EvidenceResult::Pass, detail)];
    Ok(ApplyReply { evidence, ..ApplyReply::default() })
}

fn of_rule(error: Error) -> Error {
    let hint = match (error.hint.clone(), error.kind) {
        (Some(hint), _) => hint,
        (None, ErrorKind::NotFound) => "check `directory_id` and `tsg_id`".to_owned(),
        (None, _) => format!("keep the old secret until this works; see `flowswap explain {RULE}`"),
    };
    error.with_context("rule", RULE).with_hint(hint)
}
