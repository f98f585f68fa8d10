//! A person at the terminal who is led through one sheet after the other.

use std::time::{Duration, Instant};

use flowswap_sim::{Interface, SimConfig};

use super::{
    secret::Screen,
    words::{sign_in, swapped},
};
use crate::support::{
    Lab, command,
    terminal::{FOREVER, Terminal},
};

const BACK: [&str; 4] = ["rollback", "--all", "--yes", "--interactive"];

fn start(lab: &Lab) -> Terminal {
    Terminal::start(command(lab.dir(), &BACK))
}

#[test]
fn flowswap_notices_a_reconnect_without_input() {
    let lab = swapped(1);
    let mut person = start(&lab);
    person.await_words("acme: d done, n decline, l later >");
    sign_in(&lab, 0);
    // The person types nothing.
    let (code, seen) = person.finish();
    assert_eq!(code, 0, "{seen}");
    assert_eq!(lab.in_state("rolled-back"), ["acme"], "{seen}");
}

/// Waits for the next sheet and the question below it. Returns the sheet's tenant.
fn next_sheet(person: &mut Terminal) -> String {
    person.await_words("when everything is done: flowswap confirm ");
    let tenant = person.next_word();
    person.await_words(&format!("{tenant}: d done, n decline, l later >"));
    tenant
}

/// Waits until so many tenants have a sheet, so that a tenant that is asked again queues behind all others.
fn await_questions(lab: &Lab, tenants: usize) {
    let begun = Instant::now();
    while lab.json(&["next"], 0)["tenants"].as_array().unwrap().len() < tenants {
        assert!(begun.elapsed() < FOREVER, "fewer than {tenants} tenants wait for a person");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn sheets_are_shown_one_after_the_other() {
    let lab = swapped(3);
    let mut person = start(&lab);
    // The order of the tenants varies; every sheet names its tenant.
    let late = next_sheet(&mut person);
    await_questions(&lab, 3);
    person.enter("x");
    person.await_words("type one of these letters, then press Enter");
    // What is typed before the question is there again does not count.
    person.await_words(&format!("{late}: d done, n decline, l later >"));
    person.enter("l");

    let early = next_sheet(&mut person);
    person.enter("d");
    // The result is shown after the next question is answered, so that it does not interrupt that question.
    let declined = next_sheet(&mut person);
    person.enter("n");
    person.await_words("reason? (leave empty to return) >");
    person.enter("");
    person.await_words(&format!("{declined}: d done, n decline, l later >"));
    person.enter("n");
    person.await_words("reason?");
    person.enter("no access");

    person.await_words(&format!("{early}: expected: flowswap sees that the step was rolled back; found: "));
    assert_eq!(next_sheet(&mut person), early);
    person.enter("later");
    let (code, seen) = person.finish();
    assert_eq!(code, 4, "{seen}");
    let mut waiting = vec![late, early.clone()];
    waiting.sort();
    let mut found = lab.in_state("waiting");
    found.sort();
    assert_eq!((found, lab.in_state("rolling-back")), (waiting, vec![declined]), "{seen}");
    let claims = lab.json(&["next", &early], 0)["tenants"][0]["claims"].as_array().unwrap().len();
    assert_eq!(claims, 1, "{seen}");
}

/// A lab with a tenant whose sheet has a secret to paste, and a terminal that just showed that sheet.
fn before_the_sheet(display: Option<&str>) -> (Lab, Terminal) {
    let config = SimConfig::default().tenants(1).interface(Interface::CieGuided);
    let lab = Lab::new(config.scheduled_sync(Duration::from_secs(300)));
    lab.plan().expect(0);
    let mut command = command(lab.dir(), &["apply", "plan.json", "--yes", "--interactive"]);
    command.envs(display.map(|display| ("DISPLAY", display)));
    let mut person = Terminal::start(command);
    person.await_words("acme: d done, n decline, l later, c copy the secret >");
    (lab, person)
}

#[test]
fn the_secret_is_copied_without_leaving_the_sheet() {
    let Some(screen) = Screen::start() else { return };
    let (lab, mut person) = before_the_sheet(Some(&screen.display));
    person.enter("c");
    person.await_words("the secret is on the clipboard for 60 s; paste it into “Client Secret”");
    person.await_words("c copy the secret >");
    let copied = screen.paste().unwrap();
    person.enter("l");
    let (code, seen) = person.finish();
    assert!(code == 4 && copied.len() > 20 && !seen.contains(&copied), "{code}: {seen}");
    assert_ne!(screen.paste(), Some(copied), "the secret is cleared from the clipboard at the end");
    let evidence = lab.run(&["evidence", "acme"]).expect(0).stdout;
    assert!(evidence.contains("(clipboard)"), "{evidence}");
}

#[test]
fn without_a_clipboard_the_sheet_names_the_alternative() {
    let (lab, mut person) = before_the_sheet(None);
    person.enter("c");
    person.await_words("failed to open the clipboard");
    person.await_words("type `l` and press Enter to leave, then run: flowswap secret copy acme --print");
    person.await_words("c copy the secret >");
    person.enter("l");
    assert_eq!(person.finish().0, 4);
    let evidence = lab.run(&["evidence", "acme"]).expect(0).stdout;
    assert!(!evidence.contains("secrets handed over"), "{evidence}");
}

#[test]
fn interactive_mode_without_a_terminal_is_refused() {
    let lab = Lab::with_tenants(1);
    for line in ["apply plan.json --interactive --yes", "rollback --all --interactive --yes"] {
        let output = lab.run(&line.split(' ').collect::<Vec<_>>()).expect(2);
        assert!(output.stderr.contains("stdin is not a terminal"), "{}", output.stderr);
    }
}
