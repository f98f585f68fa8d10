//! A handmade journal with one tenant for every kind of waiting. Its times are fixed, so that the reports about it are
//! too.

use std::{fs, path::Path, sync::Arc};

use flowswap_contract::{
    By, Error, ErrorKind, Evidence, EvidenceResult as R, Handle, Phase, Reversibility, Role, RunSheet, SheetAct as A,
    SheetLine, Step, StepProposal, Values,
};
use flowswap_engine::{
    Actor, Direction, Draft, Entry, HandoverChannel, Journal, PlannedTenant, RequestOutcome, RunCommand, RunId, Secret,
    SecretStore, StepRollback, TenantState as S, Verdict,
};
use flowswap_store::{AgeSecretStore, Identity, SqliteJournal, StateDir};
use jiff::Timestamp;
use serde_json::json;
use tempfile::TempDir;

use crate::support::{Output, clock, run_in};

/// The secret in the secret store, which must appear only where a person asked for it.
pub(super) const CANARY: &str = "kQ7-canary-Zx93_do-not-show";

/// A folder with the journal, its configuration, and its secret store.
pub(super) struct Story {
    dir: TempDir,
}

impl Story {
    /// The story, read some time after it happened.
    pub(super) fn new() -> Self {
        Self::write(String::new())
    }

    /// The story, read in the morning six days later, whenever the test runs.
    pub(super) fn six_days_later() -> Self {
        Self::write(clock::simulation_at("2026-03-07T07:00:30Z"))
    }

    /// Writes the configuration, the journal, and the secret store.
    fn write(mut toml: String) -> Self {
        let dir = crate::support::folder();
        let names = ["acme", "globex", "initech", "umbrella", "hooli", "stark"];
        toml += "[defaults]\nprovider = { plugin = \"okta\", domain = \"{name}.okta.test\" }\n\
                        directory = { plugin = \"rest\" }\n";
        for name in names {
            toml += &format!("[[tenant]]\nname = \"{name}\"\n");
        }
        fs::write(dir.path().join("migrate.toml"), toml).unwrap();
        let state = StateDir::create(dir.path().join(".flowswap")).unwrap();
        Identity::generate(&state.root().join("identity.txt"), None).unwrap();
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(async {
            let identity = Identity::load(&state.root().join("identity.txt")).unwrap();
            let secrets = AgeSecretStore::open(state.secrets(), identity).unwrap();
            secrets.put(&client_secret("acme"), &Secret::new(CANARY)).await.unwrap();
            let journal = SqliteJournal::open(&state.journal()).unwrap();
            for draft in tell() {
                journal.append(vec![draft]).await.unwrap();
            }
        });
        Self { dir }
    }

    pub(super) fn dir(&self) -> &Path {
        self.dir.path()
    }

    #[must_use]
    pub(super) fn run(&self, line: &str) -> Output {
        run_in(self.dir(), &line.split_whitespace().collect::<Vec<_>>())
    }
}

fn client_secret(tenant: &str) -> Handle {
    Handle::new(format!("{tenant}/provision/client_secret"))
}

/// All records of the journal.
fn tell() -> Vec<Draft> {
    let mut teller = StoryWriter::new();
    teller.tell(
        None,
        Entry::RunStarted {
            command: RunCommand::Apply,
            version: "0.1.0".to_owned(),
            by: None,
            scope: None,
            approvals: Vec::new(),
        },
    );

    // Waits for dana beyond the deadline; erik confirmed the step.
    teller.until_asked("acme", Some("dana"), "2026-03-04T08:00:00Z");
    teller.end("acme", S::Waiting, "dana must act: Reconnect the directory acme");
    // Waits for anybody; the deadline has not passed.
    teller.until_asked("globex", None, "2999-01-01T00:00:00Z");
    teller.end("globex", S::Waiting, "a person must act: Reconnect the directory globex");
    // Was swapped, and is soaking.
    teller.until_swapped("initech");
    teller.step_began("initech", "confirm");
    let syncs =
        Evidence::new("syncs", R::Inconclusive, "1 of 2 syncs after the swap was good").by_request(Some("cie-7"));
    let token = Evidence::new("token", R::Pass, "the service client got a token").by_event(Some("ev-42"));
    let error = Error { retry_after_ms: Some(1_000 * 60 * 60 * 24 * 365 * 900), ..look_again() };
    teller.fail("initech", "confirm", error, vec![token.clone(), syncs]);
    teller.end("initech", S::Soaking, "step `confirm` is not known yet");
    // Was swapped, and every check passed.
    teller.until_swapped("umbrella");
    teller.step_began("umbrella", "confirm");
    let two = Evidence::new("syncs", R::Pass, "2 of 2 syncs after the swap were good").by_request(Some("cie-9"));
    teller.done("umbrella", "confirm", Values::new(), vec![token, two]);
    teller.end("umbrella", S::Swapped, "");
    // The person entered the old client id.
    teller.until_swapped("stark");
    teller.step_began("stark", "confirm");
    let refused = Evidence::new("token", R::Fail, "tokens of 0oaLEGACY are refused since the swap")
        .by_event(Some("ev-43"))
        .of_rule("legacy-id-reused");
    teller.fail("stark", "confirm", look_again(), vec![refused]);
    teller.end("stark", S::Failed, "step `confirm` failed: tokens are refused");
    teller.until_swapped("hooli");
    teller.end("hooli", S::Soaking, "");
    teller.tell(None, Entry::RunEnded { interrupted: false, outcomes: Vec::new() });

    // Another run rolls a tenant back, and a person must sign in.
    teller.next_run();
    teller.tell(
        None,
        Entry::RunStarted {
            command: RunCommand::Rollback,
            version: "0.1.0".to_owned(),
            by: None,
            scope: None,
            approvals: Vec::new(),
        },
    );
    teller.start("hooli", Direction::Back);
    teller.tell(Some("hooli"), Entry::StepStarted { step: "swap".to_owned(), direction: Direction::Back });
    let asked = Entry::OperatorAsked {
        step: "swap".to_owned(),
        direction: Direction::Back,
        sheet: Box::new(sign_in()),
        owner: Some("dana".to_owned()),
        deadline: at("2999-06-01T00:00:00Z"),
    };
    teller.tell(Some("hooli"), asked);
    teller.end("hooli", S::Waiting, "dana must act: Sign in with Okta again");
    teller.tell(None, Entry::RunEnded { interrupted: false, outcomes: Vec::new() });

    let handed = Entry::SecretHandedOver {
        handle: client_secret("acme"),
        by: Actor::user("dana"),
        way: HandoverChannel::Clipboard,
    };
    teller.tell(Some("acme"), handed);
    let note = Some("from the phone".to_owned());
    teller.tell(Some("acme"), Entry::Confirmed { step: "swap".to_owned(), by: Actor::user("erik"), note });
    teller.drafts
}

