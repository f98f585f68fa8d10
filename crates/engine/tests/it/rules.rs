//! The rules: a tenant that is ready, a change to it, and then the verdict and exactly the expected findings.

use std::{collections::BTreeSet, sync::Mutex};

use flowswap_contract::{
    self as contract, AssignedUser, ErrorKind, Flow, KnownFrom, Lookalike, ScopeNeed, ServiceClient, Tokens, Variant,
};
use flowswap_engine::{
    ACCEPTABLE, EVIDENCE_RULES, Inventories, RULES, Severity, TenantSpec, Verdict, WARN_DAYS, assess,
};
use jiff::SignedDuration;

use crate::{environment::start_of_time, test_fleet::spec, world::World};

/// A tenant that is ready, without further findings.
fn base() -> (TenantSpec, Inventories) {
    let world = World::new("acme");
    (spec("acme"), Inventories { provider: Ok(world.provider_inventory()), directory: Ok(world.directory_inventory()) })
}

fn unreachable() -> contract::Error {
    contract::Error::new(ErrorKind::Unavailable, "no answer")
}

fn service(sides: &mut Inventories, id: &str, variant: Variant) {
    let (type_key, name, scopes) = ("cie".to_owned(), "CIE".to_owned(), vec![]);
    let client = ServiceClient {
        secrets: Vec::new(),
        tokens: Tokens::default(),
        id: id.to_owned(),
        type_key,
        name,
        variant,
        scopes,
        created_at: None,
    };
    sides.provider.as_mut().unwrap().service_clients.push(client);
}

fn lookalike(sides: &mut Inventories, client_id: &str) {
    let client_id = Some(client_id.to_owned());
    let app =
        Lookalike { id: "saml-1".into(), client_id, label: "Cloud Identity Engine".into(), kind: "SAML_2_0".into() };
    sides.provider.as_mut().unwrap().lookalikes.push(app);
}

fn connect(sides: &mut Inventories, flow: Flow, client_id: Option<&str>) {
    let directory = sides.directory.as_mut().unwrap();
    (directory.flow, directory.client_id) = (flow, client_id.map(str::to_owned));
}

fn sign_in(sides: &mut Inventories, days_ago: i64) {
    let at = start_of_time() - SignedDuration::from_hours(24 * days_ago);
    sides.directory.as_mut().unwrap().last_sign_in = Some(at.to_string());
}

fn second_legacy(sides: &mut Inventories) {
    let legacy = &mut sides.provider.as_mut().unwrap().legacy_clients;
    let other = contract::LegacyClient { id: "app-2".into(), client_id: "legacy-2".into(), ..legacy[0].clone() };
    legacy.push(other);
}

fn directory(sides: &mut Inventories) -> &mut contract::DirectoryInventory {
    sides.directory.as_mut().unwrap()
}

fn legacy(sides: &mut Inventories) -> &mut contract::LegacyClient {
    &mut sides.provider.as_mut().unwrap().legacy_clients[0]
}

/// Assigns people of these statuses to the legacy client; administrators or not.
fn assign(sides: &mut Inventories, people: &[(&str, Option<bool>)]) {
    let person = |(status, is_admin): &(&str, _)| AssignedUser { status: (*status).to_owned(), is_admin: *is_admin };
    legacy(sides).assigned = Some(people.iter().map(person).collect());
}

/// What the directory needs of the plain variant.
fn need(sides: &mut Inventories, required: &[&str], optional: &[&str]) {
    let owned = |scopes: &[&str]| scopes.iter().map(|scope| (*scope).to_owned()).collect();
    let need = ScopeNeed { variant: Variant::Plain, required: owned(required), optional: owned(optional) };
    sides.provider.as_mut().unwrap().needs = vec![need];
}

fn ago(hours: i64) -> String {
    (start_of_time() - SignedDuration::from_hours(hours)).to_string()
}

/// Tokens that were granted and refused this many hours ago.
fn tokens(granted: Option<i64>, refused: Option<i64>) -> Tokens {
    Tokens { granted_at: granted.map(ago), refused_at: refused.map(ago) }
}

