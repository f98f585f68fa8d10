//! One file per command. Each has a `run` that returns the exit code or a failure.

mod abandon;
mod apply;
mod approvals;
mod approve;
mod audit;
mod cancel;
mod check;
mod client_secrets;
mod completions;
mod confirm;
#[cfg(feature = "sandbox")]
mod conformance;
mod decline;
#[cfg(feature = "sandbox")]
mod demo;
mod desk;
mod detect;
mod diff;
mod evidence;
mod explain;
mod finalize;
mod give_up;
mod halted;
mod history;
mod init;
mod joint;
mod next;
mod notify;
mod outstanding;
mod pause;
mod plan;
mod plugins;
mod recipients;
pub(crate) mod record;
mod rehearse;
mod rekey;
pub(crate) mod replay;
mod report;
mod request;
mod resolve;
mod resume;
mod rollback;
mod rotate;
mod run_report;
mod schema;
mod secret;
mod sheet;
mod show;
#[cfg(feature = "sandbox")]
mod sim;
mod stage;
mod standing;
mod started;
mod statement;
mod status;
mod stuck;
mod task;
mod unpause;
mod watch;

use crate::{
    args::{AuditCommand, Command, SecretCommand},
    context::Context,
    exit::{Exit, Failure},
};

/// Runs a command, and writes its metrics if it has a result.
pub(crate) async fn run(context: Context, command: Command) -> Result<Exit, Failure> {
    let metrics = context.metrics.clone().filter(|_| command.is_measured());
    let fail_on = context.global.fail_on.unwrap_or(command.fails_on());
    let exit = carry_out(&context, command).await?;
    let measured = match &metrics {
        Some(metrics) => metrics.write(&context).await,
        None => Ok(()),
    };
    let written = measured.and_then(|()| context.log.as_ref().map_or(Ok(()), |log| log.finish()));
    // Who reads the exit code must learn what became of the tenants first of all.
    written.map(|()| exit).map_err(|failure| match fail_on.code(exit) {
        Exit::Done => failure,
        _ => Failure { exit, ..failure },
    })
}

async fn carry_out(context: &Context, command: Command) -> Result<Exit, Failure> {
    match command {
        Command::Init => init::run(context).await,
        Command::Check(select) => check::run(context, &select).await,
        Command::Detect(args) => detect::run(context, &args).await,
        Command::Plan(args) => plan::run(context, &args).await,
        Command::Rotate(args) => rotate::run(context, &args).await,
        Command::Show(args) => show::run(context, &args).await,
        Command::Diff(args) => diff::run(context, &args),
        Command::Approve(args) => approve::run(context, &args).await,
        Command::Approvals(file) => approvals::run(context, &file),
        Command::Apply(args) => apply::run(context, &args).await,
        Command::Resume(args) => resume::run(context, &args).await,
        Command::Rehearse(args) => rehearse::run(context, &args).await,
        Command::Pause => pause::run(context).await,
        Command::Unpause => unpause::run(context).await,
        Command::Cancel => cancel::run(context).await,
        Command::Status(select) => status::run(context, &select).await,
        Command::Next(args) => next::run(context, &args).await,
        Command::Sheet(args) => sheet::run(context, &args).await,
        Command::Secret(SecretCommand::Copy { select, print }) => secret::run(context, &select, print).await,
        Command::Secret(SecretCommand::List(args)) => client_secrets::run(context, &args, false).await,
        Command::Secret(SecretCommand::Verify(args)) => client_secrets::run(context, &args, true).await,
        Command::Secret(SecretCommand::Recipients) => recipients::run(context),
        Command::Secret(SecretCommand::Rekey { yes }) => rekey::run(context, yes).await,
        Command::Confirm(args) => confirm::run(context, &args).await,
        Command::Decline(args) => decline::run(context, &args).await,
        Command::Watch(args) => watch::run(context, &args).await,
        Command::Notify { test } => notify::run(context, test).await,
        Command::Evidence(args) => evidence::run(context, &args).await,
        Command::History(args) => history::run(context, &args).await,
        Command::Report(args) => report::run(context, &args).await,
        Command::Stuck(select) => stuck::run(context, &select).await,
        Command::Resolve(args) => resolve::run(context, &args).await,
        Command::Audit(AuditCommand::Verify { online, anchors }) => audit::run(context, online, &anchors).await,
        Command::Audit(AuditCommand::Anchor { output, key }) => audit::anchor::run(context, &output, &key).await,
        Command::Audit(AuditCommand::Export(args)) => audit::export::run(context, &args).await,
        Command::Rollback(args) => rollback::run(context, &args).await,
        Command::Finalize(args) => finalize::run(context, &args).await,
        Command::Explain(args) => explain::run(context, &args),
        Command::Plugins(command) => plugins::run(context, &command).await,
        Command::Record(_) => Err(record::refuse_twice()),
        Command::Replay(args) => replay::run(context, &args).await,
        #[cfg(feature = "sandbox")]
        Command::Demo(args) => demo::run(context, &args).await,
        #[cfg(feature = "sandbox")]
        Command::Sim(args) => sim::run(context, &args).await,
        Command::Schema { document } => schema::run(context, document),
        Command::Completions { shell } => completions::run(context, shell),
    }
}
