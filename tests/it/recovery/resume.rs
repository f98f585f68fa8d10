//! `resume` repeats the interrupted command, whichever it was.

use std::time::Duration;

use flowswap_sim::{Fault, FaultKind, SimConfig};

use crate::support::{Background, Lab};

/// A lab that is slow enough to interrupt a run in the middle, with one tenant at a time.
pub(crate) fn slow_lab() -> Lab {
    let lab = Lab::new(SimConfig::default().tenants(3).latency(Duration::from_millis(20)));
    lab.edit_config(|text| format!("{text}\n[run]\nconcurrency = 1\n"));
    lab
}

/// A slow lab whose tenants are swapped, and whose older tokens have expired.
fn swapped_lab() -> Lab {
    let lab = slow_lab();
    lab.plan().expect(0);
    lab.run(&["apply", "plan.json", "--yes"]).expect(0);
    lab.outlive_tokens();
    lab
}

#[track_caller]
pub(crate) fn cut_off(lab: &Lab, args: &[&str], after: &str) {
    let mut running = Background::start(lab.dir(), &[args, &["-v"]].concat());
    running.await_talk(after);
    // The process is killed while requests are held.
    running.await_faults(lab);
    running.kill();
    running.finish().expect(-9);
}

#[test]
fn resume_continues_an_interrupted_apply_rollback_and_finalize() {
    let lab = slow_lab();
    lab.run(&["plan", "-o", "first.json"]).expect(0);
    let before = lab.sim.snapshot();

    cut_off(&lab, &["apply", "first.json", "--yes"], "acme: provision done");
    let output = lab.run(&["resume", "--yes"]).expect(0);
    assert!(output.stderr.contains("/first.json` of "), "{}", output.stderr);
    assert!(output.stderr.contains(" left 3 tenants (acme, globex, initech) unfinished"), "{}", output.stderr);
    assert_eq!(lab.in_state("swapped").len(), 3);

    lab.outlive_tokens();
    cut_off(&lab, &["rollback", "--all", "--yes"], "swap rollback done");
    let output = lab.run(&["resume", "--yes"]).expect(0);
    assert!(output.stderr.contains("`flowswap rollback` of "), "{}", output.stderr);
    assert!(output.stderr.contains(" left 3 tenants (acme, globex, initech) unfinished"), "{}", output.stderr);
    assert_eq!(flowswap_sim::diff(&before, &lab.sim.snapshot()), Vec::<String>::new());

    lab.run(&["plan", "-o", "second.json"]).expect(0);
    lab.run(&["apply", "second.json", "--yes"]).expect(0);
    lab.outlive_tokens();
    lab.run(&["finalize", "--all", "--yes"]).expect(0);
    let (host, kind) = (lab.sim.tenants()[1].domain.clone(), FaultKind::Delay { milliseconds: 600_000 });
    let (method, path) = (Some("DELETE".to_owned()), String::new());
    lab.sim.add_fault(Fault { host, method, path, query: String::new(), kind, times: 1, skip: 0 });
    cut_off(&lab, &["finalize", "acme", "globex", "--purge", "--yes"], "acme: purge done");
    let output = lab.run(&["resume", "--yes"]).expect(0);
    assert!(output.stderr.contains("`flowswap finalize --purge` of "), "{}", output.stderr);
    assert_eq!(lab.in_state("finalized"), ["acme", "globex"]);
}

/// A rollback for which the directory could not be read is still to come.
#[test]
fn nothing_else_takes_the_place_of_a_rollback_that_could_not_begin() {
    let lab = swapped_lab();
    lab.edit_config(|text| format!("{text}soak = \"48h\"\n"));
    let path = format!("/v1/directories/{}", lab.sim.tenants()[0].directory_id);
    let (host, kind) = ("*".to_owned(), FaultKind::Status { status: 503 });
    lab.sim.add_fault(Fault { host, method: None, path, query: String::new(), kind, times: 0, skip: 0 });
    let output = lab.run(&["rollback", "acme", "--yes"]).expect(4);
    assert!(output.stdout.contains("could not read the directory again: "), "{}", output.stdout);
    assert!(lab.sim.faults()[0].fired > 0);
    lab.sim.clear_faults();

    let status = lab.run(&["status", "acme"]).expect(0).stdout;
    assert!(status.contains("flowswap resume acme"), "{status}");
    assert!(status.contains("acme: a rollback that began at "), "{status}");
    assert!(!status.contains("can be finalized"), "{status}");
    lab.edit_config(|text| text.replace("soak = \"48h\"\n", ""));
    for args in [&["apply", "plan.json", "acme", "--yes"][..], &["finalize", "acme", "--yes"]] {
        let refused = lab.run(args).expect(6);
        let text = refused.stdout + &refused.stderr;
        assert!(text.contains("continue it with `flowswap resume`, or give it up"), "{text}");
    }
    lab.run(&["resume", "acme", "--yes"]).expect(0);
    assert_eq!(lab.in_state("rolled-back"), ["acme"]);
}

