//! What a reviewer calls a value of a tenant's part of a plan.

/// What is seen of a directory, by the names of the members.
const OF_DIRECTORIES: [(&str, &str); 11] = [
    ("id", "directory"),
    ("name", "name of the directory"),
    ("domain", "domain of the directory"),
    ("flow", "flow"),
    ("client_id", "client ID in use"),
    ("known_from", "source of the flow and the client ID"),
    ("app_data", "collection of enterprise applications, as the directory shows it"),
    ("auth_logs", "collection of authentication logs"),
    ("last_sign_in", "last sign-in"),
    ("can_restore", "whether the interface can restore the connection"),
    ("counts", "number of objects"),
];

/// What is seen of an org, by the names of the lists.
const OF_ORGS: [(&str, &str); 4] = [
    ("legacy_clients", "legacy client"),
    ("service_clients", "API service integration"),
    ("lookalikes", "app with CIE's name"),
    ("variants", "type of integration"),
];

/// The name of the value at this path. `apps_in_use` has the apps of the legacy client in use, in both plans.
pub(super) fn name(path: &[String], apps_in_use: &[Option<&String>]) -> String {
    let known = |table: &[(&str, &'static str)], member: &str| {
        table.iter().find(|(known, _)| *known == member).map(|(_, name)| *name)
    };
    let parts: Vec<&str> = path.iter().map(String::as_str).collect();
    match parts.as_slice() {
        ["app_data"] => "collection of enterprise applications".to_owned(),
        ["provider_plugin"] => "plugin of the provider".to_owned(),
        ["directory_plugin"] => "plugin of the directory".to_owned(),
        ["origins"] => "servers that get the credentials".to_owned(),
        ["origins", side] => format!("servers that get the credentials of the {side}"),
        ["token_paths"] => "paths for tokens".to_owned(),
        ["token_paths", side] => format!("paths at which the {side} asks for tokens"),
        ["seen"] => "what both sides showed".to_owned(),
        ["seen", "config", key] => format!("digest of the configured `{key}`"),
        ["seen", "provider", "domain"] => "domain".to_owned(),
        ["seen", "directory", member] if known(&OF_DIRECTORIES, member).is_some() => {
            known(&OF_DIRECTORIES, member).unwrap_or_default().to_owned()
        }
        ["seen", "provider", list, id, rest @ ..] if known(&OF_ORGS, list).is_some() => {
            let is_used = apps_in_use.iter().flatten().any(|app| app == id);
            let used = if is_used && *list == "legacy_clients" { " in use" } else { "" };
            of(rest, &format!("{}{used} `{id}`", known(&OF_ORGS, list).unwrap_or_default()))
        }
        ["findings", id, rest @ ..] => of(rest, &format!("finding `{id}`")),
        ["steps", id, "proposal", "payload", rest @ ..]
        | ["steps", id, "proposal", rest @ ..]
        | ["steps", id, rest @ ..] => of(rest, &format!("step `{id}`")),
        ["way_back", id, "action"] => format!("rollback of the step `{id}`"),
        ["way_back", id, rest @ ..] => of(rest, &format!("rollback of the step `{id}`")),
        other => format!("`{}`", other.join(".")),
    }
}

/// A member of a thing, or the whole thing.
fn of(member: &[&str], thing: &str) -> String {
    if member.is_empty() { thing.to_owned() } else { format!("`{}` of the {thing}", member.join(".")) }
}
