//! `flowswap confirm`: records that a person carried out the run sheet, then continues the tenant at once, so that the
//! person sees whether flowswap can verify the claim.

use std::{collections::BTreeMap, sync::Arc};

use flowswap_engine::{Goal, JournalError, OperatorError};

use super::{
    sheet::{open_question, with_open_sheets},
    started::{self, RunPurpose},
    statement::Statement,
};
use crate::{
    args::ConfirmArgs,
    context::{Context, read_logbook, read_tenant},
    display::text::text,
    exit::{Exit, Failure},
    selection,
};

pub(crate) async fn run(context: &Context, args: &ConfirmArgs) -> Result<Exit, Failure> {
    selection::require(&args.select, false, "name them; list those that wait: flowswap next")?;
    let config = context.load_config()?;
    let chosen = with_open_sheets(&config, &*read_logbook(&config).await?, &args.select).await?;
    chosen.ask(context, "Confirm the run sheets of", args.yes)?;
    let names = chosen.names;
    let note = args.note.as_ref().map(|note| note.trim().to_owned()).filter(|note| !note.is_empty());
    let ports = context.run_ports(&config, context.progress()).await?;
    let logbook = Arc::clone(&ports.logbook);
    let mut steps = BTreeMap::new();
    for name in &names {
        let tenant = read_tenant(&logbook, name).await?;
        let question = open_question(name, tenant.as_ref())?;
        for claim in &question.claims {
            let claim = Statement::claim(&question.step, claim).show();
            context.terminal.say(text!("{}: {}; flowswap has not seen the change yet", name, claim));
        }
        steps.insert(name, question.step.clone());
    }
    let runner = started::runner(ports);
    let mut by_goal: BTreeMap<Goal, Vec<String>> = BTreeMap::new();
    for (name, step) in steps {
        let Some(overview) = logbook.overview(name) else { return Err(no_open_sheet()) };
        runner.confirm(name, note.clone()).await.map_err(to_failure)?;
        context.terminal.say(text!("recorded that you confirmed `{}` of {}", step, name));
        by_goal.entry(RunPurpose::of(&overview).goal).or_default().push(name.clone());
    }
    context.terminal.say("now checking what was confirmed");
    // The check is an ordinary run, so the journal must be free.
    drop((runner, logbook));
    let mut exit = Exit::Done;
    for (goal, names) in by_goal {
        let purpose = RunPurpose::to(goal).accepting(args.changes);
        exit = started::worst(exit, started::continue_tenants(context, &config, &names, Vec::new(), purpose).await?);
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
