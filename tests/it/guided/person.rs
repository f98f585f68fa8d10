//! A person at the simulator's console who fills the Reconnect form in, rightly or not, without a browser.

use bytes::Bytes;
use flowswap_engine::{Handle, SecretStore};
use flowswap_sim::{CONSOLE_HOST, SimTenant};
use flowswap_store::{AgeSecretStore, Identity, StateDir};
use http_body_util::{BodyExt, Full};
use serde_json::Value;
use tower::ServiceExt;

use crate::support::Lab;

/// What is filled in, and which buttons are pressed, in this order: fields, Sign in with Okta, Test Connection, the
/// change of mind, Submit.
#[derive(Clone)]
pub(crate) struct Form {
    pub(crate) flow: &'static str,
    pub(crate) applications: bool,
    pub(crate) client_id: String,
    pub(crate) client_secret: String,
    pub(crate) name: String,
    /// Client id and secret that are put in after the test.
    pub(crate) afterwards: Option<(String, String)>,
    pub(crate) submits: bool,
}

impl Form {
    /// What the run sheet of the swap says.
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

    /// What the run sheet of the way back says.
    pub(crate) fn back(lab: &Lab, tenant: &SimTenant) -> Self {
        let (client_id, client_secret) = legacy_client(lab, tenant);
        Self { flow: "auth-code", client_id, client_secret, ..Self::right(lab, tenant) }
    }
}

/// Opens the form of a directory, presses Test Connection, and returns the page that is there then.
pub(crate) fn try_test(lab: &Lab, tenant: &SimTenant, directory_id: &str, form: &Form) -> String {
    let path = path(tenant, directory_id);
    post(lab, &format!("{path}/open"), "");
    press(lab, &path, form, "test", (&form.client_id, &form.client_secret))
}

fn path(tenant: &SimTenant, directory_id: &str) -> String {
    format!("/tenants/{}/directories/{directory_id}/reconnect", tenant.account.tsg_id)
}

/// Presses a button with these fields, and returns the page that is there then.
fn press(lab: &Lab, path: &str, form: &Form, action: &str, client: (&str, &str)) -> String {
    let mut fields = vec![("flow", form.flow), ("client_id", client.0), ("client_secret", client.1)];
    fields.extend([("name", form.name.as_str()), ("action", action)]);
    fields.extend(form.applications.then_some(("collect_applications", "on")));
    let fields: Vec<_> = fields.iter().map(|(name, value)| format!("{name}={}", encode(value))).collect();
    post(lab, path, &fields.join("&"));
    get(lab, path)
}

/// Reconnects the tenant's directory, or another one of its group.
pub(crate) fn reconnect(lab: &Lab, tenant: &SimTenant, directory_id: &str, form: &Form) {
    let path = path(tenant, directory_id);
    let press = |action: &str, client: (&str, &str)| press(lab, &path, form, action, client);
    post(lab, &format!("{path}/open"), "");
    let client = (form.client_id.as_str(), form.client_secret.as_str());
    if form.flow == "auth-code" {
        let page = press("sign-in", client);
        assert!(page.contains("Logged In"), "{page}");
    }
    let page = press("test", client);
    assert!(page.contains(">Success</output>"), "{page}");
    let client = form.afterwards.as_ref().map_or(client, |(id, secret)| (id, secret));
    if form.submits {
        let before = submits(lab, directory_id);
        press("submit", client);
        assert_eq!(submits(lab, directory_id), before + 1, "nothing was submitted");
    }
}

/// How often a directory was submitted, by its own world.
fn submits(lab: &Lab, directory_id: &str) -> u32 {
    let snapshot = lab.sim.snapshot();
    let name = snapshot["directories"][directory_id]["name"].as_str().unwrap().to_owned();
    let domain = snapshot["directories"][directory_id]["domain"].as_str().unwrap().to_owned();
    let all = lab.sim.world().directories;
    all.iter().find(|directory| directory.name == name && directory.domain == domain).unwrap().submits
}

/// The client that flowswap has made for the tenant, and the secret of it that it keeps.
pub(crate) fn service_client(lab: &Lab, tenant: &SimTenant) -> (String, String) {
    let client = lab.org(tenant).service_clients.last().unwrap().id.clone();
    let state = StateDir::at(lab.path(".flowswap"));
    let identity = Identity::load(&state.root().join("identity.txt")).unwrap();
    let store = AgeSecretStore::read_only(state.secrets(), identity);
    let handle = Handle::new(format!("{}/provision/client_secret", tenant.name));
    let secret = lab.wait(store.get(&handle)).unwrap().unwrap();
    (client, secret.expose().to_owned())
}

/// The client of the authorization-code flow, as its General tab in Okta shows it.
pub(crate) fn legacy_client(lab: &Lab, tenant: &SimTenant) -> (String, String) {
    let legacy = lab.org(tenant).legacy[0].clone();
    let request =
        http::Request::get(format!("https://{}/api/v1/apps/{}/credentials/secrets", tenant.domain, legacy.id))
            .header("authorization", format!("SSWS {}", tenant.admin_token));
    let secrets: Value = serde_json::from_str(&send(lab, request, "")).unwrap();
    (legacy.client_id, secrets[0]["client_secret"].as_str().unwrap().to_owned())
}

fn get(lab: &Lab, path: &str) -> String {
    send(lab, http::Request::get(format!("https://{CONSOLE_HOST}{path}")), "")
}

fn post(lab: &Lab, path: &str, form: &str) {
    let request = http::Request::post(format!("https://{CONSOLE_HOST}{path}"))
        .header("content-type", "application/x-www-form-urlencoded")
        .header("content-length", form.len());
    send(lab, request, form);
}

fn send(lab: &Lab, request: http::request::Builder, body: &str) -> String {
    let request = request.body(Full::new(Bytes::from(body.to_owned()))).unwrap();
    lab.wait(async {
        let response = lab.sim.service().oneshot(request).await.unwrap();
        assert!(response.status().as_u16() < 400, "{}", response.status());
        String::from_utf8(response.into_body().collect().await.unwrap().to_bytes().to_vec()).unwrap()
    })
}

fn encode(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    text.bytes().map(|b| if plain(b) { char::from(b).to_string() } else { format!("%{b:02X}") }).collect()
}
