//! The table of rules: id, severity, verdict, what was seen, what to do. Reports list findings in this order.

use flowswap_contract::{Flow, KnownFrom, Variant};

use jiff::SignedDuration;

use super::{Facts, SIGN_IN_LIFETIME_DAYS, Severity, people, reconcile::find_used, times};
use crate::Verdict;

/// The rules about a connection that is dead already. Migrating such a tenant can be right, but its rollback restores something
/// dead, and there may be no sound state to compare the new one with. So a person accepts them in the configuration.
pub const ACCEPTABLE: [&str; 2] = ["legacy-token-refused", "deadline-passed"];

/// A directory synchronizes every five minutes, and completely every week (PAN, "Directories page"). If it has not
/// synchronized for this long, it has stopped.
const STALE_AFTER: SignedDuration = SignedDuration::from_hours(24);

/// The most characters that Reconnect accepts in a directory's name (PAN, "Reconnect Okta Directory").
const NAME_LENGTH: usize = 15;

/// The id of the rule for a tenant that a plugin cannot plan. Only making a plan matches it.
pub(crate) const NOT_PLANNABLE: &str = "not-plannable";

/// The id of the rule for tenants of one plan that share an org.
pub(crate) const ORG_SHARED: &str = "org-shared";

/// The id of the rule for a provider that did not answer. The error's hint replaces the rule's fix.
pub(super) const PROVIDER_UNREADABLE: &str = "provider-unreadable";

/// The same for a directory.
pub(super) const DIRECTORY_UNREADABLE: &str = "directory-unreadable";

