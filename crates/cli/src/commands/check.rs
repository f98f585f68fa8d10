//! `flowswap check`: checks that everything is reachable and permitted.

use std::collections::BTreeMap;

use flowswap_config::{Channel, Config, SecretRef, WebhookUrl};
use flowswap_contract::{self as contract, Evidence, EvidenceResult as R, Op, Role, TestParams, TestReply};
use flowswap_engine::{BackendCall, Logbook, Tenant, find_domain_defect, find_shared_orgs};
use flowswap_host::{Cage, chain};
use flowswap_store::{AgeSecretStore, FileError, Identity, Inventory, StateDir};
use jiff::SignedDuration;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::json;

use super::{detect::configured_org, plugins::describe_cage};
use crate::{
    approvals::{SignersFile, people},
    args::Select,
    context::Context,
    display::{
        causes::{self, Group, MANY},
        plan::reach,
        table::{self, Cell},
        text::{Text, text},
    },
    documents::{Document, DocumentName},
    exit::{Exit, Failure},
    fetch::Unreadable,
    fleet::Fleet,
    identity, selection,
    terminal::{Tone, paint},
};

/// The name of the check of a side's clock.
const CLOCK: &str = "clock";
/// A clock that is off by this much gets a note.
const CLOCK_SKEW_NOTED: SignedDuration = SignedDuration::from_secs(30);
/// A clock that is off by this much makes every time in the evidence worthless.
const CLOCK_SKEW_FAILED: SignedDuration = SignedDuration::from_mins(5);

#[derive(Serialize, JsonSchema)]
pub(super) struct Report {
    /// The checks: first those of this machine, then those of each tenant.
    checks: Vec<Check>,
}

impl Document for Report {
    const NAME: DocumentName = DocumentName::Check;
}

#[derive(Serialize, JsonSchema)]
struct Check {
    /// The name of the tenant. `None` for a check of this machine.
    tenant: Option<String>,
    /// The side that was checked. `None` for a check of this machine.
    role: Option<Role>,
    #[serde(flatten)]
    evidence: Evidence,
    /// What the user can do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<String>,
    /// The words in the detail that differ per tenant, such as its domain.
    #[serde(skip)]
    own_words: Vec<String>,
}

/// The result of one check of a side.
struct SideCheck {
    evidence: Evidence,
    hint: Option<String>,
}

impl SideCheck {
    fn failed(detail: impl Into<String>, hint: Option<String>) -> Self {
        Self { evidence: Evidence::new("access", R::Fail, detail), hint }
    }
}

pub(crate) async fn run(context: &Context, select: &Select) -> Result<Exit, Failure> {
    let config = context.load_config()?;
    let progress = context.progress();
    let ports = context.read_ports(&config, progress.clone()).await?;
    let names = selection::select_configured(&config, &ports.logbook, select).await?;
    let mut fleet = Fleet::open(context, &config, &names, &ports).await?;
    let mut checks = check_machine(context, &config, &fleet);
    if uses_vault(&config, &names) {
        checks.push(check_vault(context).await);
    }
    checks.extend(check_notify(context, &config).await);
    let shared = check_orgs(&fleet, &ports.logbook);
    checks.extend(fleet.each(&config, &progress, check_tenant).await.into_iter().flatten());
    checks.extend(shared);
    context.fail_if_stopped()?;
    let failed = checks.iter().any(|check| check.evidence.result == R::Fail);
    let report = Report { checks };
    context.terminal.report(&report, || text(&report, context.terminal.verbose > 0))?;
    Ok(if failed { Exit::SomeFailed } else { Exit::Done })
}

