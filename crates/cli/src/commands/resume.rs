//! `flowswap resume`: continues the run that was interrupted or stopped, by running the same command again.

use flowswap_contract::Phase;
use flowswap_engine::{Goal, History, LastRun, RunCommand, RunEnd, RunScope};

use super::{apply, finalize, rollback, started};
use crate::{
    args::{ApplyArgs, FinalizeArgs, PlanFile, ResumeArgs, RollbackArgs, StartedTenants},
    context::{Context, read_history},
    display::{
        self,
        text::{Text, text},
    },
    exit::{Exit, Failure},
};

pub(crate) async fn run(context: &Context, args: &ResumeArgs) -> Result<Exit, Failure> {
    let config = context.load_config()?;
    let history = read_history(&config).await?;
    let Some(last) = history.last_run() else {
        return started::report_no_tenants(context, "no run has started yet, so there is nothing to continue");
    };
    if last.end == Some(RunEnd::Completed) {
        let why = text!(
            "the last run, `{}` at {}, is complete; for the next command, run `flowswap status`",
            last.command,
            last.at
        );
        return started::report_no_tenants(context, why);
    }
    let Some(scope) = &last.scope else {
        return Err(Failure::new(Exit::Usage, "the last run did not record its tenants and goal")
            .hint("find the command for every tenant: flowswap status"));
    };
    context.terminal.say(describe(last, scope));
    match last.command {
        RunCommand::Apply => {
            let plan = scope.plan_path.clone().unwrap_or_else(|| "plan.json".to_owned()).into();
            apply::run(
                context,
                &ApplyArgs { file: PlanFile { plan }, interactive: false, yes: args.yes, accept_changes: false },
            )
            .await
        }
        RunCommand::Rollback => match remaining_tenants(scope, &history, args) {
            Some(started) => {
                rollback::run(context, &RollbackArgs { started, interactive: false, abandon: false, reason: None })
                    .await
            }
            None => started::report_no_tenants(context, "every tenant of that run is already rolled back"),
        },
        RunCommand::Finalize => match remaining_tenants(scope, &history, args) {
            Some(started) => finalize::run(context, &FinalizeArgs { started, purge: scope.goal == Goal::Purged }).await,
            None => started::report_no_tenants(context, "no tenant of that run is left to finalize"),
        },
    }
}

fn describe(last: &LastRun, scope: &RunScope) -> Text {
    let what = match (last.command, &scope.plan_path) {
        (RunCommand::Apply, Some(path)) => format!("apply {path}"),
        (RunCommand::Finalize, _) if scope.goal == Goal::Purged => "finalize --purge".to_owned(),
        (command, _) => command.to_string(),
    };
    let how = if last.end.is_some() { "was stopped" } else { "was interrupted" };
    text!(
        "continuing `flowswap {}` for {}: the run started at {} and {}",
        what,
        display::tenants(scope.tenants.len()),
        last.at,
        how
    )
}

/// The tenants of the run that have not reached its goal, or `None` if all have.
fn remaining_tenants(scope: &RunScope, history: &History, args: &ResumeArgs) -> Option<StartedTenants> {
    let is_left = |name: &&String| {
        let Some((tenant, work)) = history.tenant(name).and_then(|tenant| Some((tenant, tenant.work.as_ref()?))) else {
            return false;
        };
        match scope.goal {
            // A rollback that a person has abandoned since then must not continue.
            Goal::RolledBack => !tenant.is_abandoned,
            Goal::Swapped => !tenant.state.is_swapped_or_later(),
            Goal::Retired => finalize::can_begin(tenant, work, Phase::Retire),
            Goal::Purged => finalize::can_begin(tenant, work, Phase::Purge),
        }
    };
    let tenants: Vec<String> = scope.tenants.iter().filter(is_left).cloned().collect();
    (!tenants.is_empty()).then_some(StartedTenants { tenants, all: false, yes: args.yes, accept_changes: false })
}
