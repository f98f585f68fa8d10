//! No value of a secret is in anything that the plugin says: not in asks, replies and events, and not in what it prints;
//! neither as it is nor in base64, as it would be in a header.

use std::collections::BTreeSet;

use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD},
};
use flowswap_contract::{Step, Values};

use super::{
    Known, Trial,
    laws::positions,
    looks::{reversible, unaided},
};
use crate::{Failure, kit::Findings, wire::Fault};

/// Shorter values would be found by chance.
const SHORTEST: usize = 6;

pub(crate) async fn examine(trial: &Trial<'_>, known: &Known, findings: &mut Findings) {
    let mut secrets = BTreeSet::new();
    let lived = live(trial, known, &mut secrets).await;
    findings.note_cases("secrets.untold", lived.and_then(|()| search(trial, &secrets)), "the world has no secrets");
}

/// Forward in peace and back, and once with every step's first answers lost, so that whatever is adopted is, too.
async fn live(trial: &Trial<'_>, known: &Known, secrets: &mut BTreeSet<String>) -> Result<(), Failure> {
    let steps = reversible(&known.steps);
    let mut bench = trial.bench().await?;
    bench.advance(steps).await?;
    collect(&bench, secrets);
    bench.retreat(unaided(steps)).await?;
    for at in positions(steps) {
        for request in 0..2 {
            let step: &Step = &steps[at];
            let mut bench = trial.bench().await?;
            bench.advance(&steps[..at]).await?;
            bench.wire.arm(Some((request, Fault::LostAfter)));
            if let Err(error) = bench.apply(step, Values::new()).await {
                bench.heal_apply(step, error).await?;
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

/// Looks for every secret that is long enough, and counts them.
fn search(trial: &Trial<'_>, secrets: &BTreeSet<String>) -> Result<usize, Failure> {
    let seen = trial.subject.watch.seen();
    let said = seen.from_plugin.iter().map(|bytes| String::from_utf8_lossy(bytes).into_owned());
    let printed = seen.lines.iter().cloned();
    let all: Vec<(&str, String)> = said.map(|text| ("a message", text)).chain(printed.map(|l| ("a line", l))).collect();
    let secrets: Vec<_> = secrets.iter().filter(|secret| secret.len() >= SHORTEST).collect();
    for form in secrets.iter().flat_map(|secret| forms(secret)) {
        if let Some((where_, text)) = all.iter().find(|(_, text)| text.contains(&form)) {
            let seen = format!("one in {where_}: {}", text.replace(&form, "[the secret]"));
            return Err(Failure::new("no value of a secret", crate::bench::cut(&seen)));
        }
    }
    Ok(secrets.len())
}

/// How a secret may look: as it is, within JSON, and within base64, where it has another form at each of three offsets.
fn forms(secret: &str) -> Vec<String> {
    let in_json = serde_json::Value::from(secret).to_string();
    let mut forms = vec![secret.to_owned(), in_json.trim_matches('"').to_owned()];
    for engine in [STANDARD_NO_PAD, URL_SAFE_NO_PAD] {
        for offset in 0..3 {
            let text = engine.encode([&[0; 3][..offset], secret.as_bytes()].concat());
            // The first and the last characters depend on the neighbours as well.
            let (first, last) = ((offset * 8).div_ceil(6), (offset + secret.len()) * 8 / 6);
            forms.push(text[first..last].to_owned());
        }
    }
    forms
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_found_in_base64_wherever_it_begins() {
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
