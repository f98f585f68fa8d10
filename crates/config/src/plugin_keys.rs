//! Compares the tables of the tenants with the keys that their plugins declare, once the plugins are running.

use flowswap_contract::{ConfigKey, PluginHello, Role};

use crate::{
    diagnostic::{ConfigErrors, Diagnostic},
    model::{Config, TenantConfig},
    reference::REFERENCE_HELP,
    side::SideConfig,
    suggest::suggest,
};

impl Config {
    /// Refuses keys that a plugin does not know and tables that lack a required key, for all tenants at once.
    /// `hello` gives the declaration of the plugin with that name.
    pub fn check_plugin_keys<'h>(
        &self,
        tenants: &[&TenantConfig],
        hello: impl Fn(&str) -> Option<&'h PluginHello>,
    ) -> Result<(), ConfigErrors> {
        let mut sources = self.sources.clone();
        let mut errors = Vec::new();
        for tenant in tenants {
            for (role, side) in [(Role::Provider, &tenant.provider), (Role::Directory, &tenant.directory)] {
                let Some(hello) = hello(&side.plugin) else { continue };
                let found = check_side(role, side, hello);
                for key in hello.config.iter().filter(|key| key.secret && side.has_plain(&key.name)) {
                    if let Some(at) = side.locate_value(&key.name) {
                        sources.mask(at);
                    }
                }
                errors.extend(found.into_iter().map(|error| error.for_tenant(&tenant.name)));
            }
        }
        if errors.is_empty() { Ok(()) } else { Err(ConfigErrors::new(sources, errors)) }
    }
}

fn check_side(role: Role, side: &SideConfig, hello: &PluginHello) -> Vec<Diagnostic> {
    let plugin = &side.plugin;
    let at = |key: &str| side.locate(key).unwrap_or(side.location());
    if !hello.roles.contains(&role) {
        let roles: Vec<_> = hello.roles.iter().map(|role| format!("a {role}")).collect();
        let error = Diagnostic::new(format!("the plugin `{plugin}` cannot be a {role}"));
        return vec![error.at(at("plugin"), format!("can be {}", roles.join(" and ")))];
    }
    let known: Vec<_> = hello.config.iter().map(|key| key.name.as_str()).collect();
    let mut errors = Vec::new();
    for key in side.keys().filter(|key| !known.contains(key)) {
        let error = Diagnostic::new(format!("unknown key `{key}`")).help(suggest(key, known.iter().copied()));
        errors.push(error.at(at(key), format!("not a key of the plugin `{plugin}`")));
    }
    for key in &hello.config {
        errors.extend(check_key(role, side, key));
    }
    errors
}

fn check_key(role: Role, side: &SideConfig, key: &ConfigKey) -> Option<Diagnostic> {
    let ConfigKey { name, about, .. } = key;
    let is_plain = side.has_plain(name);
    let is_reference = side.secrets.contains_key(name);
    let value_at = side.locate_value(name).unwrap_or(side.location());
    if key.secret && is_plain {
        let error = Diagnostic::new(format!("`{name}` holds a plain-text secret"));
        return Some(error.at(value_at, "expected a reference to where the secret is kept").help(REFERENCE_HELP));
    }
    if !key.secret && is_reference {
        let error = Diagnostic::new(format!("`{name}` is not a secret"));
        return Some(error.at(value_at, "expected the value itself").help(format!("`{name}`: {about}")));
    }
    if key.required && !is_plain && !is_reference {
        let error = Diagnostic::new(format!("the {role} needs `{name}`"));
        let label = format!("the plugin `{}` requires it", side.plugin);
        return Some(error.at(side.location(), label).help(format!("`{name}`: {about}")));
    }
    None
}
