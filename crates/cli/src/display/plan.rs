//! A plan as a reviewer reads it: each step, who carries it out, and its rollback.

use std::borrow::Borrow;

use flowswap_contract::{By, Phase, Reversibility, SentSecret, Step};
use flowswap_engine::{Outline, Plan, PlannedTenant, Severity, StepRollback, Wave, short};
use flowswap_report::{Change, TroubledTenant, command_of};
use serde_json::Value;

use super::{
    causes, count, fold_rows, show_problems, table,
    text::{Text, text},
    tone_of_severity, tone_of_verdict,
};
use crate::terminal::{Tone, paint};

/// The whole plan, with each step of each tenant.
pub(crate) fn show(plan: &Plan) -> Text {
    let mut text = Text::default();
    for tenant in &plan.tenants {
        text += &show_tenant(tenant);
        text += "\n";
    }
    text += summarize(plan, plan.tenants.iter().map(PlannedTenant::outline));
    text += text!("{} {}\n", paint(Tone::Strong, "digest:"), plan.digest);
    text
}

/// A summary of the plan with one line per tenant. Many tenants that look alike share one line, except with `each`.
pub(crate) fn list(plan: &Plan, each: bool) -> Text {
    let ids = |tenant: &PlannedTenant| {
        let findings = tenant.findings.iter().filter(|finding| finding.severity != Severity::Info);
        findings.map(|finding| finding.id.as_str()).collect::<Vec<_>>().join(", ")
    };
    let keys = plan.tenants.iter().map(|tenant| {
        let outline = tenant.outline();
        Some((tenant.verdict, tenant.steps.len(), outline.needs_person_for_rollback, ids(tenant)))
    });
    let folded = fold_rows(keys.collect(), each);
    let rows = folded.iter().map(|indices| {
        let names: Vec<&str> = indices.iter().map(|index| plan.tenants[*index].name.as_str()).collect();
        let tenant = &plan.tenants[indices[0]];
        let rollback = if tenant.steps.is_empty() {
            "-"
        } else if tenant.outline().needs_person_for_rollback {
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
    text += show_problems(plan.tenants.iter().map(TroubledTenant::of), each, |_| None);
    text + "\n" + summarize(plan, plan.tenants.iter().map(PlannedTenant::outline))
}

/// The last lines of a plan: the number of tenants, the plugins, the digest, and how long the plan is valid. The tenants of
/// `head` do not count.
pub(crate) fn summarize(head: &Plan, tenants: impl IntoIterator<Item: Borrow<Outline>>) -> Text {
    let mut attended = 0;
    let verdicts = tenants.into_iter().map(|tenant| {
        let tenant = tenant.borrow();
        attended += usize::from(tenant.needs_person_for_rollback);
        tenant.verdict
    });
    let mut text = text!("{} {}\n", paint(Tone::Strong, "tenants:"), count(verdicts));
    if !head.waves.is_empty() {
        let wave = |wave: &Wave| text!("{} ({})", wave.name, wave.tenants.len());
        text += text!("{} {}\n", paint(Tone::Strong, "waves:"), Text::join(head.waves.iter().map(wave), ", "));
    }
    if attended > 0 {
        text += text!("{} needs a person for {} of these tenants\n", paint(Tone::Strong, "rollback:"), attended);
    }
    for (name, pin) in &head.plugins {
        let sha256 = short(&pin.sha256);
        let cage = if pin.uncaged { paint(Tone::Care, " runs without a cage") } else { Text::default() };
        text += text!("{} {} {} (sha256 {}){}\n", paint(Tone::Strong, "plugin:"), name, pin.version, sha256, cage);
    }
    let by = head.made_by.iter().map(|by| text!(", made by {}", by)).collect::<Text>();
    text += text!("{} {}{}, valid until {}\n", paint(Tone::Strong, "plan:"), short(&head.digest), by, head.not_after);
    text
}

/// The steps of a rollback.
pub(crate) fn show_rollback<'a>(steps: impl IntoIterator<Item = &'a StepRollback>) -> Text {
    let mut text = Text::default();
    for step in steps {
        text += text!("    - {:<11} {} {}\n", step.step, step.action, show_reversibility(step.reversibility));
    }
    text
}

/// Where a side may send its credentials.
pub(crate) fn reach(origins: &[String], token_paths: &[String]) -> String {
    let origins = origins.join(", ");
    match token_paths {
        [] => origins,
        paths => format!("{origins}; requests for a token, also with the new secret, go to {}", paths.join(", ")),
    }
}

/// Each step of a tenant, with its rollback.
pub(crate) fn show_tenant(tenant: &PlannedTenant) -> Text {
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
    let added = Change::of_planned(tenant).map(|change| change.scopes_added).unwrap_or_default();
    if !added.is_empty() {
        let words = text!("the new client gets what the legacy client does not have: {}", added.join(", "));
        text += text!("  {}\n", paint(Tone::Care, words));
    }
    for (role, origins) in tenant.origins.iter().flatten() {
        let token_paths = tenant.token_paths.as_ref().and_then(|of_sides| of_sides.get(role));
        let reach = reach(origins, token_paths.map(Vec::as_slice).unwrap_or_default());
        text += text!("  credentials of the {} go to {}\n", role, reach);
    }
    for steps in tenant.steps.chunk_by(|step, next| command_of(step.proposal.phase) == command_of(next.proposal.phase))
    {
        text += show_steps(steps);
    }
    text += "  rollback (flowswap rollback):\n";
    text += show_rollback(tenant.way_back.iter().filter(|step| step.reversibility != Reversibility::Irreversible));
    text
}

/// The command that carries out the steps of a phase, and when.
pub(crate) fn when(phase: Phase) -> Text {
    let command = command_of(phase);
    if phase > Phase::Confirm { text!("{}, later", command) } else { text!("{}", command) }
}

/// Steps that one command carries out.
fn show_steps(steps: &[Step]) -> Text {
    let mut text = Text::default();
    text.extend(steps.iter().take(1).map(|step| text!("  {}:\n", when(step.proposal.phase))));
    for step in steps {
        let proposal = &step.proposal;
        let by = if proposal.by == By::Operator { " [by a person]" } else { "" };
        let sign = if proposal.phase.is_check() { "?" } else { "+" };
        text += text!("    {} {:<17} {}{}", sign, step.id, proposal.title, by);
        if !proposal.phase.is_check() {
            text += text!(" {}", show_reversibility(proposal.reversibility));
        }
        text += "\n";
        let aims = describe_payload(&proposal.payload.to_value());
        if !aims.is_empty() {
            text += text!("      {:<17} {}\n", "", paint(Tone::Dim, aims));
        }
        for SentSecret { input, to, at } in proposal.sends.iter().flatten() {
            text += text!("      {:<17} sends {} to {} at {}\n", "", input, to, at);
        }
        for url in &proposal.queries {
            text += text!("      {:<17} asks by POST at {}\n", "", url);
        }
        if let Some(role) = proposal.confirmed_by {
            text += text!("      {:<17} only the {} confirms this\n", "", role);
        }
    }
    text
}

/// What a step is carried out with, as the plugin gets it: `id 0oa1, label CIE Directory Sync`. A title is only words.
fn describe_payload(payload: &Value) -> String {
    let is_empty = |value: &Value| value.is_null() || value.as_array().is_some_and(Vec::is_empty);
    let members = payload.as_object().into_iter().flatten().filter(|(_, value)| !is_empty(value));
    let members = members.map(|(name, value)| match value {
        Value::String(text) => format!("{name} {text}"),
        other => format!("{name} {other}"),
    });
    members.collect::<Vec<_>>().join(", ")
}

/// Who rolls a step back, in brackets.
pub(crate) fn show_reversibility(reversibility: Reversibility) -> Text {
    let tone = match reversibility {
        Reversibility::Unattended => Tone::Good,
        Reversibility::Attended => Tone::Care,
        Reversibility::Irreversible => Tone::Bad,
    };
    text!("[{}]", paint(tone, reversibility))
}
