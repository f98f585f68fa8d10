//! `flowswap demo`: a simulated fleet migrates before your eyes, and one tenant goes back.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use flowswap_sim::{Scenario, Sim, SimConfig};

use super::{apply, detect, plan, rollback, status};
use crate::{
    args::{ApplyArgs, DemoArgs, PlanArgs, PlanFile, RollbackArgs, Select, Started},
    context::Context,
    exit::{Exit, Failure},
    sim_files,
    terminal::{Tone, paint},
};

/// How long every simulated answer takes: enough to see the bars move.
const LATENCY: Duration = Duration::from_millis(20);

pub(crate) async fn run(context: &Context, args: &DemoArgs) -> Result<Exit, Failure> {
    let dir = folder(args.keep.as_deref())?;
    let config = SimConfig::default().tenants(args.tenants as usize).latency(LATENCY);
    let sim = Sim::start(config, ([127, 0, 0, 1], 0).into()).await.map_err(Failure::at("start the simulator"))?;
    let mut context = context.clone();
    context.global.config = sim_files::write(&context, &sim, &dir)?;
    let before = sim.snapshot();
    let exit = show(&context, &sim, &dir).await;
    let verdict = exit.and_then(|exit| if exit == Exit::Done { judge(&sim, &before) } else { Ok(exit) });
    sim.stop().await;
    context.terminal.say(&format!("\nconfiguration, plan, journal and secrets are kept in {}", dir.display()));
    verdict
}

/// The commands as a person would type them. Blocked and unknown tenants are part of the show and no failure of it.
async fn show(context: &Context, sim: &Sim, dir: &Path) -> Result<Exit, Failure> {
    let everyone = || Select { tenants: Vec::new() };
    let file = dir.join("plan.json");

    context.terminal.say(&typed("detect"));
    detect::run(context, &everyone()).await?;

    context.terminal.say(&typed("plan -o plan.json"));
    plan::run(context, &PlanArgs { select: everyone(), output: Some(file.clone()) }).await?;

    context.terminal.say(&typed("apply plan.json --yes"));
    let exit = apply::run(context, &ApplyArgs { file: PlanFile { plan: file }, yes: true }).await?;
    if exit != Exit::Done {
        return Ok(exit);
    }

    let Some(tenant) = ready(sim).next() else { return Ok(Exit::Done) };
    context.terminal.say(&typed(&format!("rollback {tenant} --yes")));
    let started = Started { tenants: vec![tenant], all: false, yes: true, accept_changed_plugins: false };
    let exit = rollback::run(context, &RollbackArgs { started }).await?;
    if exit != Exit::Done {
        return Ok(exit);
    }

    context.terminal.say(&typed("status"));
    status::run(context, &everyone()).await
}

/// The simulator is the witness: it has seen what happened to its orgs and directories.
fn judge(sim: &Sim, before: &serde_json::Value) -> Result<Exit, Failure> {
    let _ = before;
    let world = sim.world();
    let swapped = world.directories.iter().filter(|directory| directory.submits > 0).count();
    let ready = ready(sim).count();
    if swapped == ready {
        return Ok(Exit::Done);
    }
    Err(Failure::new(
        Exit::Failed,
        format!("{ready} tenants were ready, and the directories of {swapped} were given a new client"),
    ))
}

fn ready(sim: &Sim) -> impl Iterator<Item = String> {
    sim.tenants().into_iter().filter(|tenant| tenant.scenario == Scenario::Ready).map(|tenant| tenant.name)
}

fn typed(command: &str) -> String {
    format!("\n{} {}", paint(Tone::Dim, "$"), paint(Tone::Strong, format!("flowswap {command}")))
}

fn folder(keep: Option<&Path>) -> Result<PathBuf, Failure> {
    match keep {
        None => {
            let dir =
                tempfile::Builder::new().prefix("flowswap-demo-").tempdir().map_err(Failure::at("make a folder"))?;
            Ok(dir.keep())
        }
        Some(dir) => {
            let is_empty = !dir.exists() || std::fs::read_dir(dir).is_ok_and(|mut entries| entries.next().is_none());
            if !is_empty {
                return Err(Failure::new(Exit::Usage, format!("`{}` is not an empty folder", dir.display())));
            }
            Ok(dir.to_owned())
        }
    }
}
