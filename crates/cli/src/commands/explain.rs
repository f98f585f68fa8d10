//! `flowswap explain`: what a finding means and what to do about it.

use flowswap_engine::{EVIDENCE_RULES, RULES, Rule};
use serde::Serialize;
use serde_json::json;

use crate::{
    args::ExplainArgs,
    context::Context,
    display::{tone_of_severity, tone_of_verdict},
    exit::{Exit, Failure},
    terminal::{Tone, paint},
};

#[derive(Serialize)]
struct Page {
    id: &'static str,
    severity: flowswap_engine::Severity,
    verdict: flowswap_engine::Verdict,
    about: &'static str,
    fix: &'static str,
}

pub(crate) fn run(context: &Context, args: &ExplainArgs) -> Result<Exit, Failure> {
    let is_wanted = |rule: &&Rule| args.id.as_deref().is_none_or(|id| id == rule.id);
    let rules: Vec<&Rule> = RULES.iter().chain(EVIDENCE_RULES).filter(is_wanted).collect();
    if rules.is_empty() {
        let failure =
            Failure::new(Exit::Usage, format!("there is no finding `{}`", args.id.as_deref().unwrap_or_default()));
        return Err(failure.hint("`flowswap explain` lists all of them"));
    }
    let pages: Vec<Page> = rules
        .iter()
        .map(|r| Page { id: r.id, severity: r.severity, verdict: r.verdict, about: r.about, fix: r.fix })
        .collect();
    context.terminal.report(&json!({ "findings": pages }), || pages.iter().map(text).collect::<Vec<_>>().join("\n"))?;
    Ok(Exit::Done)
}

fn text(page: &Page) -> String {
    let severity = paint(tone_of_severity(page.severity), page.severity);
    let verdict = paint(tone_of_verdict(page.verdict), page.verdict);
    let id = paint(Tone::Strong, page.id);
    format!("{id} ({severity}; verdict at least {verdict})\n  {}\n  fix: {}\n", page.about, page.fix)
}
