//! Decides whether a run may work on a tenant at all. Whatever is not as the plan needs it is a reason to do nothing.

use std::{borrow::Cow, collections::BTreeMap};

use flowswap_contract::{self as contract, ErrorKind, Role, Step, StepProposal};
use serde_json::json;

use super::{Approval, Basis, Cause, Job, Outcome, Runner, cause::OwnWords, clocks, is_unanswered, with_hint};
use crate::{
    Direction, Goal, Inventories, PlanPart, PlannedTenant, PluginPin, TenantHistory, TenantSpec, Verdict, Work,
    canonical::compare,
    planning::{Derivation, derive},
    short,
};

/// Whether a run may work on a tenant.
type Allowed = Result<(), Objection>;

/// Why a run may not work on a tenant.
struct Objection {
    /// The reasons, one per line. Without one, it may not either.
    reasons: Vec<String>,
    /// Why a side could not be read. Other tenants may have the same cause. `None` if both sides could be read.
    unread: Option<Cause>,
}

impl From<Vec<String>> for Objection {
    fn from(reasons: Vec<String>) -> Self {
        Self { reasons, unread: None }
    }
}

impl From<String> for Objection {
    fn from(reason: String) -> Self {
        Self::from(vec![reason])
    }
}

impl Runner {
    /// Why the run does nothing for the tenant, if so, and the cause that other tenants may share.
    pub(super) async fn refuse(&self, job: &Job, history: &TenantHistory) -> Option<(Outcome, Option<Cause>)> {
        if let Some(reason) = refuse_by_rehearsal(job, history) {
            return Some((Outcome::Refused { changes: vec![reason] }, None));
        }
        if let Some(done) = already_done(job, history).or_else(|| nothing_to_take_back(job, history)) {
            return Some((done, None));
        }
        let by_history = refuse_by_history(job, history);
        if let (None, Some(reason)) = (&by_history, refuse_unapproved(job, history)) {
            return Some((Outcome::Unapproved { reason }, None));
        }
        let allowed = match by_history.or_else(|| refuse_by_plugins(job, history)) {
            Some(reason) => Err(reason.into()),
            None if is_untouched(job, history) => self.refuse_changes_since_plan(job, history).await,
            None if matches!(job.goal, Goal::Retired | Goal::Purged) => {
                self.refuse_changes_before_finalize(job, history).await
            }
            None if job.goal == Goal::RolledBack => self.refuse_changes_before_rollback(job, history).await,
            None => self.refuse_changes_of_config(job, history).await,
        };
        allowed.err().map(|Objection { reasons, unread }| match unread {
            Some(cause) => (Outcome::Unread { reason: reasons.join("; ") }, Some(cause)),
            None => (Outcome::Refused { changes: reasons }, None),
        })
    }

    /// Also refuses if a side cannot be read, or if the clocks disagree: confirmations compare times of both sides.
    async fn refuse_changes_before_finalize(&self, job: &Job, history: &TenantHistory) -> Allowed {
        self.refuse_changes_of_config(job, history).await?;
        // The confirmations judge what the sides show.
        if let Some(unread) = unreadable(&job.tenant.inspect().await, job, history) {
            return Err(unread);
        }
        clocks::disagreement(&job.tenant).map_or(Ok(()), |reason| Err(reason.into()))
    }

    /// Also refuses to begin a rollback if the directory does not answer: a rollback that cannot do its first step would be stuck.
    /// Only the directory counts. What it cannot show may still be rolled back, and it may be deleted.
    async fn refuse_changes_before_rollback(&self, job: &Job, history: &TenantHistory) -> Allowed {
        self.refuse_changes_of_config(job, history).await?;
        if history.direction == Direction::Back {
            return Ok(());
        }
        let lets_nobody_in = |kind| matches!(kind, ErrorKind::Auth | ErrorKind::Permission | ErrorKind::Interrupted);
        match job.tenant.inspect_directory().await {
            Err(error) if is_unanswered(error.kind) || lets_nobody_in(error.kind) => {
                Err(unread(Role::Directory, &error, job, history))
            }
            Ok(_) | Err(_) => Ok(()),
        }
    }

