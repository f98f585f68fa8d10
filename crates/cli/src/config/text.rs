//! Reads a text file as people make them: with or without a byte order mark, and sometimes not in UTF-8 at all.

use std::{fs, io, path::Path};

use super::diagnostic::Diagnostic;

/// The text without its mark. An error has no place yet.
pub(super) fn read_text(path: &Path) -> Result<String, Diagnostic> {
    let name = path.display();
    let bytes =
        fs::read(path).map_err(|error| Diagnostic::new(format!("failed to read `{name}`: {}", describe(&error))))?;
    let bytes = bytes.strip_prefix("\u{feff}".as_bytes()).map(<[u8]>::to_vec).unwrap_or(bytes);
    String::from_utf8(bytes).map_err(|error| {
        // The line itself is not shown: nobody can say which part of it is a secret.
        let before = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        let line = 1 + before.iter().filter(|b| **b == b'\n').count();
        Diagnostic::new(format!("line {line} of `{name}` is not UTF-8 text")).help("save the file as UTF-8")
    })
}

/// The reason without the number that only a programmer asks for.
fn describe(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "there is no such file".to_owned(),
        io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        io::ErrorKind::IsADirectory => "it is a folder".to_owned(),
        _ => error.to_string(),
    }
}
