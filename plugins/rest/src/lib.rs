//! The directory side of a tenant behind any JSON-over-HTTPS interface, such as an owner's automation gateway in
//! front of the Cloud Identity Engine console. The tenant's `directory` table describes what to send and where to look
//! in the answers. `README.md` documents every key.

mod access;
mod api;
mod config;
mod confirm;
mod detect;
mod fields;
mod plan;
mod rotation;
mod shown_time;
mod swap;
mod table;
mod template;
mod test_connection;

use flowswap_contract::{
    ApplyReply, ConfigKey, Error, Inventory, ObserveReply, Open, PROTOCOL, Phase, PlanParams, PluginHello, Role,
    Rotation, StepParams, StepProposal, TestParams, TestReply,
    sdk::{Host, Plugin, unsupported},
};

use crate::{api::Api, config::Config};

/// A session with one directory.
pub struct Rest {
    config: Config,
}

impl Rest {
    fn api<'a>(&'a self, host: &'a Host) -> Api<'a> {
        Api { host, config: &self.config }
    }
}

impl Plugin for Rest {
    fn hello() -> PluginHello {
        let config = config::KEYS.iter().map(|&(name, required, about)| ConfigKey {
            name: name.to_owned(),
            required,
            secret: name == "credential",
            about: about.to_owned(),
        });
        PluginHello {
            name: "rest".to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            protocol: PROTOCOL,
            features: vec![],
            roles: vec![Role::Directory],
            config: config.collect(),
            origins: vec!["{base_url}".to_owned()],
            token_paths: vec![],
            headers: None,
        }
    }

    fn open(open: Open) -> Result<Self, Error> {
        Ok(Self { config: Config::read(&open)? })
    }

    async fn detect(&self, host: &Host) -> Result<Inventory, Error> {
        detect::detect(&self.api(host)).await.map(Inventory::Directory)
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
            Phase::Swap => swap::apply(&self.api(host), &params).await,
            other => Err(unsupported(&format!("apply of {other}"))),
        }
    }

    async fn undo(&self, host: &Host, params: StepParams) -> Result<ApplyReply, Error> {
        match params.step.proposal.phase {
            Phase::Swap if params.rotation.is_some() => rotation::undo(&self.api(host), &params).await,
            Phase::Swap => swap::undo(&self.api(host), &params).await,
            other => Err(unsupported(&format!("undo of {other}"))),
        }
    }

    async fn test(&self, host: &Host, params: TestParams) -> Result<TestReply, Error> {
        let api = self.api(host);
        match &params.step {
            None => Ok(TestReply { evidence: access::check(&api).await, ..TestReply::default() }),
            Some(step) => match step.step.proposal.phase {
                Phase::Test => test_connection::test(&api, step).await,
                Phase::Confirm => confirm::confirm(&api, step).await,
                other => Err(unsupported(&format!("test of {other}"))),
            },
        }
    }
}

flowswap_contract::export_plugin!(Rest);
