//! Reads a text file as people make them: with or without a byte order mark, and sometimes not in UTF-8 at all.

use std::{fs, path::Path};

use super::{
    diagnostic::Diagnostic,
    source::{Location, Sources},
};

/// The text, which is not yet one of the sources; in an error that points into it, it already is.
pub(super) fn read_text(path: &Path, sources: &mut Sources) -> Result<String, Diagnostic> {
    let bytes = fs::read(path)
        .map_err(|error| Diagnostic::new(format!("failed to read `{}`: {}", path.display(), describe(&error))))?;
    let bytes = bytes.strip_prefix("\u{feff}".as_bytes()).map(<[u8]>::to_vec).unwrap_or(bytes);
    String::from_utf8(bytes).map_err(|error| {
        let start = error.utf8_error().valid_up_to();
        let text = String::from_utf8_lossy(error.as_bytes()).into_owned();
        let at = Location::new(sources.next(), start..start + '\u{fffd}'.len_utf8());
        let diagnostic = Diagnostic::new(format!("`{}` is not UTF-8 text", path.display()));
        sources.add(path, mask(text));
        diagnostic.at(at, "not UTF-8").help("save the file as UTF-8")
    })
}

fn mask(mut text: String) -> String {
    super::mask::mask_lines(&mut text);
    text
}

/// The reason without the number that only a programmer asks for.
fn describe(error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::NotFound => "there is no such file".to_owned(),
        std::io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        std::io::ErrorKind::IsADirectory => "it is a folder".to_owned(),
        _ => error.to_string(),
    }
}
