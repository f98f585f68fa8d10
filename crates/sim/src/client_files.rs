//! Writes the files that a client of the simulator needs: configuration, certificate, tokens, and address.

use std::{
    fmt::Write as _,
    fs, io,
    io::Write as _,
    net::SocketAddr,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use crate::clock::to_rfc3339;
use crate::config::{AdminCredential, CIE_API_HOST, CIE_AUTH_HOST, Interface};
use crate::directory::Flow;
use crate::sim::Sim;
use crate::tenant::SimTenant;

/// How to reach a running simulator: the content of [`Running::FILE`].
#[derive(Debug, Serialize, Deserialize)]
pub struct Running {
    /// The address on which it listens.
    pub address: SocketAddr,
    /// The token of its own interface, on [`ADMIN_HOST`](crate::ADMIN_HOST).
    pub admin_token: String,
}

impl Running {
    /// The name of the file.
    pub const FILE: &str = "sim.json";

    /// Reads the file in the folder to which [`Sim::write_client_files`] wrote.
    pub fn read(dir: &Path) -> io::Result<Self> {
        Ok(serde_json::from_str(&fs::read_to_string(dir.join(Self::FILE))?)?)
    }
}

/// The values of the label `region`, in turns.
const REGIONS: [&str; 3] = ["emea", "amer", "apac"];

impl Sim {
    /// Writes `ca.pem`, the tokens, [`Running::FILE`], and a `migrate.toml` for all tenants into the folder. Returns the
    /// path of `migrate.toml`. `plugins` is the text of its `[plugins]` tables, and may be empty.
    pub fn write_client_files(&self, dir: &Path, plugins: &str) -> io::Result<PathBuf> {
        create_private_dir(&dir.join("tokens"))?;
        write_private(&dir.join("ca.pem"), self.ca_pem())?;
        match self.interface() {
            Interface::Rest => write_private(&dir.join("gateway.token"), self.gateway_token())?,
            Interface::CieGuided => write_private(&dir.join("cie.secret"), &self.parent_account().client_secret)?,
        }
        for tenant in self.tenants() {
            write_private(&dir.join("tokens").join(format!("{}.token", tenant.name)), &tenant.admin_token)?;
            if let AdminCredential::ServiceApp { .. } = self.admin() {
                write_private(
                    &dir.join("tokens").join(format!("{}.jwk", tenant.name)),
                    &tenant.service_app.private_key,
                )?;
            }
        }
        let running = Running { address: self.addr(), admin_token: self.admin_token().to_owned() };
        write_private(&dir.join(Running::FILE), &(serde_json::to_string_pretty(&running)? + "\n"))?;
        let path = dir.join("migrate.toml");
        write_private(&path, &self.configuration(plugins))?;
        Ok(path)
    }

    /// The text of the `migrate.toml` that [`write_client_files`](Self::write_client_files) writes.
    pub fn configuration(&self, plugins: &str) -> String {
        let types = self.variant_types();
        let mut text = format!(
            r#"# The configuration of a simulated fleet.

[network]
ca_file = "ca.pem"
resolve = {{ "*.okta.test" = "{addr}", "*.cie.test" = "{addr}" }}

{plugins}
# The settings of all tenants. `{{name}}` is the name of the tenant.

[defaults.provider]
plugin = "okta"
{credential}
variant_types = {{ plain = "{plain}", application-enabled = "{application_enabled}" }}

[defaults.directory]
"#,
            credential = match self.admin() {
                AdminCredential::ApiToken => r#"credential = { file = "tokens/{name}.token" }"#,
                AdminCredential::ServiceApp { .. } => r#"private_key = { file = "tokens/{name}.jwk" }"#,
            },
            addr = self.addr(),
            plain = types.plain,
            application_enabled = types.application_enabled,
        );
        text += &match self.interface() {
            Interface::Rest => format!("plugin = \"rest\"\nbase_url = \"https://{}\"\n{GATEWAY}", self.gateway_host()),
            Interface::CieGuided => self.guided_defaults(),
        };
        for (tenant, region) in self.tenants().into_iter().zip(REGIONS.into_iter().cycle()) {
            let directory = match self.interface() {
                Interface::Rest => format!("directory = {{ id = \"{}\" }}\n", tenant.directory_id),
                Interface::CieGuided => self.guided_directory(&tenant),
            };
            let SimTenant { name, app_data, domain, service_app, .. } = tenant;
            let client_id = match self.admin() {
                AdminCredential::ApiToken => String::new(),
                AdminCredential::ServiceApp { .. } => format!(", client_id = \"{}\"", service_app.client_id),
            };
            let _ = write!(
                text,
                "\n[[tenant]]\nname = \"{name}\"\napp_data = {app_data}\nlabels = {{ region = \"{region}\" }}\n\
                 provider = {{ domain = \"{domain}\"{client_id} }}\n{directory}",
            );
        }
        text
    }

    /// The settings of all directories for the plugin `cie-guided`.
    fn guided_defaults(&self) -> String {
        format!(
            r#"plugin = "cie-guided"
auth_url = "https://{CIE_AUTH_HOST}"
api_url = "https://{CIE_API_HOST}"
console_url = "{}/tenants/{{name}}/directories"
client_id = "{}"
client_secret = {{ file = "cie.secret" }}
"#,
            self.console_url(),
            self.parent_account().client_id,
        )
    }

    /// The settings of a tenant's directory. A `record` has what the interface does not show. A person would have written
    /// it down when the connection was set up, so only connections of the authorization-code flow have one.
    fn guided_directory(&self, tenant: &SimTenant) -> String {
        let Some(known) = self.directory(&tenant.directory_id) else { return String::new() };
        let mut text = format!(
            "\n[tenant.directory]\ntsg_id = \"{}\"\ndirectory = \"{}\"\ndomain = \"{}\"\ndirectory_id = \"{}\"\n",
            tenant.account.tsg_id, known.name, known.domain, tenant.directory_id
        );
        let connection = &known.connection;
        if let (Flow::AuthorizationCode, Some(at)) = (connection.flow, connection.last_sign_in) {
            let _ = writeln!(
                text,
                "record = {{ flow = \"authorization-code\", client_id = \"{}\", auth_logs = {}, last_sign_in = \"{}\" }}",
                connection.client_id,
                connection.auth_logs,
                to_rfc3339(at)
            );
        }
        text
    }
}

fn create_private_dir(dir: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(dir)
}

/// Writes a file that only its owner can read.
fn write_private(path: &Path, text: &str) -> io::Result<()> {
    let mut options = fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)?.write_all(text.as_bytes())
}

