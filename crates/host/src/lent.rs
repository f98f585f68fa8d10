//! What the plan lends to a call: the stored secrets among the inputs and the outputs of its step, the places where they may
//! stand, and the URLs that take queries. What a plugin writes into a payload or into anything else of its own lends it nothing.

use std::collections::BTreeMap;

use flowswap_contract::{Handle, Json, Op, SentSecret};
use flowswap_engine::Secret;
use serde::Deserialize;
use serde_json::Value;
use tokio::sync::OnceCell;

use crate::{origin::parse, places::Named};

/// The keys of a step that name places. Only steps that were planned before plans named places have no `sends`.
const QUERIES: &str = "\"queries\"";
const SENDS: &str = "\"sends\"";

/// The stored secrets of one call.
#[derive(Debug, Default)]
pub(crate) struct Lent {
    /// The secrets that the call's parameters name, each with its value once a request has used it: decrypting one for every
    /// request would take a large part of its time.
    pub(crate) secrets: BTreeMap<Handle, OnceCell<Secret>>,
    /// Where they may stand in a body. `None` if the step was planned before plans named such places.
    pub(crate) named: Option<Vec<Named>>,
    /// The URLs that take its queries. The same holds for them.
    pub(crate) queries: Option<Vec<String>>,
}

/// The part of the parameters that lends secrets.
#[derive(Deserialize)]
struct OfStep {
    step: Option<Step>,
    #[serde(default)]
    inputs: BTreeMap<String, Value>,
    #[serde(default)]
    outputs: Value,
}

#[derive(Deserialize)]
struct Step {
    proposal: Proposal,
}

#[derive(Deserialize)]
struct Proposal {
    #[serde(default)]
    sends: Option<Vec<SentSecret>>,
    #[serde(default)]
    queries: Vec<String>,
}

/// `test` gets the parameters of its step one level deeper.
#[derive(Deserialize)]
struct OfTest {
    step: Option<OfStep>,
}

impl Lent {
    /// What these parameters of a call lend.
    pub(crate) fn by(op: Op, params: &Json) -> Self {
        let nothing = Self { named: Some(Vec::new()), queries: Some(Vec::new()), ..Self::default() };
        // Most calls have neither queries nor secrets, and are not decoded.
        let has = |key: &str| params.as_str().contains(key);
        if has(SENDS) && !has(QUERIES) && !has(Handle::KEY) {
            return nothing;
        }
        let of_step = match op {
            Op::Detect | Op::Plan => None,
            Op::Test => params.decode::<OfTest>().ok().and_then(|test| test.step),
            Op::Apply | Op::Undo | Op::Observe => params.decode::<OfStep>().ok(),
        };
        let Some(OfStep { step: Some(Step { proposal }), inputs, outputs }) = of_step else { return nothing };
        let queries = proposal.sends.is_some().then_some(proposal.queries);
        let handles = inputs.values().chain([&outputs]).flat_map(Handle::find_all);
        let named = proposal.sends.map(|sends| {
            let named = |sent: SentSecret| {
                let handle = inputs.get(&sent.input).and_then(Handle::from_value)?;
                Some(Named { handle, origin: parse(&sent.to), pointer: sent.at })
            };
            sends.into_iter().filter_map(named).collect()
        });
        Self { secrets: handles.map(|handle| (handle, OnceCell::new())).collect(), named, queries }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn secret(name: &str) -> Value {
        json!({ "$secret": format!("acme/{name}") })
    }

    fn lent(op: Op, params: Value) -> Vec<Handle> {
        Lent::by(op, &params.into()).secrets.into_keys().collect()
    }

    #[test]
    fn only_inputs_and_outputs_lend_secrets() {
        let step = json!({
            "step": { "id": "swap", "proposal": { "payload": { "token": secret("step/payload") } } },
            "inputs": { "client_secret": secret("step/input"), "all": [secret("step/nested")] },
            "outputs": { "seen": secret("step/output") },
            "attempts": [secret("step/attempt")],
        });
        let expect = ["step/input", "step/nested", "step/output"].map(|name| Handle::new(format!("acme/{name}")));
        for op in [Op::Apply, Op::Undo, Op::Observe] {
            assert_eq!(lent(op, step.clone()), expect, "{op}");
        }
        assert_eq!(lent(Op::Test, json!({ "step": step, "extra": secret("step/extra") })), expect);
        for op in [Op::Detect, Op::Plan] {
            assert_eq!(lent(op, step.clone()), [], "{op}");
        }
        assert_eq!(lent(Op::Test, json!({ "step": null, "x": secret("step/x") })), []);
    }

    #[test]
    fn only_the_plan_names_places() {
        let named = |sends: Value| {
            let proposal = json!({ "sends": sends });
            let params = json!({
                "step": { "proposal": proposal },
                "inputs": { "client_secret": secret("p/client_secret"), "client_id": "0oa1" },
            });
            Lent::by(Op::Apply, &params.into()).named
        };
        let sent = |input, to| json!([{ "input": input, "to": to, "at": "/a" }]);
        let place = |origin: Option<&str>| Named {
            handle: Handle::new("acme/p/client_secret"),
            origin: origin.map(|origin| parse(origin).unwrap()),
            pointer: "/a".to_owned(),
        };
        assert_eq!(named(sent("client_secret", "https://x.test")), Some(vec![place(Some("https://x.test"))]));
        assert_eq!(named(sent("client_secret", "x.test")), Some(vec![place(None)]));
        for other in ["client_id", "unknown"] {
            assert_eq!(named(sent(other, "https://x.test")), Some(vec![]), "{other}");
        }
        assert_eq!(named(json!([])), Some(vec![]));
        assert_eq!(named(Value::Null), None, "a plan from before there were places");
        assert_eq!(Lent::by(Op::Detect, &json!({ "inputs": secret("p/x") }).into()).named, Some(vec![]));
    }

    #[test]
    fn only_the_plan_names_queries() {
        let queries = |op, proposal: Value| Lent::by(op, &json!({ "step": { "proposal": proposal } }).into()).queries;
        let url = "https://x.test/ask".to_owned();
        let named = json!({ "sends": [], "queries": [url] });
        assert_eq!(queries(Op::Observe, named.clone()), Some(vec![url]));
        assert_eq!(queries(Op::Detect, named), Some(vec![]));
        assert_eq!(queries(Op::Apply, json!({ "sends": [] })), Some(vec![]));
        for op in [Op::Apply, Op::Undo, Op::Observe] {
            assert_eq!(queries(op, json!({ "needs": [] })), None, "a plan from before there were queries");
        }
        assert_eq!(Lent::by(Op::Test, &json!({ "step": null }).into()).queries, Some(vec![]));
    }
}
