//! Reads the command line, and says what to type instead of an option that does not exist. clap takes `-out=p.json` for
//! `-o ut=p.json`: it cannot know what a person meant.

use std::ffi::OsString;

use clap::{
    ArgMatches, Command, CommandFactory, Error, ValueEnum,
    builder::{Resettable, StyledStr},
    error::{ContextKind, ContextValue, ErrorKind},
};
use flowswap_config::find_nearest;

use super::{Cli, FORMAT_VARIABLE, Format};

/// Options of other programs, and what has the same effect here.
const FOREIGN: [(&str, &str); 4] = [
    ("--json", "use `--format json`"),
    ("--tenant", "name the tenants without an option: `flowswap detect acme`"),
    ("--tenants", "name the tenants without an option: `flowswap detect acme`"),
    ("--dry-run", "run `flowswap plan`, which changes nothing"),
];

/// The commands without `--all` that do nothing unless something says which tenants are meant. A test compares the list with them.
const NEEDS_NAMES: [&str; 6] = ["confirm", "copy", "decline", "evidence", "rehearse", "resolve"];

/// Reads a command line, whose first word is the program.
///
/// # Errors
///
/// If it is wrong. The error is complete: it says what to type instead, where that is known.
pub(crate) fn read_line(words: &[OsString]) -> Result<ArgMatches, Error> {
    let mut root = Cli::command();
    root.build();
    refuse_long_options_with_one_dash(&root, words)?;
    let matches = match root.try_get_matches_from_mut(words) {
        Err(error) if error.kind() == ErrorKind::ArgumentConflict => without_rivals().try_get_matches_from(words),
        read => read,
    };
    matches.map_err(|error| advise(&root, words, error))
}

/// The same command line, but `FLOWSWAP_QUIET` and `FLOWSWAP_VERBOSE` say nothing. Each of them would contradict the option of the
/// other.
fn without_rivals() -> Command {
    let without = |root: Command, rival| root.mut_arg(rival, |option| option.env(Resettable::Reset));
    ["quiet", "verbose"].into_iter().fold(Cli::command(), without)
}

/// The format that a command line asks for, even if the rest of the line is wrong.
pub(crate) fn asked_format(words: &[OsString]) -> Format {
    let words = words.iter().map_while(|word| Some(word.to_str()?).filter(|word| *word != "--"));
    let words: Vec<&str> = words.collect();
    let after = |(index, word): (usize, &&'_ str)| match word.strip_prefix("--format") {
        Some("") => words.get(index + 1).map(|value| (*value).to_owned()),
        Some(rest) => rest.strip_prefix('=').map(str::to_owned),
        None => None,
    };
    let asked = words.iter().enumerate().filter_map(after).next_back();
    let asked = asked.or_else(|| std::env::var(FORMAT_VARIABLE).ok());
    asked.and_then(|format| Format::from_str(&format, false).ok()).unwrap_or(Format::Human)
}

/// Refuses `-out=p.json`, `-format json`, and `-yes`: a short option would take the rest of the word for its value.
fn refuse_long_options_with_one_dash(root: &Command, words: &[OsString]) -> Result<(), Error> {
    let mut command = root;
    for word in words.iter().skip(1).map_while(|word| Some(word.to_str()?).filter(|word| *word != "--")) {
        if let Some(subcommand) = command.find_subcommand(word) {
            command = subcommand;
        }
        let Some(option) = word.strip_prefix('-').filter(|option| !option.starts_with('-')) else { continue };
        let (name, value) = option.split_at(option.find('=').unwrap_or(option.len()));
        if let Some(meant) = find_long(command, name) {
            return Err(unknown(command, word, format!("did you mean `--{meant}{value}`?")));
        }
    }
    Ok(())
}

/// The long option that a word with one dash stands for. `None` if it is a short option, or several of them.
fn find_long<'a>(command: &'a Command, name: &str) -> Option<&'a str> {
    let is_short = |letter: char| command.get_arguments().any(|option| option.get_short() == Some(letter));
    let is_known = name.chars().next().is_none_or(is_short);
    if is_known && name.chars().nth(1).is_none() {
        return None;
    }
    let options = command.get_arguments().filter(|option| !option.is_hide_set());
    let longs: Vec<&str> = options.filter_map(clap::Arg::get_long).collect();
    let begun = longs.iter().copied().find(|long| long.starts_with(name));
    begun.or_else(|| find_nearest(name, longs).filter(|_| !is_known))
}

fn unknown(command: &Command, word: &str, advice: String) -> Error {
    let mut error = Error::new(ErrorKind::UnknownArgument).with_cmd(command);
    error.insert(ContextKind::InvalidArg, ContextValue::String(word.to_owned()));
    error.insert(ContextKind::Suggested, tip(advice));
    let usage = command.clone().render_usage();
    error.insert(ContextKind::Usage, ContextValue::StyledStr(usage));
    error
}

