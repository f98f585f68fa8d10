//! What a person sees while a fleet is migrated: on terminals of two widths, on one that cannot redraw, and without color.

use std::{
    process::Command,
    thread,
    time::{Duration, Instant},
};

use flowswap_sim::{Fault, FaultKind, Scenario, SimConfig};

use crate::support::{
    Lab, command,
    terminal::{FOREVER, Terminal},
};

/// Enough for everything that a run prints.
const ROWS: u16 = 200;

/// Requests that Okta refuses, each at another step. Two tenants with one cause would stop the others.
const REFUSED: [(&str, &str, &str); 3] = [
    ("GET", "/api/v1/logs", "rate_limit.violation"),
    ("POST", "/integrations/api/v1/api-services", ""),
    ("POST", "/oauth2/v1/token", ""),
];

/// A lab of tenants that can all be migrated. Some of them fail then.
fn lab(tenants: usize, failures: usize) -> Lab {
    let lab = Lab::new(SimConfig::default().scenarios(vec![Scenario::Ready; tenants]));
    lab.plan().expect(0);
    for (tenant, (method, path, query)) in lab.sim.tenants().iter().skip(1).take(failures).zip(REFUSED) {
        let (host, method) = (tenant.domain.clone(), Some(method.to_owned()));
        let (path, query) = (path.to_owned(), query.to_owned());
        let kind = FaultKind::Status { status: 400 };
        lab.sim.add_fault(Fault { host, method, path, query, kind, times: 1, skip: 0 });
    }
    lab
}

/// The command on a terminal that can redraw and shows color.
fn on_terminal(lab: &Lab, args: &[&str]) -> Command {
    let mut command = command(lab.dir(), args);
    command.env_remove("NO_COLOR").env("TERM", "xterm-256color");
    command
}

/// Runs a command on a terminal. Returns all that it wrote there, and what is on the screen in the end.
fn run(command: Command, columns: u16, code: i32) -> (String, String) {
    let (ended, written) = Terminal::start_on(command, ROWS, columns).finish();
    assert_eq!(ended, code, "{written}");
    let screen = on_screen(&written, columns);
    (written, screen)
}

/// What is on the screen after all this was written.
fn on_screen(written: &str, columns: u16) -> String {
    let mut screen = vt100::Parser::new(ROWS, columns, 0);
    screen.process(written.as_bytes());
    let rows: Vec<String> = screen.screen().rows(0, columns).map(|row| row.trim_end().to_owned()).collect();
    rows.join("\n").trim_end().to_owned()
}

fn has_color(written: &str) -> bool {
    written
        .split("\u{1b}[")
        .skip(1)
        .any(|code| code.trim_start_matches(|c: char| c.is_ascii_digit() || c == ';').starts_with('m'))
}

const APPLY: [&str; 3] = ["apply", "plan.json", "--yes"];

#[test]
fn a_fleet_of_300_prints_at_most_40_lines() {
    let lab = lab(300, 3);
    let (_, planned) = run(on_terminal(&lab, &["plan", "-o", "again.json"]), 80, 0);
    let lines = planned.lines().count();
    assert!(lines <= 40, "{lines} lines:\n{planned}");
    let (written, screen) = run(on_terminal(&lab, &APPLY), 80, 3);
    assert!(written.contains("/300 tenants  "), "the bar was drawn");
    let lines = screen.lines().count();
    assert!(lines <= 40, "{lines} lines:\n{screen}");
    assert_eq!(screen.matches("✗ ").count(), 3, "each failure is printed as it happens:\n{screen}");
    assert!(screen.ends_with("297 swapped, 1 stuck, 2 failed"), "{screen}");
}

#[test]
fn the_end_of_a_run_fits_the_terminal() {
    for (columns, name) in [(80, "progress@80"), (120, "progress@120")] {
        let lab = lab(6, 2);
        // Which of two tenants fails first is up to chance.
        lab.edit_config(|text| format!("{text}\n[run]\nconcurrency = 1\n"));
        let (written, screen) = run(on_terminal(&lab, &APPLY), columns, 3);
        assert!(written.contains("/6 tenants  "), "the bar was drawn: {written}");
        assert!(has_color(&written), "a terminal shows color");
        let mut settings = insta::Settings::clone_current();
        settings.set_prepend_module_to_snapshot(false);
        settings.set_omit_expression(true);
        for (pattern, word) in [
            (r"sha256 [0-9a-f]{12}", "sha256 HASH"),
            (r"plan: [0-9a-f]{12}, made by [^,]+,", "plan: DIGEST, made by USER,"),
            (r"\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b", "UUID"),
            (r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\+00:00 \(in [^)]+\)", "LOCAL-TIME"),
        ] {
            settings.add_filter(pattern, word);
        }
        settings.bind(|| insta::assert_snapshot!(name, screen));
    }
}

