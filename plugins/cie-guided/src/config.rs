//! The tenant's `directory` table, read and checked once when the session opens.

use flowswap_contract::{Error, Flow, Handle, Open};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::table::Table;

/// Where service accounts get tokens (Prisma SASE documentation, "Access tokens").
pub(crate) const AUTH_URL: &str = "https://auth.apps.paloaltonetworks.com";
/// Where the directory service answers (Cloud Identity Engine, Directory Sync Service API).
pub(crate) const API_URL: &str = "https://api.sase.paloaltonetworks.com";

/// The keys of the table: name, whether it is required, what it is.
pub(crate) const KEYS: [(&str, bool, &str); 12] = [
    ("tsg_id", true, "id of the tenant service group, 10 digits"),
    ("client_id", true, "the service account's client ID"),
    ("client_secret", true, "the service account's client secret"),
    ("directory", true, "the directory's name, as the Directories page shows it"),
    ("domain", true, "the directory's Okta domain, as the Directories page shows it"),
    ("directory_id", false, "the directory's id, a UUID; needed only to rotate its client secret without a person"),
    ("console_url", false, "the tenant's address in the browser, for the run sheet"),
    ("auth_url", false, "https origin for tokens; by default that of Palo Alto Networks"),
    ("api_url", false, "https origin of the interface; by default that of Palo Alto Networks"),
    ("record", false, "table: what you saw in the console: flow, client_id, app_data, auth_logs, last_sign_in"),
    ("loss_budget", false, "table: how much may be missing after the swap: users_percent (0.5), groups (0)"),
    ("sample_groups", false, "in how many groups to compare the members; 20 by default, 50 at most"),
];

/// One reply of at most 16 MB holds the members of all sampled groups: up to 10,000 per group, each a hash of 12 digits.
const MAX_SAMPLE_GROUPS: u64 = 50;

/// The configuration that the administrator wrote.
pub(crate) struct Config {
    pub(crate) tsg_id: String,
    pub(crate) client_id: String,
    pub(crate) client_secret: Handle,
    pub(crate) directory: String,
    pub(crate) domain: String,
    pub(crate) directory_id: Option<String>,
    pub(crate) console_url: Option<String>,
    pub(crate) auth_url: String,
    pub(crate) api_url: String,
    pub(crate) record: Option<Record>,
    pub(crate) loss_budget: LossBudget,
    pub(crate) sample_groups: usize,
}

/// What the console shows and the interface does not, as the administrator recorded it.
#[derive(Default)]
pub(crate) struct Record {
    pub(crate) flow: Flow,
    pub(crate) client_id: Option<String>,
    pub(crate) app_data: Option<bool>,
    pub(crate) auth_logs: Option<bool>,
    pub(crate) last_sign_in: Option<String>,
}

/// How much may be missing after the swap: people leave while a migration runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct LossBudget {
    /// Per million users. A whole number, so that a plan is the same text everywhere.
    pub(crate) users_per_million: u64,
    pub(crate) groups: u64,
}

impl LossBudget {
    const DEFAULT: Self = Self { users_per_million: 5000, groups: 0 };

    /// How many of this many users may be missing.
    pub(crate) fn users_of(self, all: u64) -> u64 {
        u64::try_from(u128::from(all) * u128::from(self.users_per_million) / 1_000_000).unwrap_or(all)
    }
}

impl Config {
    /// The URL of an operation of the directory service.
    pub(crate) fn url_of(&self, operation: &str) -> String {
        format!("{}/cie/directory-sync/v1/{operation}", self.api_url)
    }

    pub(crate) fn read(open: &Open) -> Result<Self, Error> {
        let root = Table::root(&open.config);
        let client_secret = open.secrets.get("client_secret").cloned();
        Ok(Self {
            tsg_id: read_tsg_id(&root)?,
            client_id: root.require_text("client_id")?.to_owned(),
            client_secret: client_secret.ok_or_else(|| root.wrong("client_secret", "is missing"))?,
            directory: root.require_text("directory")?.to_owned(),
            domain: read_domain(&root)?,
            directory_id: read_directory_id(&root)?,
            console_url: read_console_url(&root)?,
            auth_url: read_origin(&root, "auth_url", AUTH_URL)?,
            api_url: read_origin(&root, "api_url", API_URL)?,
            record: read_record(&root)?,
            loss_budget: read_loss_budget(&root)?,
            sample_groups: read_sample_groups(&root)?,
        })
    }
}

