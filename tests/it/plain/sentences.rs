//! No sentence that a person reads has more than thirty words: in messages, findings, documents and help.

use std::str::FromStr;

use proc_macro2::{TokenStream, TokenTree};

use super::help::{all_help, prose};
use crate::{support::run_in, tidy::texts};

/// Of a sentence in a message or in help.
const MOST_WORDS: usize = 30;

/// Of a sentence in a document.
const MOST_WORDS_OF_DOCUMENTS: usize = 25;

#[test]
fn messages_are_short() {
    let is_product = |name: &str| {
        let is_source = name.ends_with(".rs") && name.contains("/src/") && !name.ends_with("tests.rs");
        is_source && !name.starts_with("crates/sim") && !name.starts_with("fixtures")
    };
    let mut long = Vec::new();
    let mut messages = 0;
    for (name, text) in texts(is_product) {
        for message in literals(TokenStream::from_str(&text).unwrap()) {
            messages += 1;
            if ["CREATE ", "INSERT ", "SELECT "].iter().any(|sql| message.trim_start().starts_with(sql)) {
                continue;
            }
            long.extend(too_long(&prose(&message), MOST_WORDS).map(|sentence| format!("{name}: {sentence}")));
        }
    }
    assert!(messages > 2000, "only {messages} messages were read");
    assert!(long.is_empty(), "{} long sentences:\n{}", long.len(), long.join("\n"));
}

#[test]
fn documents_are_short_winded() {
    let is_document =
        |name: &str| !name.starts_with("fixtures") && (name.ends_with(".md") || name == "migrate.toml.example");
    let mut long = Vec::new();
    let documents = texts(is_document);
    for (name, text) in &documents {
        let text = if name.ends_with(".md") { without_code(text) } else { prose(&comments(text)) };
        long.extend(too_long(&text, MOST_WORDS_OF_DOCUMENTS).map(|sentence| format!("{name}: {sentence}")));
    }
    assert!(documents.len() > 10, "only {} documents were read", documents.len());
    assert!(long.is_empty(), "{} long sentences:\n{}", long.len(), long.join("\n"));
}

#[test]
fn help_and_findings_are_short() {
    let dir = crate::support::folder();
    let mut texts: Vec<_> = all_help(dir.path()).iter().map(|page| (page.name.clone(), prose(&page.text))).collect();
    let findings = run_in(dir.path(), &["explain"]).expect(0).stdout;
    texts.push(("explain".to_owned(), findings.replace("\n", "\n\n")));
    let long: Vec<_> = texts
        .iter()
        .flat_map(|(name, text)| too_long(text, MOST_WORDS).map(move |sentence| format!("{name}: {sentence}")))
        .collect();
    assert!(long.is_empty(), "{} long sentences:\n{}", long.len(), long.join("\n"));
}

/// The string literals of a file that are not documentation and not in a module of tests.
fn literals(tokens: TokenStream) -> Vec<String> {
    let mut found = Vec::new();
    let mut tokens = tokens.into_iter().peekable();
    let mut is_test = false;
    while let Some(token) = tokens.next() {
        match token {
            TokenTree::Punct(mark) if mark.as_char() == '#' => {
                if let Some(TokenTree::Group(group)) = tokens.peek() {
                    is_test |= group.stream().to_string().replace(' ', "") == "cfg(test)";
                    tokens.next();
                }
            }
            TokenTree::Group(group) => {
                if !is_test {
                    found.extend(literals(group.stream()));
                }
                is_test &= group.delimiter() != proc_macro2::Delimiter::Brace;
            }
            TokenTree::Literal(literal) => {
                found.extend(syn::parse_str::<syn::LitStr>(&literal.to_string()).ok().map(|literal| literal.value()));
            }
            TokenTree::Punct(mark) if mark.as_char() == ';' => is_test = false,
            _ => {}
        }
    }
    found
}

/// Sentences with too many words. A paragraph, a list item, a cell of a table and what a colon introduces begin one.
fn too_long(text: &str, most: usize) -> impl Iterator<Item = String> {
    let mut sentences = vec![String::new()];
    for paragraph in text.split("\n\n") {
        for word in paragraph.split_whitespace() {
            let last = sentences.last_mut().unwrap();
            last.push_str(word);
            last.push(' ');
            let ends = word.trim_end_matches([')', '"', '`', '*', '_', '\'']).ends_with(['.', '!', '?', ':', '|']);
            if ends || matches!(word, "-" | "|" | "*") {
                sentences.push(String::new());
            }
        }
        sentences.push(String::new());
    }
    sentences.into_iter().filter(move |sentence| count_words(sentence) > most)
}

fn count_words(sentence: &str) -> usize {
    sentence.split_whitespace().filter(|word| word.chars().any(char::is_alphabetic)).count()
}

/// Markdown without its blocks of code; list items and cells stand alone.
fn without_code(text: &str) -> String {
    let mut lines = Vec::new();
    let mut is_code = false;
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            is_code = !is_code;
            lines.push(String::new());
        } else if !is_code {
            let starts = line.trim_start();
            let is_item =
                starts.starts_with(['-', '*', '#', '|', '>']) || starts.starts_with(|it: char| it.is_ascii_digit());
            lines.extend(is_item.then(String::new));
            lines.push(line.replace('|', " | "));
        }
    }
    lines.join("\n")
}

/// What the comments of a TOML file say.
fn comments(text: &str) -> String {
    let lines = text.lines().map(|line| line.split_once('#').map_or("", |(_, comment)| comment.trim()));
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn sentences_are_told_apart() {
    let thirty_one = "word ".repeat(31);
    assert_eq!(too_long(&thirty_one, 30).count(), 1);
    assert_eq!(too_long(&format!("{}. {}", "word ".repeat(30).trim(), "word ".repeat(30)), 30).count(), 0);
    assert_eq!(too_long(&format!("{}\n\n{}", "word ".repeat(20), "word ".repeat(20)), 30).count(), 0);
    let code = r#"/// doc "one" of it
        fn it() { say("two"); #[cfg(test)] mod tests { const IT: &str = "three"; } say(format!("four")) }"#;
    assert_eq!(literals(TokenStream::from_str(code).unwrap()), ["two", "four"]);
}
