//! A tenant: one provider and one directory connection under one name.

use std::sync::Arc;

use flowswap_contract::{
    self as contract, DetectParams, DirectoryInventory, ErrorKind, Inventory, Json, Op, ProviderInventory, Role,
};
use serde::de::DeserializeOwned;

use crate::{Backend, BackendCall, Inventories, TenantSpec, find_domain_defect};

/// A tenant with both of its sessions open.
#[derive(Clone)]
pub struct Tenant {
    /// What the configuration says.
    pub spec: TenantSpec,
    /// The provider's session.
    pub provider: Arc<dyn Backend>,
    /// The directory's session.
    pub directory: Arc<dyn Backend>,
}

impl Tenant {
    /// The session of a role.
    pub fn backend(&self, role: Role) -> &dyn Backend {
        match role {
            Role::Provider => self.provider.as_ref(),
            Role::Directory => self.directory.as_ref(),
        }
    }

    /// Reads both sides concurrently without changing anything. A tenant with a malformed domain is not contacted. For a rotation, also
    /// reads which client secrets there are.
    pub async fn inspect(&self) -> Inventories {
        if let Some(defect) = find_domain_defect(&self.spec.domain) {
            let error = contract::Error::new(ErrorKind::Config, defect);
            return Inventories { provider: Err(error.clone()), directory: Err(error) };
        }
        let (provider, directory) = tokio::join!(self.detect(Role::Provider), self.inspect_directory());
        Inventories { provider: provider.and_then(as_provider), directory }.reconciled()
    }

    /// Reads only the directory, without changing anything.
    pub(crate) async fn inspect_directory(&self) -> Result<DirectoryInventory, contract::Error> {
        self.detect(Role::Directory).await.and_then(as_directory)
    }

    async fn detect(&self, role: Role) -> Result<Inventory, contract::Error> {
        let secrets = self.spec.rotation.is_some() && role == Role::Provider;
        let params = if secrets { Json::encode(&DetectParams { secrets })? } else { Json::default() };
        self.call(role, BackendCall::dry(Op::Detect, params)).await
    }

    /// Calls a verb and decodes its reply.
    pub(crate) async fn call<T: DeserializeOwned>(
        &self,
        role: Role,
        call: BackendCall<'_>,
    ) -> Result<T, contract::Error> {
        let op = call.op;
        let reply = self.backend(role).call(call).await?;
        serde_json::from_value(reply).map_err(|e| {
            contract::Error::new(
                ErrorKind::Protocol,
                format!("the {role}'s plugin gave an invalid answer to `{op}`: {e}"),
            )
            .with_unknown_effect()
        })
    }
}

fn as_provider(inventory: Inventory) -> Result<ProviderInventory, contract::Error> {
    match inventory {
        Inventory::Provider(provider) => Ok(provider),
        Inventory::Directory(_) => Err(wrong_role(Role::Provider)),
    }
}

fn as_directory(inventory: Inventory) -> Result<DirectoryInventory, contract::Error> {
    match inventory {
        Inventory::Directory(directory) => Ok(directory),
        Inventory::Provider(_) => Err(wrong_role(Role::Directory)),
    }
}

fn wrong_role(role: Role) -> contract::Error {
    contract::Error::new(
        ErrorKind::Protocol,
        format!("the {role}'s plugin answered with the inventory of the other role"),
    )
}
