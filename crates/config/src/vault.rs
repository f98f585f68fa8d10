//! `[vault]`: where HashiCorp Vault or OpenBao is, and how flowswap logs in there.

use std::path::PathBuf;

use flowswap_host::is_nearby_origin;

use crate::{
    diagnostic::Diagnostic,
    mask::is_vault_path,
    reader::Reader,
    reference::SecretRef,
    tree::{Entry, Table},
};

/// Where a pod of Kubernetes finds the token of its service account.
const SERVICE_ACCOUNT_TOKEN: &str = "/var/run/secrets/kubernetes.io/serviceaccount/token";

/// The variable with the token, if the configuration names no login.
const TOKEN_VARIABLE: &str = "VAULT_TOKEN";

/// Where Vault is, and how to log in there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Vault {
    /// Its origin, such as `https://vault.example.com:8200`. `None` if a variable says it.
    pub address: Option<String>,
    /// The namespace in which all paths are. `None` if a variable says it, or if Vault has no namespaces.
    pub namespace: Option<String>,
    /// How to log in.
    pub login: VaultLogin,
}

/// How to log in to Vault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum VaultLogin {
    /// With a token that somebody made.
    Token(SecretRef),
    /// With the method AppRole.
    AppRole {
        /// Where the method is mounted, below `auth/`.
        mount: String,
        /// Which role; not a secret.
        role_id: String,
        /// The password of the role.
        secret_id: SecretRef,
    },
    /// With the method Kubernetes.
    Kubernetes {
        /// Where the method is mounted, below `auth/`.
        mount: String,
        /// Which role.
        role: String,
        /// The file with the token of the service account.
        jwt: PathBuf,
    },
}

impl Default for Vault {
    fn default() -> Self {
        let token = SecretRef::Env(TOKEN_VARIABLE.to_owned());
        Self { address: None, namespace: None, login: VaultLogin::Token(token) }
    }
}

/// How to write a login.
const LOGIN_HELP: &str = "write `auth = { token = { env = \"VAULT_TOKEN\" } }`, `auth = { approle = { role_id = \"…\", secret_id = \
                          { env = \"VAULT_SECRET_ID\" } } }`, or `auth = { kubernetes = { role = \"…\" } }`";

impl Reader {
    pub(crate) fn read_vault(&mut self, root: &Table) -> Vault {
        let table = self.table(root, "vault");
        self.check_keys(&table, &["address", "namespace", "auth"], "`[vault]`");
        let address = table.get("address").and_then(|entry| self.read_address(entry));
        let namespace = table.get("namespace").and_then(|entry| self.read_place("namespace", entry));
        let login = table.get("auth").and_then(|entry| self.read_login(entry));
        Vault { address, namespace, login: login.unwrap_or_else(|| Vault::default().login) }
    }

    fn read_address(&mut self, entry: &Entry) -> Option<String> {
        let origin = entry.node.as_text().filter(|text| is_nearby_origin(text));
        if origin.is_none() {
            let error = Diagnostic::new("`address` is not an address of Vault");
            let error = error.at(entry.node.at, "expected an address such as \"https://vault.example.com:8200\"");
            self.refuse(error.help("leave out the path; `http://` is only for an agent on this machine"));
        }
        origin.map(|origin| origin.strip_suffix('/').unwrap_or(origin).to_owned())
    }

    /// A mount or a namespace: names with slashes between them.
    fn read_place(&mut self, key: &str, entry: &Entry) -> Option<String> {
        let place = entry.node.as_text().map(|text| text.trim_matches('/'));
        // A namespace stands in a header.
        let place = place.filter(|text| is_vault_path(text) && text.is_ascii());
        if place.is_none() {
            let error = Diagnostic::new(format!("`{key}` is not a name in Vault"));
            self.refuse(error.at(entry.node.at, "expected names with `/` between them, such as \"teams/identity\""));
        }
        place.map(str::to_owned)
    }

    fn read_login(&mut self, entry: &Entry) -> Option<VaultLogin> {
        let table = entry.node.as_table().filter(|table| table.len() == 1);
        let login = table.and_then(|table| table.iter().next());
        let Some((method, login)) =
            login.filter(|(method, _)| ["token", "approle", "kubernetes"].contains(&&***method))
        else {
            let error = Diagnostic::new("`auth` does not say how to log in to Vault");
            let error = error.at(entry.node.at, "expected exactly one of `token`, `approle`, and `kubernetes`");
            self.refuse(error.help(LOGIN_HELP));
            return None;
        };
        if **method == *"token" {
            return self.read_own_secret("token", login).map(VaultLogin::Token);
        }
        let Some(table) = login.node.as_table() else {
            self.refuse_kind(method, &login.node, "a table");
            return None;
        };
        let mount = match table.get("mount") {
            Some(mount) => self.read_place("mount", mount),
            None => Some(method.to_string()),
        };
        if **method == *"kubernetes" {
            self.check_keys(table, &["mount", "role", "jwt"], "`kubernetes`");
            let jwt = self.path(table, "jwt").unwrap_or_else(|| SERVICE_ACCOUNT_TOKEN.into());
            let role = self.required(table, login, "role");
            return Some(VaultLogin::Kubernetes { mount: mount?, role: role?, jwt });
        }
        self.check_keys(table, &["mount", "role_id", "secret_id"], "`approle`");
        let role_id = self.required(table, login, "role_id");
        let Some(secret_id) = table.get("secret_id") else {
            self.refuse(Diagnostic::new("`approle` has no `secret_id`").at(login.key_at, "").help(LOGIN_HELP));
            return None;
        };
        let secret_id = self.read_own_secret("secret_id", secret_id);
        Some(VaultLogin::AppRole { mount: mount?, role_id: role_id?, secret_id: secret_id? })
    }

    /// A reference to a secret that Vault itself needs, and that so cannot be in Vault.
    fn read_own_secret(&mut self, key: &str, entry: &Entry) -> Option<SecretRef> {
        let secret = self.read_reference(key, entry)?;
        if matches!(secret, SecretRef::Vault(_)) {
            let error = Diagnostic::new(format!("`{key}` is in Vault, and flowswap needs it to log in to Vault"));
            self.refuse(error.at(entry.node.at, "expected `env`, `file`, or `command`"));
            return None;
        }
        Some(secret)
    }

    fn required(&mut self, table: &Table, of: &Entry, key: &str) -> Option<String> {
        let Some(entry) = table.get(key) else {
            self.refuse(
                Diagnostic::new(format!("the login to Vault has no `{key}`")).at(of.key_at, "").help(LOGIN_HELP),
            );
            return None;
        };
        let text = entry.node.as_text();
        if text.is_none() {
            self.refuse_kind(key, &entry.node, "a text in quotes");
        }
        if text.is_some_and(|text| text.trim().is_empty()) {
            self.refuse(Diagnostic::new(format!("`{key}` is empty")).at(entry.node.at, "expected the name of a role"));
            return None;
        }
        text.map(str::to_owned)
    }
}
