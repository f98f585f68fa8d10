//! What differs between two plans, at a terminal.

use flowswap_engine::short;
use flowswap_report::{
    ChangedTenants, PlanDifference, PlanHead, PluginLine, TenantsOfClass, ValueChange, explain_finding,
};

use super::{
    causes,
    review::{list, title},
    text::{Text, text},
    tone_of_verdict,
};
use crate::terminal::{Tone, paint};

/// How many tenants of a group are shown with values of their own.
const MAX_TENANTS: usize = 12;

/// The whole difference, with lines that fit the terminal. With `each`, it has the values of each tenant.
pub(crate) fn show(difference: &PlanDifference, each: bool) -> Text {
    let mut text: Text = difference.summary.iter().map(|sentence| text!("{}\n", sentence)).collect();
    text.extend(difference.changed.iter().map(|group| show_group(group, each)));
    for (words, parts) in [
        ("new tenants:", &difference.added),
        ("tenants that are not in the new plan:", &difference.removed),
        ("classes that only the new plan has:", &difference.classes_new),
        ("classes that only the old plan has:", &difference.classes_gone),
    ] {
        if !parts.is_empty() {
            text += text!("\n{}\n", title(words));
            text.extend(parts.iter().map(show_part));
        }
    }
    text += "\n";
    for plugin in &difference.plugins {
        for (which, line) in [("old", &plugin.old), ("new", &plugin.new)] {
            let shown = line.as_ref().map_or_else(|| Text::from("none"), show_plugin);
            text += text!("{} {}\n", paint(Tone::Strong, text!("{} plugin {}:", which, plugin.name)), shown);
        }
    }
    text += show_plan("old plan:", &difference.old);
    text += show_plan("new plan:", &difference.new);
    text
}

/// Tenants that changed alike.
fn show_group(group: &ChangedTenants, each: bool) -> Text {
    let names: Vec<&str> = group.tenants.iter().map(String::as_str).collect();
    let mut text = text!("\n{}", paint(Tone::Strong, causes::subject(&names)));
    text += match &group.verdict {
        Some(moved) => {
            let verdict = |verdict| paint(tone_of_verdict(verdict), verdict);
            text!(" ({} → {})", verdict(moved.from), verdict(moved.to))
        }
        None => Text::default(),
    };
    text += match &group.class {
        Some(moved) => text!(", class {} → {}\n", short(&moved.from), short(&moved.to)),
        None => Text::from(", same class\n"),
    };
    if names.len() > 1 {
        text += text!("    {}\n", list(&names));
    }
    text.extend(group.differences.iter().map(|sentence| text!("  {}\n", sentence)));
    for (words, ids) in [("new finding", &group.findings_new), ("finding that is gone", &group.findings_gone)] {
        for id in ids {
            text += text!("  {}: {}\n", words, id);
            let meaning = explain_finding(id);
            if !meaning.is_empty() {
                text += text!("    {}\n", meaning);
            }
        }
    }
    text.extend(group.values.iter().map(|value| text!("  {}", show_value(value))));
    let shown = if each { group.own_values.len() } else { MAX_TENANTS };
    for own in group.own_values.iter().take(shown) {
        text += text!("  {}\n", own.tenant);
        text.extend(own.values.iter().map(|value| text!("    {}", show_value(value))));
    }
    let more = group.own_values.len().saturating_sub(shown);
    if more > 0 {
        text += text!("  and {} with other values of their own; `-v` shows them\n", super::tenants(more));
    }
    text
}

fn show_value(value: &ValueChange) -> Text {
    let text = |value: &Option<String>| match value {
        Some(text) => text!("{}", text),
        None => paint(Tone::Dim, "none"),
    };
    text!("{}: {} → {}\n", value.what, text(&value.old), text(&value.new))
}

fn show_part(part: &TenantsOfClass) -> Text {
    let verdict = paint(tone_of_verdict(part.verdict), part.verdict);
    text!("  class {} ({}): {}\n", short(&part.class), verdict, list(&part.tenants))
}

fn show_plugin(plugin: &PluginLine) -> Text {
    let cage = if plugin.uncaged { paint(Tone::Care, " runs without a cage") } else { Text::default() };
    text!("{} (sha256 {}){}", plugin.version, short(&plugin.sha256), cage)
}

fn show_plan(words: &'static str, plan: &PlanHead) -> Text {
    let PlanHead { digest, created_at, made_by, not_after, tenants } = plan;
    let by = made_by.iter().map(|by| text!(" by {}", by)).collect::<Text>();
    let tenants = super::tenants(*tenants);
    text!("{} {}, made at {}{}, valid until {}\n  {}\n", title(words), tenants, created_at, by, not_after, digest)
}
