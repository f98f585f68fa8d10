//! `flowswap init`: writes a first configuration and the key that protects secrets.

use std::{
    fs::{DirBuilder, OpenOptions},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::Path,
};

use flowswap_engine::Secret;
use flowswap_store::StateDir;

use crate::{
    context::{Context, create_state_folder},
    display::text::text,
    exit::{Exit, Failure},
    identity,
    keyboard::{Conversation, missing_terminal},
    plugin_pins::pin_tables,
    trust::require_place,
};

pub(crate) async fn run(context: &Context) -> Result<Exit, Failure> {
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
    if path.exists() {
        return Err(already_exists(path));
    }
    let pins = pin_tables(context)?;
    let state = StateDir::at(context.global.state_dir.clone().unwrap_or_else(|| dir.join(".flowswap")));
    identity::refuse_another(&state)?;
    let passphrase = if identity::exists(&state)? { None } else { ask_for_passphrase(context).await? };
    let state = create_state_folder(state.root())?;
    // Neither the journal nor the secrets belong in a repository.
    let ignored =
        OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(state.root().join(".gitignore"));
    ignored
        .and_then(|mut file| file.write_all(b"*\n"))
        .map_err(Failure::at("write `.gitignore` into the state folder"))?;
    let identity = identity::make(&state, passphrase)?;
    let is_locked = identity::is_locked(&identity);
    let text = TEMPLATE.replace("# PLUGINS\n", &format!("{}{pins}", if is_locked { PASSPHRASE } else { "" }));
    match OpenOptions::new().write(true).create_new(true).mode(0o644).open(path) {
        Ok(mut file) => file.write_all(text.as_bytes()).map_err(Failure::at(doing()))?,
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Err(already_exists(path)),
        Err(error) => return Err(Failure::at(doing())(error)),
    }
    context.terminal.say(text!(
        "wrote {} and {}\nnext: replace the example tenant with your own, then run `flowswap check`\nkeep a copy of the \
         identity in a safe place: without it nobody can read the secrets that flowswap captures",
        path.display(),
        identity.display()
    ));
    if is_locked {
        let message =
            "the identity has a passphrase: set the variable FLOWSWAP_PASSPHRASE before you run another command";
        context.terminal.say(message);
    } else if missing_terminal().is_some() {
        context.terminal.say("the identity has no passphrase: flowswap asks for one only at a terminal");
    }
    Ok(Exit::Done)
}

fn already_exists(path: &Path) -> Failure {
    let failure = Failure::new(Exit::Usage, format!("`{}` already exists; flowswap did not change it", path.display()));
    failure.hint("pass `--config` with another file")
}

/// Asks the person at the terminal for a passphrase of the new identity. `None` if there is no terminal, or if they want none.
async fn ask_for_passphrase(context: &Context) -> Result<Option<Secret>, Failure> {
    if missing_terminal().is_some() {
        return Ok(None);
    }
    let passphrase =
        read_hidden(context, "Passphrase for the identity, which opens the captured secrets (leave empty for none):");
    let passphrase = passphrase.await?;
    if passphrase.expose().is_empty() {
        return Ok(None);
    }
    if read_hidden(context, "The same again:").await?.expose() != passphrase.expose() {
        let failure = Failure::new(Exit::Usage, "the two passphrases differ, so nothing was done");
        return Err(failure.hint("run the same command again"));
    }
    Ok(Some(passphrase))
}

/// Ctrl-C and the end of the input mean that nothing is to be done.
async fn read_hidden(context: &Context, prompt: &'static str) -> Result<Secret, Failure> {
    let mut person = Conversation::begin().await;
    let prompt = text!("{}", prompt);
    let typed = tokio::select! {
        biased;
        () = context.stop.stopped() => None,
        typed = person.ask_hidden(&prompt) => typed,
    };
    let typed = typed.ok_or_else(|| Failure::new(Exit::Interrupted, "you gave no passphrase, so nothing was done"))?;
    Ok(Secret::new(typed))
}

/// Where the passphrase of the identity is, for the configuration.
const PASSPHRASE: &str = r#"[secrets]
# The identity is encrypted with a passphrase. A file (`{ file = … }`) or a command (`{ command = […] }`) can hold it too.
passphrase = { env = "FLOWSWAP_PASSPHRASE" }

"#;

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
