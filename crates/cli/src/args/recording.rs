//! The arguments of `record` and `replay`.

use std::{collections::BTreeSet, ffi::OsString, path::PathBuf};

use clap::{Arg, ArgAction, ArgMatches, Args, Command, CommandFactory, FromArgMatches, parser::ValueSource};

use super::{Cli, Global, read_line};

#[derive(Debug, Args)]
pub(crate) struct RecordArgs {
    /// Write the recording to this file, which must not exist.
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: PathBuf,
    /// The command to record, without `flowswap`.
    #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true, value_name = "COMMAND")]
    pub(crate) command: Vec<OsString>,
}

#[derive(Debug, Args)]
pub(crate) struct ReplayArgs {
    /// The recording; `-` means stdin.
    #[arg(value_name = "FILE")]
    pub(crate) recording: PathBuf,
}

/// A recording to make.
#[derive(Debug)]
pub(crate) struct Recording {
    /// Where to write it.
    pub(crate) output: PathBuf,
    /// The name of the recorded command, and those of its options.
    pub(crate) command: Vec<String>,
}

impl RecordArgs {
    /// The command line to record. Global options before `record` are options of that command.
    pub(crate) fn recorded(self, own: &ArgMatches) -> Result<(Cli, Recording), clap::Error> {
        let first = [OsString::from("flowswap")].into_iter();
        let words: Vec<_> = first.chain(global_words(own)).chain(self.command).collect();
        let matches = read_line(&words)?;
        let recording = Recording { output: self.output, command: outline(&matches) };
        Ok((Cli::from_arg_matches(&matches)?, recording))
    }
}

/// The name of a command, and those of the options that it was given. Their values can name people.
fn outline(line: &ArgMatches) -> Vec<String> {
    let mut root = Cli::command();
    root.build();
    let (mut command, mut line) = (&root, line);
    let (mut names, mut options) = (Vec::new(), BTreeSet::new());
    loop {
        let given = |option: &&Arg| line.value_source(option.get_id().as_str()) == Some(ValueSource::CommandLine);
        options.extend(
            command.get_arguments().filter(given).filter_map(|option| Some(format!("--{}", option.get_long()?))),
        );
        let Some((name, below)) = line.subcommand() else { break };
        names.push(name.to_owned());
        let Some(subcommand) = command.find_subcommand(name) else { break };
        (command, line) = (subcommand, below);
    }
    names.into_iter().chain(options).collect()
}

/// The global options of a command line, as words. What the environment sets is left out: every command finds it there.
fn global_words(line: &ArgMatches) -> Vec<OsString> {
    let globals = Global::augment_args(Command::default());
    let mut words = Vec::new();
    for option in globals.get_arguments() {
        let (id, long) = (option.get_id().as_str(), format!("--{}", option.get_long().unwrap_or_default()));
        if line.value_source(id) != Some(ValueSource::CommandLine) {
            continue;
        }
        match option.get_action() {
            ArgAction::SetTrue => words.push(long.into()),
            ArgAction::Count => words.extend(vec![long.into(); line.get_count(id).into()]),
            _ => {
                words.push(long.into());
                words.extend(line.get_raw(id).into_iter().flatten().map(OsString::from));
            }
        }
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::{self, Format};

    fn recorded(line: &str) -> Result<(Cli, Recording), clap::Error> {
        let matches = Cli::command().try_get_matches_from(line.split(' '))?;
        match Cli::from_arg_matches(&matches)?.command {
            args::Command::Record(args) => args.recorded(&matches),
            other => panic!("not a recording: {other:?}"),
        }
    }

    #[test]
    fn options_before_the_command_are_options_of_the_command() {
        for line in [
            "flowswap --config a.toml -vv --no-color --format json record -o r.jsonl plan acme -o plan.json",
            "flowswap record --config a.toml -v --no-color -o r.jsonl --format json -v plan acme -o plan.json",
            "flowswap record -o r.jsonl -- plan --config a.toml -vv acme --no-color -o plan.json --format json",
        ] {
            let (Cli { global, command }, recording) = recorded(line).unwrap();
            assert_eq!(recording.command, ["plan", "--config", "--format", "--no-color", "--output", "--verbose"]);
            let Global { config, plugin_dir, actor, format, no_color, quiet, verbose, .. } = global;
            assert_eq!((config, format, no_color, verbose), ("a.toml".into(), Format::Json, true, 2), "{line}");
            assert_eq!((plugin_dir, actor, quiet), (None, None, false), "{line}");
            let args::Command::Plan(plan) = command else { panic!("{line}") };
            assert_eq!(
                (plan.select.tenants, plan.output),
                (vec!["acme".to_owned()], Some("plan.json".into())),
                "{line}"
            );
        }
        assert!(recorded("flowswap record -o r.jsonl plan --digest x").is_err());
        assert!(recorded("flowswap record -o r.jsonl").is_err());
        let (_, recording) = recorded("flowswap record -o r.jsonl audit verify --online").unwrap();
        assert_eq!(recording.command, ["audit", "verify", "--online"]);
    }
}
