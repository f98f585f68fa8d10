//! The screen at five moments of a run, on terminals of two widths; and what a pipe gets.

use std::sync::atomic::{AtomicU64, Ordering};

use flowswap_contract::{ErrorKind, Level, Role};
use flowswap_engine::{Cause, Direction, Ending, Fault, Halt, Pause, RunId, TenantState};
use indicatif::{InMemoryTerm, ProgressDrawTarget};
use insta::assert_snapshot;

use super::*;
use crate::args::Format;

/// A run on a terminal in memory, with a clock that only the test moves.
struct Stage {
    progress: Progress,
    screen: InMemoryTerm,
    seconds: Arc<AtomicU64>,
}

impl Stage {
    fn new(columns: u16, columns_of_canvas: fn() -> usize, has_color: bool) -> Self {
        let seconds = Arc::new(AtomicU64::new(0));
        let clock = Arc::clone(&seconds);
        let elapsed = Arc::new(move || Duration::from_secs(clock.load(Ordering::Relaxed)));
        let canvas = Canvas { columns: columns_of_canvas, has_color, elapsed };
        let terminal = Terminal { format: Format::Human, quiet: false, verbose: 0, progress: ProgressMode::Bar };
        let progress = Progress::over(terminal, Some(canvas), None);
        let screen = InMemoryTerm::new(24, columns);
        Self { progress, screen, seconds }
    }

    fn emit(&self, event: Event) {
        self.progress.emit(event);
    }

    fn begin(&self, tenants: usize) {
        self.progress.tally().is_run = true;
        self.progress.tally().begin(tenants, Duration::ZERO);
        self.bar().begin_on(ProgressDrawTarget::term_like(Box::new(self.screen.clone())));
    }

    fn bar(&self) -> &Bar {
        self.progress.bar.as_ref().unwrap()
    }

    fn start(&self, tenant: &str) {
        self.emit(Event::TenantStarted { tenant: tenant.to_owned(), steps: 9 });
    }

    fn step(&self, tenant: &str, step: &str, title: &str) {
        let (tenant, step, title) = (tenant.to_owned(), step.to_owned(), title.to_owned());
        self.emit(Event::StepStarted { tenant, step, title, direction: Direction::Forward });
    }

    fn end(&self, tenant: &str, state: TenantState) {
        let failed = state == TenantState::Failed;
        let reason = failed.then(|| "step `swap` failed: the directory is down".to_owned());
        let counts_as = if failed { Ending::Failed } else { Ending::Done };
        self.emit(Event::TenantEnded { tenant: tenant.to_owned(), state, reason, counts_as });
    }

    fn refuse(&self, tenant: &str, counts_as: Ending) {
        let (tenant, changes) = (tenant.to_owned(), vec!["it changed".to_owned()]);
        self.emit(Event::TenantRefused { tenant, changes, counts_as });
    }

    /// What a person sees now.
    fn look(&self) -> String {
        self.bar().lines.tick();
        self.screen.contents()
    }

    fn set_clock(&self, seconds: u64) {
        self.seconds.store(seconds, Ordering::Relaxed);
    }
}

const LONG: &str =
    "reconnect the directory with the client-credential flow, and prove that it synchronizes with the new client";

/// Plays a run of 300 tenants, and calls `look` at five moments.
fn play(stage: &Stage, mut look: impl FnMut(&str, String)) {
    stage.begin(300);
    look("begun", stage.look());

    for number in 1..=16 {
        stage.set_clock(number);
        stage.start(&format!("tenant-{number}"));
        stage.step(&format!("tenant-{number}"), "provision", "create the client");
    }
    stage.set_clock(20);
    stage.step("tenant-2", "swap", LONG);
    let reason = "the rate limit of Okta".to_owned();
    stage.emit(Event::Waiting { tenant: "tenant-3".to_owned(), ms: 27_500, reason });
    let (tenant, step, owner) = ("tenant-4".to_owned(), "swap".to_owned(), Some("dana".to_owned()));
    stage.emit(Event::OperatorAsked { tenant, step, owner });
    look("at work", stage.look());

    stage.set_clock(60);
    for number in (1..=16).filter(|number| *number != 2) {
        stage.end(&format!("tenant-{number}"), TenantState::Swapped);
    }
    stage.end("tenant-2", TenantState::Failed);
    stage.refuse("tenant-17", Ending::Refused);
    let (tenant, message) = (Some("tenant-18".to_owned()), "the answer has no header `date`".to_owned());
    stage.emit(Event::Log { plugin: "okta".to_owned(), tenant, level: Level::Warn, message });
    stage.start("a-tenant-with-a-name-that-is-much-too-long-for-a-column");
    look("failures", stage.look());

    stage.progress.say_stopping(StopRequest::CtrlC);
    look("stopping", stage.look());

    stage.end("a-tenant-with-a-name-that-is-much-too-long-for-a-column", TenantState::Swapped);
    for number in 19..=300 {
        let reason = flowswap_engine::STOPPED.to_owned();
        stage.emit(Event::TenantSkipped { tenant: format!("tenant-{number}"), reason });
    }
    stage.progress.clear();
    look("over", stage.screen.contents());
}

