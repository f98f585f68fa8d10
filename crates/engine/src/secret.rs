//! A secret in memory: it can be used, but neither shown nor serialized.

use std::fmt;

use zeroize::Zeroizing;

/// A secret value. It has no `Display` and no `Serialize`, its `Debug` does not show it, and its memory is cleared on drop.
#[derive(Clone)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Wraps the value.
    pub fn new(value: impl Into<String>) -> Self {
        Self(Zeroizing::new(value.into()))
    }

    /// The value, for the places that need it: the request on the wire, and the encryption.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}
