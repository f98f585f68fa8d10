//! Hands a plugin's bytes to its process, so that nobody can change them between the check and the loading.

#[cfg(target_os = "linux")]
use std::{fs::File, os::fd::OwnedFd};
use std::{
    fs::{OpenOptions, Permissions},
    io::{self, Write},
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

use tempfile::TempDir;
use tokio::process::Command;

use crate::ownership::{require_trusted, trusted_temp_dir};

/// The descriptor of the sealed memory in the plugin's process.
#[cfg(target_os = "linux")]
pub(crate) const SEALED_FD: i32 = 3;
/// Where the plugin's process finds it.
#[cfg(target_os = "linux")]
pub(crate) const SEALED_PATH: &str = "/proc/self/fd/3";

/// Bytes that a process can load and nobody can change.
pub(crate) enum Sealed {
    /// Memory without a name, sealed against every change (memfd_create(2)).
    #[cfg(target_os = "linux")]
    Memory(OwnedFd),
    /// A file in a folder that no other user can enter. Dropping this value deletes the folder.
    File { path: PathBuf, _folder: TempDir },
}

impl Sealed {
    /// Seals the bytes in memory, or in a folder if this system cannot load them from memory.
    pub(crate) fn new(bytes: &[u8]) -> io::Result<Self> {
        #[cfg(target_os = "linux")]
        if let Some(memory) = seal_memory(bytes)? {
            return Ok(Self::Memory(memory));
        }
        Self::in_folder(bytes, &trusted_temp_dir())
    }

    fn in_folder(bytes: &[u8], parent: &Path) -> io::Result<Self> {
        require_trusted(parent).map_err(io::Error::other)?;
        let private = Permissions::from_mode(0o700);
        let folder = tempfile::Builder::new().prefix("flowswap-plugin-").permissions(private).tempdir_in(parent)?;
        let path = folder.path().join(format!("plugin{}", std::env::consts::DLL_SUFFIX));
        OpenOptions::new().write(true).create_new(true).mode(0o500).open(&path)?.write_all(bytes)?;
        Ok(Self::File { path, _folder: folder })
    }

    /// Adds the path of the bytes to the arguments of a process, and hands the memory down to it.
    pub(crate) fn hand_to(&self, command: &mut Command) -> io::Result<()> {
        match self {
            #[cfg(target_os = "linux")]
            Self::Memory(memory) => {
                use command_fds::{CommandFdExt, FdMapping};

                let mapping = FdMapping { parent_fd: memory.try_clone()?, child_fd: SEALED_FD };
                command.arg(SEALED_PATH).fd_mappings(vec![mapping]).map_err(io::Error::other)?;
            }
            Self::File { path, .. } => {
                command.arg(path);
            }
        }
        Ok(())
    }
}

/// `None` if this system cannot load a library from memory.
#[cfg(target_os = "linux")]
fn seal_memory(bytes: &[u8]) -> io::Result<Option<OwnedFd>> {
    use rustix::{
        fs::{MemfdFlags, SealFlags, fcntl_add_seals, memfd_create},
        io::Errno,
    };

    // Without `/proc`, the memory has no path.
    if !std::path::Path::new("/proc/self/fd").is_dir() {
        return Ok(None);
    }
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    let memory = match memfd_create("flowswap-plugin", flags | MemfdFlags::EXEC) {
        // A kernel before 6.3 does not know the flag, and every memory is executable.
        Err(Errno::INVAL) => memfd_create("flowswap-plugin", flags),
        other => other,
    };
    let memory = match memory {
        // `vm.memfd_noexec` can forbid it.
        Err(Errno::ACCESS | Errno::PERM | Errno::NOSYS) => return Ok(None),
        other => other?,
    };
    let mut file = File::from(memory);
    file.write_all(bytes)?;
    fcntl_add_seals(&file, SealFlags::WRITE | SealFlags::GROW | SealFlags::SHRINK | SealFlags::SEAL)?;
    Ok(Some(file.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_that_others_can_change_holds_no_plugin() {
        let parent = crate::testing::folder();
        for (mode, is_accepted) in [(0o700, true), (0o755, true), (0o1777, true), (0o777, false)] {
            std::fs::set_permissions(parent.path(), Permissions::from_mode(mode)).unwrap();
            match Sealed::in_folder(b"code", parent.path()) {
                Ok(Sealed::File { path, .. }) => assert!(is_accepted && std::fs::read(path).unwrap() == b"code"),
                Ok(_) => unreachable!("it is in a folder"),
                Err(error) => {
                    assert!(!is_accepted && error.to_string().contains("other users can change"), "{mode:o}: {error}")
                }
            }
        }
        assert_eq!(std::fs::read_dir(parent.path()).unwrap().count(), 0);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn sealed_memory_cannot_be_changed() {
        let memory = seal_memory(b"code").unwrap().expect("this system loads libraries from memory");
        let mut file = File::from(memory);
        assert!(file.write_all(b"more").is_err());
        assert!(file.set_len(0).is_err());
        assert!(rustix::fs::fcntl_add_seals(&file, rustix::fs::SealFlags::FUTURE_WRITE).is_err());
        let path = format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&file));
        assert!(OpenOptions::new().write(true).open(&path).and_then(|mut file| file.write_all(b"x")).is_err());
        assert_eq!(std::fs::read(path).unwrap(), b"code");
    }
}
