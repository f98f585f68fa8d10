//! `did you mean`: suggests the known word that is nearest to a mistyped one.

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
pub(crate) fn find_nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word = word.to_lowercase();
    // Allows one wrong letter in three; beyond that it is a different word.
    let limit = (word.chars().count() / 3).max(1);
    let distances = known.into_iter().map(|known| (count_edits(&word, &known.to_lowercase()), known));
    distances.filter(|(edits, _)| *edits <= limit).min_by_key(|(edits, _)| *edits).map(|(_, known)| known)
}

/// The number of letters to insert, drop, replace, or swap with a neighbor to turn `a` into `b`.
fn count_edits(a: &str, b: &str) -> usize {
    let a: Vec<_> = a.chars().collect();
    let b: Vec<_> = b.chars().collect();
    let mut rows = vec![vec![0; b.len() + 1]; a.len() + 1];
    for i in 0..=a.len() {
        for j in 0..=b.len() {
            rows[i][j] = match (i, j) {
                (0, _) => j,
                (_, 0) => i,
                _ => {
                    let replaced = rows[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
                    let edited = replaced.min(rows[i - 1][j] + 1).min(rows[i][j - 1] + 1);
                    let is_swap = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
                    if is_swap { edited.min(rows[i - 2][j - 2] + 1) } else { edited }
                }
            };
        }
    }
    rows[a.len()][b.len()]
}