/// Names the variable that has a wrong value, if no option on the command line has it.
fn name_variable(root: &Command, words: &[OsString], mut error: Error) -> Error {
    let Some(ContextValue::String(found)) = error.get(ContextKind::InvalidArg) else { return error };
    let Some(option) = find_command(root, words).get_arguments().find(|option| option.to_string() == *found) else {
        return error;
    };
    let (Some(variable), Some(long)) = (option.get_env(), option.get_long()) else { return error };
    let is_option = |word: &OsString| word.to_str().is_some_and(|word| word.starts_with(&format!("--{long}")));
    if std::env::var_os(variable).is_some() && !words.iter().any(is_option) {
        let variable = variable.display().to_string();
        error.insert(ContextKind::InvalidArg, ContextValue::String(variable));
    }
    error
}

/// The command that the words are for.
fn find_command<'a>(root: &'a Command, words: &[OsString]) -> &'a Command {
    let words = words.iter().filter_map(|word| word.to_str());
    words.fold(root, |command, word| command.find_subcommand(word).unwrap_or(command))
}

/// Replaces clap's advice to pass an unknown option as a value: no value of flowswap begins with a dash.
fn advise(root: &Command, words: &[OsString], error: Error) -> Error {
    if matches!(error.kind(), ErrorKind::InvalidValue | ErrorKind::ValueValidation) {
        return name_variable(root, words, error);
    }
    advise_on_option(root, words, error)
}

fn advise_on_option(root: &Command, words: &[OsString], mut error: Error) -> Error {
    let Some(ContextValue::String(found)) = error.get(ContextKind::InvalidArg) else { return error };
    if error.kind() != ErrorKind::UnknownArgument || !found.starts_with('-') {
        return error;
    }
    if let Some((_, advice)) = FOREIGN.iter().find(|(option, _)| found == option) {
        return unknown(find_command(root, words), found, (*advice).to_owned());
    }
    if found == "--all" {
        let command = find_command(root, words);
        if let Some(advice) = advise_on_all(command) {
            return unknown(command, found, advice);
        }
    }
    error.remove(ContextKind::Suggested);
    error
}

/// What to type instead of `--all`, to a command that takes names of tenants but not this option.
fn advise_on_all(command: &Command) -> Option<String> {
    let name = command.get_name();
    if !command.get_arguments().any(|argument| argument.get_id() == "tenants") {
        return None;
    }
    Some(if NEEDS_NAMES.contains(&name) {
        format!("name the tenants, or pass a pattern: `{} '*'`", command.get_bin_name().unwrap_or(name))
    } else {
        "leave it out: without a name, the command is about all tenants".to_owned()
    })
}

fn tip(text: String) -> ContextValue {
    ContextValue::StyledStrs(vec![StyledStr::from(text)])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_option_with_one_dash_is_refused_if_it_looks_like_a_long_one() {
        let table = [
            ("plan -out=p.json", Some("--output=p.json")),
            ("plan -output p.json", Some("--output")),
            ("detect -format=json", Some("--format=json")),
            ("detect -fromat json", Some("--format")),
            ("apply p.json -yes", Some("--yes")),
            ("apply p.json -y", Some("--yes")),
            ("detect -label region=emea", Some("--label")),
            ("record -o r.json plan -out=p.json", Some("--output=p.json")),
            ("plan -op.json", None),
            ("plan -o=p.json", None),
            ("plan -o p.json", None),
            ("status -vv", None),
            ("status -vh", None),
            ("show -", None),
            ("completions -- -out", None),
        ];
        for (line, expected) in table {
            let words: Vec<OsString> = format!("flowswap {line}").split(' ').map(OsString::from).collect();
            let mut root = Cli::command();
            root.build();
            let refused = refuse_long_options_with_one_dash(&root, &words).err().map(|error| error.to_string());
            match (refused, expected) {
                (Some(text), Some(meant)) => assert!(text.contains(&format!("`{meant}`?")), "{line}: {text}"),
                (refused, expected) => assert_eq!(refused.as_deref(), expected, "{line}"),
            }
        }
    }

    #[test]
    fn a_wrong_line_says_in_which_format_it_wants_its_error() {
        let table = [
            ("plan --nonsense --format json", Format::Json),
            ("--format=jsonl plan --nonsense", Format::Jsonl),
            ("plan --format json --format human -x", Format::Human),
            ("plan --format", Format::Human),
            ("plan --formats json", Format::Human),
            ("plan -- --format json", Format::Human),
        ];
        for (line, expected) in table {
            let words: Vec<OsString> = format!("flowswap {line}").split(' ').map(OsString::from).collect();
            assert_eq!(asked_format(&words), expected, "{line}");
        }
    }
}
