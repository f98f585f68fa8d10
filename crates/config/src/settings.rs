//! The tables that configure the tool, not a tenant: `[secrets]`, `[network]`, `[run]`, and `[plugins]`.

use std::{collections::BTreeMap, net::SocketAddr, path::PathBuf, time::Duration};

use flowswap_engine::FailureBudget;
use flowswap_host::{Cage, HostPattern, Share, is_origin};

use crate::{
    diagnostic::Diagnostic,
    location::Location,
    reader::{Reader, whole_number},
    reference::SecretRef,
    tree::{Entry, Table},
};

/// `[network]`: how to reach orgs and directories.
#[derive(Debug)]
pub struct Network {
    /// A PEM file with additional certificates to trust.
    pub ca_file: Option<PathBuf>,
    /// Addresses for hosts, in place of the ones that the system resolves.
    pub resolve: BTreeMap<HostPattern, SocketAddr>,
    /// How long one request may take.
    pub timeout: Duration,
    /// The part of each server's rate limit that flowswap uses. The rest is for others.
    pub share: Share,
}

/// `[run]`: how many tenants at once, how many failures end a run, and how long a plan is valid.
#[derive(Debug)]
pub struct RunLimits {
    /// How many tenants flowswap works on at a time.
    pub concurrency: usize,
    /// How many tenants may fail before the run starts no more.
    pub max_failures: FailureBudget,
    /// How long a plan is valid.
    pub plan_lifetime: Duration,
    /// How long a tenant is swapped before its legacy client may be retired.
    pub soak: Duration,
    /// How long an operator has to carry out a run sheet.
    pub operator_deadline: Duration,
}

/// `[plugins.X]`: where a plugin's library is, and the digest that it must have.
#[derive(Debug, Default)]
pub struct PluginEntry {
    /// Without it, flowswap searches its plugin folders.
    pub path: Option<PathBuf>,
    /// In lower case. Without it, any library is accepted.
    pub sha256: Option<String>,
    /// The origins that its credentials may go to, beside those in the tables of the tenants.
    pub origins: Vec<String>,
    /// Whether its process is caged.
    pub cage: Cage,
}

/// `[secrets]`: what opens the custody of secrets.
pub(crate) struct Custody {
    pub(crate) identity: Option<PathBuf>,
    pub(crate) passphrase: Option<SecretRef>,
    pub(crate) recipients: Vec<PublicKey>,
    pub(crate) max_age: Option<Duration>,
}

/// A public key under `recipients`, whose owner can open the secrets too.
#[derive(Debug)]
pub struct PublicKey {
    /// As it is written. The configuration does not know which keys there are.
    pub text: String,
    pub(crate) at: Location,
}

impl Reader {
    pub(crate) fn read_custody(&mut self, root: &Table) -> Custody {
        let table = self.table(root, "secrets");
        self.check_keys(&table, &["identity", "passphrase", "recipients", "max_age"], "`[secrets]`");
        let (identity, passphrase) = (self.path(&table, "identity"), self.secret(&table, "passphrase"));
        let (recipients, max_age) = (self.public_keys(&table, "recipients"), self.duration(&table, "max_age"));
        Custody { identity, passphrase, recipients, max_age }
    }

    fn public_keys(&mut self, table: &Table, key: &str) -> Vec<PublicKey> {
        let Some(entry) = table.get(key) else { return Vec::new() };
        let mut keys = Vec::new();
        for node in entry.node.as_list().unwrap_or(std::slice::from_ref(&entry.node)) {
            match node.as_text().filter(|text| !text.trim().is_empty() && entry.node.as_list().is_some()) {
                Some(text) => keys.push(PublicKey { text: text.to_owned(), at: node.at }),
                None => self.refuse_kind(
                    key,
                    node,
                    "a list of public keys, such as `[\"age1…\", \"ssh-ed25519 AAAA… ada\"]`",
                ),
            }
        }
        keys
    }

    pub(crate) fn read_network(&mut self, root: &Table) -> Network {
        let table = self.table(root, "network");
        self.check_keys(&table, &["ca_file", "resolve", "timeout", "share"], "`[network]`");
        let overrides = self.table(&table, "resolve");
        Network {
            ca_file: self.path(&table, "ca_file"),
            resolve: overrides.iter().filter_map(|(host, entry)| self.read_override(host, entry)).collect(),
            timeout: self.duration(&table, "timeout").unwrap_or(Duration::from_secs(30)),
            share: self.share(&table, "share").unwrap_or(Share::HALF),
        }
    }

    fn share(&mut self, table: &Table, key: &str) -> Option<Share> {
        let node = &table.get(key)?.node;
        let share = node.as_text().and_then(parse_percentage).and_then(Share::percent);
        if share.is_none() {
            let error = Diagnostic::new(format!("invalid value for `{key}`"));
            let error = error.at(node.at, "expected \"1%\" to \"100%\"");
            self.refuse(error.help("it is the part of each rate limit that flowswap uses"));
        }
        share
    }

