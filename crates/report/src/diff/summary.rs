//! What differs between two plans, in sentences.

use super::{ChangedTenants, PlanDifference, TenantsOfClass};
use crate::{number::number, plan::PluginLine};

/// The sentences at the beginning.
pub(super) fn summarize(difference: &PlanDifference) -> Vec<String> {
    if difference.old == difference.new && difference.is_empty {
        return vec!["The two plans are the same.".to_owned()];
    }
    if difference.is_empty {
        return vec!["Nothing that matters differs.".to_owned(), "Only times and the digest are different.".to_owned()];
    }
    let mut sentences = Vec::new();
    let count = |is_one: &dyn Fn(&ChangedTenants) -> bool| -> usize {
        difference.changed.iter().filter(|group| is_one(group)).map(|group| group.tenants.len()).sum()
    };
    let listed = |parts: &[TenantsOfClass]| parts.iter().map(|part| part.tenants.len()).sum::<usize>();
    let sentence = |count: usize, one: &str, many: &str| {
        let verb = if count == 1 { one } else { many };
        (count > 0).then(|| format!("{} {verb}.", number(count, "tenant", "tenants")))
    };
    sentences.extend(sentence(listed(&difference.added), "is new", "are new"));
    sentences.extend(sentence(listed(&difference.removed), "is not in the new plan", "are not in the new plan"));
    let verdicts = count(&|group| group.verdict.is_some());
    sentences.extend(sentence(verdicts, "has another verdict", "have another verdict"));
    let classes = count(&|group| group.verdict.is_none() && group.class.is_some());
    sentences.extend(sentence(classes, "moved to another class", "moved to another class"));
    let values = count(&|group| group.class.is_none());
    let what = ["stays in its class, but its own values differ", "stay in their class, but their own values differ"];
    sentences.extend(sentence(values, what[0], what[1]));
    for plugin in &difference.plugins {
        sentences
            .extend(plugin.differences.iter().map(|difference| format!("The plugin `{}` {difference}.", plugin.name)));
    }
    if difference.is_by_another {
        sentences.push(match (&difference.old.made_by, &difference.new.made_by) {
            (Some(old), Some(new)) => format!("The new plan was made by {new}, and the old one by {old}."),
            (None, Some(new)) => format!("The new plan was made by {new}. The old one does not say who made it."),
            (old, None) => {
                let old = old.as_deref().unwrap_or_default();
                format!("The old plan was made by {old}. The new one does not say who made it.")
            }
        });
    }
    sentences.extend(difference.waves.iter().cloned());
    if difference.is_reordered {
        sentences.push("The tenants have another order. flowswap plans only the first tenant of an org.".to_owned());
    }
    sentences.extend(sentence(difference.unchanged, "is the same", "are the same"));
    sentences
}

/// How a plugin differs, each time as what follows its name.
pub(super) fn describe_plugin(old: Option<&PluginLine>, new: Option<&PluginLine>) -> Vec<String> {
    let (old, new) = match (old, new) {
        (Some(old), Some(new)) => (old, new),
        (None, Some(new)) if new.uncaged => {
            return vec!["is new".to_owned(), "runs without a cage".to_owned()];
        }
        (None, _) => return vec!["is new".to_owned()],
        (_, None) => return vec!["is no longer used".to_owned()],
    };
    let mut differences = Vec::new();
    if old.version != new.version {
        differences.push(format!("has the version {} instead of {}", new.version, old.version));
    }
    if old.sha256 != new.sha256 {
        differences.push("is another build".to_owned());
    }
    if old.uncaged != new.uncaged {
        let cage = if new.uncaged { "no longer runs in a cage" } else { "now runs in a cage" };
        differences.push(cage.to_owned());
    }
    differences
}
