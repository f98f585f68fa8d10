//! The waves of a plan as `apply` carries them out: which comes next, and why one does not begin.

use std::collections::{BTreeMap, BTreeSet};

use flowswap_config::find_nearest;
use flowswap_engine::{Clock, Course, Direction, Gate, Overview, Plan, PlanFile, Requirement, TenantState, Time, Wave};
use flowswap_host::quoted;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

use super::{
    joint, rehearse,
    status::{next_command, plan_again},
};
use crate::{
    args::ApplyArgs,
    context::SystemClock,
    display::{
        self, causes,
        text::{Text, text},
    },
    exit::{Exit, Failure},
    full_command,
};

/// A part of a plan's tenants that one run carries out.
pub(super) struct Stage<'a> {
    /// The wave, with its place in the plan. `None` if the plan has no waves.
    pub(super) wave: Option<(usize, &'a Wave)>,
    /// The selected tenants.
    pub(super) names: Vec<String>,
}

/// The stages of a plan for the selected tenants, up to the one to hold after.
pub(super) fn stages<'a>(plan: &'a Plan, names: &[String], args: &ApplyArgs) -> Result<Vec<Stage<'a>>, Failure> {
    let last = args.hold_after.as_deref().map(|name| find_wave(plan, name)).transpose()?;
    if plan.waves.is_empty() {
        return Ok(vec![Stage { wave: None, names: names.to_vec() }]);
    }
    let selected: BTreeSet<&String> = names.iter().collect();
    let waves = plan.waves.iter().enumerate().take(last.map_or(usize::MAX, |last| last + 1));
    let stages = waves.map(|(index, wave)| {
        let names = wave.tenants.iter().filter(|name| selected.contains(name)).cloned().collect();
        Stage { wave: Some((index, wave)), names }
    });
    Ok(stages.filter(|stage| !stage.names.is_empty()).collect())
}

fn find_wave(plan: &Plan, name: &str) -> Result<usize, Failure> {
    let names = || plan.waves.iter().map(|wave| wave.name.as_str());
    if let Some(index) = names().position(|wave| wave == name) {
        return Ok(index);
    }
    let failure = Failure::new(Exit::Usage, format!("the plan has no wave `{name}`"));
    let list = names().collect::<Vec<_>>().join(", ");
    Err(failure.hint(match find_nearest(name, names()) {
        Some(nearest) => format!("did you mean `{nearest}`?"),
        None if list.is_empty() => "it has no waves; see `[[wave]]` in `migrate.toml.example`".to_owned(),
        None => format!("its waves are {list}"),
    }))
}

/// The tenants on which the command can work at most: those that are left in the waves that can begin before it ends.
pub(super) fn within_reach<'s>(
    stages: &'s [Stage<'_>],
    plan: &PlanFile,
    known: &BTreeMap<String, Overview>,
    args: &ApplyArgs,
) -> BTreeSet<&'s String> {
    // What was rolled back must be planned again, and what is on its way back must arrive.
    let is_refused = |tenant: &Overview| {
        tenant.taken_back.contains(&plan.head().digest)
            || (tenant.plan.is_some() && tenant.direction == Direction::Back && !tenant.is_swapped_for_good())
    };
    // A rotation begins where a migration is over.
    let rotating: BTreeSet<&String> = plan.outlines().filter(|it| it.rotates).map(|it| &it.name).collect();
    let is_to_rotate =
        |name: &String, tenant: &Overview| rotating.contains(name) && tenant.plan.as_ref() != Some(&plan.head().digest);
    // At best, every wave ends with all of its other tenants swapped.
    let mut at_best = known.clone();
    let mut reached = BTreeSet::new();
    for (index, stage) in stages.iter().enumerate() {
        if !stage.is_done(&at_best) && stage.hold(plan, &stages[..index], &at_best, args).is_some() {
            break;
        }
        let is_over = |name: &String, tenant: &Overview| {
            is_refused(tenant) || (tenant.is_swapped_for_good() && !is_to_rotate(name, tenant))
        };
        let is_left = |name: &&String| !known.get(*name).is_some_and(|tenant| is_over(name, tenant));
        reached.extend(stage.names.iter().filter(is_left));
        for name in stage.names.iter().filter(|name| !known.get(*name).is_some_and(is_refused)) {
            let tenant = at_best.entry(name.clone()).or_insert_with(|| Overview::unplanned(SystemClock.now()));
            tenant.rehearsal = None;
            if !tenant.state.is_swapped_or_later() {
                tenant.state = TenantState::Swapped;
                tenant.swapped_at = Some(SystemClock.now());
            }
        }
    }
    reached
}

