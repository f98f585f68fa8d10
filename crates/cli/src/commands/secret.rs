//! `flowswap secret copy`: gives a person the secret that the run sheet at hand has them paste.

use flowswap_engine::HandOver;

use super::sheet::sheet_at_hand;
use crate::{
    context::Context,
    display::text::text,
    exit::{Exit, Failure},
    fleet::select,
    hand_over::{Clipboard, Handing, STAY, expect_terminal},
};

pub(crate) async fn run(context: &Context, tenant: &str, print: bool) -> Result<Exit, Failure> {
    let config = context.load_config()?;
    select(&config, &[tenant.to_owned()])?;
    let (ports, history) = context.run_ports(&config, context.progress()).await?;
    let (question, _) = sheet_at_hand(tenant, &history)?;
    let handing = Handing::prepare(tenant, question, &ports).await?;
    if print {
        expect_terminal()?;
        handing.record(&ports, HandOver::Terminal).await?;
        handing.print()?;
        return Ok(Exit::Done);
    }
    let mut clipboard = Clipboard::open()?;
    handing.record(&ports, HandOver::Clipboard).await?;
    // Others may go on while this waits.
    drop(ports);
    clipboard.put(&handing)?;
    let (label, seconds) = (&handing.label, STAY.as_secs());
    context.terminal.say(text!(
        "the secret is on the clipboard for {} s: paste it into “{}”; Ctrl-C takes it away at once",
        seconds,
        label
    ));
    tokio::select! {
        () = tokio::time::sleep(STAY) => {}
        () = context.stop.stopped() => {}
    }
    clipboard.clear()?;
    context.terminal.say("the secret is not on the clipboard any more");
    Ok(Exit::Done)
}