#[test]
fn both_sides_decide_findings_and_verdict() {
    let hit = Mutex::new(BTreeSet::new());
    let check = |change: &dyn Fn(&mut TenantSpec, &mut Inventories), verdict: Verdict, ids: &[&str]| {
        let (mut spec, mut sides) = base();
        change(&mut spec, &mut sides);
        let assessment = assess(&spec, &sides.reconciled(), start_of_time(), WARN_DAYS);
        let found: Vec<&str> = assessment.findings.iter().map(|finding| finding.id.as_str()).collect();
        assert_eq!((assessment.verdict, found.as_slice()), (verdict, ids));
        assert!(assessment.findings.is_sorted_by_key(|finding| finding.severity));
        hit.lock().unwrap().extend(ids.iter().map(|&id| id.to_owned()));
    };
    use Flow::{AuthorizationCode as Code, ClientCredentials as Credentials};
    use Verdict::{Blocked, Migrated, NotApplicable, Ready, Unknown};

    check(&|_, _| {}, Ready, &["auth-code-flow"]);
    check(&|spec, _| spec.domain = "https://acme.okta.test".into(), Blocked, &["domain-malformed", "auth-code-flow"]);
    let malformed = |spec: &mut TenantSpec, sides: &mut Inventories| {
        spec.domain = "acme".into();
        (sides.provider, sides.directory) = (Err(unreachable()), Err(unreachable()));
    };
    check(&malformed, Blocked, &["domain-malformed"]);

    check(&|_, sides| sides.provider = Err(unreachable()), Unknown, &["provider-unreadable"]);
    check(&|_, sides| sides.directory = Err(unreachable()), Unknown, &["directory-unreadable"]);
    check(&|_, sides| connect(sides, Flow::NotOkta, None), NotApplicable, &["not-okta"]);
    check(&|_, sides| connect(sides, Flow::Unknown, None), Unknown, &["flow-unknown"]);

    let elsewhere =
        |_: &mut TenantSpec, sides: &mut Inventories| sides.directory.as_mut().unwrap().domain = "x.okta.test".into();
    check(&elsewhere, Unknown, &["domain-mismatch", "auth-code-flow"]);
    let renamed =
        |_: &mut TenantSpec, sides: &mut Inventories| sides.provider.as_mut().unwrap().domain = "org.okta.test".into();
    check(&renamed, Ready, &["auth-code-flow"]);

    check(&|_, sides| connect(sides, Code, Some("gone")), Unknown, &["witnesses-disagree", "auth-code-flow"]);
    check(&|_, sides| connect(sides, Credentials, Some("gone")), Unknown, &["witnesses-disagree"]);
    let crossed = |_: &mut TenantSpec, sides: &mut Inventories| {
        service(sides, "svc-1", Variant::Plain);
        connect(sides, Code, Some("svc-1"));
    };
    check(&crossed, Unknown, &["witnesses-disagree", "auth-code-flow"]);
    check(&|_, sides| connect(sides, Credentials, None), Unknown, &["client-hidden"]);
    check(&|_, sides| connect(sides, Credentials, Some("legacy-1")), Blocked, &["legacy-id-reused"]);

    let saml = |flow| {
        move |_: &mut TenantSpec, sides: &mut Inventories| {
            lookalike(sides, "saml");
            connect(sides, flow, Some("saml"));
        }
    };
    check(&saml(Credentials), Blocked, &["lookalike-in-use", "lookalike-present"]);
    check(&saml(Code), Blocked, &["lookalike-in-use", "auth-code-flow", "lookalike-present"]);
    check(&|_, sides| lookalike(sides, "saml"), Ready, &["auth-code-flow", "lookalike-present"]);

    let migrated = |wanted: bool, collected: Option<bool>, variant: Variant| {
        move |spec: &mut TenantSpec, sides: &mut Inventories| {
            spec.app_data = wanted;
            service(sides, "svc-1", variant);
            connect(sides, Credentials, Some("svc-1"));
            sides.directory.as_mut().unwrap().app_data = collected;
            sides.provider.as_mut().unwrap().legacy_clients[0].status = "INACTIVE".into();
        }
    };
    let (plain, apps) = (Variant::Plain, Variant::ApplicationEnabled);
    check(&migrated(false, Some(false), plain), Migrated, &["already-migrated"]);
    check(&migrated(true, Some(true), apps), Migrated, &["already-migrated"]);
    check(&migrated(true, None, plain), Blocked, &["app-data-without-apps-scope"]);
    check(&migrated(false, Some(true), plain), Blocked, &["app-data-without-apps-scope"]);
    check(&migrated(false, Some(false), apps), Migrated, &["apps-scope-without-app-data", "already-migrated"]);
    check(&migrated(false, None, apps), Migrated, &["apps-scope-without-app-data", "already-migrated"]);
    // What the directory shows takes precedence over the configuration.
    check(&migrated(true, Some(false), apps), Migrated, &["apps-scope-without-app-data", "already-migrated"]);
    check(&migrated(false, Some(true), apps), Migrated, &["already-migrated"]);
    check(&migrated(true, None, apps), Migrated, &["already-migrated"]);
    check(&migrated(false, None, plain), Migrated, &["already-migrated"]);
    // With the wrong variant the tenant is not migrated, whichever side wants the other variant.
    check(&migrated(true, Some(false), plain), Blocked, &["app-data-without-apps-scope"]);
    check(&migrated(true, Some(true), plain), Blocked, &["app-data-without-apps-scope"]);

    let left = |status: &'static str| {
        move |spec: &mut TenantSpec, sides: &mut Inventories| {
            migrated(false, Some(false), plain)(spec, sides);
            second_legacy(sides);
            sides.provider.as_mut().unwrap().legacy_clients[1].status = status.into();
        }
    };
    check(&left("ACTIVE"), Migrated, &["legacy-client-left", "already-migrated"]);
    check(&left("INACTIVE"), Migrated, &["already-migrated"]);
    let begun = |spec: &mut TenantSpec, sides: &mut Inventories| {
        migrated(false, Some(false), plain)(spec, sides);
        spec.begun = true;
    };
    check(&begun, Migrated, &["already-migrated"]);

    let unseen = |_: &mut TenantSpec, sides: &mut Inventories| sides.directory.as_mut().unwrap().app_data = None;
    check(&unseen, Ready, &["app-data-unseen", "auth-code-flow"]);
    let unseen_and_wanted = |spec: &mut TenantSpec, sides: &mut Inventories| {
        unseen(spec, sides);
        spec.app_data = true;
        let variants = &mut sides.provider.as_mut().unwrap().variants;
        variants[0].variant = apps;
    };
    check(&unseen_and_wanted, Ready, &["app-data-unseen", "auth-code-flow"]);

    let differs = |_: &mut TenantSpec, sides: &mut Inventories| sides.directory.as_mut().unwrap().app_data = Some(true);
    check(&differs, Blocked, &["app-data-differs", "auth-code-flow"]);
    let none = |_: &mut TenantSpec, sides: &mut Inventories| {
        sides.provider.as_mut().unwrap().legacy_clients.clear();
        connect(sides, Code, None);
    };
    check(&none, Blocked, &["no-legacy-client", "auth-code-flow"]);
    let several = |_: &mut TenantSpec, sides: &mut Inventories| {
        second_legacy(sides);
        connect(sides, Code, None);
    };
    check(&several, Blocked, &["legacy-client-ambiguous", "auth-code-flow"]);
    check(&|_, sides| second_legacy(sides), Ready, &["several-legacy-clients", "auth-code-flow"]);
    let inactive = |_: &mut TenantSpec, sides: &mut Inventories| {
        sides.provider.as_mut().unwrap().legacy_clients[0].status = "INACTIVE".into();
    };
    check(&inactive, Blocked, &["legacy-client-inactive", "auth-code-flow"]);
    let untyped = |_: &mut TenantSpec, sides: &mut Inventories| sides.provider.as_mut().unwrap().variants.clear();
    check(&untyped, Blocked, &["variant-type-unknown", "auth-code-flow"]);
    let unhealthy =
        |_: &mut TenantSpec, sides: &mut Inventories| sides.directory.as_mut().unwrap().healthy = Some(false);
    check(&unhealthy, Ready, &["auth-code-flow", "sync-unhealthy"]);
    check(&|_, sides| service(sides, "svc-1", plain), Ready, &["auth-code-flow", "unused-service-client"]);
    check(&|spec, _| spec.begun = true, Blocked, &["migration-begun", "auth-code-flow"]);
    let begun_and_provisioned = |spec: &mut TenantSpec, sides: &mut Inventories| {
        spec.begun = true;
        service(sides, "svc-1", plain);
    };
    check(&begun_and_provisioned, Blocked, &["migration-begun", "auth-code-flow"]);
    let alias = |_: &mut TenantSpec, sides: &mut Inventories| {
        sides.provider.as_mut().unwrap().aliases = vec!["login.acme.test".into()];
        sides.directory.as_mut().unwrap().domain = "Login.acme.test".into();
    };
    check(&alias, Ready, &["auth-code-flow"]);
    let lost = ["legacy-admin-lost", "auth-code-flow"];
    check(&|_, sides| assign(sides, &[("ACTIVE", Some(true))]), Ready, &["auth-code-flow"]);
    check(&|_, sides| assign(sides, &[("ACTIVE", None)]), Ready, &["auth-code-flow"]);
    check(&|_, sides| assign(sides, &[]), Ready, &lost);
    check(&|_, sides| assign(sides, &[("SUSPENDED", None)]), Ready, &lost);
    check(&|_, sides| assign(sides, &[("ACTIVE", Some(true)), ("ACTIVE", Some(false))]), Ready, &lost);
    let inactive_and_lost = |_: &mut TenantSpec, sides: &mut Inventories| {
        legacy(sides).status = "INACTIVE".into();
        assign(sides, &[]);
    };
    check(&inactive_and_lost, Blocked, &["legacy-client-inactive", "auth-code-flow"]);
    let settings = ["refresh-token-settings", "auth-code-flow"];
    check(&|_, sides| legacy(sides).refresh_token_rotation = Some("STATIC".into()), Ready, &["auth-code-flow"]);
    check(&|_, sides| legacy(sides).refresh_token_rotation = Some("ROTATE".into()), Ready, &settings);
    check(&|_, sides| legacy(sides).grant_types.truncate(1), Ready, &settings);
    check(&|_, sides| need(sides, &["okta.groups.read"], &["okta.users.read"]), Ready, &["auth-code-flow"]);
    check(
        &|_, sides| need(sides, &["okta.logs.read"], &[]),
        Ready,
        &["scopes-missing", "scopes-unneeded", "auth-code-flow"],
    );
    check(&|_, sides| need(sides, &["okta.users.read"], &[]), Ready, &["scopes-unneeded", "auth-code-flow"]);
    let migrated_without_scope = |spec: &mut TenantSpec, sides: &mut Inventories| {
        migrated(false, Some(false), plain)(spec, sides);
        need(sides, &["okta.groups.read"], &[]);
    };
    check(&migrated_without_scope, Migrated, &["scopes-missing", "already-migrated"]);
    let second_uri = |sides: &mut Inventories, client: usize| {
        let uris = &mut sides.provider.as_mut().unwrap().legacy_clients[client].redirect_uris;
        uris.push("https://directory-sync.eu.apps.paloaltonetworks.com/authorize".into());
    };
    check(&|_, sides| second_uri(sides, 0), Ready, &["legacy-client-shared", "auth-code-flow"]);
    let other_is_shared = |_: &mut TenantSpec, sides: &mut Inventories| {
        second_legacy(sides);
        second_uri(sides, 1);
    };
    check(&other_is_shared, Ready, &["several-legacy-clients", "auth-code-flow"]);
    let shared_before = |spec: &mut TenantSpec, sides: &mut Inventories| {
        migrated(false, Some(false), plain)(spec, sides);
        second_uri(sides, 0);
    };
    check(&shared_before, Migrated, &["already-migrated"]);
    let attended = |_: &mut TenantSpec, sides: &mut Inventories| sides.directory.as_mut().unwrap().can_restore = false;
    check(&attended, Ready, &["auth-code-flow", "way-back-attended"]);
    check(&|_, sides| sign_in(sides, 80), Ready, &["auth-code-flow", "deadline-near"]);
    check(&|_, sides| sign_in(sides, 91), Blocked, &["deadline-passed", "auth-code-flow"]);
    let accepted = |spec: &mut TenantSpec, sides: &mut Inventories| {
        spec.accepted.push("deadline-passed".to_owned());
        sign_in(sides, 91);
    };
    check(&accepted, Ready, &["auth-code-flow", "deadline-passed"]);

    let named =
        |name: &'static str| move |_: &mut TenantSpec, sides: &mut Inventories| directory(sides).name = name.into();
    check(&named("fifteen-letters"), Ready, &["auth-code-flow"]);
    check(&named("acme.oktapreview.com"), Ready, &["auth-code-flow", "directory-name-long"]);
    let synced = |hours: i64, healthy| {
        move |_: &mut TenantSpec, sides: &mut Inventories| {
            directory(sides).last_success = Some(ago(hours));
            directory(sides).healthy = healthy;
        }
    };
    check(&synced(23, Some(true)), Ready, &["auth-code-flow"]);
    check(&synced(25, Some(true)), Ready, &["auth-code-flow", "sync-stale"]);
    check(&synced(25, None), Ready, &["auth-code-flow", "sync-stale"]);
    check(&synced(25, Some(false)), Ready, &["auth-code-flow", "sync-unhealthy"]);
    let refused = |granted: Option<i64>, refused: Option<i64>| {
        move |_: &mut TenantSpec, sides: &mut Inventories| legacy(sides).tokens = tokens(granted, refused)
    };
    check(&refused(Some(1), Some(2)), Ready, &["auth-code-flow"]);
    check(&refused(Some(2), Some(1)), Blocked, &["legacy-token-refused", "auth-code-flow"]);
    check(&refused(None, Some(1)), Blocked, &["legacy-token-refused", "auth-code-flow"]);

    // A directory that does not show its connection.
    let hidden = |change: fn(&mut Inventories)| {
        move |_: &mut TenantSpec, sides: &mut Inventories| {
            directory(sides).known_from = KnownFrom::Unknown;
            connect(sides, Flow::Unknown, None);
            change(sides);
        }
    };
    let from_provider = ["auth-code-flow", "flow-from-provider"];
    check(&hidden(|_| {}), Ready, &from_provider);
    check(&hidden(|sides| legacy(sides).status = "INACTIVE".into()), Unknown, &["flow-unknown"]);
    check(&hidden(second_legacy), Unknown, &["flow-unknown"]);
    check(
        &hidden(|sides| service(sides, "svc-1", Variant::Plain)),
        Unknown,
        &["flow-unknown", "unused-service-client"],
    );
    fn of_two(sides: &mut Inventories) {
        second_legacy(sides);
        legacy(sides).tokens = tokens(Some(1), None);
    }
    check(&hidden(of_two), Ready, &["several-legacy-clients", "auth-code-flow", "flow-from-provider"]);
    fn moved(sides: &mut Inventories) {
        legacy(sides).tokens = tokens(Some(30), None);
        service(sides, "svc-1", Variant::Plain);
        sides.provider.as_mut().unwrap().service_clients[0].tokens = tokens(Some(1), None);
        directory(sides).last_success = Some(ago(1));
    }
    check(&hidden(moved), Migrated, &["legacy-client-left", "flow-from-provider", "already-migrated"]);
    // The directory has stopped, so another directory uses the service client that gets tokens.
    fn stopped(sides: &mut Inventories) {
        moved(sides);
        directory(sides).last_success = Some(ago(20));
    }
    check(&hidden(stopped), Unknown, &["flow-unknown", "unused-service-client"]);
    // Both clients get tokens, so flowswap cannot tell.
    fn moving(sides: &mut Inventories) {
        moved(sides);
        legacy(sides).tokens = tokens(Some(2), None);
    }
    check(&hidden(moving), Unknown, &["flow-unknown", "unused-service-client"]);

    let recorded = |change: fn(&mut Inventories)| {
        move |_: &mut TenantSpec, sides: &mut Inventories| {
            directory(sides).known_from = KnownFrom::Record;
            directory(sides).client_id = None;
            change(sides);
        }
    };
    check(&recorded(|_| {}), Ready, &["auth-code-flow", "flow-from-record"]);
    check(&recorded(moving), Ready, &["auth-code-flow", "unused-service-client", "flow-from-record"]);
    let contradicted = ["record-contradicted", "auth-code-flow", "unused-service-client", "flow-from-record"];
    check(&recorded(moved), Unknown, &contradicted);

    // A time that cannot be read is a finding and never treated as absent.
    let unreadable = |change: fn(&mut Inventories)| move |_: &mut TenantSpec, sides: &mut Inventories| change(sides);
    let found = ["auth-code-flow", "time-unreadable"];
    let yesterday = || Some("yesterday".to_owned());
    check(&unreadable(|sides| directory(sides).last_success = Some("yesterday".into())), Ready, &found);
    check(&unreadable(|sides| directory(sides).last_success = Some("2026-01-01T00:00:00".into())), Ready, &found);
    check(&unreadable(|sides| directory(sides).last_sign_in = Some(String::new())), Ready, &found);
    check(&unreadable(|sides| legacy(sides).last_sign_in = Some("1767225600".into())), Ready, &found);
    check(&unreadable(|sides| legacy(sides).tokens.granted_at = Some("soon".into())), Ready, &found);
    check(&unreadable(|sides| legacy(sides).tokens.refused_at = Some("soon".into())), Ready, &found);
    let of_service = |_: &mut TenantSpec, sides: &mut Inventories| {
        service(sides, "svc-1", Variant::Plain);
        sides.provider.as_mut().unwrap().service_clients[0].tokens.granted_at = yesterday();
    };
    check(&of_service, Ready, &["auth-code-flow", "time-unreadable", "unused-service-client"]);
    // Then flowswap cannot tell which client got the newest token.
    fn garbled(sides: &mut Inventories) {
        moved(sides);
        sides.provider.as_mut().unwrap().service_clients[0].tokens.granted_at = Some("yesterday".into());
        legacy(sides).tokens = tokens(Some(9), None);
    }
    check(&hidden(garbled), Unknown, &["flow-unknown", "time-unreadable", "unused-service-client"]);

    // These match only when a plan is made.
    hit.lock().unwrap().extend(["not-plannable", "org-shared"].map(str::to_owned));
    let all: BTreeSet<String> = RULES.iter().map(|rule| rule.id.to_owned()).collect();
    assert_eq!(hit.into_inner().unwrap(), all, "every rule has a case");
}

