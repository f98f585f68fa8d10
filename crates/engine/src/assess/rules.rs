//! The rules, a table: id, severity, verdict, what was seen, what to do. The order is the order of reports.

use flowswap_contract::{Flow, KnownFrom, Variant};

use jiff::SignedDuration;

use super::{Facts, SIGN_IN_LIFETIME_DAYS, Severity, Verdict, reconcile::find_used, times};

/// Days before its death from which on a connection is urgent.
const URGENT_DAYS: i64 = 14;

/// A directory synchronizes every five minutes and anew every week (PAN, "Directories page"); one that has not for this long
/// has stopped.
const STALE_AFTER: SignedDuration = SignedDuration::from_hours(24);

/// The most characters of a directory's name that Reconnect takes (PAN, "Reconnect Okta Directory").
const NAME_LENGTH: usize = 15;

/// The one rule that is matched by making a plan.
pub(crate) const NOT_PLANNABLE: &str = "not-plannable";

/// The id of the rule for tenants of one plan that share an org.
pub(crate) const ORG_SHARED: &str = "org-shared";

/// The id of the rule for a provider that did not answer; the error's hint goes before the rule's fix.
pub(super) const PROVIDER_UNREADABLE: &str = "provider-unreadable";

/// The same for a directory.
pub(super) const DIRECTORY_UNREADABLE: &str = "directory-unreadable";