fn check_machine(context: &Context, config: &Config, fleet: &Fleet) -> Vec<Check> {
    let mut recipients = None;
    let identity = match context.load_identity(config) {
        Ok(loaded) => {
            let stored = AgeSecretStore::inspect(&StateDir::at(&config.state).secrets(), &loaded);
            recipients = stored.as_ref().ok().and_then(|stored| check_recipients(config, &loaded, stored));
            let path = identity::locate(config).map(|path| path.display().to_string()).unwrap_or_default();
            match (describe_opened(stored), identity::moving_command(config, &loaded)) {
                (Err(failed), _) => {
                    let failed = machine("identity", R::Fail, format!("`{path}` {failed}"));
                    Check {
                        hint: Some("see which secrets, and what to do: flowswap audit verify".to_owned()),
                        ..failed
                    }
                }
                (Ok(opened), None) => machine("identity", R::Pass, format!("`{path}` {opened}")),
                (Ok(_), Some(command)) => {
                    let detail = format!("`{path}` lies beside the secrets that it opens; to move it, run: {command}");
                    machine("identity", R::Inconclusive, detail)
                }
            }
        }
        Err(failure) => {
            let failed = machine("identity", R::Fail, chain(&*failure.error));
            Check { hint: failure.hint, ..failed }
        }
    };
    let mut checks = vec![identity];
    checks.extend(recipients);
    for (name, file) in context.fetcher.programs() {
        checks.push(machine("command", R::Pass, format!("`{name}` runs `{}`", file.display())));
    }
    for (name, pin) in &fleet.pins {
        let pinned = config.plugins.get(name).is_some_and(|entry| entry.sha256.is_some());
        let detail = if pinned {
            "pinned".to_owned()
        } else {
            format!("not pinned; to pin it, set sha256 = \"{}\" under [plugins.{name}]", pin.sha256)
        };
        let result = if pinned { R::Pass } else { R::Inconclusive };
        checks.push(machine(&format!("plugin {name}"), result, format!("{}, {detail}", pin.version)));
    }
    let uncaged: Vec<_> =
        fleet.pins.iter().filter(|(_, pin)| pin.uncaged).map(|(name, _)| format!("`{name}`")).collect();
    checks.push(match uncaged.as_slice() {
        [] => machine("cage", R::Pass, format!("every plugin is caged ({})", describe_cage(Cage::Required))),
        names => machine("cage", R::Inconclusive, format!("not caged, and with all your rights: {}", names.join(", "))),
    });
    checks.extend(config.approvals.as_ref().map(|approvals| match SignersFile::of(approvals) {
        Ok(signers) => {
            let (all, file) = (people(signers.signers.count_people()), signers.path.display());
            machine("approvals", R::Pass, format!("{} of {all} in `{file}` must approve a plan", approvals.required))
        }
        Err(failure) => {
            let failed = machine("approvals", R::Fail, chain(&*failure.error));
            Check { hint: failure.hint, ..failed }
        }
    }));
    checks
}

/// Whether a secret of these tenants, or of flowswap itself, is in Vault.
fn uses_vault(config: &Config, names: &[String]) -> bool {
    let tenants = names.iter().filter_map(|name| config.tenant(name));
    let sides = tenants.flat_map(|tenant| [&tenant.provider, &tenant.directory]);
    let webhooks = config.notify.iter().filter_map(|target| match &target.channel {
        Channel::Webhook { url: WebhookUrl::Secret(reference), .. } => Some(reference),
        _ => None,
    });
    let mut all = sides.flat_map(|side| side.secrets.values()).chain(&config.passphrase).chain(webhooks);
    all.any(|reference| matches!(reference, SecretRef::Vault(_)))
}

/// The login to Vault. Whether it opens a secret, the checks of the tenants show.
async fn check_vault(context: &Context) -> Check {
    match context.fetcher.describe_vault().await {
        Ok(described) => machine("vault", R::Pass, format!("secrets come from {described}")),
        Err(Unreadable { why, hint }) => Check { hint, ..machine("vault", R::Fail, why) },
    }
}

