//! The list of all checks, in the order in which they run and are reported.

/// A group of checks that can run without the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Group {
    /// The greeting.
    Hello,
    /// Messages that no host would send, or that a host would send only in trouble.
    Protocol,
    /// Calls that must not change anything.
    ReadOnly,
    /// Steps that are applied, repeated, and undone.
    Steps,
    /// Recovery after a lost answer.
    LostAnswers,
    /// Refusals and meaningless answers.
    Errors,
    /// Secrets that the plugin must never reveal.
    Secrets,
}

impl Group {
    /// All groups, in the order in which they run.
    pub const ALL: [Self; 7] =
        [Self::Hello, Self::Protocol, Self::ReadOnly, Self::Steps, Self::LostAnswers, Self::Errors, Self::Secrets];

    /// The group of the check with this name, if there is one.
    pub fn of(check: &str) -> Option<Self> {
        CHECKS.iter().find(|(_, id, _)| *id == check).map(|(group, _, _)| *group)
    }
}

/// Every check: its group, its name, and what it demands.
pub(crate) const CHECKS: &[(Group, &str, &str)] = &[
    (Group::Hello, "hello.starts", "the library loads and greets as the contract requires"),
    (Group::Hello, "hello.once", "the plugin answers a greeting with exactly one greeting"),
    (Group::Hello, "hello.same", "the greeting is the same every time and in every process"),
    (
        Group::Hello,
        "hello.version-skew",
        "the plugin greets a host that has a later minor version and unknown features",
    ),
    (
        Group::Hello,
        "hello.caged",
        "the plugin greets in the cage of this platform, which allows no threads and no files",
    ),
    (Group::Hello, "hello.roles", "the plugin serves at least one side, and names no side twice"),
    (Group::Hello, "hello.keys", "every configuration key has a unique name and a description"),
    (Group::Hello, "hello.origins", "every origin is https, and uses only declared keys that are not secret"),
    (Group::Protocol, "protocol.not-json", "bytes that are not a message are ignored"),
    (Group::Protocol, "protocol.unknown-type", "a message of an unknown type is ignored"),
    (Group::Protocol, "protocol.unknown-fields", "unknown fields are ignored"),
    (Group::Protocol, "protocol.huge-message", "the plugin accepts a message of eight million bytes"),
    (Group::Protocol, "protocol.stray-answer", "an answer to an ask that was never made is ignored"),
    (Group::Protocol, "protocol.stray-cancel", "the cancellation of a call that is not running is ignored"),
    (Group::Protocol, "protocol.close-twice", "closing a session that is not open is ignored"),
    (Group::Protocol, "protocol.unknown-session", "a call to a session that was never opened gets an error"),
    (Group::Protocol, "protocol.open-empty", "a session without its required keys gets a configuration error"),
    (
        Group::Protocol,
        "protocol.open-wrong-types",
        "a session whose required keys have values of the wrong type gets a configuration error",
    ),
    (Group::Protocol, "protocol.opens", "a session opens with the world's configuration"),
    (
        Group::Protocol,
        "protocol.wrong-params",
        "a call whose parameters do not decode gets an error, and the plugin asks for nothing",
    ),
    (Group::Protocol, "protocol.unknown-words", "an unknown verb is ignored or refused, and the next call is served"),
    (
        Group::Protocol,
        "protocol.wrong-answer",
        "an answer of a different kind than the ask ends the call with an error",
    ),
    (Group::Protocol, "protocol.cancel", "a canceled call sends nothing more, and the next call is served"),
    (Group::Protocol, "protocol.close-mid-call", "a session can be closed in the middle of a call"),
    (Group::Protocol, "protocol.many-calls", "a hundred concurrent calls are kept apart"),
    (Group::ReadOnly, "world.repeats", "two new worlds are equal (this checks the world, not the plugin)"),
    (Group::ReadOnly, "detect.answers", "`detect` returns the inventory of the side that the session serves"),
    (Group::ReadOnly, "detect.pure", "`detect` changes nothing"),
    (Group::ReadOnly, "detect.dropped", "after a `detect` is dropped in the middle, the next one is served"),
    (Group::ReadOnly, "access.pure", "`test` without a step returns evidence and changes nothing"),
    (Group::ReadOnly, "plan.asks-nothing", "`plan` asks for nothing"),
    (Group::ReadOnly, "plan.same", "`plan` proposes the same steps every time and in every process"),
    (Group::ReadOnly, "plan.sound", "the plan passes the engine's own lint"),
    (Group::ReadOnly, "observe.pure", "`observe` of every step changes nothing"),
    (Group::ReadOnly, "test.pure", "`test` of every step changes nothing"),
    (Group::ReadOnly, "asks.awaited", "no call ends before all of its asks are answered"),
    (Group::ReadOnly, "messages.same", "two processes answer the same messages with the same bytes"),
    (Group::Steps, "apply.plan", "the whole plan can be carried out"),
    (Group::Steps, "apply.gives", "every step gives the outputs that its proposal names"),
    (Group::Steps, "operator.asks", "`apply` and `undo` of a step by a person return a run sheet and change nothing"),
    (Group::Steps, "apply.twice", "every step can be applied twice without harm"),
    (Group::Steps, "undo.twice", "every step can be undone twice without harm"),
    (Group::Steps, "undo.unapplied", "undoing a step that was never applied changes nothing"),
    (Group::Steps, "undo.every-prefix", "undoing any first part of the plan restores the initial state"),
    (Group::Steps, "observe.before", "`observe` sees that a step is not applied yet"),
    (Group::Steps, "observe.after-apply", "`observe` sees that a step is applied"),
    (Group::Steps, "observe.after-undo", "`observe` sees that a step is undone"),
    (Group::LostAnswers, "lost.apply.before", "`apply` recovers when any one of its requests never arrives"),
    (Group::LostAnswers, "lost.apply.after", "`apply` recovers when the answer to any one of its requests is lost"),
    (
        Group::LostAnswers,
        "lost.apply.fails-after",
        "`apply` recovers when any one of its requests is carried out and answered with 500",
    ),
    (
        Group::LostAnswers,
        "lost.apply.undone",
        "a step can be undone after the answer to any one of its requests was lost",
    ),
    (Group::LostAnswers, "lost.undo.before", "`undo` recovers when any one of its requests never arrives"),
    (Group::LostAnswers, "lost.undo.after", "`undo` recovers when the answer to any one of its requests is lost"),
    (
        Group::LostAnswers,
        "lost.undo.fails-after",
        "`undo` recovers when any one of its requests is carried out and answered with 500",
    ),
    (Group::Errors, "errors.401", "a 401 to any request becomes an error of credentials, permission, or configuration"),
    (Group::Errors, "errors.403", "a 403 to any request becomes a permission error"),
    (Group::Errors, "errors.404", "a 404 to any request becomes an error, or means that an object is gone"),
    (Group::Errors, "errors.409", "a 409 to any request becomes a conflict"),
    (Group::Errors, "errors.429", "a persistent 429 to any request becomes a rate-limit error"),
    (Group::Errors, "errors.500", "a 500 to any request means that the other side is unavailable"),
    (Group::Errors, "errors.503", "a persistent 503 to any request means that the other side is unavailable"),
    (Group::Errors, "errors.wrong-json", "an answer with unexpected content becomes an error of the other side"),
    (Group::Errors, "errors.no-json", "an answer that is not JSON becomes an error of the other side"),
    (Group::Secrets, "secrets.untold", "no secret value is in anything that the plugin sends or prints"),
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_check_has_a_unique_name_and_every_group_has_a_check() {
        let names: BTreeSet<_> = CHECKS.iter().map(|(_, id, _)| id).collect();
        assert_eq!(names.len(), CHECKS.len());
        assert!(Group::ALL.iter().all(|group| CHECKS.iter().any(|(of, _, _)| of == group)));
    }
}
