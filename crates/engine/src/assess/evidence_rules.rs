//! The rules that a check of a step finds, and not a look at both sides: what can go wrong around the swap, by name. A check
//! names the rule with what it saw ([`Evidence::rule`](flowswap_contract::Evidence::rule)).

use super::{Facts, Rule, Severity, Verdict};

/// Every rule that is found by a check.
pub const EVIDENCE_RULES: &[Rule] = &[
    Rule {
        id: "credentials-refused",
        severity: Severity::Error,
        verdict: Verdict::Migrated,
        about: "Since the swap the org refuses token requests in the name of the service client, or of the legacy client by the new flow: \
                the old client id or secret was entered, or one that was mistyped. The directory does not synchronize, and its status \
                may stay green.",
        fix: "open Reconnect again and enter client id and secret as the run sheet has them; `flowswap secret copy TENANT`",
        check: by_evidence,
    },
    Rule {
        id: "legacy-still-active",
        severity: Severity::Error,
        verdict: Verdict::Migrated,
        about: "The legacy client goes on getting tokens after the service client got its first one. Test Connection was pressed and \
                Submit was not, another directory was reconnected, or Auth Code Flow was chosen again.",
        fix: "look at the directory's connection in the console, and do what the run sheet says to its end",
        check: by_evidence,
    },
    Rule {
        id: "app-data-lost",
        severity: Severity::Error,
        verdict: Verdict::Migrated,
        about: "The check box Collect enterprise applications and the integration do not go together: application data is to be \
                collected, and the directory asks for no token with the scope for it; or it asks, and the plain integration \
                does not have that scope. Application data is not collected, and policy that uses it does not match any more.",
        fix: "open Reconnect again and set Collect enterprise applications as the run sheet says; with it ticked the client must be \
              the application-enabled one",
        check: by_evidence,
    },
    Rule {
        id: "directory-renamed",
        severity: Severity::Error,
        verdict: Verdict::Migrated,
        about: "The directory is there under another name than before. Every group has another distinguished name now, and what refers to \
                the old ones does not match.",
        fix: "open Reconnect again and enter the old name, or change what refers to it",
        check: by_evidence,
    },
    Rule {
        id: "directory-missing",
        severity: Severity::Error,
        verdict: Verdict::Migrated,
        about: "The directory is not among those that the service account sees. It was removed or renamed, or the account's token is for \
                another tenant service group.",
        fix: "look at the Directories page, and check `tsg_id` and `directory`",
        check: by_evidence,
    },
    Rule {
        id: "users-lost",
        severity: Severity::Error,
        verdict: Verdict::Migrated,
        about: "Users that the directory held before the swap are missing, more than the loss budget allows.",
        fix: "look at a few of them in Okta; if they are rightly gone, raise `loss_budget` and go on with `--accept-changes`; else roll back",
        check: by_evidence,
    },
    Rule {
        id: "groups-lost",
        severity: Severity::Error,
        verdict: Verdict::Migrated,
        about: "Groups that the directory held before the swap are missing, more than the loss budget allows. Okta's group Everyone does \
                not count: Cloud Identity Engine never holds it.",
        fix: "look for them in Okta; if they are rightly gone, raise `loss_budget` and go on with `--accept-changes`; else roll back",
        check: by_evidence,
    },
    Rule {
        id: "members-changed",
        severity: Severity::Error,
        verdict: Verdict::Migrated,
        about: "Groups of the sample have lost members that they had before the swap, more than the loss budget allows.",
        fix: "compare one of the groups in Okta and in the console; roll back if the new client does not see all members",
        check: by_evidence,
    },
    Rule {
        id: "sync-stalled",
        severity: Severity::Error,
        verdict: Verdict::Migrated,
        about: "The directory has not synchronized for half an hour since the swap, although it does so every five minutes. Its status may be \
                green all the same.",
        fix: "wait, if it may be the first full synchronization of a large directory; else look at the client in Okta, and reconnect again",
        check: by_evidence,
    },
    Rule {
        id: "new-client-blind",
        severity: Severity::Error,
        verdict: Verdict::Migrated,
        about: "Before the swap: the service client cannot see people or groups that the directory holds. After the swap they would be lost.",
        fix: "see what the service client may read: a resource set or a missing scope; nothing was changed in the directory",
        check: by_evidence,
    },
    Rule {
        id: "rate-limited",
        severity: Severity::Info,
        verdict: Verdict::Migrated,
        about: "The org's rate limits were reached since the swap. The first full synchronization of a new client is the heaviest, and shares the \
                limits with all others.",
        fix: "nothing, unless the synchronization does not come to its end; then migrate fewer tenants of one org at a time",
        check: by_evidence,
    },
    Rule {
        id: "secret-not-updated",
        severity: Severity::Error,
        verdict: Verdict::Migrated,
        about: "Cloud Identity Engine answered that it had taken the new secret, and the result in its answer says that it has not.",
        fix: "check `directory_id`; the connection keeps its old secret, so do not remove that one in Okta",
        check: by_evidence,
    },
];

fn by_evidence(_: &Facts<'_>) -> Option<String> {
    None
}
