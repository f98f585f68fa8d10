//! `flowswap plugins conformance`: checks a plugin against the contract.

use std::path::PathBuf;

use flowswap_conformance::{Kit, Outcome, Report};
use flowswap_host::{Cage, PluginFile};

use crate::{
    context::Context,
    display::text::{Text, text},
    documents::{Document, DocumentName},
    exit::{Exit, Failure},
    fleet::{plugin_launcher, start_plugin},
    sim_world,
    terminal::{Tone, paint},
};

impl Document for Report {
    const NAME: DocumentName = DocumentName::Conformance;
}

/// Checks the plugin in the file against the simulator, if a simulated tenant fits it.
pub(crate) async fn run(context: &Context, file: PluginFile, path: PathBuf, cage: Cage) -> Result<Exit, Failure> {
    context.terminal.say(text!("checking {}", path.display()));
    let kit = Kit::new(file.clone(), plugin_launcher(context, cage)?);
    let mut no_tenant_fits = false;
    let kit = match start_plugin(context, &file, cage, context.progress()).await {
        // The kit itself reports why the plugin does not start.
        Err(_) => kit.without_world("the plugin does not start"),
        Ok(process) => match sim_world::for_plugin(process.hello())? {
            Some(make) => kit.world(make),
            None => {
                no_tenant_fits = true;
                kit.without_world("the simulated tenant has no side with the keys of this plugin")
            }
        },
    };
    let report = kit.run().await;
    context.terminal.report(&report, || text(&report))?;
    if no_tenant_fits {
        context.terminal.say(paint(Tone::Care, warn_skipped(&report)));
    }
    Ok(if report.is_clean() { Exit::Done } else { Exit::SomeFailed })
}

/// Warns at the end of the report that skipped checks do not show that the plugin keeps the contract.
fn warn_skipped(report: &Report) -> Text {
    text!(
        "{} of {} checks did NOT run because no simulated tenant fits this plugin; the library `flowswap-conformance` runs \
         them in a world that you provide",
        report.skipped(),
        report.checks.len()
    )
}

fn text(report: &Report) -> Text {
    let mut text = Text::default();
    for check in &report.checks {
        let line = check.to_string();
        let tone = match check.outcome {
            Outcome::Passed { .. } => Tone::Good,
            Outcome::Failed(_) => Tone::Bad,
            Outcome::Skipped { .. } => Tone::Dim,
        };
        let (word, rest) = line.split_at(4);
        text += text!("{}{}\n", paint(tone, Text::of_lines(word)), Text::of_lines(rest));
    }
    text += text!("{}\n", paint(Tone::Strong, report.summary()));
    text
}
