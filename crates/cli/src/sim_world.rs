//! The simulator as the world for the conformance kit. The kit tests a plugin on the first tenant, which is ready to
//! migrate.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use bytes::Bytes;
use flowswap_config::SideConfig;
use flowswap_conformance::{MakeWorld, StepOutput, World};
use flowswap_contract::{
    DirectoryInventory, Flow, Inventory, KnownFrom, LegacyClient, Phase, PluginHello, ProviderInventory, Role, Step,
    Tokens, Variant, VariantType,
};
use flowswap_engine::Secret;
use flowswap_host::{HttpService, Sent, SessionConfig, TransportError, trusted_temp_dir};
use flowswap_sim::{Interface, Mutation, SYNC_EVERY, Sim, SimConfig};
use futures::FutureExt;
use http_body_util::BodyExt;
use jiff::Timestamp;
use serde_json::{Value, json};
use tower::{ServiceExt, util::BoxCloneSyncService};

use crate::{
    exit::{Exit, Failure},
    fetch::Fetcher,
};

/// The redirect URI of an authorization-code connection.
const REDIRECT_URI: &str = "https://directory-sync.us.paloaltonetworks.com/authorize";

/// How many syncs every world has had. A directory confirms a swap at the start of the world with them.
const SYNCS: u32 = 4;

/// How long the legacy client has been silent. A provider retires only a client that is known to be unused.
const SILENCE: Duration = Duration::from_secs(90 * 60);

/// Returns what makes worlds for the plugin, or `None` if no side of the simulator's tenant fits it. A directory that
/// does not show its connection needs more from the provider than one that does, so it comes first.
pub(crate) fn for_plugin(hello: &PluginHello) -> Result<Option<MakeWorld>, Failure> {
    // All worlds start at the same instant, so that they are equal. After their syncs the clock shows the present.
    // People fill more than one page, because every page is a request that the kit can fail.
    let config = SimConfig::default().tenants(1).population(3, 3).record(true);
    let config = config.start(Timestamp::now() - SILENCE - SYNC_EVERY * SYNCS);
    for config in [config.clone().interface(Interface::CieGuided).scheduled_sync(SYNC_EVERY), config] {
        if let Some(make) = for_plugin_in(hello, config)? {
            return Ok(Some(make));
        }
    }
    Ok(None)
}

fn for_plugin_in(hello: &PluginHello, config: SimConfig) -> Result<Option<MakeWorld>, Failure> {
    let sim = Sim::in_process(config.clone());
    let dir = tempfile::tempdir_in(trusted_temp_dir()).map_err(Failure::at("create a folder"))?;
    let path = sim.write_client_files(dir.path(), "").map_err(Failure::at("describe the simulator"))?;
    let mut known = flowswap_config::load(&path).map_err(|errors| Failure::new(Exit::Failed, errors))?;
    let Some(tenant) = known.tenants.pop() else { return Ok(None) };
    for (role, side) in [(Role::Provider, &tenant.provider), (Role::Directory, &tenant.directory)] {
        if !hello.roles.contains(&role) || !fits(hello, side) {
            continue;
        }
        let mut secrets = BTreeMap::new();
        for (key, reference) in &side.secrets {
            let secret = Fetcher::default().fetch(reference).map_err(Failure::at("read the simulator's own secret"))?;
            secrets.insert(key.clone(), secret);
        }
        let (tenant, origins) = (tenant.name.clone(), Vec::new());
        let session = SessionConfig { tenant, role, config: side.table(), secrets, origins, known: Arc::default() };
        return Ok(Some(Arc::new(move || Box::new(SimWorld::new(config.clone(), session.clone())))));
    }
    Ok(None)
}

/// Whether the plugin knows every key of the side, and the side has every key that the plugin needs.
fn fits(hello: &PluginHello, side: &SideConfig) -> bool {
    let knows = |key: &str| hello.config.iter().any(|known| known.name == key);
    let has = |key: &str| side.keys().any(|there| there == key);
    side.keys().all(knows) && hello.config.iter().filter(|key| key.required).all(|key| has(&key.name))
}

struct SimWorld {
    sim: Sim,
    session: SessionConfig,
    given: BTreeMap<String, StepOutput>,
    /// Whether the directory's interface does not show the connection.
    is_guided: bool,
}