/// A rule.
pub struct Rule {
    /// A word that never changes its meaning; scripts may rely on it.
    pub id: &'static str,
    /// How much a match matters.
    pub severity: Severity,
    /// What a match makes of a tenant at the least.
    pub verdict: Verdict,
    /// What the rule is about, for `flowswap explain`.
    pub about: &'static str,
    /// What to do about a match.
    pub fix: &'static str,
    /// What was seen, if the rule matches.
    pub check: fn(&Facts<'_>) -> Option<String>,
}

/// Every rule.
pub const RULES: &[Rule] = &[
    Rule {
        id: "domain-malformed",
        severity: Severity::Error,
        verdict: Verdict::Blocked,
        about: "The configured domain is not the bare host name of an Okta org. CIE stores the domain with the connection \
                and cannot change it later, so nothing is contacted until it is right.",
        fix: "write the org's host name alone, such as `acme.okta.com`: no scheme, no path, not the `-admin` host",
        check: |facts| facts.domain_defect.clone(),
    },
    Rule {
        id: PROVIDER_UNREADABLE,
        severity: Severity::Error,
        verdict: Verdict::Unknown,
        about: "The provider did not answer as it must, so nothing is known of its clients.",
        fix: "run `flowswap check` and put right what it shows",
        check: |facts| {
            let error = facts.sight.provider.as_ref().err().filter(|_| facts.domain_defect.is_none())?;
            Some(format!("the provider could not be read: {error}"))
        },
    },
    Rule {
        id: DIRECTORY_UNREADABLE,
        severity: Severity::Error,
        verdict: Verdict::Unknown,
        about: "The directory did not answer as it must, so the flow in use is not known.",
        fix: "run `flowswap check` and put right what it shows",
        check: |facts| {
            let error = facts.sight.directory.as_ref().err().filter(|_| facts.domain_defect.is_none())?;
            Some(format!("the directory could not be read: {error}"))
        },
    },
    Rule {
        id: "not-okta",
        severity: Severity::Info,
        verdict: Verdict::NotApplicable,
        about: "The directory is connected to another kind of provider, or by SCIM.",
        fix: "take the tenant out of the configuration",
        check: |facts| {
            let directory = facts.directory.filter(|directory| directory.flow == Flow::NotOkta)?;
            Some(format!("the directory `{}` is not one of Okta", directory.name))
        },
    },
    Rule {
        id: "flow-unknown",
        severity: Severity::Error,
        verdict: Verdict::Unknown,
        about: "The directory shows no flow, or a word for it that the configuration does not explain.",
        fix: "look at the connection in the console; with the rest plugin, complete its `flows` table",
        check: |facts| {
            let directory = facts.directory.filter(|directory| directory.flow == Flow::Unknown)?;
            Some(format!("the flow of the directory `{}` cannot be told", directory.name))
        },
    },
    Rule {
        id: "record-contradicted",
        severity: Severity::Error,
        verdict: Verdict::Unknown,
        about: "The directory does not show its connection. The operator's record in the configuration says one flow, and the \
                provider's log shows that a client of the other one gets the tokens. One of the two is out of date.",
        fix: "look at the connection in the console, and correct `record` of the directory, or take it out",
        check: |facts| {
            let (provider, directory) = facts.both().filter(|(_, d)| d.known_from == KnownFrom::Record)?;
            let used = find_used(provider).filter(|used| used.flow != directory.flow)?;
            Some(format!(
                "the record says {}, and `{}` got a token by {} at {}",
                directory.flow, used.client_id, used.flow, used.granted_at
            ))
        },
    },
    Rule {
        id: "domain-mismatch",
        severity: Severity::Error,
        verdict: Verdict::Unknown,
        about: "The directory is connected to another org than the one that the configuration names. Whatever the one side \
                shows says nothing about the other.",
        fix: "name the org that the directory is connected to; its domain cannot be changed by reconnecting",
        check: |facts| {
            let (provider, directory) = facts.both().filter(|(_, directory)| directory.flow != Flow::NotOkta)?;
            let same = directory.domain == provider.domain || directory.domain == facts.spec.domain;
            let message =
                || format!("the directory is connected to `{}`, the org is `{}`", directory.domain, provider.domain);
            (!same).then(message)
        },
    },
    Rule {
        id: "witnesses-disagree",
        severity: Severity::Error,
        verdict: Verdict::Unknown,
        about: "The directory names a client that the provider does not have, or one whose kind does not fit the flow. One of \
                the two is not what it seems, so nothing is done.",
        fix: "find out which client the directory uses; a deleted app, another org or a stale view are the usual causes",
        check: |facts| {
            let (provider, directory) = facts.both()?;
            let client_id = directory.client_id.as_deref()?;
            let legacy = facts.legacy_in_use().is_some();
            let service = facts.service_in_use().is_some();
            let lookalike = provider.lookalikes.iter().any(|app| app.client_id.as_deref() == Some(client_id));
            match directory.flow {
                Flow::AuthorizationCode if service => Some(format!(
                    "the directory uses the authorization-code flow with `{client_id}`, which is an API service integration"
                )),
                Flow::AuthorizationCode | Flow::ClientCredentials if !legacy && !service && !lookalike => {
                    Some(format!("the directory connects as `{client_id}`, and the org has no such client of CIE"))
                }
                _ => None,
            }
        },
    },
    Rule {
        id: "client-hidden",
        severity: Severity::Error,
        verdict: Verdict::Unknown,
        about: "The directory uses the client-credential flow and does not show as which client, so it cannot be told whether \
                the right one is in use.",
        fix: "complete the description of the directory so that it shows the client id",
        check: |facts| {
            let (_, directory) = facts.both_in(Flow::ClientCredentials)?;
            let message = || "the directory uses the client-credential flow and does not show its client id".to_owned();
            directory.client_id.is_none().then(message)
        },
    },
    Rule {
        id: "legacy-id-reused",
        severity: Severity::Error,
        verdict: Verdict::Blocked,
        about: "The directory was switched to the client-credential flow with the id of the old OIDC web app. The two are \
                incompatible: the org refuses that client, and the directory does not synchronize.",
        fix: "reconnect the directory with the authorization-code flow and a sign-in, then migrate it with flowswap",
        check: |facts| {
            facts.both_in(Flow::ClientCredentials)?;
            let client = facts.legacy_in_use()?;
            Some(format!(
                "the client-credential flow is used with the legacy client `{}` ({})",
                client.client_id, client.label
            ))
        },
    },
    Rule {
        id: "lookalike-in-use",
        severity: Severity::Error,
        verdict: Verdict::Blocked,
        about: "The directory names an app that has CIE's name and is something else, such as the SAML app of the catalogue.",
        fix: "reconnect the directory with the right app",
        check: |facts| {
            let (provider, directory) = facts.both()?;
            let client_id = directory.client_id.as_deref()?;
            let app = provider.lookalikes.iter().find(|app| app.client_id.as_deref() == Some(client_id))?;
            Some(format!("the directory connects as `{client_id}`, which is the {} app `{}`", app.kind, app.label))
        },
    },
    Rule {
        id: "app-data-without-apps-scope",
        severity: Severity::Error,
        verdict: Verdict::Blocked,
        about: "Enterprise applications are to be collected, and the API service integration in use is the plain one, which \
                may not read them. Their data is missing or stale, and policy that uses it does not match.",
        fix: "install the application-enabled integration and reconnect the directory with its credentials",
        check: |facts| {
            let (_, directory) = facts.both_in(Flow::ClientCredentials)?;
            let client = facts.service_in_use()?;
            let wanted = facts.spec.app_data || directory.app_data == Some(true);
            let message =
                || format!("applications are collected, and `{}` is the {} integration", client.id, client.variant);
            (wanted && client.variant != Variant::ApplicationEnabled).then(message)
        },
    },
    Rule {
        id: "apps-scope-without-app-data",
        severity: Severity::Warning,
        verdict: Verdict::Migrated,
        about: "The application-enabled integration is in use, and applications are not collected. Either the check box was \
                forgotten when the directory was reconnected, or the client may read more than it needs.",
        fix: "set `app_data` to what is wanted; then tick the check box, or reconnect with the plain integration",
        check: |facts| {
            let (_, directory) = facts.both_in(Flow::ClientCredentials)?;
            let client = facts.service_in_use()?;
            let unwanted = match directory.app_data {
                Some(collects) => !collects,
                None => !facts.spec.app_data,
            };
            let message = || format!("`{}` may read applications, and they are not collected", client.id);
            (unwanted && client.variant == Variant::ApplicationEnabled).then(message)
        },
    },
    Rule {
        id: "app-data-differs",
        severity: Severity::Error,
        verdict: Verdict::Blocked,
        about: "The configuration says one thing about enterprise applications and the directory does the other. The variant \
                of the new client follows from it, and choosing wrongly loses application data without an error.",
        fix: "set `app_data` of the tenant to what the directory does, or change the directory first",
        check: |facts| {
            let (_, directory) = facts.both_in(Flow::AuthorizationCode)?;
            let collects = directory.app_data.filter(|collects| *collects != facts.spec.app_data)?;
            let verb = if collects { "collects" } else { "does not collect" };
            Some(format!("`app_data` is {}, and the directory {verb} applications", facts.spec.app_data))
        },
    },
    Rule {
        id: "app-data-unseen",
        severity: Severity::Warning,
        verdict: Verdict::Ready,
        about: "The directory does not show whether it collects enterprise applications, so the variant of the new client rests \
                on the configuration alone. If that is wrong, application data is lost without an error.",
        fix: "look at the check box in the console and set `app_data` to match, or complete the directory's description",
        check: |facts| {
            let (_, directory) = facts.both_in(Flow::AuthorizationCode)?;
            let message = || format!("`app_data` is {}, and the directory does not show its own", facts.spec.app_data);
            directory.app_data.is_none().then(message)
        },
    },
    Rule {
        id: "no-legacy-client",
        severity: Severity::Error,
        verdict: Verdict::Blocked,
        about: "The directory uses the authorization-code flow, and the org has no OIDC web app with CIE's redirect URI. There \
                would be no way back, and nothing to retire.",
        fix: "check that the org is the right one; if the app was deleted, reconnect the directory by hand",
        check: |facts| {
            let (provider, _) = facts.both_in(Flow::AuthorizationCode)?;
            let message = || "the org has no OIDC web app with CIE's redirect URI".to_owned();
            provider.legacy_clients.is_empty().then(message)
        },
    },
    Rule {
        id: "legacy-client-ambiguous",
        severity: Severity::Error,
        verdict: Verdict::Blocked,
        about: "The org has several OIDC web apps with CIE's redirect URI, and the directory does not show which it uses, so it \
                cannot be told which one to retire.",
        fix: "complete the description of the directory so that it shows the client id, or delete the apps that are not used",
        check: |facts| {
            let (provider, directory) = facts.both_in(Flow::AuthorizationCode)?;
            let ambiguous = provider.legacy_clients.len() > 1 && directory.client_id.is_none();
            ambiguous.then(|| format!("{} OIDC web apps have CIE's redirect URI", provider.legacy_clients.len()))
        },
    },
    Rule {
        id: "several-legacy-clients",
        severity: Severity::Warning,
        verdict: Verdict::Ready,
        about: "The org has further OIDC web apps with CIE's redirect URI beside the one that the directory uses. They may belong \
                to other connections. Only the one in use is ever retired.",
        fix: "find out what the other apps are for",
        check: |facts| {
            let (provider, _) = facts.both_in(Flow::AuthorizationCode)?;
            let used = facts.legacy_in_use()?;
            let others: Vec<_> = provider
                .legacy_clients
                .iter()
                .filter(|c| c.id != used.id)
                .map(|c| format!("`{}`", c.client_id))
                .collect();
            (!others.is_empty()).then(|| format!("beside `{}` the org has {}", used.client_id, others.join(", ")))
        },
    },
    Rule {
        id: "legacy-client-shared",
        severity: Severity::Warning,
        verdict: Verdict::Ready,
        about: "The legacy client has several redirect URIs, so further connections, of other regions, may sign in through it. \
                Retiring it would stop them as well.",
        fix: "migrate every connection that uses the app before any of them is finalized",
        check: |facts| {
            facts.both_in(Flow::AuthorizationCode)?;
            let client = facts.legacy_in_use().filter(|client| client.redirect_uris.len() > 1)?;
            Some(format!("`{}` ({}) has {} redirect URIs", client.client_id, client.label, client.redirect_uris.len()))
        },
    },
    Rule {
        id: "legacy-client-left",
        severity: Severity::Warning,
        verdict: Verdict::Migrated,
        about: "The directory is migrated, and the org still has an active OIDC web app with CIE's redirect URI: access that \
                nobody needs any more, unless another connection uses it.",
        fix: "`flowswap finalize` retires the one of a tenant that flowswap migrated; look after others by hand",
        check: |facts| {
            let (provider, _) = facts.both_in(Flow::ClientCredentials)?;
            facts.service_in_use()?;
            let active: Vec<_> = provider
                .legacy_clients
                .iter()
                .filter(|c| c.is_active())
                .map(|c| format!("`{}`", c.client_id))
                .collect();
            (!active.is_empty()).then(|| format!("still active: {}", active.join(", ")))
        },
    },
    Rule {
        id: "legacy-client-inactive",
        severity: Severity::Error,
        verdict: Verdict::Blocked,
        about: "The legacy client is not active: the connection does not synchronize, and it could not be restored.",
        fix: "activate the app in Okta and see the directory synchronize, then plan again",
        check: |facts| {
            facts.both_in(Flow::AuthorizationCode)?;
            let client = facts.legacy_in_use().filter(|client| !client.is_active())?;
            Some(format!("the legacy client `{}` ({}) is {}", client.client_id, client.label, client.status))
        },
    },
    Rule {
        id: "variant-type-unknown",
        severity: Severity::Error,
        verdict: Verdict::Blocked,
        about: "The type key of the API service integration cannot be computed from its name. It is configured, or learnt from \
                an instance that exists in the org.",
        fix: "set `variant_types` of the provider; or install the integration once by hand in any org and read its type there",
        check: |facts| {
            let (provider, _) = facts.both_in(Flow::AuthorizationCode)?;
            let variant = facts.needed_variant();
            let known = provider.variants.iter().any(|known| known.variant == variant);
            (!known).then(|| format!("the type key of the {variant} integration is not known"))
        },
    },
    Rule {
        id: NOT_PLANNABLE,
        severity: Severity::Error,
        verdict: Verdict::Blocked,
        about: "Nothing stands in the way of the tenant, and yet a plugin could not propose its steps.",
        fix: "see the plugin's documentation",
        // Found when a plan is made, and not from what both sides show.
        check: |_| None,
    },
    Rule {
        id: ORG_SHARED,
        severity: Severity::Error,
        verdict: Verdict::Blocked,
        about: "Another tenant is connected to the same org and is migrated first. Two migrations in one org at once could not \
                tell their new clients apart should an answer be lost. The same directory may also be configured twice.",
        fix: "see that it is not the same directory twice; then plan and apply the tenants of one org one after the other",
        // Found when a plan is made, and not from what one tenant shows.
        check: |_| None,
    },
    Rule {
        id: "migration-begun",
        severity: Severity::Error,
        verdict: Verdict::Blocked,
        about: "flowswap has begun to migrate the tenant and has neither finished nor taken it back. A new plan would not know \
                of what was done already.",
        fix: "`flowswap status` shows where it stands and what is next",
        check: |facts| {
            facts.both_in(Flow::AuthorizationCode)?;
            facts.spec.begun.then(|| "a migration was begun and is not finished".to_owned())
        },
    },
    Rule {
        id: "auth-code-flow",
        severity: Severity::Warning,
        verdict: Verdict::Ready,
        about: "The directory uses the OAuth authorization-code flow. Its refresh token lives 90 days from the last sign-in of a \
                person, whether it is used or not; then the directory stops synchronizing in silence.",
        fix: "plan its migration: `flowswap plan -o plan.json`",
        check: |facts| {
            let (_, directory) = facts.both_in(Flow::AuthorizationCode)?;
            Some(format!("the directory `{}` uses the authorization-code flow", directory.name))
        },
    },
    Rule {
        id: "flow-from-provider",
        severity: Severity::Info,
        verdict: Verdict::Ready,
        about: "The directory shows neither its flow nor its client. Which one it uses is known from the provider: only that \
                client gets tokens, or there is no other.",
        fix: "nothing; `record` of the directory can say what the console shows, as a second witness",
        check: |facts| {
            let (provider, directory) = facts.both().filter(|(_, d)| d.known_from == KnownFrom::Provider)?;
            let client = directory.client_id.as_deref().unwrap_or_default();
            Some(match find_used(provider) {
                Some(used) => {
                    format!("the provider shows {}: `{client}` got a token at {}", directory.flow, used.granted_at)
                }
                None => format!("the provider has no client but `{client}`, so it is {}", directory.flow),
            })
        },
    },
    Rule {
        id: "flow-from-record",
        severity: Severity::Info,
        verdict: Verdict::Ready,
        about: "The directory shows neither its flow nor its client. Both are known from the operator's record in the \
                configuration, which nothing contradicts.",
        fix: "nothing; see that `record` is what the console shows today",
        check: |facts| {
            let directory = facts.directory.filter(|directory| directory.known_from == KnownFrom::Record)?;
            Some(format!("the configuration's record says {}", directory.flow))
        },
    },
    Rule {
        id: "directory-name-long",
        severity: Severity::Warning,
        verdict: Verdict::Ready,
        about: "The directory's name has more than 15 characters. Reconnect asks to shorten such a name; whether it does so for a \
                name that is the default domain is not documented. A new name changes the distinguished name of every group, and \
                policy rules, dynamic user groups and Cortex XDR settings that use the old one no longer match.",
        fix: "look at the field Directory Name before Submit; if it must be shortened, plan the change of what refers to it first",
        check: |facts| {
            let (_, directory) = facts.both_in(Flow::AuthorizationCode)?;
            let length = directory.name.chars().count();
            (length > NAME_LENGTH).then(|| format!("the name `{}` has {length} characters", directory.name))
        },
    },
    Rule {
        id: "legacy-token-refused",
        severity: Severity::Warning,
        verdict: Verdict::Ready,
        about: "The org refuses tokens to the legacy client: its refresh token is dead, or the administrator to whom the app is \
                assigned was deactivated or lost the role. The directory does not synchronize, and the way back needs more than \
                a sign-in.",
        fix: "see that the administrator of the app is active and has the role, and sign in once, so that the way back works; or \
              migrate without a way back",
        check: |facts| {
            facts.both_in(Flow::AuthorizationCode)?;
            let tokens = &facts.legacy_in_use()?.tokens;
            let time = |text: &Option<String>| text.as_deref().and_then(times::read);
            let refused = time(&tokens.refused_at)?;
            let is_over = time(&tokens.granted_at).is_some_and(|granted| granted > refused);
            (!is_over).then(|| format!("the last token was refused at {refused}"))
        },
    },
    Rule {
        id: "sync-stale",
        severity: Severity::Warning,
        verdict: Verdict::Ready,
        about: "The directory says that all is well, and its last synchronization was more than a day ago. That is how a dead \
                connection looks: the status keeps its last good word, and policy goes on with old mappings.",
        fix: "look why it does not synchronize; migrating helps where the refresh token is dead",
        check: |facts| {
            let directory = facts.directory.filter(|directory| directory.healthy != Some(false))?;
            let last = times::read(directory.last_success.as_deref()?)?;
            (last + STALE_AFTER < facts.now).then(|| format!("the last synchronization was at {last}"))
        },
    },
    Rule {
        id: "time-unreadable",
        severity: Severity::Warning,
        verdict: Verdict::Ready,
        about: "A time that a side tells cannot be read: it must be written as RFC 3339 says, with its offset, such as \
                `2026-01-01T00:00:00Z`. What follows from it is not known: whether the directory synchronizes, which client gets \
                tokens, how many days are left.",
        fix: "with the rest plugin, point `fields` at a time that is written so; else look at it in the console by hand",
        check: |facts| {
            let unreadable = times::find_unreadable(facts.provider, facts.directory);
            (!unreadable.is_empty()).then(|| unreadable.join("; "))
        },
    },
    Rule {
        id: "deadline-near",
        severity: Severity::Warning,
        verdict: Verdict::Ready,
        about: "The connection dies within two weeks.",
        fix: "migrate this tenant first",
        check: |facts| {
            let days = facts.days_left.filter(|days| (0..=URGENT_DAYS).contains(days))?;
            Some(format!("the connection dies in {days} days"))
        },
    },
    Rule {
        id: "deadline-passed",
        severity: Severity::Warning,
        verdict: Verdict::Ready,
        about: "More than 90 days have passed since a person signed in, so the refresh token is dead. Migrating helps; rolling \
                back would bring a dead connection back.",
        fix: "migrate this tenant first, or sign in once before, so that the way back works",
        check: |facts| {
            let days = facts.days_left.filter(|days| *days < 0)?;
            Some(format!("the last sign-in is more than {} days ago", SIGN_IN_LIFETIME_DAYS - days - 1))
        },
    },
    Rule {
        id: "sync-unhealthy",
        severity: Severity::Warning,
        verdict: Verdict::Ready,
        about: "The directory's last synchronization was not good, so there is no sound state to compare the new one with.",
        fix: "see why before migrating; after it, compare the numbers of users and groups by hand",
        check: |facts| {
            let directory = facts.directory.filter(|directory| directory.healthy == Some(false))?;
            Some(format!("the directory says `{}`", directory.status.as_deref().unwrap_or("unhealthy")))
        },
    },
    Rule {
        id: "unused-service-client",
        severity: Severity::Warning,
        verdict: Verdict::Ready,
        about: "The org has an API service integration of CIE that the directory does not use; perhaps somebody began by hand. \
                Its secret was shown once, so a migration makes a client of its own.",
        fix: "revoke the integration in Okta once it is sure that nothing uses it",
        check: |facts| {
            let (provider, directory) = facts.both()?;
            // What we made ourselves and the directory does not use yet is no puzzle.
            let ours = facts.spec.begun && directory.flow == Flow::AuthorizationCode;
            let unused = |id: &str| directory.client_id.as_deref() != Some(id) && !ours;
            let ids: Vec<_> =
                provider.service_clients.iter().filter(|c| unused(&c.id)).map(|c| format!("`{}`", c.id)).collect();
            (!ids.is_empty()).then(|| format!("the directory does not use {}", ids.join(", ")))
        },
    },
    Rule {
        id: "lookalike-present",
        severity: Severity::Info,
        verdict: Verdict::Ready,
        about: "The org has an app with CIE's name that is something else, such as the SAML app of the catalogue. It is no part of \
                a migration and is never touched.",
        fix: "nothing; do not take it for the legacy client",
        check: |facts| {
            let apps: Vec<_> = facts
                .provider?
                .lookalikes
                .iter()
                .map(|app| format!("`{}` ({}, {})", app.label, app.kind, app.id))
                .collect();
            (!apps.is_empty()).then(|| format!("not to be confused: {}", apps.join(", ")))
        },
    },
    Rule {
        id: "way-back-attended",
        severity: Severity::Info,
        verdict: Verdict::Ready,
        about: "The directory's interface cannot put the previous connection back, so rolling back needs a person who signs in.",
        fix: "have somebody ready who can sign in, if a rollback must be quick",
        check: |facts| {
            let (_, directory) = facts.both_in(Flow::AuthorizationCode)?;
            (!directory.can_restore).then(|| "rolling back needs a person to sign in".to_owned())
        },
    },
    Rule {
        id: "already-migrated",
        severity: Severity::Info,
        verdict: Verdict::Migrated,
        about: "The directory uses the client-credential flow with the right API service integration of the org.",
        fix: "nothing",
        check: |facts| {
            let (_, directory) = facts.both_in(Flow::ClientCredentials)?;
            let client = facts.service_in_use()?;
            let wanted = facts.spec.app_data || directory.app_data == Some(true);
            let is_fit = !wanted || client.variant == Variant::ApplicationEnabled;
            is_fit.then(|| format!("the directory connects as `{}`", client.id))
        },
    },
];