#[test]
fn every_rule_has_an_explanation_and_a_fix() {
    let mut ids = BTreeSet::new();
    for rule in RULES.iter().chain(EVIDENCE_RULES) {
        assert!(ids.insert(rule.id), "`{}` exists twice", rule.id);
        let is_word = |part: &str| !part.is_empty() && part.chars().all(|c| c.is_ascii_lowercase());
        assert!(rule.id.split('-').all(is_word), "`{}`", rule.id);
        assert!(rule.about.ends_with('.') && !rule.fix.is_empty() && !rule.fix.ends_with('.'), "`{}`", rule.id);
    }
}

/// Whole days, rounded down: a connection that died a second ago is dead.
#[test]
fn days_left_are_counted_to_the_nanosecond() {
    let day = SignedDuration::from_hours(24);
    let moment = SignedDuration::from_nanos(1);
    let second = SignedDuration::from_secs(1);
    for (age, days_left, finding) in [
        (SignedDuration::ZERO, 90, None),
        (moment, 89, None),
        (-second, 90, None),
        (day * 75, 15, None),
        (day * 75 + moment, 14, Some("the connection stops working in 14 days")),
        (day * 89, 1, Some("the connection stops working in 1 days")),
        (day * 90 - second, 0, Some("the connection stops working in 0 days")),
        (day * 90, 0, Some("the connection stops working in 0 days")),
        (day * 90 + moment, -1, Some("the last sign-in is more than 90 days ago")),
        (day * 90 + second * 1800, -1, Some("the last sign-in is more than 90 days ago")),
        (day * 91 + second, -2, Some("the last sign-in is more than 91 days ago")),
    ] {
        let (spec, mut sides) = base();
        sides.directory.as_mut().unwrap().last_sign_in = Some((start_of_time() - age).to_string());
        let assessment = assess(&spec, &sides, start_of_time(), WARN_DAYS);
        assert_eq!(assessment.days_left, Some(days_left), "{age:?}");
        let message = assessment.findings.iter().find(|finding| finding.id.starts_with("deadline"));
        assert_eq!(message.map(|finding| finding.message.as_str()), finding, "{age:?}");
    }
}

