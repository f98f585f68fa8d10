//! Which stored secrets a call may use: those among the inputs and the outputs of its step. What a plugin writes into a payload
//! or into anything else of its own lends it nothing.

use flowswap_contract::{Handle, Json, Op};
use serde::Deserialize;
use serde_json::Value;

/// The part of the parameters that lends secrets.
#[derive(Deserialize)]
struct OfStep {
    #[serde(default)]
    inputs: Value,
    #[serde(default)]
    outputs: Value,
}

/// `test` gets the parameters of its step one level deeper.
#[derive(Deserialize)]
struct OfTest {
    step: Option<OfStep>,
}

/// The handles that a call with these parameters may use.
pub(crate) fn handles_of(op: Op, params: &Json) -> Vec<Handle> {
    if !params.as_str().contains(Handle::KEY) {
        return Vec::new();
    }
    let of_step = match op {
        Op::Detect | Op::Plan => None,
        Op::Test => params.decode::<OfTest>().ok().and_then(|test| test.step),
        Op::Apply | Op::Undo | Op::Observe => params.decode::<OfStep>().ok(),
    };
    of_step.iter().flat_map(|step| [&step.inputs, &step.outputs]).flat_map(Handle::find_all).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_inputs_and_outputs_lend_secrets() {
        let secret = |name: &str| json!({ "$secret": format!("acme/{name}") });
        let step = json!({
            "step": { "id": "swap", "proposal": { "payload": { "token": secret("step/payload") } } },
            "inputs": { "client_secret": secret("step/input"), "all": [secret("step/nested")] },
            "outputs": { "seen": secret("step/output") },
            "attempts": [secret("step/attempt")],
        });
        let lent = ["step/input", "step/nested", "step/output"].map(|name| Handle::new(format!("acme/{name}")));
        for op in [Op::Apply, Op::Undo, Op::Observe] {
            let mut found = handles_of(op, &step.clone().into());
            found.sort();
            let mut expect = lent.to_vec();
            expect.sort();
            assert_eq!(found, expect, "{op}");
        }
        let mut found = handles_of(Op::Test, &json!({ "step": step, "extra": secret("step/extra") }).into());
        found.sort();
        assert_eq!(found.len(), 3);
        for op in [Op::Detect, Op::Plan] {
            assert_eq!(handles_of(op, &step.clone().into()), Vec::<Handle>::new(), "{op}");
        }
        assert_eq!(handles_of(Op::Test, &json!({ "step": null, "x": secret("step/x") }).into()), Vec::<Handle>::new());
    }
}
