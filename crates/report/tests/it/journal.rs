//! Records of work on tenants that the engine planned, as runs write them.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use flowswap_contract::{self as contract, ErrorKind, Evidence, EvidenceResult, Phase, RunSheet};
use flowswap_engine::{
    Actor, Direction, Draft, Entry, Goal, Handle, HandoverChannel, OutcomeCount, Plan, PlanPart, PlannedTenant,
    Position, Record, RequestOutcome, RunCommand, RunId, SignedApproval, TenantState, Verdict,
};
use flowswap_report::{Selection, WorkReader, WorkReport};
use jiff::{SignedDuration, Timestamp};

use super::fleet::{Shape, freeze, now, planned};

/// The hash of the last record of every journal here.
const HASH: [u8; 32] = [7; 32];

/// A journal that is being written.
pub(crate) struct Journal {
    pub(crate) plan: Plan,
    /// The place of each tenant in the plan.
    places: BTreeMap<String, usize>,
    pub(crate) records: Vec<Record>,
    /// The time of its last record.
    pub(crate) at: Timestamp,
    /// The run that writes now.
    run: RunId,
    runs: u8,
    /// What the end of this run counts.
    pub(crate) outcomes: Vec<OutcomeCount>,
    /// The tenants on which work began.
    begun: BTreeSet<String>,
    /// The steps that are done, with their tenants.
    done: BTreeSet<(String, String)>,
}

