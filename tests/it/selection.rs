//! Every command that takes tenants selects them in the same way.

use std::{
    fs::{self, Permissions},
    os::unix::fs::{PermissionsExt, chown},
    time::Duration,
};

use flowswap_sim::{Interface, Scenario, SimConfig};
use serde_json::Value;

use crate::{
    documents::documented,
    support::{Lab, Output, command, finish, print, terminal::Terminal},
};

/// The names of the rows of a report.
fn names(report: &Value) -> Vec<&str> {
    let rows = report["tenants"].as_array().unwrap();
    rows.iter().map(|row| row["name"].as_str().or(row["tenant"].as_str()).unwrap()).collect()
}

/// A fleet in which every tenant waits for a person.
fn waiting(tenants: usize) -> Lab {
    let config = SimConfig::default().tenants(tenants).interface(Interface::CieGuided).neighbors(true);
    let lab = Lab::new(config.scheduled_sync(Duration::from_secs(300)));
    lab.plan().expect(0);
    lab.run(&["apply", "plan.json", "--yes"]).expect(4);
    lab
}

#[test]
fn the_commands_of_the_documentation() {
    let lab = Lab::with_tenants(12);
    let session = documented("select").whole();
    let typed = |words: &str, args: &[&str], code: i32| -> Output {
        let output = lab.run(args).expect(code);
        session.typed(&format!("flowswap {words}"), &output);
        output
    };
    let shown = |output: &Output, names: &[&str]| {
        let all = lab.sim.tenants().into_iter().map(|tenant| tenant.name);
        let found: Vec<String> = all.filter(|name| output.stdout.contains(&format!("{name} "))).collect();
        assert_eq!(found, names, "{}", output.show());
    };
    let words = "detect --label region=emea";
    shown(&typed(words, &["detect", "--label", "region=emea"], 4), &["acme", "umbrella", "wonka", "blue-sun"]);
    let words = "detect --verdict blocked,unknown";
    let needs = typed(words, &["detect", "--verdict", "blocked,unknown"], 4);
    assert!(!needs.stdout.contains("ready"), "{}", needs.stdout);
    typed("plan 'i*' acme -o plan.json", &["plan", "i*", "acme", "-o", "plan.json"], 0);
    let planned = lab.json(&["show", "plan.json", "*"], 0);
    assert_eq!(names(&planned), ["acme", "initech"]);
    typed("show plan.json acme", &["show", "plan.json", "acme"], 0);
    lab.plan().expect(4);
    typed("apply plan.json --except acme --yes", &["apply", "plan.json", "--except", "acme", "--yes"], 0);
    let swapped = lab.in_state("swapped");
    assert!(!swapped.contains(&"acme".to_owned()) && swapped.len() > 3, "{swapped:?}");
    assert_eq!(lab.in_state("planned"), ["acme"]);
    let status = typed("status --state swapped", &["status", "--state", "swapped"], 0);
    assert!(!status.stdout.contains("acme ") && !status.stdout.contains("planned"), "{}", status.stdout);
    typed("rollback --label region=apac --yes", &["rollback", "--label", "region=apac", "--yes"], 4);
    let back = lab.in_state("rolling-back");
    let apac: Vec<String> =
        names(&lab.json(&["status", "--label", "region=apac"], 0)).into_iter().map(str::to_owned).collect();
    assert!(!back.is_empty() && back.iter().all(|name| apac.contains(name) && swapped.contains(name)), "{back:?}");
    let left: Vec<_> = swapped.iter().filter(|name| apac.contains(name) && !back.contains(name)).collect();
    assert!(left.is_empty(), "these were swapped, and are in that region: {left:?}");
    typed("status --state rolling-back", &["status", "--state", "rolling-back"], 0);
}

