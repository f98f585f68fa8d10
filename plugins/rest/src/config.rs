//! The tenant's `directory` table, which describes an interface. It is read and checked once when the session opens.

use std::collections::BTreeMap;

use flowswap_contract::{Error, Flow, Handle, Open};
use serde_json::Value;

use crate::{
    fields::Fields,
    table::{Table, wrong},
    template::{Body, Template, Variable},
};

/// The keys of the table: name, whether it is required, what it is.
pub(crate) const KEYS: [(&str, bool, &str); 19] = [
    ("base_url", true, "https origin that every path is appended to"),
    ("credential", true, "the interface's token"),
    ("auth_scheme", false, "the word before the token; Bearer by default"),
    ("id", false, "the directory's id; without it, `list` finds the directory"),
    ("name", false, "the directory's name, to find it in the list"),
    ("domain", false, "the directory's domain, to find it in the list"),
    ("fields", true, "table: where the answer of `read` shows each field (JSON pointers)"),
    ("flows", true, "table: the interface's word for a flow = authorization-code or client-credentials"),
    ("healthy", false, "list: status words that mean a good sync"),
    ("busy", false, "list: status words that mean a sync is running"),
    ("error", false, "JSON pointer to the message of a refusal"),
    ("gone", false, "table: how a refusal says that the directory does not exist: pointer, equals, status (404)"),
    ("request_id_header", false, "response header that names a request; x-request-id by default"),
    ("list", false, "operation: list the directories, page by page"),
    ("read", true, "operation: read the directory"),
    ("status", false, "operation: read the state of the connection after the swap; `read` by default"),
    ("test", true, "operation: test a connection with new credentials"),
    ("submit", true, "operation: reconnect the directory with tested credentials"),
    ("restore", false, "operation: restore the previous connection; without it, a person must"),
];

/// The configuration that the owner of the interface wrote.
pub(crate) struct Config {
    pub(crate) base_url: String,
    pub(crate) credential: Handle,
    pub(crate) auth_scheme: String,
    pub(crate) target: Target,
    pub(crate) list: Option<ListOperation>,
    pub(crate) flows: BTreeMap<String, Flow>,
    pub(crate) healthy: Vec<String>,
    pub(crate) busy: Vec<String>,
    pub(crate) error: Option<String>,
    pub(crate) gone: Option<Gone>,
    pub(crate) request_id_header: String,
    pub(crate) read: ReadOperation,
    pub(crate) status: Option<ReadOperation>,
    pub(crate) test: TestOperation,
    pub(crate) submit: Operation,
    pub(crate) restore: Option<Operation>,
}

/// How to find the directory. A search reads the list.
pub(crate) enum Target {
    Id(String),
    Search { name: Option<String>, domain: Option<String> },
}

/// How the interface itself says that there is no such directory. A status alone is not enough: a load balancer sends those too.
pub(crate) struct Gone {
    pub(crate) status: u64,
    pub(crate) pointer: String,
    pub(crate) equals: Value,
}

/// One request of the interface.
pub(crate) struct Operation {
    pub(crate) method: String,
    pub(crate) path: Template,
    pub(crate) headers: Vec<(String, Template)>,
    pub(crate) body: Option<Body>,
}

/// A request whose answer shows one directory.
pub(crate) struct ReadOperation {
    pub(crate) operation: Operation,
    pub(crate) fields: Fields,
}

/// A request whose answers list the directories.
pub(crate) struct ListOperation {
    pub(crate) operation: Operation,
    pub(crate) items: String,
    pub(crate) next: Option<String>,
    pub(crate) next_param: String,
    pub(crate) fields: Fields,
}

/// The connection test.
pub(crate) struct TestOperation {
    pub(crate) operation: Operation,
    pub(crate) passed_pointer: String,
    pub(crate) passed_equals: Value,
    pub(crate) reason: Option<String>,
    pub(crate) receipt: Option<String>,
}

const OF_TEST: &[Variable] = &[
    Variable::Id,
    Variable::Name,
    Variable::Domain,
    Variable::Flow,
    Variable::ClientId,
    Variable::ClientSecret,
    Variable::AppData,
];
const OF_SUBMIT: &[Variable] = &[
    Variable::Id,
    Variable::Name,
    Variable::Domain,
    Variable::Flow,
    Variable::ClientId,
    Variable::ClientSecret,
    Variable::AppData,
    Variable::Receipt,
];
/// `$flow` and `$client_id` are the previous ones. There is no `$client_secret`: flowswap does not have the previous secret.
const OF_RESTORE: &[Variable] =
    &[Variable::Id, Variable::Name, Variable::Domain, Variable::Flow, Variable::ClientId, Variable::AppData];

