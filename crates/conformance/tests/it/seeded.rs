//! Runs the kit on rogues that each misbehave in one way. Every misbehavior must be caught, and a well-behaved rogue
//! must pass.

use std::{collections::BTreeSet, fs, io::Write, path::PathBuf, sync::Arc, time::Duration};

use flowswap_conformance::{Group, Kit};
use flowswap_host::{Cage, Launcher, Limits, PluginFile};
use futures::{StreamExt, stream};
use tempfile::TempDir;

use crate::world::Clients;

/// Misbehavior in a session, with a check that must catch it. Other checks may catch it too.
const IN_SESSIONS: &[(&str, &str)] = &[
    ("panic-in-detect", "detect.answers"),
    ("panic-in-plan", "plan.asks-nothing"),
    ("panic-in-observe", "observe.pure"),
    ("panic-in-apply", "apply.plan"),
    ("panic-in-undo", "undo.twice"),
    ("panic-in-test", "access.pure"),
    ("abort-in-apply", "apply.plan"),
    ("segfault-in-undo", "undo.every-prefix"),
    ("exit-in-detect", "detect.answers"),
    ("read-file-in-detect", "detect.answers"),
    ("loop-in-apply", "apply.plan"),
    ("silence-in-observe", "observe.before"),
    ("flood-events-in-detect", "detect.answers"),
    ("flood-asks-in-detect", "detect.answers"),
    ("huge-in-apply", "apply.plan"),
    ("ask-late-in-apply", "asks.awaited"),
    ("mutate-in-detect", "detect.pure"),
    ("mutate-in-observe", "observe.pure"),
    ("touch-in-detect", "detect.pure"),
    ("touch-in-observe", "observe.pure"),
    ("touch-in-test", "test.pure"),
    ("read-by-post-in-detect", "detect.pure"),
    ("foreign-origin-in-detect", "detect.answers"),
    ("foreign-secret-in-apply", "apply.plan"),
    ("override-method-in-detect", "detect.answers"),
    ("own-header-in-apply", "apply.plan"),
    ("capture-twice", "apply.plan"),
    ("capture-both", "apply.plan"),
    ("random-ask-in-detect", "messages.same"),
    ("ask-in-plan", "plan.asks-nothing"),
    ("garbage-in-apply", "apply.plan"),
    ("reply-twice-in-apply", "apply.twice"),
    ("foreign-reply-in-detect", "detect.answers"),
    ("wrong-number-in-detect", "detect.answers"),
    ("greet-in-undo", "undo.twice"),
    ("other-role", "detect.answers"),
    ("undo-nothing", "undo.every-prefix"),
    ("create-twice", "undo.every-prefix"),
    ("create-again", "apply.twice"),
    ("repeat-the-lost", "lost.apply.after"),
    ("observe-nothing", "observe.after-apply"),
    ("observe-all", "observe.after-undo"),
    ("ignore-status", "errors.500"),
    ("internal-errors", "errors.403"),
    ("always-unknown", "errors.401"),
    ("internal-errors", "errors.404"),
    ("internal-errors", "errors.409"),
    ("internal-errors", "errors.429"),
    ("internal-errors", "errors.503"),
    ("internal-errors", "errors.wrong-json"),
    ("internal-errors", "errors.no-json"),
    ("observe-all", "observe.before"),
    ("observe-all", "lost.apply.before"),
    ("observe-nothing", "lost.apply.fails-after"),
    ("touch-in-undo", "undo.unapplied"),
    ("careless-undo", "lost.undo.before"),
    ("fear-the-gone", "lost.undo.after"),
    ("fear-the-gone", "lost.undo.fails-after"),
    ("forget-output", "apply.gives"),
    ("by-person-silent", "operator.asks"),
    ("random-plan", "plan.same"),
    ("counting-plan", "plan.same"),
    ("need-the-unknown", "plan.sound"),
    ("no-way-back", "plan.sound"),
    ("log-secret", "secrets.untold"),
    ("print-secret", "secrets.untold"),
    ("output-secret", "secrets.untold"),
    ("log-base64", "secrets.untold"),
    ("undo-needs-secret", "lost.apply.undone"),
    ("attended", "undo.every-prefix"),
    ("attended-unseen", "undo.every-prefix"),
    ("touch-in-test", "access.pure"),
    ("touch-and-no-access-test", "access.pure"),
];

