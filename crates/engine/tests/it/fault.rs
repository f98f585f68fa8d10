//! Injected faults: what goes wrong, where, and at which call, and whether it happened.

use std::collections::{BTreeMap, BTreeSet};

use flowswap_contract::{Error, ErrorKind, Op};

/// What goes wrong with a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Refused before any work: it had no effect.
    Refuse,
    /// Refused before any work, with this kind and a hint.
    Say(ErrorKind),
    /// The operator stopped it before any work.
    Interrupt,
    /// Nothing was done, but the outcome is unknown.
    LoseRequest,
    /// Nothing was done, the outcome is unknown, and the plugin died.
    DieEarly,
    /// It was done, but the answer did not arrive.
    LoseAnswer,
    /// It was done and its secret is stored, but then the plugin died.
    Die,
    /// It was done, but the plugin returned an invalid reply.
    Garble,
    /// It was half done, and the outcome is unknown.
    Half,
    /// For `observe`: the state is unknown.
    Blind,
    /// For `observe`: the step is reported as not in place, right or wrong.
    Absent,
    /// For `observe`: the step is reported as in place, right or wrong.
    Present,
    /// It takes half a minute and succeeds.
    Slow,
    /// The operator stops the run while the call is in flight; it succeeds.
    Stop,
}

impl Fault {
    /// The error that the engine gets.
    pub(crate) fn error(self) -> Error {
        match self {
            Self::Refuse => Error::new(ErrorKind::Permission, "not permitted"),
            Self::Say(kind) => Error::new(kind, "not now").with_hint("look at it"),
            Self::Interrupt => Error::new(ErrorKind::Interrupted, "the run was stopped"),
            Self::Die | Self::DieEarly => Error::new(ErrorKind::Crashed, "the plugin died").with_unknown_effect(),
            _ => Error::new(ErrorKind::Unavailable, "no answer").with_unknown_effect(),
        }
    }
}

/// Every kind of failure except a stop, and whether the same call may succeed a little later without any action.
pub(crate) const KINDS: [(ErrorKind, bool); 16] = [
    (ErrorKind::Unreachable, false),
    (ErrorKind::Config, false),
    (ErrorKind::Auth, false),
    (ErrorKind::Permission, false),
    (ErrorKind::NotFound, false),
    (ErrorKind::Conflict, false),
    (ErrorKind::RateLimited, true),
    (ErrorKind::Unavailable, true),
    (ErrorKind::Unsupported, false),
    (ErrorKind::Invalid, false),
    (ErrorKind::Refused, false),
    (ErrorKind::Crashed, false),
    (ErrorKind::TimedOut, true),
    (ErrorKind::Protocol, false),
    (ErrorKind::Internal, true),
    (ErrorKind::Unknown, false),
];

/// A fault at the nth call, from 0, of an operation of a step. `None` as tenant means any tenant.
#[derive(Debug, Clone)]
pub(crate) struct Injection {
    pub(crate) tenant: Option<&'static str>,
    pub(crate) step: String,
    pub(crate) op: Op,
    pub(crate) nth: usize,
    pub(crate) fault: Fault,
}

/// A fault of a tenant at each call of an operation of a step.
pub(crate) struct Lasting {
    pub(crate) step: &'static str,
    pub(crate) op: Op,
    pub(crate) fault_of: BTreeMap<String, Fault>,
    /// The tenants that it hit.
    pub(crate) hit: BTreeSet<String>,
}

/// The injected faults.
#[derive(Default)]
pub(crate) struct Faults {
    ordered: Vec<(Injection, bool)>,
    lasting: Option<Lasting>,
    counts: BTreeMap<(String, String, String), usize>,
}

impl Faults {
    pub(crate) fn inject(&mut self, injection: Injection) {
        self.ordered.push((injection, false));
    }

    /// Lets these tenants fail whenever they reach the step.
    pub(crate) fn last(&mut self, step: &'static str, op: Op, fault_of: BTreeMap<String, Fault>) {
        self.lasting = Some(Lasting { step, op, fault_of, hit: BTreeSet::new() });
    }

    /// The tenants that a lasting fault hit.
    pub(crate) fn hit(&self) -> BTreeSet<String> {
        self.lasting.iter().flat_map(|lasting| lasting.hit.clone()).collect()
    }

    /// The fault for the call that starts now, if any.
    pub(crate) fn draw(&mut self, tenant: &str, step: &str, op: Op) -> Option<Fault> {
        let count = self.counts.entry((tenant.to_owned(), step.to_owned(), op.to_string())).or_default();
        let nth = *count;
        *count += 1;
        if let Some(lasting) = self.lasting.as_mut().filter(|lasting| (lasting.step, lasting.op) == (step, op))
            && let Some(fault) = lasting.fault_of.get(tenant)
        {
            lasting.hit.insert(tenant.to_owned());
            return Some(*fault);
        }
        let due = self.ordered.iter_mut().find(|(order, fired)| {
            !fired
                && order.tenant.is_none_or(|only| only == tenant)
                && order.step == step
                && order.op == op
                && order.nth == nth
        })?;
        due.1 = true;
        Some(due.0.fault)
    }

    /// The faults that never happened.
    pub(crate) fn unfired(&self) -> Vec<&Injection> {
        self.ordered.iter().filter(|(_, fired)| !fired).map(|(order, _)| order).collect()
    }
}
