//! `[[notify]]`: who is told what, and how.

use std::collections::BTreeSet;

use crate::{
    diagnostic::Diagnostic,
    reader::Reader,
    reference::{ProgramCall, SecretRef},
    suggest::suggest,
    tree::{Entry, Node, Table},
};

/// Somebody who is told of what happens to tenants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotifyTarget {
    /// Its name, unique in the configuration.
    pub name: String,
    /// What it is told of; never empty.
    pub on: BTreeSet<Occasion>,
    /// How it is told.
    pub channel: Channel,
}

/// Something that people are told of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Occasion {
    /// A person is asked to carry out a run sheet.
    Waiting,
    /// The person has not done so within the deadline.
    Overdue,
    /// A tenant needs a decision.
    Stuck,
    /// A step failed and changed nothing.
    Failed,
    /// All tenants of a wave are swapped.
    WaveDone,
    /// A plan has a tenant whose connection soon stops working.
    DeadlineNear,
}

impl Occasion {
    /// All occasions.
    pub const ALL: [Self; 6] =
        [Self::Waiting, Self::Overdue, Self::Stuck, Self::Failed, Self::WaveDone, Self::DeadlineNear];

    /// Its word in the configuration and in messages.
    pub fn word(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Overdue => "overdue",
            Self::Stuck => "stuck",
            Self::Failed => "failed",
            Self::WaveDone => "wave-done",
            Self::DeadlineNear => "deadline-near",
        }
    }
}

/// How a target is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Channel {
    /// With HTTPS requests.
    Webhook {
        /// Where they go.
        url: WebhookUrl,
        /// The form of their bodies.
        form: MessageForm,
    },
    /// A program gets lines of JSON on its stdin.
    Command(ProgramCall),
}

/// Where a webhook is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WebhookUrl {
    /// The URL itself, which everybody may know.
    Public(String),
    /// Where the URL is kept.
    Secret(SecretRef),
}

/// The form of a message to a webhook.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum MessageForm {
    /// The JSON of flowswap: one object for each notification.
    #[default]
    Json,
    /// What an incoming webhook of Slack takes.
    Slack,
    /// What a workflow of Microsoft Teams takes.
    Teams,
}

const KEYS: [&str; 6] = ["name", "on", "webhook", "as", "command", "env"];

const WEBHOOK_HELP: &str = "write `{ env = \"VARIABLE\" }`, `{ file = \"path\" }`, `{ command = [\"program\"] }`, or `{ vault = \"path#field\" }`; \
                            `{ url = \"https://…\" }` only for a URL that everybody may know";

impl Reader {
    pub(crate) fn read_notify(&mut self, root: &Table) -> Vec<NotifyTarget> {
        let Some(entry) = root.get("notify") else { return Vec::new() };
        let tables = entry.node.as_list().filter(|items| items.iter().all(|item| item.as_table().is_some()));
        let Some(tables) = tables else {
            let error = Diagnostic::new("`notify` is not a list of tables").at(entry.key_at, "");
            self.refuse(error.help("start every target with `[[notify]]`, in double brackets"));
            return Vec::new();
        };
        let mut targets: Vec<NotifyTarget> = Vec::new();
        for node in tables {
            let Some(target) = self.read_target(node) else { continue };
            if targets.iter().any(|other| other.name == target.name) {
                let error = Diagnostic::new(format!("two targets have the name `{}`", target.name));
                self.refuse(error.at(node.at, "second use").help("give each `[[notify]]` a unique name"));
            }
            targets.push(target);
        }
        targets
    }

