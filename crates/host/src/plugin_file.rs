//! A plugin's library file: finds it, reads it once, and checks who can change it and its pin.

use std::{
    fmt, fs,
    io::{self, Read},
    path::{Path, PathBuf},
    sync::Arc,
};

use base16ct::lower::encode_string as hex;
use sha2::{Digest, Sha256};

use crate::{
    ownership::{TrustError, open_trusted},
    sealed::Sealed,
};

/// A library that passed its checks. It holds the bytes, sealed, so that every process loads exactly what was hashed.
#[derive(Clone)]
pub struct PluginFile {
    name: String,
    path: PathBuf,
    sha256: String,
    sealed: Arc<Sealed>,
}

/// Why a plugin's library is refused.
#[derive(Debug, thiserror::Error)]
pub enum PluginFileError {
    /// The name cannot be part of a file name.
    #[error("`{name}` is not a plugin name")]
    Name {
        /// The name in the configuration.
        name: String,
    },
    /// The file cannot be read, or others could replace the plugin's code.
    #[error("failed to read the plugin `{name}` from `{}`", path.display())]
    Read {
        /// The plugin.
        name: String,
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: TrustError,
    },
    /// It is a folder or a device.
    #[error("the plugin `{name}` is not a file: `{}`", path.display())]
    NotAFile {
        /// The plugin.
        name: String,
        /// Its path.
        path: PathBuf,
    },
    /// Its bytes cannot be sealed.
    #[error("failed to seal the plugin `{name}`")]
    Seal {
        /// The plugin.
        name: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// It is not the library that the configuration pins.
    #[error(
        "the plugin `{name}` does not match its pin: the sha256 of `{}` is {found}, but `sha256` under [plugins.{name}] is {pinned}",
        path.display()
    )]
    Pin {
        /// The plugin.
        name: String,
        /// The file.
        path: PathBuf,
        /// The hash in the configuration.
        pinned: String,
        /// The hash of the file.
        found: String,
    },
}

impl PluginFileError {
    /// What the operator can do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Name { .. } => Some("use only lower-case letters, digits, and hyphens".to_owned()),
            Self::Read { source, .. } => source.hint(),
            Self::Pin { name, found, .. } => {
                let trust = format!("if you trust this build, write sha256 = \"{found}\" under [plugins.{name}]");
                Some(format!("if it is the wrong file, name the right folder with `--plugin-dir`; {trust}"))
            }
            Self::Seal { .. } => Some("set TMPDIR to a folder of your own".to_owned()),
            Self::NotAFile { .. } => None,
        }
    }
}

/// The library of the plugin `name` in the first of `dirs` that contains it.
pub fn locate(name: &str, dirs: &[PathBuf]) -> Option<PathBuf> {
    use std::env::consts::{DLL_PREFIX, DLL_SUFFIX};
    if !is_plugin_name(name) {
        return None;
    }
    let file = format!("{DLL_PREFIX}flowswap_{}{DLL_SUFFIX}", name.replace('-', "_"));
    dirs.iter().map(|dir| dir.join(&file)).find(|path| path.is_file())
}

impl PluginFile {
    /// Reads and checks the library. `pin` is the SHA-256 that it must have, hexadecimal.
    pub fn read(name: &str, path: &Path, pin: Option<&str>) -> Result<Self, PluginFileError> {
        if !is_plugin_name(name) {
            return Err(PluginFileError::Name { name: name.to_owned() });
        }
        let unreadable = |source| PluginFileError::Read { name: name.to_owned(), path: path.to_owned(), source };
        let mut file = open_trusted(path).map_err(unreadable)?;
        let path = fs::canonicalize(path).map_err(|source| unreadable(source.into()))?;
        if !file.metadata().map_err(|source| unreadable(source.into()))?.is_file() {
            return Err(PluginFileError::NotAFile { name: name.to_owned(), path });
        }
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).map_err(|source| unreadable(source.into()))?;
        let sha256 = hex(&Sha256::digest(&bytes));
        match pin {
            Some(pin) if !pin.trim().eq_ignore_ascii_case(&sha256) => {
                Err(PluginFileError::Pin { name: name.to_owned(), path, pinned: pin.to_owned(), found: sha256 })
            }
            _ => {
                let sealed = Sealed::new(&bytes);
                let sealed = sealed.map_err(|source| PluginFileError::Seal { name: name.to_owned(), source })?;
                Ok(Self { name: name.to_owned(), path, sha256, sealed: Arc::new(sealed) })
            }
        }
    }

    /// The plugin's name, the value of `plugin` in the configuration.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Where it was read from.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The SHA-256 of its bytes, hexadecimal.
    pub fn sha256(&self) -> &str {
        &self.sha256
    }

    /// The bytes that were checked.
    pub(crate) fn sealed(&self) -> &Sealed {
        &self.sealed
    }
}