/// The targets of notifications. Only a test message shows whether one arrives.
async fn check_notify(context: &Context, config: &Config) -> Vec<Check> {
    let targets = context.courier.check(config).await;
    let checks = targets.into_iter().map(|(name, usable)| match usable {
        Ok(()) => machine(
            &format!("notify {name}"),
            R::Pass,
            "can be used; for a test message: flowswap notify --test".to_owned(),
        ),
        Err(why) => machine(&format!("notify {name}"), R::Fail, why),
    });
    checks.collect()
}

/// A check of this machine.
fn machine(check: &str, result: R, detail: String) -> Check {
    let evidence = Evidence::new(check, result, detail);
    Check { tenant: None, role: None, evidence, hint: None, own_words: Vec::new() }
}

/// What the identity opens. An error if it does not open every stored secret.
fn describe_opened(stored: Result<Inventory, FileError>) -> Result<String, String> {
    let inventory = stored.map_err(|error| format!("was not tried: {}", chain(&error)))?;
    let closed = inventory.unusable.iter().filter(|file| file.handle.is_some()).count();
    let all = inventory.secrets.len() + closed;
    match (closed, all) {
        (0, 0) => Ok("can be used; no secret is stored yet".to_owned()),
        (0, 1) => Ok("opens the stored secret".to_owned()),
        (0, all) => Ok(format!("opens all {all} stored secrets")),
        (closed, all) => Err(format!("does not open {closed} of {all} stored secrets")),
    }
}

/// Whether those can open the stored secrets whom the configuration names. `None` if it names nobody, and nobody else can.
fn check_recipients(config: &Config, identity: &Identity, stored: &Inventory) -> Option<Check> {
    let others = match identity::recipients(config) {
        Ok(others) => others,
        Err(failure) => {
            let failed = machine("recipients", R::Fail, chain(&*failure.error));
            return Some(Check { hint: failure.hint, ..failed });
        }
    };
    let keys = identity.recipients_with(&others).len();
    let (all, fit) = (stored.secrets.len(), stored.recipients.get(&keys).copied().unwrap_or(0));
    if fit < all {
        let detail =
            format!("{} of {all} stored secrets are not encrypted to the recipients of the configuration", all - fit);
        let hint = Some("encrypt them again: flowswap secret rekey".to_owned());
        return Some(Check { hint, ..machine("recipients", R::Inconclusive, detail) });
    }
    (!others.is_empty())
        .then(|| machine("recipients", R::Pass, format!("each of {keys} keys opens the stored secrets")))
}

/// The tenants that `plan` will hold back because another one has the same org. Unlike `detect`, this goes by the configured domains.
fn check_orgs(fleet: &Fleet, logbook: &Logbook) -> Vec<Check> {
    let is_swapped = |name: &str| logbook.overview(name).is_some_and(|known| known.state.is_swapped_or_later());
    let left = fleet.tenants.iter().map(|tenant| &tenant.spec).filter(|spec| !is_swapped(&spec.name));
    let orgs = left.map(|spec| (spec.name.as_str(), configured_org(spec)));
    let mut found = find_shared_orgs(orgs, &logbook.busy_orgs());
    let with_finding = fleet.tenants.iter().filter_map(|tenant| Some((&tenant.spec, found.remove(&tenant.spec.name)?)));
    let checks = with_finding.map(|(spec, finding)| Check {
        tenant: Some(spec.name.clone()),
        role: Some(Role::Provider),
        evidence: Evidence::new("org", R::Inconclusive, finding.message).of_rule(&finding.id),
        hint: Some(finding.fix),
        own_words: vec![spec.name.clone(), spec.domain.clone()],
    });
    checks.collect()
}

async fn check_tenant(tenant: Tenant) -> Vec<Check> {
    let (provider, directory) = tokio::join!(check_side(&tenant, Role::Provider), check_side(&tenant, Role::Directory));
    let mut own_words = vec![tenant.spec.name.clone(), tenant.spec.domain.clone()];
    own_words.extend(tenant.backend(Role::Directory).skews().into_keys().map(host_of));
    [(Role::Provider, provider), (Role::Directory, directory)]
        .into_iter()
        .flat_map(|(role, seen)| seen.into_iter().map(move |seen| (role, seen)))
        .map(|(role, SideCheck { evidence, hint })| Check {
            tenant: Some(tenant.spec.name.clone()),
            role: Some(role),
            evidence,
            hint,
            own_words: own_words.clone(),
        })
        .collect()
}

