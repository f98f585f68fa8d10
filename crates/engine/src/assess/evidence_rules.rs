//! Names for what can go wrong around the swap. A check of a step matches these rules, not an assessment of both sides. The
//! check names the rule in its evidence ([`Evidence::rule`](flowswap_contract::Evidence::rule)).

use super::{Facts, Rule, Severity};
use crate::Verdict;

/// Every rule that is matched by a check.
pub const EVIDENCE_RULES: &[Rule] = &[
    Rule {
        id: "credentials-refused",
        severity: Severity::Error,
        verdict: Verdict::Migrated,
        about: "Since the swap the org refuses token requests of the service client, or client-credential requests \
                of the legacy client. Somebody entered the old client ID or secret, or mistyped one. The directory \
                does not synchronize, and its status may stay green.",
        fix: "open Reconnect again and enter the client ID and secret from the run sheet; `flowswap secret copy \
              TENANT` copies the secret",
        check: by_evidence,
    },
    Rule {
        id: "legacy-still-active",
        severity: Severity::Error,
        verdict: Verdict::Migrated,
        about: "The legacy client still gets tokens after the service client got its first one. Perhaps nobody \
                clicked Submit after Test Connection, another directory was reconnected, or Auth Code Flow was \
                chosen again.",
        fix: "check the directory's connection in the console, and follow the run sheet to its end",
        check: by_evidence,
    },
    Rule {
        id: "app-data-lost",
        severity: Severity::Error,
        verdict: Verdict::Migrated,
        about: "The check box Collect enterprise applications and the integration do not match. Either application \
                data is wanted, but the directory requests no token with the scope for it. Or the directory requests \
                that scope, but the plain integration does not have it. Application data is not collected, and \
                policy that uses it no longer matches.",
        fix: "open Reconnect again and set Collect enterprise applications as the run sheet says; if it is selected, \
              the client must be the application-enabled one",
        check: by_evidence,
    },
    Rule {
        id: "directory-renamed",
        severity: Severity::Error,
        verdict: Verdict::Migrated,
        about: "The directory has another name than before. Every group now has another distinguished name, and \
                references to the old ones no longer match.",
        fix: "open Reconnect again and enter the old name, or update everything that refers to it",
        check: by_evidence,
    },
    Rule {
        id: "directory-missing",
        severity: Severity::Error,
        verdict: Verdict::Migrated,
        about: "The service account does not see the directory. It was removed or renamed, or the account's token is \
                for another tenant service group.",
        fix: "check the Directories page in the console, and check `tsg_id` and `directory`",
        check: by_evidence,
    },
    Rule {
        id: "users-lost",
        severity: Severity::Error,
        verdict: Verdict::Migrated,
        about: "Users that the directory had before the swap are missing, more than the loss budget allows.",
        fix: "compare the users in the console with those in Okta. If the missing ones should be gone, raise `loss_budget` \
              and continue with `--accept-changes`. Otherwise roll back",
        check: by_evidence,
    },
    Rule {
        id: "groups-lost",
        severity: Severity::Error,
        verdict: Verdict::Migrated,
        about: "Groups that the directory had before the swap are missing, more than the loss budget allows. Okta's \
                group Everyone does not count: Cloud Identity Engine never has it.",
        fix: "compare the groups in the console with those in Okta. If the missing ones should be gone, raise `loss_budget` \
              and continue with `--accept-changes`. Otherwise roll back",
        check: by_evidence,
    },
    Rule {
        id: "members-changed",
        severity: Severity::Error,
        verdict: Verdict::Migrated,
        about: "Groups in the sample lost members that they had before the swap, more than the loss budget allows.",
        fix: "compare one of the groups in Okta and in the console; roll back if the new client does not see all \
              members",
        check: by_evidence,
    },
    Rule {
        id: "sync-stalled",
        severity: Severity::Error,
        verdict: Verdict::Migrated,
        about: "The directory has not synchronized for half an hour since the swap, although it should do so every \
                five minutes. Its status may still be green.",
        fix: "wait if this may be the first full synchronization of a large directory; otherwise check the client in \
              Okta and reconnect again",
        check: by_evidence,
    },
    Rule {
        id: "new-client-blind",
        severity: Severity::Error,
        verdict: Verdict::Migrated,
        about: "Before the swap, the service client cannot see people or groups that the directory has. After the \
                swap they would be lost.",
        fix: "check what the service client may read: a resource set may limit it, or a scope may be missing; \
              nothing was changed in the directory",
        check: by_evidence,
    },
    Rule {
        id: "rate-limited",
        severity: Severity::Info,
        verdict: Verdict::Migrated,
        about: "The org has reached its rate limits since the swap. The first full synchronization of a new client \
                is the heaviest, and it shares the limits with all other clients.",
        fix: "nothing, unless the synchronization does not finish; then migrate fewer tenants of one org at a time",
        check: by_evidence,
    },
    Rule {
        id: "secret-not-updated",
        severity: Severity::Error,
        verdict: Verdict::Migrated,
        about: "Cloud Identity Engine answered that it accepted the new secret, but the result in its answer says \
                that it did not.",
        fix: "check `directory_id`; the connection keeps its old secret, so do not remove that secret in Okta",
        check: by_evidence,
    },
];

fn by_evidence(_: &Facts<'_>) -> Option<String> {
    None
}
