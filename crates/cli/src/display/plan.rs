//! A plan as a reviewer reads it: each step, who carries it out, and its rollback.

use flowswap_contract::{By, Phase, Reversibility, Step};
use flowswap_engine::{Plan, PlannedTenant, Severity, StepRollback, Verdict, short};

use super::{
    TroubledTenant, causes, count, fold_rows, show_problems, table,
    text::{Text, text},
    tone_of_severity, tone_of_verdict,
};
use crate::terminal::{Tone, paint};

/// The whole plan.
pub(crate) fn show(plan: &Plan) -> Text {
    let mut text = Text::default();
    for tenant in &plan.tenants {
        text += &show_tenant(tenant);
        text += "\n";
    }
    text += summarize(plan);
    text
}

/// A summary of the plan with one line per tenant. Many tenants with the same problem share one line, except with `each`.
pub(crate) fn list(plan: &Plan, each: bool) -> Text {
    let ids = |tenant: &PlannedTenant| {
        let findings = tenant.findings.iter().filter(|finding| finding.severity != Severity::Info);
        findings.map(|finding| finding.id.as_str()).collect::<Vec<_>>().join(", ")
    };
    let keys = plan.tenants.iter().map(|tenant| {
        let is_bad = matches!(tenant.verdict, Verdict::Unknown | Verdict::Blocked);
        (is_bad && tenant.steps.is_empty()).then(|| (tenant.verdict, ids(tenant)))
    });
    let folded = fold_rows(keys.collect(), each);
    let rows = folded.iter().map(|indices| {
        let names: Vec<&str> = indices.iter().map(|index| plan.tenants[*index].name.as_str()).collect();
        let tenant = &plan.tenants[indices[0]];
        let rollback = if tenant.steps.is_empty() {
            "-"
        } else if rollback_needs_person(tenant) {
            "attended"
        } else {
            "unattended"
        };
        [
            table::plain(causes::subject(&names)),
            table::toned(tone_of_verdict(tenant.verdict), tenant.verdict),
            table::plain(tenant.steps.len()),
            table::plain(rollback),
            table::plain(ids(tenant)),
        ]
    });
    let mut text = table::render(["tenant", "verdict", "steps", "rollback", "findings"], rows);
    let troubles = plan.tenants.iter().map(|tenant| TroubledTenant {
        name: &tenant.name,
        verdict: tenant.verdict,
        findings: &tenant.findings,
        own_words: tenant.seen.iter().map(|seen| seen.provider.domain.as_str()).collect(),
    });
    text += show_problems(troubles, each);
    text + "\n" + summarize(plan)
}

/// The last lines of a plan: the number of tenants, the plugins, the digest, and how long the plan is valid.
pub(crate) fn summarize(plan: &Plan) -> Text {
    let mut text = Text::default();
    text += text!("{} {}\n", paint(Tone::Strong, "tenants:"), count(plan.tenants.iter().map(|t| t.verdict)));
    let attended = plan.ready().filter(|tenant| rollback_needs_person(tenant)).count();
    if attended > 0 {
        text += text!("{} needs a person for {} of these tenants\n", paint(Tone::Strong, "rollback:"), attended);
    }
    for (name, pin) in &plan.plugins {
        text += text!("{} {} {} (sha256 {})\n", paint(Tone::Strong, "plugin:"), name, pin.version, short(&pin.sha256));
    }
    text += text!("{} {}, valid until {}\n", paint(Tone::Strong, "plan:"), short(&plan.digest), plan.not_after);
    text
}

/// The steps of a rollback.
pub(crate) fn show_rollback<'a>(steps: impl IntoIterator<Item = &'a StepRollback>) -> Text {
    let mut text = Text::default();
    for step in steps {
        text += text!("    - {:<11} {} {}\n", step.step, step.action, reversibility(step.reversibility));
    }
    text
}

fn show_tenant(tenant: &PlannedTenant) -> Text {
    let mut text = Text::default();
    let verdict = paint(tone_of_verdict(tenant.verdict), tenant.verdict);
    text += text!("{} ({})\n", paint(Tone::Strong, &tenant.name), verdict);
    for finding in tenant.findings.iter().filter(|finding| finding.severity != Severity::Info) {
        let id = paint(tone_of_severity(finding.severity), &finding.id);
        text += text!("    {}: {}\n", id, finding.message);
    }
    if tenant.steps.is_empty() {
        text += "  nothing to do\n";
        return text;
    }
    show_steps(&mut text, "flowswap apply", tenant, |phase| phase <= Phase::Confirm);
    show_steps(&mut text, "flowswap finalize, later", tenant, |phase| phase > Phase::Confirm);
    text += "  rollback (flowswap rollback):\n";
    text += show_rollback(tenant.way_back.iter().filter(|step| step.reversibility != Reversibility::Irreversible));
    text
}

fn show_steps(text: &mut Text, title: &str, tenant: &PlannedTenant, include: fn(Phase) -> bool) {
    let steps: Vec<&Step> = tenant.steps.iter().filter(|step| include(step.proposal.phase)).collect();
    if steps.is_empty() {
        return;
    }
    *text += text!("  {}:\n", title);
    for step in steps {
        let proposal = &step.proposal;
        let by = if proposal.by == By::Operator { " [by a person]" } else { "" };
        let sign = if proposal.phase.is_check() { "?" } else { "+" };
        *text += text!("    {} {:<11} {}{}", sign, proposal.phase, proposal.title, by);
        if !proposal.phase.is_check() {
            *text += text!(" {}", reversibility(proposal.reversibility));
        }
        *text += "\n";
        if let Some(role) = proposal.confirmed_by {
            *text += text!("      {:<11} only the {} confirms this\n", "", role);
        }
    }
}

fn rollback_needs_person(tenant: &PlannedTenant) -> bool {
    tenant.way_back.iter().any(|step| step.reversibility == Reversibility::Attended)
}

fn reversibility(reversibility: Reversibility) -> Text {
    let tone = match reversibility {
        Reversibility::Unattended => Tone::Good,
        Reversibility::Attended => Tone::Care,
        Reversibility::Irreversible => Tone::Bad,
    };
    text!("[{}]", paint(tone, reversibility))
}
