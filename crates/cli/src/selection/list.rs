//! Files with one name a line.

use std::{
    collections::BTreeSet,
    io::{self, Read},
    path::Path,
};

use flowswap_host::{TrustError, open_trusted};

use super::Pool;
use crate::exit::{Exit, Failure};

/// A longer file is not a list of tenants: this is enough for 100,000 of the longest names.
const MAX_BYTES: u64 = 8 * 1024 * 1024;

/// Reads names, one a line. Ignores empty lines and what follows a `#`. The file decides what is changed, so nobody else may be
/// able to change it.
pub(super) fn read(path: &Path, pool: &Pool<'_>) -> Result<Vec<String>, Failure> {
    let is_stdin = path == Path::new("-");
    let source = if is_stdin { "stdin".to_owned() } else { format!("`{}`", path.display()) };
    let text = read_text(path).map_err(|error| {
        let hint =
            error.hint().unwrap_or_else(|| "write one name a line into a file, or pass `-` for stdin".to_owned());
        let failure = Failure::at(format!("read the names of tenants from {source}"))(error);
        Failure { exit: Exit::Usage, ..failure }.hint(hint)
    })?;
    let lines = text.trim_start_matches('\u{feff}').lines().enumerate();
    let names = lines.map(|(index, line)| (index + 1, without_comment(line).trim()));
    let names: Vec<(usize, &str)> = names.filter(|(_, name)| !name.is_empty()).collect();
    if names.is_empty() {
        let failure = Failure::new(Exit::Usage, format!("{source} names no tenant"));
        return Err(failure.hint("write one name a line"));
    }
    let known: BTreeSet<&str> = pool.candidates.iter().map(|candidate| candidate.name).collect();
    match names.iter().find(|(_, name)| !known.contains(name)) {
        Some((line, name)) if is_stdin => Err(pool.refuse(name, &format!("stdin, line {line}: "))),
        Some((line, name)) => Err(pool.refuse(name, &format!("{}:{line}: ", path.display()))),
        None => Ok(names.into_iter().map(|(_, name)| name.to_owned()).collect()),
    }
}

/// What stands before a `#` at the beginning of the line or after a space.
fn without_comment(line: &str) -> &str {
    let is_comment = |(at, _): &(usize, &str)| line[..*at].chars().next_back().is_none_or(char::is_whitespace);
    line.match_indices('#').find(is_comment).map_or(line, |(at, _)| &line[..at])
}

fn read_text(path: &Path) -> Result<String, TrustError> {
    let mut text = String::new();
    let read = if path == Path::new("-") {
        io::stdin().take(MAX_BYTES + 1).read_to_string(&mut text)?
    } else {
        open_trusted(path)?.take(MAX_BYTES + 1).read_to_string(&mut text)?
    };
    if read as u64 > MAX_BYTES {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, "it is too long for a list of names").into());
    }
    Ok(text)
}
