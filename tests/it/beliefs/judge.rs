//! Runs the commands in a world in which beliefs are false, and compares what flowswap reports with the real state.

use std::{
    collections::BTreeMap,
    panic::{AssertUnwindSafe, catch_unwind},
    time::Duration,
};

use flowswap_engine::{Actor, Direction, Draft, Entry, Handle, HandoverChannel, Journal, RunId, TenantState};
use flowswap_sim::{
    Belief, CIE_API_HOST, CIE_AUTH_HOST, GATEWAY_HOST, Interface, Mutation, OKTA_SUFFIX, Scenario, SimConfig, SimTenant,
};
use jiff::SignedDuration;

use crate::{
    guided::person::{Form, fill_in, find_legacy_client},
    simulation::{
        dice::name,
        fate::{Fate, Source},
        machine::{Machine, START},
        operator::Goals,
        run::message,
        schedule::{Fleet, Move},
    },
};

const OPERATOR: &str = "operator";
/// How often a directory syncs.
const SYNC_EVERY: Duration = Duration::from_secs(5 * 60);
/// How many seconds the operator waits before running the same command again.
const PAUSE: u64 = 25 * 60;
/// How often the operator runs a command: long enough for events that occur once an hour.
const ROUNDS: usize = 7;
/// The same if a person acts and the tenant waits for applications.
const GUIDED_ROUNDS: usize = 12;
/// The same if the tenant failed or is stuck, so that waiting does not help.
const ROUNDS_OF_A_FAILURE: usize = 2;
/// How many seconds pass between `apply` and `finalize`.
const SOAK: u64 = 2 * 60 * 60;
/// By how many minutes events are late where a test needs the log to lag.
const NOT_YET: u64 = 4;
/// How many seconds pass before a person follows the sheet late.
const LATE: u64 = 90 * 60;
/// A client counts as in use if its directory synced within this time: the hour of a token, and the margin of
/// `finalize`.
const RECENT: SignedDuration = SignedDuration::from_mins(70);

/// The commands that follow `plan` and `apply`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Way {
    /// `finalize` and `finalize --purge`.
    Forward,
    /// `rollback`.
    Back,
    /// `finalize` and `rollback`.
    LateBack,
    /// `finalize` and `finalize --purge`, without waiting.
    Hasty,
    /// `rollback`; the person confirms it without doing anything.
    Claimed,
    /// `rollback` an hour and a half after the sheet was shown, just after the person followed it. The log does not
    /// show that yet, and the person does nothing more.
    Crossed,
}

impl Way {
    /// The ways that are possible with an interface.
    pub(crate) fn all(interface: Interface) -> &'static [Self] {
        match interface {
            Interface::Rest => &[Self::Forward, Self::Back, Self::LateBack, Self::Hasty],
            Interface::CieGuided => {
                &[Self::Forward, Self::Back, Self::LateBack, Self::Hasty, Self::Claimed, Self::Crossed]
            }
        }
    }

    fn commands(self) -> &'static [&'static str] {
        match self {
            Self::Forward | Self::Hasty => &["apply", "finalize", "purge"],
            Self::Back | Self::Claimed | Self::Crossed => &["apply", "rollback"],
            Self::LateBack => &["apply", "finalize", "rollback"],
        }
    }
}

/// Conditions that no belief excludes: by how many minutes the log is late, and clocks are ahead (negative: behind).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Weather {
    pub(crate) log_late: u64,
    pub(crate) org_ahead: i64,
    pub(crate) directory_ahead: i64,
}

/// The result of one way.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    /// The state after each command.
    pub(crate) states: Vec<(&'static str, TenantState)>,
    /// The last explanation that flowswap gave.
    pub(crate) reason: String,
    /// What flowswap reported or did wrongly.
    pub(crate) wrong: Vec<String>,
    /// How often each belief made a difference.
    pub(crate) played: BTreeMap<Belief, u32>,
    pub(crate) requests: u64,
}

/// Runs one way in a world in which these beliefs are false.
pub(crate) fn go(false_ones: &[Belief], interface: Interface, way: Way, weather: Weather) -> Outcome {
    let run = || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        let log_late = if way == Way::Crossed { weather.log_late.max(NOT_YET) } else { weather.log_late };
        runtime.block_on(World::new(false_ones, interface, Weather { log_late, ..weather }).go(way))
    };
    catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|panic| Outcome {
        wrong: vec![format!("it panicked: {}", message(panic.as_ref()))],
        ..Outcome::default()
    })
}

struct World {
    interface: Interface,
    machine: Machine,
    goals: Goals,
    before: Truth,
    outcome: Outcome,
}

/// The real state.
struct Truth {
    used: String,
    legacy: Option<String>,
    ours: Vec<String>,
    users: usize,
    groups: usize,
    silent_for: SignedDuration,
    defect: Option<String>,
}

