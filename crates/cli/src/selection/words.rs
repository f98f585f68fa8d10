//! Names and patterns.

use std::collections::BTreeSet;

use glob::Pattern;

use super::{Pool, list};
use crate::{
    args::{Select, is_pattern},
    exit::{Exit, Failure},
};

/// What names and patterns select and leave out.
pub(super) struct Words {
    /// The names that were written out, as arguments or in a file.
    pub(super) written: BTreeSet<String>,
    patterns: Vec<Pattern>,
    /// Neither a name nor a pattern says which tenants are meant, so all are.
    is_open: bool,
    except: (BTreeSet<String>, Vec<Pattern>),
}

impl Words {
    /// Fails if a name or a pattern fits no tenant: it is a mistake, and what it was meant for would be missing.
    pub(super) fn read(args: &Select, pool: &Pool<'_>) -> Result<Self, Failure> {
        let (mut written, patterns) = split(&args.tenants, pool)?;
        if let Some(file) = &args.from {
            written.extend(list::read(file, pool)?);
        }
        let is_open = args.tenants.is_empty() && args.from.is_none();
        Ok(Self { written, patterns, is_open, except: split(&args.except, pool)? })
    }

    pub(super) fn include(&self, name: &str) -> bool {
        self.is_open || self.written.contains(name) || self.patterns.iter().any(|pattern| pattern.matches(name))
    }

    pub(super) fn exclude(&self, name: &str) -> bool {
        let (names, patterns) = &self.except;
        names.contains(name) || patterns.iter().any(|pattern| pattern.matches(name))
    }
}

fn split(words: &[String], pool: &Pool<'_>) -> Result<(BTreeSet<String>, Vec<Pattern>), Failure> {
    let (mut names, mut patterns) = (BTreeSet::new(), Vec::new());
    for word in words {
        if !is_pattern(word) {
            if pool.candidates.iter().all(|candidate| candidate.name != word) {
                return Err(pool.refuse(word, ""));
            }
            names.insert(word.clone());
            continue;
        }
        let pattern = Pattern::new(&as_in_a_shell(word)).map_err(|error| {
            let failure = Failure::new(Exit::Usage, format!("`{word}` is not a pattern: {}", error.msg));
            failure.hint("`*` stands for any text, `?` for one letter, `[ab]` for one of these letters, and `[!ab]` for any other")
        })?;
        if !pool.candidates.iter().any(|candidate| pattern.matches(candidate.name)) {
            let failure = Failure::new(Exit::Usage, format!("no tenant has a name like `{word}`"));
            return Err(failure.hint(pool.list.as_str()));
        }
        patterns.push(pattern);
    }
    Ok((names, patterns))
}

/// `[^ab]` is `[!ab]`, and several `*` are one.
fn as_in_a_shell(word: &str) -> String {
    let mut pattern = word.replace("[^", "[!");
    while pattern.contains("**") {
        pattern = pattern.replace("**", "*");
    }
    pattern
}
