//! The list of mistakes: how to get there, and what the operator then types.

use std::fs;

use crate::support::Lab;

/// What the operator has done before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Start {
    /// Nothing: three tenants, and their configuration.
    Configured,
    /// `flowswap plan -o plan.json`.
    Planned,
    /// Also `flowswap apply plan.json`.
    Swapped,
    /// The same with the plugin `cie-guided`: one tenant waits for a person.
    Waiting,
}

/// A mistake.
pub(super) struct Row {
    pub(super) name: &'static str,
    pub(super) start: Start,
    /// What the operator did wrong before the command.
    pub(super) prepare: fn(&Lab),
    /// The command. A no-break space stands for a space in a word.
    pub(super) line: &'static str,
    /// Another flowswap process works on the same state meanwhile.
    pub(super) is_busy: bool,
}

const fn row(name: &'static str, start: Start, prepare: fn(&Lab), line: &'static str) -> Row {
    Row { name, start, prepare, line, is_busy: false }
}

fn nothing(_: &Lab) {}

/// The configuration of the credential of all orgs.
const CREDENTIAL: &str = "credential = { file = \"tokens/{name}.token\" }";

fn edit(lab: &Lab, from: &str, to: &str) {
    lab.edit_config(|text| text.replacen(from, to, 1));
}

fn write(lab: &Lab, name: &str, text: impl AsRef<[u8]>) {
    fs::write(lab.path(name), text).unwrap();
}

/// Tenants from a spreadsheet.
fn inventory(lab: &Lab, text: impl AsRef<[u8]>) {
    write(lab, "tenants.csv", text);
    lab.edit_config(|config| format!("inventory = \"tenants.csv\"\n{}", &config[..config.find("[[tenant]]").unwrap()]));
}

fn remove(lab: &Lab, name: &str) {
    fs::remove_file(lab.path(name)).unwrap();
}

fn change_token(lab: &Lab, change: impl FnOnce(String) -> String) {
    let token = fs::read_to_string(lab.path("tokens/acme.token")).unwrap();
    write(lab, "tokens/acme.token", change(token));
}

fn misspell_type(lab: &Lab) {
    edit(lab, "plain = \"panw_cie_sim\"", "plain = \"panw_cie_sin\"");
    lab.plan().expect(0);
}

fn misspell_scope(lab: &Lab) {
    edit(lab, "variant_types", "scopes = { plain = [\"okta.users.raed\"] }\nvariant_types");
    lab.plan().expect(0);
}

pub(super) fn correct_type_too_late(lab: &Lab) {
    misspell_type(lab);
    lab.run(&["apply", "plan.json", "acme", "--yes"]).expect(3);
    edit(lab, "panw_cie_sin", "panw_cie_sim");
}

/// A second tenant for the directory of `acme`, under another name.
pub(super) fn configure_twice(lab: &Lab) {
    lab.edit_config(|text| {
        let end = text.find("[[tenant]]\nname = \"globex\"").unwrap();
        let twin = text[text.find("[[tenant]]").unwrap()..end].replace("name = \"acme\"", "name = \"twin\"");
        format!("{text}\n{twin}")
    });
    fs::copy(lab.path("tokens/acme.token"), lab.path("tokens/twin.token")).unwrap();
}

/// The org of `acme` for `globex` too.
fn share_org(lab: &Lab) {
    edit(lab, "\"globex.okta.test\"", "\"acme.okta.test\"");
    fs::copy(lab.path("tokens/acme.token"), lab.path("tokens/globex.token")).unwrap();
}

/// The same tenants in another folder, which has no journal yet.
fn copy_to_other_folder(lab: &Lab) {
    for folder in ["other", "other/tokens", "other/.flowswap"] {
        fs::create_dir(lab.path(folder)).unwrap();
    }
    let files = ["migrate.toml", "ca.pem", "gateway.token", ".flowswap/identity.txt"].map(str::to_owned);
    let tokens = lab.sim.tenants().into_iter().map(|tenant| format!("tokens/{}.token", tenant.name));
    for name in tokens.chain(files) {
        fs::copy(lab.path(&name), lab.path("other").join(&name)).unwrap();
    }
    fs::set_permissions(lab.path("other/.flowswap"), fs::metadata(lab.path(".flowswap")).unwrap().permissions())
        .unwrap();
}

