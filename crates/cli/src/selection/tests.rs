//! What every option selects, as a table.

use std::{collections::BTreeMap, error::Error, fs, path::Path};

use clap::{Args, Command, FromArgMatches};
use flowswap_config::Config;
use flowswap_engine::{Overview, TenantState, Verdict};
use insta::assert_snapshot;
use jiff::Timestamp;

use super::{Candidate, Pool};
use crate::args::Select;

const TOML: &str = r#"
inventory = "fleet.csv"
[defaults]
provider = { plugin = "p" }
directory = { plugin = "d" }
"#;

const CSV: &str = "\
name,owner,labels.region,labels.tier
emea-acme,dana,emea,gold
emea-globex,erik,emea,
amer-initech,dana,amer,gold
amer-umbrella,,amer,silver
apac-hooli,,,
";

/// What the journal knows: the state, and the verdict and the findings of the last plan. `old-wonka` is only there.
const KNOWN: [(&str, TenantState, Option<Verdict>, &[&str]); 4] = [
    ("emea-acme", TenantState::Swapped, Some(Verdict::Ready), &[]),
    ("emea-globex", TenantState::Stuck, Some(Verdict::Ready), &["deadline-near"]),
    ("amer-initech", TenantState::Unplanned, Some(Verdict::Blocked), &["legacy-client-inactive", "deadline-near"]),
    ("old-wonka", TenantState::Swapped, Some(Verdict::Ready), &[]),
];

struct World {
    folder: tempfile::TempDir,
    config: Config,
    known: BTreeMap<String, Overview>,
}

impl World {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("migrate.toml"), TOML).unwrap();
        fs::write(folder.path().join("fleet.csv"), CSV).unwrap();
        let config = flowswap_config::load(&folder.path().join("migrate.toml")).unwrap();
        let overview = |(name, state, verdict, findings): (&str, _, _, &[&str])| {
            let findings = findings.iter().map(ToString::to_string).collect();
            let unplanned = Overview::unplanned(Timestamp::UNIX_EPOCH);
            (name.to_owned(), Overview { state, verdict, findings, ..unplanned })
        };
        Self { folder, config, known: KNOWN.into_iter().map(overview).collect() }
    }

    /// The names, or the error with its hint. `FILE` stands for a file with these lines.
    fn select(&self, line: &str, file: &str) -> String {
        let path = self.folder.path().join("names.txt");
        fs::write(&path, file).unwrap();
        let words = line.split_whitespace().map(|word| word.replace("FILE", &path.display().to_string()));
        let matches = Select::augment_args(Command::new("select").no_binary_name(true)).try_get_matches_from(words);
        let args = match matches {
            Ok(matches) => Select::from_arg_matches(&matches).unwrap(),
            Err(error) => return error.to_string().lines().next().unwrap_or_default().to_owned(),
        };
        let configured = self.config.tenants.iter();
        let configured = configured.map(|tenant| Candidate::of(&tenant.name, Some(tenant), &self.known));
        let gone = self.known.keys().filter(|name| self.config.tenant(name).is_none());
        let candidates = configured.chain(gone.map(|name| Candidate::of(name, None, &self.known)));
        match Pool::of_plan(candidates, Path::new("plan.json")).select(&args) {
            Ok(selected) => selected.names.join(" "),
            Err(failure) => {
                let cause =
                    failure.error.source().map(|cause| format!(": {}", self.shorten(cause))).unwrap_or_default();
                let hint = failure.hint.unwrap_or_default();
                format!("{}{cause} ({})", self.shorten(&*failure.error), hint)
            }
        }
    }

    fn shorten(&self, error: &dyn Error) -> String {
        error.to_string().replace(&format!("{}/", self.folder.path().display()), "")
    }
}