#[test]
fn every_command_selects_alike() {
    let lab = Lab::with_tenants(3);
    fs::write(lab.path("names.txt"), "globex # the second\n").unwrap();
    lab.plan().expect(0);
    let files: [&[&str]; 2] = [&["show", "plan.json"], &["apply", "plan.json", "--yes"]];
    let others: [&[&str]; 12] = [
        &["check"],
        &["detect"],
        &["plan"],
        &["status"],
        &["next"],
        &["watch"],
        &["stuck"],
        &["history"],
        &["report"],
        &["resume", "--yes"],
        &["rollback", "--yes"],
        &["finalize", "--yes"],
    ];
    let people: [&[&str]; 6] = [
        &["sheet"],
        &["secret", "copy"],
        &["confirm"],
        &["decline", "--reason", "r"],
        &["evidence"],
        &["resolve", "--as", "applied", "--reason", "r", "--yes"],
    ];
    for args in files.iter().chain(&others).chain(&people) {
        let refused = |more: &[&str], expected: &str| {
            let output = lab.run(&[args, more].concat()).expect(2);
            assert!(output.stderr.contains(expected), "{args:?} {more:?}: {}", output.show());
        };
        refused(&["globx"], "did you mean `globex`?");
        refused(&["emea-*"], "no tenant has a name like `emea-*`");
        refused(&["--state", "rolling-back"], "no tenant is `rolling-back`");
        refused(&["--label", "region=emae"], "did you mean `emea`?");
        refused(&["--finding", "deadline-nea"], "did you mean `deadline-near`?");
        refused(&["globex", "--except", "g*"], "no tenant is selected");
        refused(&["--from", "nobody.txt"], "failed to read the names of tenants from `nobody.txt`");
    }
    // A command with a large effect takes nobody by default.
    for args in [&["rollback", "--yes"][..], &["finalize", "--yes"]].into_iter().chain(people) {
        let refused = lab.run(args).expect(2);
        assert!(refused.stderr.contains("nothing says which tenants you mean"), "{args:?}: {}", refused.stderr);
    }
    let select: [&[&str]; 5] =
        [&["globex"], &["gl*"], &["--from", "names.txt"], &["--label", "region=amer"], &["--except", "acme,ini*"]];
    for select in select {
        for args in [&["detect"][..], &["status"], &["plan"], &["show", "plan.json"]] {
            let report = lab.json(&[args, select].concat(), 0);
            assert_eq!(names(&report), ["globex"], "{args:?} {select:?}");
        }
        let checked = lab.json(&[&["check"], select].concat(), 0);
        let tenants = checked["checks"].as_array().unwrap().iter().filter_map(|check| check["tenant"].as_str());
        assert!(tenants.clone().count() > 0 && tenants.clone().all(|name| name == "globex"), "{select:?}");
        let history = lab.json(&[&["history"], select].concat(), 0);
        assert_eq!(history["tenants"].as_object().unwrap().keys().collect::<Vec<_>>(), ["globex"]);
        let report = lab.json(&[&["report"], select].concat(), 0);
        assert_eq!(names(&report), ["globex"], "report {select:?}");
    }
    lab.run(&["apply", "plan.json", "--yes", "gl*"]).expect(0);
    assert_eq!(lab.in_state("swapped"), ["globex"]);
    let evidence = lab.json(&["evidence", "--state", "swapped"], 0);
    assert_eq!(names(&evidence), ["globex"]);
    assert_eq!(lab.json(&["evidence", "globex"], 0)["name"], "globex");
}

#[test]
fn verdicts_and_findings_are_of_the_last_plan_until_somebody_looks() {
    let lab = Lab::with_tenants(12);
    let none = lab.run(&["status", "--finding", "legacy-id-reused"]).expect(2);
    assert!(none.stderr.contains("no plan has any; to look now: flowswap detect"), "{}", none.stderr);
    assert_eq!(names(&lab.json(&["detect", "--finding", "legacy-id-reused"], 4)), ["wonka"]);
    lab.plan().expect(4);
    assert_eq!(names(&lab.json(&["status", "--finding", "legacy-id-reused"], 0)), ["wonka"]);
    let blocked = lab.json(&["status", "--verdict", "blocked"], 0);
    assert_eq!(names(&blocked), names(&lab.json(&["show", "plan.json", "--verdict", "blocked"], 0)));
    let none = lab.run(&["detect", "--finding", "deadline-passed"]).expect(2);
    assert!(none.stderr.contains("no tenant has the finding `deadline-passed`"), "{}", none.stderr);
    let refused = lab.run(&["apply", "plan.json", "wonka", "--yes"]).expect(2);
    assert!(refused.stderr.contains("the plan has no steps for `wonka`: it is blocked"), "{}", refused.stderr);
}