    fn read_target(&mut self, node: &Node) -> Option<NotifyTarget> {
        let table = node.as_table()?;
        self.check_keys(table, &KEYS, "`[[notify]]`");
        let name = table.get("name").and_then(|entry| entry.node.as_text());
        let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '.' | '_' | '-');
        let Some(name) = name.filter(|name| !name.is_empty() && name.len() <= 63 && name.chars().all(is_plain)) else {
            let at = table.get("name").map_or(node.at, |entry| entry.node.at);
            let error = Diagnostic::new("a target of `[[notify]]` has no valid `name`");
            self.refuse(error.at(at, "expected lowercase letters, digits, `.`, `_`, and `-`, such as \"ops\""));
            return None;
        };
        // Both are read in any case, so that all errors are shown together.
        let (on, channel) = (self.read_occasions(name, node, table), self.read_channel(name, node, table));
        Some(NotifyTarget { name: name.to_owned(), on: on?, channel: channel? })
    }

    fn read_occasions(&mut self, name: &str, node: &Node, table: &Table) -> Option<BTreeSet<Occasion>> {
        let words = Occasion::ALL.map(Occasion::word);
        let Some(entry) = table.get("on") else {
            let error = Diagnostic::new(format!("`[[notify]]` does not say what `{name}` is told of"));
            let error = error.at(node.at, "expected `on = [\"waiting\", \"stuck\"]` below");
            self.refuse(error.help(suggest("", words)));
            return None;
        };
        let Some(items) = entry.node.as_list() else {
            self.refuse_kind("on", &entry.node, "a list such as [\"waiting\", \"stuck\"]");
            return None;
        };
        if items.is_empty() {
            let error = Diagnostic::new(format!("`on` is empty, so `{name}` is told of nothing"));
            self.refuse(error.at(entry.node.at, "expected a list such as [\"waiting\", \"stuck\"]"));
            return None;
        }
        let mut on = BTreeSet::new();
        for item in items {
            let word = item.as_text().unwrap_or_default();
            match Occasion::ALL.into_iter().find(|known| known.word() == word) {
                Some(known) => drop(on.insert(known)),
                None => {
                    let error = Diagnostic::new("`on` has an unknown word");
                    self.refuse(error.at(item.at, "nobody can be told of this").help(suggest(word, words)));
                }
            }
        }
        Some(on)
    }

    fn read_channel(&mut self, name: &str, node: &Node, table: &Table) -> Option<Channel> {
        match (table.get("webhook"), table.get("command")) {
            (Some(webhook), None) => {
                if let Some(env) = table.get("env") {
                    let error = Diagnostic::new("`env` is only for a `command`");
                    self.refuse(error.at(env.key_at, "").help("write it into the `{ command = … }` of the webhook"));
                }
                let forms = [("json", MessageForm::Json), ("slack", MessageForm::Slack), ("teams", MessageForm::Teams)];
                let form = self.word(table, "as", &forms).unwrap_or_default();
                Some(Channel::Webhook { url: self.read_webhook(webhook)?, form })
            }
            (None, Some(command)) => {
                if let Some(form) = table.get("as") {
                    let error = Diagnostic::new("`as` is only for a `webhook`");
                    self.refuse(error.at(form.key_at, "").help("a command always gets lines of JSON"));
                }
                self.read_command(command, table.get("env")).map(Channel::Command)
            }
            (both, other) => {
                let error = Diagnostic::new(format!("`[[notify]]` does not say how `{name}` is told"));
                let error = match (both, other) {
                    (Some(webhook), Some(command)) => {
                        error.at(command.key_at, "a second way").at(webhook.key_at, "the first way")
                    }
                    _ => error.at(node.at, "expected `webhook` or `command` below"),
                };
                self.refuse(error.help("write exactly one of `webhook` and `command`"));
                None
            }
        }
    }

    fn read_webhook(&mut self, entry: &Entry) -> Option<WebhookUrl> {
        let Some(table) = entry.node.as_table() else {
            let error = Diagnostic::new("`webhook` holds its URL in plain text, which is a secret for most services");
            self.refuse(error.at(entry.node.at, "expected a reference to where the URL is kept").help(WEBHOOK_HELP));
            return None;
        };
        let Some(url) = table.get("url").filter(|_| table.len() == 1) else {
            return self.read_reference("webhook", entry).map(WebhookUrl::Secret);
        };
        let text = url.node.as_text().unwrap_or_default();
        if !text.strip_prefix("https://").is_some_and(|rest| !rest.is_empty() && !rest.starts_with('/')) {
            let error = Diagnostic::new("the `url` of a webhook is not an https URL");
            self.refuse(error.at(url.node.at, "expected a URL such as \"https://hooks.example.com/flowswap\""));
            return None;
        }
        Some(WebhookUrl::Public(text.to_owned()))
    }
}
