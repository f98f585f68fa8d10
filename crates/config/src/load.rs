//! Reads the file and its inventories, from the text to the tenants.

use std::path::Path;

use toml::de::DeTable;

use crate::{
    diagnostic::{ConfigErrors, Diagnostic},
    mask, meaning,
    model::{Config, TenantConfig},
    reader::Reader,
    source::Sources,
    syntax, text,
    tree::{Table, TreeBuilder},
};

/// Reads a configuration with its inventories. Fails with all errors that they have.
pub fn load(path: &Path) -> Result<Config, ConfigErrors> {
    let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new(".")).to_owned();
    let mut reader = Reader { dir, sources: Sources::default(), errors: vec![] };
    let config = match reader.read_root(path) {
        Ok(root) => reader.read_config(&root),
        Err(error) => return Err(ConfigErrors::new(reader.sources, vec![error])),
    };
    if reader.errors.is_empty() { Ok(config) } else { Err(ConfigErrors::new(reader.sources, reader.errors)) }
}

/// How the domains of simulated orgs end.
const SIMULATED: &str = ".test";

const ROOT_KEYS: [&str; 14] = [
    "state",
    "timezone",
    "inventory",
    "secrets",
    "vault",
    "network",
    "run",
    "wave",
    "approvals",
    "notify",
    "plugins",
    "simulation",
    "defaults",
    "tenant",
];

impl Reader {
    fn read_root(&mut self, path: &Path) -> Result<Table, Diagnostic> {
        let mut text = text::read_text(path)?;
        let source = self.sources.next_index();
        let (document, mut errors) = DeTable::parse_recoverable(&text);
        // Later errors are mostly consequences of the first one.
        errors.sort_by_key(|error| error.span().map_or(0, |span| span.start));
        if let Some(error) = errors.into_iter().next() {
            let diagnostic = syntax::describe(&error, source, &text);
            mask::mask_lines(&mut text);
            self.sources.add(path, text);
            return Err(diagnostic);
        }
        let root = TreeBuilder { source, errors: &mut self.errors }.build(document.get_ref());
        mask::mask_table(&mut text, &root);
        self.sources.add(path, text);
        Ok(root)
    }

    fn read_config(&mut self, root: &Table) -> Config {
        self.check_keys(root, &ROOT_KEYS, "the configuration");
        let state = self.path(root, "state").unwrap_or_else(|| self.dir.join(".flowswap"));
        let timezone = root.get("timezone").and_then(|entry| self.time_zone(&entry.node));
        let custody = self.read_custody(root);
        let vault = self.read_vault(root);
        let network = self.read_network(root);
        let run = self.read_run_limits(root);
        let waves = self.read_waves(root, run.plan_lifetime);
        let approvals = self.read_approvals(root);
        let notify = self.read_notify(root);
        let plugins = self.read_plugins(root);
        let simulation = self.read_simulation(root);
        let tenants = self.read_tenants(root);
        if simulation.is_some() {
            self.refuse_real_orgs(root, &tenants);
        }
        Config {
            state,
            timezone,
            identity: custody.identity,
            passphrase: custody.passphrase,
            recipients: custody.recipients,
            max_secret_age: custody.max_age,
            vault,
            network,
            run,
            waves,
            approvals,
            notify,
            plugins,
            simulation,
            by_name: tenants.iter().enumerate().map(|(index, tenant)| (tenant.name.clone(), index)).collect(),
            tenants,
            settings: meaning::settings(root),
            sources: self.sources.clone(),
        }
    }

    /// Refuses a moved clock for real orgs: with it, a soak or a plan would end early, and the journal would have wrong times. The
    /// domain `.test` can never be a real one (RFC 6761, section 6.2).
    fn refuse_real_orgs(&mut self, root: &Table, tenants: &[TenantConfig]) {
        let Some(entry) = root.get("simulation") else { return };
        let domain = |tenant: &TenantConfig| tenant.provider.table().get("domain")?.as_str().map(str::to_owned);
        let is_real = |tenant: &TenantConfig| domain(tenant).is_none_or(|domain| !domain.ends_with(SIMULATED));
        if let Some(tenant) = tenants.iter().find(|tenant| is_real(tenant)) {
            let error =
                Diagnostic::new(format!("`[simulation]` moves the clock, but the org of `{}` is real", tenant.name));
            let error = error.at(entry.key_at, format!("only for orgs whose domains end in `{SIMULATED}`"));
            self.refuse(error.help("for real tenants, remove the table; only the simulator writes it"));
        }
    }

    fn read_tenants(&mut self, root: &Table) -> Vec<TenantConfig> {
        let defaults = self.table(root, "defaults");
        let used = self.find_used_fields(&defaults);
        let mut drafts = self.read_tenant_tables(root, &used);
        drafts.extend(self.read_inventories(root, &used));
        self.refuse_duplicate_names(&drafts);
        drafts.into_iter().filter_map(|draft| self.build_tenant(draft, &defaults)).collect()
    }
}