#[test]
fn the_warning_comes_as_early_as_it_is_asked_for() {
    let (spec, mut sides) = base();
    sign_in(&mut sides, 70);
    for (warn_days, expect) in [(WARN_DAYS, false), (19, false), (20, true), (400, true)] {
        let findings = assess(&spec, &sides, start_of_time(), warn_days).findings;
        assert_eq!(findings.iter().any(|finding| finding.id == "deadline-near"), expect, "{warn_days}");
    }
}

/// What a person accepts no longer blocks, but a reviewer still sees it. Everything else blocks as before.
#[test]
fn an_accepted_finding_stays_as_a_warning() {
    let (mut spec, mut sides) = base();
    sign_in(&mut sides, 91);
    spec.accepted = ["deadline-passed", "legacy-client-inactive"].map(str::to_owned).to_vec();
    let assessment = assess(&spec, &sides, start_of_time(), WARN_DAYS);
    let finding = assessment.findings.iter().find(|finding| finding.id == "deadline-passed").unwrap();
    assert_eq!((assessment.verdict, finding.severity), (Verdict::Ready, Severity::Warning));
    assert_eq!(finding.message, "the last sign-in is more than 90 days ago; the configuration accepts this");
    legacy(&mut sides).tokens = tokens(Some(2), Some(1));
    assert_eq!(assess(&spec, &sides, start_of_time(), WARN_DAYS).verdict, Verdict::Blocked);
    legacy(&mut sides).tokens = tokens(None, None);
    legacy(&mut sides).status = "INACTIVE".to_owned();
    assert_eq!(assess(&spec, &sides, start_of_time(), WARN_DAYS).verdict, Verdict::Blocked, "nobody can accept that");
    for id in ACCEPTABLE {
        let rule = RULES.iter().find(|rule| rule.id == id).unwrap();
        assert_eq!((rule.severity, rule.verdict), (Severity::Error, Verdict::Blocked));
        assert!(rule.fix.contains(&format!("accept = [\"{id}\"]")), "{id}");
    }
}