#[test]
fn five_moments_of_a_run_on_80_columns() {
    let stage = Stage::new(80, || 80, false);
    let mut moments = String::new();
    play(&stage, |moment, screen| moments += &format!("--- {moment} ---\n{screen}\n"));
    assert!(moments.lines().all(|line| line.chars().count() <= 80), "{moments}");
    assert_snapshot!(moments, @r"
    --- begun ---
    ░░░░░░░░░░░░░░░░░░░░ 0/300 tenants  0 failed
    --- at work ---
    tenant-4: swap is waiting for dana
    ░░░░░░░░░░░░░░░░░░░░ 0/300 tenants  0 failed
      tenant-1  provision    19 s  create the client
      tenant-2  swap          0 s  reconnect the directory with the client-credenti…
      tenant-3  provision    17 s  waits 28 s: the rate limit of Okta
      tenant-4  provision    16 s  waits for a person
      tenant-5  provision    15 s  create the client
      tenant-6  provision    14 s  create the client
      tenant-7  provision    13 s  create the client
      tenant-8  provision    12 s  create the client
      and 8 more
    --- failures ---
    tenant-4: swap is waiting for dana
    ✗ tenant-2: failed at `swap`
    ! tenant-17: refused
    tenant-18: plugin okta: the answer has no header `date`
    █░░░░░░░░░░░░░░░░░░░ 17/300 tenants  1 failed  1 refused  17/min  16 min left
      a-tenant-with-a-name-th…       0 s  read both sides
    --- stopping ---
    tenant-4: swap is waiting for dana
    ✗ tenant-2: failed at `swap`
    ! tenant-17: refused
    tenant-18: plugin okta: the answer has no header `date`
    stopping: 1 tenant finishes its step; press Ctrl-C again to stop at once
    █░░░░░░░░░░░░░░░░░░░ 17/300 tenants  1 failed  1 refused  17/min  stopping
      a-tenant-with-a-name-th…       0 s  read both sides
    --- over ---
    tenant-4: swap is waiting for dana
    ✗ tenant-2: failed at `swap`
    ! tenant-17: refused
    tenant-18: plugin okta: the answer has no header `date`
    stopping: 1 tenant finishes its step; press Ctrl-C again to stop at once
    ");
}

#[test]
fn five_moments_of_a_run_on_120_columns() {
    let stage = Stage::new(120, || 120, false);
    let mut moments = String::new();
    play(&stage, |moment, screen| moments += &format!("--- {moment} ---\n{screen}\n"));
    assert_snapshot!(moments, @r"
    --- begun ---
    ░░░░░░░░░░░░░░░░░░░░ 0/300 tenants  0 failed
    --- at work ---
    tenant-4: swap is waiting for dana
    ░░░░░░░░░░░░░░░░░░░░ 0/300 tenants  0 failed
      tenant-1  provision    19 s  create the client
      tenant-2  swap          0 s  reconnect the directory with the client-credential flow, and prove that it synchronizes …
      tenant-3  provision    17 s  waits 28 s: the rate limit of Okta
      tenant-4  provision    16 s  waits for a person
      tenant-5  provision    15 s  create the client
      tenant-6  provision    14 s  create the client
      tenant-7  provision    13 s  create the client
      tenant-8  provision    12 s  create the client
      and 8 more
    --- failures ---
    tenant-4: swap is waiting for dana
    ✗ tenant-2: failed at `swap`
    ! tenant-17: refused
    tenant-18: plugin okta: the answer has no header `date`
    █░░░░░░░░░░░░░░░░░░░ 17/300 tenants  1 failed  1 refused  17/min  16 min left
      a-tenant-with-a-name-th…       0 s  read both sides
    --- stopping ---
    tenant-4: swap is waiting for dana
    ✗ tenant-2: failed at `swap`
    ! tenant-17: refused
    tenant-18: plugin okta: the answer has no header `date`
    stopping: 1 tenant finishes its step; press Ctrl-C again to stop at once
    █░░░░░░░░░░░░░░░░░░░ 17/300 tenants  1 failed  1 refused  17/min  stopping
      a-tenant-with-a-name-th…       0 s  read both sides
    --- over ---
    tenant-4: swap is waiting for dana
    ✗ tenant-2: failed at `swap`
    ! tenant-17: refused
    tenant-18: plugin okta: the answer has no header `date`
    stopping: 1 tenant finishes its step; press Ctrl-C again to stop at once
    ");
}

#[test]
fn a_message_about_many_tenants_is_printed_ten_times_at_most() {
    let stage = Stage::new(80, || 80, false);
    stage.begin(300);
    for number in 1..=300 {
        stage.refuse(&format!("tenant-{number}"), Ending::Refused);
    }
    assert_snapshot!(stage.look(), @r"
    ! tenant-1: refused
    ! tenant-2: refused
    ! tenant-3: refused
    ! tenant-4: refused
    ! tenant-5: refused
    ! tenant-6: refused
    ! tenant-7: refused
    ! tenant-8: refused
    ! tenant-9: refused
    more tenants are refused
    ████████████████████ 300/300 tenants  0 failed  300 refused
    ");
}

#[test]
fn a_run_that_starts_no_more_tenants_says_so_at_once_and_why() {
    let stage = Stage::new(80, || 80, false);
    stage.begin(300);
    for tenant in ["acme", "globex", "initech", "umbrella", "hooli"] {
        stage.start(tenant);
    }
    stage.step("acme", "swap", "reconnect the directory");
    stage.set_clock(30);
    stage.end("hooli", TenantState::Swapped);
    stage.refuse("umbrella", Ending::Inconclusive);
    let (state, reason, counts_as) = (TenantState::Failed, None, Ending::Inconclusive);
    stage.emit(Event::TenantEnded { tenant: "acme".to_owned(), state, reason, counts_as });
    let what = Fault::Call(ErrorKind::Invalid);
    let cause = Cause { what, side: Role::Provider, request: Some("GET /api/v1/apps".to_owned()), inconclusive: true };
    let pause = Pause { cause: cause.clone(), tenants: ["umbrella".to_owned(), "acme".to_owned()] };
    stage.emit(Event::StartsHeld { pause });
    let held = stage.look();
    stage.emit(Event::StartsReleased);
    assert!(stage.look().contains("2 inconclusive  49 min left"), "{}", stage.look());
    let (tenants, org) = (["umbrella".to_owned(), "acme".to_owned()], "acme.okta.com".to_owned());
    stage.emit(Event::StartsHalted { halt: Halt::SameOrg { cause, tenants, org } });
    stage.emit(Event::StartsHalted { halt: Halt::Budget { limit: 15 } });
    assert_snapshot!(held, @r"
    ! umbrella: inconclusive
    ! acme: inconclusive at `swap`
    no more tenants are started until the 2 at work have ended: flowswap cannot tell
      what is wrong with `umbrella` and `acme`: a request or an answer is malformed
      (provider, `GET /api/v1/apps`)
    ░░░░░░░░░░░░░░░░░░░░ 3/300 tenants  0 failed  2 inconclusive  starts no more
      globex       30 s  read both sides
      initech      30 s  read both sides
    ");
    assert_snapshot!(stage.look(), @r"
    ! umbrella: inconclusive
    ! acme: inconclusive at `swap`
    no more tenants are started until the 2 at work have ended: flowswap cannot tell
      what is wrong with `umbrella` and `acme`: a request or an answer is malformed
      (provider, `GET /api/v1/apps`)
    no more tenants of `acme.okta.com` are started: `umbrella` and `acme` have the
      same trouble: a request or an answer is malformed (provider,
      `GET /api/v1/apps`)
    no more tenants are started: failed or stuck tenants have reached the limit of
      15
    ░░░░░░░░░░░░░░░░░░░░ 3/300 tenants  0 failed  2 inconclusive  starts no more
      globex       30 s  read both sides
      initech      30 s  read both sides
    ");
}

#[test]
fn a_terminal_without_color_gets_none_in_the_live_lines_either() {
    for has_color in [true, false] {
        let stage = Stage::new(80, || 80, has_color);
        let mut is_colored = false;
        play(&stage, |_, _| {
            let bytes = stage.screen.contents_formatted();
            is_colored |= String::from_utf8(bytes).unwrap().contains("\u{1b}[31");
        });
        assert_eq!(is_colored, has_color);
    }
}

#[test]
fn the_rate_and_the_time_left_follow_the_clock() {
    let mut tally = Tally::default();
    let at = Duration::from_secs;
    tally.begin(100, at(10));
    assert_eq!((tally.rate(at(40)), tally.time_left(at(40))), (None, None), "nothing is done yet");
    for tenant in ["a", "b"] {
        tally.start(tenant, at(20));
        tally.end(tenant);
    }
    assert_eq!((tally.rate(at(40)), tally.time_left(at(40))), (Some(4.0), Some(at(98 * 15))));
    tally.is_stopping = true;
    assert_eq!(tally.time_left(at(40)), None, "nobody knows how long the running steps take");
}

#[test]
fn a_run_is_in_the_journal_and_a_reading_is_not() {
    let mut tally = Tally::default();
    tally.begin(3, Duration::ZERO);
    assert!(!tally.is_run);
    tally.add(&Event::RunStarted { run: RunId::none(), tenants: 3 }, Duration::ZERO);
    assert!(tally.is_run);
}