    /// Refuses a changed configuration: with it, the job could reach another org and conclude that nothing is left to do. The
    /// operator can accept changes, but never another org or another directory.
    async fn refuse_changes_of_config(&self, job: &Job, history: &TenantHistory) -> Allowed {
        let changes = config_changes(job, history);
        if changes.is_empty() {
            return Ok(());
        }
        if !job.accept_changes {
            return Err(with_advice(changes, Some(ACCEPT_OR_UNDO.to_owned())));
        }
        let Some(seen) = job.basis(history).and_then(|basis| basis.tenant.seen()) else { return Err(changes.into()) };
        let sides = job.tenant.inspect().await;
        let (Ok(provider), Ok(directory)) = (&sides.provider, &sides.directory) else {
            let mut unread = unreadable(&sides, job, history).unwrap_or_else(|| Vec::new().into());
            let why = "; so flowswap cannot see whether the changed configuration leads to the same tenant";
            unread.reasons.iter_mut().for_each(|reason| reason.push_str(why));
            return Err(unread);
        };
        let pairs = [
            ("org", &seen.provider.domain, &provider.domain),
            ("directory", &seen.directory.id, &directory.id),
            ("org of the directory", &seen.directory.domain, &directory.domain),
        ];
        let moved = pairs.into_iter().filter(|(_, before, now)| before != now);
        let moved = moved.map(|(what, before, now)| {
            format!(
                "the changed configuration leads to another {what}: {now}, not {before}; `--accept-changes` does not \
                 allow this"
            )
        });
        let moved: Vec<_> = moved.collect();
        if moved.is_empty() { Ok(()) } else { Err(moved.into()) }
    }

    /// Refuses if anything changed since the plan was made. For a tenant that flowswap has not changed yet.
    async fn refuse_changes_since_plan(&self, job: &Job, history: &TenantHistory) -> Allowed {
        let now = self.ports.clock.now();
        if let Some(part) = job.part.as_ref().or(history.part.as_ref()) {
            if let Some(ahead) = clocks::from_the_future(part.made_at, now) {
                return Err(ahead.into());
            }
            if now > part.not_after {
                let plan = name_plan(&part.plan, part.path.as_ref());
                let expired = vec![format!("plan {plan} expired at {}", part.not_after)];
                return Err(with_advice(expired, begin_again(job, history)));
            }
        }
        let Some(planned) = job.basis(history).map(|basis| basis.tenant) else { return Ok(()) };
        let Some(before) = planned.seen() else {
            return Err("the plan does not record what was seen".to_owned().into());
        };
        let sides = job.tenant.inspect().await;
        if let Some(unread) = unreadable(&sides, job, history) {
            return Err(unread);
        }
        // Its own work that has changed nothing does not count: the plan was made before it.
        let spec = TenantSpec { begun: false, rotation: planned.rotation.clone(), ..job.tenant.spec.clone() };
        let derived = derive(&job.tenant, &spec, sides, now).await;
        if let Some(Err(changes)) = derived.seen.as_ref().map(|seen| before.compare(seen)) {
            return Err(with_advice(changes, begin_again(job, history)));
        }
        refuse_what_does_not_follow(planned, &spec, &derived)
    }
}

/// What to do about a changed configuration of a tenant that flowswap has changed.
const ACCEPT_OR_UNDO: &str =
    "undo the change, or pass `--accept-changes` if it is still the same org and the same directory";

/// How to go on with work that has changed nothing, if its plan cannot be used any more. `plan` alone refuses such a tenant.
fn begin_again(job: &Job, history: &TenantHistory) -> Option<String> {
    job.work_of(history)?;
    let accept = if config_changes(job, history).is_empty() { "" } else { " --accept-changes" };
    Some(format!("flowswap has changed nothing yet: run `flowswap rollback TENANT{accept}`, and plan the tenant again"))
}

/// The reasons, and what to do about them.
fn with_advice(reasons: Vec<String>, advice: Option<String>) -> Objection {
    reasons.into_iter().chain(advice).collect::<Vec<_>>().into()
}

/// Refuses what a plan says of a tenant although it does not follow from what both sides show. Nothing that only the file says
/// is carried out.
fn refuse_what_does_not_follow(planned: &PlannedTenant, spec: &TenantSpec, derived: &Derivation) -> Allowed {
    if derived.verdict != Verdict::Ready {
        let why = derived.findings.first().map_or("", |finding| finding.message.as_str());
        return Err(format!("the tenant is {}, not ready: {why}", derived.verdict).into());
    }
    // Only the journal still has plans from before flowswap froze these.
    let steps = match &planned.origins {
        Some(_) => Cow::Borrowed(derived.steps.as_slice()),
        None => derived.steps.iter().map(without_places).collect(),
    };
    let origins = planned.origins.as_ref().and(derived.origins.as_ref());
    let token_paths = planned.token_paths.as_ref().and(derived.token_paths.as_ref());
    let PlannedTenant { app_data, provider_plugin, directory_plugin, .. } = planned;
    let claimed = json!({
        "app_data": app_data, "provider_plugin": provider_plugin, "directory_plugin": directory_plugin,
        "origins": planned.origins, "token_paths": planned.token_paths, "steps": planned.steps,
    });
    let found = json!({
        "app_data": spec.app_data, "provider_plugin": spec.provider_plugin, "directory_plugin": spec.directory_plugin,
        "origins": origins, "token_paths": token_paths, "steps": steps,
    });
    compare(&claimed, &found).map_err(|lines| {
        let line = |line| format!("the plan differs from what flowswap would plan now: {line}");
        lines.into_iter().map(line).collect::<Vec<_>>().into()
    })
}