impl World {
    fn new(false_ones: &[Belief], interface: Interface, weather: Weather) -> Self {
        let fleet = Fleet {
            seed: 7,
            tenants: vec![Scenario::Ready],
            app_data_every: 1,
            without_authorization_servers_every: 0,
            page_size: 2,
            concurrency: 1,
            orgs_ahead: 0,
            gateway_ahead: 0,
        };
        let config = SimConfig::default()
            .scenarios(fleet.tenants.clone())
            .seed(7)
            .interface(interface)
            .population(12, 4)
            .app_data_every(1)
            .without_authorization_servers_every(0)
            .scheduled_sync(SYNC_EVERY)
            // The directory syncs only on its own schedule.
            .sync_interval(Duration::from_secs(400 * 24 * 60 * 60))
            .start(START.parse().unwrap())
            .log_delay(Duration::from_secs(weather.log_late * 60))
            .skew(name(0) + OKTA_SUFFIX, SignedDuration::from_mins(weather.org_ahead));
        let of_directories = SignedDuration::from_mins(weather.directory_ahead);
        let hosts = [GATEWAY_HOST, CIE_API_HOST, CIE_AUTH_HOST];
        let config = hosts.into_iter().fold(config, |config, host| config.skew(host, of_directories));
        let config = config.without(false_ones);
        let machine = Machine::in_world(fleet, Fate::new(7, Source::Schedule(Vec::new())), config);
        let before = look(&machine);
        Self { interface, machine, goals: Goals::new(), before, outcome: Outcome::default() }
    }

    async fn go(mut self, way: Way) -> Outcome {
        self.have_a_past().await;
        self.make(&Move::Plan).await;
        for command in way.commands() {
            let (step, goal) = match *command {
                "apply" => (Move::Apply, TenantState::Swapped),
                "finalize" => (Move::Finalize, TenantState::Retired),
                "purge" => (Move::Purge, TenantState::Finalized),
                _ => (Move::Rollback { tenants: Vec::new() }, TenantState::RolledBack),
            };
            if step == Move::Finalize && way != Way::Hasty {
                wait(SOAK).await;
            }
            let rounds = if self.interface == Interface::Rest { ROUNDS } else { GUIDED_ROUNDS };
            for round in 1..=rounds {
                self.make(&step).await;
                let state = self.state();
                if state == TenantState::Waiting && (way, *command) == (Way::Crossed, "apply") {
                    self.hand_over().await;
                    wait(LATE).await;
                    self.act(false).await;
                    break;
                }
                if state == TenantState::Waiting {
                    self.act(!matches!(way, Way::Claimed | Way::Crossed)).await;
                }
                let is_waiting = !matches!(state, TenantState::Failed | TenantState::Stuck);
                if state == goal || !is_waiting && round >= ROUNDS_OF_A_FAILURE {
                    break;
                }
                wait(PAUSE).await;
            }
            let state = self.state();
            self.outcome.states.push((command, state));
        }
        let history = self.machine.history();
        let reason = history.tenants().next().and_then(|(_, tenant)| tenant.reason.clone());
        self.outcome.reason = reason.unwrap_or_default();
        self.outcome.played = self.machine.sim.false_belief_effects();
        self.outcome.requests = self.machine.watch.requests();
        self.outcome
    }

    /// Deactivates the administrator for some minutes, so that the log also has refusals.
    async fn have_a_past(&self) {
        let org = self.machine.sim.tenants()[0].domain.clone();
        for active in [false, true] {
            self.machine.sim.mutate(Mutation::SetSyncAdminActive { org: org.clone(), active }).unwrap();
            wait(PAUSE + 1).await;
            let _world = self.machine.sim.world();
        }
    }

    async fn make(&mut self, step: &Move) {
        let state = self.state();
        self.machine.make(0, step, &mut self.goals).await;
        for line in self.machine.watch.cut_off() {
            if !self.outcome.wrong.contains(&line) {
                self.outcome.wrong.push(line);
            }
        }
        if self.state() != state {
            self.judge();
        }
    }