async fn check_side(tenant: &Tenant, role: Role) -> Vec<SideCheck> {
    if let Some(defect) = find_domain_defect(&tenant.spec.domain) {
        return if role == Role::Provider { vec![SideCheck::failed(defect, None)] } else { Vec::new() };
    }
    let call = BackendCall::dry(Op::Test, json!(TestParams::default()).into());
    let reply = tenant.backend(role).call(call).await.and_then(|reply| {
        serde_json::from_value::<TestReply>(reply).map_err(|error| {
            contract::Error::new(contract::ErrorKind::Protocol, format!("the plugin's reply does not decode: {error}"))
        })
    });
    let mut seen: Vec<SideCheck> = match reply {
        Ok(reply) => reply.evidence.into_iter().map(|evidence| SideCheck { evidence, hint: None }).collect(),
        Err(error) => vec![SideCheck::failed(error.message, error.hint)],
    };
    let (origins, token_paths) = (tenant.backend(role).origins(), tenant.backend(role).token_paths());
    if !origins.is_empty() {
        let goes_to = reach(&origins, &token_paths);
        let evidence = Evidence::new("origins", R::Pass, format!("credentials go to {goes_to}"));
        seen.push(SideCheck { evidence, hint: None });
    }
    seen.extend(check_clock(&tenant.backend(role).skews()));
    seen
}

/// How far the side's clock is from this machine's. `None` if no response carried a time.
fn check_clock(skews: &BTreeMap<String, SignedDuration>) -> Option<SideCheck> {
    let (origin, skew) = skews.iter().max_by_key(|(_, skew)| skew.abs())?;
    let host = host_of(origin.clone());
    let result = match skew.abs() {
        apart if apart >= CLOCK_SKEW_FAILED => R::Fail,
        apart if apart >= CLOCK_SKEW_NOTED => R::Inconclusive,
        _ => {
            let detail =
                format!("the clock of {host} is less than {} s from this machine's", CLOCK_SKEW_NOTED.as_secs());
            return Some(SideCheck { evidence: Evidence::new(CLOCK, R::Pass, detail), hint: None });
        }
    };
    let way = if skew.is_negative() { "behind" } else { "ahead of" };
    let detail = format!("the clock of {host} is {} {way} this machine's", format_skew(skew.abs()));
    let hint =
        "find out which clock is wrong, and set it with NTP; `flowswap finalize` compares the clocks of both sides";
    Some(SideCheck { evidence: Evidence::new(CLOCK, result, detail), hint: Some(hint.to_owned()) })
}

/// A duration in its two largest units.
fn format_skew(apart: SignedDuration) -> String {
    let seconds = apart.as_secs();
    match seconds {
        ..60 => format!("{seconds} s"),
        60..3_600 => format!("{} min {} s", seconds / 60, seconds % 60),
        3_600..86_400 => format!("{} h {} min", seconds / 3_600, seconds / 60 % 60),
        _ => format!("{} d {} h", seconds / 86_400, seconds / 3_600 % 24),
    }
}

fn host_of(origin: String) -> String {
    match origin.split_once("://") {
        Some((_, host)) => host.to_owned(),
        None => origin,
    }
}

