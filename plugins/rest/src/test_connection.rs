//! Lets the directory test the new credentials. Only a passed test yields a [`Receipt`], and nothing can be submitted
//! without a receipt.

use flowswap_contract::{Error, ErrorKind, Evidence, EvidenceResult, Flow, Intent, StepParams, TestReply};
use serde_json::{Value, json};

use crate::{
    api::Api,
    config::Config,
    detect,
    plan::{Baseline, ConnectionPayload},
    template::{Bindings, Variable},
};

/// Shows that the directory accepted these credentials in a test.
pub(crate) struct Receipt(Value);

impl Receipt {
    /// The receipt that a passed test left for the later steps.
    pub(crate) fn of_passed_test(params: &StepParams) -> Result<Self, Error> {
        let value = params.inputs.get("receipt").filter(|value| !value.is_null()).cloned();
        value.map(Self).ok_or_else(|| {
            let message = format!("step `{}` has no receipt of a passed connection test", params.step.id);
            Error::new(ErrorKind::Protocol, message)
        })
    }

    pub(crate) fn into_value(self) -> Value {
        self.0
    }
}

/// Tests the connection; a failed test is evidence, not an error.
pub(crate) async fn test(api: &Api<'_>, params: &StepParams) -> Result<TestReply, Error> {
    let connection: ConnectionPayload = params.payload()?;
    let bindings = bind_credentials(api, params, &connection)?;
    // What the swap must not lose is read shortly before it, because the plan may be days old.
    let (shown, _) = detect::read(api, &connection.id).await?;
    let before = detect::describe(shown, api.config)?;
    let (receipt, evidence) = request_test(api, &bindings).await?;
    let Some(receipt) = receipt else { return Ok(TestReply { evidence: vec![evidence], ..TestReply::default() }) };
    let baseline = Baseline { counts: before.counts, was_healthy: before.healthy };
    let outputs = [("receipt".to_owned(), receipt.into_value()), ("baseline".to_owned(), json!(baseline))];
    Ok(TestReply { outputs: outputs.into(), evidence: vec![evidence], ..TestReply::default() })
}

/// Lets the directory test these credentials. Returns the receipt if the test passed, and the evidence.
pub(crate) async fn request_test(api: &Api<'_>, bindings: &Bindings) -> Result<(Option<Receipt>, Evidence), Error> {
    let test = &api.config.test;
    // A test changes nothing in the directory, so it may be sent twice. Interfaces use POST for it.
    let mut ask = api.prepare(Intent::Read, &test.operation, bindings)?;
    ask.query = ask.method == "POST";
    ask.idempotent = true;
    let answer = api.send_ask("test the connection", ask).await?;
    if answer.body.pointer(&test.passed_pointer) != Some(&test.passed_equals) {
        let reason = test.reason.as_deref().and_then(|pointer| answer.body.pointer(pointer)).and_then(Value::as_str);
        let detail = format!("the directory's test failed: {}", reason.unwrap_or("it gave no reason"));
        return Ok((None, api.evidence("test-connection", EvidenceResult::Fail, detail, &answer)));
    }
    let receipt = match &test.receipt {
        // For an interface without receipts, the time of the passed test is the receipt.
        None => json!(format!("passed {}", api.host.now())),
        Some(pointer) => answer.body.pointer(pointer).filter(|value| !value.is_null()).cloned().ok_or_else(|| {
            let message = format!("`test.receipt`: the answer to a passed test has nothing at {pointer}");
            Error::new(ErrorKind::Invalid, message).with_context("key", "test.receipt")
        })?,
    };
    let evidence = api.evidence("test-connection", EvidenceResult::Pass, "the directory's own test passed", &answer);
    Ok((Some(Receipt(receipt)), evidence))
}

/// The URL that takes the test as a query, if it is one. It does not depend on the new client, which a plan does not know yet.
pub(crate) fn query(config: &Config, connection: &ConnectionPayload) -> Result<Option<String>, Error> {
    let operation = &config.test.operation;
    let url = || operation.url(config, &bind(config, connection));
    (operation.method == "POST").then(url).transpose()
}

/// The variables that `test` and `submit` share.
pub(crate) fn bind_credentials(
    api: &Api<'_>,
    params: &StepParams,
    connection: &ConnectionPayload,
) -> Result<Bindings, Error> {
    Ok(bind(api.config, connection)
        .bind(Variable::ClientId, params.input("client_id")?)
        .bind(Variable::ClientSecret, params.secret_input("client_secret")?.to_value()))
}

/// Those that are known before the new client.
pub(crate) fn bind(config: &Config, connection: &ConnectionPayload) -> Bindings {
    Bindings::default()
        .bind(Variable::Id, connection.id.as_str())
        .bind(Variable::Name, connection.name.as_str())
        .bind(Variable::Domain, connection.domain.as_str())
        .bind(Variable::Flow, config.word_for(Flow::ClientCredentials).unwrap_or_default())
        .bind(Variable::AppData, connection.app_data)
}
