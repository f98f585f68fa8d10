//! Decides whether a run may work on a tenant at all. Whatever is not as the plan needs it is a reason to do nothing.

use std::collections::BTreeMap;

use super::{Basis, Job, Outcome, Runner, clocks, with_hint};
use crate::{Direction, Goal, PluginPin, Seen, TenantHistory, Work, short};

impl Runner {
    /// Why the run does nothing for the tenant, if so.
    pub(super) async fn refuse(&self, job: &Job, history: &TenantHistory) -> Option<Outcome> {
        if let Some(done) = already_done(job, history) {
            return Some(done);
        }
        let reasons = match refuse_by_history(job, history).or_else(|| refuse_by_plugins(job, history)) {
            Some(reason) => vec![reason],
            None if is_untouched(job, history) => self.changes_since_plan(job, history).await,
            None if matches!(job.goal, Goal::Retired | Goal::Purged) => {
                self.changes_before_finalize(job, history).await
            }
            None => changes_of_config(job, history),
        };
        (!reasons.is_empty()).then_some(Outcome::Refused { changes: reasons })
    }

    /// Also refuses if the clocks disagree: confirmations compare times of both sides.
    async fn changes_before_finalize(&self, job: &Job, history: &TenantHistory) -> Vec<String> {
        let changes = changes_of_config(job, history);
        if !changes.is_empty() {
            return changes;
        }
        // Inspects only to see the clocks of both sides. The confirmations judge everything else.
        job.tenant.inspect().await;
        clocks::disagreement(&job.tenant).into_iter().collect()
    }

    /// Refuses if anything changed since the plan was made. For a tenant that flowswap has not changed yet.
    async fn changes_since_plan(&self, job: &Job, history: &TenantHistory) -> Vec<String> {
        let now = self.ports.clock.now();
        if let Some(part) = job.part.as_ref().or(history.part.as_ref()) {
            if let Some(ahead) = clocks::from_the_future(part.made_at, now) {
                return vec![ahead];
            }
            if now > part.not_after {
                return vec![format!("the plan expired at {}", part.not_after)];
            }
        }
        let Some(before) = job.basis(history).and_then(|basis| basis.tenant.seen()) else {
            return vec!["the plan does not record what was seen".to_owned()];
        };
        let sides = job.tenant.inspect().await;
        match (sides.provider, sides.directory) {
            (Ok(provider), Ok(directory)) => before.changes_to(&Seen::new(&job.tenant.spec, provider, directory)),
            (Err(error), _) => vec![format!("could not read the provider again: {}", with_hint(&error))],
            (_, Err(error)) => vec![format!("could not read the directory again: {}", with_hint(&error))],
        }
    }
}

/// Whether another plan has already brought the tenant to the goal of this one.
fn already_done(job: &Job, history: &TenantHistory) -> Option<Outcome> {
    let (part, work) = (job.part.as_ref()?, history.work.as_ref()?);
    if work.plan == part.plan || !job.goal.is_reached(history.state) {
        return None;
    }
    let plan = format!("{}{}", short(&work.plan), in_file(history));
    let reason = format!("already {} by plan {plan} at {}", history.state, history.since);
    Some(Outcome::Unneeded { state: history.state, reason })
}

/// The file of the last plan, if it is known.
fn in_file(history: &TenantHistory) -> String {
    history.plan_path.as_ref().map(|path| format!(" ({path})")).unwrap_or_default()
}

/// Why the journal does not allow the job, if so.
pub(super) fn refuse_by_history(job: &Job, history: &TenantHistory) -> Option<String> {
    let forward = job.goal.direction() == Direction::Forward;
    let plan = job.part.as_ref().map(|part| &part.plan);
    let why = match &history.work {
        Some(work) if plan.is_some_and(|plan| work.plan != *plan) => {
            return Some(format!(
                "another plan, {}{}, is in progress: continue with that plan, or roll the tenant back first",
                short(&work.plan),
                in_file(history)
            ));
        }
        Some(_) if forward && history.direction == Direction::Back => {
            "the tenant is being rolled back: finish the rollback first"
        }
        // Also if the rollback did not reach the tenant: the person who began it expects it to happen.
        Some(_) if forward => return refuse_by_begun_rollback(history),
        Some(_) => return None,
        None if !forward => "there is nothing to roll back",
        None if plan.is_some_and(|plan| history.taken_back.contains(plan)) => {
            "the tenant was rolled back after this plan was made: plan it again"
        }
        None if plan.is_none() && job.goal != Goal::Swapped => "it is not migrated",
        None if plan.is_none() && history.intended_part().is_none() => "no plan is in progress: plan it first",
        None => return None,
    };
    Some(why.to_owned())
}

