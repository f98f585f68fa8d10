//! `flowswap confirm`: a person says that what was asked is done. That is a claim; the tenant goes on at once, and the
//! person sees whether it is borne out.

use flowswap_engine::{JournalError, OperatorError};

use super::{
    sheet::open_question,
    started::{self, Errand},
};
use crate::{
    args::ConfirmArgs,
    context::{Context, user},
    display::text::text,
    exit::{Exit, Failure},
    fleet::select,
};

pub(crate) async fn run(context: &Context, args: &ConfirmArgs) -> Result<Exit, Failure> {
    let config = context.load_config()?;
    let name = &args.tenant.tenant;
    select(&config, std::slice::from_ref(name))?;
    let note = args.note.as_ref().map(|note| note.trim().to_owned()).filter(|note| !note.is_empty());
    let (ports, history) = context.run_ports(&config, context.progress()).await?;
    let question = open_question(name, &history)?;
    for claim in &question.claims {
        context.terminal.say(crate::display::claim(claim));
    }
    let step = question.step.clone();
    let Some(tenant) = history.tenant(name) else { return Err(nothing_asked()) };
    let errand = Errand::of(tenant);
    let said = started::runner(ports).confirm(name, tenant, &user(), note).await;
    said.map_err(refuse)?;
    context.terminal.say(text!(
        "put down that `{}` of {} is done, by your word; looking whether it is seen",
        step,
        name
    ));
    // The runner is gone and with it the hold on the journal: the run that looks is one like any other.
    started::go_on(context, &config, std::slice::from_ref(name), false, errand).await
}

/// Why a person's word is not taken.
pub(crate) fn refuse(error: OperatorError) -> Failure {
    match error {
        OperatorError::NotAsked { .. } => Failure::new(Exit::Usage, error).hint(WAITS),
        OperatorError::NoReason => Failure::new(Exit::Usage, error).hint("say why, for whoever goes on with it"),
        OperatorError::Journal(JournalError::Storage { .. }) => {
            Failure::new(Exit::Failed, error).hint("nothing was put down; run the same command again")
        }
        OperatorError::Journal(_) => {
            Failure::new(Exit::Failed, error).hint("`flowswap audit verify` looks through the journal")
        }
    }
}

const WAITS: &str = "`flowswap next` shows what waits for whom";

/// There is no tenant of which anything could be said.
pub(crate) fn nothing_asked() -> Failure {
    Failure::new(Exit::Usage, "nobody was asked to do anything").hint(WAITS)
}