#[test]
fn what_each_option_selects() {
    let lines = [
        "",
        "amer-initech emea-acme",
        "emea-*",
        "amer-* emea-acme",
        "*-[gh]*",
        "*-[^gh]*",
        "*-[!gh]*",
        "***-acme",
        "old-wonka",
        "--state swapped",
        "--state swapped,stuck",
        "--state stuck,waiting",
        "--verdict ready",
        "--verdict ready,blocked --state unplanned",
        "--finding deadline-near",
        "--finding deadline-near --verdict ready",
        "--owner dana",
        "--owner dana,erik --label region=emea",
        "--label region=emea",
        "--label region=emea --label region=amer",
        "--label region=emea,tier=gold",
        "--except emea-*",
        "--except emea-acme,amer-* --state unplanned",
        "emea-* --except emea-globex",
        "--from FILE",
        "apac-hooli --from FILE --owner dana",
    ];
    let world = World::new();
    let file = "\u{feff}# the second wave\nemea-acme   # asked for it\r\n\n  amer-umbrella\n";
    let table: Vec<_> = lines.iter().map(|line| format!("{line:<44} → {}", world.select(line, file))).collect();
    assert_snapshot!(table.join("\n"), @"
                                                 → emea-acme emea-globex amer-initech amer-umbrella apac-hooli old-wonka
    amer-initech emea-acme                       → emea-acme amer-initech
    emea-*                                       → emea-acme emea-globex
    amer-* emea-acme                             → emea-acme amer-initech amer-umbrella
    *-[gh]*                                      → emea-globex apac-hooli
    *-[^gh]*                                     → emea-acme amer-initech amer-umbrella old-wonka
    *-[!gh]*                                     → emea-acme amer-initech amer-umbrella old-wonka
    ***-acme                                     → emea-acme
    old-wonka                                    → old-wonka
    --state swapped                              → emea-acme old-wonka
    --state swapped,stuck                        → emea-acme emea-globex old-wonka
    --state stuck,waiting                        → emea-globex
    --verdict ready                              → emea-acme emea-globex old-wonka
    --verdict ready,blocked --state unplanned    → amer-initech
    --finding deadline-near                      → emea-globex amer-initech
    --finding deadline-near --verdict ready      → emea-globex
    --owner dana                                 → emea-acme amer-initech
    --owner dana,erik --label region=emea        → emea-acme emea-globex
    --label region=emea                          → emea-acme emea-globex
    --label region=emea --label region=amer      → emea-acme emea-globex amer-initech amer-umbrella
    --label region=emea,tier=gold                → emea-acme
    --except emea-*                              → amer-initech amer-umbrella apac-hooli old-wonka
    --except emea-acme,amer-* --state unplanned  → apac-hooli
    emea-* --except emea-globex                  → emea-acme
    --from FILE                                  → emea-acme amer-umbrella
    apac-hooli --from FILE --owner dana          → emea-acme
    ");
}

#[test]
fn what_selects_nothing_is_a_mistake() {
    let lines = [
        "emea-acmee",
        "xyz",
        "emae-*",
        "emea-[",
        "--state waiting",
        "--state swappt",
        "--state gone",
        "--verdict unknown",
        "--verdict fine",
        "--finding deadline-nea",
        "--finding xyz",
        "--finding deadline-passed",
        "--owner dan",
        "--owner dana,zoe",
        "--label region",
        "--label region=emae",
        "--label region=antarctica",
        "--label regoin=emea",
        "--label zone=a",
        "--except emea-acmee",
        "--except emae-*",
        "emea-* --except emea-acme,emea-globex",
        "emea-* --label region=amer",
        "--from FILE",
        "--from FILEs",
    ];
    let world = World::new();
    let table: Vec<_> =
        lines.iter().map(|line| format!("{line:<40} → {}", world.select(line, "emea-acme\nemea-globx\n"))).collect();
    let empty = world.select("--from FILE", "# nobody\n");
    let glued = world.select("--from FILE", "emea-acme#emea-globex\n");
    assert!(glued.contains("names.txt:1: the plan has no tenant `emea-acme#emea-globex`"), "{glued}");
    assert_snapshot!(format!("{}\nan empty file → {empty}", table.join("\n")), @"
    emea-acmee                               → the plan has no tenant `emea-acmee` (did you mean `emea-acme`?)
    xyz                                      → the plan has no tenant `xyz` (list the tenants of the plan: flowswap show plan.json -v)
    emae-*                                   → no tenant has a name like `emae-*` (list the tenants of the plan: flowswap show plan.json -v)
    emea-[                                   → `emea-[` is not a pattern: invalid range pattern (`*` stands for any text, `?` for one letter, `[ab]` for one of these letters, and `[!ab]` for any other)
    --state waiting                          → no tenant is `waiting` (the states are stuck, swapped, unplanned)
    --state swappt                           → error: invalid value 'swappt' for '--state <STATE>': did you mean `swapped`?
    --state gone                             → error: invalid value 'gone' for '--state <STATE>': expected one of unplanned, planned, running, swapped, soaking, retired, finalized, waiting, rolling-back, rolled-back, stuck, failed
    --verdict unknown                        → no tenant has the verdict `unknown` (the verdicts are blocked, ready)
    --verdict fine                           → error: invalid value 'fine' for '--verdict <VERDICT>': expected one of ready, migrated, not-applicable, blocked, unknown
    --finding deadline-nea                   → error: invalid value 'deadline-nea' for '--finding <ID>': did you mean `deadline-near`?
    --finding xyz                            → error: invalid value 'xyz' for '--finding <ID>': there is no such finding; list all: flowswap explain
    --finding deadline-passed                → no tenant has the finding `deadline-passed` (the findings are deadline-near, legacy-client-inactive)
    --owner dan                              → no tenant has the owner `dan` (did you mean `dana`?)
    --owner dana,zoe                         → no tenant has the owner `zoe` (the owners are dana, erik)
    --label region                           → error: invalid value 'region' for '--label <NAME=VALUE>': expected NAME=VALUE, such as `region=emea`
    --label region=emae                      → no tenant has the label `region=emae` (did you mean `emea`?)
    --label region=antarctica                → no tenant has the label `region=antarctica` (the values of `region` are amer, emea)
    --label regoin=emea                      → no tenant has the label `regoin=emea` (did you mean `region`?)
    --label zone=a                           → no tenant has the label `zone=a` (the labels are region, tier)
    --except emea-acmee                      → the plan has no tenant `emea-acmee` (did you mean `emea-acme`?)
    --except emae-*                          → no tenant has a name like `emae-*` (list the tenants of the plan: flowswap show plan.json -v)
    emea-* --except emea-acme,emea-globex    → no tenant is selected: none fits everything that you passed (leave out an option, or show every tenant: flowswap status)
    emea-* --label region=amer               → no tenant is selected: none fits everything that you passed (leave out an option, or show every tenant: flowswap status)
    --from FILE                              → names.txt:2: the plan has no tenant `emea-globx` (did you mean `emea-globex`?)
    --from FILEs                             → failed to read the names of tenants from `names.txts`: No such file or directory (os error 2) (write one name a line into a file, or pass `-` for stdin)
    an empty file → `names.txt` names no tenant (write one name a line)
    ");
}
