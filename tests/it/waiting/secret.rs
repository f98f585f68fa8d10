//! The secret of a sheet goes to a person, once, and is nowhere else.

use std::{fs, path::Path};

use super::story::{CANARY, Story};
use crate::support::{command, terminal::Terminal};

#[test]
fn it_is_printed_to_a_terminal_and_recorded() {
    let story = Story::new();
    let screen = Terminal::start(command(story.dir(), &["secret", "copy", "acme", "--print"]));
    let (code, seen) = screen.finish();
    assert_eq!((code, seen.trim()), (0, CANARY));

    let evidence = story.run("evidence acme").expect(0).stdout;
    let mut given = evidence.lines().filter(|line| line.starts_with("  `acme/provision/client_secret` to "));
    assert_eq!(given.clone().count(), 2, "{evidence}");
    assert!(given.next_back().unwrap().ends_with("(terminal)"), "{evidence}");
    assert_nowhere(story.dir());
}

#[test]
fn it_goes_into_no_pipe_and_without_a_clipboard_nowhere() {
    let story = Story::new();
    for line in ["secret copy acme --print", "secret copy acme --print --format json"] {
        let output = story.run(line).expect(2);
        assert_eq!(output.stdout, "");
        assert!(output.stderr.contains("a secret is only printed to a terminal"), "{}", output.stderr);
    }
    // Neither a display nor anything else that has a clipboard is in this environment.
    let output = story.run("secret copy acme").expect(1);
    assert!(output.stderr.contains("failed to open the clipboard"), "{}", output.stderr);
    assert!(output.stderr.contains("hint: `--print`"), "{}", output.stderr);
    let evidence = story.run("evidence acme").expect(0).stdout;
    assert_eq!(evidence.matches("to dana at").count(), 1, "nothing else was given to anybody: {evidence}");
    assert_nowhere(story.dir());
}

#[test]
fn it_is_given_only_where_a_sheet_names_it() {
    let story = Story::new();
    for (tenant, code, words) in [
        ("initech", 2, "nothing is asked of a person for the tenant `initech`, which is soaking"),
        ("hooli", 2, "the run sheet of the tenant `hooli` names no secret"),
        ("globex", 1, "`globex/provision/client_secret`, which the run sheet names, is not in custody"),
        ("nobody", 2, "the configuration has no tenant `nobody`"),
    ] {
        let (ended, seen) = Terminal::start(command(story.dir(), &["secret", "copy", tenant, "--print"])).finish();
        assert_eq!(ended, code, "{seen}");
        assert!(seen.contains(words), "{seen}");
        assert!(!seen.contains(CANARY), "{seen}");
    }
}

/// The secret is in no file, in clear.
fn assert_nowhere(dir: &Path) {
    let mut looked = 0;
    let mut folders = vec![dir.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap().flatten() {
            if entry.path().is_dir() {
                folders.push(entry.path());
                continue;
            }
            looked += 1;
            let bytes = fs::read(entry.path()).unwrap();
            let is_there = bytes.windows(CANARY.len()).any(|window| window == CANARY.as_bytes());
            assert!(!is_there, "{}", entry.path().display());
        }
    }
    assert!(looked >= 4, "only {looked} files were looked at");
}
