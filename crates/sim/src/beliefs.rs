//! What the checks of a migration assume about Okta and Cloud Identity Engine. `BELIEFS.md` has the same table for
//! readers. The simulator can make each belief false: [`SimConfig::without`](crate::SimConfig::without).

use std::fmt;

/// Where a belief comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// A document, a recording, or a public sample says so.
    Stated(&'static str),
    /// The owner of the directory's interface says so, in the table that describes it.
    Described(&'static str),
    /// No source says so. This text says what the belief is inferred from.
    Inferred(&'static str),
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stated(source) => write!(f, "{source}"),
            Self::Described(source) => write!(f, "the owner's description: {source}"),
            Self::Inferred(source) => write!(f, "inferred: {source}"),
        }
    }
}

/// A row of the table.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// The belief.
    pub belief: Belief,
    /// The stable name of the belief.
    pub id: &'static str,
    /// What flowswap believes.
    pub says: &'static str,
    /// Why flowswap believes it.
    pub source: Source,
    /// What happens if the belief is false.
    pub if_false: &'static str,
    /// The test that makes the belief false.
    pub test: &'static str,
}

/// Declares the enum of the beliefs together with their table.
macro_rules! beliefs {
    ($($belief:ident, $id:literal, $says:literal, $source:expr, $if_false:literal;)*) => {
        /// One assumption.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Belief {
            $(#[doc = $says] $belief,)*
        }

        /// All beliefs, in the order of `BELIEFS.md`.
        pub const BELIEFS: &[Row] = &[
            $(Row {
                belief: Belief::$belief,
                id: $id,
                says: $says,
                source: $source,
                if_false: $if_false,
                test: "each_belief_alone_is_played_false",
            },)*
        ];
    };
}

use Source::{Described, Inferred, Stated};

