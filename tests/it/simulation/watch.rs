//! Watches every request and record, and checks the invariants that must be true at every moment.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard},
};

use bytes::Bytes;
use flowswap_engine::{Draft, Entry, History, IllegalRecord, Record};
use flowswap_sim::{DirectoryView, Sim, SimTenant};
use http::Response;
use serde_json::Value;

use super::network::Place;

/// The observations of one seed.
pub(crate) struct Watch {
    sim: Arc<Sim>,
    pub(crate) tenants: Vec<SimTenant>,
    state: Mutex<Seen>,
}

#[derive(Default)]
struct Seen {
    /// The service clients that flowswap created, by tenant.
    made: BTreeMap<String, BTreeSet<String>>,
    /// Intents that have no outcome yet, in this process.
    open: Vec<Intent>,
    /// Every record that the journal was given.
    records: Vec<Record>,
    /// Every value that must never be written anywhere.
    secrets: BTreeSet<String>,
    /// Tenants whose connection worked at first, and that no other person has changed.
    undisturbed: BTreeSet<String>,
    /// Tenants whose connection no other person has broken. Their connections must work at every moment.
    unharmed: BTreeSet<String>,
    /// The directories whose clients existed before the current request.
    alive: BTreeSet<usize>,
    /// Requests by which a client in use was deleted or deactivated.
    cut_off: Vec<String>,
    /// How many decisions a person made.
    decisions: u32,
    requests: u64,
    violations: Vec<String>,
}

/// A mutating request whose intent is recorded.
#[derive(Clone)]
pub(crate) struct Intent {
    pub(crate) tenant: String,
    pub(crate) step: String,
    request: u32,
    method: String,
    url: String,
}

impl Watch {
    pub(crate) fn new(sim: Arc<Sim>) -> Self {
        let tenants = sim.tenants();
        let works = |tenant: &&SimTenant| sim.find_defect(&tenant.directory_id).is_none();
        let undisturbed: BTreeSet<_> = tenants.iter().filter(works).map(|tenant| tenant.name.clone()).collect();
        let tokens = tenants.iter().map(|tenant| tenant.admin_token.clone());
        let secrets = tokens.chain([sim.gateway_token().to_owned()]).collect();
        let unharmed = BTreeSet::clone(&undisturbed);
        let state = Mutex::new(Seen { undisturbed, unharmed, secrets, ..Seen::default() });
        Self { sim, tenants, state }
    }

    pub(crate) fn tenant(&self, name: &str) -> &SimTenant {
        self.tenants.iter().find(|tenant| tenant.name == name).unwrap()
    }

    pub(crate) fn tenant_of_directory(&self, id: &str) -> String {
        self.tenants.iter().find(|tenant| tenant.directory_id == id).unwrap().name.clone()
    }

    /// Notes the start of a process; the requests that an earlier process left open are settled or in doubt.
    pub(crate) fn begin(&self) {
        self.lock().open.clear();
    }

    /// Notes that another person changes the tenant. The invariants do not apply to the consequences.
    pub(crate) fn disturb(&self, tenant: &str, is_harmless: bool) {
        let mut seen = self.lock();
        seen.undisturbed.remove(tenant);
        if !is_harmless {
            seen.unharmed.remove(tenant);
        }
    }

    pub(crate) fn is_unharmed(&self, tenant: &str) -> bool {
        self.lock().unharmed.contains(tenant)
    }

    /// Notes that a person decided about a tenant.
    pub(crate) fn decided(&self) {
        self.lock().decisions += 1;
    }

    pub(crate) fn decisions(&self) -> u32 {
        self.lock().decisions
    }

    pub(crate) fn is_undisturbed(&self, tenant: &str) -> bool {
        self.lock().undisturbed.contains(tenant)
    }

    /// Notes that a record is in the journal.
    pub(crate) fn recorded(&self, seq: u64, draft: &Draft) {
        let mut seen = self.lock();
        seen.records.push(Record { seq, epoch: 1, draft: draft.clone() });
        let Some(tenant) = draft.tenant.clone() else { return };
        match &draft.entry {
            Entry::RequestIntended { step, request, method, url, .. } => seen.open.push(Intent {
                tenant,
                step: step.clone(),
                request: *request,
                method: method.clone(),
                url: url.clone(),
            }),
            Entry::RequestEnded { step, request, .. } => {
                seen.open.retain(|intent| (&intent.tenant, &intent.step, intent.request) != (&tenant, step, *request));
            }
            _ => {}
        }
    }

    /// Checks a request that is about to be carried out.
    pub(crate) fn arrives(&self, place: &Place) {
        let alive = place.changes.then(|| self.alive());
        let mut seen = self.lock();
        seen.requests += 1;
        if !place.changes {
            return;
        }
        let is_intended = |intent: &Intent| {
            (&intent.tenant, &intent.method, &intent.url) == (&place.tenant, &place.method, &place.url)
        };
        if !seen.open.iter().any(is_intended) {
            seen.fail(format!("{}: {} {} without a recorded intent", place.tenant, place.method, place.url));
        }
        seen.alive = alive.unwrap_or_default();
        if let Some(id) = client_of(&place.url)
            && !seen.made.get(&place.tenant).is_some_and(|made| made.contains(id))
        {
            seen.fail(format!(
                "{}: {} {} changes a client that is not flowswap's",
                place.tenant, place.method, place.url
            ));
        }
    }

