//! `flowswap secret copy`: hands a person the secret that the current run sheet asks them to paste.

use flowswap_engine::HandoverChannel;

use super::sheet::current_sheet;
use crate::{
    context::Context,
    display::text::text,
    exit::{Exit, Failure},
    fleet::select,
    hand_over::{Clipboard, STAY, SecretHandover, require_terminal_output},
};

pub(crate) async fn run(context: &Context, tenant: &str, print: bool) -> Result<Exit, Failure> {
    let config = context.load_config()?;
    select(&config, &[tenant.to_owned()])?;
    let (ports, history) = context.run_ports(&config, context.progress()).await?;
    let (question, _) = current_sheet(tenant, &history)?;
    let handover = SecretHandover::prepare(tenant, question, &ports).await?;
    if print {
        require_terminal_output()?;
        handover.record(&ports, HandoverChannel::Terminal).await?;
        handover.print()?;
        return Ok(Exit::Done);
    }
    let mut clipboard = Clipboard::open()?;
    handover.record(&ports, HandoverChannel::Clipboard).await?;
    // Release the journal, so that other commands can run while this one waits.
    drop(ports);
    clipboard.put(&handover)?;
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
