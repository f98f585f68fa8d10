//! The directory side of a tenant in Cloud Identity Engine itself. Its public interface cannot switch the flow of a
//! connection, so a person does one *Reconnect* in the console. This plugin prepares that, writes the run sheet, and
//! proves afterwards that nothing was lost. `README.md` documents every key.

mod access;
mod api;
mod baseline;
mod compare;
mod config;
mod confirm;
mod detect;
mod domains;
mod people;
mod plan;
mod ready;
mod refusal;
mod rotation;
mod sheet;
mod swap;
mod sync;
mod table;
mod update_secret;

use std::cell::RefCell;

use flowswap_contract::{
    ApplyReply, ConfigKey, Error, Inventory, ObserveReply, Open, PROTOCOL, Phase, PlanParams, PluginHello, Role,
    Rotation, StepParams, StepProposal, TestParams, TestReply,
    sdk::{Host, Plugin, unsupported},
};

use crate::{
    api::{Api, Token},
    config::{API_URL, AUTH_URL, Config},
};

/// A session with one directory.
pub struct CieGuided {
    config: Config,
    /// Kept between calls: a token lives longer than a call, and a session longer than a token.
    token: RefCell<Option<Token>>,
}

impl CieGuided {
    fn api<'a>(&'a self, host: &'a Host) -> Api<'a> {
        Api::new(host, &self.config, &self.token)
    }
}

impl Plugin for CieGuided {
    fn hello() -> PluginHello {
        let config = config::KEYS.iter().map(|&(name, required, about)| ConfigKey {
            name: name.to_owned(),
            required,
            secret: name == "client_secret",
            about: about.to_owned(),
        });
        PluginHello {
            name: "cie-guided".to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            protocol: PROTOCOL,
            features: vec![],
            roles: vec![Role::Directory],
            config: config.collect(),
            origins: [AUTH_URL, API_URL, "{auth_url}", "{api_url}"].map(str::to_owned).to_vec(),
            token_paths: vec![api::TOKEN.to_owned()],
            // No public source says which headers the interface has for rate limits and request ids.
            headers: None,
        }
    }

    fn open(open: Open) -> Result<Self, Error> {
        Ok(Self { config: Config::read(&open)?, token: RefCell::default() })
    }

    async fn detect(&self, host: &Host) -> Result<Inventory, Error> {
        detect::detect(&self.api(host), &self.config).await.map(Inventory::Directory)
    }

    fn plan(&self, params: PlanParams) -> Result<Vec<StepProposal>, Error> {
        plan::propose(&params, &self.config)
    }

    fn plan_rotation(&self, params: PlanParams, rotation: Rotation) -> Result<Vec<StepProposal>, Error> {
        rotation::propose(&params, &rotation, &self.config)
    }

    async fn observe(&self, host: &Host, params: StepParams) -> Result<ObserveReply, Error> {
        match params.step.proposal.phase {
            Phase::Swap => swap::observe(&self.api(host), &params).await,
            other => Err(unsupported(&format!("observe of {other}"))),
        }
    }

    async fn apply(&self, host: &Host, params: StepParams) -> Result<ApplyReply, Error> {
        match params.step.proposal.phase {
            Phase::Swap if params.rotation.is_some() => rotation::apply(&self.api(host), &params).await,
            Phase::Swap => swap::apply(&params),
            other => Err(unsupported(&format!("apply of {other}"))),
        }
    }

    async fn undo(&self, host: &Host, params: StepParams) -> Result<ApplyReply, Error> {
        match params.step.proposal.phase {
            Phase::Swap if params.rotation.is_some() => rotation::undo(&self.api(host), &params).await,
            Phase::Swap => swap::undo(&params),
            other => Err(unsupported(&format!("undo of this {other}"))),
        }
    }

    async fn test(&self, host: &Host, params: TestParams) -> Result<TestReply, Error> {
        let api = self.api(host);
        match &params.step {
            None => Ok(TestReply { evidence: access::check(&api, &self.config).await, ..TestReply::default() }),
            Some(step) => match step.step.proposal.phase {
                Phase::Baseline => baseline::take(&api, step).await,
                Phase::Test => ready::check(&api, step).await,
                Phase::Confirm if step.rotation.is_some() => rotation::confirm(&api, step).await,
                Phase::Confirm => confirm::confirm(&api, step).await,
                other => Err(unsupported(&format!("test of {other}"))),
            },
        }
    }
}

flowswap_contract::export_plugin!(CieGuided);