    /// Checks the world after a request was carried out.
    pub(crate) fn carried_out(&self, place: &Place, response: &Response<Bytes>) {
        self.learn_secrets(response);
        if !place.changes {
            return;
        }
        if place.method == "POST" && place.url.ends_with(SERVICES) && response.status().is_success() {
            let created: Value = serde_json::from_slice(response.body()).unwrap();
            let id = created["id"].as_str().unwrap().to_owned();
            self.lock().made.entry(place.tenant.clone()).or_default().insert(id);
        }
        let live = self.live_clients(&place.tenant);
        let alive = self.alive();
        let mut seen = self.lock();
        let cut_off: Vec<_> = seen.alive.difference(&alive).copied().collect();
        if !cut_off.is_empty() {
            let (tenant, method, url) = (&place.tenant, &place.method, &place.url);
            let line = format!("{tenant}: {method} {url} removed the client in use by the directories {cut_off:?}");
            seen.cut_off.push(line.clone());
            seen.fail(line);
        }
        if live.len() > 1 {
            let line =
                format!("{}: flowswap has {} live service clients: {}", place.tenant, live.len(), live.join(", "));
            seen.fail(line);
        }
        let defect = self.sim.find_defect(&self.tenant(&place.tenant).directory_id);
        if let Some(defect) = defect.filter(|_| seen.unharmed.contains(&place.tenant)) {
            seen.fail(format!(
                "{}: the directory is cut off after {} {}: {defect}",
                place.tenant, place.method, place.url
            ));
        }
    }

    /// The directories whose real client exists and is active, including directories that no interface shows.
    fn alive(&self) -> BTreeSet<usize> {
        let world = self.sim.world();
        let is_alive = |directory: &DirectoryView| {
            let (used, mut orgs) = (&directory.client_id, world.orgs.iter());
            orgs.find(|org| org.domain == directory.domain).is_some_and(|org| {
                let is_service = org.service_clients.iter().any(|client| client.id == *used);
                is_service || org.legacy.iter().any(|legacy| legacy.client_id == *used && legacy.status == "ACTIVE")
            })
        };
        let directories = world.directories.iter().chain(&world.unseen).enumerate();
        directories.filter(|(_, directory)| is_alive(directory)).map(|(index, _)| index).collect()
    }

    /// Requests by which a client in use was deleted or deactivated.
    pub(crate) fn cut_off(&self) -> Vec<String> {
        self.lock().cut_off.clone()
    }

    /// Collects the secrets from the places of an answer where the interfaces show a secret once.
    fn learn_secrets(&self, response: &Response<Bytes>) {
        const PLACES: [&str; 3] = ["clientSecret", "client_secret", "access_token"];
        let shows = |text: &str| PLACES.iter().any(|place| text.contains(place));
        let Some(text) = std::str::from_utf8(response.body()).ok().filter(|text| shows(text)) else { return };
        let Ok(value) = serde_json::from_str::<Value>(text) else { return };
        let shown = PLACES.iter().filter_map(|place| value[place].as_str()).filter(|text| !text.contains("***"));
        self.lock().secrets.extend(shown.map(str::to_owned));
    }

    /// The existing service clients that flowswap created.
    pub(crate) fn live_clients(&self, tenant: &str) -> Vec<String> {
        let made = self.lock().made.get(tenant).cloned().unwrap_or_default();
        let domain = &self.tenant(tenant).domain;
        let world = self.sim.world();
        let clients = world.orgs.iter().filter(|org| org.domain == *domain).flat_map(|org| &org.service_clients);
        clients.map(|client| client.id.clone()).filter(|id| made.contains(id)).collect()
    }

    /// The records that the journal must contain.
    pub(crate) fn records(&self) -> Vec<Record> {
        self.lock().records.clone()
    }

    /// The history of all tenants that the journal must give.
    pub(crate) fn history(&self) -> Result<History, IllegalRecord> {
        History::fold(&self.lock().records)
    }

    /// Intents without an outcome.
    pub(crate) fn open(&self) -> Vec<Intent> {
        self.lock().open.clone()
    }

    /// The values that must not be written anywhere.
    pub(crate) fn secrets(&self) -> BTreeSet<String> {
        self.lock().secrets.clone()
    }

    pub(crate) fn requests(&self) -> u64 {
        self.lock().requests
    }

    pub(crate) fn fail(&self, violation: String) {
        self.lock().fail(violation);
    }

    pub(crate) fn violations(&self) -> Vec<String> {
        self.lock().violations.clone()
    }

    fn lock(&self) -> MutexGuard<'_, Seen> {
        self.state.lock().unwrap()
    }
}

const SERVICES: &str = "/integrations/api/v1/api-services";

/// The service client that a request concerns.
fn client_of(url: &str) -> Option<&str> {
    url.split_once(SERVICES)?.1.strip_prefix('/')?.split('/').next()
}

impl Seen {
    fn fail(&mut self, violation: String) {
        self.violations.push(violation);
    }
}