    fn read_override(&mut self, host: &str, entry: &Entry) -> Option<(HostPattern, SocketAddr)> {
        let pattern = host.parse::<HostPattern>();
        if pattern.is_err() {
            let error = Diagnostic::new(format!("`{host}` is not a host name"));
            let error = error.at(entry.key_at, "expected a host such as \"acme.okta.com\" or \"*.okta.com\"");
            self.refuse(error.help("leave out the scheme, the port, and the path"));
        }
        let address = entry.node.as_text().and_then(|text| text.parse::<SocketAddr>().ok());
        if address.is_none() {
            let error = Diagnostic::new(format!("`{host}` has no valid address"));
            self.refuse(error.at(entry.node.at, "expected an IP address with a port such as \"127.0.0.1:8443\""));
        }
        Some((pattern.ok()?, address?))
    }

    pub(crate) fn read_run_limits(&mut self, root: &Table) -> RunLimits {
        let table = self.table(root, "run");
        self.check_keys(
            &table,
            &["concurrency", "max_failures", "plan_lifetime", "operator_deadline", "soak"],
            "`[run]`",
        );
        RunLimits {
            concurrency: self.count(&table, "concurrency").unwrap_or(16),
            max_failures: self.budget(&table, "max_failures").unwrap_or(FailureBudget::Tenants(5)),
            plan_lifetime: self.duration(&table, "plan_lifetime").unwrap_or(Duration::from_secs(24 * 60 * 60)),
            soak: self.duration(&table, "soak").unwrap_or(Duration::ZERO),
            operator_deadline: self.duration(&table, "operator_deadline").unwrap_or(Duration::from_secs(72 * 60 * 60)),
        }
    }

    /// A number of tenants, or a percentage of them. A run whose tenants must not fail at all could not start, so there is no 0.
    fn budget(&mut self, table: &Table, key: &str) -> Option<FailureBudget> {
        let node = &table.get(key)?.node;
        let budget = match node.as_text() {
            Some(text) => parse_percentage(text).map(FailureBudget::Percent),
            None => whole_number(node).map(FailureBudget::Tenants),
        };
        if budget.is_none() {
            let error = Diagnostic::new(format!("invalid value for `{key}`"));
            let error = error.at(node.at, "expected a whole number of tenants, at least 1, or \"1%\" to \"100%\"");
            self.refuse(error.help("to stop at the first failure, write 1"));
        }
        budget
    }

    pub(crate) fn read_plugins(&mut self, root: &Table) -> BTreeMap<String, PluginEntry> {
        let mut plugins = BTreeMap::new();
        for (name, entry) in self.table(root, "plugins") {
            let Some(table) = entry.node.as_table() else {
                self.refuse_kind(&name, &entry.node, &format!("a table such as `[plugins.{name}]`"));
                continue;
            };
            self.check_keys(table, &["path", "sha256", "origins", "cage"], &format!("`[plugins.{name}]`"));
            let plugin = PluginEntry {
                path: self.path(table, "path"),
                sha256: self.read_digest(table),
                origins: self.read_origins(table),
                cage: self.read_cage(table).unwrap_or_default(),
            };
            plugins.insert(name.to_string(), plugin);
        }
        plugins
    }

    fn read_origins(&mut self, table: &Table) -> Vec<String> {
        let Some(entry) = table.get("origins") else { return Vec::new() };
        let mut origins = Vec::new();
        for node in entry.node.as_list().unwrap_or(std::slice::from_ref(&entry.node)) {
            match node.as_text().filter(|text| is_origin(text) && entry.node.as_list().is_some()) {
                Some(origin) => origins.push(origin.to_owned()),
                None => {
                    let error = Diagnostic::new("`origins` is not a list of https origins");
                    self.refuse(error.at(node.at, "expected a list such as [\"https://api.example.com\"]"));
                }
            }
        }
        origins
    }

    fn read_cage(&mut self, table: &Table) -> Option<Cage> {
        let entry = table.get("cage")?;
        let cage = entry.node.as_text().and_then(|word| word.parse().ok());
        if cage.is_none() {
            let error = Diagnostic::new("`cage` is not a known word");
            let error = error.at(entry.node.at, "expected \"required\" or \"off\"");
            self.refuse(error.help("leave it out to confine the plugin wherever the system can"));
        }
        cage
    }

    fn read_digest(&mut self, table: &Table) -> Option<String> {
        let entry = table.get("sha256")?;
        let digest = entry.node.as_text().map(str::to_ascii_lowercase);
        let digest = digest.filter(|hex| hex.len() == 64 && hex.bytes().all(|b| b.is_ascii_hexdigit()));
        if digest.is_none() {
            let error = Diagnostic::new("`sha256` is not a SHA-256 digest");
            let error = error.at(entry.node.at, "expected 64 hexadecimal digits");
            self.refuse(error.help("run `flowswap plugins inspect` to see the digest of a plugin"));
        }
        digest
    }
}

/// A percentage such as `10%`, from 1 to 100.
fn parse_percentage(text: &str) -> Option<u8> {
    let digits = text.trim().strip_suffix('%')?;
    let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    digits.parse().ok().filter(|percent| is_number && (1..=100).contains(percent))
}
