//! A person at the terminal, led through the queue one sheet after the other.

use super::words::{sign_in, swapped};
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

#[test]
fn nobody_at_the_terminal_is_refused() {
    let lab = Lab::with_tenants(1);
    for line in ["apply plan.json --interactive --yes", "rollback --all --interactive --yes"] {
        let output = lab.run(&line.split(' ').collect::<Vec<_>>()).expect(2);
        assert!(output.stderr.contains("stdin is not a terminal"), "{}", output.stderr);
    }
}