const OPERATION_KEYS: [&str; 4] = ["method", "path", "headers", "body"];

impl Config {
    pub(crate) fn read(open: &Open) -> Result<Self, Error> {
        let root = Table::root(&open.config);
        let credential = open.secrets.get("credential").cloned();
        let fields = Fields::read(&root.require_table("fields")?, &["id", "name", "domain", "flow"])?;
        let list = root.table("list")?.map(|table| read_list(&table, &fields)).transpose()?;
        Ok(Self {
            base_url: read_base_url(&root)?,
            credential: credential.ok_or_else(|| wrong("credential", "is missing"))?,
            auth_scheme: root.text("auth_scheme")?.unwrap_or("Bearer").to_owned(),
            target: read_target(&root, list.is_some())?,
            list,
            flows: read_flows(&root.require_table("flows")?)?,
            healthy: root.texts("healthy")?,
            busy: root.texts("busy")?,
            error: root.pointer("error")?,
            gone: root.table("gone")?.map(|table| read_gone(&table)).transpose()?,
            request_id_header: root.text("request_id_header")?.unwrap_or("x-request-id").to_ascii_lowercase(),
            read: read_with_fields(&root.require_table("read")?, &fields, &["id", "name", "domain", "flow"])?,
            status: root.table("status")?.map(|table| read_with_fields(&table, &fields, &["flow"])).transpose()?,
            test: read_test(&root.require_table("test")?)?,
            submit: read_mutation(&root.require_table("submit")?, OF_SUBMIT)?,
            restore: root.table("restore")?.map(|table| read_mutation(&table, OF_RESTORE)).transpose()?,
        })
    }

    /// The interface's word for a flow.
    pub(crate) fn word_for(&self, flow: Flow) -> Option<&str> {
        self.flows.iter().find(|(_, known)| **known == flow).map(|(word, _)| word.as_str())
    }
}

/// The host lets a session talk to this origin only, so paths belong in the operations.
fn read_base_url(root: &Table<'_>) -> Result<String, Error> {
    let url = root.require_text("base_url")?.trim_end_matches('/');
    let host = url.strip_prefix("https://").filter(|rest| !rest.is_empty());
    if host.is_some_and(|host| !host.contains(['/', '?', '#', '@', ' ', '$'])) {
        Ok(url.to_owned())
    } else {
        Err(root.wrong("base_url", "must be an https origin without a path, such as https://gateway.example"))
    }
}

fn read_target(root: &Table<'_>, has_list: bool) -> Result<Target, Error> {
    if let Some(id) = root.text("id")? {
        return if id.is_empty() { Err(root.wrong("id", "must not be empty")) } else { Ok(Target::Id(id.to_owned())) };
    }
    let name = root.text("name")?.map(str::to_owned);
    let domain = root.text("domain")?.map(str::to_owned);
    if name.is_none() && domain.is_none() {
        return Err(root.wrong("id", "is missing; set `id`, or `name` or `domain`, so that `list` can find it"));
    }
    if !has_list {
        return Err(root.wrong("list", "is missing; it is required without `id`"));
    }
    Ok(Target::Search { name, domain })
}

fn read_list(table: &Table<'_>, fields: &Fields) -> Result<ListOperation, Error> {
    table.allow(&[&OPERATION_KEYS[..3], &["items", "next", "next_param", "fields"]].concat())?;
    let own_fields = table.table("fields")?.map(|own| Fields::read(&own, &["id"])).transpose()?;
    Ok(ListOperation {
        operation: read_operation(table, &[], "GET")?,
        items: table.pointer("items")?.unwrap_or_default(),
        next: table.pointer("next")?,
        next_param: table.text("next_param")?.unwrap_or("cursor").to_owned(),
        fields: own_fields.unwrap_or_else(|| fields.clone()),
    })
}

fn read_gone(table: &Table<'_>) -> Result<Gone, Error> {
    table.allow(&["status", "pointer", "equals"])?;
    let status = table.get("status").map_or(Some(404), Value::as_u64).filter(|status| (400..500).contains(status));
    Ok(Gone {
        status: status.ok_or_else(|| table.wrong("status", "must be a number from 400 to 499"))?,
        pointer: table.pointer("pointer")?.ok_or_else(|| table.wrong("pointer", "is missing"))?,
        equals: table.get("equals").cloned().ok_or_else(|| table.wrong("equals", "is missing"))?,
    })
}

