//! What valid configurations yield: paths, limits, merged tables, filled fields.

use std::{
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use flowswap_engine::FailureBudget;
use serde_json::{Value, json};

use super::{FLEET, Folder, accept};
use crate::{Approvals, Config, ProgramCall, SecretRef, load};

/// The tenants of a configuration, as their plugins receive them.
fn show(config: &Config) -> Value {
    let tenants = config.tenants.iter().map(|tenant| {
        let side = |side: &crate::SideConfig| {
            let secrets: Vec<_> = side.secrets.iter().map(|(key, secret)| format!("{key}: {secret:?}")).collect();
            json!({ "plugin": side.plugin, "table": side.table(), "secrets": secrets })
        };
        let provider = side(&tenant.provider);
        let directory = side(&tenant.directory);
        json!({ "name": tenant.name, "app_data": tenant.app_data, "provider": provider, "directory": directory })
    });
    tenants.collect()
}

/// Checks the directory's table of the only tenant.
fn check_directory(defaults: &str, tenant: &str, expected: Value) {
    let toml =
        format!("[defaults]\nprovider = {{ plugin = \"p\" }}\n{defaults}\n[[tenant]]\nname = \"acme\"\n{tenant}\n");
    let (_folder, config) = accept(&[("migrate.toml", &toml)]);
    assert_eq!(show(&config)[0]["directory"]["table"], expected, "{toml}");
}

#[test]
fn an_empty_file_gives_all_defaults() {
    let (folder, config) = accept(&[("migrate.toml", "")]);
    assert_eq!(config.state, folder.path(".flowswap"));
    assert_eq!(config.identity, None);
    assert_eq!(config.passphrase, None);
    assert_eq!((config.network.ca_file, config.network.resolve.len()), (None, 0));
    assert_eq!(config.network.timeout, Duration::from_secs(30));
    assert_eq!((config.run.concurrency, config.run.max_failures), (16, FailureBudget::Tenants(5)));
    assert_eq!(config.run.plan_lifetime, Duration::from_secs(86_400));
    assert_eq!(config.run.operator_deadline, Duration::from_secs(3 * 86_400));
    assert!(config.plugins.is_empty() && config.tenants.is_empty());
}

#[test]
fn settings_are_read() {
    let digest = "AB".repeat(32);
    let toml = format!(
        "state = \"/var/flowswap\"\n[secrets]\nidentity = \"key.txt\"\npassphrase = {{ env = \"PASS\" }}\n\
         [network]\nca_file = \"ca.pem\"\nresolve = {{ \"*.okta.test\" = \"127.0.0.1:8443\", \"a.b\" = \"[::1]:1\" }}\n\
         timeout = \"1m 30s\"\n[run]\nconcurrency = 1\nmax_failures = \"9%\"\nplan_lifetime = \"7d\"\noperator_deadline = \"36h\"\n\
         [plugins.okta]\npath = \"lib/okta.so\"\nsha256 = \"{digest}\"\n[plugins.rest]\n"
    );
    let (folder, config) = accept(&[("migrate.toml", &toml)]);
    assert_eq!(config.state, Path::new("/var/flowswap"));
    assert_eq!(config.identity, Some(folder.path("key.txt")));
    assert_eq!(config.passphrase, Some(SecretRef::Env("PASS".to_owned())));
    assert_eq!(config.network.ca_file, Some(folder.path("ca.pem")));
    let overrides: Vec<_> = config.network.resolve.iter().map(|(host, to)| format!("{host} {to}")).collect();
    assert_eq!(overrides, ["a.b [::1]:1", "*.okta.test 127.0.0.1:8443"]);
    assert_eq!(config.network.timeout, Duration::from_secs(90));
    assert_eq!((config.run.concurrency, config.run.max_failures), (1, FailureBudget::Percent(9)));
    assert_eq!(config.run.plan_lifetime, Duration::from_secs(7 * 86_400));
    assert_eq!(config.run.operator_deadline, Duration::from_secs(36 * 3_600));
    assert_eq!(config.plugins["okta"].path, Some(folder.path("lib/okta.so")));
    assert_eq!(config.plugins["okta"].sha256, Some(digest.to_lowercase()));
    assert_eq!((&config.plugins["rest"].path, &config.plugins["rest"].sha256), (&None, &None));
}

#[test]
fn approvals_are_read() {
    let approvals = |toml: &str| accept(&[("migrate.toml", toml)]).1.approvals;
    assert_eq!(approvals(""), None);
    let (folder, config) = accept(&[("migrate.toml", "[approvals]\nsigners = \"allowed_signers\"\n")]);
    let signers = folder.path("allowed_signers");
    assert_eq!(config.approvals, Some(Approvals { required: 1, signers, planner_may_approve: true }));
    let all =
        approvals("[approvals]\nrequired = 2\nsigners = \"/etc/signers\"\nplanner_may_approve = false\n").unwrap();
    assert_eq!((all.required, all.planner_may_approve), (2, false));
}

#[test]
fn an_error_shows_the_path_as_given() {
    let error = load(Path::new("there-is-no-such.toml")).unwrap_err().to_string();
    assert_eq!(error, "error: failed to read `there-is-no-such.toml`: the file does not exist");
}

#[test]
fn a_tenant_alone_needs_no_defaults() {
    let toml = r#"
        [[tenant]]
        name = "acme"
        app_data = true
        provider = { plugin = "okta", domain = "{acme}.okta.com", credential = { env = "ACME_TOKEN" } }
        directory = { plugin = "rest", id = "d-1", n = 3, f = 1.5, on = false, when = 2026-01-02, list = [1, { a = "}" }] }
    "#;
    let (_folder, config) = accept(&[("migrate.toml", toml)]);
    let directory =
        json!({ "id": "d-1", "n": 3, "f": 1.5, "on": false, "when": "2026-01-02", "list": [1, { "a": "}" }] });
    let expected = json!([{
        "name": "acme",
        "app_data": true,
        "provider": {
            "plugin": "okta",
            "table": { "domain": "{acme}.okta.com" },
            "secrets": ["credential: Env(\"ACME_TOKEN\")"],
        },
        "directory": { "plugin": "rest", "table": directory, "secrets": [] },
    }]);
    assert_eq!(show(&config), expected, "braces in a tenant's own strings are literal");
}

#[test]
fn tables_merge_deeply_and_the_tenant_wins() {
    check_directory(
        "[defaults.directory]\nplugin = \"rest\"\na = 1\n[defaults.directory.deep.er]\nx = 1\ny = [1, 2]\n",
        "[tenant.directory]\nb = 2\n[tenant.directory.deep.er]\ny = [3]\nz = 4\n",
        json!({ "a": 1, "b": 2, "deep": { "er": { "x": 1, "y": [3], "z": 4 } } }),
    );
    // A table replaces a value, and a value replaces a table.
    check_directory(
        "directory = { plugin = \"rest\", a = { x = 1 }, b = 1 }",
        "directory = { a = 2, b = { y = 1 } }",
        json!({ "a": 2, "b": { "y": 1 } }),
    );
}

#[test]
fn a_tenant_with_another_plugin_takes_no_defaults() {
    check_directory(
        "directory = { plugin = \"rest\", base_url = \"https://{name}\", credential = { env = \"A\" } }",
        "directory = { plugin = \"cie-guided\", note = \"x\" }",
        json!({ "note": "x" }),
    );
    check_directory(
        "kind = \"rest\"\ndirectory = { plugin = \"{kind}\", id = \"{name}\" }",
        "directory = { plugin = \"rest\", x = 1 }",
        json!({ "id": "acme", "x": 1 }),
    );
}

#[test]
fn defaults_are_filled_from_the_tenant() {
    check_directory(
        "directory = { plugin = \"rest\", id = \"{directory_id}\", deep = { list = [\"{name}-{shard}-{live}\", 7] } }",
        "directory_id = \"d-7\"\nshard = 3\nlive = true",
        json!({ "id": "d-7", "deep": { "list": ["acme-3-true", 7] } }),
    );
    check_directory(
        "directory = { plugin = \"rest\", body = '{{\"id\": \"{name}\"}}', open = \"{{\", both = \"}}{{name}}\" }",
        "",
        json!({ "body": "{\"id\": \"acme\"}", "open": "{", "both": "}{name}" }),
    );
    // An unknown field in a replaced default is no error, and a filled value is not filled again.
    check_directory(
        "directory = { plugin = \"rest\", id = \"{unknown}\", x = \"{a}\" }",
        "a = \"{name}\"\ndirectory = { id = \"d\" }",
        json!({ "id": "d", "x": "{name}" }),
    );
    // A field can also have a default.
    check_directory(
        "region = \"{name}-eu\"\ndirectory = { plugin = \"rest\", url = \"{region}\" }",
        "",
        json!({ "url": "acme-eu" }),
    );
    check_directory(
        "region = \"eu\"\ndirectory = { plugin = \"rest\", url = \"{region}\" }",
        "region = \"us\"",
        json!({ "url": "us" }),
    );
}

#[test]
fn inventories_give_tenants() {
    let toml = r#"
        inventory = ["one.csv", "two.csv"]
        [defaults]
        app_data = true
        [defaults.provider]
        plugin = "okta"
        domain = "{name}.okta.com"
        credential = { file = "secrets/{name}.token" }
        [defaults.directory]
        plugin = "rest"
        base_url = "https://{region}.example/{domain}"
        fields = { id = "/id" }
        [[tenant]]
        name = "written"
        domain = "w"
        region = "w"
    "#;
    let one = "\u{feff}name, domain ,app_data,region,directory.fields.id,unused,\r\n\
               acme,acme.oktapreview.com,NO,eu,,x,\r\n\r\n,,,,,,\r\n\"b\",\"b,\"\"c\"\"\",,us,/b,,\r\n";
    let two = "name,region,domain,provider.credential.env\nc,c,d,C_TOKEN";
    let (folder, config) = accept(&[("migrate.toml", toml), ("one.csv", one), ("two.csv", two)]);
    let file = |name: &str| format!("credential: File({:?})", folder.path(&format!("secrets/{name}.token")));
    let tenant = |name: &str, app_data: bool, domain: &str, secret: String, base_url: &str, id: &str| {
        json!({
            "name": name,
            "app_data": app_data,
            "provider": { "plugin": "okta", "table": { "domain": domain }, "secrets": [secret] },
            "directory": {
                "plugin": "rest",
                "table": { "base_url": format!("https://{base_url}"), "fields": { "id": id } },
                "secrets": [],
            },
        })
    };
    let expected = json!([
        // In a `[[tenant]]` table, `domain` is a field like any other.
        tenant("written", true, "written.okta.com", file("written"), "w.example/w", "/id"),
        tenant("acme", false, "acme.oktapreview.com", file("acme"), "eu.example/acme.oktapreview.com", "/id"),
        tenant("b", true, "b,\"c\"", file("b"), "us.example/b,\"c\"", "/b"),
        tenant("c", true, "d", "credential: Env(\"C_TOKEN\")".to_owned(), "c.example/d", "/id"),
    ]);
    assert_eq!(show(&config), expected);
}

#[test]
fn references_are_replaced_as_a_whole() {
    let toml = r#"
        [defaults]
        provider = { plugin = "p", credential = { file = "a" }, other = { command = ["./get", "{name}"], env = ["KEY", "{name}_KEY"] } }
        directory = { plugin = "d", credential = { command = ["pass", "{name}/key"] }, deep = { env = "A", x = 1 } }
        [[tenant]]
        name = "acme"
        provider = { credential = { env = "A" } }
    "#;
    let (folder, config) = accept(&[("migrate.toml", toml)]);
    let tenant = &config.tenants[0];
    assert_eq!(tenant.provider.secrets.get("credential"), Some(&SecretRef::Env("A".to_owned())));
    let get = folder.path("./get").display().to_string();
    let command = |program: &str, arg: &str, env: &[&str]| {
        let env = env.iter().map(|name| (*name).to_owned()).collect();
        SecretRef::Command(ProgramCall { program: program.to_owned(), args: vec![arg.to_owned()], env, timeout: None })
    };
    assert_eq!(tenant.provider.secrets.get("other"), Some(&command(&get, "acme", &["KEY", "acme_KEY"])));
    assert_eq!(tenant.directory.secrets.get("credential"), Some(&command("pass", "acme/key", &[])));
    assert_eq!(Value::from(tenant.directory.table()), json!({ "deep": { "env": "A", "x": 1 } }));
    assert_eq!(tenant.directory.keys().collect::<Vec<_>>(), ["credential", "deep"]);
}

#[test]
fn windows_line_ends_and_byte_order_marks_are_accepted() {
    let folder = Folder::new(&[("tenants.csv", "\u{feff}name,region\r\nacme,eu\r\n")]);
    fs::write(folder.path("migrate.toml"), format!("\u{feff}{}", FLEET.replace('\n', "\r\n"))).unwrap();
    assert_eq!(folder.load().unwrap().tenants[0].name, "acme");
}

#[test]
fn a_thousand_tenants_are_read_fast() {
    let mut csv = "name,region,directory.id\n".to_owned();
    for n in 0..1000 {
        csv += &format!("tenant-{n},\"eu-{n}\",d-{n}\n");
    }
    let started = Instant::now();
    let (_folder, config) = accept(&[("migrate.toml", FLEET), ("tenants.csv", &csv)]);
    assert_eq!(config.tenants.len(), 1000);
    assert_eq!(config.tenants[999].directory.table()["base_url"], "https://eu-999.example");
    // It takes about 50 ms without optimization; the limit catches a change in the order of growth.
    assert!(started.elapsed() < Duration::from_secs(2), "{:?}", started.elapsed());
    assert_eq!(config.sources.path(1).file_name(), Some("tenants.csv".as_ref()));
    assert_eq!(PathBuf::from(".flowswap").file_name(), config.state.file_name());
}

#[test]
fn the_time_zone_comes_from_the_tenant_its_row_or_the_defaults() {
    let toml = "timezone = \"Europe/Berlin\"\ninventory = \"t.csv\"\n[defaults]\ntimezone = \"{zone}\"\nzone = \"UTC\"\n\
                provider = { plugin = \"p\" }\ndirectory = { plugin = \"d\" }\n\
                [[tenant]]\nname = \"a\"\ntimezone = \"Asia/Tokyo\"\n[[tenant]]\nname = \"b\"\n";
    let csv = "name,timezone,zone\nc,America/New_York,\nd,,Europe/Paris\n";
    let (_folder, config) = accept(&[("migrate.toml", toml), ("t.csv", csv)]);
    let name = |zone: &Option<jiff::tz::TimeZone>| zone.as_ref()?.iana_name().map(str::to_owned);
    assert_eq!(name(&config.timezone).as_deref(), Some("Europe/Berlin"));
    let zones: Vec<_> = config.tenants.iter().filter_map(|tenant| name(&tenant.timezone)).collect();
    assert_eq!(zones, ["Asia/Tokyo", "UTC", "America/New_York", "Europe/Paris"]);
    let (_folder, config) = accept(&[("migrate.toml", "")]);
    assert!(config.timezone.is_none());
}

#[test]
fn the_owner_comes_from_the_tenant_its_row_or_the_defaults() {
    let toml = "inventory = \"t.csv\"\n[defaults]\nowner = \"{region}-team\"\nregion = \"eu\"\n\
                provider = { plugin = \"p\" }\ndirectory = { plugin = \"d\" }\n\
                [[tenant]]\nname = \"a\"\nowner = \" dana \"\n[[tenant]]\nname = \"b\"\n";
    let csv = "name,owner,region\nc,erik,us\nd,,us\n";
    let (_folder, config) = accept(&[("migrate.toml", toml), ("t.csv", csv)]);
    let owners: Vec<_> = config.tenants.iter().map(|tenant| tenant.owner.as_deref()).collect();
    assert_eq!(owners, [Some("dana"), Some("eu-team"), Some("erik"), Some("us-team")]);

    let (_folder, config) = accept(&[("migrate.toml", FLEET), ("tenants.csv", "name,region\nacme,eu\n")]);
    assert_eq!(config.tenants[0].owner, None);
}

#[test]
fn labels_come_from_the_tenant_its_row_and_the_defaults() {
    let toml = "inventory = \"t.csv\"\n[defaults]\nlabels = { region = \"{region}\", managed = true }\nregion = \"emea\"\n\
                provider = { plugin = \"p\" }\ndirectory = { plugin = \"d\" }\n\
                [[tenant]]\nname = \"a\"\nlabels = { managed = false, tier = 2 }\n[[tenant]]\nname = \"b\"\nregion = \"amer\"\n";
    let csv = "name,region,labels.tier,labels.contract.end\nc,apac,gold,2027\nd,,,\n";
    let (_folder, config) = accept(&[("migrate.toml", toml), ("t.csv", csv)]);
    let labels = |index: usize| {
        let labels = config.tenants[index].labels.iter().map(|(name, value)| format!("{name}={value}"));
        labels.collect::<Vec<_>>().join(",")
    };
    assert_eq!(labels(0), "managed=false,region=emea,tier=2");
    assert_eq!(labels(1), "managed=true,region=amer");
    assert_eq!(labels(2), "contract.end=2027,managed=true,region=apac,tier=gold");
    assert_eq!(labels(3), "managed=true,region=emea");
}

#[test]
fn findings_are_accepted_by_the_tenant_its_row_or_the_defaults() {
    let toml = "inventory = \"t.csv\"\n[defaults]\naccept = [\"deadline-passed\"]\n\
                provider = { plugin = \"okta\" }\ndirectory = { plugin = \"rest\" }\n\
                [[tenant]]\nname = \"a\"\naccept = \"legacy-token-refused\"\n[[tenant]]\nname = \"b\"\naccept = []\n";
    let csv = "name,accept\nc,deadline-passed legacy-token-refused\nd,\n";
    let (_folder, config) = accept(&[("migrate.toml", toml), ("t.csv", csv)]);
    let accepted = config.tenants.iter().map(|tenant| tenant.accept.join(","));
    let expect = ["legacy-token-refused", "", "deadline-passed,legacy-token-refused", "deadline-passed"];
    assert_eq!(accepted.collect::<Vec<_>>(), expect);
}

#[test]
fn a_simulation_on_this_machine() {
    let (_folder, config) = accept(&[("migrate.toml", "[simulation]\nclock = \"http://[::1]:8080/clock\"\n")]);
    let simulation = config.simulation.unwrap();
    assert_eq!((simulation.address.to_string().as_str(), simulation.path.as_str()), ("[::1]:8080", "/clock"));
}