impl SimWorld {
    fn new(config: SimConfig, session: SessionConfig) -> Self {
        let is_guided = config.interface == Interface::CieGuided;
        let sim = Sim::in_process(config);
        let syncs_resumed_at = pass_time(&sim, session.role);
        let mut given = match session.role {
            Role::Provider if is_guided => make_baseline(),
            Role::Provider => BTreeMap::new(),
            Role::Directory => make_client(&sim).unwrap_or_default(),
        };
        // A directory must see syncs after the swap. A provider must see a silent legacy client.
        let swapped_at = match session.role {
            Role::Provider => sim.clock().now(),
            Role::Directory => syncs_resumed_at,
        };
        given.insert("swapped_at".to_owned(), StepOutput::Value(json!(swapped_at.to_string())));
        Self { sim, session, given, is_guided }
    }

    fn domain(&self) -> String {
        self.sim.tenants().first().map(|tenant| tenant.domain.clone()).unwrap_or_default()
    }

    fn legacy(&self) -> Option<flowswap_sim::LegacyView> {
        self.sim.world().orgs.first()?.legacy.first().cloned()
    }

    fn provider(&self) -> ProviderInventory {
        let types = self.sim.variant_types();
        let scopes = vec!["okta.groups.read".to_owned(), "okta.users.read".to_owned()];
        let legacy = self.legacy().map(|legacy| LegacyClient {
            last_sign_in: None,
            tokens: Tokens::default(),
            id: legacy.id,
            client_id: legacy.client_id,
            label: "Palo Alto Networks Cloud Identity Engine".to_owned(),
            status: legacy.status,
            grant_types: vec!["authorization_code".to_owned(), "refresh_token".to_owned()],
            redirect_uris: vec![REDIRECT_URI.to_owned()],
            scopes: scopes.clone(),
            refresh_token_rotation: None,
            assigned: None,
        });
        let variants = [(Variant::Plain, types.plain), (Variant::ApplicationEnabled, types.application_enabled)].map(
            |(variant, key)| {
                let source = "config".to_owned();
                VariantType { variant, type_key: key.to_owned(), scopes: scopes.clone(), source }
            },
        );
        ProviderInventory {
            domain: self.domain(),
            legacy_clients: legacy.into_iter().collect(),
            variants: variants.into(),
            ..ProviderInventory::default()
        }
    }

    fn directory(&self) -> DirectoryInventory {
        let shown = self.sim.world().directories.into_iter().next();
        let (name, client_id, app_data) =
            shown.map(|shown| (shown.name, shown.client_id, shown.app_data)).unwrap_or_default();
        DirectoryInventory {
            id: self.sim.tenants().first().map(|tenant| tenant.directory_id.clone()).unwrap_or_default(),
            name,
            domain: self.domain(),
            flow: Flow::AuthorizationCode,
            client_id: Some(client_id),
            app_data: Some(app_data),
            can_restore: true,
            known_from: if self.is_guided { KnownFrom::Record } else { KnownFrom::Directory },
            ..DirectoryInventory::default()
        }
    }
}

impl World for SimWorld {
    fn session(&self) -> SessionConfig {
        self.session.clone()
    }

    fn http(&self) -> HttpService {
        service(&self.sim)
    }

    /// Leaves out the age of clients: the simulator's clock runs, so the age differs in every world.
    fn snapshot(&self) -> Value {
        let mut world = self.sim.snapshot();
        let orgs = world["orgs"].as_object_mut().into_iter().flat_map(|orgs| orgs.values_mut());
        let clients = orgs.filter_map(|org| org["service_clients"].as_object_mut()).flat_map(|all| all.values_mut());
        for client in clients {
            client["created"] = Value::Null;
        }
        world
    }

    /// Leaves out ids and secrets: after a fault the plugin may adopt a client, which then has another id and secret.
    fn outcome(&self) -> Value {
        let mut world = self.snapshot();
        for org in world["orgs"].as_object_mut().into_iter().flat_map(|orgs| orgs.values_mut()) {
            let clients = org["service_clients"].as_object_mut().map(std::mem::take).unwrap_or_default();
            let shapes = clients.into_iter().map(|(_, mut client)| {
                let secrets = client["secrets"].as_object().cloned().unwrap_or_default();
                client["secrets"] = secrets.values().map(|secret| secret["status"].clone()).collect();
                client
            });
            org["service_clients"] = shapes.collect();
        }
        world
    }

    fn other_side(&self) -> Inventory {
        match self.session.role {
            Role::Provider => Inventory::Directory(self.directory()),
            Role::Directory => Inventory::Provider(self.provider()),
        }
    }

    fn app_data(&self) -> bool {
        self.sim.tenants().first().is_some_and(|tenant| tenant.app_data)
    }

    fn other_side_outputs(&self) -> BTreeMap<String, StepOutput> {
        self.given.clone()
    }