/// Misbehavior that does not depend on a session, with a check that must catch it.
const FROM_THE_START: &[(&str, &str)] = &[
    ("wrong-name", "hello.starts"),
    ("wrong-major", "hello.starts"),
    ("wrong-abi", "hello.starts"),
    ("short-table", "hello.starts"),
    ("foreign-table", "hello.starts"),
    ("no-table", "hello.starts"),
    ("refuse", "hello.starts"),
    ("greet-twice", "hello.once"),
    ("fickle-hello", "hello.same"),
    ("thread", "hello.starts"),
    ("thread", "hello.caged"),
    ("strict", "protocol.unknown-fields"),
    ("no-roles", "hello.roles"),
    ("key-twice", "hello.keys"),
    ("foreign-template", "hello.origins"),
    ("odd-token-path", "hello.starts"),
    ("break-on-garbage", "protocol.not-json"),
    ("answer-garbage", "protocol.unknown-type"),
    ("break-on-strays", "protocol.stray-answer"),
    ("deaf-to-strangers", "protocol.unknown-session"),
    ("opens-anything", "protocol.open-empty"),
    ("opens-anything", "protocol.open-wrong-types"),
    ("opens-nothing", "protocol.opens"),
    ("break-on-strays", "protocol.stray-cancel"),
    ("break-on-strays", "protocol.close-twice"),
    ("break-on-cancel", "protocol.cancel"),
    ("break-on-cancel", "detect.dropped"),
    ("break-on-close", "protocol.close-mid-call"),
    ("break-on-long", "protocol.huge-message"),
    ("break-on-words", "protocol.unknown-words"),
    ("exact-minor", "hello.version-skew"),
    ("deaf-to-answers", "protocol.wrong-answer"),
    ("deaf-to-nonsense", "protocol.wrong-params"),
    ("ten-calls", "protocol.many-calls"),
    ("brace-key", "hello.keys"),
    ("needs-anything", "protocol.open-wrong-types"),
];

/// Unusual but correct behavior in a session, with a group of checks that must accept it.
const UNUSUAL_IN_SESSIONS: &[(&str, Group)] = &[
    ("other-words", Group::Errors),
    ("no-access-test", Group::ReadOnly),
    ("by-person", Group::Steps),
    ("attended-well", Group::ReadOnly),
    ("attended-well", Group::Steps),
    ("attended-well", Group::LostAnswers),
];

/// The same, not depending on a session.
const UNUSUAL_FROM_THE_START: &[(&str, Group)] = &[("odd-keys", Group::Hello), ("needs-number", Group::Protocol)];

