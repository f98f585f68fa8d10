//! Whose keys count: a file in OpenSSH's `allowed_signers` format (ssh-keygen(1), ALLOWED SIGNERS), which Git uses as well.

use std::{collections::BTreeSet, str::FromStr};

use jiff::{Timestamp, civil::DateTime, tz::TimeZone};
use ssh_key::{PublicKey, public::KeyData};

use crate::{
    persons::{self, Person},
    ssh::fingerprint,
};

/// The people whose approvals count, with their keys.
#[derive(Debug, Clone)]
pub struct Signers {
    lines: Vec<Line>,
    people: Vec<Person>,
}

/// A line of the file.
#[derive(Debug, Clone)]
struct Line {
    principals: BTreeSet<String>,
    /// Patterns of the namespaces that the key may sign for. `None` allows all.
    namespaces: Option<String>,
    valid_after: Option<Timestamp>,
    valid_before: Option<Timestamp>,
    key: KeyData,
}

/// Why a file is not accepted.
#[derive(Debug, thiserror::Error)]
#[error("line {line} is not valid: {what}")]
pub struct SignersError {
    /// Counts from 1.
    pub line: usize,
    /// What is wrong.
    pub what: String,
}

/// Somebody whose key is in the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signer {
    /// The names on the lines with the key, such as `alice@example.com`.
    pub principals: BTreeSet<String>,
    /// The key's fingerprint, as `ssh-keygen -l` prints it.
    pub fingerprint: String,
    /// Whose it is: the place in the list of people.
    pub(crate) person: usize,
}

/// Why a key does not count.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SignerError {
    /// No line has it.
    #[error("nobody in the file of signers has the key {0}")]
    Unknown(String),
    /// It is not valid yet.
    #[error("the key of {who} is valid only after {after}")]
    NotYet {
        /// The names on the line.
        who: String,
        /// When it becomes valid.
        after: Timestamp,
    },
    /// It is no longer valid.
    #[error("the key of {who} was valid only until {until}")]
    Expired {
        /// The names on the line.
        who: String,
        /// When it ended.
        until: Timestamp,
    },
    /// It may not be used for this.
    #[error("the key of {who} may not sign for the namespace `{namespace}`")]
    Namespace {
        /// The names on the line.
        who: String,
        /// What it was used for.
        namespace: &'static str,
    },
}

impl Signers {
    /// Reads the file. Lines of certificate authorities do not count, because flowswap accepts no certificates.
    ///
    /// # Errors
    ///
    /// At the first line that OpenSSH would not accept either, and at a name that is a pattern: approvals are of people. Also at a
    /// time without `Z`: it would depend on the time zone of each machine that reads it.
    pub fn read(text: &str) -> Result<Self, SignersError> {
        let mut lines = Vec::new();
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        for (number, text) in (1..).zip(text.lines()) {
            let text = text.trim();
            if !text.is_empty() && !text.starts_with('#') {
                lines.extend(Line::read(text).map_err(|what| SignersError { line: number, what })?);
            }
        }
        let people = persons::people(lines.iter().map(|line: &Line| (&line.principals, fingerprint(&line.key))));
        Ok(Self { lines, people })
    }

    /// How many different people there are. Names that share a line, and lines that share a name or a key, are one person.
    pub fn count_people(&self) -> usize {
        self.people.len()
    }

    /// Whether the signer goes by one of these names. Case and the domain do not count.
    pub(crate) fn is_called(&self, signer: &Signer, names: &BTreeSet<String>) -> bool {
        self.people.get(signer.person).is_some_and(|person| person.is_called(names))
    }

    /// Whose public key this is, as a `.pub` file has it. `None` if the text is no public key.
    ///
    /// # Errors
    ///
    /// As [`Self::find`].
    pub fn find_openssh(
        &self,
        text: &str,
        namespace: &'static str,
        now: Timestamp,
    ) -> Result<Option<Signer>, SignerError> {
        match PublicKey::from_openssh(text.trim()) {
            Ok(key) => self.find(key.key_data(), namespace, now).map(Some),
            Err(_) => Ok(None),
        }
    }

    /// Whose key it is, for signatures of this namespace at this time.
    ///
    /// # Errors
    ///
    /// If no line with the key is valid for that.
    pub fn find(&self, key: &KeyData, namespace: &'static str, now: Timestamp) -> Result<Signer, SignerError> {
        let fingerprint = fingerprint(key);
        let person = self.people.iter().position(|person| person.has_key(&fingerprint)).unwrap_or_default();
        let mut principals = BTreeSet::new();
        let mut refusal = None;
        for line in self.lines.iter().filter(|line| line.key == *key) {
            match line.check(namespace, now) {
                Ok(()) => principals.extend(line.principals.iter().cloned()),
                Err(error) => refusal = refusal.or(Some(error)),
            }
        }
        match (principals.is_empty(), refusal) {
            (false, _) => Ok(Signer { principals, fingerprint, person }),
            (true, Some(error)) => Err(error),
            (true, None) => Err(SignerError::Unknown(fingerprint)),
        }
    }
}