fn utf16(text: &str) -> Vec<u8> {
    [0xfeff].into_iter().chain(text.encode_utf16()).flat_map(u16::to_le_bytes).collect()
}

use Start::{Configured, Planned, Swapped, Waiting};

pub(super) const ROWS: &[Row] = &[
    // Options.
    row("a long option with one dash, and its value", Configured, nothing, "plan -out=p.json"),
    row("a long option with one dash", Configured, nothing, "detect -format json"),
    row("`-yes`", Planned, nothing, "apply plan.json -yes"),
    row("`-y`", Planned, nothing, "apply plan.json -y"),
    row("`--json`", Configured, nothing, "status --json"),
    row("a format in capitals", Configured, nothing, "detect --format=JSON"),
    row("`--tenant`", Configured, nothing, "detect --tenant acme"),
    row("`--dry-run`", Planned, nothing, "apply plan.json --dry-run"),
    row("a misspelt option", Configured, nothing, "plan --ouptut p.json"),
    row("a misspelt command", Planned, nothing, "aply plan.json"),
    row("spaces around `=`", Configured, nothing, "plan --output = p.json"),
    row("an option without its value", Configured, nothing, "plan --output"),
    row("a label without a value", Configured, nothing, "detect --label region"),
    row("a misspelt label", Configured, nothing, "detect --label region=emae"),
    row("a misspelt state", Configured, nothing, "status --state swapt"),
    row("a shell that does not exist", Configured, nothing, "completions fsh"),
    row("a misspelt finding", Configured, nothing, "explain deadline-neer"),
    row("a misspelt document", Configured, nothing, "schema statsu"),
    row("`--all` where no name means all", Configured, nothing, "status --all"),
    row("`--all` where names are needed", Waiting, nothing, "confirm --all"),
    // Tenants.
    row("a misspelt tenant", Configured, nothing, "detect acmee"),
    row("a misspelt tenant to roll back", Swapped, nothing, "rollback acmee --yes"),
    row("a tenant that the plan does not have", Planned, nothing, "apply plan.json acmee --yes"),
    row("a pattern that fits nothing", Configured, nothing, "detect emea-*"),
    row("only tenants to leave out", Swapped, nothing, "finalize --purge --except acme,emea-*"),
    row("a list of names that is not there", Configured, nothing, "detect --from names.txt"),
    row(
        "a list of names with a misspelt one",
        Configured,
        |lab| write(lab, "names.txt", "acme\nglobx\n"),
        "detect --from names.txt",
    ),
    // The order of commands.
    row("no plan named", Planned, nothing, "apply"),
    row("apply before plan", Configured, nothing, "apply plan.json --yes"),
    row("apply in a pipe", Planned, nothing, "apply plan.json"),
    row("finalize before the swap", Planned, nothing, "finalize acme --yes"),
    row("rollback before the swap", Planned, nothing, "rollback acme --yes"),
    row("rollback of nobody", Swapped, nothing, "rollback --yes"),
    row("confirm without a run sheet", Planned, nothing, "confirm acme"),
    row("confirm before plan", Configured, nothing, "confirm acme"),
    row("confirm of tenants without run sheets", Planned, nothing, "confirm *"),
    row("purge before finalize", Swapped, nothing, "finalize --purge --all --yes"),
    row(
        "apply of a plan that migrates nobody",
        Configured,
        |lab| {
            share_org(lab);
            lab.run(&["plan", "globex", "-o", "globex.json"]).expect(4);
        },
        "apply globex.json --yes",
    ),
    row("decline without a reason", Waiting, nothing, "decline acme"),
    row("a run sheet that is not there", Planned, nothing, "sheet acme"),
    row("the secret of nobody", Swapped, nothing, "secret copy acme"),
    row("resolve of a tenant that is not stuck", Swapped, nothing, "resolve acme --as applied --reason seen --yes"),
    row("resolve without a reason", Swapped, nothing, "resolve acme --as applied"),
    row("approve without a reason", Planned, nothing, "approve plan.json"),
    row("a plan over one in use", Waiting, nothing, "plan -o plan.json"),
    Row { is_busy: true, ..row("two runs at once", Planned, nothing, "apply plan.json --yes") },
    // Wrong files.
    row("apply of the configuration", Planned, nothing, "apply migrate.toml --yes"),
    row("review of the configuration", Planned, nothing, "show migrate.toml"),
    row("comparison with the configuration", Planned, nothing, "diff plan.json migrate.toml"),
    row("rehearsal of the configuration", Planned, nothing, "rehearse acme --plan migrate.toml --yes"),
    row(
        "apply of the report of a plan",
        Planned,
        |lab| drop(lab.run(&["plan", "--report", "plan.html"]).expect(0)),
        "apply plan.html --yes",
    ),
    row(
        "apply of the JSON report of a plan",
        Planned,
        |lab| drop(lab.run(&["plan", "--report", "report.json"]).expect(0)),
        "apply report.json --yes",
    ),
    row("apply of a folder", Planned, nothing, "apply tokens --yes"),
    row("a space in the path of a plan", Planned, nothing, "apply plan\u{a0}.json --yes"),
    row("a path in two words", Planned, nothing, "apply plan .json --yes"),
    row(
        "an edited plan",
        Planned,
        |lab| {
            let plan = fs::read_to_string(lab.path("plan.json")).unwrap();
            write(lab, "plan.json", plan.replacen("\"unattended\"", "\"attended\"", 1));
        },
        "apply plan.json --yes",
    ),
    row(
        "half a plan",
        Planned,
        |lab| {
            let plan = fs::read(lab.path("plan.json")).unwrap();
            write(lab, "plan.json", &plan[..plan.len() / 2]);
        },
        "show plan.json",
    ),
    row("a plan onto a folder", Configured, nothing, "plan -o tokens"),
    row("a plan into a folder that is not there", Configured, nothing, "plan -o plans/p.json"),
    row("a plan onto the configuration", Configured, nothing, "plan -o migrate.toml"),
    row("a report with an unknown ending", Configured, nothing, "plan --report plan.docx"),
    row("a simulator that is not there", Configured, nothing, "sim world --dir nowhere"),
    // Wrong folders.
    row("no configuration here", Configured, |lab| remove(lab, "migrate.toml"), "detect"),
    row(
        "the configuration of another fleet",
        Planned,
        copy_to_other_folder,
        "--config other/migrate.toml apply plan.json acme --yes",
    ),
    row("init twice", Configured, nothing, "init"),
    row("a folder of plugins that is not there", Configured, nothing, "--plugin-dir plugins detect"),
    // The identity.
    row("the identity is gone", Swapped, |lab| remove(lab, ".flowswap/identity.txt"), "rollback acme --yes"),
    row(
        "init where the identity is gone",
        Swapped,
        |lab| {
            remove(lab, ".flowswap/identity.txt");
            remove(lab, "migrate.toml");
        },
        "init",
    ),
    // What has changed since the plan.
    row(
        "an expired plan",
        Configured,
        |lab| {
            lab.edit_config(|text| format!("{text}\n[run]\nplan_lifetime = \"1ms\"\n"));
            lab.plan().expect(0);
        },
        "apply plan.json acme --yes",
    ),
    row(
        "a configuration that changed since the plan",
        Planned,
        |lab| edit(lab, "panw_cie_sim", "panw_cie_sin"),
        "apply plan.json acme --yes",
    ),
    row("a misspelt type key", Configured, misspell_type, "apply plan.json acme --yes"),
    row("a misspelt scope", Configured, misspell_scope, "apply plan.json acme --yes"),
    row("a type key that is corrected after the run", Configured, correct_type_too_late, "apply plan.json acme --yes"),
    row("a rollback after the correction", Configured, correct_type_too_late, "rollback acme --yes"),
    // Credentials.
    row(
        "a variable that is not set",
        Configured,
        |lab| edit(lab, CREDENTIAL, "credential = { env = \"ACME_TOKEN\" }"),
        "detect acme",
    ),
    row("a token file that is not there", Configured, |lab| remove(lab, "tokens/acme.token"), "detect acme"),
    row("an empty token file", Configured, |lab| write(lab, "tokens/acme.token", ""), "detect acme"),
    row(
        "a token with a line break",
        Configured,
        |lab| change_token(lab, |token| format!("{}\n{}", &token[..5], &token[5..])),
        "detect acme",
    ),
    row(
        "a token of another org",
        Configured,
        |lab| write(lab, "tokens/acme.token", "00wrong-wrong-wrong"),
        "detect acme",
    ),
    row(
        "a token instead of a reference",
        Configured,
        |lab| edit(lab, CREDENTIAL, "credential = \"00abcdefghijklmnop\""),
        "detect acme",
    ),
    row(
        "the client id and the secret of the service account swapped",
        Waiting,
        |lab| {
            lab.edit_config(|text| {
                text.replace("client_id =", "CLIENT =")
                    .replace("credential =", "client_id =")
                    .replace("CLIENT =", "credential =")
            })
        },
        "detect",
    ),
    // The org.
    row(
        "a domain with a scheme",
        Configured,
        |lab| edit(lab, "\"acme.okta.test\"", "\"https://acme.okta.test\""),
        "detect acme",
    ),
    row(
        "the domain of the admin console",
        Configured,
        |lab| edit(lab, "\"acme.okta.test\"", "\"acme-admin.okta.test\""),
        "detect acme",
    ),
    row(
        "an org that cannot be reached",
        Configured,
        |lab| edit(lab, &format!("\"*.okta.test\" = \"{}\"", lab.sim.addr()), "\"*.okta.test\" = \"127.0.0.1:1\""),
        "detect acme",
    ),
    row("two tenants with one org", Configured, configure_twice, "detect"),
    row("the org of another tenant", Configured, share_org, "detect acme globex"),
    // The configuration.
    row("a misspelt key of a plugin", Configured, |lab| edit(lab, "healthy", "helthy"), "detect"),
    row("a misspelt plugin", Configured, |lab| edit(lab, "plugin = \"okta\"", "plugin = \"octa\""), "detect"),
    row("a misspelt key of a tenant", Configured, |lab| edit(lab, "app_data = false", "app_dat = false"), "detect"),
    row("a misspelt variant", Configured, |lab| edit(lab, "{ plain =", "{ plane ="), "detect acme"),
    row("a misspelt field", Configured, |lab| edit(lab, "{name}.token", "{nam}.token"), "detect"),
    row("two tenants with one name", Configured, |lab| edit(lab, "\"globex\"", "\"acme\""), "detect"),
    row("a value without quotes", Configured, |lab| edit(lab, "plugin = \"okta\"", "plugin = okta"), "detect"),
    row(
        "waves that wait for longer than a plan is valid",
        Configured,
        |lab| {
            lab.edit_config(|text| {
                let waves = "[[wave]]\nname = \"canary\"\npick = 1\n\n[[wave]]\nname = \"rest\"\nopens_after = \"confirmed for 24h\"\n";
                format!("{text}\n{waves}")
            });
        },
        "plan",
    ),
    // The spreadsheet.
    row("semicolons", Configured, |lab| inventory(lab, "name;domain\nacme;acme.okta.test\n"), "detect"),
    row("tabs", Configured, |lab| inventory(lab, "name\tdomain\nacme\tacme.okta.test\n"), "detect"),
    row("UTF-16", Configured, |lab| inventory(lab, utf16("name,domain\nacme,acme.okta.test\n")), "detect"),
    row("a misspelt column", Configured, |lab| inventory(lab, "name,domian\nacme,acme.okta.test\n"), "detect"),
    row(
        "one name in two lines",
        Configured,
        |lab| inventory(lab, "name,domain\nacme,acme.okta.test\nacme,globex.okta.test\n"),
        "detect",
    ),
];
