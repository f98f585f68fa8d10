//! `flowswap confirm`: records that a person carried out the run sheet, then continues the tenant at once, so that the
//! person sees whether flowswap can verify the claim.

use flowswap_engine::{JournalError, OperatorError};

use super::{
    sheet::open_question,
    started::{self, RunPurpose},
    statement::Statement,
};
use crate::{
    args::ConfirmArgs,
    context::{Context, read_tenant},
    display::text::text,
    exit::{Exit, Failure},
    fleet::select_one,
};

pub(crate) async fn run(context: &Context, args: &ConfirmArgs) -> Result<Exit, Failure> {
    let config = context.load_config()?;
    let name = &args.tenant.tenant;
    select_one(&config, name).await?;
    let note = args.note.as_ref().map(|note| note.trim().to_owned()).filter(|note| !note.is_empty());
    let ports = context.run_ports(&config, context.progress()).await?;
    let tenant = read_tenant(&ports.logbook, name).await?;
    let question = open_question(name, tenant.as_ref())?;
    for claim in &question.claims {
        let claim = Statement::claim(&question.step, claim).show();
        context.terminal.say(text!("{}; flowswap has not seen the change yet", claim));
    }
    let step = question.step.clone();
    let Some(overview) = ports.logbook.overview(name) else { return Err(no_open_sheet()) };
    let purpose = RunPurpose::of(&overview).accepting(args.changes);
    started::runner(ports).confirm(name, note).await.map_err(to_failure)?;
    context.terminal.say(text!("recorded that you confirmed `{}` of {}; now checking it", step, name));
    // The runner has released the journal, so the check can be an ordinary run.
    started::continue_tenants(context, &config, std::slice::from_ref(name), Vec::new(), purpose).await
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
