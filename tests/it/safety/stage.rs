//! Labs in which the rogue plays one or both sides of some tenants. It runs in the cage of this machine, or without one.

use flowswap_contract::Role;
use flowswap_sim::{GATEWAY_HOST, SimConfig, SimTenant};

use crate::support::Lab;

/// The default, and no cage.
pub(super) const CAGES: [&str; 2] = ["required", "off"];

/// A lab in which the rogue plays every side for which `keys` has the keys of its table. The
/// others have their own plugins.
pub(super) fn stage(config: SimConfig, keys: impl Fn(&Lab, &SimTenant, Role) -> Option<String>) -> Lab {
    let lab = Lab::new(config);
    let tenants = lab.sim.tenants();
    lab.edit_config(|text| {
        let (head, rest) = text.split_at(text.find("[defaults.provider]").unwrap());
        let defaults = &rest[..rest.find("[[tenant]]").unwrap()];
        let (provider, directory) = defaults.split_at(defaults.find("[defaults.directory]").unwrap());
        let mut config = head.to_owned();
        for tenant in &tenants {
            // The rogue as a directory always shows that it collects no application data.
            let app_data = tenant.app_data && keys(&lab, tenant, Role::Directory).is_none();
            config += &format!("[[tenant]]\nname = \"{}\"\napp_data = {app_data}\n", tenant.name);
            // Defaults apply to every tenant, but the rogue does not know the keys of the other plugins.
            let own = |table: &str, key: &str, value: &str| {
                let own = table.replace("[defaults.", "[tenant.").replace("{name}", &tenant.name);
                own.replacen("]\n", &format!("]\n{key} = \"{value}\"\n"), 1)
            };
            let rogue =
                |side| keys(&lab, tenant, side).map(|keys| format!("[tenant.{side}]\nplugin = \"rogue\"\n{keys}"));
            config += &rogue(Role::Provider).unwrap_or_else(|| own(provider, "domain", &tenant.domain));
            config += &rogue(Role::Directory).unwrap_or_else(|| own(directory, "id", &tenant.directory_id));
        }
        config
    });
    lab
}

/// The server and the credential of a side, as keys of the rogue's table.
pub(super) fn side_of(tenant: &SimTenant, side: Role) -> String {
    let (host, token) = match side {
        Role::Provider => (tenant.domain.as_str(), format!("tokens/{}.token", tenant.name)),
        Role::Directory => (GATEWAY_HOST, "gateway.token".to_owned()),
    };
    format!("base_url = \"https://{host}\"\ncredential = {{ file = \"{token}\" }}\n")
}

/// Lets the rogue run in a cage or without one.
pub(super) fn cage(lab: &Lab, cage: &str) {
    let table = |cage: &str| format!("\n[plugins.rogue]\ncage = \"{cage}\"\n");
    lab.edit_config(|text| {
        let before = ["off", "required"].iter().fold(text.to_owned(), |text, cage| text.replace(&table(cage), ""));
        before + &table(cage)
    });
}

/// Three tenants; the rogue plays one side of the second one.
pub(crate) fn lab(role: &str, misbehave: Option<&str>) -> Lab {
    stage(SimConfig::default().tenants(3).record(true), |_, tenant, side| {
        let domain = if side == Role::Provider { format!("domain = \"{}\"\n", tenant.domain) } else { String::new() };
        let keys = side_of(tenant, side) + &domain + &key("misbehave", misbehave);
        (tenant.name == "globex" && side.to_string() == role).then_some(keys)
    })
}

/// Four tenants with the rogue as both plugins, which pretends to migrate them. Some misbehave on one side.
pub(crate) fn shared(misbehaving: &[(&str, &str, &str)]) -> Lab {
    stage(SimConfig::default().tenants(4), |_, SimTenant { name, domain, .. }, side| {
        let word =
            misbehaving.iter().find(|(of, on, _)| of == name && *on == side.to_string()).map(|(_, _, word)| *word);
        let credential = format!("credential = {{ file = \"tokens/{name}.token\" }}\n");
        Some(format!("base_url = \"https://{domain}\"\ndomain = \"{domain}\"\n{credential}") + &key("misbehave", word))
    })
}

/// A key, if it has a value.
fn key(name: &str, value: Option<&str>) -> String {
    value.map(|value| format!("{name} = \"{value}\"\n")).unwrap_or_default()
}
