//! Finds the blocks of commands in a Markdown document, and reads the commands and their output from them.

/// A fenced block that has commands.
pub(super) struct Block {
    /// The path of the document.
    pub(super) document: String,
    /// The line of the fence, counted from 1.
    pub(super) line: usize,
    /// The word after the language.
    pub(super) name: Option<String>,
    is_console: bool,
    lines: Vec<String>,
}

/// A command, and what the document says of it.
pub(super) struct Step {
    pub(super) command: String,
    /// The exit code that the comment names.
    pub(super) code: Option<i32>,
    /// The output that is shown.
    pub(super) output: Vec<String>,
}

impl Step {
    /// Reads a line; nothing comes of one that has only a comment.
    fn read(line: &str) -> Option<Self> {
        let (command, comment) = line.split_once('#').unwrap_or((line, ""));
        let code = comment.split("exit code ").nth(1).and_then(|rest| rest.get(..1)?.parse().ok());
        let command = command.trim().to_owned();
        (!command.is_empty()).then_some(Self { command, code, output: Vec::new() })
    }
}

impl Block {
    /// The commands. In a console block they follow a `$`, and what follows them is output; elsewhere each line is one.
    pub(super) fn steps(&self) -> Vec<Step> {
        let mut steps: Vec<Step> = Vec::new();
        for line in &self.lines {
            if !self.is_console {
                steps.extend(Step::read(line));
            } else if let Some(command) = line.strip_prefix("$ ") {
                steps.extend(Step::read(command));
            } else {
                let step = steps.last_mut().unwrap_or_else(|| panic!("{}: output without a command", self.document));
                step.output.push(line.clone());
            }
        }
        steps
    }
}

/// The blocks of a document that have commands.
#[track_caller]
pub(super) fn find(document: &str, text: &str) -> Vec<Block> {
    let mut found = Vec::new();
    let mut lines = text.lines().enumerate();
    while let Some((index, fence)) = lines.next() {
        let Some(info) = fence.trim_start().strip_prefix("```") else { continue };
        let indent = fence.len() - fence.trim_start().len();
        let mut block = Vec::new();
        loop {
            let (_, line) = lines.next().unwrap_or_else(|| panic!("{document}:{}: the block has no end", index + 1));
            if line.trim() == "```" {
                break;
            }
            block.push(line.get(indent..).unwrap_or_default().to_owned());
        }
        let mut words = info.split_whitespace();
        let language = words.next().unwrap_or_default();
        let is_console = block.iter().any(|line| line.starts_with("$ "));
        let has_command =
            is_console || block.iter().any(|line| line.starts_with("flowswap ") || line.starts_with("cargo "));
        if ["sh", "shell", "bash", "console"].contains(&language) || has_command {
            let name = words.next().map(str::to_owned);
            found.push(Block { document: document.to_owned(), line: index + 1, name, is_console, lines: block });
        }
    }
    found
}

/// The words of a command line; quotes hold words together.
pub(crate) fn words(line: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut quote = None;
    for letter in line.chars() {
        match (letter, quote) {
            ('"' | '\'', None) => quote = Some(letter),
            (_, Some(open)) if open == letter => quote = None,
            (' ', None) => words.push(String::new()),
            _ => words.last_mut().unwrap().push(letter),
        }
    }
    words
}

#[test]
fn commands_and_their_output_are_told_apart() {
    let text = "```console one\n$ flowswap status  # where\nacme\n\n$ flowswap next\n```\n\n\
                \x20 ```sh two\n  cd x\n\n  ls # y; exit code 4\n  ```\n";
    let blocks = find("x.md", text);
    let shown: Vec<Vec<_>> =
        blocks.iter().map(|b| b.steps().into_iter().map(|step| (step.command, step.output)).collect()).collect();
    let line = |command: &str, output: &[&str]| (command.to_owned(), output.iter().map(|&o| o.to_owned()).collect());
    assert_eq!(shown[0], [line("flowswap status", &["acme", ""]), line("flowswap next", &[])]);
    assert_eq!(shown[1], [line("cd x", &[]), line("ls", &[])]);
    assert_eq!(blocks[1].steps().iter().map(|step| step.code).collect::<Vec<_>>(), [None, Some(4)]);
    assert_eq!((blocks[1].line, blocks[1].name.as_deref()), (8, Some("two")));
    assert!(find("x.md", "```toml\na = 1\n```\n```rust\nfn main() {}\n```\n").is_empty());
    assert_eq!(find("x.md", "```text\n$ flowswap status\n```\n").len(), 1);
}

#[test]
fn quotes_hold_words_together() {
    assert_eq!(
        words("flowswap resolve acme --reason \"seen there\""),
        ["flowswap", "resolve", "acme", "--reason", "seen there"]
    );
    assert_eq!(words("flowswap sim fault --on 'GET /a'"), ["flowswap", "sim", "fault", "--on", "GET /a"]);
}