#[test]
fn ctrl_c_leaves_no_piece_of_the_bar_and_ends_with_the_command_that_goes_on() {
    let lab = lab(20, 0);
    lab.edit_config(|text| format!("{text}\n[run]\nconcurrency = 2\n"));
    for tenant in lab.sim.tenants().iter().take(2) {
        // Long enough for Ctrl-C in the middle of a step. flowswap waits for the answer.
        let (host, kind) = (tenant.domain.clone(), FaultKind::Delay { milliseconds: 3_000 });
        let (method, path) = (Some("POST".to_owned()), "/integrations/".to_owned());
        lab.sim.add_fault(Fault { host, method, path, query: String::new(), kind, times: 1, skip: 0 });
    }
    let mut terminal = Terminal::start_on(on_terminal(&lab, &APPLY), ROWS, 80);
    terminal.await_words("/20 tenants  ");
    let begun = Instant::now();
    while lab.sim.faults().iter().any(|fault| fault.fired == 0) {
        assert!(begun.elapsed() < FOREVER, "no step was held");
        thread::sleep(Duration::from_millis(5));
    }
    terminal.interrupt();
    terminal.await_words("stopping: 2 tenants finish their step; press Ctrl-C again to stop at once");
    let (code, written) = terminal.finish();
    assert_eq!(code, 5, "{written}");
    let screen = on_screen(&written, 80);
    assert!(!screen.contains(['█', '░']), "{screen}");
    assert!(screen.ends_with("not started\nnext: flowswap resume"), "{screen}");
    let (_, screen) = run(on_terminal(&lab, &["resume", "--yes"]), 80, 0);
    assert!(screen.ends_with("20 swapped"), "{screen}");
}

#[test]
fn a_terminal_without_color_gets_a_bar_and_no_color() {
    let lab = lab(6, 1);
    for (args, no_color) in [(&["detect"][..], true), (&["detect", "--no-color"], false), (&APPLY, true)] {
        let mut command = on_terminal(&lab, args);
        if no_color {
            command.env("NO_COLOR", "1");
        }
        let code = if args == APPLY { 3 } else { 0 };
        let (written, _) = run(command, 80, code);
        assert!(written.contains("/6 tenants  "), "the bar was drawn: {written}");
        assert!(!has_color(&written), "{written:?}");
    }
}

#[test]
fn a_dumb_terminal_gets_lines_without_any_code() {
    let lab = lab(40, 1);
    let mut command = on_terminal(&lab, &APPLY);
    command.env("TERM", "dumb");
    let (written, screen) = run(command, 80, 3);
    assert!(!written.contains('\u{1b}'), "{written:?}");
    let lines: Vec<&str> = screen.lines().filter(|line| line.contains(" %: ")).collect();
    assert_eq!(lines.len(), 10, "one at every tenth:\n{screen}");
    assert!(lines[9].starts_with("100 %: 40 of 40 tenants, 1 failed"), "{screen}");
}

#[test]
fn a_dumb_terminal_is_asked_without_any_code() {
    let lab = lab(1, 0);
    for (answer, code) in [("n", 5), ("", 5), ("Y", 0)] {
        let mut command = on_terminal(&lab, &["apply", "plan.json"]);
        command.env("TERM", "dumb");
        let mut terminal = Terminal::start_on(command, ROWS, 80);
        terminal.await_words("Migrate 1 tenant? [y/N]");
        terminal.enter(answer);
        let (ended, written) = terminal.finish();
        assert_eq!(ended, code, "{written}");
        assert!(!written.contains('\u{1b}'), "{written:?}");
    }
}

#[test]
fn the_progress_can_be_chosen() {
    let lab = lab(40, 0);
    for (how, lines, bar) in
        [("lines", true, false), ("none", false, false), ("bar", false, true), ("auto", false, true)]
    {
        let (written, screen) = run(on_terminal(&lab, &["detect", "--progress", how]), 80, 0);
        assert_eq!(screen.contains("100 %: 40 of 40 tenants"), lines, "{how}:\n{screen}");
        assert_eq!(written.contains("/40 tenants  "), bar, "{how}:\n{written}");
    }
    let piped = lab.run(&["detect", "--progress", "bar"]).expect(0);
    assert!(piped.stderr.contains("100 %: 40 of 40 tenants"), "a pipe gets lines: {}", piped.stderr);
}