#[test]
fn an_unreadable_sign_in_time_gives_no_days_left() {
    let (spec, mut sides) = base();
    sides.directory.as_mut().unwrap().last_sign_in = Some("yesterday".to_owned());
    assert_eq!(assess(&spec, &sides, start_of_time(), WARN_DAYS).days_left, None);
}

/// All combinations of what the two sides can show. A `ready` tenant uses the authorization-code flow with an existing, active
/// legacy client, and no run has started on it. A `migrated` tenant uses a service client of the org.
#[test]
fn ready_and_migrated_are_certain() {
    let mut counts = [0; 3];
    for flow in [Flow::AuthorizationCode, Flow::ClientCredentials, Flow::NotOkta, Flow::Unknown] {
        for client in [None, Some("legacy-1"), Some("svc-1"), Some("saml"), Some("gone")] {
            for bits in 0..64_u32 {
                let (mut spec, mut sides) = base();
                connect(&mut sides, flow, client);
                let is = |bit: u32| bits & (1 << bit) != 0;
                if is(0) {
                    service(&mut sides, "svc-1", Variant::Plain);
                }
                if is(1) {
                    lookalike(&mut sides, "saml");
                }
                if is(2) {
                    sides.provider.as_mut().unwrap().legacy_clients.clear();
                }
                if is(3) {
                    sides.provider = Err(unreachable());
                }
                if is(4) {
                    second_legacy_if_readable(&mut sides);
                }
                spec.begun = is(5);
                let assessment = assess(&spec, &sides, start_of_time(), WARN_DAYS);
                assert!(!assessment.findings.is_empty(), "a verdict has a reason");
                let readable = sides.provider.is_ok();
                match assessment.verdict {
                    Verdict::Ready => {
                        assert!(readable && flow == Flow::AuthorizationCode && assessment.legacy_client.is_some());
                        assert!(!spec.begun, "a started step is not planned again");
                        counts[0] += 1;
                    }
                    Verdict::Migrated => {
                        assert!(readable && flow == Flow::ClientCredentials && client == Some("svc-1") && is(0));
                        counts[1] += 1;
                    }
                    _ => counts[2] += 1,
                }
            }
        }
    }
    assert!(counts.iter().all(|count| *count > 5), "{counts:?}");
}

fn second_legacy_if_readable(sides: &mut Inventories) {
    if sides.provider.as_ref().is_ok_and(|provider| !provider.legacy_clients.is_empty()) {
        second_legacy(sides);
    }
}