/// The description of the simulator's gateway for the plugin `rest`. The plugin fills in `$…` for each request.
const GATEWAY: &str = r#"credential = { file = "gateway.token" }
healthy = ["success"]
busy = ["in_progress"]
error = "/error/message"
gone = { status = 404, pointer = "/error/code", equals = "not_found" }

[defaults.directory.flows]
authorization_code = "authorization-code"
client_credentials = "client-credentials"

[defaults.directory.fields]
id = "/id"
name = "/name"
domain = "/domain"
kind = "/type"
flow = "/connection/flow"
client_id = "/connection/client_id"
app_data = "/connection/collect_applications"
last_sign_in = "/connection/last_sign_in"
status = "/sync/status"
last_success = "/sync/last_success"
users = "/sync/users"
groups = "/sync/groups"
applications = "/sync/applications"

[defaults.directory.list]
path = "/v1/directories"
items = "/directories"
next = "/next"

[defaults.directory.read]
path = "/v1/directories/$id"

[defaults.directory.status]
path = "/v1/directories/$id/status"

[defaults.directory.status.fields]
flow = "/flow"
client_id = "/client_id"
status = "/sync/status"
last_success = "/sync/last_success"
users = "/sync/users"
groups = "/sync/groups"
applications = "/sync/applications"

[defaults.directory.test]
path = "/v1/directories/$id/test-connection"
passed = { pointer = "/result", equals = "success" }
reason = "/reason"
receipt = "/receipt"

[defaults.directory.test.body]
flow = "$flow"
domain = "$domain"
client_id = "$client_id"
client_secret = "$client_secret"
collect_applications = "$app_data"

[defaults.directory.submit]
path = "/v1/directories/$id/reconnect"

[defaults.directory.submit.body]
receipt = "$receipt"
flow = "$flow"
domain = "$domain"
client_id = "$client_id"
client_secret = "$client_secret"
collect_applications = "$app_data"

[defaults.directory.restore]
path = "/v1/directories/$id/restore"
body = {}
"#;
