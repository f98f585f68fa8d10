//! Keeps the memory of a process that holds secrets to itself.

use std::io;

/// Forbids core dumps of this process. On Linux it also keeps other processes of the same user from reading its memory, its
/// environment, and its open files, and from attaching to it (prctl(2), `PR_SET_DUMPABLE`). Only an administrator still can, and a
/// process that opened one of these files before this call.
///
/// # Errors
///
/// If the system refuses.
pub fn harden() -> io::Result<()> {
    use rustix::process::{Resource, Rlimit, setrlimit};

    setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) })?;
    #[cfg(target_os = "linux")]
    rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable)?;
    Ok(())
}
