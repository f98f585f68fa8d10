//! `flowswap demo`: migrates a simulated fleet, and rolls one tenant back.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use flowswap_host::trusted_temp_dir;
use flowswap_sim::{SYNC_EVERY, Scenario, Sim, SimConfig, diff};

use super::{apply, detect, plan, report, rollback, status};
use crate::{
    args::{
        AcceptChanges, ApplyArgs, DemoArgs, DetectArgs, PlanArgs, PlanFile, ReportArgs, Reports, RollbackArgs, Select,
        Split, StartedTenants,
    },
    context::Context,
    display::text::{Text, text},
    exit::{Exit, Failure},
    sim_files,
    terminal::{Tone, paint},
};

/// How long every simulated response takes: long enough to see the bars move.
const LATENCY: Duration = Duration::from_millis(20);

/// What the demo leaves in its folder, and what each of it is.
const KEPT: [(&str, &str); 9] = [
    ("plan.html", "the plan, for a reviewer"),
    ("report.html", "what was done, for an auditor"),
    ("plan.json", "the plan itself"),
    ("migrate.toml", "the configuration"),
    ("ca.pem", "the certificate that the configuration trusts"),
    ("tokens", "the API tokens of the simulated orgs"),
    ("gateway.token", "the token of the simulated directories"),
    ("sim.json", "the address and the token of the simulator, which has stopped"),
    (".flowswap", "the journal, the secrets, and their key"),
];

/// Long enough for flowswap to know that a client is unused.
const LATER: Duration = Duration::from_secs(90 * 60);

pub(crate) async fn run(context: &Context, args: &DemoArgs) -> Result<Exit, Failure> {
    let dir = folder(args.keep.as_deref())?;
    let config = SimConfig::default().tenants(args.tenants as usize).latency(LATENCY).scheduled_sync(SYNC_EVERY);
    let sim = Sim::start(config, ([127, 0, 0, 1], 0).into()).await.map_err(Failure::at("start the simulator"))?;
    let mut context = context.clone();
    // The demo never touches the state of real tenants.
    context.global.state_dir = None;
    context.global.config = sim_files::write(&context, &sim, &dir, "")?;
    let before = sim.snapshot();
    let exit = show(&context, &sim, &dir).await;
    let verdict = exit.and_then(|exit| if exit == Exit::Done { check_result(&sim, &before) } else { Ok(exit) });
    sim.stop().await;
    context.terminal.say(list_kept(&dir));
    verdict
}

/// Lists what the demo left. A demo that failed leaves less.
fn list_kept(dir: &Path) -> Text {
    let mut text = text!("\nThe demo left these files in {}:\n", dir.display());
    let kept = KEPT.iter().filter(|(name, _)| dir.join(name).exists());
    text.extend(kept.map(|(name, about)| text!("  {:<13}  {}\n", name, about)));
    text.trim_end()
}

/// Runs the commands that a person would type. Blocked and unknown tenants belong to the demo and are not failures.
async fn show(context: &Context, sim: &Sim, dir: &Path) -> Result<Exit, Failure> {
    let everyone = Select::default;
    let file = dir.join("plan.json");

    context.terminal.say(prompt_line("detect"));
    detect::run(context, &DetectArgs { select: everyone(), warn_days: None }).await?;

    context.terminal.say(prompt_line("plan -o plan.json --report plan.html"));
    let reports = Reports { reports: vec![dir.join("plan.html")] };
    plan::run(
        context,
        &PlanArgs { select: everyone(), output: Some(file.clone()), split: Split::Configured, reports, force: false },
    )
    .await?;

    context.terminal.say(prompt_line("apply plan.json --yes"));
    let exit = apply::run(
        context,
        &ApplyArgs {
            file: PlanFile { plan: file },
            select: everyone(),
            hold_after: None,
            interactive: false,
            digest: None,
            yes: true,
            changes: AcceptChanges::default(),
        },
    )
    .await?;
    if exit != Exit::Done {
        return Ok(exit);
    }

    let Some(tenant) = ready(sim).next() else { return Ok(Exit::Done) };
    let select = Select { tenants: vec![tenant.clone()], ..Select::default() };
    let started = StartedTenants { select, all: false, yes: true, changes: AcceptChanges::default() };
    let back = RollbackArgs { started, interactive: false, abandon: false, reason: None };
    context.terminal.say(prompt_line(&format!("rollback {tenant} --yes")));
    let exit = rollback::run(context, &back).await?;
    if exit != Exit::NeedsPerson {
        return Ok(exit);
    }
    context.terminal.say(text!(
        "\nthe directory is back on the legacy client; 90 minutes later, when nobody can use the new client:"
    ));
    sim.clock().advance(LATER);
    context.terminal.say(prompt_line(&format!("rollback {tenant} --yes")));
    let exit = rollback::run(context, &back).await?;
    if exit != Exit::Done {
        return Ok(exit);
    }

    context.terminal.say(prompt_line("status"));
    status::run(context, &everyone()).await?;
    context.terminal.say(prompt_line("report -o report.html"));
    let outputs = vec![dir.join("report.html")];
    let everything = ReportArgs { select: everyone(), run: None, since: None, outputs, face: None, force: false };
    report::run(context, &everything).await
}

/// Checks the result in the simulator: every ready tenant except the first has a new client, and nothing else in the
/// world has changed.
fn check_result(sim: &Sim, before: &serde_json::Value) -> Result<Exit, Failure> {
    let swapped: Vec<String> = ready(sim).skip(1).collect();
    let world = sim.world();
    let is_swapped = |name: &str| world.directories.iter().any(|d| d.name == name && d.flow == "client_credentials");
    if let Some(name) = swapped.iter().find(|name| !is_swapped(name)) {
        return Err(Failure::new(
            Exit::Failed,
            format!("the directory of `{name}` does not use the client-credential flow"),
        ));
    }
    let tenants = sim.tenants();
    let expected = |line: &str| {
        // Directories synchronize by themselves.
        if line.contains("/sync/") {
            return true;
        }
        let of = tenants.iter().find(|tenant| line.contains(&tenant.domain) || line.contains(&tenant.directory_id));
        of.is_some_and(|tenant| swapped.contains(&tenant.name))
    };
    match diff(before, &sim.snapshot()).into_iter().find(|line| !expected(line)) {
        None => Ok(Exit::Done),
        Some(line) => Err(Failure::new(Exit::Failed, format!("something changed that must stay the same: {line}"))),
    }
}

fn ready(sim: &Sim) -> impl Iterator<Item = String> {
    sim.tenants().into_iter().filter(|tenant| tenant.scenario == Scenario::Ready).map(|tenant| tenant.name)
}

fn prompt_line(command: &str) -> Text {
    text!("\n{} {}", paint(Tone::Dim, "$"), paint(Tone::Strong, text!("flowswap {}", command)))
}

fn folder(keep: Option<&Path>) -> Result<PathBuf, Failure> {
    match keep {
        None => {
            let dir = tempfile::Builder::new().prefix("flowswap-demo-").tempdir_in(trusted_temp_dir());
            let dir = dir.map_err(Failure::at("create a folder"))?;
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