/// The waves in which these tenants are, as `` of the wave `canary` ``. Nothing if the plan has no waves.
pub(super) fn name_waves(stages: &[Stage<'_>], tenants: &BTreeSet<&String>) -> String {
    let begins = |stage: &&Stage<'_>| stage.names.iter().any(|name| tenants.contains(name));
    let waves = stages.iter().filter(begins).filter_map(|stage| Some(format!("`{}`", stage.wave?.1.name)));
    match waves.collect::<Vec<_>>().as_slice() {
        [] => String::new(),
        [only] => format!(" of the wave {only}"),
        [first, second] => format!(" of the waves {first} and {second}"),
        more => format!(" of {} waves", more.len()),
    }
}

/// Why the first stage that is left does not begin.
pub(super) fn find_held(
    stages: &[Stage<'_>],
    plan: &PlanFile,
    known: &BTreeMap<String, Overview>,
    args: &ApplyArgs,
) -> Option<Held> {
    let left = stages.iter().enumerate().find(|(_, stage)| !stage.is_done(known));
    left.and_then(|(index, stage)| stage.hold(plan, &stages[..index], known, args))
}

impl Stage<'_> {
    /// Whether all of its tenants are where a plan takes them.
    pub(super) fn is_done(&self, known: &BTreeMap<String, Overview>) -> bool {
        let is_done = |name: &String| known.get(name).is_some_and(Overview::is_swapped_for_good);
        self.wave.is_some() && self.names.iter().all(is_done)
    }

    /// Why it does not begin yet. `None` if it may. `earlier` are the stages of the same command that came before.
    pub(super) fn hold(
        &self,
        plan: &PlanFile,
        earlier: &[Stage<'_>],
        known: &BTreeMap<String, Overview>,
        args: &ApplyArgs,
    ) -> Option<Held> {
        let (index, wave) = self.wave?;
        let is_begun =
            |name: &String| known.get(name).is_some_and(|tenant| tenant.plan.as_ref() == Some(&plan.head().digest));
        // What was started goes on: a run that was cut off may have begun any wave.
        if self.names.iter().all(is_begun) {
            return None;
        }
        let gate = if args.select.waves.contains(&wave.name) {
            // A person opened it, but did not know how the waves before it would end.
            Gate::behind(earlier.iter().flat_map(|stage| &stage.names), known)
        } else {
            match Gate::of(&plan.head().waves, index, known, SystemClock.now()) {
                // A person opened the wave before. What did not begin then must not wait for that again.
                Gate::At(_) | Gate::ByHand if wave.tenants.iter().any(is_begun) => Gate::Open,
                gate => gate,
            }
        };
        // The rehearsal that is under way comes first. It may be the one that is missing. One of a later wave holds nothing.
        let is_rehearsing =
            |tenant: &Overview| tenant.rehearsal.as_ref().is_some_and(|it| it.plan == plan.head().digest);
        let so_far = plan.head().waves.iter().take(index + 1).flat_map(|wave| &wave.tenants);
        let rehearsing = so_far.filter(|name| known.get(*name).is_some_and(is_rehearsing));
        let rehearsing: Vec<&str> = rehearsing.map(String::as_str).collect();
        let going_on =
            (!rehearsing.is_empty()).then(|| full_command::of(format!("flowswap rehearse {}", rehearsing.join(" "))));
        if gate != Gate::Open {
            let held = Held::new(wave, self.names.len(), &gate, args);
            let catching_up = || catch_up(&gate, known, args);
            let next = going_on.or_else(catching_up).unwrap_or_else(|| held.next.clone());
            return Some(Held { next, ..held }.unless_expired(plan.head(), &self.names));
        }
        let Some(Requirement::Rehearsal) = wave.requires else { return None };
        let missing = self.find_unrehearsed(plan, known);
        let like = missing.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(" or ");
        (!missing.is_empty()).then(|| {
            let held = Held::new(wave, self.names.len(), &Gate::Open, args);
            let reason = if missing.iter().all(|name| rehearsing.contains(name)) {
                format!("the rehearsal of {like} is not finished")
            } else {
                format!("nobody has rehearsed a tenant like {like} with these plugins")
            };
            let next = going_on.unwrap_or_else(|| full_command::of(rehearse::command(&missing, &args.file.plan)));
            Held { reason, next, ..held }.unless_expired(plan.head(), &self.names)
        })
    }

    /// Of its tenants, the first of each kind that nobody has rehearsed.
    fn find_unrehearsed(&self, plan: &PlanFile, known: &BTreeMap<String, Overview>) -> Vec<&str> {
        let rehearsed = known.values().filter_map(|tenant| Some(tenant.rehearsed.as_ref()?.course.clone()));
        let mut seen: Vec<Course> = rehearsed.collect();
        let is_new = |name: &&String| {
            let Some(part) = plan.part(name, "") else { return false };
            let course = Course::of(&part.tenant, &part.plugins);
            let is_new = !seen.contains(&course);
            if is_new {
                seen.push(course);
            }
            is_new
        };
        self.names.iter().filter(is_new).map(String::as_str).collect()
    }

    /// It does not begin, because the run of the stage before it stopped by itself.
    pub(super) fn held_by_stop(&self, plan: &Plan, before: &Stage<'_>, args: &ApplyArgs) -> Option<Held> {
        let ((_, wave), (_, before)) = (self.wave?, before.wave?);
        let reason = format!("the run of the wave `{}` stopped", before.name);
        let held = Held::new(wave, self.names.len(), &Gate::Open, args);
        Some(Held { reason, next: full_command::of(apply(args)), ..held }.unless_expired(plan, &self.names))
    }
}

/// The command for the tenants of earlier waves that the same plan does not take any further.
fn catch_up(gate: &Gate, known: &BTreeMap<String, Overview>, args: &ApplyArgs) -> Option<String> {
    let Gate::Behind(behind) = gate else { return None };
    let same = full_command::of(apply(args));
    let commands = behind.iter().filter_map(|(name, _)| {
        let command = full_command::of(next_command(name, known.get(name)?)?);
        (command != same).then_some((name.as_str(), command))
    });
    let commands: Vec<(&str, String)> = commands.collect();
    joint::join(&commands.iter().map(|(name, command)| (*name, command.as_str())).collect::<Vec<_>>())
}

/// The command that goes on with the plan.
fn apply(args: &ApplyArgs) -> String {
    format!("flowswap apply {}", quoted(&args.file.plan))
}

/// A wave that does not begin yet.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Held {
    /// The name of the wave.
    wave: String,
    /// How many tenants it has.
    tenants: usize,
    /// When it opens, if nothing happens until then.
    #[schemars(with = "Option<Time>")]
    opens_at: Option<Timestamp>,
    /// Why it does not begin.
    reason: String,
    /// The command that goes on.
    next: String,
}

impl Held {
    fn new(wave: &Wave, tenants: usize, gate: &Gate, args: &ApplyArgs) -> Self {
        let (apply, by_hand) = (apply(args), format!("{} --wave {}", apply(args), wave.name));
        let (opens_at, reason, next) = match gate {
            Gate::At(at) => (Some(*at), format!("it opens at {at}"), apply),
            Gate::Behind(behind) => {
                let reason = format!("{}; `--wave {}` begins it all the same", describe_behind(behind), wave.name);
                (None, reason, apply)
            }
            Gate::ByHand | Gate::Open => (None, "it is opened by hand".to_owned(), by_hand),
        };
        Self { wave: wave.name.clone(), tenants, opens_at, reason, next: full_command::of(next) }
    }

    /// The same, but a plan that has expired starts nothing any more, so only another plan goes on.
    fn unless_expired(self, plan: &Plan, names: &[String]) -> Self {
        if SystemClock.now() <= plan.not_after {
            return self;
        }
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let reason = format!("the plan expired at {}; {}", plan.not_after, self.reason);
        Self { opens_at: None, reason, next: full_command::of(plan_again(&names)), ..self }
    }

    /// A line about it.
    pub(super) fn show(&self) -> Text {
        let tenants = display::tenants(self.tenants);
        text!("the wave `{}` ({}) does not begin: {}\nnext: {}\n", self.wave, tenants, self.reason, self.next)
    }
}

/// Which tenants of the waves before are not swapped, by their states.
fn describe_behind(behind: &[(String, TenantState)]) -> String {
    let states = causes::list_states(behind.iter().map(|(name, state)| (name.as_str(), *state)));
    format!("tenants of earlier waves are not swapped yet: {}", states.into_string())
}
