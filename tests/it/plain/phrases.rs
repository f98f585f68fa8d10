//! Phrases that were used once and had to be read twice. They stay out of the whole repository, comments included.

use crate::tidy::texts;

/// Each with what to write instead. In lower case, as whole words.
const PHRASES: &[(&str, &str)] = &[
    // `is none` is also in "a method that is none": write "an invalid method".
    ("is none", "say what it is instead, or `there is no …`"),
    ("of which", "start a sentence with the thing itself"),
    ("of whom", "start a sentence with the people themselves"),
    ("by your word", "`you confirmed`"),
    ("awaited", "`waits for`"),
    ("outlived", "`its last token expired`"),
    ("see to it that", "use the imperative of the verb"),
    ("put down that", "`recorded`"),
    ("what is so", "`what happened`, or the fact itself"),
    ("has you paste", "`asks you to paste`"),
    ("goes with this flow", "`fits this flow`"),
    ("is said to stand", "`you say that it is done`"),
    ("in company", "`at the same time as others`"),
    ("let go of", "`release`"),
    ("lets go of", "`releases`"),
    ("give the same command again", "`run the same command again`"),
    ("put right", "`fix`"),
    ("whoever", "name the person, or `anyone who`"),
    ("heed", "`follow`"),
    ("lest", "`so that … does not`"),
    ("anew", "`again`"),
    ("amiss", "`wrong`"),
    ("befell", "`happened to`"),
    ("whence", "`from where`"),
];

#[test]
fn no_phrase_needs_a_second_reading() {
    let is_read = |name: &str| {
        let is_text = [".rs", ".md", ".snap", ".html", ".toml", ".example"].iter().any(|end| name.ends_with(end));
        // What others wrote stays as they wrote it.
        is_text && !name.ends_with("plain/phrases.rs") && (!name.starts_with("fixtures/") || name.ends_with(".rs"))
    };
    let files = texts(is_read);
    let mut found = Vec::new();
    for (name, text) in &files {
        for (number, line) in text.lines().enumerate() {
            for (phrase, instead) in PHRASES.iter().filter(|(phrase, _)| has_words(line, phrase)) {
                found.push(format!("{name}:{}: `{phrase}`; {instead}\n    {}", number + 1, line.trim()));
            }
        }
    }
    assert!(files.len() > 500, "only {} files were read", files.len());
    assert!(found.is_empty(), "{} phrases:\n{}", found.len(), found.join("\n"));
}

/// Whether the words are in the line, in this order and whole. A word that is a key of JSON, or the last part of an id, does
/// not count: scripts rely on it.
fn has_words(line: &str, words: &str) -> bool {
    let line = line.to_lowercase();
    let is_letter = |letter: Option<char>| letter.is_some_and(|letter| letter.is_alphanumeric() || letter == '_');
    line.match_indices(words).any(|(at, _)| {
        let (before, after) = (line[..at].chars().next_back(), line[at + words.len()..].chars().next());
        let is_key = before == Some('"') && after == Some('"') || before == Some('.');
        !is_letter(before) && !is_letter(after) && !is_key
    })
}

#[test]
fn words_are_whole() {
    assert!(has_words("The time is none.", "is none"));
    assert!(has_words("Whoever connects", "whoever"));
    assert!(!has_words("the oldest, needed, this nonesuch", "is none"));
    assert!(!has_words("heeding `is_none`", "heed"));
    assert!(has_words("is awaited: \"awaited", "awaited"));
    assert!(!has_words("{\"awaited\": null}, asks.awaited", "awaited"));
}
