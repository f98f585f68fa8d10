//! File names of secrets. Two handles never share a name, and no name leads out of the folder.
//!
//! Lower-case letters, digits, `-`, and `_` are kept. Every other byte becomes `%` and two hexadecimal digits. Upper
//! case is escaped as well, because some file systems treat `A` and `a` as the same. A name that would be too long is
//! replaced by its hash, and a small file beside the secret contains the handle.

use std::borrow::Cow;

use base16ct::lower::encode_string as hex;
use flowswap_engine::Handle;
use percent_encoding::percent_decode_str;
use sha2::{Digest, Sha256};

/// The suffix of the file that contains a secret.
pub(crate) const SECRET: &str = ".age";
/// The suffix of the file that contains the handle, if the handle does not fit into the name.
pub(crate) const HANDLE: &str = ".handle";

/// The lock file. Every open store holds a shared lock on it. Removing leftovers needs the exclusive lock, because a
/// file that another process is writing looks like a leftover.
pub(crate) const LOCK: &str = ".lock";

/// File systems limit names to 255 bytes; this leaves room for the suffixes.
const MAX_LENGTH: usize = 200;
/// The first character of a hashed name. No escaped handle starts with it.
const HASHED: char = '~';
/// The escaped empty handle. No other name has a `%` without digits.
const EMPTY: &str = "%";

/// The name of a secret's files, without the suffix.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Stem(String);

impl Stem {
    pub(crate) fn of(handle: &Handle) -> Self {
        let escaped = escape(handle.as_str());
        Self(if escaped.len() <= MAX_LENGTH { escaped } else { hash(handle.as_str()) })
    }

    /// The name with a suffix.
    pub(crate) fn with(&self, suffix: &str) -> String {
        format!("{}{suffix}", self.0)
    }

    /// Whether the name is a hash, which does not contain the handle.
    pub(crate) fn is_hashed(&self) -> bool {
        self.0.starts_with(HASHED)
    }

    /// The stem of a name that may not be one of flowswap's.
    pub(crate) fn parse(name: &str, suffix: &str) -> Option<Self> {
        name.strip_suffix(suffix).map(|stem| Self(stem.to_owned()))
    }

    /// The handle that the name encodes. `None` if flowswap would not give that handle this name.
    pub(crate) fn to_handle(&self) -> Option<Handle> {
        unescape(&self.0).map(Handle::new).filter(|handle| Self::of(handle) == *self)
    }
}

fn escape(text: &str) -> String {
    if text.is_empty() {
        return EMPTY.to_owned();
    }
    text.bytes().fold(String::new(), |escaped, byte| match byte {
        b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' => escaped + char::from(byte).encode_utf8(&mut [0; 4]),
        _ => escaped + &format!("%{byte:02x}"),
    })
}

fn unescape(escaped: &str) -> Option<String> {
    if escaped == EMPTY {
        return Some(String::new());
    }
    percent_decode_str(escaped).decode_utf8().ok().map(Cow::into_owned)
}

fn hash(text: &str) -> String {
    format!("{HASHED}{}", hex(&Sha256::digest(text)))
}
