//! The system calls of a caged process. Everything else ends it.

use std::{collections::BTreeMap, process};

use seccompiler::{
    Error,
    SeccompCmpArgLen::{Dword, Qword},
    SeccompCmpOp::{Eq, Le, MaskedEq},
    SeccompCondition, SeccompRule,
};

/// How far the process is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// The loader maps the library and runs its constructors.
    Loading,
    /// The library handles messages.
    Running,
}

/// What computing, panicking, and exiting need, and messages over descriptors that are already open.
const ALWAYS: [libc::c_long; 24] = [
    libc::SYS_read,
    libc::SYS_write,
    libc::SYS_writev,
    libc::SYS_recvfrom,
    libc::SYS_sendto,
    libc::SYS_ppoll,
    libc::SYS_close,
    libc::SYS_munmap,
    libc::SYS_mremap,
    libc::SYS_brk,
    libc::SYS_futex,
    libc::SYS_sigaltstack,
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    libc::SYS_restart_syscall,
    libc::SYS_exit,
    libc::SYS_exit_group,
    libc::SYS_getrandom,
    libc::SYS_getpid,
    libc::SYS_gettid,
    libc::SYS_sched_yield,
    libc::SYS_set_robust_list,
    libc::SYS_rseq,
];

/// What else the loader needs.
const LOADING: [libc::c_long; 6] =
    [libc::SYS_mmap, libc::SYS_mprotect, libc::SYS_pread64, libc::SYS_lseek, libc::SYS_fstat, libc::SYS_newfstatat];

type Rules = BTreeMap<i64, Vec<SeccompRule>>;

/// The system calls that are allowed, each with the arguments that are allowed. None means any.
pub(super) fn allowed(stage: Stage) -> Result<Rules, Error> {
    let mut rules: Rules = ALWAYS.map(|call| (call, Vec::new())).into();
    #[cfg(target_arch = "x86_64")]
    rules.insert(libc::SYS_poll, Vec::new());
    for command in [libc::F_GETFD, libc::F_GETFL, libc::F_SETFD] {
        allow(&mut rules, libc::SYS_fcntl, &[(1, Dword, Eq, command as u64)])?;
    }
    let own = u64::from(process::id());
    // `abort` signals the process itself.
    allow(&mut rules, libc::SYS_tgkill, &[(0, Dword, Eq, own)])?;
    for id in [0, own] {
        allow(&mut rules, libc::SYS_sched_getaffinity, &[(0, Dword, Eq, id)])?;
    }
    // The clocks of the machine. A negative number is the clock of another process.
    allow(&mut rules, libc::SYS_clock_gettime, &[(0, Dword, Le, libc::CLOCK_TAI as u64)])?;
    // Others would tell whether other processes have the same bytes, or take memory away from them.
    for advice in [libc::MADV_DONTNEED, libc::MADV_FREE, libc::MADV_HUGEPAGE, libc::MADV_NOHUGEPAGE] {
        allow(&mut rules, libc::SYS_madvise, &[(2, Dword, Eq, advice as u64)])?;
    }
    match stage {
        Stage::Loading => allow_loading(&mut rules)?,
        Stage::Running => allow_memory(&mut rules)?,
    }
    Ok(rules)
}

/// The loader opens files to read them; Landlock leaves only the library. Then comes the second filter.
fn allow_loading(rules: &mut Rules) -> Result<(), Error> {
    rules.extend(LOADING.map(|call| (call, Vec::new())));
    let others = libc::O_ACCMODE | libc::O_CREAT | libc::O_TRUNC | libc::O_TMPFILE | libc::O_PATH;
    allow(rules, libc::SYS_openat, &[(2, Dword, MaskedEq(others as u64), libc::O_RDONLY as u64)])?;
    allow(rules, libc::SYS_prctl, &[(0, Dword, Eq, libc::PR_SET_NO_NEW_PRIVS as u64)])?;
    let another_filter = (0, Dword, Eq, libc::SECCOMP_SET_MODE_FILTER.into());
    allow(rules, libc::SYS_seccomp, &[another_filter, (1, Qword, Eq, 0)])
}

/// Memory for data, never for code.
fn allow_memory(rules: &mut Rules) -> Result<(), Error> {
    let no_code = (2, Dword, MaskedEq(libc::PROT_EXEC as u64), 0);
    let without_file = (3, Dword, MaskedEq(libc::MAP_ANONYMOUS as u64), libc::MAP_ANONYMOUS as u64);
    allow(rules, libc::SYS_mmap, &[no_code.clone(), without_file])?;
    allow(rules, libc::SYS_mprotect, &[no_code])
}

type Condition = (u8, seccompiler::SeccompCmpArgLen, seccompiler::SeccompCmpOp, u64);

/// Allows a call if all conditions on its arguments hold. Several calls of this are alternatives.
fn allow(rules: &mut Rules, call: libc::c_long, conditions: &[Condition]) -> Result<(), Error> {
    let conditions = conditions.iter().cloned();
    let conditions = conditions.map(|(index, len, op, value)| SeccompCondition::new(index, len, op, value));
    let rule =
        SeccompRule::new(conditions.collect::<Result<_, _>>().map_err(Error::Backend)?).map_err(Error::Backend)?;
    rules.entry(call).or_default().push(rule);
    Ok(())
}
