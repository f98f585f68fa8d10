//! What a person can do at a question besides answering it.

use std::fs::{self, File};

use rustix::process::Signal;

use crate::support::{Lab, command, terminal::Terminal};

const QUESTION: &str = "Migrate 2 tenants? [y/N] ";

fn planned() -> Lab {
    let lab = Lab::with_tenants(2);
    lab.plan().expect(0);
    lab
}

fn apply(lab: &Lab) -> Terminal {
    Terminal::start_on(command(lab.dir(), &["apply", "plan.json"]), 40, 120)
}

/// The command did nothing, and says so on a line of its own.
#[track_caller]
fn expect_no(lab: &Lab, person: Terminal) {
    let (code, screen) = person.finish();
    assert_eq!(code, 5, "{screen}");
    assert!(screen.contains("\nerror: you did not confirm, so nothing was done"), "{screen}");
    assert_eq!(lab.in_state("planned").len(), 2);
}

#[test]
fn the_end_of_the_input_means_no() {
    let lab = planned();
    let mut person = apply(&lab);
    person.await_words(QUESTION);
    person.press(b"\x04");
    expect_no(&lab, person);
    // Nobody is there from the start: the end comes before the question.
    let mut person = apply(&lab);
    person.press(b"\x04");
    expect_no(&lab, person);
}

#[test]
fn ctrl_c_means_no() {
    let lab = planned();
    let mut person = apply(&lab);
    person.await_words(QUESTION);
    person.interrupt();
    expect_no(&lab, person);
}

/// As after Ctrl-Z and `fg`: what was typed for the shell meanwhile answers nothing.
#[test]
fn a_command_that_was_suspended_asks_again() {
    let lab = planned();
    let mut person = apply(&lab);
    person.await_words(QUESTION);
    person.signal(Signal::STOP);
    person.press(b"y");
    person.signal(Signal::CONT);
    person.await_words(QUESTION);
    person.enter("");
    expect_no(&lab, person);
    let mut person = apply(&lab);
    person.await_words(QUESTION);
    person.signal(Signal::CONT);
    person.await_words(QUESTION);
    person.enter("y");
    let (code, screen) = person.finish();
    assert_eq!((code, lab.in_state("swapped").len()), (0, 2), "{screen}");
}

/// Nothing is made if the person gives no passphrase, and the terminal shows again what is typed.
#[test]
fn no_passphrase_is_no_answer() {
    for is_interrupted in [false, true] {
        let folder = crate::support::folder();
        let mut person = Terminal::start_on(command(folder.path(), &["init"]), 40, 120);
        person.await_words("Passphrase for the identity");
        person.await_hidden();
        if is_interrupted {
            person.signal(Signal::INT);
        } else {
            person.press(b"\x04");
        }
        let (code, screen) = person.finish();
        assert_eq!(code, 5, "{screen}");
        assert!(screen.contains("error: you gave no passphrase, so nothing was done"), "{screen}");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "{screen}");
    }
}

/// A shell may let the terminal show what is typed again when the command goes on.
#[test]
fn a_passphrase_stays_hidden_after_the_command_was_suspended() {
    let folder = crate::support::folder();
    let mut person = Terminal::start_on(command(folder.path(), &["init"]), 40, 120);
    for question in ["Passphrase for the identity", "The same again:"] {
        person.await_words(question);
        person.await_hidden();
        person.signal(Signal::STOP);
        person.show_typed();
        person.signal(Signal::CONT);
        person.await_words(question);
        person.enter_hidden("canary 5d1f");
    }
    let (code, screen) = person.finish();
    assert_eq!(code, 0, "{screen}");
    assert!(!screen.contains("canary"), "{screen}");
}

/// Nobody sees a question that goes into a file, so nobody answers it.
#[test]
fn a_question_that_nobody_sees_is_not_asked() {
    let lab = planned();
    let file = lab.path("err.txt");
    let output = File::create(&file).unwrap();
    let person = Terminal::start_telling(command(lab.dir(), &["apply", "plan.json"]), output.into());
    let (code, screen) = person.finish();
    let said = fs::read_to_string(&file).unwrap();
    assert_eq!(code, 2, "{screen}\n{said}");
    assert!(said.contains("cannot ask for confirmation: stderr is not a terminal"), "{said}");
    assert_eq!(lab.in_state("planned").len(), 2);
}