/// One line for each side, or one for many sides with the same result. Then every check that did not pass, once for all
/// tenants with the same text, and the hints. With `all`, every check of every tenant.
fn text(report: &Report, all: bool) -> Text {
    let needs_attention = |check: &&Check| !matches!(check.evidence.result, R::Pass | R::NotApplicable);
    let mut text = if all { table::render(COLUMNS, report.checks.iter().map(row)) } else { summary(report) };
    let open: Vec<&Check> = report.checks.iter().filter(needs_attention).collect();
    if !all && !open.is_empty() {
        text += "\n";
        text += table::render(COLUMNS, by_cause(&open).iter().map(group_row));
    }
    // Both sides can have the same one.
    let hints = causes::group(open.iter().copied().filter(|check| check.hint.is_some()), |check| {
        (check.hint.clone().unwrap_or_default(), check.own_words.iter().map(String::as_str).collect())
    });
    if !hints.is_empty() {
        text += "\n";
    }
    for hint in &hints {
        let is_of_tenants = hint.items[0].tenant.is_some();
        let mut names = tenants_of(&hint.items);
        names.dedup();
        let whose = if is_of_tenants { text!(" ({})", causes::subject(&names)) } else { Text::default() };
        text += text!("{} {}{}\n", paint(Tone::Strong, "hint:"), hint.text, whose);
    }
    let failed = report.checks.iter().filter(|check| check.evidence.result == R::Fail).count();
    text + text!("\n{} checks, {} failed\n", report.checks.len(), failed)
}

const COLUMNS: [&str; 5] = ["tenant", "side", "check", "result", ""];

/// Groups the checks with the same name, result, and text.
fn by_cause<'a>(checks: &[&'a Check]) -> Vec<Group<&'a Check>> {
    let groups = causes::group(checks.iter().copied(), |check| {
        // The same text from another check or another side belongs to another group.
        let source = format!("{:?} {} {:?}", check.role, check.evidence.check, check.evidence.result);
        (format!("{source}\n{}", check.evidence.detail), check.own_words.iter().map(String::as_str).collect())
    });
    let without_source = |group: Group<&'a Check>| match group.text.split_once('\n') {
        Some((_, text)) => Group { text: text.to_owned(), ..group },
        None => group,
    };
    groups.into_iter().map(without_source).collect()
}

fn tenants_of<'a>(checks: &[&'a Check]) -> Vec<&'a str> {
    checks.iter().map(|check| check.tenant.as_deref().unwrap_or("-")).collect()
}

/// A row for each side, or one for all sides with the same result if they are many.
fn summary(report: &Report) -> Text {
    let sides: Vec<&[Check]> = report.checks.chunk_by(same_side).collect();
    let mut alike: Vec<(SideKey, Vec<&[Check]>)> = Vec::new();
    for side in sides {
        let key = (side[0].role, side.len(), worst(side));
        match alike.iter_mut().find(|(known, _)| *known == key) {
            Some((_, together)) => together.push(side),
            None => alike.push((key, vec![side])),
        }
    }
    let is_many = alike.iter().any(|(key, together)| key.0.is_some() && together.len() >= MANY);
    let columns = ["tenant", "side", "checks", "result"];
    if is_many {
        table::render(columns, alike.iter().map(|(_, together)| summarize(together)))
    } else {
        table::render(columns, report.checks.chunk_by(same_side).map(|side| summarize(&[side])))
    }
}

/// A side, how many checks it had, and the worst of their results.
type SideKey = (Option<Role>, usize, R);

fn same_side(a: &Check, b: &Check) -> bool {
    (&a.tenant, a.role) == (&b.tenant, b.role)
}

fn worst(checks: &[Check]) -> R {
    let worst = checks.iter().map(|check| check.evidence.result).max_by_key(|result| match result {
        R::NotApplicable | R::Pass => 0,
        R::Inconclusive => 1,
        R::Fail => 2,
    });
    worst.unwrap_or(R::NotApplicable)
}

/// The row of sides with the same result.
fn summarize(sides: &[&[Check]]) -> [Cell; 4] {
    let first = &sides[0][0];
    let names: Vec<&str> = sides.iter().map(|side| side[0].tenant.as_deref().unwrap_or("-")).collect();
    let (tone, word) = word(worst(sides[0]));
    [table::plain(causes::subject(&names)), side(first), table::plain(sides[0].len()), table::toned(tone, word)]
}

