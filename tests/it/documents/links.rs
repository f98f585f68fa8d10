//! Documents name files that exist.

use std::{fs, path::Path};

use super::documents;
use crate::{support::repository, tidy::sources};

#[test]
fn every_link_to_a_file_leads_to_one() {
    let more = ["CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md", "crates/README.md"];
    for document in documents().into_iter().chain(more.map(|path| repository().join(path))) {
        let text = fs::read_to_string(&document).unwrap();
        for target in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let file = target.split('#').next().unwrap_or_default();
            let is_file = !file.is_empty() && !file.contains("://");
            let path = document.parent().unwrap().join(file);
            assert!(!is_file || path.exists(), "{} links to {target}", document.display());
        }
    }
}

/// `crates/README.md` names files from its own folder, `CONTRIBUTING.md` from the root.
#[test]
fn every_file_that_the_documents_for_developers_name_exists() {
    let mut named = 0;
    for (document, folder) in [("crates/README.md", "crates"), ("CONTRIBUTING.md", "")] {
        let text = fs::read_to_string(repository().join(document)).unwrap();
        for word in text.split('`').filter(|word| is_path(word)) {
            assert!(repository().join(folder).join(word).exists(), "{document} names `{word}`");
            named += 1;
        }
    }
    assert!(named > 20, "only {named} files are named");
}

/// A member as `Type::function` or `Type::Variant`. The names must be somewhere in the code, a function as a function.
#[test]
fn every_member_that_the_documents_for_developers_name_exists() {
    let code: String = sources().into_iter().map(|(_, text)| text).collect();
    let mut named = 0;
    for document in ["crates/README.md", "CONTRIBUTING.md"] {
        let text = fs::read_to_string(repository().join(document)).unwrap();
        for (owner, member) in text.split('`').filter_map(|word| word.split_once("::")) {
            let is_name = |name: &str| !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
            if !is_name(owner) || !is_name(member) || owner == owner.to_lowercase() {
                continue;
            }
            let is_field = code.contains(&format!("pub {member}: "));
            let is_variant = member.starts_with(|c: char| c.is_ascii_uppercase()) && code.contains(member);
            let exists = is_variant || is_field || code.contains(&format!("fn {member}("));
            assert!(code.contains(owner) && exists, "{document} names `{owner}::{member}`");
            named += 1;
        }
    }
    assert!(named > 8, "only {named} members are named");
}

fn is_path(word: &str) -> bool {
    let kind = Path::new(word).extension().and_then(|kind| kind.to_str());
    let is_kind = kind.is_some_and(|kind| ["rs", "md", "toml", "snap", "sqlite"].contains(&kind));
    word.contains('/') && is_kind && !word.contains([' ', '*', '<', '\n']) && !word.contains("NAME")
}

/// An example follows the words "From `file`:", which hold until the next ones.
#[test]
fn every_example_of_the_house_style_is_in_the_code() {
    let text = fs::read_to_string(repository().join("CONTRIBUTING.md")).unwrap();
    let blocks: Vec<_> = text.split("```").collect();
    let mut file = String::new();
    let mut examples = 0;
    for pair in blocks.chunks(2) {
        if let Some((_, after)) = pair[0].rsplit_once("From") {
            let path = after.split('`').nth(1).unwrap();
            file = fs::read_to_string(repository().join(path)).unwrap();
        }
        if let Some(example) = pair.get(1).and_then(|block| block.strip_prefix("rust\n")) {
            assert!(file.contains(example.trim_end()), "the code has another text than:\n{example}");
            examples += 1;
        }
    }
    assert!(examples >= 4, "only {examples} examples");
}