    /// The person follows the sheet, unless it was followed before, and gives up if the connection test fails. Without
    /// `goes_back`, the person only confirms a rollback and does nothing.
    async fn act(&mut self, goes_back: bool) {
        let tenant = &self.machine.sim.tenants()[0];
        let history = self.machine.history();
        let question = history.tenants().next().and_then(|(_, tenant)| tenant.work.as_ref()?.question.clone());
        let Some(question) = question else { return };
        let used = look(&self.machine).used;
        let (flow, (client_id, client_secret)) = match question.direction {
            Direction::Forward => ("client-credential", self.service_client(tenant)),
            Direction::Back => ("auth-code", find_legacy_client(&self.machine.sim, tenant).await),
        };
        if question.direction == Direction::Forward {
            self.hand_over().await;
        }
        if used != client_id && (goes_back || question.direction == Direction::Forward) {
            let (applications, name) = (tenant.app_data, tenant.name.clone());
            let form = Form { flow, applications, client_id, client_secret, name, afterwards: None, submits: true };
            if let Err(page) = fill_in(&self.machine.sim, tenant, &tenant.directory_id, &form).await {
                assert!(page.contains("Test Connection"), "{page}");
                return;
            }
        }
        // The next step of a rollback deletes the new client, so flowswap also requires a confirmation.
        if question.direction == Direction::Back && question.claims.is_empty() {
            self.note(tenant, Entry::Confirmed { step: question.step, by: Actor::user(OPERATOR), note: None }).await;
        }
    }

    /// Gives the person the secret, once.
    async fn hand_over(&self) {
        let history = self.machine.history();
        let is_given = history.tenants().any(|(_, it)| it.work.as_ref().is_some_and(|it| !it.handed_over.is_empty()));
        if !is_given {
            let tenant = &self.machine.sim.tenants()[0];
            let (handle, by, way) = (secret_of(tenant), Actor::user(OPERATOR), HandoverChannel::Terminal);
            self.note(tenant, Entry::SecretHandedOver { handle, by, way }).await;
        }
    }

    async fn note(&self, tenant: &SimTenant, entry: Entry) {
        let (at, tenant) = (self.machine.sim.clock().now(), Some(tenant.name.clone()));
        self.machine.journal.append(vec![Draft { at, run: RunId::none(), tenant, entry }]).await.unwrap();
    }

    fn service_client(&self, tenant: &SimTenant) -> (String, String) {
        let id = self.machine.watch.live_clients(&tenant.name).pop().unwrap_or_default();
        let secret = self.machine.kept.lock().unwrap().get(&secret_of(tenant)).map(|secret| secret.expose().to_owned());
        (id, secret.unwrap_or_default())
    }

    fn state(&self) -> TenantState {
        let history = self.machine.history();
        history.tenants().next().map_or(TenantState::Unplanned, |(_, tenant)| tenant.state)
    }

    /// Records where the state that flowswap reports differs from the real state.
    fn judge(&mut self) {
        use TenantState::{Finalized, Retired, RolledBack, Swapped};
        let (state, now, before) = (self.state(), look(&self.machine), &self.before);
        let mut wrong = Vec::new();
        if matches!(state, Swapped | Retired | Finalized) {
            if !now.ours.contains(&now.used) {
                wrong.push(format!("it connects as {}, which is not the new client", now.used));
            }
            wrong.extend(now.defect);
            if now.users < before.users || now.groups < before.groups {
                wrong.push("it has lost users or groups".to_owned());
            }
            if now.silent_for > RECENT {
                wrong.push(format!("it has been silent for {:#}", now.silent_for));
            }
        }
        let is_needed = self.machine.sim.false_belief_effects().contains_key(&Belief::OneDirectoryPerLegacyClient);
        match (state, now.legacy.as_deref()) {
            (Retired | Finalized, _) if is_needed => {
                wrong.push("another directory connects as the legacy client".to_owned())
            }
            (Retired, Some("INACTIVE")) | (Finalized, None) | (RolledBack, Some("ACTIVE")) => {}
            (Retired | Finalized | RolledBack, is) => wrong.push(format!("the legacy client is {is:?}")),
            _ => {}
        }
        if state == RolledBack {
            if now.used != before.used {
                wrong.push(format!("it connects as {}, not as before", now.used));
            }
            if !now.ours.is_empty() {
                wrong.push("the new client is still there".to_owned());
            }
        }
        self.outcome.wrong.extend(wrong.into_iter().map(|why| format!("it is {state}, and {why}")));
    }
}

fn secret_of(tenant: &SimTenant) -> Handle {
    Handle::new(format!("{}/provision/client_secret", tenant.name))
}

fn look(machine: &Machine) -> Truth {
    let tenant = &machine.sim.tenants()[0];
    let world = machine.sim.world();
    let (directory, org) = (&world.directories[0], &world.orgs[0]);
    let last: jiff::Timestamp = directory.sync.last_success.parse().unwrap();
    Truth {
        used: directory.client_id.clone(),
        legacy: org.legacy.first().map(|legacy| legacy.status.clone()),
        ours: machine.watch.live_clients(&tenant.name),
        users: directory.sync.users,
        groups: directory.sync.groups,
        silent_for: machine.sim.clock().now().duration_since(last),
        defect: machine.sim.find_defect(&tenant.directory_id),
    }
}

async fn wait(seconds: u64) {
    tokio::time::sleep(Duration::from_secs(seconds)).await;
}
