//! `flowswap secret copy`: hands a person the secret that the current run sheet asks them to paste.

use flowswap_engine::{HandoverChannel, Ports, Runner};

use super::{
    sheet::{current_sheet, with_open_sheets},
    started,
};
use crate::{
    args::Select,
    clipboard::Clipboard,
    context::{Context, Writer, cannot_read, read_logbook, read_tenant},
    display::{tenants, text::text},
    door::Ask,
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
    let writer = context.ports_or_door(&config, context.progress()).await?;
    let handover = match &writer {
        Writer::Here(ports) => prepare(ports, tenant).await?,
        Writer::AtWork(_) => {
            let ports = context.read_only_ports(&config, context.progress()).await?;
            prepare(&ports, tenant).await?
        }
    };
    let mut clipboard = if print { None } else { Some(Clipboard::open()?) };
    if print {
        require_terminal_output()?;
    }
    let way = if print { HandoverChannel::Terminal } else { HandoverChannel::Clipboard };
    // Afterwards the journal is free, so that other commands can run while this one waits.
    match writer {
        Writer::Here(ports) => record(&started::runner(*ports), tenant, way).await?,
        Writer::AtWork(at_work) => at_work.ask(Ask::HandOver { tenant: tenant.clone(), way }).await?,
    }
    let Some(clipboard) = &mut clipboard else { return handover.print().map(|()| Exit::Done) };
    handover.copy_to(clipboard)?;
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

/// Records that a person gets the secret of a tenant's run sheet.
pub(super) async fn record(runner: &Runner, tenant: &str, way: HandoverChannel) -> Result<(), Failure> {
    let ports = runner.ports();
    let recorder = ports.logbook.recorder_to_join(tenant, runner.id()).await.map_err(cannot_read)?;
    prepare(ports, tenant).await?.record(&*recorder, ports.actor.clone(), way).await
}

/// The secret that the run sheet of the tenant names.
async fn prepare(ports: &Ports, tenant: &str) -> Result<SecretHandover, Failure> {
    let history = read_tenant(&ports.logbook, tenant).await?;
    let (question, _) = current_sheet(tenant, history.as_ref())?;
    SecretHandover::prepare(tenant, question, &*ports.secrets).await
}
