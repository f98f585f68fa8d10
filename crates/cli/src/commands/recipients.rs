//! `flowswap secret recipients`: lists who can open the stored secrets.

use std::collections::BTreeMap;

use flowswap_store::{AgeSecretStore, Recipient, StateDir};
use schemars::JsonSchema;
use serde::Serialize;

use crate::{
    context::Context,
    display::{
        table,
        text::{Text, text},
    },
    documents::{Document, DocumentName},
    exit::{Exit, Failure},
    identity,
};

#[derive(Serialize, JsonSchema)]
pub(super) struct Report {
    /// How many secrets are stored that the identity opens.
    secrets: usize,
    /// How many of them so many keys open as the configuration names, the identity included.
    with_all_keys: usize,
    /// The keys: that of the identity, those under `recipients`, and SSH keys that open a secret and are not in the configuration.
    keys: Vec<Key>,
}

impl Document for Report {
    const NAME: DocumentName = DocumentName::Recipients;
}

impl Report {
    /// Whether every secret opens with the keys of the configuration and no others, as far as the files show it.
    fn is_current(&self) -> bool {
        let is_right = |key: &Key| key.role != KeyRole::Unlisted && key.opens.is_none_or(|opens| opens == self.secrets);
        self.with_all_keys == self.secrets && self.keys.iter().all(is_right)
    }
}

/// A key that opens secrets, or should.
#[derive(Serialize, JsonSchema)]
struct Key {
    /// Why it is here.
    role: KeyRole,
    /// The public key. `None` if the configuration does not have it, because a file has only its tag.
    public_key: Option<String>,
    /// What follows an SSH key in its line, such as the owner's address. Empty if there is nothing.
    comment: String,
    /// What the files call an SSH key. `None` for a key of age, which no file names.
    tag: Option<String>,
    /// How many secrets it opens. `None` if the files do not show it.
    opens: Option<usize>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
enum KeyRole {
    /// The identity of this machine has it.
    Identity,
    /// It is under `recipients` of the configuration.
    Recipient,
    /// It opens a secret, and is not in the configuration.
    Unlisted,
}

pub(crate) fn run(context: &Context) -> Result<Exit, Failure> {
    let config = context.load_config()?;
    let identity = context.load_identity(&config)?;
    let others = identity::recipients(&config)?;
    let folder = StateDir::at(&config.state).secrets();
    let stored = AgeSecretStore::inspect(&folder, &identity).map_err(Failure::at("read the stored secrets"))?;
    let (own, all) = (identity.recipients(), identity.recipients_with(&others));
    let secrets = stored.secrets.len();
    let mut unlisted = stored.ssh;
    let mut keys: Vec<Key> = all.iter().map(|key| describe(key, own.contains(key), secrets, &mut unlisted)).collect();
    keys.extend(unlisted.into_iter().map(|(tag, opens)| Key {
        role: KeyRole::Unlisted,
        public_key: None,
        comment: String::new(),
        tag: Some(tag),
        opens: Some(opens),
    }));
    let with_all_keys = stored.recipients.get(&all.len()).copied().unwrap_or(0);
    let report = Report { secrets, with_all_keys, keys };
    context.terminal.report(&report, || text(&report))?;
    Ok(Exit::Done)
}

/// Takes the key out of those that open a secret.
fn describe(key: &Recipient, is_own: bool, secrets: usize, ssh: &mut BTreeMap<String, usize>) -> Key {
    let tag = key.tag();
    let seen = tag.as_ref().map(|tag| ssh.remove(tag).unwrap_or(0));
    let (role, opens) = if is_own { (KeyRole::Identity, seen.or(Some(secrets))) } else { (KeyRole::Recipient, seen) };
    Key { role, public_key: Some(key.public_key()), comment: key.comment().to_owned(), tag, opens }
}

fn text(report: &Report) -> Text {
    let rows = report.keys.iter().map(|key| {
        let opens = match key.opens {
            Some(opens) => text!("{} of {}", opens, report.secrets),
            None => "not visible".into(),
        };
        let role = match key.role {
            KeyRole::Identity => "identity",
            KeyRole::Recipient => "recipient",
            KeyRole::Unlisted => "not in the configuration",
        };
        let tag = || format!("an SSH key with the tag {}", key.tag.as_deref().unwrap_or_default());
        let public_key = key.public_key.clone().unwrap_or_else(tag);
        [table::plain(role), table::plain(opens), table::plain(&key.comment), table::plain(public_key)]
    });
    let mut text = table::render(["key of", "opens", "owner", "public key"], rows);
    if report.keys.iter().any(|key| key.opens.is_none()) {
        text += "\na file does not name the keys of age that open it\n";
    }
    if !report.is_current() {
        text += "\nnot every secret is encrypted to exactly these keys\nnext: flowswap secret rekey\n";
    }
    text
}
