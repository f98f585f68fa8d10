//! `flowswap resume`: goes on with the run that was cut off or stopped. It is the same command again, by name.

use flowswap_contract::Phase;
use flowswap_engine::{Goal, History, LastRun, RunCommand, RunEnd, RunScope};

use super::{apply, finalize, rollback, started};
use crate::{
    args::{ApplyArgs, FinalizeArgs, PlanFile, ResumeArgs, RollbackArgs, Started},
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
        return started::report_none(context, "no run was begun yet, so there is nothing to go on with");
    };
    if last.end == Some(RunEnd::Whole) {
        let why = text!(
            "the last run, `{}` of {}, came to its end; `flowswap status` says what is next",
            last.command,
            last.at
        );
        return started::report_none(context, why);
    }
    let Some(scope) = &last.scope else {
        return Err(Failure::new(Exit::Usage, "the last run did not record what it was to do")
            .hint("`flowswap status` names the command for every tenant"));
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
        RunCommand::Rollback => match started_again(scope, &history, args) {
            Some(started) => {
                rollback::run(context, &RollbackArgs { started, interactive: false, abandon: false, reason: None })
                    .await
            }
            None => started::report_none(context, "every tenant of that run is taken back"),
        },
        RunCommand::Finalize => match started_again(scope, &history, args) {
            Some(started) => finalize::run(context, &FinalizeArgs { started, purge: scope.goal == Goal::Purged }).await,
            None => started::report_none(context, "no tenant of that run is left"),
        },
    }
}

fn describe(last: &LastRun, scope: &RunScope) -> Text {
    let what = match (last.command, &scope.plan_path) {
        (RunCommand::Apply, Some(path)) => format!("apply {path}"),
        (RunCommand::Finalize, _) if scope.goal == Goal::Purged => "finalize --purge".to_owned(),
        (command, _) => command.to_string(),
    };
    let how = if last.end.is_some() { "was stopped" } else { "was cut off" };
    text!(
        "going on with `flowswap {}` of {}, which began at {} and {}",
        what,
        display::tenants(scope.tenants.len()),
        last.at,
        how
    )
}

/// The run's tenants that it has not taken to its goal; none if there are none.
fn started_again(scope: &RunScope, history: &History, args: &ResumeArgs) -> Option<Started> {
    let is_left = |name: &&String| {
        let Some((tenant, work)) = history.tenant(name).and_then(|tenant| Some((tenant, tenant.work.as_ref()?))) else {
            return false;
        };
        match scope.goal {
            // A way back that was abandoned since is not gone on with.
            Goal::RolledBack => !tenant.is_abandoned,
            Goal::Swapped => !tenant.state.is_swapped_or_later(),
            Goal::Retired => finalize::can_begin(tenant, work, Phase::Retire),
            Goal::Purged => finalize::can_begin(tenant, work, Phase::Purge),
        }
    };
    let tenants: Vec<String> = scope.tenants.iter().filter(is_left).cloned().collect();
    (!tenants.is_empty()).then_some(Started { tenants, all: false, yes: args.yes, accept_changes: false })
}
