//! A person at the terminal, led through the queue one sheet after the other.

use std::time::Duration;

use flowswap_sim::{Interface, SimConfig};

use super::{
    secret::Screen,
    words::{sign_in, swapped},
};
use crate::support::{Lab, command, terminal::Terminal};

const BACK: [&str; 4] = ["rollback", "--all", "--yes", "--interactive"];

fn start(lab: &Lab) -> Terminal {
    Terminal::start(command(lab.dir(), &BACK))
}

#[test]
fn what_is_done_is_noticed_without_a_word() {
    let lab = swapped(1);
    let mut person = start(&lab);
    person.await_words("acme: d done, n decline, l later >");
    sign_in(&lab, 0);
    // Nobody types anything.
    let (code, seen) = person.finish();
    assert_eq!(code, 0, "{seen}");
    assert_eq!(lab.in_state("rolled-back"), ["acme"], "{seen}");
}

/// Waits for the next sheet and the question below it: whose it is.
fn next_sheet(person: &mut Terminal) -> String {
    person.await_words("once all of it is done: flowswap confirm ");
    let tenant = person.next_word();
    person.await_words(&format!("{tenant}: d done, n decline, l later >"));
    tenant
}

#[test]
fn one_sheet_after_the_other() {
    let lab = swapped(3);
    let mut person = start(&lab);
    // Who comes first is whoever is first through; every sheet names its tenant.
    let late = next_sheet(&mut person);
    person.enter("x");
    person.await_words("one of these letters, then Enter");
    person.enter("l");

    let early = next_sheet(&mut person);
    person.enter("d");
    // What comes of it is told after the next conversation, and does not fall into it.
    let declined = next_sheet(&mut person);
    person.enter("n");
    person.await_words("why? (empty goes back) >");
    person.enter("");
    person.await_words(&format!("{declined}: d done, n decline, l later >"));
    person.enter("n");
    person.await_words("why?");
    person.enter("no access");

    person.await_words(&format!("{early}: expected: the step is seen not to be in place any more; seen: "));
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

/// A tenant whose sheet has a secret to paste, and the person who was just shown it.
fn before_the_sheet(display: Option<&str>) -> (Lab, Terminal) {
    let config = SimConfig::default().tenants(1).interface(Interface::CieGuided);
    let lab = Lab::new(config.natural_sync(Duration::from_secs(300)));
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
    person.await_words("the secret is on the clipboard for 60 s: paste it into “Client Secret”");
    person.await_words("c copy the secret >");
    let copied = screen.paste().unwrap();
    person.enter("l");
    let (code, seen) = person.finish();
    assert!(code == 4 && copied.len() > 20 && !seen.contains(&copied), "{code}: {seen}");
    assert_ne!(screen.paste(), Some(copied), "it is taken away at the end");
    let evidence = lab.run(&["evidence", "acme"]).expect(0).stdout;
    assert!(evidence.contains("(clipboard)"), "{evidence}");
}

#[test]
fn without_a_clipboard_the_sheet_says_what_else_there_is() {
    let (lab, mut person) = before_the_sheet(None);
    person.enter("c");
    person.await_words("failed to open the clipboard");
    person.await_words("end this with `l`, then: flowswap secret copy acme --print");
    person.await_words("c copy the secret >");
    person.enter("l");
    assert_eq!(person.finish().0, 4);
    let evidence = lab.run(&["evidence", "acme"]).expect(0).stdout;
    assert!(!evidence.contains("secrets given to people"), "{evidence}");
}

#[test]
fn nobody_at_the_terminal_is_refused() {
    let lab = Lab::with_tenants(1);
    for line in ["apply plan.json --interactive --yes", "rollback --all --interactive --yes"] {
        let output = lab.run(&line.split(' ').collect::<Vec<_>>()).expect(2);
        assert!(output.stderr.contains("stdin is not a terminal"), "{}", output.stderr);
    }
}