/// A rule of the assessment.
pub struct Rule {
    /// Never changes its meaning; scripts may rely on it.
    pub id: &'static str,
    /// How much a match matters.
    pub severity: Severity,
    /// The least severe verdict of a tenant that matches.
    pub verdict: Verdict,
    /// What the rule is about, for `flowswap explain`.
    pub about: &'static str,
    /// What to do about a match.
    pub fix: &'static str,
    /// What was seen, if the rule matches.
    pub check: fn(&Facts<'_>) -> Option<String>,
}

/// Every rule that is matched by what both sides show, or by making a plan.
pub const RULES: &[Rule] = &[
    Rule {
        id: "domain-malformed",
        severity: Severity::Error,
        verdict: Verdict::Blocked,
        about: "The configured domain is not the bare host name of an Okta org. CIE stores the domain with the \
                connection and cannot change it later. So flowswap contacts nothing until the domain is right.",
        fix: "write only the org's host name, such as `acme.okta.com`: no scheme, no path, not the `-admin` host",
        check: |facts| facts.domain_defect.clone(),
    },
    Rule {
        id: PROVIDER_UNREADABLE,
        severity: Severity::Error,
        verdict: Verdict::Unknown,
        about: "The provider did not answer as expected, so flowswap knows nothing about its clients.",
        fix: "run `flowswap check` and fix what it reports",
        check: |facts| {
            let error = facts.inventories.provider.as_ref().err().filter(|_| facts.domain_defect.is_none())?;
            Some(format!("could not read the provider: {error}"))
        },
    },
    Rule {
        id: DIRECTORY_UNREADABLE,
        severity: Severity::Error,
        verdict: Verdict::Unknown,
        about: "The directory did not answer as expected, so flowswap does not know which flow it uses.",
        fix: "run `flowswap check` and fix what it reports",
        check: |facts| {
            let error = facts.inventories.directory.as_ref().err().filter(|_| facts.domain_defect.is_none())?;
            Some(format!("could not read the directory: {error}"))
        },
    },
    Rule {
        id: "not-okta",
        severity: Severity::Info,
        verdict: Verdict::NotApplicable,
        about: "The directory is connected to another kind of provider, or by SCIM.",
        fix: "remove the tenant from the configuration",
        check: |facts| {
            let directory = facts.directory.filter(|directory| directory.flow == Flow::NotOkta)?;
            Some(format!("the directory `{}` is not an Okta directory", directory.name))
        },
    },
    Rule {
        id: "flow-unknown",
        severity: Severity::Error,
        verdict: Verdict::Unknown,
        about: "The directory shows no flow, or it shows a value that the configuration does not map to a flow.",
        fix: "check the connection in the console; with the rest plugin, add the missing value to its `flows` table",
        check: |facts| {
            let directory = facts.directory.filter(|directory| directory.flow == Flow::Unknown)?;
            Some(format!("flowswap cannot tell which flow the directory `{}` uses", directory.name))
        },
    },
    Rule {
        id: "record-contradicted",
        severity: Severity::Error,
        verdict: Verdict::Unknown,
        about: "The directory does not show its connection. `record` in the configuration names one flow, but the \
                provider's log shows that a client of the other flow gets the tokens. One of the two is out of date.",
        fix: "check the connection in the console; then correct or remove `record` of the directory",
        check: |facts| {
            let (provider, directory) = facts.both().filter(|(_, d)| d.known_from == KnownFrom::Record)?;
            let used = find_used(provider).filter(|used| used.flow != directory.flow)?;
            Some(format!(
                "`record` says {}, but `{}` got a token with {} at {}",
                directory.flow, used.client_id, used.flow, used.granted_at
            ))
        },
    },
    Rule {
        id: "domain-mismatch",
        severity: Severity::Error,
        verdict: Verdict::Unknown,
        about: "The directory is connected to an org other than the one in the configuration. What one side shows \
                says nothing about the other side.",
        fix: "configure the org that the directory is connected to; reconnecting cannot change a directory's domain",
        check: |facts| {
            let (provider, directory) = facts.both().filter(|(_, directory)| directory.flow != Flow::NotOkta)?;
            let mut names = provider.aliases.iter().chain([&provider.domain, &facts.spec.domain]);
            let same = names.any(|name| directory.domain.eq_ignore_ascii_case(name));
            let message = || {
                format!("the directory is connected to `{}`, but the org is `{}`", directory.domain, provider.domain)
            };
            (!same).then(message)
        },
    },
    Rule {
        id: "witnesses-disagree",
        severity: Severity::Error,
        verdict: Verdict::Unknown,
        about: "The directory names a client that the provider does not have, or a client of the wrong kind for the \
                flow. One of the two sides is wrong, so flowswap does nothing.",
        fix: "check in the console which client the directory uses; usual causes are a deleted app, the wrong org, or an \
              outdated view",
        check: |facts| {
            let (provider, directory) = facts.both()?;
            let client_id = directory.client_id.as_deref()?;
            let legacy = facts.legacy_in_use().is_some();
            let service = facts.service_in_use().is_some();
            let lookalike = provider.lookalikes.iter().any(|app| app.client_id.as_deref() == Some(client_id));
            match directory.flow {
                Flow::AuthorizationCode if service => Some(format!(
                    "the directory uses the authorization-code flow, but its client `{client_id}` is an API service integration"
                )),
                Flow::AuthorizationCode | Flow::ClientCredentials if !legacy && !service && !lookalike => {
                    Some(format!("the directory uses the client `{client_id}`, but the org has no such client of CIE"))
                }
                _ => None,
            }
        },
    },
    Rule {
        id: "client-hidden",
        severity: Severity::Error,
        verdict: Verdict::Unknown,
        about: "The directory uses the client-credential flow but does not show its client. flowswap cannot tell \
                whether it uses the right one.",
        fix: "complete the directory's description so that it shows the client ID",
        check: |facts| {
            let (_, directory) = facts.both_in(Flow::ClientCredentials)?;
            let message = || "the directory uses the client-credential flow but does not show its client ID".to_owned();
            directory.client_id.is_none().then(message)
        },
    },
    Rule {
        id: "legacy-id-reused",
        severity: Severity::Error,
        verdict: Verdict::Blocked,
        about: "The directory was switched to the client-credential flow with the client ID of the legacy OIDC web \
                app. That cannot work: the org refuses this client, and the directory does not synchronize.",
        fix: "reconnect the directory with the authorization-code flow and a sign-in, then migrate it with flowswap",
        check: |facts| {
            facts.both_in(Flow::ClientCredentials)?;
            let client = facts.legacy_in_use()?;
            Some(format!(
                "the directory uses the client-credential flow with the legacy client `{}` ({})",
                client.client_id, client.label
            ))
        },
    },
    Rule {
        id: "lookalike-in-use",
        severity: Severity::Error,
        verdict: Verdict::Blocked,
        about: "The directory names an app that has CIE's name but is something else, such as the SAML app from the \
                catalog.",
        fix: "reconnect the directory with the right app",
        check: |facts| {
            let (provider, directory) = facts.both()?;
            let client_id = directory.client_id.as_deref()?;
            let app = provider.lookalikes.iter().find(|app| app.client_id.as_deref() == Some(client_id))?;
            Some(format!("the directory uses the client `{client_id}`, which is the {} app `{}`", app.kind, app.label))
        },
    },
    Rule {
        id: "app-data-without-apps-scope",
        severity: Severity::Error,
        verdict: Verdict::Blocked,
        about: "The tenant needs data of enterprise applications, but its API service integration is the plain one, \
                which cannot read them. Application data is missing or stale, and policy that uses it does not \
                match.",
        fix: "install the application-enabled integration and reconnect the directory with its credentials",
        check: |facts| {
            let (_, directory) = facts.both_in(Flow::ClientCredentials)?;
            let client = facts.service_in_use()?;
            let wanted = facts.spec.app_data || directory.app_data == Some(true);
            let message =
                || format!("applications must be collected, but `{}` is the {} integration", client.id, client.variant);
            (wanted && client.variant != Variant::ApplicationEnabled).then(message)
        },
    },
    Rule {
        id: "apps-scope-without-app-data",
        severity: Severity::Warning,
        verdict: Verdict::Migrated,
        about: "The directory uses the application-enabled integration but does not collect applications. Either \
                nobody selected the check box at the reconnect, or the client may read more than it needs.",
        fix: "set `app_data` to what you want; then select the check box, or reconnect with the plain integration",
        check: |facts| {
            let (_, directory) = facts.both_in(Flow::ClientCredentials)?;
            let client = facts.service_in_use()?;
            let unwanted = match directory.app_data {
                Some(collects) => !collects,
                None => !facts.spec.app_data,
            };
            let message = || format!("`{}` may read applications, but the directory does not collect them", client.id);
            (unwanted && client.variant == Variant::ApplicationEnabled).then(message)
        },
    },
    Rule {
        id: "app-data-differs",
        severity: Severity::Error,
        verdict: Verdict::Blocked,
        about: "The configuration and the directory disagree about enterprise applications. This setting decides the \
                variant of the new client. The wrong variant loses application data without an error.",
        fix: "set the tenant's `app_data` to what the directory does, or change the directory first",
        check: |facts| {
            let (_, directory) = facts.both_in(Flow::AuthorizationCode)?;
            let collects = directory.app_data.filter(|collects| *collects != facts.spec.app_data)?;
            let verb = if collects { "collects" } else { "does not collect" };
            Some(format!("`app_data` is {}, but the directory {verb} applications", facts.spec.app_data))
        },
    },
    Rule {
        id: "app-data-unseen",
        severity: Severity::Warning,
        verdict: Verdict::Ready,
        about: "The directory does not show whether it collects enterprise applications. The variant of the new \
                client depends on the configuration alone. If the configuration is wrong, application data is lost \
                without an error.",
        fix: "set `app_data` to match the check box in the console, or complete the directory's description",
        check: |facts| {
            let (_, directory) = facts.both_in(Flow::AuthorizationCode)?;
            let message =
                || format!("`app_data` is {}, but the directory does not show its own setting", facts.spec.app_data);
            directory.app_data.is_none().then(message)
        },
    },
    Rule {
        id: "no-legacy-client",
        severity: Severity::Error,
        verdict: Verdict::Blocked,
        about: "The directory uses the authorization-code flow, but the org has no OIDC web app with CIE's redirect \
                URI. There would be nothing to roll back to, and nothing to retire.",
        fix: "check that this is the right org; if the app was deleted, reconnect the directory by hand",
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
        about: "The org has several OIDC web apps with CIE's redirect URI, and the directory does not show which one \
                it uses. flowswap cannot tell which one to retire.",
        fix: "complete the directory's description so that it shows the client ID, or delete the unused apps",
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
        about: "Besides the OIDC web app that the directory uses, the org has others with CIE's redirect URI. They \
                may belong to other connections. flowswap only ever retires the one in use.",
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
            (!others.is_empty()).then(|| format!("besides `{}`, the org has {}", used.client_id, others.join(", ")))
        },
    },
    Rule {
        id: "legacy-client-shared",
        severity: Severity::Warning,
        verdict: Verdict::Ready,
        about: "The legacy client has several redirect URIs. Each is that of a connection in another region, or of another \
                program, which may sign in through the same client. Retiring it would stop them too.",
        fix: "configure each of these connections as a tenant, and migrate all of them before you finalize any",
        check: |facts| {
            facts.both_in(Flow::AuthorizationCode)?;
            let client = facts.legacy_in_use().filter(|client| client.redirect_uris.len() > 1)?;
            let hosts = client.redirect_uris.iter().map(|uri| host_of(uri)).collect::<Vec<_>>().join(", ");
            Some(format!("`{}` ({}) serves sign-ins of {hosts}", client.client_id, client.label))
        },
    },
    Rule {
        id: "legacy-admin-lost",
        severity: Severity::Warning,
        verdict: Verdict::Ready,
        about: "The connection lives on the account of the administrator who signed in. Once this account is deactivated or loses its \
                role, the org refuses the refresh token. Nobody can sign in for a rollback without such an account either. \
                flowswap sees who is assigned to the legacy client, but not who of them signed in.",
        fix: "migrate this tenant soon; until then, keep one active administrator assigned to the app, who signs in again",
        check: |facts| {
            facts.both_in(Flow::AuthorizationCode)?;
            let client = facts.legacy_in_use().filter(|client| client.is_active())?;
            people::find_unfit(client)
        },
    },
    Rule {
        id: "refresh-token-settings",
        severity: Severity::Warning,
        verdict: Verdict::Ready,
        about: "The vendor's documents require that the legacy client may use refresh tokens, and that these stay the same. Without \
                them the connection lives for an hour. With rotation, one lost answer leaves the directory with a dead token.",
        fix: "nothing for the migration; for a rollback, select Refresh Token and “Use persistent token” on the app's page",
        check: |facts| {
            facts.both_in(Flow::AuthorizationCode)?;
            let client = facts.legacy_in_use()?;
            if !client.grant_types.iter().any(|grant| grant == "refresh_token") {
                return Some(format!("`{}` may not use refresh tokens", client.client_id));
            }
            let rotates = client.refresh_token_rotation.as_deref() == Some("ROTATE");
            rotates.then(|| format!("`{}` gets a new refresh token with each use", client.client_id))
        },
    },
    Rule {
        id: "scopes-missing",
        severity: Severity::Warning,
        verdict: Verdict::Ready,
        about: "The client that the directory uses lacks scopes that the vendor's documents name. Data of that kind is missing in the \
                directory, or stale.",
        fix: "grant them to a legacy client before you plan, so that the baseline is complete; a service client must be replaced, because \
              its scopes cannot change",
        check: |facts| {
            let (client, scopes, need) = facts.scopes_in_use()?;
            let missing: Vec<_> = need.required.iter().filter(|scope| !scopes.contains(scope)).cloned().collect();
            (!missing.is_empty()).then(|| format!("`{client}` lacks {}", missing.join(", ")))
        },
    },
    Rule {
        id: "scopes-unneeded",
        severity: Severity::Warning,
        verdict: Verdict::Ready,
        about: "The client that the directory uses has scopes that the vendor's documents do not name. A client should have no more rights \
                than it needs. The new client of a migration does not get them.",
        fix: "find out whether another program uses this client; if not, revoke these scopes in Okta",
        check: |facts| {
            let (client, scopes, need) = facts.scopes_in_use()?;
            let is_needed = |scope: &&String| need.required.contains(scope) || need.optional.contains(scope);
            let unneeded: Vec<_> = scopes.iter().filter(|scope| !is_needed(scope)).cloned().collect();
            (!unneeded.is_empty()).then(|| format!("`{client}` also has {}", unneeded.join(", ")))
        },
    },
    Rule {
        id: "legacy-client-left",
        severity: Severity::Warning,
        verdict: Verdict::Migrated,
        about: "The directory is migrated, but the org still has an active OIDC web app with CIE's redirect URI. \
                Nobody needs this access any more, unless another connection uses it.",
        fix: "to retire the app of a tenant that flowswap migrated, run `flowswap finalize TENANT`; handle other apps \
              by hand",
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
        about: "The legacy client is not active. The connection does not synchronize, and a rollback could not \
                restore it.",
        fix: "activate the app in Okta, wait until the directory synchronizes, then plan again",
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
        about: "flowswap cannot compute the type key of the API service integration from its name. It takes the key \
                from the configuration, or from an instance that exists in the org. Okta's API description makes such keys of the \
                name, in lower case and with underscores. But a recorded key of another vendor has another form, so flowswap never \
                creates a client with a key that it made up.",
        fix: "set `variant_types` of the provider. To learn the key, install the integration once by hand in any org, and run `flowswap \
              detect` for that org: it prints the key. Or try `palo_alto_networks_cloud_identity_engine` in a test org",
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
        about: "Nothing blocks the tenant, but a plugin could not propose its steps.",
        fix: "read the plugin's documentation",
        // Matched when a plan is made, not by what both sides show.
        check: |_| None,
    },
    Rule {
        id: ORG_SHARED,
        severity: Severity::Error,
        verdict: Verdict::Blocked,
        about: "Another tenant is connected to the same org and is migrated first. If an answer were lost, flowswap \
                could not tell the new clients of two migrations in one org apart. The same directory may also be \
                configured twice.",
        fix: "check that the same directory is not configured twice; then plan and apply the tenants of one org one \
              after the other",
        // It takes more than one tenant: see `find_shared_orgs`.
        check: |_| None,
    },
    Rule {
        id: "migration-begun",
        severity: Severity::Error,
        verdict: Verdict::Blocked,
        about: "flowswap has started to migrate the tenant and has neither finished nor rolled back. A new plan \
                would not know what is already done.",
        fix: "run `flowswap status` to see where the tenant stands and what is next",
        check: |facts| {
            facts.both_in(Flow::AuthorizationCode)?;
            facts.spec.begun.then(|| "a migration was started and is not finished".to_owned())
        },
    },
    Rule {
        id: "auth-code-flow",
        severity: Severity::Warning,
        verdict: Verdict::Ready,
        about: "The directory uses the OAuth authorization-code flow. Its refresh token lives 90 days from the last \
                sign-in of a person, whether it is used or not. Then the directory stops synchronizing without an \
                error.",
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
        about: "The directory shows neither its flow nor its client. flowswap knows them from the provider: only \
                this client gets tokens, or there is no other client.",
        fix: "nothing; for a second source, set `record` of the directory to what the console shows",
        check: |facts| {
            let (provider, directory) = facts.both().filter(|(_, d)| d.known_from == KnownFrom::Provider)?;
            let client = directory.client_id.as_deref().unwrap_or_default();
            Some(match find_used(provider) {
                Some(used) => {
                    format!("the provider shows {}: `{client}` got a token at {}", directory.flow, used.granted_at)
                }
                None => format!("the provider has no client except `{client}`, so the flow is {}", directory.flow),
            })
        },
    },
    Rule {
        id: "flow-from-record",
        severity: Severity::Info,
        verdict: Verdict::Ready,
        about: "The directory shows neither its flow nor its client. flowswap knows them from `record` in the \
                configuration, and nothing contradicts it.",
        fix: "nothing; check that `record` still matches what the console shows",
        check: |facts| {
            let directory = facts.directory.filter(|directory| directory.known_from == KnownFrom::Record)?;
            Some(format!("`record` in the configuration says {}", directory.flow))
        },
    },
    Rule {
        id: "directory-name-long",
        severity: Severity::Warning,
        verdict: Verdict::Ready,
        about: "The directory's name has more than 15 characters. Reconnect asks you to shorten such a name. No document \
                says whether it does so for the default name, which is the domain. A new name changes the \
                distinguished name of every group. Policy rules, dynamic user groups, and Cortex XDR settings that \
                use the old names no longer match.",
        fix: "check the field Directory Name before Submit; if you must shorten the name, first plan the change of \
              everything that refers to it",
        check: |facts| {
            let (_, directory) = facts.both_in(Flow::AuthorizationCode)?;
            let length = directory.name.chars().count();
            (length > NAME_LENGTH).then(|| format!("the name `{}` has {length} characters", directory.name))
        },
    },
    Rule {
        id: "legacy-token-refused",
        severity: Severity::Error,
        verdict: Verdict::Blocked,
        about: "The org refuses tokens to the legacy client. Its refresh token is dead, or the app's administrator \
                was deactivated or lost the role. The directory does not synchronize, and a rollback needs more than \
                a sign-in.",
        fix: "check the app's administrator, and sign in once in the console; to migrate without a rollback that works, \
              write `accept = [\"legacy-token-refused\"]`",
        check: |facts| {
            facts.both_in(Flow::AuthorizationCode)?;
            // The org gives no tokens to an inactive client, which has a rule of its own.
            let tokens = &facts.legacy_in_use().filter(|client| client.is_active())?.tokens;
            let time = |text: &Option<String>| text.as_deref().and_then(times::read);
            let refused = time(&tokens.refused_at)?;
            let is_over = time(&tokens.granted_at).is_some_and(|granted| granted > refused);
            (!is_over).then(|| format!("the org last refused a token at {refused}"))
        },
    },
    Rule {
        id: "sync-stale",
        severity: Severity::Warning,
        verdict: Verdict::Ready,
        about: "The directory reports no problem, but its last synchronization was more than a day ago. A dead \
                connection looks like this: the status keeps its last good value, and policy keeps using old \
                mappings.",
        fix: "find out why the directory does not synchronize; migrating helps if the refresh token is dead",
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
        about: "A side shows a time that flowswap cannot read. A time must follow RFC 3339 and have an offset, such \
                as `2026-01-01T00:00:00Z`. flowswap may therefore not know whether the directory synchronizes, which \
                client gets tokens, or how many days are left.",
        fix: "with the rest plugin, point `fields` at a time in this format; otherwise check the time in the console",
        check: |facts| {
            let unreadable = times::find_unreadable(facts.provider, facts.directory);
            (!unreadable.is_empty()).then(|| unreadable.join("; "))
        },
    },
    Rule {
        id: "deadline-near",
        severity: Severity::Warning,
        verdict: Verdict::Ready,
        about: "The connection stops working soon. `detect --warn-days` says how soon that is.",
        fix: "migrate this tenant first",
        check: |facts| {
            let days = facts.days_left.filter(|days| (0..=facts.warn_days).contains(days))?;
            Some(format!("the connection stops working in {days} days"))
        },
    },
    Rule {
        id: "deadline-passed",
        severity: Severity::Error,
        verdict: Verdict::Blocked,
        about: "More than 90 days have passed since a person signed in, so the refresh token is dead. Migrating \
                helps. But a rollback would restore a dead connection, and what the directory has may be out of date.",
        fix: "sign in once in the console, and let the directory synchronize; to migrate without a rollback that works, \
              write `accept = [\"deadline-passed\"]`",
        check: |facts| {
            let days = facts.days_left.filter(|days| *days < 0)?;
            Some(format!("the last sign-in is more than {} days ago", SIGN_IN_LIFETIME_DAYS - days - 1))
        },
    },
    Rule {
        id: "sync-unhealthy",
        severity: Severity::Warning,
        verdict: Verdict::Ready,
        about: "The directory's last synchronization was not healthy, so there is no sound state to compare the new \
                one with.",
        fix: "find out why before you migrate; afterwards, compare the numbers of users and groups by hand",
        check: |facts| {
            let directory = facts.directory.filter(|directory| directory.healthy == Some(false))?;
            Some(format!("the directory reports `{}`", directory.status.as_deref().unwrap_or("unhealthy")))
        },
    },
    Rule {
        id: "unused-service-client",
        severity: Severity::Warning,
        verdict: Verdict::Ready,
        about: "The org has an API service integration of CIE that the directory does not use. Perhaps somebody \
                started by hand. Its secret was shown only once, so a migration creates its own client.",
        fix: "revoke the integration in Okta once you are sure that nothing uses it",
        check: |facts| {
            let (provider, directory) = facts.both()?;
            // A client that flowswap made and the directory does not use yet needs no explanation.
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
        about: "The org has an app with CIE's name that is something else, such as the SAML app from the catalog. It \
                is not part of a migration, and flowswap never touches it.",
        fix: "nothing; do not mistake it for the legacy client",
        check: |facts| {
            let apps: Vec<_> = facts
                .provider?
                .lookalikes
                .iter()
                .map(|app| format!("`{}` ({}, {})", app.label, app.kind, app.id))
                .collect();
            (!apps.is_empty()).then(|| format!("not the legacy client: {}", apps.join(", ")))
        },
    },
    Rule {
        id: "way-back-attended",
        severity: Severity::Info,
        verdict: Verdict::Ready,
        about: "The directory's interface cannot restore the previous connection, so a rollback needs a person who \
                signs in.",
        fix: "have somebody ready to sign in if a rollback must be quick",
        check: |facts| {
            let (_, directory) = facts.both_in(Flow::AuthorizationCode)?;
            (!directory.can_restore).then(|| "a rollback needs a person who signs in".to_owned())
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
            is_fit.then(|| format!("the directory uses the client `{}`", client.id))
        },
    },
];

/// The host of a URI, or the whole URI if it has none.
fn host_of(uri: &str) -> &str {
    uri.split_once("://").and_then(|(_, rest)| rest.split('/').next()).unwrap_or(uri)
}
