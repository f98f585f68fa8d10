//! What the proofs of a migration assume of Okta and of Cloud Identity Engine. `BELIEFS.md` is this table for readers, and
//! the simulator can play each of them false: [`SimConfig::without`](crate::SimConfig::without).

use std::fmt;

/// Where a belief comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// A document, a recording or a public sample says so.
    Stated(&'static str),
    /// The owner of the directory's interface says so, in the table that describes it.
    Described(&'static str),
    /// No source says so; this is what it is inferred from.
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
    /// Its name, which never changes.
    pub id: &'static str,
    /// What is believed.
    pub says: &'static str,
    /// Why.
    pub source: Source,
    /// What happens when it is false.
    pub if_false: &'static str,
    /// The test that plays it false.
    pub test: &'static str,
}

/// Declares the beliefs and their table in one.
macro_rules! beliefs {
    ($($belief:ident, $id:literal, $says:literal, $source:expr, $if_false:literal;)*) => {
        /// One thing that is assumed.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Belief {
            $(#[doc = $says] $belief,)*
        }

        /// All of them, in the order of `BELIEFS.md`.
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
    "Every token that a client is granted leaves `app.oauth2.token.grant.access_token` in the System Log.",
    Stated("Okta's list of event types"),
    "No token is seen: the tenant waits, forward and back.";

    ServiceGrantsLeaveEvents, "service-grants-leave-events",
    "A token that a client is granted for itself (RFC 6749 §4.4) leaves the same event as a token of a person's.",
    Inferred("Okta's list of event types makes no difference; public samples of custom authorization servers have such events"),
    "No token of the new client is seen, not even flowswap's own: the tenant waits, forward and back.";

    RefusalsLeaveEvents, "refusals-leave-events",
    "Every refused token request leaves `app.oauth2.token.grant` with the outcome FAILURE.",
    Stated("Okta support, \"refresh token is invalid or expired\"; Events API to System Log migration guide"),
    "Refusals explain nothing; no proof rests on their absence alone.";

    ActorIsClient, "actor-is-client",
    "The actor of a token event is the OAuth client.",
    Inferred("public samples of other grants, and of custom authorization servers"),
    "No token is anybody's: the tenant waits, forward and back.";

    UserAgentKept, "user-agent-kept",
    "A token event keeps the program's name as it was sent.",
    Inferred("public samples of other grants"),
    "The tool's own tokens look like the directory's; those up to the connection test do not count, and the directory has to show a sync.";

    GrantTypeShown, "grant-type-shown",
    "A token event says in its debug data by which grant the token was issued.",
    Inferred("public samples of other grants"),
    "Sign-ins are found by their refresh tokens; how long the old connection lives is less sure.";

    ScopesShown, "scopes-shown",
    "A token event says in its debug data which scopes were asked for and granted.",
    Inferred("public samples of other grants"),
    "Scopes are not judged by the log; the directory's counts still are.";

    EventsWithinMinutes, "events-within-minutes",
    "An event is in the System Log some minutes after it happened.",
    Inferred("the guide says that events can arrive late, and no bound"),
    "The tenant waits until they are there.";

    EventsInOrder, "events-in-order",
    "An event is in the System Log no more than a quarter of an hour later than an event that happened after it.",
    Inferred("the guide says that events can arrive out of order, and no bound"),
    "Forward, tokens of the new client are awaited. Back, no client is deleted before the log shows its requests.";

    LogReadable, "log-readable",
    "The administrator's credential may read the System Log.",
    Stated("Okta's management API: `okta.logs.read`"),
    "The provider confirms nothing: the step fails with the refusal, and nothing is retired.";

    OrgShowsItsTime, "org-shows-its-time",
    "Okta's answers have a `Date`.",
    Stated("RFC 9110; seen in recordings"),
    "How long ago a token was granted cannot be told: the tenant fails before anything is switched.";

    OrgClockAgrees, "org-clock-agrees",
    "The org's clock agrees with the directory's within five minutes.",
    Inferred("both are large services"),
    "Tokens are compared with the org's own time; `finalize` refuses where both clocks disagree.";

    IntegrationIdIsClientId, "integration-id-is-client-id",
    "The id of an API service integration is its OAuth client id.",
    Inferred("the client link of a recorded integration carries the same id"),
    "No token is granted: `prove` fails before anything is switched.";

    CreationShowsTheSecret, "creation-shows-the-secret",
    "The answer that creates an integration shows its secret.",
    Stated("Okta's management API description; seen in recordings"),
    "The step is in doubt; the integration is found by the log and given a second secret.";

    TokenHasTheScopes, "token-has-the-scopes",
    "A token has the scopes that were asked for, or its answer says which it lacks.",
    Stated("Okta, \"Build an API service integration\""),
    "`prove` fails before anything is switched.";

    TokenLivesAnHour, "token-lives-an-hour",
    "An access token lives no longer than an hour.",
    Stated("Okta, \"Implement OAuth for Okta with a service app\""),
    "The answer says how long a token lives; where that is longer, `prove` fails before anything is switched.";

    IntegrationsListIsComplete, "integrations-list-is-complete",
    "The list of integrations has every one that there is.",
    Stated("Okta's management API description"),
    "What the org shows by its id is there; it takes Okta's own 404 besides to be believed gone. What was created and is not listed is found by the log.";

    NotFoundHasCode, "not-found-has-code",
    "Okta answers for what is gone with 404 and E0000007.",
    Stated("Okta's list of error codes"),
    "What was deleted is not known to be gone: the step stays in doubt.";

    DeleteIsImmediate, "delete-is-immediate",
    "What Okta agreed to delete is gone.",
    Stated("Okta's management API description; seen in recordings"),
    "It is looked at again, and still there: a purge fails, and a way back is stuck.";

    DeactivationIsShown, "deactivation-is-shown",
    "An app that was deactivated is shown as INACTIVE at once.",
    Stated("Okta's management API description"),
    "The step fails, and the legacy client is not deleted.";

    ActivationActivates, "activation-activates",
    "An app that Okta agreed to activate is active.",
    Stated("Okta's management API description"),
    "The way back stays in doubt; the connection is not touched.";

    TestGetsAToken, "test-gets-a-token",
    "The directory's connection test gets a token.",
    Described("what `test-connection` does"),
    "No proof rests on it: the tokens of the syncs count.";

    SyncGetsAToken, "sync-gets-a-token",
    "Every sync gets a token of its own.",
    Inferred("no source says whether Cloud Identity Engine keeps its tokens"),
    "Tokens come once an hour, and `finalize` asks for one within the last 65 minutes.";

    SubmitSubmits, "submit-submits",
    "A submit that is answered well has changed the connection.",
    Described("what `reconnect` does"),
    "The directory shows the connection from before: `confirm` is stuck. By a console the swap is not seen, and the tenant waits.";

    SubmitIsWhatRuns, "submit-is-what-runs",
    "The connection that is shown after a submit is the one that syncs.",
    Described("what a read shows"),
    "The log shows tokens of the legacy client and none of the new one: `confirm` is stuck.";

    RestoreRestores, "restore-restores",
    "A restore that is answered well has changed the connection.",
    Described("what `restore` does"),
    "The connection is read again; the new client is in use, and it is not removed.";

    RestoreIsWhatRuns, "restore-is-what-runs",
    "The connection that is shown after a restore is the one that syncs.",
    Described("what a read shows"),
    "The log shows requests of the new client and none as before: the way back waits, and the new client stays.";

    LastSuccessIsASync, "last-success-is-a-sync",
    "The time of the last sync is that of a sync that went well.",
    Described("what a read shows"),
    "No proof rests on it alone: a sync has to get a token, too.";

    SyncsGoOn, "syncs-go-on",
    "A directory that synced as the new client goes on.",
    Inferred("five-minute syncs of Cloud Identity Engine's manual"),
    "`finalize` asks for a recent token, and waits. Where too few syncs were seen before, `confirm` is stuck.";

    SyncsLoseNothing, "syncs-lose-nothing",
    "A sync that is green has read everything.",
    Described("what a read shows"),
    "The counts are compared with those before: the tenant fails its confirmation.";

    NameStays, "name-stays",
    "A submit leaves the directory's name alone.",
    Inferred("the Reconnect dialogue takes names of 15 characters at most"),
    "A gateway's directory is known by its id, and its name proves nothing. In the console it is missed by its name: `confirm` is stuck, and the way back waits.";

    DirectoryShowsItsTime, "directory-shows-its-time",
    "The answers of the directory's interface have a `Date`.",
    Stated("RFC 9110"),
    "The swap has no date: the second sync that is seen counts.";

    DirectoryClockAgrees, "directory-clock-agrees",
    "The directory's clock agrees with the org's within five minutes.",
    Inferred("both are large services"),
    "Syncs are compared with the directory's own time; `finalize` refuses where both clocks disagree.";

    OneDirectoryPerLegacyClient, "one-directory-per-legacy-client",
    "No other directory is connected as the legacy client.",
    Inferred("one app for several regions is possible (PAN, \"Configure Okta Directory\")"),
    "The log shows tokens of the legacy client: the tenant is stuck, or waits until the last of them is 80 minutes old, and nothing is retired.";
}

impl Belief {
    /// Its row in the table.
    pub fn row(self) -> &'static Row {
        // The table has every belief, in this very order.
        &BELIEFS[self as usize]
    }
}

impl fmt::Display for Belief {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.row().id)
    }
}
