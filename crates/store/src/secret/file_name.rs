//! File names of secrets: two handles never share one, and none leads out of the folder.
//!
//! Lower case letters, digits, `-` and `_` stand for themselves, every other byte for `%` and two hexadecimal digits.
//! Upper case is escaped as well, because some file systems take `A` and `a` for the same. A name that would get too
//! long is replaced by its hash, and the handle stands in a small file of its own beside it.

use flowswap_engine::Handle;
use sha2::{Digest, Sha256};

/// How the file of a secret ends.
pub(crate) const SECRET: &str = ".age";
/// How the file ends that holds the handle, where it does not fit into the name.
pub(crate) const HANDLE: &str = ".handle";

/// File systems end names at 255 bytes; this leaves room for the endings.
const LONGEST: usize = 200;
/// No escaped handle begins so.
const HASHED: char = '~';
/// The escaped empty handle; a `%` without digits stands nowhere else.
const EMPTY: &str = "%";

/// The name of a secret's files, without the ending.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Stem(String);

impl Stem {
    pub(crate) fn of(handle: &Handle) -> Self {
        let escaped = escape(handle.as_str());
        Self(if escaped.len() <= LONGEST { escaped } else { hash(handle.as_str()) })
    }

    /// The name with an ending.
    pub(crate) fn with(&self, ending: &str) -> String {
        format!("{}{ending}", self.0)
    }

    /// The handle does not stand in the name.
    pub(crate) fn is_hashed(&self) -> bool {
        self.0.starts_with(HASHED)
    }

    /// The stem of a name that somebody else may have made up.
    pub(crate) fn parse(name: &str, ending: &str) -> Option<Self> {
        name.strip_suffix(ending).map(|stem| Self(stem.to_owned()))
    }

    /// The handle that stands in the name, if this is its name.
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
    let mut bytes = Vec::new();
    let mut rest = escaped.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => {
                let digits = [rest.next()?, rest.next()?];
                u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?
            }
            plain => plain,
        });
    }
    String::from_utf8(bytes).ok()
}

fn hash(text: &str) -> String {
    Sha256::digest(text).iter().fold(HASHED.to_string(), |name, byte| name + &format!("{byte:02x}"))
}
