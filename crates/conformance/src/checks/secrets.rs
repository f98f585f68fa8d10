//! No secret value is in anything that the plugin sends or prints: asks, replies, events, and output. The value is
//! searched for as it is and in base64, as it would be in a header.

use std::collections::BTreeSet;

use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD},
};
use flowswap_contract::{Step, Values};

use super::{
    Harness, PlannedSteps,
    read_only::{positions, reversible, unaided},
};
use crate::{Failure, findings::Findings, wire::Fault};

/// Shorter values could match by chance.
const MIN_LENGTH: usize = 6;

pub(crate) async fn examine(harness: &Harness<'_>, planned: &PlannedSteps, findings: &mut Findings) {
    let mut secrets = BTreeSet::new();
    let exercised = exercise(harness, planned, &mut secrets).await;
    let searched = exercised.and_then(|()| search(harness, &secrets));
    findings.note_cases("secrets.untold", searched, "the world has no secrets");
}

/// Runs the steps without faults and rolls them back. Then loses the first answers of every step in turn, so that
/// adopted objects and their secrets also occur.
async fn exercise(
    harness: &Harness<'_>,
    planned: &PlannedSteps,
    secrets: &mut BTreeSet<String>,
) -> Result<(), Failure> {
    let steps = reversible(&planned.steps);
    let mut bench = harness.bench().await?;
    bench.advance(steps).await?;
    collect(&bench, secrets);
    bench.roll_back(unaided(steps)).await?;
    for at in positions(steps) {
        for request in 0..2 {
            let step: &Step = &steps[at];
            let mut bench = harness.bench().await?;
            bench.advance(&steps[..at]).await?;
            bench.wire.arm(Some((request, Fault::LostAfter)));
            if let Err(error) = bench.apply(step, Values::new()).await {
                bench.recover_apply(step, error).await?;
            }
            collect(&bench, secrets);
        }
    }
    Ok(())
}

fn collect(bench: &crate::bench::Bench, secrets: &mut BTreeSet<String>) {
    secrets.extend(bench.world.secrets());
    secrets.extend(bench.memory.secrets());
}

/// Searches for every secret that is long enough, and returns how many there are.
fn search(harness: &Harness<'_>, secrets: &BTreeSet<String>) -> Result<usize, Failure> {
    let recording = harness.subject.recorder.recording();
    let sent = recording.from_plugin.iter().map(|bytes| String::from_utf8_lossy(bytes).into_owned());
    let printed = recording.lines.iter().cloned();
    let all: Vec<(&str, String)> = sent.map(|text| ("a message", text)).chain(printed.map(|l| ("a line", l))).collect();
    let secrets: Vec<_> = secrets.iter().filter(|secret| secret.len() >= MIN_LENGTH).collect();
    for form in secrets.iter().flat_map(|secret| forms(secret)) {
        if let Some((where_, text)) = all.iter().find(|(_, text)| text.contains(&form)) {
            let seen = format!("a secret in {where_}: {}", text.replace(&form, "[the secret]"));
            return Err(Failure::new("no secret value", crate::bench::shorten(&seen)));
        }
    }
    Ok(secrets.len())
}

/// The forms of a secret: as it is, in JSON, and in base64, where its form depends on its offset modulo three.
fn forms(secret: &str) -> Vec<String> {
    let in_json = serde_json::Value::from(secret).to_string();
    let mut forms = vec![secret.to_owned(), in_json.trim_matches('"').to_owned()];
    for engine in [STANDARD_NO_PAD, URL_SAFE_NO_PAD] {
        for offset in 0..3 {
            let text = engine.encode([&[0; 3][..offset], secret.as_bytes()].concat());
            // The characters at both ends also depend on the neighboring bytes.
            let first = (offset * 8).div_ceil(6);
            let last = (offset + secret.len()) * 8 / 6;
            forms.push(text[first..last].to_owned());
        }
    }
    forms
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_found_in_base64_at_every_offset() {
        for engine in [STANDARD_NO_PAD, URL_SAFE_NO_PAD] {
            for before in ["", "a", "id", "id:", "user:"] {
                for after in ["", "!", "!!", "!!!"] {
                    let text = engine.encode(format!("{before}s3cret~\u{ff}?>{after}"));
                    let is_found = forms("s3cret~\u{ff}?>").iter().any(|form| text.contains(form));
                    assert!(is_found, "{text}: {before:?} before, {after:?} after");
                }
            }
        }
        assert!(!forms("s3cret-one").iter().any(|form| STANDARD_NO_PAD.encode("s3cret-two").contains(form)));
    }
}
