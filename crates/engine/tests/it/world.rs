//! One tenant's provider and directory in memory. They refuse what the real ones refuse. What the real ones would accept but a
//! migration must never do is recorded as a violation.

use std::collections::BTreeMap;

use flowswap_contract::{
    DirectoryInventory, Flow, LegacyClient, Observed, Phase, ProviderInventory, ServiceClient, Tokens, Variant,
    VariantType,
};
use flowswap_engine::RunId;

pub(crate) const LEGACY_CLIENT: &str = "legacy-1";

/// The two sides of a tenant.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct World {
    pub(crate) domain: String,
    pub(crate) legacy: Legacy,
    /// The service clients by id.
    pub(crate) clients: BTreeMap<String, Client>,
    pub(crate) connection: Connection,
    /// The receipts of passed connection tests. A receipt is valid for one swap with the same credentials in the same run.
    pub(crate) receipts: BTreeMap<String, Receipt>,
    /// The directory can restore the previous connection.
    pub(crate) can_restore: bool,
    /// How many of the next confirmations are inconclusive.
    pub(crate) slow_confirmations: u32,
    /// The directory does not synchronize.
    pub(crate) broken: bool,
    /// The check that reports no evidence.
    pub(crate) silent: Option<&'static str>,
    /// How far the clocks of provider and directory are ahead, in seconds. `None` if a side shows no clock.
    pub(crate) skews: [Option<i64>; 2],
    /// A person signed in at this time.
    pub(crate) last_sign_in: Option<String>,
    /// The phases that its plugins propose steps for. `None` for all.
    pub(crate) proposed: Option<&'static [Phase]>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Legacy {
    Active,
    Inactive,
    /// Between two states: a change was started and not finished.
    Changing,
    Gone,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Client {
    /// The step that made it.
    pub(crate) made_by: String,
    /// The values of its live secrets.
    pub(crate) secrets: Vec<String>,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Connection {
    pub(crate) flow: Flow,
    pub(crate) client_id: String,
    /// A change was started and not finished.
    pub(crate) changing: bool,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Receipt {
    pub(crate) run: RunId,
    pub(crate) client: String,
    pub(crate) secret: String,
}

/// Everything that a person could see from outside. Worlds are compared by it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct View {
    pub(crate) legacy: Legacy,
    /// Ids of the service clients, with the number of their live secrets.
    pub(crate) clients: Vec<(String, usize)>,
    pub(crate) connection: Connection,
}

impl World {
    pub(crate) fn new(name: &str) -> Self {
        Self {
            domain: format!("{name}.okta.test"),
            legacy: Legacy::Active,
            clients: BTreeMap::new(),
            connection: Connection {
                flow: Flow::AuthorizationCode,
                client_id: LEGACY_CLIENT.to_owned(),
                changing: false,
            },
            receipts: BTreeMap::new(),
            can_restore: true,
            slow_confirmations: 0,
            broken: false,
            silent: None,
            skews: [None, None],
            last_sign_in: None,
            proposed: None,
        }
    }

    pub(crate) fn view(&self) -> View {
        let clients = self.clients.iter().map(|(id, client)| (id.clone(), client.secrets.len())).collect();
        View { legacy: self.legacy, clients, connection: self.connection.clone() }
    }

    /// Whether the directory can synchronize with its current connection.
    pub(crate) fn is_working(&self) -> bool {
        match self.connection.flow {
            Flow::AuthorizationCode => self.legacy == Legacy::Active,
            _ => self.clients.get(&self.connection.client_id).is_some_and(|client| !client.secrets.is_empty()),
        }
    }

    /// The clients that a step made.
    pub(crate) fn made_by(&self, step: &str) -> Vec<&String> {
        self.clients.iter().filter(|(_, client)| client.made_by == step).map(|(id, _)| id).collect()
    }

    pub(crate) fn connect(&mut self, flow: Flow, client_id: &str) {
        self.connection = Connection { flow, client_id: client_id.to_owned(), changing: false };
    }

    /// A person does the step `swap` in the console.
    pub(crate) fn reconnect_in_console(&mut self) {
        let client = self.clients.keys().next().cloned().unwrap();
        self.connect(Flow::ClientCredentials, &client);
    }

    /// A person signs in, which restores the authorization-code flow.
    pub(crate) fn sign_in(&mut self) {
        self.connect(Flow::AuthorizationCode, LEGACY_CLIENT);
    }

    /// Whether a changing step is applied, by its id.
    pub(crate) fn stands(&self, step: &str) -> Observed {
        let of = |applied: bool| if applied { Observed::Applied } else { Observed::NotApplied };
        match step {
            "provision" => of(!self.clients.is_empty()),
            "swap" if self.connection.changing => Observed::Partial,
            "swap" => of(self.connection.flow == Flow::ClientCredentials),
            "retire" | "purge" if self.legacy == Legacy::Changing => Observed::Partial,
            "retire" => of(self.legacy != Legacy::Active),
            "purge" => of(self.legacy == Legacy::Gone),
            other => panic!("`{other}` is not a step that changes something"),
        }
    }

    pub(crate) fn provider_inventory(&self) -> ProviderInventory {
        let legacy = LegacyClient {
            last_sign_in: None,
            tokens: Tokens::default(),
            id: "app-1".to_owned(),
            client_id: LEGACY_CLIENT.to_owned(),
            label: "Palo Alto Networks Cloud Identity Engine".to_owned(),
            status: if self.legacy == Legacy::Active { "ACTIVE" } else { "INACTIVE" }.to_owned(),
            grant_types: vec!["authorization_code".to_owned(), "refresh_token".to_owned()],
            redirect_uris: vec!["https://directory-sync.us.apps.paloaltonetworks.com/authorize".to_owned()],
            scopes: vec!["okta.groups.read".to_owned(), "okta.users.read".to_owned()],
            refresh_token_rotation: None,
            assigned: None,
        };
        let clients = self.clients.keys().map(|id| ServiceClient {
            secrets: Vec::new(),
            tokens: Tokens::default(),
            id: id.clone(),
            type_key: "cie".to_owned(),
            name: "CIE".to_owned(),
            variant: Variant::Plain,
            scopes: legacy.scopes.clone(),
            created_at: None,
        });
        let plain = VariantType {
            variant: Variant::Plain,
            type_key: "cie".to_owned(),
            scopes: legacy.scopes.clone(),
            source: "config".to_owned(),
        };
        ProviderInventory {
            domain: self.domain.clone(),
            service_clients: clients.collect(),
            legacy_clients: if self.legacy == Legacy::Gone { vec![] } else { vec![legacy] },
            lookalikes: vec![],
            variants: vec![plain],
            aliases: vec![],
            needs: vec![],
        }
    }

    pub(crate) fn directory_inventory(&self) -> DirectoryInventory {
        DirectoryInventory {
            id: "dir-1".to_owned(),
            name: "acme.example".to_owned(),
            domain: self.domain.clone(),
            flow: self.connection.flow,
            client_id: Some(self.connection.client_id.clone()),
            app_data: Some(false),
            healthy: Some(!self.broken),
            last_sign_in: self.last_sign_in.clone(),
            can_restore: self.can_restore,
            ..DirectoryInventory::default()
        }
    }
}