impl Journal {
    /// A journal in which a plan of tenants with these names was noted.
    pub(crate) fn new<'a>(names: impl IntoIterator<Item = &'a str>) -> Self {
        let plan = freeze(names.into_iter().map(|name| planned(name, Shape::Usual)).collect());
        let places = plan.tenants.iter().enumerate().map(|(place, tenant)| (tenant.name.clone(), place)).collect();
        let mut journal = Self {
            plan,
            places,
            records: Vec::new(),
            at: now(),
            run: RunId::none(),
            runs: 0,
            outcomes: Vec::new(),
            begun: BTreeSet::new(),
            done: BTreeSet::new(),
        };
        for name in journal.names() {
            let (plan, path) = (journal.plan.digest.clone(), "plan.json".to_owned());
            let by = Some(dana());
            journal.add(
                &name,
                Entry::Planned { plan, path, verdict: Verdict::Ready, findings: Vec::new(), wave: None, by },
            );
        }
        journal
    }

    /// Somebody plans the tenant again, and nobody carries that plan out. Returns its digest.
    pub(crate) fn plan_again(&mut self, name: &str) -> String {
        let (plan, path) = ("9".repeat(64), "later.json".to_owned());
        self.person(
            name,
            Entry::Planned {
                plan: plan.clone(),
                path,
                verdict: Verdict::Migrated,
                findings: Vec::new(),
                wave: None,
                by: Some(dana()),
            },
        );
        plan
    }

    pub(crate) fn names(&self) -> Vec<String> {
        self.plan.tenants.iter().map(|tenant| tenant.name.clone()).collect()
    }

    fn tenant(&self, name: &str) -> &PlannedTenant {
        &self.plan.tenants[self.places[name]]
    }

    /// Time passes.
    pub(crate) fn wait(&mut self, time: SignedDuration) {
        self.at += time;
    }

    pub(crate) fn report(&self, selection: Selection) -> WorkReport {
        let mut reader = WorkReader::new(selection, None);
        self.records.iter().for_each(|record| reader.read(record).unwrap());
        reader.into_report(Position { seq: self.records.len() as u64, hash: HASH })
    }

    fn push(&mut self, tenant: Option<&str>, entry: Entry) {
        self.at += SignedDuration::from_millis(10);
        let draft = Draft { at: self.at, run: self.run, tenant: tenant.map(str::to_owned), entry };
        self.records.push(Record { seq: self.records.len() as u64 + 1, epoch: 1, draft });
    }

    pub(crate) fn add(&mut self, tenant: &str, entry: Entry) {
        self.push(Some(tenant), entry);
    }

    /// Another run starts.
    pub(crate) fn run(&mut self, command: RunCommand) -> RunId {
        self.runs += 1;
        self.run = RunId::from_parts(u64::try_from(self.at.as_millisecond()).unwrap(), [self.runs; 10]);
        self.push(
            None,
            Entry::RunStarted {
                command,
                version: "0.1.0".to_owned(),
                by: Some(dana()),
                scope: None,
                approvals: if command == RunCommand::Apply { approvals() } else { Vec::new() },
            },
        );
        self.run
    }

    pub(crate) fn end(&mut self, interrupted: bool) {
        let outcomes = std::mem::take(&mut self.outcomes);
        self.push(None, Entry::RunEnded { interrupted, outcomes });
    }

    /// A person acts between two runs.
    pub(crate) fn person(&mut self, tenant: &str, entry: Entry) {
        let run = std::mem::replace(&mut self.run, RunId::none());
        self.add(tenant, entry);
        self.run = run;
    }

    pub(crate) fn begin(&mut self, name: &str, goal: Goal) {
        self.begin_with(name, goal, Vec::new());
    }

    /// Work begins although something has changed, which a person accepts.
    pub(crate) fn begin_with(&mut self, name: &str, goal: Goal, accepted: Vec<String>) {
        let is_first = self.begun.insert(name.to_owned());
        let part =
            is_first.then(|| PlanPart::of(&self.plan, Arc::new(self.tenant(name).clone()), None, Some("plan.json")));
        let plan = self.plan.digest.clone();
        let approvals = approvals().into_iter().map(|approval| approval.digest).filter(|_| goal == Goal::Swapped);
        let (part, approvals) = (part.map(Arc::new), approvals.collect());
        self.add(name, Entry::Intended { goal, plan: plan.clone(), part, approvals, rehearsal: false });
        let direction = goal.direction();
        let plugins = Default::default();
        self.add(name, Entry::TenantStarted { direction, plan, tenant: None, plugins, accepted });
    }

    pub(crate) fn finish(&mut self, name: &str, state: TenantState, reason: Option<&str>) {
        let reason = reason.map(str::to_owned);
        self.add(name, Entry::TenantEnded { state, reason, interrupted: false });
    }

    pub(crate) fn start(&mut self, name: &str, step: &str, direction: Direction) {
        self.add(name, Entry::StepStarted { step: step.to_owned(), direction });
    }

    /// A step starts, sends its request if it changes something, and succeeds after 90 ms.
    pub(crate) fn step(&mut self, name: &str, step: &str, direction: Direction) {
        self.start(name, step, direction);
        let phase = self.tenant(name).step(step).unwrap().proposal.phase;
        if !phase.is_check() {
            self.request(name, step, 0, direction, answered(200));
        }
        self.wait(SignedDuration::from_millis(50));
        let (outputs, evidence) = (Default::default(), evidence(name, phase, direction));
        self.add(name, Entry::StepEnded { step: step.to_owned(), direction, outputs, evidence });
        self.done.insert((name.to_owned(), step.to_owned()));
        if phase == Phase::Provision && direction == Direction::Back {
            self.add(name, Entry::SecretRemoved { handle: secret_of(name) });
        }
    }

    pub(crate) fn request(
        &mut self,
        name: &str,
        step: &str,
        request: u32,
        direction: Direction,
        outcome: Option<RequestOutcome>,
    ) {
        let makes_secret = step == "provision" && direction == Direction::Forward;
        let secrets = if makes_secret { vec![secret_of(name)] } else { Vec::new() };
        let (method, url) = ("POST".to_owned(), format!("https://{name}.okta.test/integrations/api/v1/api-services"));
        self.add(
            name,
            Entry::RequestIntended { step: step.to_owned(), request, method, url, body_sha256: None, secrets },
        );
        let Some(outcome) = outcome else { return };
        self.add(name, Entry::RequestEnded { step: step.to_owned(), request, outcome });
        if makes_secret {
            self.add(name, Entry::SecretStored { step: step.to_owned(), handle: secret_of(name) });
        }
    }

    /// A step starts and fails.
    pub(crate) fn fail(&mut self, name: &str, step: &str, error: contract::Error) {
        self.start(name, step, Direction::Forward);
        self.end_failed(name, step, error, Vec::new());
    }

    pub(crate) fn end_failed(&mut self, name: &str, step: &str, error: contract::Error, evidence: Vec<Evidence>) {
        let outputs = Default::default();
        let (step, direction) = (step.to_owned(), Direction::Forward);
        self.add(name, Entry::StepFailed { step, direction, error, evidence, outputs });
    }

    /// All steps of a phase that comes no later than this one, except those that are done.
    pub(crate) fn steps_until(&mut self, name: &str, last: Phase) {
        let steps: Vec<String> = self.tenant(name).steps_until(last).map(|step| step.id.clone()).collect();
        for step in steps {
            if !self.done.contains(&(name.to_owned(), step.clone())) {
                self.step(name, &step, Direction::Forward);
            }
        }
    }

    pub(crate) fn ask(&mut self, name: &str, step: &str) {
        let (title, proof) = ("Reconnect the directory".to_owned(), "the directory synchronizes".to_owned());
        let sheet = RunSheet { title, url: None, lines: vec![], keep: vec![], care: vec![], proof };
        self.add(
            name,
            Entry::OperatorAsked {
                step: step.to_owned(),
                direction: Direction::Forward,
                sheet: Box::new(sheet),
                owner: Some("identity-team".to_owned()),
                deadline: self.at + SignedDuration::from_hours(24),
            },
        );
    }

    pub(crate) fn hand_over(&mut self, name: &str) {
        let (handle, by, way) = (secret_of(name), dana(), HandoverChannel::Clipboard);
        self.person(name, Entry::SecretHandedOver { handle, by, way });
    }
}