fn read_tsg_id(root: &Table<'_>) -> Result<String, Error> {
    let id = root.require_text("tsg_id")?;
    let is_id = id.len() == 10 && id.bytes().all(|byte| byte.is_ascii_digit());
    if is_id { Ok(id.to_owned()) } else { Err(root.wrong("tsg_id", "must be 10 digits, in quotes")) }
}

fn read_domain(root: &Table<'_>) -> Result<String, Error> {
    let domain = root.require_text("domain")?;
    if let Some((_, rest)) = domain.split_once("://") {
        let hint = format!("write {}", rest.trim_end_matches('/'));
        return Err(root.wrong("domain", "must not have a scheme").with_hint(hint));
    }
    let is_allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | ':');
    if !domain.contains('.') || !domain.chars().all(is_allowed) {
        return Err(root
            .wrong("domain", "must be a plain host name")
            .with_hint("write a host name such as acme.okta.com"));
    }
    Ok(domain.to_ascii_lowercase())
}

fn read_directory_id(root: &Table<'_>) -> Result<Option<String>, Error> {
    let lengths = |text: &str| text.split('-').map(str::len).eq([8, 4, 4, 4, 12]);
    let is_uuid = |text: &&str| lengths(text) && text.bytes().all(|byte| byte == b'-' || byte.is_ascii_hexdigit());
    let id = root.read("directory_id", "must be a UUID", |value| value.as_str().filter(is_uuid))?;
    Ok(id.map(str::to_ascii_lowercase))
}

fn read_console_url(root: &Table<'_>) -> Result<Option<String>, Error> {
    let is_url = |text: &&str| {
        let rest = text.strip_prefix("https://").or(text.strip_prefix("http://"));
        rest.is_some_and(|rest| !rest.is_empty()) && !text.contains(|c: char| c.is_whitespace() || c.is_control())
    };
    let must =
        "must be the tenant's address, such as https://directory-sync.us.paloaltonetworks.com/directory?instance=…";
    let url = root.read("console_url", must, |value| value.as_str().filter(is_url))?;
    Ok(url.map(str::to_owned))
}

fn read_origin(root: &Table<'_>, key: &str, default: &str) -> Result<String, Error> {
    let Some(url) = root.text(key)? else { return Ok(default.to_owned()) };
    let url = url.trim_end_matches('/');
    let host = url.strip_prefix("https://").filter(|rest| !rest.is_empty());
    if host.is_some_and(|host| !host.contains(['/', '?', '#', '@', ' '])) {
        Ok(url.to_owned())
    } else {
        Err(root.wrong(key, &format!("must be an https origin without a path, such as {default}")))
    }
}

fn read_record(root: &Table<'_>) -> Result<Option<Record>, Error> {
    let Some(table) = root.table("record", &["flow", "client_id", "app_data", "auth_logs", "last_sign_in"])? else {
        return Ok(None);
    };
    let flow =
        table.read("flow", "must be `authorization-code` or `client-credentials`", |value| match value.as_str() {
            Some("authorization-code") => Some(Flow::AuthorizationCode),
            Some("client-credentials") => Some(Flow::ClientCredentials),
            _ => None,
        })?;
    let last_sign_in = table.read("last_sign_in", "must be a time such as 2026-01-31T08:00:00Z", |value| {
        value.as_str()?.parse::<Timestamp>().ok()
    })?;
    Ok(Some(Record {
        flow: flow.unwrap_or_default(),
        client_id: table.text("client_id")?.map(str::to_owned),
        app_data: table.flag("app_data")?,
        auth_logs: table.flag("auth_logs")?,
        last_sign_in: last_sign_in.map(|time| time.to_string()),
    }))
}

fn read_loss_budget(root: &Table<'_>) -> Result<LossBudget, Error> {
    let default = LossBudget::DEFAULT;
    let Some(table) = root.table("loss_budget", &["users_percent", "groups"])? else { return Ok(default) };
    let percent = table.read("users_percent", "must be a number from 0 to 100", |value| {
        value.as_f64().filter(|percent| (0.0..=100.0).contains(percent))
    })?;
    let groups = table.read("groups", "must be a whole number", serde_json::Value::as_u64)?;
    let per_million = percent.map(|percent| (percent * 10_000.0).round() as u64);
    Ok(LossBudget {
        users_per_million: per_million.unwrap_or(default.users_per_million),
        groups: groups.unwrap_or(default.groups),
    })
}

fn read_sample_groups(root: &Table<'_>) -> Result<usize, Error> {
    let must = format!("must be a whole number up to {MAX_SAMPLE_GROUPS}");
    let number = root.read("sample_groups", &must, |value| value.as_u64().filter(|n| *n <= MAX_SAMPLE_GROUPS))?;
    Ok(number.map_or(20, |number| number as usize))
}
