//! Checks the end of every case: the world, the secret store, and the journal must be as after a run without faults.

use std::collections::BTreeMap;

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use flowswap_contract::Handle;
use flowswap_engine::{History, SecretStore};
use flowswap_sim::{SimTenant, diff};
use flowswap_store::{AgeSecretStore, Identity, SqliteJournal, verify};
use http_body_util::Full;
use serde_json::Value;
use tower::ServiceExt;

use super::field::{Case, Field};
use crate::support::read_records;
use crate::{faults::points::Run, support::Lab};

/// The final state of one case, with placeholders for the tenant's own names and ids.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct End {
    /// The differences from the world before.
    changes: Vec<String>,
    /// How often a connection was submitted.
    submits: u32,
    /// How many service clients were ever created.
    made: usize,
    /// The tenant's state in the journal.
    state: String,
    /// The steps that are done according to the journal.
    done: Vec<String>,
    /// The secrets in custody.
    secrets: Vec<String>,
    /// All files in the folder.
    files: Vec<String>,
}

impl End {
    /// The differences from the expected end, as readable lines.
    pub(crate) fn differences(&self, expected: &Self) -> Vec<String> {
        let lines =
            |end: &Self| -> Vec<String> { format!("{end:#?}").lines().map(|line| line.trim().to_owned()).collect() };
        let (is, should) = (lines(self), lines(expected));
        let extra = is.iter().filter(|line| !should.contains(line)).map(|line| format!("is     {line}"));
        let missing = should.iter().filter(|line| !is.contains(line)).map(|line| format!("should {line}"));
        extra.chain(missing).collect()
    }
}

/// The world after all cases, compared with the world before.
pub(crate) struct Judge<'a> {
    field: &'a Field,
    now: Value,
    changes: BTreeMap<String, Vec<String>>,
}

impl<'a> Judge<'a> {
    pub(crate) fn new(field: &'a Field) -> Self {
        let now = field.lab.sim.snapshot();
        let mut changes: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for line in diff(&field.before, &now) {
            // `/orgs/DOMAIN/…` or `/directories/ID/…`
            let owner = line.split(['/', ':']).nth(2).unwrap_or_default().to_owned();
            changes.entry(owner).or_default().push(line);
        }
        Self { field, now, changes }
    }

    /// The end of the case without faults, with which all others are compared.
    #[track_caller]
    pub(crate) fn reference(&self, run: Run, case: &Case) -> End {
        let end = self.end(case).unwrap();
        let state = match run {
            Run::Forward | Run::Recovery => "swapped",
            Run::Back => "rolled-back",
            Run::Retire => "retired",
            Run::Purge => "finalized",
        };
        // A rollback restores the connection and submits nothing, so both have one submit.
        assert_eq!((end.made, end.submits, end.state.as_str()), (1, 1, state), "{run:?}");
        end
    }

    /// The end of a case. An error is a broken promise, independent of the other cases.
    pub(crate) fn end(&self, case: &Case) -> Result<End, String> {
        let lab = &self.field.lab;
        let tenant = &case.tenant;
        let files = case.files();
        let journal = case.state().join("journal.sqlite");
        verify(&journal).map_err(|error| format!("the journal is damaged: {error}"))?;
        let records = SqliteJournal::open_read_only(&journal).map(|journal| lab.wait(read_records(&journal)));
        let records = records.and_then(|records| records).map_err(|error| error.to_string())?;
        let history = History::fold(&records).map_err(|error| error.to_string())?;
        let history = history.tenant(&tenant.name).ok_or("the journal does not know the tenant")?;
        if let Some(doubt) = history.work.as_ref().and_then(|work| work.doubt.as_ref()) {
            return Err(format!("step `{}` is in doubt", doubt.step));
        }
        let secrets = self.custody(case)?;
        connection_agrees(&self.now, tenant)?;
        Ok(End {
            changes: self.changes_of(case),
            submits: lab.directory(tenant).submits,
            made: lab.clients_made(tenant),
            state: history.state.to_string(),
            done: history.work.iter().flat_map(|work| work.done.iter().map(|done| done.id.clone())).collect(),
            secrets,
            files,
        })
    }

    /// Checks what must be true even if the journal is behind the world: exactly one client was created, and its secret
    /// is in custody and is the one that the directory uses.
    pub(crate) fn nothing_is_lost(&self, case: &Case) -> Result<(), String> {
        verify(&case.state().join("journal.sqlite")).map_err(|error| format!("the journal is damaged: {error}"))?;
        self.custody(case)?;
        connection_agrees(&self.now, &case.tenant)?;
        match self.field.lab.clients_made(&case.tenant) {
            1 => Ok(()),
            made => Err(format!("{made} clients were made")),
        }
    }