/// Two people approved the plan.
fn approvals() -> Vec<SignedApproval> {
    let approval = |name: &str, digit: &str| SignedApproval {
        digest: digit.repeat(64),
        by: vec![format!("{name}@example.com")],
        key: format!("SHA256:{name}"),
        reason: "CHG-1042".to_owned(),
        envelope: "{}".to_owned(),
    };
    vec![approval("alice", "a"), approval("bob", "b")]
}

pub(crate) fn dana() -> Actor {
    Actor { user: "svc-ops".to_owned(), host: Some("laptop".to_owned()), name: Some("Dana".to_owned()) }
}

pub(crate) fn secret_of(name: &str) -> Handle {
    Handle::of_step(name, "provision", "client_secret")
}

pub(crate) fn answered(status: u16) -> Option<RequestOutcome> {
    Some(RequestOutcome::Answered { status, request_id: Some("req7ucqXvmNS777S1jUu".to_owned()) })
}

pub(crate) fn error(kind: ErrorKind, message: impl Into<String>) -> contract::Error {
    contract::Error::new(kind, message)
}

/// What a step of `flowswap demo` sees, in number and length.
fn evidence(name: &str, phase: Phase, direction: Direction) -> Vec<Evidence> {
    let pass = |check: &str, detail: String| {
        let evidence = Evidence::new(check, EvidenceResult::Pass, detail);
        evidence.by_request(Some("req4sJlhkmKbYXsEsBoo"))
    };
    let client = format!("0oa{:x<17}", name.replace('-', ""));
    if direction == Direction::Back {
        return Vec::new();
    }
    match phase {
        Phase::Provision => vec![
            pass("created", format!("integration {client} of type panw_cie_apps_sim")),
            pass("granted-scopes", "okta.apps.read okta.groups.read okta.logs.read okta.users.read".to_owned()),
        ],
        Phase::Prove => ["token", "scopes", "read-users", "read-groups", "read-authorization-servers", "read-apps"]
            .map(|check| pass(check, "okta issued a bearer token for 3600 s".to_owned()))
            .to_vec(),
        Phase::Baseline | Phase::Test | Phase::Swap => {
            vec![pass("submit", "the directory accepted the new credentials".to_owned())]
        }
        Phase::Confirm => ["flow", "client", "sync", "users", "groups", "legacy-silent"]
            .map(|check| {
                pass(check, format!("nobody has received a token as {client}")).by_event(Some("evtGBnS65Be9avIgvjif"))
            })
            .to_vec(),
        Phase::Retire | Phase::Purge => vec![pass("deactivated", format!("the app {client} is inactive"))],
    }
}
