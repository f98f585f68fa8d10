//! Reads a text file, with or without a byte order mark. Refuses one that others can change, or that is not UTF-8.

use std::{io, path::Path};

use flowswap_host::{TrustError, read_trusted};

use crate::diagnostic::Diagnostic;

/// The text without its byte order mark. An error has no place yet.
pub(crate) fn read_text(path: &Path) -> Result<String, Diagnostic> {
    let name = path.display();
    let bytes = read_trusted(path).map_err(|error| {
        let refusal = Diagnostic::new(format!("failed to read `{name}`: {}", describe(&error)));
        match error.hint() {
            Some(hint) => refusal.help(hint),
            None => refusal,
        }
    })?;
    let bytes = bytes.strip_prefix("\u{feff}".as_bytes()).map(<[u8]>::to_vec).unwrap_or(bytes);
    String::from_utf8(bytes).map_err(|error| {
        // The line itself is not shown, because any part of it could be a secret.
        let before = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        let line = 1 + before.iter().filter(|b| **b == b'\n').count();
        Diagnostic::new(format!("line {line} of `{name}` is not UTF-8 text")).help("save the file as UTF-8")
    })
}

/// The reason in plain words, without the number of the system error.
fn describe(error: &TrustError) -> String {
    let TrustError::Io(error) = error else { return error.to_string() };
    match error.kind() {
        io::ErrorKind::NotFound => "the file does not exist".to_owned(),
        io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        io::ErrorKind::IsADirectory => "this is a folder".to_owned(),
        _ => error.to_string(),
    }
}
