//! One row of the table, and how it is run.

use std::{
    fs,
    panic::{AssertUnwindSafe, catch_unwind},
};

use flowswap_engine::Plan;
use flowswap_sim::{Fault, FaultKind, GATEWAY_HOST, Interface, SimConfig, SimTenant, diff};
use jiff::{SignedDuration, Timestamp};

use super::pages;
use crate::{
    faults::points::uniform,
    support::{Lab, Output, command, finish},
};

/// The commands that ran before the row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Stage {
    /// Nothing.
    New,
    /// Nothing; the directory is Cloud Identity Engine itself.
    NewGuided,
    /// `plan`.
    Planned,
    /// `apply`, long enough ago that the directory has synced.
    Applied,
    /// `finalize`.
    Retired,
}

/// What a row may change in the world.
#[derive(Clone, Copy)]
pub(super) enum World {
    /// Nothing.
    Unchanged,
    /// The differences that this function accepts.
    AsAllowed(fn(&[String]) -> bool),
}

/// An unexpected answer and the expected behavior.
#[derive(Clone)]
pub(super) struct Row {
    pub(super) name: &'static str,
    /// Where it was observed, or why it is possible.
    pub(super) why: &'static str,
    pub(super) stage: Stage,
    pub(super) args: &'static [&'static str],
    faults: Vec<At>,
    config: Option<fn(SimConfig) -> SimConfig>,
    prepare: Option<fn(&Lab)>,
    environment: Vec<(&'static str, &'static str)>,
    code: i32,
    says: Vec<&'static str>,
    never_says: Vec<&'static str>,
    world: World,
    state: Option<&'static str>,
}

/// A fault and its place, with placeholders that each lab fills in.
#[derive(Clone)]
pub(super) struct At {
    fault: Fault,
}

/// A fault at requests of this method (any method if empty) to a host and a path prefix, such as `{org} /api/v1/apps`.
pub(super) fn at(method: &str, place: &str, kind: FaultKind) -> At {
    let (host, path) = place.split_once(' ').unwrap_or((place, ""));
    let fault = Fault {
        host: host.to_owned(),
        method: Some(method.to_owned()).filter(|method| !method.is_empty()),
        path: path.to_owned(),
        query: String::new(),
        kind,
        times: 0,
        skip: 0,
    };
    At { fault }
}

impl At {
    pub(super) fn times(mut self, times: u32) -> Self {
        self.fault.times = times;
        self
    }

    pub(super) fn skip(mut self, skip: u32) -> Self {
        self.fault.skip = skip;
        self
    }

    pub(super) fn query(mut self, query: &str) -> Self {
        self.fault.query = query.to_owned();
        self
    }

    /// The fault with this lab's own names.
    pub(super) fn ordered(&self, lab: &Lab, tenant: &SimTenant) -> Fault {
        self.order(|text| fill(lab, tenant, text))
    }

    /// The fault with the names filled in.
    fn order(&self, fill: impl Fn(&str) -> String) -> Fault {
        let mut fault = self.fault.clone();
        (fault.host, fault.path, fault.query) = (fill(&fault.host), fill(&fault.path), fill(&fault.query));
        match &mut fault.kind {
            FaultKind::Script { headers, body, .. } => {
                *body = fill(body);
                headers.iter_mut().for_each(|(_, value)| *value = fill(value));
            }
            FaultKind::Edit { value: Some(value), .. } => {
                *value = serde_json::from_str(&fill(&value.to_string())).unwrap();
            }
            _ => {}
        }
        fault
    }
}

/// A row that expects exit code 0, any output, and an unchanged world.
pub(super) fn row(name: &'static str, why: &'static str, stage: Stage, args: &'static [&'static str]) -> Row {
    Row {
        name,
        why,
        stage,
        args,
        faults: Vec::new(),
        config: None,
        prepare: None,
        environment: Vec::new(),
        code: 0,
        says: Vec::new(),
        never_says: Vec::new(),
        world: World::Unchanged,
        state: None,
    }
}

impl Row {
    pub(super) fn fault(mut self, fault: At) -> Self {
        self.faults.push(fault);
        self
    }

    /// Changes the settings with which the world is created.
    pub(super) fn config(mut self, config: fn(SimConfig) -> SimConfig) -> Self {
        self.config = Some(config);
        self
    }

    /// Changes the world or the folder before the row runs.
    pub(super) fn prepare(mut self, prepare: fn(&Lab)) -> Self {
        self.prepare = Some(prepare);
        self
    }

    pub(super) fn environment(mut self, name: &'static str, value: &'static str) -> Self {
        self.environment.push((name, value));
        self
    }

    pub(super) fn code(mut self, code: i32) -> Self {
        self.code = code;
        self
    }

