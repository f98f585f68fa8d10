//! Completes the commands in messages with the `--config` that this command was started with. So a person can paste them.

use std::{env, path::Path, sync::OnceLock};

use clap::CommandFactory;
use flowswap_engine::reveal;
use flowswap_host::quoted;

use crate::{
    args::{Cli, Global, USUAL_CONFIG},
    display::text::Text,
};

/// The file, as a word of a shell. Empty if another command finds the same file by itself.
static CONFIG: OnceLock<String> = OnceLock::new();

/// Remembers the configuration of this process. Only the first one counts.
pub(crate) fn remember(global: &Global) {
    let usual = env::var_os("FLOWSWAP_CONFIG").unwrap_or_else(|| USUAL_CONFIG.into());
    CONFIG.get_or_init(|| if global.config == Path::new(&usual) { String::new() } else { quoted(&global.config) });
}

/// The text with complete commands.
pub(crate) fn in_text(text: &Text) -> Text {
    match configured() {
        Some(config) => Text::rendered(complete(text.as_str(), &reveal(config))),
        None => text.clone(),
    }
}

/// The complete command, for a report as JSON.
pub(crate) fn of(command: String) -> String {
    configured().map(|config| complete(&command, config)).unwrap_or(command)
}

fn configured() -> Option<&'static str> {
    CONFIG.get().map(String::as_str).filter(|config| !config.is_empty())
}

fn complete(text: &str, config: &str) -> String {
    const NAME: &str = "flowswap ";
    let cli = Cli::command();
    let mut pieces = text.split(NAME);
    let mut completed = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        completed += NAME;
        let word = piece.split(|c: char| !c.is_ascii_lowercase()).next().unwrap_or_default();
        // Anything else is a sentence about flowswap.
        if cli.find_subcommand(word).is_some() {
            completed += &format!("--config {config} ");
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
        assert_eq!(complete(text, "'a b'"), expected);
        assert_eq!(complete(expected, "'a b'"), expected, "a complete command stays as it is");
    }
}
