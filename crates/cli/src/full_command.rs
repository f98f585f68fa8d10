//! Completes the commands in messages with the `--config` and the `--state-dir` that this command was started with. So a person
//! can paste them.

use std::{env, path::Path, sync::OnceLock};

use clap::CommandFactory;
use flowswap_engine::reveal;
use flowswap_host::quoted;

use crate::{
    args::{CONFIG_VARIABLE, Cli, Global, STATE_VARIABLE, USUAL_CONFIG},
    display::text::Text,
};

/// The options, as words of a shell. Empty if another command finds the same files by itself.
static OPTIONS: OnceLock<String> = OnceLock::new();

/// Remembers the options of this process. Only the first call counts.
pub(crate) fn remember(global: &Global) {
    let usual = env::var_os(CONFIG_VARIABLE).unwrap_or_else(|| USUAL_CONFIG.into());
    let config = Some(&global.config).filter(|config| **config != Path::new(&usual));
    let usual = env::var_os(STATE_VARIABLE);
    let state = global.state_dir.as_ref().filter(|state| Some(state.as_os_str()) != usual.as_deref());
    let config = config.map(|config| format!("--config {}", quoted(config)));
    let state = state.map(|state| format!("--state-dir {}", quoted(state)));
    OPTIONS.get_or_init(|| config.into_iter().chain(state).collect::<Vec<_>>().join(" "));
}

/// The text with complete commands.
pub(crate) fn in_text(text: &Text) -> Text {
    match options() {
        Some(options) => Text::rendered(complete(text.as_str(), &reveal(options))),
        None => text.clone(),
    }
}

/// The complete command, for a report as JSON.
pub(crate) fn of(command: String) -> String {
    options().map(|options| complete(&command, options)).unwrap_or(command)
}

/// Whether flowswap has a command of this name.
pub(crate) fn is_subcommand(word: &str) -> bool {
    static COMMANDS: OnceLock<clap::Command> = OnceLock::new();
    COMMANDS.get_or_init(Cli::command).find_subcommand(word).is_some()
}

fn options() -> Option<&'static str> {
    OPTIONS.get().map(String::as_str).filter(|options| !options.is_empty())
}

fn complete(text: &str, options: &str) -> String {
    const NAME: &str = "flowswap ";
    let mut pieces = text.split(NAME);
    let mut completed = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        // A path may end like the name.
        let is_path = completed.ends_with(|c: char| c.is_alphanumeric() || "./-_".contains(c));
        completed += NAME;
        let word = piece.split(|c: char| !c.is_ascii_lowercase()).next().unwrap_or_default();
        // Anything else is a sentence about flowswap.
        if !is_path && is_subcommand(word) {
            completed += &format!("{options} ");
        }
        completed += piece;
    }
    completed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_commands_are_completed() {
        let text = "flowswap cannot tell: flowswap status; `flowswap audit verify`, and flowswap plans it again.\nflowswap apply p";
        let expected = "flowswap cannot tell: flowswap --config 'a b' status; `flowswap --config 'a b' audit verify`, and \
                        flowswap plans it again.\nflowswap --config 'a b' apply p";
        assert_eq!(complete(text, "--config 'a b'"), expected);
        let in_folder = "--state-dir .flowswap";
        assert_eq!(
            complete(&complete("flowswap status", in_folder), in_folder),
            "flowswap --state-dir .flowswap status"
        );
        assert_eq!(complete(expected, "--config 'a b'"), expected, "a complete command stays as it is");
    }
}
