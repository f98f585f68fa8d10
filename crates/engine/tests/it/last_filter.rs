//! What one side knows to be secret stays out of plans and of the journal, even if the other side has already told it.

use std::sync::Arc;

use flowswap_contract as contract;
use flowswap_engine::{Backend, BackendCall, Goal, plan_tenant};
use futures::future::BoxFuture;
use serde_json::Value;

use crate::{
    environment::start_of_time,
    test_fleet::{TestFleet, tenant},
};

/// A text of plans and of the journal.
const TOLD: &str = "get a token as the new client";

/// A provider that knows this text to be secret, and some words of flowswap: a server may choose them.
struct Knowing(Arc<dyn Backend>);

impl Backend for Knowing {
    fn call<'a>(&'a self, call: BackendCall<'a>) -> BoxFuture<'a, Result<Value, contract::Error>> {
        self.0.call(call)
    }

    fn redact(&self, text: &str) -> Option<String> {
        let words = [TOLD, "provision", "step-started", "verdict", "acme"];
        let clean = words.iter().fold(text.to_owned(), |text, word| text.replace(word, "[redacted]"));
        (clean != text).then_some(clean)
    }
}

#[tokio::test]
async fn a_secret_that_was_already_told_is_not_written() {
    let fleet = TestFleet::new(&["acme"]).await;
    let mut tenant = tenant(&fleet.env, "acme");
    let open = plan_tenant(&tenant, start_of_time()).await.unwrap();
    assert!(to_text(&open).contains(TOLD), "the test looks for the wrong text");
    tenant.provider = Arc::new(Knowing(tenant.provider));
    let planned = plan_tenant(&tenant, start_of_time()).await.unwrap();
    assert!(!to_text(&planned).contains(TOLD) && to_text(&planned).contains("[redacted]"));

    fleet
        .run_changed(Goal::Swapped, |job| job.tenant.provider = Arc::new(Knowing(Arc::clone(&job.tenant.provider))))
        .await;
    let records = to_text(&fleet.env.state().records);
    assert!(!records.contains(TOLD) && records.contains("[redacted]"), "{records}");
}

fn to_text(value: &impl serde::Serialize) -> String {
    serde_json::to_string(value).unwrap()
}
