//! Reads the command line, and says what to type instead of an option that does not exist. clap takes `-out=p.json` for
//! `-o ut=p.json`: it cannot know what a person meant.

use std::ffi::OsString;

use clap::{
    ArgMatches, Command, CommandFactory, Error,
    builder::StyledStr,
    error::{ContextKind, ContextValue, ErrorKind},
};
use flowswap_config::find_nearest;

use super::Cli;

/// Options of other programs, and what has the same effect here.
const FOREIGN: [(&str, &str); 4] = [
    ("--json", "use `--format json`"),
    ("--tenant", "name the tenants without an option: `flowswap detect acme`"),
    ("--tenants", "name the tenants without an option: `flowswap detect acme`"),
    ("--dry-run", "run `flowswap plan`, which changes nothing"),
];

/// Reads a command line, whose first word is the program.
///
/// # Errors
///
/// If it is wrong. The error is complete: it says what to type instead, where that is known.
pub(crate) fn read_line(words: &[OsString]) -> Result<ArgMatches, Error> {
    let mut root = Cli::command();
    root.build();
    refuse_long_options_with_one_dash(&root, words)?;
    root.try_get_matches_from_mut(words).map_err(|error| advise(&root, words, error))
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

/// Replaces clap's advice to pass an unknown option as a value: no value of flowswap begins with a dash.
fn advise(root: &Command, words: &[OsString], mut error: Error) -> Error {
    let Some(ContextValue::String(found)) = error.get(ContextKind::InvalidArg) else { return error };
    if error.kind() != ErrorKind::UnknownArgument || !found.starts_with('-') {
        return error;
    }
    if let Some((_, advice)) = FOREIGN.iter().find(|(option, _)| found == option) {
        let command = words.iter().filter_map(|word| word.to_str());
        let command = command.fold(root, |command, word| command.find_subcommand(word).unwrap_or(command));
        return unknown(command, found, (*advice).to_owned());
    }
    error.remove(ContextKind::Suggested);
    error
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
}
