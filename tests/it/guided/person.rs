//! A person at the simulator's console who fills in the Reconnect form, rightly or not, without a browser.

use bytes::Bytes;
use flowswap_engine::{Handle, SecretStore};
use flowswap_sim::{CONSOLE_HOST, Sim, SimTenant};
use flowswap_store::{AgeSecretStore, Identity, StateDir};
use http_body_util::{BodyExt, Full};
use serde_json::Value;
use tower::ServiceExt;

use crate::support::Lab;

/// What the person does with the form, in this order: fill in the fields, Sign in with Okta, Test Connection, replace
/// the credentials, Submit.
#[derive(Clone)]
pub(crate) struct Form {
    pub(crate) flow: &'static str,
    pub(crate) applications: bool,
    pub(crate) client_id: String,
    pub(crate) client_secret: String,
    pub(crate) name: String,
    /// The client id and secret that the person enters after the test.
    pub(crate) afterwards: Option<(String, String)>,
    pub(crate) submits: bool,
}

impl Form {
    /// The form as the run sheet of the swap describes it.
    pub(crate) fn right(lab: &Lab, tenant: &SimTenant) -> Self {
        let (client_id, client_secret) = service_client(lab, tenant);
        Self {
            flow: "client-credential",
            applications: tenant.app_data,
            client_id,
            client_secret,
            name: tenant.name.clone(),
            afterwards: None,
            submits: true,
        }
    }

    /// The form as the run sheet of the rollback describes it.
    pub(crate) fn back(lab: &Lab, tenant: &SimTenant) -> Self {
        let (client_id, client_secret) = legacy_client(lab, tenant);
        Self { flow: "auth-code", client_id, client_secret, ..Self::right(lab, tenant) }
    }
}

/// Opens the form of a directory, presses Test Connection, and returns the resulting page.
pub(crate) fn try_test(lab: &Lab, tenant: &SimTenant, directory_id: &str, form: &Form) -> String {
    let path = path(tenant, directory_id);
    lab.wait(async {
        post(&lab.sim, &format!("{path}/open"), "").await;
        press(&lab.sim, &path, form, "test", (&form.client_id, &form.client_secret)).await
    })
}

fn path(tenant: &SimTenant, directory_id: &str) -> String {
    format!("/tenants/{}/directories/{directory_id}/reconnect", tenant.account.tsg_id)
}

/// Presses a button with these fields, and returns the resulting page.
async fn press(sim: &Sim, path: &str, form: &Form, action: &str, client: (&str, &str)) -> String {
    let mut fields = vec![("flow", form.flow), ("client_id", client.0), ("client_secret", client.1)];
    fields.extend([("name", form.name.as_str()), ("action", action)]);
    fields.extend(form.applications.then_some(("collect_applications", "on")));
    let fields: Vec<_> = fields.iter().map(|(name, value)| format!("{name}={}", encode(value))).collect();
    post(sim, path, &fields.join("&")).await;
    send(sim, http::Request::get(format!("https://{CONSOLE_HOST}{path}")), "").await
}

/// Reconnects the tenant's directory, or another directory of its group.
pub(crate) fn reconnect(lab: &Lab, tenant: &SimTenant, directory_id: &str, form: &Form) {
    lab.wait(fill_in(&lab.sim, tenant, directory_id, form)).unwrap();
}

/// Like [`reconnect`]. The error is the page on which the person cannot continue.
pub(crate) async fn fill_in(sim: &Sim, tenant: &SimTenant, directory_id: &str, form: &Form) -> Result<(), String> {
    let path = path(tenant, directory_id);
    let press = async |action: &str, client: (&str, &str), wanted: &str| {
        let page = press(sim, &path, form, action, client).await;
        if page.contains(wanted) { Ok(()) } else { Err(page) }
    };
    post(sim, &format!("{path}/open"), "").await;
    let client = (form.client_id.as_str(), form.client_secret.as_str());
    if form.flow == "auth-code" {
        press("sign-in", client, "Logged In").await?;
    }
    press("test", client, ">Success</output>").await?;
    let client = form.afterwards.as_ref().map_or(client, |(id, secret)| (id, secret));
    if form.submits {
        let before = submits(sim, directory_id);
        press("submit", client, "").await?;
        assert_eq!(submits(sim, directory_id), before + 1, "nothing was submitted");
    }
    Ok(())
}

/// How often a directory's form was submitted, according to the simulator.
fn submits(sim: &Sim, directory_id: &str) -> u32 {
    let snapshot = sim.snapshot();
    let name = snapshot["directories"][directory_id]["name"].as_str().unwrap().to_owned();
    let domain = snapshot["directories"][directory_id]["domain"].as_str().unwrap().to_owned();
    let all = sim.world().directories;
    all.iter().find(|directory| directory.name == name && directory.domain == domain).unwrap().submits
}

/// The client that flowswap created for the tenant, and its secret from the secret store.
pub(crate) fn service_client(lab: &Lab, tenant: &SimTenant) -> (String, String) {
    let client = lab.org(tenant).service_clients.last().unwrap().id.clone();
    (client, secret_of(lab, &format!("{}/provision/client_secret", tenant.name)))
}

/// A secret from the secret store.
pub(crate) fn secret_of(lab: &Lab, handle: &str) -> String {
    let state = StateDir::at(lab.path(".flowswap"));
    let identity = Identity::load(&state.root().join("identity.txt")).unwrap();
    let store = AgeSecretStore::read_only(state.secrets(), identity);
    let secret = lab.wait(store.get(&Handle::new(handle))).unwrap().unwrap();
    secret.expose().to_owned()
}

/// The legacy client and its secret, as its General tab in Okta shows them.
pub(crate) fn legacy_client(lab: &Lab, tenant: &SimTenant) -> (String, String) {
    lab.wait(find_legacy_client(&lab.sim, tenant))
}

/// Like [`legacy_client`], but async.
pub(crate) async fn find_legacy_client(sim: &Sim, tenant: &SimTenant) -> (String, String) {
    let org = sim.world().orgs.into_iter().find(|org| org.domain == tenant.domain).unwrap();
    let legacy = org.legacy[0].clone();
    let request =
        http::Request::get(format!("https://{}/api/v1/apps/{}/credentials/secrets", tenant.domain, legacy.id))
            .header("authorization", format!("SSWS {}", tenant.admin_token));
    let secrets: Value = serde_json::from_str(&send(sim, request, "").await).unwrap();
    (legacy.client_id, secrets[0]["client_secret"].as_str().unwrap().to_owned())
}

async fn post(sim: &Sim, path: &str, form: &str) {
    let request = http::Request::post(format!("https://{CONSOLE_HOST}{path}"))
        .header("content-type", "application/x-www-form-urlencoded")
        .header("content-length", form.len());
    send(sim, request, form).await;
}

async fn send(sim: &Sim, request: http::request::Builder, body: &str) -> String {
    let request = request.body(Full::new(Bytes::from(body.to_owned()))).unwrap();
    let response = sim.service().oneshot(request).await.unwrap();
    assert!(response.status().as_u16() < 400, "{}", response.status());
    String::from_utf8(response.into_body().collect().await.unwrap().to_bytes().to_vec()).unwrap()
}

fn encode(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    text.bytes().map(|b| if plain(b) { char::from(b).to_string() } else { format!("%{b:02X}") }).collect()
}
