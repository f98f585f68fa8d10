//! `flowswap init`: writes a first configuration and the key that protects secrets.

use std::{
    fs::{DirBuilder, OpenOptions},
    io::Write,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::Path,
};

use crate::{
    context::{Context, create_state_folder, make_identity},
    display::text::text,
    exit::{Exit, Failure},
    plugin_pins::pin_tables,
    trust::require_place,
};

pub(crate) fn run(context: &Context) -> Result<Exit, Failure> {
    let path = &context.global.config;
    let dir = path.parent().map_or(Path::new(""), |dir| dir);
    require_place(path)?;
    // Whatever the umask is, others cannot change what flowswap makes.
    DirBuilder::new()
        .recursive(true)
        .mode(0o755)
        .create(Path::new(".").join(dir))
        .map_err(Failure::at(format!("create the folder `{}`", dir.display())))?;
    let doing = || format!("write `{}`", path.display());
    let text = TEMPLATE.replace("# PLUGINS\n", &pin_tables(context)?);
    match OpenOptions::new().write(true).create_new(true).mode(0o644).open(path) {
        Ok(mut file) => file.write_all(text.as_bytes()).map_err(Failure::at(doing()))?,
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
            let failure =
                Failure::new(Exit::Usage, format!("`{}` already exists; flowswap did not change it", path.display()));
            return Err(failure.hint("pass `--config` with another file"));
        }
        Err(error) => return Err(Failure::at(doing())(error)),
    }
    let state = create_state_folder(&dir.join(".flowswap"))?;
    // Neither the key nor the secrets that it protects belong in a repository.
    let ignored =
        OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(state.root().join(".gitignore"));
    ignored
        .and_then(|mut file| file.write_all(b"*\n"))
        .map_err(Failure::at("write `.gitignore` into the state folder"))?;
    let identity = make_identity(&state)?;
    context.terminal.say(text!("wrote {} and {}\nnext: replace the example tenant with your own, then run `flowswap check`\nkeep a copy of the identity in a safe place: \
         without it nobody can read the secrets that flowswap captures", path.display(), identity.display()));
    Ok(Exit::Done)
}

/// The first configuration, for a person to edit. `migrate.toml.example` explains every key.
const TEMPLATE: &str = r#"# `migrate.toml.example` in flowswap's repository explains every key.

# PLUGINS
[[tenant]]
name = "acme"
# Whether the directory collects enterprise applications.
app_data = false

[tenant.provider]
plugin = "okta"
# The org's host name: no scheme, not the `-admin` host.
domain = "acme.okta.com"
# An API token of an admin of the org, from the environment, a file (`{ file = … }`) or a command (`{ command = […] }`).
credential = { env = "ACME_OKTA_TOKEN" }
# The type keys of Palo Alto Networks' two integrations. No public document has them: install the integration once by
# hand in any org, and read `type` from Okta's API (`GET /integrations/api/v1/api-services`).
# variant_types = { plain = "…", application-enabled = "…" }

[tenant.directory]
# The interface to the directory. `rest` describes any HTTPS interface; see `migrate.toml.example`.
plugin = "rest"
base_url = "https://gateway.example"
id = "the-directory-id"
credential = { env = "GATEWAY_TOKEN" }
healthy = ["success"]
flows = { authorization_code = "authorization-code", client_credentials = "client-credentials" }

# JSON pointers into the response of `read`. Only the first four are required; flowswap needs the others as evidence.
[tenant.directory.fields]
id = "/id"
name = "/name"
domain = "/domain"
flow = "/connection/flow"
client_id = "/connection/client_id"
app_data = "/connection/collect_applications"
status = "/sync/status"
last_success = "/sync/last_success"
users = "/sync/users"
groups = "/sync/groups"

# The requests. flowswap fills in `$word` when it sends one.
[tenant.directory.read]
path = "/v1/directories/$id"

[tenant.directory.test]
path = "/v1/directories/$id/test-connection"
passed = { pointer = "/result", equals = "success" }
receipt = "/receipt"

[tenant.directory.test.body]
flow = "$flow"
domain = "$domain"
client_id = "$client_id"
client_secret = "$client_secret"

[tenant.directory.submit]
path = "/v1/directories/$id/reconnect"

[tenant.directory.submit.body]
receipt = "$receipt"
flow = "$flow"
domain = "$domain"
client_id = "$client_id"
client_secret = "$client_secret"
collect_applications = "$app_data"

# The rollback of the swap. Without it, a person must sign in to roll back.
[tenant.directory.restore]
path = "/v1/directories/$id/restore"
body = {}
"#;
