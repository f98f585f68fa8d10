//! A journal in which everything has happened to somebody that a report can show.

use flowswap_contract::{ErrorKind, Evidence, EvidenceResult, Phase};
use flowswap_engine::{Direction, Entry, Goal, RequestOutcome, RunCommand, TenantState};
use jiff::SignedDuration;

use super::journal::{Journal, dana, error};

/// A fleet after some days.
pub(crate) fn eventful() -> Journal {
    use Direction::{Back, Forward};
    let names = ["acme", "globex", "hooli", "initech", "soylent", "tyrell", "umbrella", "vandelay", "wonka", "zorin"];
    let mut journal = Journal::new(names);
    journal.run(RunCommand::Apply);
    for name in ["acme", "globex"] {
        journal.begin(name, Goal::Swapped);
        journal.steps_until(name, Phase::Confirm);
        journal.finish(name, TenantState::Swapped, None);
    }
    // Three with one cause.
    for name in ["hooli", "initech", "soylent"] {
        journal.begin(name, Goal::Swapped);
        journal.step(name, "provision", Forward);
        let message = format!("{name}.okta.test refused the token: request id req{name}12345678");
        journal.fail(name, "prove", error(ErrorKind::Auth, message));
        journal.finish(name, TenantState::Failed, Some("step `prove`: the org refused the token"));
    }
    // A person acts.
    journal.begin("tyrell", Goal::Swapped);
    journal.steps_until("tyrell", Phase::Test);
    journal.start("tyrell", "swap", Forward);
    journal.ask("tyrell", "swap");
    journal.finish("tyrell", TenantState::Waiting, Some("step `swap` waits for identity-team"));
    // No answer, and nobody knows whether it arrived.
    journal.begin("umbrella", Goal::Swapped);
    journal.start("umbrella", "provision", Forward);
    let lost = RequestOutcome::Lost { message: "the connection was cut".to_owned() };
    journal.request("umbrella", "provision", 0, Forward, Some(lost));
    let cut = error(ErrorKind::Unavailable, "the connection was cut").with_unknown_effect();
    journal.end_failed("umbrella", "provision", cut, Vec::new());
    journal.finish("umbrella", TenantState::Stuck, Some("step `provision`: the connection was cut"));
    let reasons = vec!["the plan is out of date".to_owned()];
    journal.add("vandelay", Entry::Refused { goal: Goal::Swapped, reasons, unapproved: false, unread: false });
    journal.add("wonka", Entry::Skipped { goal: Goal::Swapped, reason: "too many tenants failed".to_owned() });
    journal.end(false);
    journal.hand_over("tyrell");
    journal.wait(SignedDuration::from_mins(90));
    let (step, note) = ("swap".to_owned(), Some("ticket 4711".to_owned()));
    journal.person("tyrell", Entry::Confirmed { step, by: dana(), note });
    // Later, one of the three succeeds, and flowswap sees what the person did.
    journal.run(RunCommand::Apply);
    journal.begin("hooli", Goal::Swapped);
    journal.steps_until("hooli", Phase::Confirm);
    journal.finish("hooli", TenantState::Swapped, None);
    journal.begin("tyrell", Goal::Swapped);
    let (outputs, evidence) = Default::default();
    journal.add("tyrell", Entry::StepEnded { step: "swap".to_owned(), direction: Forward, outputs, evidence });
    journal.start("tyrell", "confirm-directory", Forward);
    let too_early = Evidence::new("sync", EvidenceResult::Inconclusive, "no sync yet");
    let not_yet = error(ErrorKind::Conflict, "sync: no sync yet");
    journal.end_failed("tyrell", "confirm-directory", not_yet, vec![too_early]);
    journal.finish("tyrell", TenantState::Soaking, Some("not confirmed yet: sync: no sync yet"));
    journal.end(true);
    // One goes back.
    journal.run(RunCommand::Rollback);
    journal.begin("globex", Goal::RolledBack);
    for step in ["swap", "provision"] {
        journal.step("globex", step, Back);
    }
    journal.finish("globex", TenantState::RolledBack, None);
    journal.end(false);
    // A run is cut off in the middle of a request.
    journal.run(RunCommand::Apply);
    journal.begin("zorin", Goal::Swapped);
    journal.start("zorin", "provision", Forward);
    journal.request("zorin", "provision", 0, Forward, None);
    // Somebody only looks at what a new plan would say.
    journal.plan_again("acme");
    journal
}
