//! The cage on Linux.

mod syscalls;

use std::{io, os::fd::BorrowedFd, path::Path};

use landlock::{
    ABI, Access, AccessFs, AccessNet, CompatLevel, Compatible, PathBeneath, PathFd, RestrictionStatus, Ruleset,
    RulesetAttr, RulesetCreatedAttr, RulesetError, RulesetStatus, Scope,
};
use rustix::process::{Resource, Rlimit, Signal, getrlimit, setrlimit};
use seccompiler::{SeccompAction, SeccompFilter, apply_filter};

use self::syscalls::Stage;
use super::{CageError, Cause};
use crate::sealed::{SEALED_FD, SEALED_PATH};

pub(super) const EXISTS: bool = true;

/// The versions of Landlock, the newest first. Each restricts more than the next.
const KNOWN: [ABI; 9] = [ABI::V9, ABI::V8, ABI::V7, ABI::V6, ABI::V5, ABI::V4, ABI::V3, ABI::V2, ABI::V1];

/// How much memory a plugin's process may reserve. All tenants of a plugin share it.
const MAX_MEMORY: u64 = 1 << 30;

/// Closes the cage, except for what the loader still needs. `library` is what it is going to load, and `socket` leads to
/// flowswap. Call it before the process starts a thread.
pub(crate) fn close(library: &Path, socket: BorrowedFd<'_>) -> Result<(), CageError> {
    die_with_parent(socket)?;
    limit_resources().map_err(CageError::at("the system refused to lower its limits"))?;
    restrict_access(library)?;
    filter(Stage::Loading)
}

/// Takes away what only the loader needed.
pub(crate) fn finish_loading() -> Result<(), CageError> {
    filter(Stage::Running)
}

/// What this kernel gives.
pub(super) fn describe() -> Result<String, String> {
    let supports = |abi: &ABI| ruleset(*abi, CompatLevel::HardRequirement).and_then(Ruleset::create).is_ok();
    match KNOWN.into_iter().find(supports) {
        Some(abi) => Ok(format!("seccomp, Landlock {}", abi as u32)),
        None => Err("this kernel has no Landlock, or it is not enabled (Linux 5.13 or later has it)".to_owned()),
    }
}

/// Closes the files that this process inherited, except for the standard streams and the library. Call it before the process
/// opens a file.
pub(crate) fn close_inherited(library: &Path) -> Result<(), CageError> {
    let first = if library == Path::new(SEALED_PATH) { SEALED_FD + 1 } else { SEALED_FD };
    #[expect(unsafe_code, reason = "closing descriptors by their numbers")]
    // SAFETY: nothing in this process owns a descriptor yet, except for the standard streams.
    let closed = unsafe { libc::syscall(libc::SYS_close_range, first, libc::c_uint::MAX, 0) };
    if closed == 0 { Ok(()) } else { Err(CageError::at("close_range(2) failed")(io::Error::last_os_error())) }
}

/// Lets the kernel kill this process when flowswap ends, however that happens.
fn die_with_parent(socket: BorrowedFd<'_>) -> Result<(), CageError> {
    let failed = CageError::at::<io::Error>("it cannot be tied to the life of its parent");
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL)).map_err(|errno| failed(errno.into()))?;
    // The parent may have ended before that. The kernel noted at the socket who made it.
    let parent = rustix::net::sockopt::socket_peercred(socket).map_err(io::Error::from);
    let parent = parent.map_err(CageError::at("the socket does not say who made it"))?.pid;
    if rustix::process::getppid() == Some(parent) {
        Ok(())
    } else {
        Err(CageError { what: "flowswap itself has ended", source: None })
    }
}

fn limit_resources() -> io::Result<()> {
    let limits = [(Resource::Fsize, 0), (Resource::Nofile, 16), (Resource::Nproc, 0), (Resource::As, MAX_MEMORY)];
    for (resource, wanted) in limits {
        // The operator may have set a lower one, which cannot be raised.
        let limit = Some(getrlimit(resource).maximum.map_or(wanted, |maximum| maximum.min(wanted)));
        setrlimit(resource, Rlimit { current: limit, maximum: limit })?;
    }
    Ok(())
}

/// Takes away every file, every port, and signals and sockets of others. The library in memory has no path, so no rule is
/// needed for it.
fn restrict_access(library: &Path) -> Result<(), CageError> {
    let restrict = || -> Result<RestrictionStatus, Cause> {
        // An older kernel gives what it has.
        let mut rules = ruleset(KNOWN[0], CompatLevel::BestEffort)?.create()?;
        if library != Path::new(SEALED_PATH) {
            rules = rules.add_rule(PathBeneath::new(PathFd::new(library)?, AccessFs::ReadFile | AccessFs::Execute))?;
        }
        Ok(rules.restrict_self()?)
    };
    let status = restrict().map_err(CageError::at("Landlock failed"))?;
    match status.ruleset {
        RulesetStatus::FullyEnforced | RulesetStatus::PartiallyEnforced => Ok(()),
        RulesetStatus::NotEnforced => Err(CageError { what: "this kernel has no Landlock", source: None }),
    }
}

/// Everything that this Landlock can take away.
fn ruleset(abi: ABI, level: CompatLevel) -> Result<Ruleset, RulesetError> {
    let mut ruleset = Ruleset::default().set_compatibility(level).handle_access(AccessFs::from_all(abi))?;
    if abi >= ABI::V4 {
        ruleset = ruleset.handle_access(AccessNet::from_all(abi))?;
    }
    if abi >= ABI::V6 {
        ruleset = ruleset.scope(Scope::from_all(abi))?;
    }
    Ok(ruleset)
}

/// From now on, the kernel kills the process at every system call that is not on the list.
fn filter(stage: Stage) -> Result<(), CageError> {
    let apply = || -> Result<(), Cause> {
        let architecture = std::env::consts::ARCH.try_into()?;
        let rules = syscalls::allowed(stage)?;
        let filter = SeccompFilter::new(rules, SeccompAction::KillProcess, SeccompAction::Allow, architecture)?;
        let program: seccompiler::BpfProgram = filter.try_into()?;
        Ok(apply_filter(&program)?)
    };
    apply().map_err(CageError::at("the kernel took no seccomp filter"))
}