impl Line {
    /// `None` for a certificate authority.
    fn read(text: &str) -> Result<Option<Self>, String> {
        let (names, mut rest) = next_word(text)?;
        // OpenSSH takes quotes around all names together, and around nothing else.
        let names = names.strip_prefix('"').and_then(|names| names.strip_suffix('"')).unwrap_or(names);
        let principals: BTreeSet<String> =
            names.split(',').filter(|name| !name.is_empty()).map(str::to_owned).collect();
        if principals.is_empty() {
            return Err("it names nobody".to_owned());
        }
        // A name that looks like another one is not another person.
        let is_odd = |name: &&String| {
            name.contains(|c: char| "*?!\"".contains(c) || !(c.is_ascii_graphic() || c.is_alphanumeric()))
        };
        if let Some(odd) = principals.iter().find(is_odd) {
            return Err(format!("`{odd}` is not the name of one person; write a name such as alice@example.com"));
        }
        let mut line = Self { principals, namespaces: None, valid_after: None, valid_before: None, key: no_key() };
        let (word, after) = next_word(rest)?;
        let mut is_authority = false;
        if !word.is_empty() && ssh_key::Algorithm::from_str(word).is_err() {
            let mut seen = BTreeSet::new();
            for option in split_options(word) {
                let name = option.split('=').next().unwrap_or_default().to_ascii_lowercase();
                is_authority |= line.read_option(option)?;
                if !seen.insert(name.clone()) {
                    return Err(format!("`{name}` is there twice"));
                }
            }
            rest = after;
        }
        let key = PublicKey::from_openssh(rest.trim());
        line.key = key.map_err(|_| "it has no SSH public key after the names and options".to_owned())?.into();
        Ok((!is_authority).then_some(line))
    }

    /// Returns whether the option marks a certificate authority.
    fn read_option(&mut self, option: &str) -> Result<bool, String> {
        let (name, value) = option.split_once('=').map_or((option, None), |(name, value)| (name, Some(value)));
        let quoted = value.and_then(|value| value.strip_prefix('"')?.strip_suffix('"'));
        let value = || quoted.ok_or_else(|| format!("the value of `{name}` must be in double quotes"));
        match name.to_ascii_lowercase().as_str() {
            "cert-authority" => return Ok(true),
            "namespaces" => self.namespaces = Some(value()?.to_owned()),
            "valid-after" => self.valid_after = Some(read_time(value()?)?),
            "valid-before" => self.valid_before = Some(read_time(value()?)?),
            _ => return Err(format!("`{name}` is neither a type of key nor an option")),
        }
        Ok(false)
    }

    fn check(&self, namespace: &'static str, now: Timestamp) -> Result<(), SignerError> {
        let who = || self.principals.iter().cloned().collect::<Vec<_>>().join(", ");
        if self.namespaces.as_deref().is_some_and(|patterns| !is_in_list(namespace, patterns)) {
            return Err(SignerError::Namespace { who: who(), namespace });
        }
        if let Some(after) = self.valid_after.filter(|after| now < *after) {
            return Err(SignerError::NotYet { who: who(), after });
        }
        if let Some(until) = self.valid_before.filter(|until| now > *until) {
            return Err(SignerError::Expired { who: who(), until });
        }
        Ok(())
    }
}

/// A key that signs nothing, until the line's own is read.
fn no_key() -> KeyData {
    KeyData::Ed25519(ssh_key::public::Ed25519PublicKey([0; 32]))
}

/// The next word and the rest. Spaces within double quotes belong to the word.
fn next_word(text: &str) -> Result<(&str, &str), String> {
    let text = text.trim_start();
    let mut is_quoted = false;
    for (at, c) in text.char_indices() {
        is_quoted ^= c == '"';
        if c.is_whitespace() && !is_quoted {
            return Ok((&text[..at], &text[at..]));
        }
    }
    if is_quoted { Err("a double quote is not closed".to_owned()) } else { Ok((text, "")) }
}

/// The options between commas. Commas within double quotes belong to an option.
fn split_options(text: &str) -> impl Iterator<Item = &str> {
    let mut is_quoted = false;
    text.split(move |c: char| {
        is_quoted ^= c == '"';
        c == ',' && !is_quoted
    })
}

/// `YYYYMMDDZ`, `YYYYMMDDHHMMZ`, or `YYYYMMDDHHMMSSZ`, a time of UTC.
fn read_time(text: &str) -> Result<Timestamp, String> {
    let digits = text.trim_end_matches(['Z', 'z']);
    let is_whole = matches!(digits.len(), 8 | 12 | 14) && digits.bytes().all(|b| b.is_ascii_digit());
    let time = DateTime::strptime("%Y%m%d%H%M%S", format!("{digits:0<14}")).ok().filter(|_| is_whole);
    let time = time.and_then(|time| TimeZone::UTC.to_timestamp(time).ok());
    let time = time.ok_or_else(|| format!("`{text}` is not a time such as 20261231Z or 20261231235959Z"))?;
    match text.len() - digits.len() {
        1 => Ok(time),
        _ => Err(format!("write `{digits}Z`, a time of UTC; without `Z` it depends on the time zone of each machine")),
    }
}

/// Whether a word matches a list of patterns, as OpenSSH has them (ssh_config(5), PATTERNS): one with `!` excludes.
fn is_in_list(word: &str, patterns: &str) -> bool {
    let mut is_in = false;
    for pattern in patterns.split(',').map(str::trim) {
        match pattern.strip_prefix('!') {
            Some(pattern) if matches(word, pattern) => return false,
            Some(_) => {}
            None => is_in |= matches(word, pattern),
        }
    }
    is_in
}

/// Whether a word matches a pattern with `*` and `?`.
fn matches(word: &str, pattern: &str) -> bool {
    let mut rest = pattern.chars();
    match rest.next() {
        None => word.is_empty(),
        Some('*') => {
            word.char_indices().map(|(at, _)| at).chain([word.len()]).any(|at| matches(&word[at..], rest.as_str()))
        }
        Some(c) => {
            let mut others = word.chars();
            others.next().is_some_and(|first| c == '?' || c == first) && matches(others.as_str(), rest.as_str())
        }
    }
}