#[test]
fn a_person_can_answer_for_several_tenants() {
    let lab = waiting(3);
    fs::create_dir(lab.path("kept")).unwrap();
    lab.run(&["sheet", "--all", "-o", "kept", "--as", "markdown"]).expect(0);
    lab.run(&["sheet", "acme", "gl*", "-o", "sheets/", "--as", "html"]).expect(2);
    fs::create_dir(lab.path("sheets")).unwrap();
    lab.run(&["sheet", "acme", "gl*", "-o", "sheets/", "--as", "html"]).expect(0);
    let files = |folder: &str| {
        let files =
            fs::read_dir(lab.path(folder)).unwrap().map(|file| file.unwrap().file_name().into_string().unwrap());
        let mut files: Vec<_> = files.collect();
        files.sort();
        files
    };
    assert_eq!(files("kept"), ["acme.md", "globex.md", "initech.md"]);
    assert_eq!(files("sheets"), ["acme.html", "globex.html"]);
    assert!(fs::read_to_string(lab.path("sheets/acme.html")).unwrap().contains("acme"));
    let one_file = lab.run(&["sheet", "--all", "-o", "all.md", "--as", "markdown"]).expect(2);
    assert!(one_file.stderr.contains("`all.md` is one file, but 3 tenants were selected"), "{}", one_file.stderr);
    assert_eq!(names(&lab.json(&["sheet", "--all"], 0)), ["acme", "globex", "initech"]);
    assert_eq!(lab.json(&["sheet", "acme"], 0)["tenant"], "acme");

    let two = lab.run(&["secret", "copy", "--state", "waiting", "--print"]).expect(2);
    assert!(two.stderr.contains("one secret can be copied at a time, but 3 tenants were selected"), "{}", two.stderr);

    let declined = lab.json(&["decline", "initech", "globex", "--reason", "the console is down"], 0);
    assert_eq!(names(&declined), ["globex", "initech"]);
    fs::write(lab.path("done.txt"), "acme\n").unwrap();
    let asked = lab.run(&["confirm", "a*"]).expect(2);
    assert!(asked.stderr.contains("acme\n") && asked.stderr.contains("pass `--yes`"), "{}", asked.show());
    let confirmed = lab.run(&["confirm", "--from", "done.txt"]).expect(4);
    assert!(confirmed.stderr.contains("recorded that you confirmed `swap` of acme"), "{}", confirmed.stderr);
    let mixed = lab.run(&["confirm", "acme", "globex"]).expect(2);
    assert!(mixed.stderr.contains("the tenant `globex` has no open run sheet"), "{}", mixed.stderr);
    let claims = lab.json(&["sheet", "acme"], 0)["claims"].as_array().unwrap().len();
    assert_eq!(claims, 1, "a mistake in one name records nothing for the others");
}

#[test]
fn many_tenants_and_a_deletion_need_more_than_a_yes() {
    let lab = Lab::new(SimConfig::default().scenarios(vec![Scenario::Ready; 21]));
    lab.plan().expect(0);
    let ask = |args: &[&str], words: &str, answer: &str| {
        let mut person = Terminal::start(command(lab.dir(), args));
        person.await_words(words);
        person.enter(answer);
        person.finish()
    };
    let apply = ["apply", "plan.json"];
    for wrong in ["y", "", "20"] {
        let (code, screen) = ask(&apply, "Migrate 21 tenants? Type 21 to confirm", wrong);
        assert_eq!(code, 5, "{screen}");
        assert!(screen.contains("hint: to confirm, type 21"), "{screen}");
        assert!(screen.contains("you did not confirm, so nothing was done"), "{screen}");
    }
    assert_eq!(lab.in_state("planned").len(), 21);
    let (code, screen) = ask(&apply, "Migrate 21 tenants? Type 21 to confirm", "21");
    assert_eq!(code, 0, "{screen}");
    lab.outlive_tokens();
    let (code, screen) = ask(&["finalize", "acme"], "Retire the legacy clients of 1 tenant?", "y");
    assert_eq!(code, 0, "{screen}");
    lab.outlive_tokens();
    let purge = ["finalize", "acme", "--purge"];
    let (code, screen) = ask(&purge, "This is irreversible. Type 1 to confirm", "y");
    assert_eq!(code, 5, "{screen}");
    let (code, screen) = ask(&purge, "This is irreversible. Type 1 to confirm", "1");
    assert_eq!(code, 0, "{screen}");
    assert_eq!(lab.in_state("finalized"), ["acme"]);
}

#[test]
fn nobody_else_decides_which_tenants_are_meant() {
    const OTHER: u32 = 65_534;
    let lab = Lab::with_tenants(2);
    let list = lab.path("names.txt");
    fs::write(&list, "acme\n").unwrap();
    lab.run(&["status", "--from", "names.txt"]).expect(0);
    fs::set_permissions(&list, Permissions::from_mode(0o666)).unwrap();
    let refused = lab.run(&["status", "--from", "names.txt"]).expect(2);
    assert!(refused.stderr.contains("names.txt"), "{}", refused.stderr);
    fs::set_permissions(&list, Permissions::from_mode(0o600)).unwrap();
    if chown(&list, Some(OTHER), None).is_err() {
        return print("skipped: only root can give a file away");
    }
    let refused = lab.run(&["status", "--from", "names.txt"]).expect(2);
    assert!(refused.stderr.contains("belongs to another user"), "{}", refused.stderr);
}

#[test]
fn a_wrong_name_from_stdin_is_shown_with_its_line() {
    let lab = Lab::with_tenants(2);
    let detect = |names: &str| {
        fs::write(lab.path("names"), names).unwrap();
        let mut detect = command(lab.dir(), &["detect", "--from", "-"]);
        detect.stdin(fs::File::open(lab.path("names")).unwrap());
        finish(detect).expect(2).stderr
    };
    let wrong = "error: stdin, line 2: there is no tenant `globx`\n\nhint: did you mean `globex`?\n";
    assert_eq!(detect("acme\nglobx\n"), wrong);
    assert_eq!(detect("# nobody\n"), "error: stdin names no tenant\n\nhint: write one name a line\n");
}