beliefs! {
    GrantsLeaveEvents, "grants-leave-events",
    "Every token that a client gets leaves `app.oauth2.token.grant.access_token` in the System Log.",
    Stated("Okta's list of event types"),
    "flowswap sees no token. The tenant waits, both forward and during a rollback.";

    ServiceGrantsLeaveEvents, "service-grants-leave-events",
    "A token that a client gets for itself (RFC 6749 §4.4) leaves the same event as a token for a person.",
    Inferred("Okta's list of event types does not distinguish them; public samples of custom authorization servers have such events"),
    "flowswap sees no token of the new client, not even its own. The tenant waits, both forward and during a rollback.";

    RefusalsLeaveEvents, "refusals-leave-events",
    "Every refused token request leaves `app.oauth2.token.grant` with the outcome FAILURE.",
    Stated("Okta support, \"refresh token is invalid or expired\"; Events API to System Log migration guide"),
    "Refusals explain nothing. No check relies only on their absence.";

    ActorIsClient, "actor-is-client",
    "The actor of a token event is the OAuth client.",
    Inferred("public samples of other grants, and of custom authorization servers"),
    "flowswap cannot assign a token to a client. The tenant waits, both forward and during a rollback.";

    UserAgentKept, "user-agent-kept",
    "A token event keeps the user agent as the client sent it.",
    Inferred("public samples of other grants"),
    "The tokens of flowswap look like those of the directory. Tokens up to the connection test do not count, and the directory must show a sync.";

    GrantTypeShown, "grant-type-shown",
    "The debug data of a token event shows the grant type of the token.",
    Inferred("public samples of other grants"),
    "flowswap finds sign-ins by their refresh tokens. The end of the old connection is less certain.";

    ScopesShown, "scopes-shown",
    "The debug data of a token event shows the requested and the granted scopes.",
    Inferred("public samples of other grants"),
    "flowswap does not judge scopes by the log. It still compares the counts of the directory.";

    EventsWithinMinutes, "events-within-minutes",
    "An event appears in the System Log within minutes.",
    Inferred("the guide says that events can arrive late, and gives no limit"),
    "The tenant waits until the events appear.";

    EventsInOrder, "events-in-order",
    "An event appears in the System Log at most 15 minutes after an event that happened later.",
    Inferred("the guide says that events can arrive out of order, and gives no limit"),
    "Forward, the tenant waits for tokens of the new client. A rollback deletes no client before the log shows the requests of that client.";

    LogReadable, "log-readable",
    "The credential of the administrator may read the System Log.",
    Stated("Okta's management API: `okta.logs.read`"),
    "The provider confirms nothing. The step fails with the refusal, and flowswap retires nothing.";

    OrgShowsItsTime, "org-shows-its-time",
    "Okta's answers have a `Date`.",
    Stated("RFC 9110; seen in recordings"),
    "flowswap cannot tell the age of a token. The tenant fails before anything is switched.";

    OrgClockAgrees, "org-clock-agrees",
    "The clocks of the org and the directory differ by at most five minutes.",
    Inferred("both are large services"),
    "flowswap compares tokens with the time of the org. `finalize` refuses a tenant whose clocks disagree.";

    IntegrationIdIsClientId, "integration-id-is-client-id",
    "The id of an API service integration is its OAuth client id.",
    Inferred("the client link of a recorded integration has the same id"),
    "The new client gets no token. `prove` fails before anything is switched.";

    CreationShowsTheSecret, "creation-shows-the-secret",
    "The answer that creates an integration shows its secret.",
    Stated("Okta's management API description; seen in recordings"),
    "The step is in doubt. flowswap finds the integration by the log and adds a second secret.";

    TokenHasTheScopes, "token-has-the-scopes",
    "A token has the requested scopes, or the answer shows which ones are missing.",
    Stated("Okta, \"Build an API service integration\""),
    "`prove` fails before anything is switched.";

    TokenLivesAnHour, "token-lives-an-hour",
    "An access token lives for an hour at most.",
    Stated("Okta, \"Implement OAuth for Okta with a service app\""),
    "The answer says how long a token lives. If that is longer, `prove` fails before anything is switched.";

    IntegrationsListIsComplete, "integrations-list-is-complete",
    "The list of integrations is complete.",
    Stated("Okta's management API description"),
    "An integration that the org shows by its id exists. It is gone only if Okta also answers with its own 404. flowswap finds a new integration that is not in the list by the log.";

    NotFoundHasCode, "not-found-has-code",
    "For a deleted object, Okta answers with 404 and E0000007.",
    Stated("Okta's list of error codes"),
    "flowswap does not know that a deleted object is gone. The step stays in doubt.";

    DeleteIsImmediate, "delete-is-immediate",
    "An object is gone as soon as Okta accepts its deletion.",
    Stated("Okta's management API description; seen in recordings"),
    "flowswap checks again and still finds the object. A purge fails, and a rollback is stuck.";

    DeactivationIsShown, "deactivation-is-shown",
    "Okta shows a deactivated app as INACTIVE at once.",
    Stated("Okta's management API description"),
    "The step fails, and flowswap does not delete the legacy client.";

    ActivationActivates, "activation-activates",
    "An app is active as soon as Okta accepts its activation.",
    Stated("Okta's management API description"),
    "The rollback stays in doubt. flowswap does not touch the connection.";

    TestGetsAToken, "test-gets-a-token",
    "The connection test of the directory gets a token.",
    Described("what `test-connection` does"),
    "No check relies on it. The tokens of the syncs count.";

    SyncGetsAToken, "sync-gets-a-token",
    "Every sync gets its own token.",
    Inferred("no source says whether Cloud Identity Engine keeps its tokens"),
    "Tokens come once an hour. `finalize` requires one from the last 65 minutes.";

    SubmitSubmits, "submit-submits",
    "A successful submit has changed the connection.",
    Described("what `reconnect` does"),
    "The directory shows the previous connection, and `confirm` is stuck. With the console, flowswap does not see a swap, and the tenant waits.";

    SubmitIsWhatRuns, "submit-is-what-runs",
    "After a submit, the directory syncs with the connection that it shows.",
    Described("what a read shows"),
    "The log shows tokens of the legacy client and no token of the new client. `confirm` is stuck.";

    RestoreRestores, "restore-restores",
    "A successful restore has changed the connection.",
    Described("what `restore` does"),
    "flowswap reads the connection again. The new client is in use, and flowswap does not remove it.";

    RestoreIsWhatRuns, "restore-is-what-runs",
    "After a restore, the directory syncs with the connection that it shows.",
    Described("what a read shows"),
    "The log shows requests of the new client and no request of the legacy client. The rollback waits, and the new client stays.";

    LastSuccessIsASync, "last-success-is-a-sync",
    "The time of the last sync is the time of a successful sync.",
    Described("what a read shows"),
    "No check relies on it alone. A sync must also get a token.";

    SyncsGoOn, "syncs-go-on",
    "A directory that synchronized with the new client continues to synchronize.",
    Inferred("five-minute syncs of Cloud Identity Engine's manual"),
    "`finalize` requires a recent token, and waits. If flowswap saw too few syncs before, `confirm` is stuck.";

    SyncsLoseNothing, "syncs-lose-nothing",
    "A green sync has read everything.",
    Described("what a read shows"),
    "flowswap compares the counts with those before. The tenant fails its confirmation.";

    NameStays, "name-stays",
    "A submit does not change the name of the directory.",
    Inferred("the Reconnect dialog accepts names of 15 characters at most"),
    "flowswap knows a directory of a gateway by its id, and its name proves nothing. In the console, flowswap does not find the name: `confirm` is stuck, and the rollback waits.";

    DirectoryShowsItsTime, "directory-shows-its-time",
    "The answers of the directory's interface have a `Date`.",
    Stated("RFC 9110"),
    "The swap has no time. The second sync that flowswap sees counts.";

    DirectoryClockAgrees, "directory-clock-agrees",
    "The clocks of the directory and the org differ by at most five minutes.",
    Inferred("both are large services"),
    "flowswap compares syncs with the time of the directory. `finalize` refuses a tenant whose clocks disagree.";

    OneDirectoryPerLegacyClient, "one-directory-per-legacy-client",
    "No other directory uses the legacy client.",
    Inferred("one app for several regions is possible (PAN, \"Configure Okta Directory\")"),
    "The log shows tokens of the legacy client. The tenant is stuck, or it waits until the last of these tokens is 80 minutes old. flowswap retires nothing.";
}

impl Belief {
    /// The row of this belief in the table.
    pub fn row(self) -> &'static Row {
        // The macro creates the table and the enum in the same order.
        &BELIEFS[self as usize]
    }
}

impl fmt::Display for Belief {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.row().id)
    }
}