fn refuse_by_begun_rollback(history: &TenantHistory) -> Option<String> {
    let begun = history.rollback_to_come()?;
    Some(format!(
        "a rollback that began at {} has not reached the tenant: continue it with `flowswap resume`, or give it up with \
         `flowswap resume --give-up`",
        begun.at
    ))
}

/// Refuses another build of a plugin, unless the operator accepts it for work that was started: it may do something else than
/// what the reviewer saw.
fn refuse_by_plugins(job: &Job, history: &TenantHistory) -> Option<String> {
    let is_started = history.work.is_some();
    let (name, before, now) = changed_plugin(job, history)?;
    match is_started {
        true if job.accept_changes => None,
        true => Some(format!(
            "the work was started with another build of plugin `{name}` ({before}; this one is {now}): use that build, or \
             pass `--accept-changes` if you trust this one"
        )),
        false => Some(format!(
            "plugin `{name}` is not the build that the plan was made with ({before}; this one is {now}): plan again with \
             this build"
        )),
    }
}

/// What the operator accepted: another build of a plugin, and changes of the configuration.
pub(super) fn accepted_changes(job: &Job, history: &TenantHistory) -> Vec<String> {
    if !job.accept_changes {
        return Vec::new();
    }
    let plugin = changed_plugin(job, history);
    let plugin = plugin.map(|(name, before, now)| format!("plugin `{name}` was {before}, and is {now}"));
    plugin.into_iter().chain(config_changes(job, history)).collect()
}

/// The plugins of the tenant that will carry the work out, if one of them is another build than before.
pub(super) fn new_builds(job: &Job, history: &TenantHistory) -> BTreeMap<String, PluginPin> {
    if changed_plugin(job, history).is_none() {
        return BTreeMap::new();
    }
    let spec = &job.tenant.spec;
    let is_used = |name: &&String| [&spec.provider_plugin, &spec.directory_plugin].contains(name);
    job.plugins.iter().filter(|(name, _)| is_used(name)).map(|(name, pin)| (name.clone(), pin.clone())).collect()
}

/// The first plugin of the tenant that is another build than before: its name, and both builds.
fn changed_plugin(job: &Job, history: &TenantHistory) -> Option<(String, String, String)> {
    let Basis { tenant, plugins, .. } = job.basis(history)?;
    let used = [&tenant.provider_plugin, &tenant.directory_plugin];
    used.into_iter().find_map(|name| {
        let (before, now) = (plugins.get(name), job.plugins.get(name));
        let is_same = before.map(|pin| &pin.sha256) == now.map(|pin| &pin.sha256);
        (!is_same).then(|| (name.clone(), describe(before), describe(now)))
    })
}

fn describe(pin: Option<&PluginPin>) -> String {
    pin.map_or_else(|| "unknown".to_owned(), |pin| format!("{}, sha256 {}", pin.version, short(&pin.sha256)))
}

/// Whether a forward job has certainly changed nothing yet.
fn is_untouched(job: &Job, history: &TenantHistory) -> bool {
    let touched = |work: &Work| work.doubt.is_some() || work.done.iter().any(|done| work.changes_something(&done.id));
    job.goal.direction() == Direction::Forward && !history.work.as_ref().is_some_and(|work| touched(work))
}

/// Refuses a changed configuration: with it, the job could reach another org and conclude that nothing is left to do.
fn changes_of_config(job: &Job, history: &TenantHistory) -> Vec<String> {
    if job.accept_changes { Vec::new() } else { config_changes(job, history) }
}

fn config_changes(job: &Job, history: &TenantHistory) -> Vec<String> {
    let Some(seen) = job.basis(history).and_then(|basis| basis.tenant.seen()) else { return Vec::new() };
    seen.config_changes(&job.tenant.spec)
}
