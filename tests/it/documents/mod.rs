//! The README and `crates/cli/docs`: a test types every block of commands in them, and compares what is printed.
//!
//! Such a block has a name after its language, as in "```sh fleet". A test gets it with [`documented`].

/// Blocks of commands in Markdown.
mod block;
/// Whether output is what a document shows.
mod compare;
mod links;
mod overview;
mod recipes;
mod story;

use std::{cell::RefCell, collections::VecDeque, fs, path::PathBuf};

use crate::{
    support::{Output, repository},
    tidy::sources,
};
pub(crate) use block::words;
use block::{Block, Step};

/// What is left to type of a block. A test that ends before it has typed everything fails.
pub(crate) struct Session {
    name: &'static str,
    steps: RefCell<VecDeque<Step>>,
    /// Whether the block must have every command that the test types.
    is_whole: bool,
}

/// The block of this name, to be typed from its first line to its last.
#[track_caller]
pub(crate) fn documented(name: &'static str) -> Session {
    let block = blocks().into_iter().find(|block| block.name.as_deref() == Some(name));
    let block = block.unwrap_or_else(|| panic!("no document has a block named `{name}`"));
    Session { name, steps: RefCell::new(block.steps().into()), is_whole: false }
}

impl Session {
    /// The same, but a command that the block lacks fails: a person who types the block must get as far as the test.
    pub(crate) fn whole(mut self) -> Self {
        self.is_whole = true;
        self
    }

    /// Takes note of a command that a test typed. If it is the next one of the block, what it printed must agree with it.
    /// A test may type other commands in between.
    #[track_caller]
    pub(crate) fn typed(&self, command: &str, output: &Output) {
        let Some(step) = self.next_if(command) else {
            assert!(!self.is_whole, "block `{}` lacks `{command}` at this place", self.name);
            return;
        };
        let name = self.name;
        assert!(step.code.is_none_or(|code| code == output.code), "`{name}` has another exit code for `{command}`");
        // A terminal shows both; most documents show what is on stdout.
        let whole = format!("{}{}", output.stdout, output.stderr);
        let agrees = [&output.stdout, &whole].iter().any(|printed| compare::agrees(&step.output, printed));
        let shown = step.output.join("\n");
        assert!(shown.is_empty() || agrees, "`{name}` shows for `{command}`:\n{shown}\nprinted was:\n{whole}");
    }

    /// The commands that are left of the block, each with its exit code: 0 if the block names none.
    pub(crate) fn commands(&self) -> Vec<(String, i32)> {
        self.steps.borrow().iter().map(|step| (step.command.clone(), step.code.unwrap_or(0))).collect()
    }

    /// All that is left of the block, for a shell.
    pub(crate) fn script(&self) -> String {
        self.steps.borrow_mut().drain(..).map(|step| step.command + "\n").collect()
    }

    /// Takes note of a line that the test carries out without running the binary.
    pub(crate) fn done(&self, line: &str) {
        let _ = self.next_if(line);
    }

    fn next_if(&self, command: &str) -> Option<Step> {
        let mut steps = self.steps.borrow_mut();
        let is_next = steps.front().is_some_and(|step| compare::line_agrees(&step.command, command));
        if is_next { steps.pop_front() } else { None }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            let left: Vec<_> = self.steps.borrow().iter().map(|step| step.command.clone()).collect();
            assert!(left.is_empty(), "the test of block `{}` does not type, in this order: {left:#?}", self.name);
        }
    }
}

#[test]
fn a_test_types_every_block_of_commands() {
    let tests = tests_as_text();
    let mut names = Vec::new();
    for block in blocks() {
        let place = format!("{}:{}", block.document, block.line);
        let name = block.name.as_deref().unwrap_or_else(|| panic!("the commands at {place} have no name"));
        assert!(!names.contains(&name.to_owned()), "two blocks are named `{name}`");
        assert!(tests.contains(&format!("documented(\"{name}\")")), "no test types `{name}` at {place}");
        assert!(!block.steps().is_empty(), "`{name}` at {place} has no command");
        names.push(name.to_owned());
    }
    assert!(names.len() >= 8, "{names:?}");
}

/// The blocks of commands in all documents for users.
fn blocks() -> Vec<Block> {
    let read = |path: PathBuf| {
        let name = path.strip_prefix(repository()).unwrap().display().to_string();
        block::find(&name, &fs::read_to_string(&path).unwrap())
    };
    documents().into_iter().flat_map(read).collect()
}

/// The README, and everything in `crates/cli/docs`.
fn documents() -> Vec<PathBuf> {
    let folder = fs::read_dir(repository().join("crates/cli/docs")).unwrap();
    let mut paths: Vec<PathBuf> = folder.map(|entry| entry.unwrap().path()).collect();
    paths.push(repository().join("README.md"));
    paths.sort();
    paths
}

fn tests_as_text() -> String {
    sources().into_iter().filter(|(path, _)| path.starts_with("tests/it")).map(|(_, text)| text).collect()
}
