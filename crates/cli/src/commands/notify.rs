//! `flowswap notify`: delivers the notifications that no other command could deliver, for example every minute from cron. With
//! `--test`, it only tries each target.

use std::time::Duration;

use schemars::JsonSchema;
use serde::Serialize;

use crate::{
    context::{Context, read_logbook},
    display::{
        table,
        text::{Text, text},
    },
    documents::{Document, DocumentName},
    exit::{Exit, Failure},
    notify::TargetReport,
    terminal::Tone,
};

/// How long to try.
const PATIENCE: Duration = Duration::from_secs(60);

#[derive(Serialize, JsonSchema)]
pub(super) struct Report {
    /// The targets of the configuration.
    targets: Vec<TargetReport>,
}

impl Document for Report {
    const NAME: DocumentName = DocumentName::Notify;
}

pub(crate) async fn run(context: &Context, test: bool) -> Result<Exit, Failure> {
    let config = context.load_config()?;
    if config.notify.is_empty() {
        let failure = Failure::new(Exit::Usage, "the configuration tells nobody: it has no `[[notify]]`");
        return Err(failure.hint("add one as in `migrate.toml.example`"));
    }
    let targets = if test {
        context.courier.test(&config).await
    } else {
        let logbook = read_logbook(&config).await?;
        context.courier.start(&config, &logbook);
        drop(logbook);
        let round = tokio::select! {
            round = context.courier.finish(PATIENCE) => round,
            () = context.stop.stopped() => return Ok(Exit::Interrupted),
        };
        if round.is_elsewhere {
            context.terminal.say("another flowswap process delivers the notifications now");
        }
        round.targets
    };
    let report = Report { targets };
    context.terminal.report(&report, || show(&report, test))?;
    let is_bad = |target: &TargetReport| target.left > 0 || target.refused > 0 || target.error.is_some();
    Ok(if report.targets.iter().any(is_bad) { Exit::SomeFailed } else { Exit::Done })
}

fn show(report: &Report, test: bool) -> Text {
    let rows = report.targets.iter().map(|target| {
        let error = target.error.as_deref();
        let tone = if error.is_some() { Tone::Bad } else { Tone::Good };
        let result = match (error, test) {
            (Some(error), _) => text!("{}", error),
            (None, true) => "the test message arrived".into(),
            (None, false) => "everything is delivered".into(),
        };
        [
            table::plain(&target.name),
            table::plain(target.delivered),
            table::plain(target.left),
            table::toned(tone, result),
        ]
    });
    table::render(["target", "delivered", "left", "result"], rows)
}