impl fmt::Debug for PluginFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PluginFile")
            .field("name", &self.name)
            .field("path", &self.path)
            .field("sha256", &self.sha256)
            .finish_non_exhaustive()
    }
}

fn is_plugin_name(name: &str) -> bool {
    !name.is_empty() && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use tempfile::TempDir;

    use super::*;
    use crate::chain;

    /// A folder with a library of this mode.
    fn library(mode: u32) -> (TempDir, PathBuf) {
        let dir = crate::testing::folder();
        let path = dir.path().join("libflowswap_demo.so");
        fs::write(&path, "code").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        (dir, path)
    }

    const SHA256: &str = "5694d08a2e53ffcae0c3103e5ad6f6076abd960eb1f8a56577040bc1028f702b";

    #[test]
    fn a_file_is_read_with_its_hash() {
        let (_dir, path) = library(0o755);
        for pin in [None, Some(SHA256.to_owned()), Some(SHA256.to_uppercase())] {
            let file = PluginFile::read("demo", &path, pin.as_deref()).unwrap();
            assert_eq!((file.name(), file.sha256()), ("demo", SHA256));
            assert!(!format!("{file:?}").contains("bytes"));
        }
    }

    #[test]
    fn a_hash_that_does_not_match_the_pin_is_shown_with_the_pin() {
        let (_dir, path) = library(0o644);
        let error = PluginFile::read("demo", &path, Some("c0ffee")).unwrap_err();
        assert_eq!(
            error.to_string(),
            format!(
                "the plugin `demo` does not match its pin: the sha256 of `{}` is {SHA256}, but `sha256` under [plugins.demo] is c0ffee",
                path.display()
            )
        );
        assert!(error.hint().unwrap().contains(&format!("sha256 = \"{SHA256}\" under [plugins.demo]")));
    }

    #[test]
    fn a_library_that_others_can_change_is_refused() {
        let (_dir, path) = library(0o646);
        let error = PluginFile::read("demo", &path, None).unwrap_err();
        assert!(chain(&error).contains("other users can change the file `/"), "{}", chain(&error));
        assert_eq!(error.hint(), Some(format!("chmod go-w {}", path.display())));
    }

    #[test]
    fn anything_but_a_file_is_refused() {
        let (dir, path) = library(0o644);
        let error = PluginFile::read("demo", dir.path(), None).unwrap_err();
        assert!(matches!(error, PluginFileError::NotAFile { .. }), "{error}");
        let error = PluginFile::read("demo", &dir.path().join("gone"), None).unwrap_err();
        assert!(matches!(error, PluginFileError::Read { .. }), "{error}");
        let error = PluginFile::read("../demo", &path, None).unwrap_err();
        assert_eq!(error.to_string(), "`../demo` is not a plugin name");
    }

    #[test]
    fn a_library_is_found_in_the_first_folder_that_has_it() {
        use std::env::consts::{DLL_PREFIX, DLL_SUFFIX};
        let dirs = [crate::testing::folder(), tempfile::tempdir().unwrap()];
        let file = format!("{DLL_PREFIX}flowswap_cie_guided{DLL_SUFFIX}");
        let paths = dirs.each_ref().map(|dir| dir.path().to_owned());
        fs::write(paths[1].join(&file), "").unwrap();
        assert_eq!(locate("cie-guided", &paths), Some(paths[1].join(&file)));
        fs::write(paths[0].join(&file), "").unwrap();
        assert_eq!(locate("cie-guided", &paths), Some(paths[0].join(&file)));
        assert_eq!(locate("okta", &paths), None);
        assert_eq!(locate("../okta", &paths), None);
    }
}