fn read_flows(table: &Table<'_>) -> Result<BTreeMap<String, Flow>, Error> {
    let mut flows = BTreeMap::new();
    for (word, value) in table.iter() {
        let flow = match value.as_str() {
            Some("authorization-code") => Flow::AuthorizationCode,
            Some("client-credentials") => Flow::ClientCredentials,
            _ => return Err(table.wrong(word, "must be `authorization-code` or `client-credentials`")),
        };
        flows.insert(word.to_owned(), flow);
    }
    for flow in [Flow::AuthorizationCode, Flow::ClientCredentials] {
        if !flows.values().any(|known| *known == flow) {
            return Err(wrong("flows", &format!("has no word for {flow}")));
        }
    }
    Ok(flows)
}

fn read_with_fields(table: &Table<'_>, fields: &Fields, required: &[&str]) -> Result<ReadOperation, Error> {
    table.allow(&[&OPERATION_KEYS[..3], &["fields"]].concat())?;
    let own = table.table("fields")?.map(|own| Fields::read(&own, required)).transpose()?;
    let operation = read_operation(table, &[Variable::Id], "GET")?;
    Ok(ReadOperation { operation, fields: own.unwrap_or_else(|| fields.clone()) })
}

fn read_test(table: &Table<'_>) -> Result<TestOperation, Error> {
    table.allow(&[&OPERATION_KEYS[..], &["passed", "reason", "receipt"]].concat())?;
    // A test may be sent again and is not in the journal, so it must not use a method that changes things.
    if let Some(method @ ("PUT" | "PATCH" | "DELETE")) = table.text("method")?.map(str::to_ascii_uppercase).as_deref() {
        let why = format!("must be POST or GET: a test changes nothing, but {method} does");
        return Err(table.wrong("method", &why).with_hint(
            "describe here the operation that tests a connection; the operation that stores it belongs in `submit`",
        ));
    }
    let operation = read_operation(table, OF_TEST, "POST")?;
    if operation.method == "POST" && operation.path.names(Variable::ClientId) {
        let why = "must not contain $client_id: the plan names this URL before the client exists";
        return Err(table.wrong("path", why));
    }
    let passed = table.require_table("passed")?;
    passed.allow(&["pointer", "equals"])?;
    Ok(TestOperation {
        operation,
        passed_pointer: passed.pointer("pointer")?.ok_or_else(|| passed.wrong("pointer", "is missing"))?,
        passed_equals: passed.get("equals").cloned().ok_or_else(|| passed.wrong("equals", "is missing"))?,
        reason: table.pointer("reason")?,
        receipt: table.pointer("receipt")?,
    })
}

fn read_mutation(table: &Table<'_>, variables: &[Variable]) -> Result<Operation, Error> {
    table.allow(&OPERATION_KEYS)?;
    read_operation(table, variables, "POST")
}

fn read_operation(table: &Table<'_>, variables: &[Variable], default_method: &str) -> Result<Operation, Error> {
    let method = table.text("method")?.unwrap_or(default_method).to_ascii_uppercase();
    if default_method == "GET" && method != "GET" {
        return Err(table.wrong("method", "must be GET: a dry run allows no other method"));
    }
    if !matches!(method.as_str(), "GET" | "POST" | "PUT" | "PATCH" | "DELETE") {
        return Err(table.wrong("method", "must be POST, PUT, PATCH, or DELETE"));
    }
    let path = table.require_text("path")?;
    if !path.starts_with('/') {
        return Err(table.wrong("path", "must start with a slash"));
    }
    let path = Template::parse_public(path, variables, &table.path_of("path"))?;
    let body = table.get("body").map(|body| Body::parse(body, variables, &table.path_of("body"))).transpose()?;
    if body.is_some() && method == "GET" {
        return Err(table.wrong("body", "must be absent with GET"));
    }
    let headers = table.table("headers")?.map(|headers| read_headers(&headers, variables)).transpose()?;
    Ok(Operation { method, path, headers: headers.unwrap_or_default(), body })
}

fn read_headers(table: &Table<'_>, variables: &[Variable]) -> Result<Vec<(String, Template)>, Error> {
    let read = |(name, value): (&str, &Value)| {
        let reserved = ["authorization", "content-length", "content-type", "host", "user-agent"];
        if reserved.contains(&name.to_ascii_lowercase().as_str()) {
            return Err(table.wrong(name, "must be absent: flowswap sets this header itself"));
        }
        let text = value.as_str().ok_or_else(|| table.wrong(name, "must be a string"))?;
        Ok((name.to_ascii_lowercase(), Template::parse_public(text, variables, &table.path_of(name))?))
    };
    table.iter().map(read).collect()
}