/// Writes one record per minute.
struct StoryWriter {
    drafts: Vec<Draft>,
    now: Timestamp,
    run: RunId,
}

impl StoryWriter {
    fn new() -> Self {
        let now = at("2026-03-01T08:00:00Z");
        Self { drafts: Vec::new(), now, run: RunId::from_parts(1, [1; 10]) }
    }

    fn next_run(&mut self) {
        self.run = RunId::from_parts(2, [2; 10]);
    }

    fn tell(&mut self, tenant: Option<&str>, entry: Entry) {
        self.drafts.push(Draft { at: self.now, run: self.run, tenant: tenant.map(str::to_owned), entry });
        self.now += jiff::SignedDuration::from_mins(1);
    }

    fn start(&mut self, tenant: &str, direction: Direction) {
        let (plan, planned) = ("0".repeat(64), Some(Arc::new(planned(tenant))));
        self.tell(
            Some(tenant),
            Entry::TenantStarted { direction, plan, tenant: planned, plugins: [].into(), accepted: vec![] },
        );
    }

    fn step_began(&mut self, tenant: &str, step: &str) {
        self.tell(Some(tenant), Entry::StepStarted { step: step.to_owned(), direction: Direction::Forward });
    }

    fn done(&mut self, tenant: &str, step: &str, outputs: Values, evidence: Vec<Evidence>) {
        let (step, direction) = (step.to_owned(), Direction::Forward);
        self.tell(Some(tenant), Entry::StepEnded { step, direction, outputs: outputs.into(), evidence });
    }

    fn fail(&mut self, tenant: &str, step: &str, error: Error, evidence: Vec<Evidence>) {
        let (step, direction) = (step.to_owned(), Direction::Forward);
        self.tell(Some(tenant), Entry::StepFailed { step, direction, error, evidence, outputs: Values::new() });
    }

    fn end(&mut self, tenant: &str, state: S, reason: &str) {
        let reason = Some(reason.to_owned()).filter(|reason| !reason.is_empty());
        self.tell(Some(tenant), Entry::TenantEnded { state, reason, interrupted: false });
    }

    /// Writes all records up to the moment when a person is asked to swap.
    fn until_asked(&mut self, tenant: &str, owner: Option<&str>, deadline: &str) {
        self.until_proven(tenant);
        self.step_began(tenant, "swap");
        // Globex's plugin asks for a secret that is not its own.
        let named = if tenant == "globex" { "acme" } else { tenant };
        let sheet = Box::new(reconnect(tenant, &client_secret(named)));
        let (step, direction) = ("swap".to_owned(), Direction::Forward);
        let (owner, deadline) = (owner.map(str::to_owned), at(deadline));
        self.tell(Some(tenant), Entry::OperatorAsked { step, direction, sheet, owner, deadline });
    }

    /// Writes all records up to a swap that flowswap saw.
    fn until_swapped(&mut self, tenant: &str) {
        self.until_proven(tenant);
        self.step_began(tenant, "swap");
        let seen = Evidence::new("seen", R::Pass, "the service client gets tokens and the legacy client none any more");
        self.done(tenant, "swap", Values::new(), vec![seen]);
    }

