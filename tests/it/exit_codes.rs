//! What each command ends with in the situations that a pipeline meets. `crates/cli/docs/automation.md` has the rules.

use std::{collections::BTreeSet, fs, time::Duration};

use flowswap_sim::{Interface, SimConfig};
use serde_json::Value;

use crate::{
    guided::person::{Form, reconnect},
    support::{Background, Lab},
};

/// Commands in one situation, one after the other, each with its exit code.
struct Situation {
    name: &'static str,
    make: fn() -> Lab,
    rows: &'static [(&'static str, i32)],
}

const TABLE: &[Situation] = &[
    Situation {
        name: "nothing was planned",
        make: || Lab::with_tenants(2),
        rows: &[
            ("check", 0),
            ("detect", 0),
            // One of the connections has 10 days left, the other one 77.
            ("detect --warn-days 9", 0),
            ("detect --warn-days 10", 4),
            ("detect --warn-days 80 --fail-on failed", 0),
            ("status", 0),
            ("status --fail-on person", 4),
            ("next --fail-on person", 0),
            ("stuck --fail-on person", 0),
            ("evidence acme --fail-on never", 2),
            ("resume", 0),
            ("watch", 0),
            ("finalize --all", 0),
            ("rollback --all", 0),
            ("confirm acme", 2),
            ("decline acme --reason no", 2),
            ("resolve acme --as applied --reason seen", 2),
            ("audit verify", 0),
            ("history", 0),
            ("plan -o plan.json", 0),
            ("show plan.json", 0),
            ("apply plan.json --digest 0000000000000000000000000000000000000000000000000000000000000000 --yes", 6),
            ("apply plan.json", 2),
        ],
    },
    Situation {
        name: "some tenants are blocked",
        make: || Lab::with_tenants(12),
        rows: &[
            ("check", 0),
            ("detect", 4),
            ("detect --fail-on failed", 0),
            ("detect --fail-on never", 0),
            ("plan -o plan.json", 4),
            ("plan -o plan.json --fail-on failed", 0),
            ("plan --verdict blocked -o blocked.json", 4),
            ("apply blocked.json --yes", 4),
            ("apply blocked.json --yes --fail-on failed", 0),
            ("apply plan.json hooli", 2),
        ],
    },
    Situation {
        name: "a person must act",
        make: waiting,
        rows: &[
            ("apply plan.json --yes", 4),
            ("apply plan.json --yes --fail-on failed", 0),
            ("resume", 4),
            ("finalize --all --yes", 4),
            ("finalize acme --yes", 6),
            ("finalize acme --yes --fail-on never", 0),
            ("finalize --all --purge --yes", 4),
            ("status", 0),
            ("status --fail-on person", 4),
            ("status --fail-on failed", 0),
            ("next", 0),
            ("next --fail-on person", 4),
            ("evidence acme --fail-on person", 4),
            ("stuck --fail-on person", 0),
            // flowswap cannot see that the person did it.
            ("confirm acme", 4),
            ("decline acme --reason holiday", 0),
            ("status --fail-on failed", 3),
            // flowswap does not know how far the person came.
            ("rollback acme --yes", 4),
            ("next --fail-on person", 4),
        ],
    },
    Situation {
        name: "a tenant soaks",
        make: || reconnected(|_| {}),
        rows: &[
            ("confirm acme", 4),
            ("apply plan.json --yes", 4),
            ("resume --yes", 4),
            ("finalize --all --yes", 4),
            ("status --fail-on person", 4),
            ("next --fail-on person", 0),
            ("evidence acme --fail-on person", 4),
        ],
    },
    Situation {
        name: "a tenant is stuck",
        make: || reconnected(|form| form.name = "corporate".to_owned()),
        rows: &[
            ("confirm acme --fail-on failed", 3),
            ("confirm acme", 2),
            ("apply plan.json --yes", 3),
            ("apply plan.json --yes --fail-on never", 0),
            ("resume", 3),
            ("stuck", 0),
            ("stuck --fail-on failed", 3),
            ("next --fail-on failed", 3),
            ("status --fail-on failed", 3),
            ("watch", 0),
            ("finalize --all --yes", 4),
        ],
    },
    Situation {
        name: "a tenant is not swapped for long enough",
        make: || {
            let lab = Lab::with_tenants(2);
            lab.edit_config(|text| format!("{text}\n[run]\nsoak = \"48h\"\n"));
            swap(lab)
        },
        rows: &[
            ("finalize --all --yes", 4),
            ("finalize --all --yes --fail-on failed", 0),
            ("finalize acme --yes", 6),
            ("finalize --all --purge --yes", 4),
            ("status --fail-on person", 0),
            ("apply plan.json --yes", 0),
            ("resume --yes", 0),
            ("rollback --all --yes", 4),
            ("rollback --all --yes", 4),
            ("resume --yes", 4),
            ("status --fail-on person", 4),
        ],
    },
    Situation {
        name: "a tenant is purged",
        make: || {
            let lab = swap(Lab::with_tenants(2));
            lab.outlive_tokens();
            lab.run(&["finalize", "acme", "--yes"]).expect(0);
            lab
        },
        rows: &[
            // The other one is not retired yet.
            ("finalize --all --purge --yes", 4),
            ("finalize --all --yes", 0),
            ("rollback acme --yes", 6),
            ("rollback --all --yes", 6),
            ("rollback --all --yes", 6),
            ("rollback --all --yes --fail-on never", 0),
            ("status --fail-on person", 4),
        ],
    },
    Situation {
        name: "a later wave has not begun",
        make: || {
            let lab = Lab::with_tenants(4);
            lab.edit_config(|text| format!("[[wave]]\nname = \"canary\"\npick = 1\n{text}"));
            lab.plan().expect(0);
            lab
        },
        rows: &[
            // Nothing was started, so there is nothing to continue.
            ("resume", 0),
            ("apply plan.json --hold-after canary --yes", 0),
            ("resume", 4),
            ("status --fail-on person", 4),
            ("apply plan.json --yes", 0),
            ("resume", 0),
            ("status --fail-on person", 0),
        ],
    },
    Situation {
        name: "the journal is damaged",
        make: || {
            let lab = swap(Lab::with_tenants(1));
            fs::write(lab.path(".flowswap/journal.sqlite"), "not a journal, but long enough to be looked at").unwrap();
            lab
        },
        rows: &[("status --fail-on never", 1), ("apply plan.json --yes --fail-on never", 1)],
    },
];