#[test]
fn all_seeded_misbehaviors_are_caught_without_false_alarms() {
    let dir = TempDir::new().unwrap();
    let good = library();
    let in_sessions = IN_SESSIONS.iter().map(|&(word, check)| (word, check, good.clone(), Some(word)));
    let chosen = FROM_THE_START.iter().map(|&(word, check)| (word, check, choose(&dir, word), None));
    let seeds: Vec<_> = in_sessions.chain(chosen).collect();
    let total = seeds.iter().map(|(word, ..)| *word).collect::<BTreeSet<_>>().len();
    let seeded_checks: BTreeSet<&str> = seeds.iter().map(|(_, check, ..)| *check).collect();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let (missed, good) = runtime.block_on(async {
        let trying = stream::iter(seeds).map(|(word, check, path, misbehave)| async move {
            // In the cage, the plugin would not even start.
            let cage = if check == "hello.caged" { Cage::Off } else { Cage::default() };
            let report = kit_with(cage, path, misbehave).run_group(Group::of(check).unwrap()).await;
            let is_caught = report.failures().any(|failure| failure.id == check);
            (!is_caught).then(|| (word, format!("`{word}` is missed by {check}:\n{report}")))
        });
        let missed: Vec<(&str, String)> =
            trying.buffer_unordered(8).filter_map(|missed| async { missed }).collect().await;
        let mut reports = vec![kit(good.clone(), None).run().await];
        for &(word, group) in UNUSUAL_IN_SESSIONS {
            reports.push(kit(good.clone(), Some(word)).run_group(group).await);
        }
        for &(word, group) in UNUSUAL_FROM_THE_START {
            reports.push(kit(choose(&dir, word), None).run_group(group).await);
        }
        (missed, reports)
    });
    let alarms: Vec<String> = good.iter().flat_map(|report| report.failures().map(ToString::to_string)).collect();
    let missed_words: BTreeSet<_> = missed.iter().map(|(word, _)| *word).collect();
    // The test harness hides the output of `println!` when a test passes.
    let line = format!(
        "conformance: {total} seeded misbehaviors, {} caught, {} missed; well-behaved rogue: {} false alarms",
        total - missed_words.len(),
        missed_words.len(),
        alarms.len(),
    );
    writeln!(std::io::stdout(), "{line}").unwrap();
    assert!(missed.is_empty(), "{}", missed.iter().map(|(_, how)| how.as_str()).collect::<Vec<_>>().join("\n\n"));
    assert!(alarms.is_empty(), "{}", alarms.join("\n"));
    // Every check needs a misbehavior that fails it, or a broken check would go unnoticed. `world.repeats` checks the
    // world.
    let untested: Vec<_> =
        good[0].checks.iter().map(|check| check.id).filter(|id| !seeded_checks.contains(id)).collect();
    assert_eq!(untested, ["world.repeats"]);
}

fn kit(library: PathBuf, misbehave: Option<&'static str>) -> Kit {
    kit_with(Cage::default(), library, misbehave)
}

fn kit_with(cage: Cage, library: PathBuf, misbehave: Option<&'static str>) -> Kit {
    caged(cage, library).world(Arc::new(move || Box::new(Clients::new(misbehave))))
}

/// A kit for the rogue in this library.
pub(crate) fn without_world(library: PathBuf) -> Kit {
    caged(Cage::default(), library)
}

fn caged(cage: Cage, library: PathBuf) -> Kit {
    let file = PluginFile::read("rogue", &library, None).unwrap();
    // Short limits end a rogue that hangs soon, and are still long enough for one that computes.
    let limits = Limits { thinking: Duration::from_secs(3), opening: Duration::from_secs(5), ..Limits::default() };
    // The plugin's process is the test `author::plugin_process` of this binary.
    let launcher = flowswap_conformance::launcher("it::author");
    let launcher = Launcher { limits, cage, ..launcher.unwrap() };
    Kit::new(file, launcher)
}

/// The library of the rogue, unchanged.
pub(crate) fn library() -> PathBuf {
    flowswap_conformance::built_library("rogue").unwrap()
}

/// Copies the library and writes the misbehavior into the bytes that it reserves for that.
fn choose(dir: &TempDir, word: &str) -> PathBuf {
    let mut bytes = fs::read(library()).unwrap();
    let marker = b"rogue-choice:..........";
    let places: Vec<usize> =
        bytes.windows(marker.len()).enumerate().filter(|(_, w)| w == marker).map(|(at, _)| at).collect();
    let [place] = places.as_slice() else { panic!("the library has {} markers", places.len()) };
    let at = place + "rogue-choice:".len();
    bytes[at..at + word.len()].copy_from_slice(word.as_bytes());
    let path = dir.path().join(format!("{word}{}", std::env::consts::DLL_SUFFIX));
    fs::write(&path, bytes).unwrap();
    path
}