    pub(super) fn says(mut self, words: &[&'static str]) -> Self {
        self.says.extend(words);
        self
    }

    pub(super) fn never_says(mut self, words: &[&'static str]) -> Self {
        self.never_says.extend(words);
        self
    }

    pub(super) fn allowing(mut self, judge: fn(&[String]) -> bool) -> Self {
        self.world = World::AsAllowed(judge);
        self
    }

    /// The expected state of the tenant afterwards.
    pub(super) fn state(mut self, state: &'static str) -> Self {
        self.state = Some(state);
        self
    }

    fn broken(&self, why: &str) -> Played {
        Played { name: self.name, failures: vec![why.to_owned()], ..Played::default() }
    }

    /// Whether the row affects only its own tenant.
    pub(super) fn shares_its_lab(&self) -> bool {
        self.prepare.is_none() && self.config.is_none()
    }
}

/// The result of a row.
#[derive(Default)]
pub(super) struct Played {
    pub(super) name: &'static str,
    /// What went wrong.
    pub(super) failures: Vec<String>,
    /// The command, its exit code, and its output, for people to read.
    pub(super) page: String,
}

/// Runs rows of one stage in one lab, in which each has its own tenant.
pub(super) fn play(rows: &[Row]) -> Vec<Played> {
    let begun = catch_unwind(AssertUnwindSafe(|| begin(&rows[0], rows.len())));
    let play = |(index, row): (usize, &Row)| {
        let Ok(lab) = &begun else { return row.broken("its lab could not be prepared") };
        let tenant = &lab.sim.tenants()[index];
        let played = catch_unwind(AssertUnwindSafe(|| play_one(lab, tenant, row)));
        lab.sim.clear_faults();
        played.unwrap_or_else(|_| row.broken("the row panicked"))
    };
    rows.iter().enumerate().map(play).collect()
}

fn begin(row: &Row, tenants: usize) -> Lab {
    let (stage, config) = (row.stage, uniform(tenants));
    let config = row.config.map_or(config.clone(), |change| change(config));
    let lab = match stage {
        Stage::NewGuided => Lab::new(config.interface(Interface::CieGuided)),
        _ => Lab::new(config),
    };
    if stage == Stage::Planned {
        for SimTenant { name, .. } in lab.sim.tenants() {
            lab.run(&["plan", &name, "-o", &format!("{name}.json")]).expect(0);
        }
    }
    if stage >= Stage::Applied {
        lab.plan().expect(0);
        lab.run(&["apply", "plan.json", "--yes"]).expect(0);
    }
    if stage >= Stage::Applied {
        // In practice `finalize` runs later.
        lab.outlive_tokens();
    }
    if stage >= Stage::Retired {
        lab.run(&["finalize", "--all", "--yes"]).expect(0);
    }
    lab
}

fn play_one(lab: &Lab, tenant: &SimTenant, row: &Row) -> Played {
    if let Some(prepare) = row.prepare {
        prepare(lab);
    }
    for fault in &row.faults {
        lab.sim.add_fault(fault.ordered(lab, tenant));
    }
    let before = lab.sim.snapshot();
    let args: Vec<String> = row.args.iter().map(|arg| fill(lab, tenant, arg)).collect();
    let mut command = command(lab.dir(), &args.iter().map(String::as_str).collect::<Vec<_>>());
    command.envs(row.environment.iter().copied());
    let output = finish(command);
    let changes = diff(&before, &lab.sim.snapshot());
    let mut found = judge(row, &output, &changes, |text| fill(lab, tenant, text));
    for report in lab.sim.faults().into_iter().filter(|report| report.fired == 0) {
        found.push(format!("never fired: {:?}", report.fault));
    }
    lab.sim.clear_faults();
    if let Some(wanted) = row.state {
        let state = lab.states().into_iter().find_map(|(name, state)| (name == tenant.name).then_some(state));
        if state.as_deref() != Some(wanted) {
            found.push(format!("not {wanted}: {state:?}"));
        }
    }
    if !found.is_empty() {
        found.push(output.show());
    }
    Played { name: row.name, failures: found, page: pages::render(lab, tenant, row, &output) }
}

fn judge(row: &Row, output: &Output, changes: &[String], fill: impl Fn(&str) -> String) -> Vec<String> {
    let mut found = Vec::new();
    if output.code != row.code {
        found.push(format!("exit code {}, not {}", output.code, row.code));
    }
    let said = format!("{}{}", output.stdout, output.stderr);
    // The output wraps lines for the terminal.
    let flat = said.split_whitespace().collect::<Vec<_>>().join(" ");
    let is_said = |word: &str| said.contains(word) || flat.contains(word);
    found.extend(row.says.iter().map(|word| fill(word)).filter(|w| !is_said(w)).map(|w| format!("does not say: {w}")));
    found.extend(row.never_says.iter().map(|word| fill(word)).filter(|w| is_said(w)).map(|w| format!("says: {w}")));
    if said.contains("panicked") {
        found.push("panicked".to_owned());
    }
    let is_allowed = match row.world {
        World::Unchanged => changes.is_empty(),
        World::AsAllowed(judge) => judge(changes),
    };
    if !is_allowed {
        found.push(format!("the world changed: {changes:#?}"));
    }
    found
}

/// Replaces `{org}` and the other placeholders with the tenant's own names.
fn fill(lab: &Lab, tenant: &SimTenant, text: &str) -> String {
    if !text.contains('{') {
        return text.to_owned();
    }
    let org = lab.org(tenant);
    let now = lab.sim.clock().now();
    let written = |at: Timestamp| at.strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string();
    let mut text = text
        .replace("{tenant}", &tenant.name)
        .replace("{org}", &tenant.domain)
        .replace("{gateway}", GATEWAY_HOST)
        .replace("{directory}", &tenant.directory_id)
        .replace("{later}", &written(now + SignedDuration::from_mins(3)))
        .replace("{minute-ago}", &written(now - SignedDuration::from_mins(1)));
    if text == "{digest}" {
        let plan = fs::read_to_string(lab.path(&format!("{}.json", tenant.name))).unwrap();
        text = Plan::read(&plan).unwrap().digest;
    }
    if let Some(legacy) = org.legacy.first() {
        text = text.replace("{legacy-client}", &legacy.client_id).replace("{legacy}", &legacy.id);
    }
    if let Some(client) = org.service_clients.first() {
        text = text.replace("{client}", &client.id);
    }
    text
}
