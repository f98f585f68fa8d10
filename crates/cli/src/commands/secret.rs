//! `flowswap secret copy`: hands a person the secret that the current run sheet asks them to paste.

use flowswap_engine::{HandoverChannel, RunId};

use super::sheet::{current_sheet, with_open_sheets};
use crate::{
    args::Select,
    clipboard::Clipboard,
    context::{Context, cannot_read, read_logbook},
    display::{tenants, text::text},
    exit::{Exit, Failure},
    hand_over::{STAY, SecretHandover, require_terminal_output},
    selection,
};

pub(crate) async fn run(context: &Context, select: &Select, print: bool) -> Result<Exit, Failure> {
    selection::require(select, false, "name the tenant; list those that wait: flowswap next")?;
    let config = context.load_config()?;
    let names = with_open_sheets(&config, &*read_logbook(&config).await?, select).await?.names;
    let [tenant] = names.as_slice() else {
        let error = format!("one secret can be copied at a time, but {} were selected", tenants(names.len()));
        return Err(Failure::new(Exit::Usage, error).hint("name one of them; list those that wait: flowswap next"));
    };
    let ports = context.run_ports(&config, context.progress()).await?;
    let recorder = ports.logbook.recorder(tenant, RunId::generate()).await.map_err(cannot_read)?;
    let history = recorder.history().map_err(cannot_read)?;
    let (question, _) = current_sheet(tenant, Some(&history))?;
    let handover = SecretHandover::prepare(tenant, question, &*ports.secrets).await?;
    if print {
        require_terminal_output()?;
        handover.record(&*recorder, ports.actor, HandoverChannel::Terminal).await?;
        handover.print()?;
        return Ok(Exit::Done);
    }
    let mut clipboard = Clipboard::open()?;
    handover.record(&*recorder, ports.actor.clone(), HandoverChannel::Clipboard).await?;
    // Release the journal, so that other commands can run while this one waits.
    drop((history, recorder, ports));
    handover.copy_to(&mut clipboard)?;
    let (label, seconds) = (&handover.label, STAY.as_secs());
    context.terminal.say(text!(
        "the secret is on the clipboard for {} s; paste it into “{}”; press Ctrl-C to remove it now",
        seconds,
        label
    ));
    tokio::select! {
        () = tokio::time::sleep(STAY) => {}
        () = context.stop.stopped() => {}
    }
    clipboard.clear()?;
    context.terminal.say("the secret is no longer on the clipboard");
    Ok(Exit::Done)
}
