//! A plan as a reviewer reads it: what is done, by whom, and how it is taken back.

use flowswap_contract::{By, Phase, Reversibility, Step};
use flowswap_engine::{Plan, PlannedTenant, Severity, Verdict, WayBack};

use super::{
    Trouble, causes, count, fold_rows, show_troubles, table,
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

/// A line for each tenant: what a plan amounts to, where every step would be too much. Many that fared the same and badly
/// are one line, but not with `each`.
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
        let way_back = match needs_person_back(tenant) {
            _ if tenant.steps.is_empty() => "-",
            true => "attended",
            false => "unattended",
        };
        [
            table::plain(causes::whom(&names)),
            table::toned(tone_of_verdict(tenant.verdict), tenant.verdict),
            table::plain(tenant.steps.len()),
            table::plain(way_back),
            table::plain(ids(tenant)),
        ]
    });
    let mut text = table::render(["tenant", "verdict", "steps", "way back", "findings"], rows);
    let troubles = plan.tenants.iter().map(|tenant| Trouble {
        name: &tenant.name,
        verdict: tenant.verdict,
        findings: &tenant.findings,
        own: tenant.seen.iter().map(|seen| seen.provider.domain.as_str()).collect(),
    });
    text += show_troubles(troubles, each);
    text + "\n" + summarize(plan)
}

/// The last lines of a plan: how many, until when, by which code, under which name.
pub(crate) fn summarize(plan: &Plan) -> Text {
    let mut text = Text::default();
    text += text!("{} {}\n", paint(Tone::Strong, "tenants:"), count(plan.tenants.iter().map(|t| t.verdict)));
    let attended = plan.ready().filter(|tenant| needs_person_back(tenant)).count();
    if attended > 0 {
        text += text!("{} rolling back needs a person for {} of them\n", paint(Tone::Strong, "way back:"), attended);
    }
    for (name, pin) in &plan.plugins {
        text += text!("{} {} {} (sha256 {})\n", paint(Tone::Strong, "plugin:"), name, pin.version, short(&pin.sha256));
    }
    text += text!("{} {}, good until {}\n", paint(Tone::Strong, "plan:"), short(&plan.digest), plan.not_after);
    text
}

/// The beginning of a digest: enough to tell two apart by eye.
pub(crate) fn short(digest: &str) -> &str {
    digest.get(..12).unwrap_or(digest)
}

/// What going back consists of.
pub(crate) fn show_way_back<'a>(way_back: impl IntoIterator<Item = &'a WayBack>) -> Text {
    let mut text = Text::default();
    for step in way_back {
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
        text += "  nothing will be done\n";
        return text;
    }
    show_steps(&mut text, "flowswap apply", tenant, |phase| phase <= Phase::Confirm);
    show_steps(&mut text, "flowswap finalize, later", tenant, |phase| phase > Phase::Confirm);
    text += "  way back (flowswap rollback):\n";
    text += show_way_back(tenant.way_back.iter().filter(|step| step.reversibility != Reversibility::Irreversible));
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
            *text += text!("      {:<11} confirmed by the {} alone\n", "", role);
        }
    }
}

fn needs_person_back(tenant: &PlannedTenant) -> bool {
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