fn row(check: &Check) -> [Cell; 5] {
    group_row(&Group { text: check.evidence.detail.clone(), items: vec![check] })
}

/// The row of checks with the same text.
fn group_row(group: &Group<&Check>) -> [Cell; 5] {
    let first = group.items[0];
    let names = tenants_of(&group.items);
    let (tone, word) = word(first.evidence.result);
    [
        table::plain(causes::subject(&names)),
        side(first),
        table::plain(&first.evidence.check),
        table::toned(tone, word),
        table::plain(text!("{}{}", group.text, causes::list_names(&names))),
    ]
}

fn side(check: &Check) -> Cell {
    table::plain(check.role.map_or_else(|| "this machine".to_owned(), |role| role.to_string()))
}

fn word(result: R) -> (Tone, &'static str) {
    match result {
        R::Pass => (Tone::Good, "pass"),
        R::Fail => (Tone::Bad, "fail"),
        R::NotApplicable => (Tone::Dim, "n/a"),
        R::Inconclusive => (Tone::Care, "note"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_is_judged_by_its_distance_from_this_machines() {
        let table = [
            (0, R::Pass, "the clock of acme.okta.com is less than 30 s from this machine's"),
            (-29, R::Pass, "the clock of acme.okta.com is less than 30 s from this machine's"),
            (30, R::Inconclusive, "the clock of acme.okta.com is 30 s ahead of this machine's"),
            (-299, R::Inconclusive, "the clock of acme.okta.com is 4 min 59 s behind this machine's"),
            (300, R::Fail, "the clock of acme.okta.com is 5 min 0 s ahead of this machine's"),
            (-4_200, R::Fail, "the clock of acme.okta.com is 1 h 10 min behind this machine's"),
            (950_400, R::Fail, "the clock of acme.okta.com is 11 d 0 h ahead of this machine's"),
        ];
        for (seconds, result, detail) in table {
            let skews = [
                ("https://acme.okta.com".to_owned(), SignedDuration::from_secs(seconds)),
                ("https://aaaa.example".to_owned(), SignedDuration::ZERO),
            ];
            let seen = check_clock(&skews.into()).unwrap();
            assert_eq!((seen.evidence.result, seen.evidence.detail.as_str()), (result, detail));
            assert_eq!(seen.hint.is_some(), result != R::Pass);
        }
        assert!(check_clock(&BTreeMap::new()).is_none());
    }

    fn failing(index: usize, detail: &str, hint: &str) -> Check {
        let name = format!("tenant-{index}");
        let own_words = vec![name.clone(), format!("{name}.okta.com")];
        let seen = SideCheck::failed(detail.replace("HOST", &own_words[1]), Some(hint.to_owned()));
        Check { tenant: Some(name), role: Some(Role::Provider), evidence: seen.evidence, hint: seen.hint, own_words }
    }

    #[test]
    fn a_hint_of_both_sides_is_shown_once() {
        let sides = [Role::Provider, Role::Directory];
        let both =
            |index| sides.map(|role| Check { role: Some(role), ..failing(index, "HOST is late", "set the clock") });
        let text = text(&Report { checks: (0..2).flat_map(both).collect() }, false).plain();
        assert_eq!(text.matches("hint:").count(), 1, "{text}");
        assert!(text.contains("hint: set the clock (2 tenants)\n"), "{text}");
    }

    #[test]
    fn one_cause_is_shown_once_for_many_tenants() {
        let mut checks: Vec<Check> = (0..300)
            .map(|index| failing(index, "failed to reach HOST: refused", "see whether it can be reached"))
            .collect();
        checks.push(failing(300, "the token was not accepted", "make a new token"));
        let report = Report { checks };
        insta::assert_snapshot!(text(&report, false).plain());
        assert_eq!(text(&report, true).plain().lines().filter(|line| line.contains("refused")).count(), 300);
        assert_eq!(serde_json::to_value(&report).unwrap()["checks"].as_array().unwrap().len(), 301);
    }
}
