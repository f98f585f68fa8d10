//! What the shell completes. The script of `flowswap completions` starts flowswap at each Tab, and these functions know what fits:
//! tenants and waves of the configuration, findings, states, verdicts, and plan files. They load no plugin, fetch no secret,
//! and use no network. On any error they offer nothing, because a person who types must not see one.

use std::{
    collections::BTreeSet,
    env,
    ffi::{OsStr, OsString},
    fs::File,
    io::{self, Read, Write},
    path::{Path, PathBuf},
};

use clap::CommandFactory;
use clap_complete::{
    CompleteEnv, Shell,
    engine::{ArgValueCompleter, CompletionCandidate, PathCompleter, ValueCompleter},
    env::Shells,
};
use flowswap_config::{Config, REST};
use flowswap_engine::{TenantState, Verdict, all_rules};

use super::{CONFIG_VARIABLE, Cli, USUAL_CONFIG};

/// The variable by which the script asks for completions. Its value is the shell.
const VARIABLE: &str = "_FLOWSWAP_COMPLETE";
/// A plan begins with these keys, because its keys are sorted.
const BEGIN_OF_PLAN: &str = "{\n  \"created_at\":";

/// Answers the script of a shell. Returns whether the script asked.
///
/// # Errors
///
/// If the shell is unknown, or if stdout is closed.
pub(crate) fn answer_shell(words: &[OsString]) -> Result<bool, clap::Error> {
    CompleteEnv::with_factory(Cli::command).var(VARIABLE).try_complete(words, env::current_dir().ok().as_deref())
}

/// Writes the script that makes a shell ask flowswap.
///
/// # Errors
///
/// If the place refuses it, or if the shell is unknown.
pub(crate) fn write_script(shell: Shell, place: &mut dyn Write) -> io::Result<()> {
    let shells = Shells::builtins();
    let shell = shells.completer(&shell.to_string()).ok_or(io::ErrorKind::Unsupported)?;
    shell.write_registration(VARIABLE, "flowswap", "flowswap", "flowswap", place)
}

/// Tenants of the configuration.
pub(super) fn tenants() -> ArgValueCompleter {
    of_config(|config| config.tenants.iter().map(|tenant| tenant.name.clone()).collect())
}

/// Owners of tenants.
pub(super) fn owners() -> ArgValueCompleter {
    of_config(|config| config.tenants.iter().filter_map(|tenant| tenant.owner.clone()).collect())
}

/// Labels of tenants, such as `region=emea`.
pub(super) fn labels() -> ArgValueCompleter {
    of_config(|config| {
        let labels = config.tenants.iter().flat_map(|tenant| tenant.labels.iter());
        labels.map(|(name, value)| format!("{name}={value}")).collect()
    })
}

/// Waves of the configuration.
pub(super) fn waves() -> ArgValueCompleter {
    of_config(|config| {
        let rest = (!config.waves.is_empty()).then(|| REST.to_owned());
        config.waves.iter().map(|wave| wave.name.clone()).chain(rest).collect()
    })
}

/// Findings, each with what it means.
pub(super) fn findings() -> ArgValueCompleter {
    ArgValueCompleter::new(|current: &OsStr| {
        let rules = all_rules();
        let fitting = rules.filter(|rule| begins_with(rule.id, current));
        fitting.map(|rule| CompletionCandidate::new(rule.id).help(Some(rule.about.into()))).collect()
    })
}

/// States of tenants.
pub(super) fn states() -> ArgValueCompleter {
    of_words(TenantState::ALL.map(|state| state.to_string()))
}

/// Verdicts.
pub(super) fn verdicts() -> ArgValueCompleter {
    of_words(Verdict::ALL.map(|verdict| verdict.to_string()))
}

/// Plan files, and the folders on the way to them. Any file if there is neither.
pub(super) fn plans() -> ArgValueCompleter {
    ArgValueCompleter::new(|current: &OsStr| {
        let plans = PathCompleter::any().filter(|path| path.is_dir() || is_plan(path)).complete(current);
        let paths = if plans.is_empty() { PathCompleter::file().complete(current) } else { plans };
        paths.into_iter().filter(|path| path.get_value().to_str().is_some_and(is_plain)).collect()
    })
}

/// Whether a file looks like a plan. Its end does not matter here, and it may have hundreds of megabytes.
fn is_plan(path: &Path) -> bool {
    let is_json = path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("json"));
    let mut begin = [0; BEGIN_OF_PLAN.len()];
    // Only a file: opening a pipe could wait forever.
    is_json
        && path.is_file()
        && File::open(path).and_then(|mut file| file.read_exact(&mut begin)).is_ok()
        && begin == BEGIN_OF_PLAN.as_bytes()
}

fn of_words<const N: usize>(words: [String; N]) -> ArgValueCompleter {
    ArgValueCompleter::new(move |current: &OsStr| candidates(words.iter().cloned(), current))
}

/// Words that the configuration has. Each is offered once, in the order of the alphabet.
fn of_config(words: fn(&Config) -> BTreeSet<String>) -> ArgValueCompleter {
    ArgValueCompleter::new(move |current: &OsStr| {
        let config = flowswap_config::load(&find_config());
        candidates(config.iter().flat_map(words), current)
    })
}

fn candidates(words: impl IntoIterator<Item = String>, current: &OsStr) -> Vec<CompletionCandidate> {
    words
        .into_iter()
        .filter(|word| begins_with(word, current) && is_plain(word))
        .map(CompletionCandidate::new)
        .collect()
}

/// Whether a shell takes the word as it is. The scripts put it on the line without quotes, so nothing else is offered.
fn is_plain(word: &str) -> bool {
    word.chars().all(|c| c.is_alphanumeric() || "-_./=@+,:%~".contains(c))
}

fn begins_with(word: &str, current: &OsStr) -> bool {
    current.to_str().is_some_and(|current| word.starts_with(current))
}

/// The configuration that the command on the line would use.
fn find_config() -> PathBuf {
    let line: Vec<OsString> = env::args_os().skip_while(|word| word != "--").skip(1).collect();
    configured_by(&line).or_else(|| env::var_os(CONFIG_VARIABLE)).unwrap_or_else(|| USUAL_CONFIG.into()).into()
}

/// The value of `--config` on a line that may be incomplete.
fn configured_by(line: &[OsString]) -> Option<OsString> {
    let mut named =
        line.iter().enumerate().filter_map(|(index, word)| match word.to_str()?.strip_prefix("--config")? {
            "" => line.get(index + 1).cloned(),
            rest => rest.strip_prefix('=').map(OsString::from),
        });
    named.next_back()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_names_the_configuration() {
        let table = [
            ("flowswap status", None),
            ("flowswap status --config b.toml a", Some("b.toml")),
            ("flowswap --config=b.toml status", Some("b.toml")),
            ("flowswap --config a.toml status --config b.toml", Some("b.toml")),
            ("flowswap status --config", None),
            ("flowswap status --configuration x", None),
        ];
        for (line, expected) in table {
            let words: Vec<OsString> = line.split(' ').map(OsString::from).collect();
            assert_eq!(configured_by(&words), expected.map(OsString::from), "{line}");
        }
    }
}
