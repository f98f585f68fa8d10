//! The URL of a webhook is in the file that the configuration names, and in the requests, and nowhere else.

use std::fs;

use super::{
    ALL, fleet,
    hook::{CANARY, Hook, Reply},
    let_fail,
};
use crate::{support::Lab, tidy::walk};

/// The files below the folder that have the canary, but for the one that is meant to have it.
fn leaks(lab: &Lab) -> Vec<String> {
    let has_canary = |bytes: &[u8]| bytes.windows(CANARY.len()).any(|part| part == CANARY.as_bytes());
    let mut files = walk(lab.dir());
    files.extend(walk(&lab.path(".flowswap")));
    let leaking = files.into_iter().filter(|path| has_canary(&fs::read(path).unwrap()));
    leaking.map(|path| path.display().to_string()).filter(|path| !path.ends_with("/ops.url")).collect()
}

#[test]
fn nothing_shows_the_url_of_a_webhook() {
    let lab = fleet(2);
    let replies = [Reply::Status(503), Reply::Status(302), Reply::Close, Reply::Status(400), Reply::Status(404)];
    let hook = Hook::start(&replies);
    hook.join(&lab, "ops", ALL, "json");
    let run = |line: &str| {
        let output = lab.run(&line.split_whitespace().collect::<Vec<_>>());
        assert!(!output.show().contains(CANARY), "{line}: {}", output.show());
    };
    run("check");
    run("plan -o plan.json -vv");
    let_fail(&lab, 0);
    run("apply plan.json --yes -vv");
    run("notify -vv");
    run("notify --format json");
    run("notify --test -vv");
    run("record -o recording.jsonl notify");
    // Now the file has something that is no URL, and that an error could show.
    fs::write(lab.path("ops.url"), format!("http://127.0.0.1/{CANARY}")).unwrap();
    let_fail(&lab, 0);
    run("apply plan.json --yes -vv");
    run("notify --test");
    fs::write(lab.path("ops.url"), format!("https://127.0.0.1:1/{CANARY}")).unwrap();
    run("notify --test");
    run("status --format json");
    assert_eq!(leaks(&lab), Vec::<String>::new());
    assert!(!hook.bodies().is_empty());
    // The search works.
    fs::write(lab.path("leak"), CANARY).unwrap();
    assert_eq!(leaks(&lab).len(), 1);
}