/// A person who begins a rollback expects it to happen, also for tenants that it did not reach.
#[test]
fn nothing_else_takes_the_place_of_an_interrupted_rollback() {
    let lab = swapped_lab();
    cut_off(&lab, &["rollback", "--all", "--yes"], "acme: swap rollback done");
    let status = lab.run(&["status", "globex"]).expect(0);
    assert!(status.stdout.contains("globex: a rollback that began at "), "{}", status.stdout);

    for args in
        [&["apply", "plan.json", "--yes"][..], &["finalize", "globex", "--yes"], &["finalize", "--all", "--yes"]]
    {
        let refused = lab.run(args).expect(6);
        assert!(refused.stdout.contains("continue it with `flowswap resume`, or give it up"), "{}", refused.stdout);
    }
    let watched = lab.run(&["watch", "globex"]).expect(4).stderr;
    assert_eq!(watched, "a run has not done what it set out to do for globex; continue it: flowswap resume\n");
    let status = lab.json(&["status"], 0);
    for tenant in status["tenants"].as_array().unwrap() {
        assert_eq!(tenant["next"], format!("flowswap resume {}", tenant["name"].as_str().unwrap()));
    }

    // A person may change their mind about a tenant that is as it was.
    let begun = lab.run(&["resume", "--give-up"]).expect(2).stderr;
    assert!(
        begun.starts_with("these have begun and cannot be given up; continue them: flowswap resume acme\n"),
        "{begun}"
    );
    let begun = lab.run(&["resume", "--give-up", "acme"]).expect(6);
    assert!(
        begun.stderr.contains("`acme` cannot be given up: `flowswap rollback` has changed it already"),
        "{}",
        begun.stderr
    );
    lab.run(&["resume", "--give-up", "globex", "--yes", "--user", "rita"]).expect(0);
    assert_eq!(lab.json(&["status", "globex"], 0)["tenants"][0]["next"], "flowswap finalize globex");
    let history = lab.run(&["history", "globex"]).expect(0);
    assert!(history.stdout.lines().last().unwrap().contains("rita"), "{}", history.stdout);
    lab.run(&["resume", "--yes"]).expect(0);
    assert_eq!(lab.in_state("rolled-back"), ["acme", "initech"]);
    assert_eq!(lab.in_state("swapped"), ["globex"]);
    lab.run(&["resume", "--give-up"]).expect(0);
}

/// What was given up is not done later, and what had begun before it is continued.
#[test]
fn a_purge_that_is_given_up_leaves_the_tenant_retired() {
    let lab = swapped_lab();
    lab.run(&["finalize", "--all", "--yes"]).expect(0);
    let (host, kind) = (lab.sim.tenants()[1].domain.clone(), FaultKind::Delay { milliseconds: 600_000 });
    lab.sim.add_fault(Fault { host, method: None, path: String::new(), query: String::new(), kind, times: 1, skip: 0 });
    cut_off(&lab, &["finalize", "--all", "--purge", "--yes"], "acme: purge done");
    lab.sim.clear_faults();
    // That needs no configuration.
    let rename =
        |from: &str, to: &str| lab.edit_config(|text| text.replace(&format!("\"{from}\""), &format!("\"{to}\"")));
    rename("globex", "other");
    lab.run(&["resume", "--give-up", "globex", "--yes"]).expect(0);
    assert!(lab.run(&["resume", "--give-up", "nobody"]).expect(2).stderr.contains("no tenant `nobody`"));
    rename("other", "globex");
    lab.run(&["resume", "--yes"]).expect(0);
    assert_eq!((lab.in_state("finalized"), lab.in_state("retired")), (own(&["acme", "initech"]), own(&["globex"])));
    let status = lab.run(&["status", "globex"]).expect(0).stdout;
    assert!(
        status.contains("to delete the legacy client as well, irreversibly: flowswap finalize globex --purge"),
        "{status}"
    );
    let history = lab.run(&["history", "globex"]).expect(0);
    assert!(history.stdout.lines().last().unwrap().contains("finalize --purge"), "{}", history.stdout);
}

