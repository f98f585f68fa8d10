//! The Okta side of a tenant: finds the legacy client, creates the service client, proves it, retires the old one.
//!
//! The host sends every request to Okta; this library holds no secret and opens no connection. `README.md` lists the
//! permissions that the administrator's token needs and the requests of each step.

mod access;
mod api;
mod apps;
mod assigned;
mod baseline;
mod config;
mod confirm;
mod connected;
mod credential;
mod detect;
mod gone;
mod links;
mod origin;
mod plan;
mod prove;
mod provision;
mod recognize;
mod refusal;
mod retire;
mod roles;
mod rotation;
mod secrets;
mod service_app;
mod system_log;
mod tested;
mod tokens;
mod witness;

use flowswap_contract::{
    ApplyReply, ConfigKey, Error, Inventory, ObserveReply, Open, PROTOCOL, Phase, PlanParams, PluginHello, Role,
    Rotation, StepParams, StepProposal, TestParams, TestReply,
    sdk::{Host, Plugin, unsupported},
};

use crate::{api::Api, config::Config};

/// A session with one Okta org.
pub struct Okta {
    config: Config,
}

impl Okta {
    fn api<'a>(&'a self, host: &'a Host) -> Api<'a> {
        Api::new(host, &self.config)
    }
}

impl Plugin for Okta {
    fn hello() -> PluginHello {
        let key = |name: &str, required, secret, about: &str| ConfigKey {
            name: name.to_owned(),
            required,
            secret,
            about: about.to_owned(),
        };
        PluginHello {
            name: "okta".to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            protocol: PROTOCOL,
            features: vec![],
            roles: vec![Role::Provider],
            config: vec![
                key("domain", true, false, "host name of the org, without scheme and path, such as acme.okta.com"),
                key(
                    "credential",
                    false,
                    true,
                    "an administrator's API token, sent as SSWS; or a service app by the next keys",
                ),
                key("client_id", false, false, "the client ID of a service app, in place of an API token"),
                key("private_key", false, true, "the private key of the service app: PEM, or a JWK"),
                key("key_id", false, false, "the KID of its public key in Okta"),
                key("algorithm", false, false, "how to sign, such as RS256; without it, as usual for the kind of key"),
                key("client_secret", false, true, "its client secret, if the org permits that"),
                key(
                    "dpop",
                    false,
                    false,
                    "whether tokens must be bound to a key (DPoP); without it, as the app wants it",
                ),
                key("variant_types", false, false, "table: OIN type keys of `plain` and `application-enabled`"),
                key("scopes", false, false, "table: scopes of each variant, instead of the learned or documented ones"),
            ],
            origins: vec!["https://{domain}".to_owned()],
            token_paths: vec![prove::TOKEN.to_owned()],
            headers: Some(api::limits()),
        }
    }

    fn open(open: Open) -> Result<Self, Error> {
        Ok(Self { config: Config::read(&open)? })
    }

    async fn detect(&self, host: &Host) -> Result<Inventory, Error> {
        detect::detect(&self.api(host), &self.config).await.map(Inventory::Provider)
    }

    async fn detect_with_secrets(&self, host: &Host) -> Result<Inventory, Error> {
        detect::detect_with_secrets(&self.api(host), &self.config).await.map(Inventory::Provider)
    }

    fn plan(&self, params: PlanParams) -> Result<Vec<StepProposal>, Error> {
        plan::propose(&params)
    }

    fn plan_rotation(&self, params: PlanParams, rotation: Rotation) -> Result<Vec<StepProposal>, Error> {
        rotation::propose(&params, &rotation)
    }

    async fn observe(&self, host: &Host, params: StepParams) -> Result<ObserveReply, Error> {
        let api = self.api(host);
        match params.step.proposal.phase {
            Phase::Provision if params.rotation.is_some() => rotation::observe(&api, &params).await,
            Phase::Swap if params.rotation.is_some() => rotation::observe_swap(&api, &params).await,
            Phase::Retire if params.rotation.is_some() => rotation::observe_inactive(&api, &params).await,
            Phase::Purge if params.rotation.is_some() => rotation::observe_deleted(&api, &params).await,
            Phase::Provision => provision::observe(&api, &params).await,
            // The swap is the directory's step. Okta observes it where the directory does not show its connection
            // (`StepProposal::seen_by`), or as a second opinion before a client is removed.
            Phase::Swap if params.step.proposal.seen_by == Some(Role::Provider) => {
                witness::observe_swap(&api, &params).await
            }
            Phase::Swap => connected::observe(&api, &params).await,
            Phase::Retire => retire::observe_retired(&api, &params).await,
            Phase::Purge => retire::observe_purged(&api, &params).await,
            other => Err(unsupported(&format!("observe of {other}"))),
        }
    }

    async fn apply(&self, host: &Host, params: StepParams) -> Result<ApplyReply, Error> {
        let api = self.api(host);
        match params.step.proposal.phase {
            Phase::Provision if params.rotation.is_some() => rotation::apply(&api, &params).await,
            Phase::Retire if params.rotation.is_some() => rotation::deactivate(&api, &params).await,
            Phase::Purge if params.rotation.is_some() => rotation::delete(&api, &params).await,
            Phase::Provision => provision::apply(&api, &params).await,
            Phase::Retire => retire::deactivate(&api, &params).await,
            Phase::Purge => retire::delete(&api, &params).await,
            other => Err(unsupported(&format!("apply of {other}"))),
        }
    }

    async fn undo(&self, host: &Host, params: StepParams) -> Result<ApplyReply, Error> {
        let api = self.api(host);
        match params.step.proposal.phase {
            Phase::Provision if params.rotation.is_some() => rotation::undo(&api, &params).await,
            Phase::Retire if params.rotation.is_some() => rotation::activate(&api, &params).await,
            Phase::Provision => provision::undo(&api, &params).await,
            Phase::Retire => retire::activate(&api, &params).await,
            other => Err(unsupported(&format!("undo of {other}"))),
        }
    }

    async fn test(&self, host: &Host, params: TestParams) -> Result<TestReply, Error> {
        let api = self.api(host);
        let evidence = match &params.step {
            None => access::check(&api).await,
            Some(step) => match step.step.proposal.phase {
                Phase::Prove => prove::prove(&api, step).await?,
                Phase::Baseline => return baseline::take(&api, step).await,
                Phase::Test => return tested::note_org_time(&api, step).await,
                Phase::Confirm if step.rotation.is_some() => return rotation::confirm(&api, step).await,
                Phase::Confirm => return confirm::confirm(&api, step).await,
                other => return Err(unsupported(&format!("test of {other}"))),
            },
        };
        Ok(TestReply { evidence, ..TestReply::default() })
    }
}

flowswap_contract::export_plugin!(Okta);