/// The step as it was planned before flowswap froze where secrets go.
fn without_places(step: &Step) -> Step {
    let proposal = StepProposal { sends: None, queries: Vec::new(), ..step.proposal.clone() };
    Step { proposal, ..step.clone() }
}

/// The side that could not be read, and why.
fn unreadable(sides: &Inventories, job: &Job, history: &TenantHistory) -> Option<Objection> {
    let provider = sides.provider.as_ref().err().map(|error| (Role::Provider, error));
    let (role, error) = provider.or_else(|| Some((Role::Directory, sides.directory.as_ref().err()?)))?;
    Some(unread(role, error, job, history))
}

fn unread(role: Role, error: &contract::Error, job: &Job, history: &TenantHistory) -> Objection {
    let planned = job.basis(history).map(|basis| &**basis.tenant);
    let own = OwnWords::of(&job.tenant.spec, planned, job.work_of(history).map(|work| &**work));
    let reasons = vec![format!("could not read the {role} again: {}", with_hint(error))];
    Objection { reasons, unread: Some(Cause::of_inspection(role, error, &own)) }
}

/// Whether another plan has already brought the tenant to the goal of this one. Each rotation has a goal of its own.
pub(super) fn already_done(job: &Job, history: &TenantHistory) -> Option<Outcome> {
    let (part, work) = (job.part.as_ref()?, job.work_of(history)?);
    if work.plan == part.plan || part.tenant.rotation.is_some() || !job.goal.is_reached(history.state) {
        return None;
    }
    let plan = name_plan(&work.plan, history.plan_path.as_ref());
    let reason = format!("already {} by plan {plan} at {}", history.state, history.since);
    Some(Outcome::Unneeded { state: history.state, reason })
}

/// Whether a rollback has nothing left to take back, because it took a rotation back before.
fn nothing_to_take_back(job: &Job, history: &TenantHistory) -> Option<Outcome> {
    let is_done = job.goal == Goal::RolledBack && history.is_back_from_rotation();
    let reason = "its last rotation was rolled back, and what was there before it stays";
    is_done.then(|| Outcome::Unneeded { state: history.state, reason: reason.to_owned() })
}

/// A plan by its digest, and by its file if that is known.
fn name_plan(digest: &str, path: Option<&String>) -> String {
    let digest = short(digest);
    path.map_or_else(|| digest.to_owned(), |path| format!("{digest} ({path})"))
}

/// Why the journal does not allow the job, if so.
pub(super) fn refuse_by_history(job: &Job, history: &TenantHistory) -> Option<String> {
    let forward = job.goal.direction() == Direction::Forward;
    let plan = job.part.as_ref().map(|part| &part.plan);
    let why = match job.work_of(history) {
        Some(_) if forward && history.direction == Direction::Back => {
            "the tenant is being rolled back: finish the rollback first"
        }
        Some(work)
            if job.part.as_ref().is_some_and(|part| part.tenant.rotation.is_some() && work.plan != part.plan) =>
        {
            return Some(format!(
                "its client secret cannot be rotated while the tenant is {}: finish what was begun first",
                history.state
            ));
        }
        Some(work) if plan.is_some_and(|plan| work.plan != *plan) => {
            return Some(format!(
                "another plan, {}, is in progress: continue with that plan, or roll the tenant back first",
                name_plan(&work.plan, history.plan_path.as_ref())
            ));
        }
        // Also if the rollback did not reach the tenant: the person who began it expects it to happen.
        Some(_) if forward => return refuse_by_begun_rollback(history),
        Some(_) => return None,
        None if !forward => "there is nothing to roll back",
        None if plan.is_some_and(|plan| history.taken_back.contains(plan)) => {
            return Some(format!("the tenant was rolled back after plan {} was made: plan it again", name_of(job)));
        }
        None if plan.is_some_and(|plan| !job.digest_given && !history.noted_plans.contains(plan)) => {
            return Some(format!(
                "this state folder does not know plan {}: it was made with another state folder or while a run was at \
                 work, or somebody changed it; if you have reviewed it, pass its whole digest with `--digest`",
                name_of(job)
            ));
        }
        None if job.part.as_ref().is_some_and(|part| is_another_rotation(part, history)) => {
            return Some(format!(
                "the tenant has changed since plan {} was made: plan the rotation again",
                name_of(job)
            ));
        }
        None if plan.is_none() && job.goal != Goal::Swapped => "it is not migrated",
        None if plan.is_none() && history.intended_part().is_none() => "no plan is in progress: plan it first",
        None => return None,
    };
    Some(why.to_owned())
}

