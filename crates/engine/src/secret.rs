//! A secret in memory: it can be used, and neither shown nor written.

use std::fmt;

use zeroize::Zeroizing;

/// A secret value. It has no `Display` and no `Serialize`, its `Debug` says nothing, and its memory is cleared.
#[derive(Clone)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Takes the value over.
    pub fn new(value: impl Into<String>) -> Self {
        Self(Zeroizing::new(value.into()))
    }

    /// The value, for the one place that needs it: the wire, or the encryption.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}
