//! Every command's help: one line that says what it does, in the imperative, and an example.

use std::path::Path;

use crate::support::run_in;

/// The help of one command.
pub(super) struct Page {
    /// The command, such as `secret copy`.
    pub(super) name: String,
    pub(super) text: String,
}

/// The help of every command, found by reading the lists of subcommands.
pub(super) fn all_help(dir: &Path) -> Vec<Page> {
    let mut pages = vec![page(dir, "")];
    let mut next = 0;
    while let Some(Page { name, text }) = pages.get(next) {
        let prefix = if name.is_empty() { String::new() } else { format!("{name} ") };
        let names: Vec<_> = subcommands(text).into_iter().map(|(name, _)| format!("{prefix}{name}")).collect();
        pages.extend(names.iter().map(|name| page(dir, name)));
        next += 1;
    }
    pages
}

fn page(dir: &Path, name: &str) -> Page {
    let args: Vec<_> = name.split_whitespace().chain(["--help"]).collect();
    Page { name: name.to_owned(), text: run_in(dir, &args).expect(0).stdout }
}

/// The names and summaries below `Commands:`, without `help`.
fn subcommands(text: &str) -> Vec<(&str, &str)> {
    let lines = text.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    // A summary that needs two lines goes on far to the right.
    let rows = lines.filter(|line| !line.starts_with("    "));
    let rows = rows.filter_map(|line| line.trim().split_once("  ").map(|(name, summary)| (name, summary.trim())));
    rows.filter(|(name, _)| *name != "help").collect()
}

/// A page with each entry, example and row of a table as a paragraph of its own. Lines that are indented alike belong together.
pub(super) fn prose(text: &str) -> String {
    let mut prose = String::new();
    let mut before = 0;
    for line in text.lines() {
        let trimmed = line.trim_start();
        let indent = line.len() - trimmed.len();
        let begins = trimmed.starts_with(['-', '$', '<', '[', '#']) || trimmed.starts_with("flowswap ");
        if indent != before || begins || trimmed.contains("  ") {
            prose.push('\n');
        }
        before = indent;
        prose.push_str(line);
        prose.push('\n');
    }
    prose
}

#[test]
fn every_command_says_what_it_does_and_shows_an_example() {
    let dir = crate::support::folder();
    let pages = all_help(dir.path());
    assert!(pages.len() > 30, "only {} commands were found", pages.len());
    let mut wrong = Vec::new();
    for Page { name, text } in &pages {
        let summary = text.lines().next().unwrap_or_default();
        let first = summary.split_whitespace().next().unwrap_or_default();
        let is_imperative = first.starts_with(char::is_uppercase)
            && !first.ends_with('s')
            && !["What", "Where", "Which", "Is", "Are", "The", "A", "How", "Who"].contains(&first);
        if !is_imperative && !name.is_empty() {
            wrong.push(format!("`{name}`: the summary does not begin with a verb in the imperative: {summary}"));
        }
        if summary.ends_with('.') || summary.split_whitespace().count() > 16 {
            wrong.push(format!("`{name}`: the summary is not one short line without a full stop: {summary}"));
        }
        let examples: Vec<_> = text.lines().skip_while(|line| *line != "Examples:").skip(1).collect();
        if !examples.iter().any(|line| line.contains("flowswap ")) {
            wrong.push(format!("`{name}`: no example"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
