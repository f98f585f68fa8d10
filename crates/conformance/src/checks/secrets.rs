//! No value of a secret is in anything that the plugin says: not in asks, replies and events, and not in what it prints.

use std::collections::BTreeSet;

use flowswap_contract::{Step, Values};

use super::{Known, Trial, laws::positions, looks::reversible};
use crate::{Failure, kit::Findings, wire::Fault};

/// Shorter values would be found by chance.
const SHORTEST: usize = 6;

pub(crate) async fn examine(trial: &Trial<'_>, known: &Known, findings: &mut Findings) {
    let mut secrets = BTreeSet::new();
    let lived = live(trial, known, &mut secrets).await;
    findings.note("secrets.untold", lived.and_then(|()| search(trial, &secrets)));
}

/// Forward in peace and back, and once with every step's first answers lost, so that whatever is adopted is, too.
async fn live(trial: &Trial<'_>, known: &Known, secrets: &mut BTreeSet<String>) -> Result<(), Failure> {
    let steps = reversible(&known.steps);
    let mut bench = trial.bench().await?;
    bench.advance(steps).await?;
    collect(&bench, secrets);
    bench.retreat(steps).await?;
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

fn search(trial: &Trial<'_>, secrets: &BTreeSet<String>) -> Result<(), Failure> {
    let seen = trial.subject.watch.seen();
    let said = seen.from_plugin.iter().map(|bytes| String::from_utf8_lossy(bytes).into_owned());
    let printed = seen.lines.iter().cloned();
    let all: Vec<(&str, String)> = said.map(|text| ("a message", text)).chain(printed.map(|l| ("a line", l))).collect();
    for secret in secrets.iter().filter(|secret| secret.len() >= SHORTEST) {
        if let Some((where_, text)) = all.iter().find(|(_, text)| text.contains(secret.as_str())) {
            let seen = format!("one in {where_}: {}", text.replace(secret.as_str(), "[the secret]"));
            return Err(Failure::new("no value of a secret", crate::bench::cut(&seen)));
        }
    }
    Ok(())
}