    /// The secrets in custody. Checks that the org accepts the secret of its one client, and that there is no other.
    fn custody(&self, case: &Case) -> Result<Vec<String>, String> {
        let (lab, tenant) = (&self.field.lab, &case.tenant);
        let identity = Identity::load(&case.state().join("identity.txt")).map_err(|error| error.to_string())?;
        let folder = case.state().join("secrets");
        let inventory = AgeSecretStore::inspect(&folder, &identity).map_err(|error| error.to_string())?;
        if let Some(file) = inventory.unusable.first() {
            return Err(file.to_string());
        }
        let store = AgeSecretStore::open(folder, identity).map_err(|error| error.to_string())?;
        let handles = inventory.secrets;
        let org = lab.org(tenant);
        match (org.service_clients.as_slice(), handles.as_slice()) {
            ([], []) => {}
            ([client], [handle]) => {
                let secret = lab.wait(store.get(handle)).map_err(|error| error.to_string())?;
                let secret = secret.ok_or("the secret is listed but missing")?;
                let status = lab.wait(sign_in(lab, &tenant.domain, &client.id, secret.expose()));
                if status != 200 {
                    return Err(format!("the org answers {status} to the secret in custody"));
                }
            }
            (clients, handles) => {
                return Err(format!("{} service clients and {} secrets in custody", clients.len(), handles.len()));
            }
        }
        Ok(handles.iter().map(|handle: &Handle| handle.as_str().replace(&tenant.name, "*")).collect())
    }

    /// The differences from the world before, with the same placeholders for all tenants.
    fn changes_of(&self, case: &Case) -> Vec<String> {
        let tenant = &case.tenant;
        let mut names = vec![(tenant.domain.clone(), "{domain}".to_owned())];
        names.push((tenant.directory_id.clone(), "{directory}".to_owned()));
        let before = &self.field.before;
        // An app's client id may differ from its own id.
        for (member, word) in [("client_id", "app"), ("secret_hash", "secret_hash"), ("last_sign_in", "last_sign_in")] {
            let value = before["directories"][&tenant.directory_id]["connection"][member].as_str();
            names.extend(value.map(|value| (value.to_owned(), format!("{{{word} before}}"))));
        }
        for (index, (id, client)) in
            self.now["orgs"][&tenant.domain]["service_clients"].as_object().unwrap().iter().enumerate()
        {
            names.push((id.clone(), format!("{{client {index}}}")));
            names.extend(client["created"].as_str().map(|created| (created.to_owned(), "{created}".to_owned())));
            for (index, (id, secret)) in client["secrets"].as_object().unwrap().iter().enumerate() {
                names.push((id.clone(), format!("{{secret {index}}}")));
                names.push((secret["hash"].as_str().unwrap().to_owned(), format!("{{hash {index}}}")));
            }
        }
        for (id, app) in before["orgs"][&tenant.domain]["apps"].as_object().unwrap() {
            let word = |value: &str, word: &str| (value.to_owned(), format!("{{{word} before}}"));
            names.push(word(id, "app"));
            names.extend(app["created"].as_str().map(|created| word(created, "created")));
            let secrets = app["client"]["secrets"].as_object();
            for (id, secret) in secrets.into_iter().flatten() {
                names.extend([word(id, "secret"), word(secret["hash"].as_str().unwrap(), "secret_hash")]);
            }
            let tokens = app["refresh_tokens"].as_array().into_iter().flatten().filter_map(Value::as_str);
            names.extend(tokens.map(|token| word(token, "refresh token")));
        }
        let of = |owner: &String| self.changes.get(owner).cloned().unwrap_or_default();
        let lines = of(&tenant.domain).into_iter().chain(of(&tenant.directory_id));
        let mut lines: Vec<_> =
            lines.map(|line| names.iter().fold(line, |line, (name, word)| line.replace(name.as_str(), word))).collect();
        lines.sort();
        lines
    }
}

/// Checks in a snapshot of the world that the tenant's directory uses the org's one client and its one secret, if there
/// is a client.
pub(crate) fn connection_agrees(now: &Value, tenant: &SimTenant) -> Result<(), String> {
    let connection = &now["directories"][&tenant.directory_id]["connection"];
    let clients = now["orgs"][&tenant.domain]["service_clients"].as_object().unwrap();
    let Some((id, client)) = clients.iter().next() else { return Ok(()) };
    let hashes: Vec<_> = client["secrets"].as_object().unwrap().values().map(|secret| &secret["hash"]).collect();
    if hashes == [&connection["secret_hash"]] && connection["client_id"] == id.as_str() {
        return Ok(());
    }
    Err(format!("the directory has {connection}, and the secrets of {id} are {hashes:?}"))
}

/// Requests a token as the client does.
async fn sign_in(lab: &Lab, domain: &str, client: &str, secret: &str) -> u16 {
    let form = "grant_type=client_credentials&scope=okta.users.read";
    let request = http::Request::post(format!("https://{domain}/oauth2/v1/token"))
        .header("authorization", format!("Basic {}", STANDARD.encode(format!("{client}:{secret}"))))
        .header("content-type", "application/x-www-form-urlencoded")
        .header("content-length", form.len())
        .body(Full::new(Bytes::from(form)))
        .unwrap();
    lab.sim.service().oneshot(request).await.unwrap().status().as_u16()
}