fn own(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

#[test]
fn resume_continues_a_stopped_run_and_not_a_finished_one() {
    let lab = slow_lab();
    let output = lab.run(&["resume", "--yes"]).expect(0);
    assert!(output.stderr.contains("there is nothing to continue"), "{}", output.stderr);
    lab.plan().expect(0);
    let mut running = Background::start(lab.dir(), &["apply", "plan.json", "--yes", "-v"]);
    running.await_talk("acme: provision done");
    running.interrupt();
    let stopped = running.finish().expect(5);
    assert!(stopped.stdout.ends_with("\nnext: flowswap resume\n"), "{}", stopped.stdout);
    let status = lab.json(&["status"], 0);
    assert_eq!(status["tenants"][2]["next"], "flowswap resume initech", "a tenant that the run did not reach");
    // The journal has the plan, so its file is not needed.
    std::fs::remove_file(lab.path("plan.json")).unwrap();
    let output = lab.run(&["resume", "--yes"]).expect(0);
    assert!(output.stderr.contains(" left 3 tenants (acme, globex, initech) unfinished"), "{}", output.stderr);
    assert_eq!(lab.in_state("swapped").len(), 3);
    let output = lab.run(&["resume", "--yes"]).expect(0);
    assert!(output.stderr.contains("every run has finished its tenants"), "{}", output.stderr);
    assert_eq!(output.stdout, "");
}

/// What holds for many tenants is said once.
#[test]
fn a_stopped_run_of_many_tenants_is_told_in_a_few_lines() {
    let lab = Lab::new(SimConfig::default().tenants(30).latency(Duration::from_millis(20)));
    lab.edit_config(|text| format!("{text}\n[run]\nconcurrency = 1\n"));
    let names: Vec<String> = lab.states().into_iter().map(|(name, _)| name).collect();
    lab.plan().expect(4);
    let planned = lab.in_state("planned");
    let mut running = Background::start(lab.dir(), &["apply", "plan.json", "--yes", "-v"]);
    running.await_talk(&format!("{}: provision done", planned[0]));
    running.interrupt();
    let stopped = running.finish().expect(5).stdout;
    let printed = stopped.lines().find(|line| line.ends_with(" skipped")).unwrap().to_owned();
    let summary = lab.json(&["report", "--run", "last"], 0)["summary"].to_string();
    let counted = format!("`apply` had {} tenants: {printed}.", planned.len());
    assert!(summary.contains(&counted), "{counted}: {summary}");
    assert_eq!(summary.matches("skipped").count(), 1, "what was skipped is said once: {summary}");
    let skipped = printed.strip_suffix(" skipped").unwrap().rsplit(' ').next().unwrap();
    assert!(summary.contains(&format!(" and did not get to {skipped}.")), "{skipped}: {summary}");
    let status = lab.run(&["status"]).expect(0).stdout;
    let notes = |text: &str| text.lines().filter(|line| line.contains("skipped")).count();
    let skipped = planned.len() - 1;
    assert!(skipped >= 10, "{names:?}");
    assert_eq!(notes(&status), 1, "{status}");
    assert!(status.contains(&format!("\n{skipped} tenants (")), "{status}");
    assert!(status.contains(" more): skipped: the run was stopped\n"), "{status}");
    assert_eq!(notes(&lab.run(&["status", "-v"]).expect(0).stdout), skipped);
}

/// A plan changes nothing, so it also does not end what a run left.
#[test]
fn resume_continues_a_stopped_run_with_its_own_plan() {
    let lab = slow_lab();
    lab.plan().expect(0);
    let mut running = Background::start(lab.dir(), &["apply", "plan.json", "--yes", "-v"]);
    running.await_talk("acme: provision done");
    running.interrupt();
    running.finish().expect(5);
    let next = || lab.json(&["status"], 0)["tenants"][2]["next"].clone();
    let digest = |file: &str| lab.json(&["show", file], 0)["digest"].as_str().unwrap().to_owned();
    let looked = lab.run(&["plan", "globex", "initech", "-o", "look.json"]).expect(0);
    let left = "2 tenants (globex, initech) were left by a run that was stopped";
    assert!(looked.stderr.contains(left), "{}", looked.stderr);
    assert_eq!(next(), "flowswap resume initech");
    let resumed = lab.run(&["resume", "initech", "--yes"]).expect(0);
    let newer = format!("initech does not get the newer plan {}", flowswap_engine::short(&digest("look.json")));
    assert!(resumed.stderr.contains(&newer), "{}", resumed.stderr);
    assert!(resumed.stderr.contains("flowswap apply look.json"), "{}", resumed.stderr);
    assert_eq!(lab.in_state("swapped"), ["initech"]);
    assert_eq!(lab.json(&["report", "initech"], 0)["tenants"][0]["plan"], digest("plan.json"));
    // If its own plan cannot be carried out any more, the newer one can.
    lab.edit_config(|text| text.replace("healthy = [\"success\"]", "healthy = [\"success\", \"ok\"]"));
    lab.run(&["plan", "globex", "-o", "new.json"]).expect(0);
    lab.run(&["resume", "globex", "--yes"]).expect(6);
    assert_eq!(lab.json(&["status", "globex"], 0)["tenants"][0]["next"], "flowswap apply new.json");
    lab.run(&["apply", "new.json", "--yes"]).expect(0);
    assert_eq!(lab.json(&["report", "globex"], 0)["tenants"][0]["plan"], digest("new.json"));
}

/// Loses the answer to acme's deactivation, and lets the reads that check it fail.
fn lose_the_retirement(lab: &Lab) {
    let tenant = lab.sim.tenants()[0].clone();
    let org = lab.sim.world().orgs.into_iter().find(|org| org.domain == tenant.domain).unwrap();
    let app = format!("/api/v1/apps/{}", org.legacy[0].id);
    let fault = |method: &str, path: String, kind, times, skip| {
        let (host, method) = (tenant.domain.clone(), Some(method.to_owned()));
        Fault { host, method, path, query: String::new(), kind, times, skip }
    };
    lab.sim.add_fault(fault("POST", format!("{app}/lifecycle/deactivate"), FaultKind::DropAfterCommit, 1, 0));
    // The three reads before the deactivation succeed: of grants, of users, and of the app. The read of `observe` fails.
    lab.sim.add_fault(fault("GET", app, FaultKind::Status { status: 400 }, 1, 3));
}

#[test]
fn a_stuck_finalize_does_not_block_resume_for_the_others() {
    let lab = swapped_lab();
    lose_the_retirement(&lab);
    let mut running = Background::start(lab.dir(), &["finalize", "--all", "--yes", "-v"]);
    running.await_talk("globex: retire");
    running.interrupt();
    running.finish().expect(5);
    assert_eq!(lab.in_state("stuck"), ["acme"], "{:?}", lab.sim.faults());
    let stuck = lab.json(&["stuck"], 0);
    assert_eq!(stuck["tenants"][0]["next"], "flowswap finalize acme");

    // The run has ended its work on the stuck tenant, which needs a decision.
    lab.run(&["resume", "--yes"]).expect(0);
    assert_eq!(lab.in_state("retired"), ["globex", "initech"]);
    lab.run(&["finalize", "acme", "--yes"]).expect(0);
    assert_eq!(lab.in_state("retired").len(), 3);
}

/// Nobody works on what the killed run set out to do, and waiting does not help.
#[test]
fn watch_says_what_a_killed_run_left() {
    let lab = Lab::with_tenants(2);
    lab.plan().expect(0);
    let host = lab.sim.tenants()[0].domain.clone();
    let (path, kind) = ("/integrations/api/v1/api-services".to_owned(), FaultKind::Delay { milliseconds: 600_000 });
    let fault = Fault { host, method: Some("GET".to_owned()), path, query: String::new(), kind, times: 1, skip: 0 };
    lab.sim.add_fault(fault);
    let mut running = Background::start(lab.dir(), &["apply", "plan.json", "--yes"]);
    running.await_faults(&lab);
    running.kill();
    running.finish().expect(-9);
    let watched = lab.run(&["watch", "acme"]).expect(4).stderr;
    assert!(watched.ends_with("for acme; continue it: flowswap resume\n"), "{watched}");
    lab.run(&["resume", "--yes"]).expect(0);
    assert_eq!(lab.in_state("swapped").len(), 2);
}
