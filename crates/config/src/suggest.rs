//! `did you mean`: suggests the known word that is nearest to a mistyped one.

use strsim::osa_distance;

/// The hint for a word that is not in `known`.
pub(crate) fn suggest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    let known: Vec<_> = known.into_iter().collect();
    if let Some(nearest) = find_nearest(word, known.iter().copied()) {
        return format!("did you mean `{nearest}`?");
    }
    let list: Vec<_> = known.iter().map(|known| format!("`{known}`")).collect();
    match list.as_slice() {
        [] => "remove it".to_owned(),
        [one] => format!("use {one}"),
        many => format!("use one of {}", many.join(", ")),
    }
}

/// The known word that differs only by a typing mistake.
pub fn find_nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word = word.to_lowercase();
    // Allows one wrong letter in three; beyond that it is a different word.
    let limit = (word.chars().count() / 3).max(1);
    let distances = known.into_iter().map(|known| (osa_distance(&word, &known.to_lowercase()), known));
    distances.filter(|(edits, _)| *edits <= limit).min_by_key(|(edits, _)| *edits).map(|(_, known)| known)
}