/// Whether another rotation has come between, or flowswap keeps another client secret than when the plan was made.
fn is_another_rotation(part: &PlanPart, history: &TenantHistory) -> bool {
    let planned = part.tenant.rotation.as_ref();
    planned.is_some_and(|rotation| *rotation != history.next_rotation(rotation.drop.clone()))
}

/// Why a rehearsal does not allow the job, or why the job cannot be one.
fn refuse_by_rehearsal(job: &Job, history: &TenantHistory) -> Option<String> {
    let name = &job.tenant.spec.name;
    let continues = job.rehearsal || job.part.is_none();
    match (&history.work, history.open_rehearsal()) {
        (Some(_), None) if job.rehearsal => Some(format!(
            "the tenant is {} already, and not for a rehearsal: only one that is not begun can be rehearsed",
            history.state
        )),
        (Some(_), Some(_)) if job.goal == Goal::RolledBack || (job.goal == Goal::Swapped && continues) => None,
        (Some(_), Some(_)) => {
            Some(format!("a rehearsal is under way: end it first, with its rollback: `flowswap rehearse {name}`"))
        }
        _ => None,
    }
}

/// Why people have not approved that the tenant is started, if so. Nobody has to approve anything else.
pub(super) fn refuse_unapproved(job: &Job, history: &TenantHistory) -> Option<String> {
    let starts = job.goal.direction() == Direction::Forward && job.work_of(history).is_none();
    match &job.approval {
        Approval::Missing(why) if starts => Some(why.clone()),
        _ => None,
    }
}

/// The plan that the job brings.
fn name_of(job: &Job) -> String {
    job.part.as_ref().map(|part| name_plan(&part.plan, part.path.as_ref())).unwrap_or_default()
}

fn refuse_by_begun_rollback(history: &TenantHistory) -> Option<String> {
    let begun = history.rollback_to_come()?;
    Some(format!(
        "a rollback that began at {} has not reached the tenant: continue it with `flowswap resume`, or give it up with \
         `flowswap resume --give-up`",
        begun.at
    ))
}

/// Refuses another build of a plugin, or another cage, unless the operator accepts it for work that was started: it may do
/// something else than what the reviewer saw.
fn refuse_by_plugins(job: &Job, history: &TenantHistory) -> Option<String> {
    let is_started = job.work_of(history).is_some();
    let (name, before, now) = changed_plugin(job, history)?;
    match is_started {
        true if job.accept_changes => None,
        true => Some(format!(
            "the work was started with another build or another cage of plugin `{name}` ({before}; now {now}): use that \
             one, or pass `--accept-changes` if you trust this one"
        )),
        false => Some(format!(
            "plugin `{name}` has not the build or not the cage that the plan was made with ({before}; now {now}): plan again"
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

/// The plugins of the tenant that will carry the work out, if one of them is another build than before, or is caged otherwise.
pub(super) fn new_builds(job: &Job, history: &TenantHistory) -> BTreeMap<String, PluginPin> {
    let spec = &job.tenant.spec;
    let used = [&spec.provider_plugin, &spec.directory_plugin];
    let before = |name: &String| job.basis(history).and_then(|basis| basis.plugins.get(name));
    if used.into_iter().all(|name| before(name) == job.plugins.get(name)) {
        return BTreeMap::new();
    }
    job.plugins.iter().filter(|(name, _)| used.contains(name)).map(|(name, pin)| (name.clone(), pin.clone())).collect()
}

/// The first plugin of the tenant that is another build than before, or is caged otherwise: its name, and both.
fn changed_plugin(job: &Job, history: &TenantHistory) -> Option<(String, String, String)> {
    let Basis { tenant, plugins, .. } = job.basis(history)?;
    let used = [&tenant.provider_plugin, &tenant.directory_plugin];
    used.into_iter().find_map(|name| {
        let (before, now) = (plugins.get(name), job.plugins.get(name));
        (before != now).then(|| (name.clone(), describe(before), describe(now)))
    })
}

fn describe(pin: Option<&PluginPin>) -> String {
    let cage = |pin: &PluginPin| if pin.uncaged { ", without a cage" } else { "" };
    let known = |pin: &PluginPin| format!("{}, sha256 {}{}", pin.version, short(&pin.sha256), cage(pin));
    pin.map_or_else(|| "unknown".to_owned(), known)
}

/// Whether a forward job has certainly changed nothing yet.
fn is_untouched(job: &Job, history: &TenantHistory) -> bool {
    let touched = |work: &Work| work.doubt.is_some() || work.done.iter().any(|done| work.changes_something(&done.id));
    job.goal.direction() == Direction::Forward && !job.work_of(history).is_some_and(|work| touched(work))
}

fn config_changes(job: &Job, history: &TenantHistory) -> Vec<String> {
    let Some(seen) = job.basis(history).and_then(|basis| basis.tenant.seen()) else { return Vec::new() };
    seen.config_changes(&job.tenant.spec)
}
