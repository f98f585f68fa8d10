//! The model of work: what is told, and that nothing is told that is not so.

use flowswap_contract::{ErrorKind, Phase};
use flowswap_engine::{Direction, Entry, Goal, OutcomeCount, Resolution, RunCommand, RunOutcome, TenantState, short};
use flowswap_report::{
    AttemptEnd, Face, Failure, Planned, RunEnd, RunLine, Selection, StatementKind, WorkReport, WorkedTenant,
};
use insta::assert_snapshot;
use jiff::SignedDuration;

use crate::{
    MOST_CHARACTERS_OF_A_COMMENT,
    eventful::eventful,
    journal::{Journal, dana, error, secret_of},
};

fn tenant<'a>(report: &'a WorkReport, name: &str) -> &'a WorkedTenant {
    report.tenants.iter().find(|tenant| tenant.name == name).unwrap()
}

#[test]
fn the_summary_says_what_became_of_whom() {
    let report = eventful().report(Selection::default());
    assert_snapshot!(report.summary.join("\n"), @r"
    This report is about 10 tenants and 4 runs, from 2026-09-12T00:00:00Z to 2026-09-12T01:30:03Z.
    Somebody stopped `apply` at 2026-09-12T01:30:02Z. The run left no tenant unfinished.
    3 tenants failed or are stuck.
    initech, soylent: step `prove`: the org refused the token.
    umbrella: step `provision`: the connection was cut.
    1 tenant was refused by the last run.
    vandelay: refused by `apply`: the plan is out of date.
    1 tenant was skipped by the last run.
    wonka: skipped by `apply`: too many tenants failed.
    2 tenants use the client-credential flow, and that is confirmed.
    1 tenant was rolled back.
    1 tenant waits for a person or for time.
    1 tenant is not finished.
    Nothing was done for 2 tenants: 2 planned.
    flowswap sent 13 requests to change something. 11 succeeded, 2 have an unknown outcome.
    A person received a secret.
    ");
    let unknown = report.unknowns.iter().map(|unknown| format!("{} [{}]", unknown.what, unknown.tenants.join(", ")));
    assert_snapshot!(unknown.collect::<Vec<_>>().join("\n"), @r"
    Run `01a0933c-6164-7404-8404-040404040404` (apply) has no recorded end. It was cut off, or it still runs. [zorin]
    No outcome is recorded of a request that changes something. It may have arrived. [zorin]
    A request that changes something got no answer. Only later checks show whether it arrived. [umbrella]
    A step started, and the journal does not record how that attempt ended. [zorin]
    ");
}

#[test]
fn failures_with_one_cause_are_one() {
    let report = eventful().report(Selection::default());
    let shown = report.failures.iter().map(|failure| {
        let step = failure.step.as_deref().unwrap_or("-");
        format!("{step}: {} [{}; healed: {}]", failure.message, failure.tenants.join(", "), failure.healed.join(", "))
    });
    assert_snapshot!(shown.collect::<Vec<_>>().join("\n"), @r"
    prove: … refused the token: request id … [hooli, initech, soylent; healed: hooli]
    -: refused by `apply`: the plan is out of date [vandelay; healed: ]
    provision: the connection was cut [umbrella; healed: ]
    ");
}

#[test]
fn a_check_that_cannot_tell_yet_is_no_failure() {
    let report = eventful().report(Selection::default());
    let tyrell = tenant(&report, "tyrell");
    assert_eq!(tyrell.attempts.last().unwrap().end, AttemptEnd::NotYet);
    assert!(report.failures.iter().all(|failure| !failure.tenants.contains(&"tyrell".to_owned())));
}

#[test]
fn waiting_for_a_person_is_apart_from_the_work_of_flowswap() {
    let report = eventful().report(Selection::default());
    let of = |by_person| report.durations.iter().filter(move |line| line.by_person == by_person);
    let waits: Vec<_> = of(true).collect();
    assert_eq!((waits.len(), waits[0].phase, waits[0].count, waits[0].longest.as_str()), (1, Phase::Swap, 1, "tyrell"));
    assert!(waits[0].median_ms > 90 * 60 * 1000 && waits[0].median_ms < 91 * 60 * 1000, "{waits:?}");
    assert!(of(false).all(|line| line.longest_ms < 1_000), "{:?}", report.durations);
    let prove = of(false).find(|line| line.phase == Phase::Prove).unwrap();
    assert_eq!((prove.count, prove.median_ms), (4, 60), "only attempts that succeeded count");
    let back = of(false).filter(|line| line.direction == Direction::Back);
    assert_eq!(back.map(|line| line.phase).collect::<Vec<_>>(), [Phase::Provision, Phase::Swap]);
}

#[test]
fn it_says_who_received_which_secret_and_who_decided() {
    let report = eventful().report(Selection::default());
    let tyrell = tenant(&report, "tyrell");
    let received: Vec<_> =
        tyrell.secrets.iter().filter_map(|secret| secret.by.as_ref().map(|by| (by, secret))).collect();
    assert_eq!(received.len(), 1);
    assert_eq!((received[0].0.to_string(), &received[0].1.handle), ("Dana (svc-ops)".to_owned(), &secret_of("tyrell")));
    let kinds: Vec<_> = tyrell.statements.iter().map(|said| said.kind).collect();
    assert_eq!(kinds, [StatementKind::Planned, StatementKind::Confirmed]);
    assert_eq!(tyrell.statements[1].note.as_deref(), Some("ticket 4711"));
}

/// The people who approved the work have never seen a plan that somebody made later.
#[test]
fn a_later_plan_does_not_take_the_place_of_the_one_that_was_carried_out() {
    let mut journal = Journal::new(["acme", "globex", "hooli"]);
    let plan = journal.plan.digest.clone();
    let planned = |report: &WorkReport, name: &str| {
        let tenant = tenant(report, name);
        let approved: Vec<_> = tenant.approved.iter().map(|it| (it.plan.clone(), it.by.len())).collect();
        (tenant.plan.clone(), tenant.planned.as_ref().map(|planned| planned.plan.clone()), approved)
    };
    journal.run(RunCommand::Apply);
    for name in ["acme", "globex"] {
        journal.begin(name, Goal::Swapped);
        journal.steps_until(name, Phase::Confirm);
        journal.finish(name, TenantState::Swapped, None);
    }
    journal.run(RunCommand::Rollback);
    journal.begin("globex", Goal::RolledBack);
    for step in ["swap", "provision"] {
        journal.step("globex", step, Direction::Back);
    }
    journal.finish("globex", TenantState::RolledBack, None);
    journal.end(false);
    journal.wait(SignedDuration::from_mins(1));
    let since = Some(journal.at);
    let later = journal.plan_again("acme");
    journal.plan_again("globex");

    let report = journal.report(Selection::default());
    let done = (Some(plan.clone()), Some(later.clone()), vec![(plan.clone(), 2)]);
    assert_eq!(planned(&report, "acme"), done);
    assert_eq!(planned(&report, "globex"), done);
    assert_eq!(planned(&report, "hooli"), (None, Some(plan.clone()), vec![]));
    // A report that begins after the run set out knows its plan from the records before it.
    let late = journal.report(Selection { since, ..Selection::default() });
    for name in ["acme", "globex"] {
        assert_eq!(planned(&late, name), (Some(plan.clone()), Some(later.clone()), vec![]));
    }
    for face in [Face::Markdown, Face::Html] {
        let text = face.show(&report).unwrap();
        let again = format!("planned again at 2026-09-12T00:01:01Z: {}, not carried out", short(&later));
        for words in [again, format!("{}, not carried out", short(&plan)), format!("plan {} approved by", short(&plan))]
        {
            assert!(text.contains(&words), "`{words}` is not in {text}");
        }
    }
}

#[test]
fn a_run_shows_only_its_own_records_and_what_came_of_them() {
    let journal = eventful();
    let all = journal.report(Selection::default());
    let first = journal.report(Selection { run: Some(all.runs[0].id), ..Selection::default() });
    assert_eq!((first.runs.len(), first.tenants.len(), first.runs[0].tenants), (1, 9, 9));
    let hooli = tenant(&first, "hooli");
    assert_eq!((hooli.state, hooli.state_now), (TenantState::Failed, Some(TenantState::Swapped)));
    assert_eq!(first.failures[0].healed, ["hooli"], "a later run is not shown, but what it solved is");
    assert!(first.unknowns.iter().all(|unknown| !unknown.what.contains("began before")), "{:?}", first.unknowns);
    let second = journal.report(Selection { run: Some(all.runs[1].id), ..Selection::default() });
    assert_eq!(second.tenants.iter().map(|tenant| tenant.name.as_str()).collect::<Vec<_>>(), ["hooli", "tyrell"]);
    assert!(tenant(&second, "tyrell").began_before);
    assert_eq!(tenant(&second, "tyrell").attempts.len(), 2);
}

#[test]
fn a_selection_of_tenants_and_time_leaves_out_the_others() {
    let journal = eventful();
    let all = journal.report(Selection::default());
    let acme = journal.report(Selection { tenants: ["acme".to_owned()].into(), ..Selection::default() });
    assert_eq!((acme.tenants.len(), acme.runs.len(), acme.runs[0].id), (1, 1, all.runs[0].id));
    assert_eq!(acme.tenants[0], *tenant(&all, "acme"));
    let since = Some(all.runs[2].started_at);
    let late = journal.report(Selection { since, ..Selection::default() });
    assert_eq!(late.tenants.iter().map(|tenant| tenant.name.as_str()).collect::<Vec<_>>(), ["acme", "globex", "zorin"]);
    assert_eq!(late.runs.len(), 2);
    assert_eq!(late.from, since);
    let never = Some(all.to.unwrap() + SignedDuration::from_secs(1));
    assert!(journal.report(Selection { since: never, ..Selection::default() }).is_empty());
}

/// A declined run sheet fails the tenant without an attempt that failed.
#[test]
fn a_failure_that_no_attempt_shows_is_not_lost() {
    let mut journal = Journal::new(["acme"]);
    journal.run(RunCommand::Apply);
    journal.begin("acme", Goal::Swapped);
    journal.steps_until("acme", Phase::Test);
    journal.start("acme", "swap", Direction::Forward);
    journal.ask("acme", "swap");
    journal.finish("acme", TenantState::Waiting, None);
    journal.end(false);
    let (step, by) = ("swap".to_owned(), dana());
    journal.person("acme", Entry::Declined { step, by, reason: "change freeze".to_owned() });
    let report = journal.report(Selection::default());
    assert_eq!(report.failures.len(), 1);
    assert_eq!(report.failures[0].message, "Dana (svc-ops) declined step `swap`: change freeze");
    let asked = tenant(&report, "acme").attempts.last().unwrap().asked.clone().unwrap();
    assert_eq!(asked.until, report.to, "nobody waits any more");
}

/// Attempts that are repeated within a run are one failure of one tenant.
#[test]
fn a_repeated_attempt_counts_once_as_a_tenant() {
    let mut journal = Journal::new(["acme"]);
    journal.run(RunCommand::Apply);
    journal.begin("acme", Goal::Swapped);
    journal.step("acme", "provision", Direction::Forward);
    for _ in 0..3 {
        journal.fail("acme", "prove", error(ErrorKind::Unavailable, "no answer"));
    }
    journal.steps_until("acme", Phase::Confirm);
    journal.finish("acme", TenantState::Swapped, None);
    let report = journal.report(Selection::default());
    let failure = &report.failures[0];
    assert_eq!((failure.times, failure.tenants.len(), failure.healed.len()), (3, 1, 1));
}

/// A long journal does not make a page that no browser can show. The tenants that a reader looks for are in it.
#[test]
fn a_page_of_many_tenants_shows_first_those_that_need_attention() {
    let mut report = eventful().report(Selection::default());
    let swapped = tenant(&report, "acme").clone();
    let others = (0..1_500).map(|number| WorkedTenant { name: format!("a-{number:04}"), ..swapped.clone() });
    report.tenants.splice(0..0, others);
    let page = Face::Html.show(&report).unwrap();
    let shown = |name: &str| page.contains(&format!("What happened<span class=\"spoken\"> to {name}</span>"));
    assert!(["hooli", "umbrella", "vandelay", "zorin", "a-0000", "a-0992"].map(shown).iter().all(|shown| *shown));
    assert!(!shown("a-0993") && page.contains("shows 1000 of 1510 tenants"));
    assert!(page.len() < 10_000_000, "{}", page.len());
    let ticket = Face::Markdown.show(&report).unwrap();
    let shown = ticket.lines().filter(|line| line.starts_with("### ")).count();
    assert!(shown >= 10 && ticket.contains(&format!("\nThe next sections show {shown} of 1510 tenants")), "{shown}");
    assert!(ticket.contains("### umbrella\n"));
}

/// A report of this many tenants with long names. Nine tenths were done alike; the others failed, each for a reason of its own.
fn large(tenants: usize) -> WorkReport {
    let mut report = eventful().report(Selection::default());
    let [swapped, failed] = ["hooli", "initech"].map(|name| tenant(&report, name).clone());
    let long = "of_a_customer_with_a_long_name_".repeat(4);
    report.tenants = (0..tenants)
        .map(|number| {
            let reason = (number % 10 == 0).then(|| format!("step `prove`: {number} {long}"));
            let like = if reason.is_some() { &failed } else { &swapped };
            WorkedTenant { name: format!("tenant_{number}_{long}"), reason, ..like.clone() }
        })
        .collect();
    for (number, like) in report.runs.clone().into_iter().cycle().enumerate().take(tenants / 5) {
        report.runs.push(RunLine { tenants: number, ..like });
    }
    for (number, like) in report.failures.clone().into_iter().cycle().enumerate().take(tenants / 5) {
        let names = report.tenants.iter().map(|tenant| tenant.name.clone()).collect();
        report.failures.push(Failure { message: format!("{number} {long}"), tenants: names, ..like });
    }
    for unknown in &mut report.unknowns {
        unknown.tenants = report.tenants.iter().map(|tenant| tenant.name.clone()).collect();
    }
    report
}

#[test]
fn markdown_fits_a_comment_and_says_what_it_leaves_out() {
    for tenants in [300, 5_000] {
        let report = large(tenants);
        let text = Face::Markdown.show(&report).unwrap();
        assert!(text.len() < MOST_CHARACTERS_OF_A_COMMENT, "{tenants} tenants: {} bytes", text.len());
        let (before, table) = text.split_once("\n## Tenants\n").unwrap();
        let table: Vec<&str> = table.lines().filter(|line| line.starts_with("| ")).skip(2).collect();
        assert!(table.len() >= 3, "{text}");
        let alone = table.iter().filter(|row| row.contains("| failed |")).count();
        let swapped = tenants * 9 / 10;
        let shared = table.iter().filter(|row| row.starts_with(&format!("| {swapped} tenants: tenant"))).count();
        let left_out = tenants - alone - shared * swapped;
        assert!(text.contains(&format!("\n{left_out} tenants are left out of this table.")), "{text}");
        let runs = before.lines().filter(|line| line.contains("| Dana (svc-ops) on laptop | 2026-")).count();
        let earlier = report.runs.len() - runs;
        assert!(before.contains(&format!("\n{earlier} earlier runs are left out here.")), "{before}");
        assert!(before.contains(" more causes are left out here."), "{before}");
        assert!(text.contains(&report.journal.hash), "the hash is always there");
    }
}

#[test]
fn a_run_without_tenants_has_every_face() {
    let mut report = eventful().report(Selection::default());
    report.tenants.clear();
    for face in [Face::Html, Face::Markdown, Face::Json] {
        assert!(face.show(&report).unwrap().contains(&report.runs[0].id.to_string()), "{face:?}");
    }
}

/// If nearly all tenants are alike, the text fits, with what needs attention step by step.
#[test]
fn markdown_names_tenants_that_are_alike_in_one_row() {
    let mut report = eventful().report(Selection::default());
    let acme = tenant(&report, "acme").clone();
    let planned = acme.planned.clone().unwrap();
    report.tenants.extend((0..300).map(|number| {
        let at = planned.at + SignedDuration::from_secs(number / 100);
        let planned = Some(Planned { at, ..planned.clone() });
        WorkedTenant { name: format!("tenant-{number:03}"), planned, ..acme.clone() }
    }));
    let text = Face::Markdown.show(&report).unwrap();
    let row = text.lines().find(|line| line.starts_with("| 301 tenants: ")).unwrap();
    assert_snapshot!(row, @"| 301 tenants: acme, tenant-000, tenant-001, tenant-002, tenant-003, tenant-004, tenant-005, tenant-006, tenant-007, tenant-008, tenant-009, tenant-010, and 289 more | swapped | 2026-09-12T00:00:00.680Z | 9a78ea31fe61; planned again from 2026-09-12T01:30:03Z to 2026-09-12T01:30:05Z: 999999999999, not carried out | 602 |  |");
    assert!(text.contains("\n### umbrella\n") && text.len() < MOST_CHARACTERS_OF_A_COMMENT, "{text}");
    assert!(text.contains("\nThe reports as HTML and as JSON name each tenant.\n"), "{text}");
}

/// At the terminal, the run waits for the person, and ends the step itself.
#[test]
fn a_person_who_answers_in_the_same_run_does_not_make_flowswap_slow() {
    let mut journal = Journal::new(["acme"]);
    journal.run(RunCommand::Apply);
    journal.begin("acme", Goal::Swapped);
    journal.steps_until("acme", Phase::Test);
    journal.start("acme", "swap", Direction::Forward);
    journal.ask("acme", "swap");
    journal.wait(SignedDuration::from_hours(1));
    let (outputs, evidence, step) = (Default::default(), Vec::new(), "swap".to_owned());
    journal.add("acme", Entry::StepEnded { step, direction: Direction::Forward, outputs, evidence });
    let report = journal.report(Selection::default());
    assert_eq!(tenant(&report, "acme").attempts.last().unwrap().end, AttemptEnd::Done);
    let swaps = report.durations.iter().filter(|line| line.phase == Phase::Swap);
    assert_eq!(swaps.map(|line| (line.by_person, line.longest_ms)).collect::<Vec<_>>(), [(true, 3_600_010)]);
}

#[test]
fn what_people_decide_is_told_with_their_names_and_reasons() {
    let mut journal = Journal::new(["acme", "globex"]);
    journal.run(RunCommand::Apply);
    journal.begin("acme", Goal::Swapped);
    journal.start("acme", "provision", Direction::Forward);
    let cut = error(ErrorKind::Unavailable, "cut").with_unknown_effect();
    journal.end_failed("acme", "provision", cut, Vec::new());
    journal.finish("acme", TenantState::Stuck, None);
    let (step, outputs, by) = ("provision".to_owned(), Default::default(), dana());
    let (stands, reason) = (Resolution::NotApplied, "Okta has no such client".to_owned());
    journal.person("acme", Entry::Resolved { step, stands, outputs, reason, by });
    journal.begin("globex", Goal::Swapped);
    journal.steps_until("globex", Phase::Confirm);
    journal.finish("globex", TenantState::Swapped, None);
    journal.run(RunCommand::Rollback);
    let accepted = vec!["the plugin `okta` has another build".to_owned()];
    journal.begin_with("globex", Goal::RolledBack, accepted);
    journal.finish("globex", TenantState::RollingBack, None);
    let stands = ["provision", "swap"].map(|step| (step.to_owned(), Default::default())).into();
    let (seen, reason) = ("the new client".to_owned(), "it works".to_owned());
    journal.person("globex", Entry::Abandoned { stands, seen, reason, by: dana() });
    journal.person("globex", Entry::GivenUp { goal: Goal::Purged, by: dana() });
    let report = journal.report(Selection::default());
    let page = Face::Markdown.show(&report).unwrap();
    let told = page.split_once("## Decisions").unwrap().1;
    let told = told.lines().filter_map(|line| line.strip_prefix("| 2026-")?.split_once(" | ")).map(|(_, told)| told);
    assert_snapshot!(told.take(4).collect::<Vec<_>>().join("\n"), @r"
    Dana (svc-ops) on laptop | acme | decided that \`provision\` is not applied (“Okta has no such client”) |
    Dana (svc-ops) on laptop | globex | accepted changes: the plugin \`okta\` has another build |
    Dana (svc-ops) on laptop | globex | abandoned the rollback (“it works”) |
    Dana (svc-ops) on laptop | globex | gave up the unfinished \`finalize --purge\` |
    ");
    assert_eq!(tenant(&report, "globex").state, TenantState::Swapped);
}

/// Only one process writes to a journal, so a run without an end is over once another process has written.
#[test]
fn a_run_that_another_process_followed_was_cut_off() {
    let mut journal = eventful();
    let ends = |journal: &Journal| -> Vec<RunEnd> {
        journal.report(Selection::default()).runs.iter().map(|run| run.end).collect()
    };
    assert_eq!(ends(&journal), [RunEnd::Finished, RunEnd::Interrupted, RunEnd::Finished, RunEnd::Unrecorded]);
    journal.run(RunCommand::Apply);
    assert_eq!(ends(&journal)[3..], [RunEnd::Unrecorded, RunEnd::Unrecorded]);
    journal.records.last_mut().unwrap().epoch += 1;
    assert_eq!(ends(&journal)[3..], [RunEnd::CutOff, RunEnd::Unrecorded]);
    let what = &journal.report(Selection::default()).unknowns[0];
    assert!(what.what.ends_with("was cut off. Its last records can be missing."), "{what:?}");
    assert_eq!(what.tenants, ["zorin"]);
}

/// For CI, a swapped tenant that `finalize` refuses has not passed.
#[test]
fn a_tenant_that_the_last_run_refused_is_no_success() {
    let mut journal = Journal::new(["acme"]);
    journal.run(RunCommand::Apply);
    journal.begin("acme", Goal::Swapped);
    journal.steps_until("acme", Phase::Confirm);
    journal.finish("acme", TenantState::Swapped, None);
    journal.run(RunCommand::Finalize);
    let reasons = vec!["the clocks differ".to_owned()];
    journal.add("acme", Entry::Refused { goal: Goal::Retired, reasons, unapproved: false, unread: false });
    let report = journal.report(Selection::default());
    assert_eq!(report.summary[1], "1 tenant was refused by the last run.");
    assert_eq!(report.summary[2], "acme: refused by `finalize`: the clocks differ.");
    let junit = Face::Junit.show(&report).unwrap();
    let skipped = "<skipped message=\"refused by `finalize`: the clocks differ\" type=\"swapped\"/>";
    assert!(junit.contains(skipped), "{junit}");
}

/// A pilot has swapped acme. The next run is stopped before it gets to acme, which needs nothing, and to hooli.
fn stopped() -> (Journal, WorkReport) {
    let mut journal = Journal::new(["acme", "globex", "hooli", "initech"]);
    let swap = |journal: &mut Journal, name: &str| {
        journal.begin(name, Goal::Swapped);
        journal.steps_until(name, Phase::Confirm);
        journal.finish(name, TenantState::Swapped, None);
    };
    journal.run(RunCommand::Apply);
    swap(&mut journal, "acme");
    journal.end(false);
    let run = journal.run(RunCommand::Apply);
    swap(&mut journal, "globex");
    let (goal, reason) = (Goal::Swapped, "the run was stopped".to_owned());
    // Earlier versions recorded this.
    journal.add("acme", Entry::Skipped { goal, reason: reason.clone() });
    journal.add("hooli", Entry::Skipped { goal, reason });
    let reasons = vec!["could not read the provider again: unauthorized".to_owned()];
    journal.add("initech", Entry::Refused { goal, reasons, unapproved: false, unread: false });
    let count = |outcome, state, tenants| OutcomeCount { outcome, state, tenants };
    let swapped = Some(TenantState::Swapped);
    journal.outcomes = vec![
        count(RunOutcome::Ended, swapped, 1),
        count(RunOutcome::DoneBefore, swapped, 1),
        count(RunOutcome::Refused, None, 1),
        count(RunOutcome::Skipped, None, 7),
    ];
    journal.end(true);
    let report = journal.report(Selection { run: Some(run), ..Selection::default() });
    (journal, report)
}

#[test]
fn the_numbers_of_a_run_are_those_that_it_printed() {
    let (_, report) = stopped();
    assert_snapshot!(report.summary.join("\n"), @r"
    This report is about 4 tenants and 1 run, from 2026-09-12T00:00:00Z to 2026-09-12T00:00:01Z.
    `apply` had 10 tenants: 2 swapped (1 of them before), 1 refused, 7 skipped.
    6 tenants are not in this report, because that run had no news.
    Somebody stopped `apply` at 2026-09-12T00:00:01Z. The run did not get to 7 tenants.
    1 tenant was refused by the last run.
    initech: refused by `apply`: could not read the provider again: unauthorized.
    1 tenant was skipped by the last run.
    hooli: skipped by `apply`: the run was stopped.
    2 tenants use the client-credential flow, and that is confirmed.
    Nothing was done for 2 tenants: 2 planned.
    flowswap sent 2 requests to change something. All succeeded.
    ");
}

/// What a stopped run left is counted once, and the numbers add up. After another run, they are those of that time.
#[test]
fn what_a_stopped_run_left_is_counted_once() {
    let mut journal = Journal::new(["acme", "globex", "hooli", "initech", "soylent", "tyrell"]);
    let stop = |journal: &mut Journal, name: &str, state| {
        let reason = Some("stopped before step `test`".to_owned());
        journal.add(name, Entry::TenantEnded { state, reason, interrupted: true });
    };
    let skip = |journal: &mut Journal, name: &str| {
        journal.add(name, Entry::Skipped { goal: Goal::Swapped, reason: "the run was stopped".to_owned() });
    };
    let count = |outcome, state, tenants| OutcomeCount { outcome, state, tenants };
    journal.run(RunCommand::Apply);
    journal.begin("acme", Goal::Swapped);
    journal.steps_until("acme", Phase::Confirm);
    journal.finish("acme", TenantState::Swapped, None);
    journal.begin("globex", Goal::Swapped);
    journal.steps_until("globex", Phase::Prove);
    stop(&mut journal, "globex", TenantState::Running);
    journal.begin("hooli", Goal::Swapped);
    journal.steps_until("hooli", Phase::Swap);
    stop(&mut journal, "hooli", TenantState::Soaking);
    skip(&mut journal, "initech");
    skip(&mut journal, "soylent");
    let states = [TenantState::Swapped, TenantState::Running, TenantState::Soaking].map(Some);
    let ended = states.map(|state| count(RunOutcome::Ended, state, 1));
    journal.outcomes = ended.into_iter().chain([count(RunOutcome::Skipped, None, 2)]).collect();
    journal.end(true);
    assert_snapshot!(journal.report(Selection::default()).summary.join("\n"), @r"
    This report is about 6 tenants and 1 run, from 2026-09-12T00:00:00Z to 2026-09-12T00:00:01Z.
    `apply` had 5 tenants: 1 running, 1 swapped, 1 soaking, 2 skipped.
    Somebody stopped `apply` at 2026-09-12T00:00:01Z. The run did not finish 2 tenants (1 running, 1 soaking), and did not get to 2.
    1 tenant uses the client-credential flow, and that is confirmed.
    Nothing was done for 1 other tenant: 1 planned.
    flowswap sent 5 requests to change something. All succeeded.
    ");
    // The next run is stopped too. It does not record again that it did not get to soylent.
    journal.run(RunCommand::Apply);
    journal.begin("globex", Goal::Swapped);
    journal.steps_until("globex", Phase::Confirm);
    journal.finish("globex", TenantState::Swapped, None);
    journal.begin("initech", Goal::Swapped);
    stop(&mut journal, "initech", TenantState::Running);
    let ended = [TenantState::Swapped, TenantState::Running].map(|state| count(RunOutcome::Ended, Some(state), 1));
    journal.outcomes = ended.into_iter().chain([count(RunOutcome::Skipped, None, 1)]).collect();
    journal.end(true);
    assert_snapshot!(journal.report(Selection::default()).summary.join("\n"), @r"
    This report is about 6 tenants and 2 runs, from 2026-09-12T00:00:00Z to 2026-09-12T00:00:01Z.
    Somebody stopped `apply` at 2026-09-12T00:00:01Z. The run did not finish 2 tenants (1 running, 1 soaking), and did not get to 2.
    Somebody stopped `apply` at 2026-09-12T00:00:01Z. The run did not finish 1 tenant (running), and did not get to 1.
    2 tenants use the client-credential flow, and that is confirmed.
    1 other tenant waits for a person or for time.
    Nothing was done for 1 other tenant: 1 planned.
    flowswap sent 6 requests to change something. All succeeded.
    ");
    // A report about fewer tenants than the run had names those that the run did not get to.
    let tenants = ["initech", "tyrell", "soylent"].map(str::to_owned).into();
    journal.run(RunCommand::Apply);
    skip(&mut journal, "tyrell");
    journal.outcomes = vec![count(RunOutcome::Skipped, None, 40)];
    journal.end(true);
    assert_snapshot!(journal.report(Selection { tenants, ..Selection::default() }).summary.join("\n"), @r"
    This report is about 3 tenants and 3 runs, from 2026-09-12T00:00:00Z to 2026-09-12T00:00:01Z.
    Somebody stopped `apply` at 2026-09-12T00:00:01Z. The run did not get to 2 tenants.
    Somebody stopped `apply` at 2026-09-12T00:00:01Z. The run did not finish 1 tenant (running), and did not get to 1.
    Somebody stopped `apply` at 2026-09-12T00:00:01Z. The run did not get to 40 tenants.
    2 tenants were skipped by the last run.
    soylent, tyrell: skipped by `apply`: the run was stopped.
    1 tenant is not finished.
    Nothing was done for 2 tenants: 2 planned.
    flowswap sent no request to change something.
    ");
}

#[test]
fn a_tenant_that_was_done_before_is_not_skipped() {
    let (journal, _) = stopped();
    let report = journal.report(Selection::default());
    assert_eq!((tenant(&report, "acme").is_refused, tenant(&report, "acme").why()), (false, None));
    assert!(tenant(&report, "hooli").is_refused);
    let junit = Face::Junit.show(&report).unwrap();
    assert_eq!(junit.matches("<skipped").count(), 2, "{junit}");
}

/// What failed or was refused comes first, with its cause. A ticket shows twenty tenants step by step, and first what was changed.
#[test]
fn what_needs_attention_comes_first() {
    let (journal, report) = stopped();
    let names = |report: &WorkReport| report.by_attention().iter().map(|it| it.name.clone()).collect::<Vec<_>>();
    assert_eq!(names(&report), ["initech", "globex", "acme", "hooli"]);
    assert_eq!(names(&journal.report(Selection::default())), ["initech", "acme", "globex", "hooli"]);
    let [failure] = report.failures.as_slice() else { panic!("{:?}", report.failures) };
    assert_eq!((failure.tenants.as_slice(), failure.healed.len()), (&["initech".to_owned()][..], 0));
    let (html, markdown) = (Face::Html.show(&report).unwrap(), Face::Markdown.show(&report).unwrap());
    let place = |text: &str, words: &str| text.find(words).unwrap_or_else(|| panic!("`{words}` is not in {text}"));
    assert!(place(&html, ">initech</th>") < place(&html, ">globex</th>"));
    assert!(html.contains("<span class=\"failed\">refused</span>"), "{html}");
    assert!(html.contains("<span data-cause=\"1\">1</span>"), "{html}");
    assert!(place(&markdown, "| initech |") < place(&markdown, "| 2 tenants: globex, acme |"));
    // Many that no run got to leave room for those that were changed.
    let names: Vec<String> = (0..30).map(|number| format!("a-{number:02}")).chain(["zorin".to_owned()]).collect();
    let mut journal = Journal::new(names.iter().map(String::as_str));
    journal.run(RunCommand::Apply);
    journal.begin("zorin", Goal::Swapped);
    journal.steps_until("zorin", Phase::Confirm);
    journal.finish("zorin", TenantState::Swapped, None);
    for name in &names[..30] {
        journal.add(name, Entry::Skipped { goal: Goal::Swapped, reason: "the run was stopped".to_owned() });
    }
    journal.end(true);
    let markdown = Face::Markdown.show(&journal.report(Selection::default())).unwrap();
    assert!(markdown.contains("### zorin"), "{markdown}");
}

#[test]
fn the_summary_says_what_cannot_be_undone_and_what_a_plan_says_of_the_rest() {
    let mut journal = Journal::new(["acme", "globex", "hooli"]);
    journal.run(RunCommand::Finalize);
    journal.begin("acme", Goal::Purged);
    journal.steps_until("acme", Phase::Purge);
    journal.finish("acme", TenantState::Finalized, None);
    journal.end(false);
    journal.plan_again("globex");
    assert_snapshot!(journal.report(Selection::default()).summary.join("\n"), @r"
    This report is about 3 tenants and 1 run, from 2026-09-12T00:00:00Z to 2026-09-12T00:00:00Z.
    1 tenant uses the client-credential flow, and that is confirmed.
    The legacy client of 1 tenant was deleted. That is irreversible.
    Nothing was done for 2 tenants: 1 planned, 1 migrated.
    flowswap sent 4 requests to change something. All succeeded.
    ");
}

/// Records have times to the millisecond, and a fast answer ends a step in the one in which its secret came.
#[test]
fn what_happened_in_one_millisecond_is_told_in_its_order() {
    let mut report = eventful().report(Selection::default());
    report.tenants.retain(|tenant| tenant.name == "globex");
    let globex = &mut report.tenants[0];
    globex.attempts.truncate(1);
    let at = globex.secrets[0].at;
    globex.statements.iter_mut().for_each(|said| said.at = at);
    globex.attempts.iter_mut().for_each(|attempt| attempt.ended_at = Some(at));
    globex.ends.iter_mut().for_each(|end| end.at = at);
    globex.secrets.iter_mut().for_each(|secret| secret.at = at);
    for face in [Face::Markdown, Face::Html] {
        let text = face.show(&report).unwrap();
        let places = ["planned it", "stored the secret", "done in", "deleted the secret", "the run ended"];
        let places = places.map(|words| text.find(words).unwrap_or_else(|| panic!("`{words}` is not in {text}")));
        assert!(places.is_sorted(), "{places:?}: {text}");
    }
}
