//! `flowswap confirm`: records that a person carried out the run sheet, then continues the tenant at once, so that the
//! person sees whether flowswap can verify the claim.

use std::collections::BTreeMap;

use flowswap_config::Config;
use flowswap_engine::{Claim, Goal, JournalError, Logbook, OperatorError, Runner};
use serde::{Deserialize, Serialize};

use super::{
    desk::Continued,
    sheet::{open_question, with_open_sheets},
    started::{self, RunPurpose},
    statement::Statement,
};
use crate::{
    args::{AcceptChanges, ConfirmArgs},
    context::{Context, Writer, read_logbook, read_tenant},
    display::text::text,
    door::{Ask, AtWork},
    exit::{Exit, Failure},
    selection,
};

/// A run sheet that a person confirmed.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Confirmed {
    name: String,
    step: String,
    /// Who confirmed it before.
    claims: Vec<Claim>,
}

pub(crate) async fn run(context: &Context, args: &ConfirmArgs) -> Result<Exit, Failure> {
    selection::require(&args.select, false, "name them; list those that wait: flowswap next")?;
    let config = context.load_config()?;
    let chosen = with_open_sheets(&config, &*read_logbook(&config).await?, &args.select).await?;
    chosen.ask(context, "Confirm the run sheets of", args.yes).await?;
    let names = chosen.names;
    let note = args.note.as_ref().map(|note| note.trim().to_owned()).filter(|note| !note.is_empty());
    match context.ports_or_door(&config, context.progress()).await? {
        Writer::Here(ports) => {
            let runner = started::runner(*ports);
            say(context, &record(&runner, &names, note).await?);
            let by_goal = by_goal(&names, runner.logbook())?;
            // The check is an ordinary run, so the journal must be free.
            drop(runner);
            check(context, &config, by_goal, args.changes).await
        }
        Writer::AtWork(at_work) => {
            say(context, &at_work.ask::<Vec<_>>(Ask::Confirm { tenants: names.clone(), note }).await?);
            check_there(context, &config, &at_work, names, args.changes).await
        }
    }
}

/// Records that a person carried out these run sheets. Either all of them are open, or nothing is recorded.
pub(super) async fn record(runner: &Runner, names: &[String], note: Option<String>) -> Result<Vec<Confirmed>, Failure> {
    let mut confirmed = Vec::new();
    for name in names {
        let tenant = read_tenant(runner.logbook(), name).await?;
        let question = open_question(name, tenant.as_ref())?;
        confirmed.push(Confirmed { name: name.clone(), step: question.step.clone(), claims: question.claims.clone() });
    }
    for Confirmed { name, .. } in &confirmed {
        runner.confirm(name, note.clone()).await.map_err(to_failure)?;
    }
    Ok(confirmed)
}

fn say(context: &Context, confirmed: &[Confirmed]) {
    for Confirmed { name, step, claims } in confirmed {
        for claim in claims {
            let claim = Statement::claim(step, claim).show();
            context.terminal.say(text!("{}: {}; flowswap has not seen the change yet", name, claim));
        }
        context.terminal.say(text!("recorded that you confirmed `{}` of {}", step, name));
    }
    context.terminal.say("now checking what was confirmed");
}

/// The tenants by the goal of the run that continues them.
pub(super) fn by_goal(names: &[String], logbook: &Logbook) -> Result<BTreeMap<Goal, Vec<String>>, Failure> {
    let mut by_goal: BTreeMap<Goal, Vec<String>> = BTreeMap::new();
    for name in names {
        let Some(overview) = logbook.overview(name) else { return Err(no_open_sheet()) };
        by_goal.entry(RunPurpose::of(&overview).goal).or_default().push(name.clone());
    }
    Ok(by_goal)
}

/// Continues the tenants in this process.
async fn check(
    context: &Context,
    config: &Config,
    by_goal: BTreeMap<Goal, Vec<String>>,
    changes: AcceptChanges,
) -> Result<Exit, Failure> {
    let mut exit = Exit::Done;
    for (goal, names) in by_goal {
        let purpose = RunPurpose::to(goal).accepting(changes);
        exit = started::worst(exit, started::continue_tenants(context, config, &names, Vec::new(), purpose).await?);
    }
    Ok(exit)
}

/// Lets the command that is at work continue the tenants.
async fn check_there(
    context: &Context,
    config: &Config,
    at_work: &AtWork,
    tenants: Vec<String>,
    changes: AcceptChanges,
) -> Result<Exit, Failure> {
    let ask = Ask::Continue { tenants, accept_changes: changes.accept_changes };
    let runs: Vec<Continued> = at_work.ask(ask).await?;
    let logbook = read_logbook(config).await?;
    let mut exit = Exit::Done;
    for continued in runs {
        let (run, goal, summary) = (continued.run, continued.goal, continued.summary());
        started::report_on(config, &logbook, run, &summary, goal).await?.print(context)?;
        exit = started::worst(exit, started::exit_of(&summary));
    }
    Ok(exit)
}

/// Explains why a confirmation or a refusal was not recorded.
pub(crate) fn to_failure(error: OperatorError) -> Failure {
    match error {
        OperatorError::NotAsked { .. } => Failure::new(Exit::Usage, error).hint(WAITS),
        OperatorError::NoReason => Failure::new(Exit::Usage, error)
            .hint("pass `--reason` with the reason, for the next person who works on the tenant"),
        OperatorError::HasSecret(_) => {
            Failure::new(Exit::Usage, error).hint("nothing was recorded; write it without the secret")
        }
        OperatorError::Journal(JournalError::Storage { .. }) => {
            Failure::new(Exit::Failed, error).hint("nothing was recorded; run the same command again")
        }
        OperatorError::Journal(_) => {
            Failure::new(Exit::Failed, error).hint("verify the journal: flowswap audit verify")
        }
    }
}

const WAITS: &str = "list the tenants that wait for a person: flowswap next";

/// The failure for a tenant that flowswap has not started.
pub(crate) fn no_open_sheet() -> Failure {
    Failure::new(Exit::Usage, "the tenant has no open run sheet").hint(WAITS)
}