/// A lab whose tenants wait for a person.
fn waiting() -> Lab {
    let config = SimConfig::default().tenants(1).interface(Interface::CieGuided);
    let lab = Lab::new(config.scheduled_sync(Duration::from_secs(300)));
    lab.plan().expect(0);
    lab.run(&["apply", "plan.json", "--yes"]).expect(4);
    lab
}

/// The same, after a person filled in the form.
fn reconnected(change: fn(&mut Form)) -> Lab {
    let lab = waiting();
    let tenant = &lab.sim.tenants()[0];
    let mut form = Form::right(&lab, tenant);
    change(&mut form);
    reconnect(&lab, tenant, &tenant.directory_id, &form);
    lab
}

fn swap(lab: Lab) -> Lab {
    lab.plan().expect(0);
    lab.run(&["apply", "plan.json", "--yes"]).expect(0);
    lab
}

#[test]
fn every_command_ends_with_the_documented_code() {
    let (mut wrong, mut reached) = (Vec::new(), BTreeSet::from([interrupt()]));
    for Situation { name, make, rows } in TABLE {
        let lab = make();
        for (line, code) in *rows {
            let output = lab.run(&line.split(' ').collect::<Vec<_>>());
            if output.code != *code {
                wrong.push(format!("{name}: `{line}`, expected {code}\n{}", output.show()));
            }
            reached.insert(output.code);
        }
        wrong.extend(follow_next(&lab).into_iter().map(|told| format!("{name}: {told}")));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(reached, (0..=6).collect(), "every code is reached");
}

/// Runs every command that `status` and `next` name for a tenant. Returns those that do not apply to the tenant.
fn follow_next(lab: &Lab) -> Vec<String> {
    let (mut useless, mut told) = (Vec::new(), BTreeSet::new());
    for report in ["status", "next"] {
        let Ok(report) = serde_json::from_str::<Value>(&lab.run(&[report, "--format", "json"]).stdout) else {
            continue;
        };
        for row in report["tenants"].as_array().unwrap() {
            // A form with a reason to fill in is not for this test.
            let commands = [row["next"].as_str()].into_iter().flatten().chain(list(&row["next"]));
            told.extend(commands.filter(|command| !command.contains('…')).map(str::to_owned));
        }
    }
    for command in told {
        let acts =
            ["apply", "rollback", "finalize", "resume"].iter().any(|word| command.contains(&format!(" {word} ")));
        let words = command.split(' ').skip(1).chain(acts.then_some("--yes"));
        let output = lab.run(&words.collect::<Vec<_>>());
        // 3 and 4 say how it ended. 1, 2, and 6 say that the command was the wrong one.
        if ![0, 3, 4].contains(&output.code) {
            useless.push(format!("`{command}` does not help\n{}", output.show()));
        }
    }
    useless
}

fn list(value: &Value) -> impl Iterator<Item = &str> {
    value.as_array().into_iter().flatten().filter_map(Value::as_str)
}

/// `--fail-on` does not hide that somebody stopped the command.
fn interrupt() -> i32 {
    let lab = Lab::new(SimConfig::default().tenants(3).latency(Duration::from_millis(20)));
    lab.edit_config(|text| format!("{text}\n[run]\nconcurrency = 1\n"));
    lab.plan().expect(0);
    let mut running = Background::start(lab.dir(), &["apply", "plan.json", "--yes", "--fail-on", "never", "-v"]);
    running.await_talk("acme: provision done");
    running.interrupt();
    running.finish().code
}

#[test]
fn a_finalize_that_does_nothing_says_from_when_on() {
    let lab = Lab::with_tenants(2);
    lab.edit_config(|text| format!("{text}\n[run]\nsoak = \"48h\"\n"));
    let lab = swap(lab);
    let early = lab.run(&["finalize", "--all", "--yes"]).expect(4);
    assert!(early.stderr.contains("2 tenants must stay swapped for 48h"), "{}", early.stderr);
    assert!(early.stderr.contains("the first can be finalized at "), "{}", early.stderr);
    let lab = waiting();
    let waits = lab.run(&["finalize", "--all", "--yes"]).expect(4);
    assert_eq!(
        waits.stderr,
        "acme is waiting; it cannot be finalized yet; for the next command, run `flowswap status`\n"
    );
}
