//! `flowswap explain`: explains what a finding means and how to fix it.

use flowswap_config::find_nearest;
use flowswap_engine::{ACCEPTABLE, EVIDENCE_RULES, ROTATION_RULES, RULES, Rule, all_rules};
use schemars::JsonSchema;
use serde::Serialize;

use crate::{
    args::ExplainArgs,
    context::Context,
    display::{
        text::{Text, text},
        tone_of_severity, tone_of_verdict,
    },
    documents::{Document, DocumentName},
    exit::{Exit, Failure},
    terminal::{Tone, paint},
};

#[derive(Serialize, JsonSchema)]
pub(super) struct Report {
    /// The findings.
    findings: Vec<Page>,
}

impl Document for Report {
    const NAME: DocumentName = DocumentName::Explain;
}

/// What a finding means.
#[derive(Serialize, JsonSchema)]
struct Page {
    /// The id of the finding.
    id: &'static str,
    /// How much it matters.
    severity: flowswap_engine::Severity,
    /// `None` for a finding of a step's check, which has no verdict.
    verdict: Option<flowswap_engine::Verdict>,
    /// What it means.
    about: &'static str,
    /// What to do about it.
    fix: &'static str,
}

pub(crate) fn run(context: &Context, args: &ExplainArgs) -> Result<Exit, Failure> {
    let is_wanted = |rule: &&Rule| args.id.as_deref().is_none_or(|id| id == rule.id);
    let seen = RULES.iter().chain(ROTATION_RULES).filter(is_wanted).map(|rule| page(rule, Some(rule.verdict)));
    let checked = EVIDENCE_RULES.iter().filter(is_wanted).map(|rule| page(rule, None));
    let report = Report { findings: seen.chain(checked).collect() };
    if report.findings.is_empty() {
        let id = args.id.as_deref().unwrap_or_default();
        let nearest = find_nearest(id, all_rules().map(|rule| rule.id));
        let hint = nearest.map(|nearest| format!("did you mean `{nearest}`?"));
        let failure = Failure::new(Exit::Usage, format!("there is no finding `{id}`"));
        return Err(failure.hint(hint.unwrap_or_else(|| "list all findings: flowswap explain".to_owned())));
    }
    context.terminal.report(&report, || Text::join(report.findings.iter().map(text), "\n"))?;
    Ok(Exit::Done)
}

fn page(rule: &Rule, verdict: Option<flowswap_engine::Verdict>) -> Page {
    Page { id: rule.id, severity: rule.severity, verdict, about: rule.about, fix: rule.fix }
}

fn text(page: &Page) -> Text {
    let severity = paint(tone_of_severity(page.severity), page.severity);
    let verdict = match page.verdict {
        Some(verdict) => {
            let unless = if ACCEPTABLE.contains(&page.id) { ", unless `accept` has it" } else { "" };
            text!("verdict: at least {}{}", paint(tone_of_verdict(verdict), verdict), unless)
        }
        None => "from the check of a step".into(),
    };
    let id = paint(Tone::Strong, page.id);
    text!("{} ({}; {})\n  {}\n  fix: {}\n", id, severity, verdict, page.about, page.fix)
}
