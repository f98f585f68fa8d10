//! `flowswap record` and `flowswap replay`: the messages of a command go to a file, and another build gets them again.

use std::{env, fs, os::unix::fs::PermissionsExt, path::Path, process::Command};

use flowswap_sim::{Fault, FaultKind};
use serde_json::{Value, json};

use crate::{
    documents::{Session, documented, words},
    safety::stage,
    support::{Background, Lab, disk, finish},
};

/// Replays a recording of the lab, and returns its report.
#[track_caller]
fn replay(lab: &Lab, recording: &str, code: i32) -> Value {
    lab.json(&["replay", recording, "--plugin-patience", "2s"], code)
}

/// The lines of a recording.
fn lines(lab: &Lab, recording: &str) -> Vec<Value> {
    let text = fs::read_to_string(lab.path(recording)).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn write(lab: &Lab, recording: &str, lines: &[Value]) {
    let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
    fs::write(lab.path(recording), text).unwrap();
}

/// The number of the first line that `is` accepts, counted from 0.
fn find(lines: &[Value], is: impl Fn(&Value) -> bool) -> usize {
    lines.iter().position(is).unwrap()
}

fn is_ask(line: &Value) -> bool {
    line["from-plugin"]["message"]["ask"]["type"] == "http"
}

#[test]
fn a_whole_migration_is_recorded_and_replays_as_it_was() {
    let lab = Lab::with_tenants(3);
    for (name, args, code) in [
        ("check", &["check"][..], 0),
        ("plan", &["plan", "-o", "plan.json"], 0),
        ("apply", &["apply", "plan.json", "--yes"], 0),
        ("rollback", &["rollback", "--all", "--yes"], 4),
    ] {
        let recording = format!("{name}.jsonl");
        let output = lab.run(&[&["record", "-o", &recording], args].concat()).expect(code);
        let lines = lines(&lab, &recording);
        let messages = lines.len() - 4;
        let said = format!("recording: {recording} ({messages} messages with 2 plugin processes)\n");
        assert!(output.stderr.contains(&said), "{said}{}", output.stderr);
        let header = &lines[0]["recording"];
        assert_eq!((&header["format"], &header["flowswap"]), (&json!(1), &json!(env!("CARGO_PKG_VERSION"))));
        assert_eq!(header["command"][0], json!(args[0]));
        assert!(!header.to_string().contains("plan.json"), "the value of an option: {header}");
        assert_eq!(lines[messages + 3], json!({"end": {"messages": messages}}));
        let mode = fs::metadata(lab.path(&recording)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "others can read {recording}");
        let report = replay(&lab, &recording, 0);
        assert_eq!((&report["complete"], &report["recording"]), (&json!(true), &lines[0]["recording"]));
        for process in report["processes"].as_array().unwrap() {
            let of_process = |line: &&Value| line["from-plugin"]["process"] == process["process"];
            let compared = |line: &&Value| line["from-plugin"]["message"]["type"] != "event";
            let recorded = lines.iter().filter(of_process).filter(compared).count();
            assert!(recorded > 2, "{process}");
            assert_eq!((&process["same"], &process["difference"]), (&json!(recorded), &json!(null)), "{process}");
            assert_eq!((&process["beyond"], &process["sha256"]), (&json!(0), &process["recorded_sha256"]), "{process}");
        }
    }
}

#[test]
fn the_first_difference_is_shown_with_its_line_and_both_values() {
    let lab = Lab::with_tenants(1);
    let _ = lab.run(&["record", "-o", "whole.jsonl", "detect"]).expect(0);
    let whole = lines(&lab, "whole.jsonl");
    let ask = find(&whole, is_ask);
    let process = whole[ask]["from-plugin"]["process"].clone();
    let call = format!("`detect`, call {}", whole[ask]["from-plugin"]["message"]["id"]);

    // The recorded build asked for something else.
    let mut other = whole.clone();
    let url = other[ask].pointer("/from-plugin/message/ask/url").unwrap().as_str().unwrap().to_owned();
    *other[ask].pointer_mut("/from-plugin/message/ask/url").unwrap() = json!("https://elsewhere.test/a");
    other[ask].pointer_mut("/from-plugin/message/ask").unwrap()["query"] = json!(true);
    write(&lab, "other.jsonl", &other);
    let report = replay(&lab, "other.jsonl", 3);
    let differences: Vec<&Value> =
        report["processes"].as_array().unwrap().iter().filter(|process| !process["difference"].is_null()).collect();
    let [differing] = differences.as_slice() else { panic!("{report}") };
    assert_eq!(differing["process"], process);
    let difference = &differing["difference"];
    assert_eq!(difference["line"], json!(ask + 1));
    assert_eq!(difference["recorded"], json!(format!("ask 0 of {call}: GET https://elsewhere.test/a")));
    assert_eq!(
        difference["places"],
        json!([
            {"at": "/ask/query", "recorded": true, "replayed": null},
            {"at": "/ask/url", "recorded": "https://elsewhere.test/a", "replayed": url},
        ])
    );
    let shown = lab.run(&["replay", "other.jsonl"]).expect(3).stdout;
    let expected = format!(
        "  2 messages as recorded, then a difference\n    other.jsonl, line {}: ask 0 of {call}: GET \
         https://elsewhere.test/a\n    /ask/query\n      recorded:   true\n      this build: nothing\n    /ask/url\n      \
         recorded:   \"https://elsewhere.test/a\"\n      this build: \"{url}\"\n",
        ask + 1
    );
    assert!(shown.contains(&expected), "{shown}\n{expected}");

    // The recorded build did not ask at all, and replied at once.
    let is_reply =
        |line: &Value| line["from-plugin"]["process"] == process && line["from-plugin"]["message"]["type"] == "reply";
    let reply = find(&whole, is_reply);
    let mut early = whole.clone();
    let moved = early.remove(reply);
    early.insert(ask, moved);
    write(&lab, "early.jsonl", &early);
    let shown = lab.run(&["replay", "early.jsonl"]).expect(3).stdout;
    let words = format!("early.jsonl, line {}: the reply of {call}\n    this build: ask 0 of {call}: ", ask + 1);
    assert!(shown.contains(&words), "{shown}");

    // It greeted as another version, and everything else is the same.
    let mut older = whole.clone();
    let hello = find(&whole, |line| line["from-plugin"]["message"]["type"] == "hello");
    older[hello]["from-plugin"]["message"]["version"] = json!("0.0.9");
    write(&lab, "older.jsonl", &older);
    let shown = lab.run(&["replay", "older.jsonl"]).expect(0).stdout;
    let words =
        "  it describes itself differently:\n    /version\n      recorded:   \"0.0.9\"\n      this build: \"0.1.0\"\n";
    assert!(shown.contains(words), "{shown}");
}

/// What the rogue does when it detects, and the line of the recording that tells.
const TROUBLES: &[(&str, &str, &str)] = &[
    ("segfault-in-detect", "ended", "signal: 11"),
    ("exit-in-detect", "ended", "exit status: 7"),
    ("garbage-in-detect", "stopped", "sent something that is not a message"),
    ("greet-in-detect", "stopped", "greeted twice"),
    ("loop-in-detect", "stopped", "did not continue `detect` within 2 s"),
];

#[test]
fn the_trouble_of_a_plugin_is_recorded_and_comes_again() {
    std::thread::scope(|scope| {
        for (word, kind, words) in TROUBLES {
            scope.spawn(move || {
                let lab = stage::shared(&[("globex", "provider", word)]);
                let _ = lab.run(&["record", "-o", "r.jsonl", "detect", "--plugin-patience", "2s"]).expect(4);
                let lines = lines(&lab, "r.jsonl");
                let told = lines.iter().filter_map(|line| line[kind]["how"].as_str()).collect::<Vec<_>>();
                assert!(told.iter().any(|how| how.contains(words)), "{word}: {told:?}");
                let report = replay(&lab, "r.jsonl", 0);
                assert!(
                    report["processes"].as_array().unwrap().len() > 1,
                    "{word}: it was not started again: {report}"
                );

                // A build that does not have the trouble any more differs.
                let text = fs::read_to_string(lab.path("r.jsonl")).unwrap();
                assert!(text.contains(word), "{text}");
                fs::write(lab.path("mended.jsonl"), text.replace(word, "well-behaved")).unwrap();
                let shown = lab.run(&["replay", "mended.jsonl", "--plugin-patience", "2s"]).expect(3).stdout;
                assert!(shown.contains("\n    this build: the reply of `detect`"), "{word}: {shown}");
            });
        }
    });
}

#[test]
fn the_documented_commands_record_and_replay() {
    let lab = Lab::with_tenants(1);
    let session = documented("record");
    let type_it = |session: &Session, line: &str| {
        let output = lab.run(&words(line)[1..].iter().map(String::as_str).collect::<Vec<_>>()).expect(0);
        session.typed(line, &output);
    };
    type_it(&session, "flowswap record -o plan.jsonl plan acme");
    let _ = fs::read_to_string(lab.path("plan.jsonl")).unwrap();
    session.done("less plan.jsonl");
    let path = env::var_os("PATH").unwrap();
    let script = documented("record-asks").script();
    let mut shell = Command::new("bash");
    shell.args(["-euc", &script]).current_dir(lab.dir()).env_clear().env("PATH", path);
    let asked = finish(shell).expect(0).stdout;
    let domain = &lab.sim.tenants()[0].domain;
    assert!(asked.contains(&format!("[\"GET\",\"https://{domain}/api/v1/apps?limit=200\"]\n")), "{asked}");
    let session = documented("replay");
    type_it(&session, "flowswap replay plan.jsonl");
    fs::create_dir_all(lab.path("target/debug")).unwrap();
    for name in ["okta", "rest"] {
        let file = crate::support::plugin_file(name);
        fs::copy(&file, lab.path("target/debug").join(file.file_name().unwrap())).unwrap();
    }
    type_it(&session, "flowswap replay plan.jsonl --plugin-dir target/debug");
}

#[test]
fn a_build_that_crashes_where_the_recorded_one_went_on_is_named() {
    let lab = stage::lab("provider", Some("well-behaved"));
    let _ = lab.run(&["record", "-o", "well.jsonl", "detect", "globex"]);
    let text = fs::read_to_string(lab.path("well.jsonl")).unwrap();
    fs::write(lab.path("crash.jsonl"), text.replace("well-behaved", "segfault-in-detect")).unwrap();
    let shown = lab.run(&["replay", "crash.jsonl"]).expect(3).stdout;
    assert!(shown.contains("\n    this build: its process ended: signal: 11"), "{shown}");
    fs::write(lab.path("loop.jsonl"), text.replace("well-behaved", "loop-in-detect")).unwrap();
    let shown = lab.run(&["replay", "loop.jsonl", "--plugin-patience", "2s"]).expect(3).stdout;
    assert!(shown.contains("\n    this build: it sent nothing for 2 s"), "{shown}");
}

#[test]
fn a_plugin_that_does_not_answer_in_the_same_way_twice_is_found() {
    let lab = stage::lab("provider", Some("random-ask-in-detect"));
    let _ = lab.run(&["record", "-o", "r.jsonl", "detect", "globex"]);
    let report = replay(&lab, "r.jsonl", 3);
    let places =
        report["processes"].as_array().unwrap().iter().find_map(|process| process["difference"]["places"].as_array());
    let places = places.unwrap();
    assert_eq!((places.len(), &places[0]["at"]), (1, &json!("/ask/url")), "{report}");
}

#[test]
fn a_recording_that_was_cut_off_is_replayed_as_far_as_it_goes() {
    let lab = Lab::with_tenants(1);
    let org = lab.sim.tenants()[0].domain.clone();
    lab.sim.add_fault(Fault {
        host: org,
        method: Some("GET".to_owned()),
        path: "/api/v1/apps".to_owned(),
        query: String::new(),
        kind: FaultKind::Delay { milliseconds: 600_000 },
        times: 1,
        skip: 0,
    });
    let mut running = Background::start(lab.dir(), &["record", "-o", "killed.jsonl", "detect"]);
    running.await_faults(&lab);
    running.kill();
    let recorded = lines(&lab, "killed.jsonl");
    assert!(recorded.iter().any(is_ask) && !recorded.iter().any(|line| line.get("end").is_some()));
    let report = replay(&lab, "killed.jsonl", 0);
    assert_eq!(report["complete"], json!(false));
    assert!(lab.run(&["replay", "killed.jsonl"]).expect(0).stdout.ends_with("incomplete: its last line is missing\n"));

    // The disk was full in the middle of a line.
    let text = fs::read_to_string(lab.path("killed.jsonl")).unwrap();
    fs::write(lab.path("torn.jsonl"), &text[..text.len() - 20]).unwrap();
    assert_eq!(replay(&lab, "torn.jsonl", 0)["complete"], json!(false));
}

/// An operator kills flowswap because a plugin hangs. Nobody knows what the plugin would have done next.
#[test]
fn a_hang_that_was_not_waited_for_is_no_difference() {
    let lab = stage::shared(&[("globex", "provider", "loop-in-detect")]);
    let mut running = Background::start(lab.dir(), &["record", "-o", "hang.jsonl", "detect", "globex"]);
    let calls = || fs::read_to_string(lab.path("hang.jsonl")).is_ok_and(|text| text.contains("\"op\":\"detect\""));
    while !calls() && !running.has_ended() {
        std::thread::yield_now();
    }
    running.kill();
    let report = replay(&lab, "hang.jsonl", 0);
    assert_eq!(report["complete"], json!(false));
    let text = fs::read_to_string(lab.path("hang.jsonl")).unwrap();
    fs::write(lab.path("mended.jsonl"), text.replace("loop-in-detect", "well-behaved")).unwrap();
    let shown = lab.run(&["replay", "mended.jsonl"]).expect(0).stdout;
    assert!(shown.contains("  after the end of the recording: "), "{shown}");
}

#[test]
fn a_full_disk_costs_the_recording_and_not_the_command() {
    if let Some(reason) = disk::missing() {
        return crate::support::print(&format!("skipped: {reason}"));
    }
    let lab = Lab::with_tenants(1);
    let folder = crate::support::folder();
    let mut command = crate::support::command(lab.dir(), &["record", "-o", "full.jsonl", "plan", "-o", "plan.json"]);
    let point = disk::DiskPoint::new("write", "full.jsonl", 2);
    let fault = disk::DiskFault::new("ENOSPC+", point);
    let watch = disk::Watch::over(&mut command, lab.dir(), folder.path(), Some(&fault));
    let output = finish(command).expect(1);
    assert!(watch.struck() > 0, "the disk was never full");
    let said = "error: failed to write the recording `full.jsonl`\n  caused by: No space left on device (os error 28)\n\n\
                hint: the command itself ran to its end; only the recording is incomplete\n";
    assert!(output.stderr.ends_with(said), "{}", output.stderr);
    let _ = lab.run(&["show", "plan.json"]).expect(0);
}

#[test]
fn what_cannot_be_recorded_or_replayed_is_refused() {
    let lab = Lab::with_tenants(1);
    let _ = lab.run(&["record", "-o", "r.jsonl", "detect"]).expect(0);
    let text = fs::read_to_string(lab.path("r.jsonl")).unwrap();
    let (first, rest) = text.split_once('\n').unwrap();
    let library = crate::support::plugin_file("okta").display().to_string();
    for (name, content) in [
        ("notes.txt", "notes\n".to_owned()),
        ("later.jsonl", format!("{}\n{rest}", first.replace("\"format\":1", "\"format\":2"))),
        ("broken.jsonl", format!("{first}\n{{}}\n{rest}")),
        ("lost.jsonl", format!("{first}\n{}", rest.split_once('\n').unwrap().1)),
        ("blank.jsonl", format!("{first}\n\n{rest}")),
        (
            "fewer.jsonl",
            text.lines().filter(|line| !line.contains("\"opened\"")).map(|line| format!("{line}\n")).collect(),
        ),
        ("more.jsonl", format!("{text}{}\n", rest.lines().nth(1).unwrap())),
        ("path.jsonl", text.replace("\"plugin\":\"okta\"", &format!("\"plugin\":\"{library}\""))),
        ("missing.jsonl", text.replace("\"plugin\":\"okta\"", "\"plugin\":\"nobody\"")),
    ] {
        fs::write(lab.path(name), content).unwrap();
    }
    let read = |name: &str, cause: &str| format!("error: failed to read the recording `{name}`\n  caused by: {cause}");
    for (args, error) in [
        (&["record", "-o", "r.jsonl", "detect"][..], "error: `r.jsonl` exists already\n".to_owned()),
        (&["record", "-o", "-", "detect"], "error: stdout cannot take a recording\n".to_owned()),
        (
            &["record", "-o", "n.jsonl", "record", "-o", "m.jsonl", "detect"],
            "error: `record` cannot record itself\n".to_owned(),
        ),
        (&["record", "-o", "n.jsonl", "detekt"], "error: unrecognized subcommand 'detekt'".to_owned()),
        (
            &["record", "detect"],
            "error: the following required arguments were not provided:\n  --output <FILE>".to_owned(),
        ),
        (&["replay", "nowhere.jsonl"], read("nowhere.jsonl", "No such file or directory")),
        (
            &["replay", "notes.txt"],
            read("notes.txt", "it is not a recording: its first line is not that of a recording in UTF-8\n"),
        ),
        (
            &["replay", "later.jsonl"],
            read("later.jsonl", "flowswap 0.1.0 wrote it in format 2; this version reads format 1\n"),
        ),
        (&["replay", "broken.jsonl"], read("broken.jsonl", "line 2 is not a line of a recording\n")),
        (&["replay", "lost.jsonl"], read("lost.jsonl", "line 2 is about process 1, which no line before it starts\n")),
        (&["replay", "blank.jsonl"], read("blank.jsonl", "line 2 is not a line of a recording\n")),
        (
            &["replay", "fewer.jsonl"],
            read("fewer.jsonl", &format!("line {} says that there are ", text.lines().count() - 2)),
        ),
        (
            &["replay", "more.jsonl"],
            read("more.jsonl", &format!("line {} comes after the last", text.lines().count() + 1)),
        ),
        (&["replay", "path.jsonl"], format!("error: there is no plugin `{library}`\n")),
        (&["replay", "missing.jsonl"], "error: there is no plugin `nobody`\n".to_owned()),
    ] {
        let output = lab.run(args).expect(2);
        assert!(output.stderr.starts_with(&error), "{args:?}: {}\n{error}", output.stderr);
        assert_eq!(output.stdout, "", "{args:?}");
    }
    for name in ["n.jsonl", "m.jsonl"] {
        assert!(!lab.path(name).exists(), "{name} was left behind");
    }
}

#[test]
fn the_command_keeps_its_exit_code_and_may_start_no_plugin() {
    let lab = Lab::with_tenants(1);
    let output = lab.run(&["record", "-o", "explain.jsonl", "explain", "deadline-near"]).expect(0);
    assert_eq!(output.stderr, "`explain.jsonl` has no message: the command started no plugin\n");
    let _ = lab.run(&["record", "-o", "plan.jsonl", "plan", "-o", "plan.json"]).expect(0);
    let output = lab.run(&["record", "-o", "none.jsonl", "detect", "nobody"]).expect(2);
    assert!(output.stderr.ends_with("error: there is no tenant `nobody`\n\nhint: list the tenants: flowswap status\n"));
    let shown = lab.run(&["replay", "explain.jsonl"]).expect(0).stdout;
    assert!(shown.ends_with("the recorded command started no plugin, so there is nothing to compare\n"), "{shown}");
    assert!(Path::new(&lab.path("none.jsonl")).exists());
}

#[test]
fn a_hostile_recording_shows_only_text() {
    let lab = Lab::with_tenants(1);
    let _ = lab.run(&["record", "-o", "r.jsonl", "detect"]).expect(0);
    let hostile = "\u{1b}[2Jflowswap status\u{202e}";
    let mut lines = lines(&lab, "r.jsonl");
    lines[0]["recording"]["command"][0] = json!(hostile);
    let ask = find(&lines, is_ask);
    *lines[ask].pointer_mut("/from-plugin/message/ask/url").unwrap() = json!(hostile);
    lines[ask]["from-plugin"]["message"]["ask"][hostile] = json!(1);
    write(&lab, "hostile.jsonl", &lines);
    let shown = lab.run(&["replay", "hostile.jsonl"]).expect(3).stdout;
    assert!(shown.contains("<U+001B>[2J") && shown.contains("<U+202E>"), "{shown}");
    assert!(!shown.contains('\u{1b}') && !shown.contains('\u{202e}'), "{shown}");
}