    fn until_proven(&mut self, tenant: &str) {
        self.start(tenant, Direction::Forward);
        self.step_began(tenant, "provision");
        let (step, url) =
            ("provision".to_owned(), format!("https://{tenant}.okta.test/integrations/api/v1/api-services"));
        let intended = Entry::RequestIntended {
            step: step.clone(),
            request: 0,
            method: "POST".to_owned(),
            url,
            body_sha256: None,
            secrets: vec![client_secret(tenant)],
        };
        self.tell(Some(tenant), intended);
        let outcome = RequestOutcome::Answered { status: 201, request_id: Some("req-1".to_owned()) };
        self.tell(Some(tenant), Entry::RequestEnded { step: step.clone(), request: 0, outcome });
        self.tell(Some(tenant), Entry::SecretStored { step, handle: client_secret(tenant) });
        let outputs = Values::from([
            ("client_id".to_owned(), json!("0oa1b2c3d4e5f6g7h8i9")),
            ("client_secret".to_owned(), client_secret(tenant).to_value()),
        ]);
        self.done(tenant, "provision", outputs, Vec::new());
        self.step_began(tenant, "prove");
        let token = Evidence::new("token", R::Pass, "the new client gets a token").by_request(Some("req-2"));
        let apps = Evidence::new("read-apps", R::NotApplicable, "applications are not collected");
        self.done(tenant, "prove", Values::new(), vec![token, apps]);
    }
}

fn look_again() -> Error {
    Error::new(ErrorKind::Unavailable, "it is not known yet")
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn planned(name: &str) -> PlannedTenant {
    use Reversibility::{Attended, Irreversible, Unattended};
    let step = |id: &str, role, phase, title: &str, by, reversibility, gives: &[&str]| Step {
        id: id.to_owned(),
        role,
        proposal: StepProposal {
            phase,
            title: title.to_owned(),
            by,
            seen_by: None,
            confirmed_by: None,
            reversibility,
            undo: None,
            needs: Vec::new(),
            gives: gives.iter().map(|name| (*name).to_owned()).collect(),
            sends: Some(vec![]),
            queries: vec![],
            payload: json!(null).into(),
        },
    };
    let (provider, directory) = (Role::Provider, Role::Directory);
    let (plugin, operator) = (By::Plugin, By::Operator);
    let gives = &["client_id", "client_secret"];
    let steps = vec![
        step("provision", provider, Phase::Provision, "create the service client", plugin, Unattended, gives),
        step("prove", provider, Phase::Prove, "show that it works", plugin, Unattended, &[]),
        step("swap", directory, Phase::Swap, "reconnect the directory", operator, Attended, &[]),
        step("confirm", directory, Phase::Confirm, "wait for two syncs", plugin, Unattended, &[]),
        step("retire", provider, Phase::Retire, "deactivate the legacy client", plugin, Unattended, &[]),
        step("purge", provider, Phase::Purge, "delete the legacy client", plugin, Irreversible, &[]),
    ];
    let back = |step: &str, action: &str, reversibility| StepRollback {
        step: step.to_owned(),
        action: action.to_owned(),
        reversibility,
    };
    PlannedTenant {
        name: name.to_owned(),
        app_data: false,
        provider_plugin: "okta".to_owned(),
        directory_plugin: "rest".to_owned(),
        rotation: None,
        verdict: Verdict::Ready,
        findings: Vec::new(),
        origins: None,
        token_paths: None,
        seen: None,
        steps,
        way_back: vec![
            back("swap", "sign in with Okta again", Attended),
            back("provision", "revoke the service client", Unattended),
        ],
    }
}

fn reconnect(tenant: &str, secret: &Handle) -> RunSheet {
    RunSheet {
        title: format!("Reconnect the directory {tenant}"),
        url: Some("https://directory-sync.us.paloaltonetworks.com/directory".to_owned()),
        lines: vec![
            SheetLine::new(A::Go, "Actions → Reconnect").note(format!("in the row of {tenant}.okta.test")),
            SheetLine::new(A::Choose, "Connection Flow").with("Client Credential Flow"),
            SheetLine::new(A::Enter, "Client ID").with("0oa1b2c3d4e5f6g7h8i9"),
            SheetLine::new(A::Enter, "Client Secret").with(secret.to_value()),
            SheetLine::new(A::Press, "Test Connection").with("Success"),
            SheetLine::new(A::Press, "Submit"),
        ],
        keep: vec!["the directory's name".to_owned()],
        care: vec!["Test Connection alone changes nothing".to_owned()],
        proof: "the new client gets a token, and the legacy client no longer does".to_owned(),
    }
}

fn sign_in() -> RunSheet {
    RunSheet {
        title: "Sign in with Okta again".to_owned(),
        url: None,
        lines: vec![SheetLine::new(A::Press, "Sign in with Okta").with("Logged In")],
        keep: Vec::new(),
        care: Vec::new(),
        proof: "the legacy client gets a token again".to_owned(),
    }
}