    /// Restores through the interface of the simulator, which stands for the console.
    fn take_back(&self, step: &Step) -> bool {
        step.proposal.phase == Phase::Swap && restore(&self.sim, &self.session).is_some()
    }

    fn secrets(&self) -> Vec<String> {
        let own = self.session.secrets.values().map(|secret| secret.expose().to_owned());
        let answered = self.sim.traffic().into_iter().flat_map(|exchange| {
            let body: Value = serde_json::from_slice(&exchange.response_body).unwrap_or_default();
            let secrets =
                ["clientSecret", "client_secret", "access_token"].map(|key| body[key].as_str().map(str::to_owned));
            secrets.into_iter().flatten().filter(|secret| !secret.contains("***")).collect::<Vec<_>>()
        });
        own.chain(answered).collect()
    }
}

/// Gives the world its past, and returns when the syncs after the swap start. For a provider the directory is silent
/// from then on; for a directory it starts to synchronize then.
fn pass_time(sim: &Sim, role: Role) -> Timestamp {
    let pause = |paused| {
        for directory in sim.tenants().into_iter().map(|tenant| tenant.directory_id) {
            let _known = sim.mutate(Mutation::PauseSyncs { directory, paused });
        }
    };
    if role == Role::Provider {
        sim.clock().advance(SYNC_EVERY * SYNCS);
    }
    pause(true);
    sim.clock().advance(SILENCE);
    if role == Role::Directory {
        pause(false);
        let syncs_resumed_at = sim.clock().now();
        sim.clock().advance(SYNC_EVERY * SYNCS);
        return syncs_resumed_at;
    }
    sim.clock().now()
}

/// The baseline of a directory without people, because only the directory's own plugin can hash people.
fn make_baseline() -> BTreeMap<String, StepOutput> {
    let baseline = json!({ "users": "", "group_names": "" });
    let key = Secret::new("00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff");
    let values = [("baseline", StepOutput::Value(baseline)), ("blinding_key", StepOutput::Secret(key))];
    values.map(|(name, given)| (name.to_owned(), given)).into()
}

/// A service client as the provider would have created it. The requests of the simulator in process never wait.
fn make_client(sim: &Sim) -> Option<BTreeMap<String, StepOutput>> {
    let tenant = sim.tenants().into_iter().next()?;
    let variant =
        if tenant.app_data { flowswap_sim::Variant::ApplicationEnabled } else { flowswap_sim::Variant::Plain };
    let id = sim.mutate(Mutation::AddServiceClient { org: tenant.domain.clone(), variant }).ok()??;
    let request = http::Request::post(format!(
        "https://{}/integrations/api/v1/api-services/{id}/credentials/secrets",
        tenant.domain
    ));
    let request = request.header("authorization", format!("SSWS {}", tenant.admin_token)).header("content-length", 0);
    let answer = service(sim).oneshot(request.body(Bytes::new()).ok()?).now_or_never()?.ok()?;
    let body: Value = serde_json::from_slice(answer.body()).ok()?;
    let secret = Secret::new(body["client_secret"].as_str()?);
    let values = [("client_id", StepOutput::Value(json!(id))), ("client_secret", StepOutput::Secret(secret))];
    Some(values.map(|(name, given)| (name.to_owned(), given)).into())
}

/// Restores the directory's previous connection.
fn restore(sim: &Sim, session: &SessionConfig) -> Option<()> {
    let id = sim.tenants().into_iter().next()?.directory_id;
    let url = format!("{}/v1/directories/{id}/restore", session.config.get("base_url")?.as_str()?);
    let token = session.secrets.values().next()?.expose();
    let request = http::Request::post(url).header("authorization", format!("Bearer {token}"));
    let request = request.header("content-type", "application/json").header("content-length", 2);
    let request = request.body(Bytes::from_static(b"{}")).ok()?;
    let answer = service(sim).oneshot(request).now_or_never()?.ok()?;
    answer.status().is_success().then_some(())
}

/// The simulator as the HTTP service that the host uses.
fn service(sim: &Sim) -> HttpService {
    let service = sim.service();
    BoxCloneSyncService::new(tower::service_fn(move |request: http::Request<Bytes>| {
        let service = service.clone();
        async move {
            let lost = |error| TransportError::new(Sent::MaybeSent, error);
            let request = request.map(http_body_util::Full::new);
            let (head, body) = service.oneshot(request).await.map_err(lost)?.into_parts();
            match body.collect().await {
                Ok(body) => Ok(http::Response::from_parts(head, body.to_bytes())),
                Err(never) => match never {},
            }
        }
    }))
}
