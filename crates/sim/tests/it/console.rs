//! The console: its pages as a browser gets them, and the result of each action of a person.

use std::time::Duration;

use flowswap_sim::{CONSOLE_HOST, DirectoryView, Mutation, Scenario, Sim, SimConfig, SimTenant, Variant};
use serde_json::json;

use crate::cie::call;
use crate::support::{Answer, ask, find};

const MINUTE: Duration = Duration::from_secs(60);
const FLOW: (&str, &str) = ("flow", "client-credential");
const APPS: (&str, &str) = ("collect_applications", "on");

fn timed_world() -> Sim {
    Sim::in_process(SimConfig::default().scheduled_sync(5 * MINUTE).neighbors(true).record(true))
}

async fn get(sim: &Sim, path: &str) -> String {
    let page = ask(&format!("GET https://{CONSOLE_HOST}{path}")).send(sim).await;
    assert_eq!((page.status, page.header("content-type")), (200, "text/html; charset=utf-8"), "{path}");
    String::from_utf8(page.body.to_vec()).unwrap()
}

async fn post(sim: &Sim, path: &str, fields: &[(&str, &str)]) -> Answer {
    let pairs: Vec<_> = fields.iter().map(|(name, value)| format!("{name}={value}")).collect();
    ask(&format!("POST https://{CONSOLE_HOST}{path}")).form(&pairs.join("&")).send(sim).await
}

/// One Reconnect form that a person works on.
struct Form<'a> {
    sim: &'a Sim,
    path: String,
}

impl<'a> Form<'a> {
    /// Actions > Reconnect.
    async fn open(sim: &'a Sim, tenant: &SimTenant, directory: &str) -> Self {
        let path = format!("/tenants/{}/directories/{directory}/reconnect", tenant.account.tsg_id);
        let opened = post(sim, &format!("{path}/open"), &[]).await;
        assert_eq!((opened.status, opened.header("location")), (303, path.as_str()));
        Self { sim, path }
    }

    /// Presses a button with these fields, and returns the resulting page.
    async fn press(&self, action: &str, fields: &[(&str, &str)]) -> String {
        let answer = post(self.sim, &self.path, &[fields, &[("action", action)]].concat()).await;
        assert_eq!(answer.status, 303);
        let path = answer.header("location");
        let page = get(self.sim, path).await;
        let testing = page.contains("class=\"\">Testing</output>");
        assert_eq!(testing, action == "test");
        if testing { get(self.sim, &self.path).await } else { page }
    }
}

fn view(sim: &Sim, tenant: &SimTenant) -> DirectoryView {
    sim.world().directories.into_iter().find(|view| view.domain == tenant.domain).unwrap()
}

/// A ready tenant with application data, or without.
fn ready(sim: &Sim, app_data: bool) -> SimTenant {
    let mut all = sim.tenants().into_iter();
    all.find(|tenant| tenant.scenario == Scenario::Ready && tenant.app_data == app_data).unwrap()
}

/// Makes a service client of one of the integrations. Returns its id and secret.
async fn make_client(sim: &Sim, tenant: &SimTenant, variant: Variant) -> (String, String) {
    let org = tenant.domain.clone();
    let id = sim.mutate(Mutation::AddServiceClient { org, variant }).unwrap().unwrap();
    let url = format!("POST https://{}/integrations/api/v1/api-services/{id}/credentials/secrets", tenant.domain);
    let added = ask(&url).ssws(tenant).send(sim).await;
    (id, added.json["client_secret"].as_str().unwrap().to_owned())
}

/// The id and the secret of the tenant's legacy client.
async fn legacy_client(sim: &Sim, tenant: &SimTenant) -> (String, String) {
    let world = sim.world();
    let legacy = &world.orgs.iter().find(|org| org.domain == tenant.domain).unwrap().legacy[0];
    let url = format!("GET https://{}/api/v1/apps/{}/credentials/secrets", tenant.domain, legacy.id);
    let secrets = ask(&url).ssws(tenant).send(sim).await;
    (legacy.client_id.clone(), secrets.json[0]["client_secret"].as_str().unwrap().to_owned())
}

#[tokio::test(start_paused = true)]
async fn a_person_finds_the_directories_and_their_actions() {
    let sim = timed_world();
    let tenant = ready(&sim, false);
    assert!(
        get(&sim, "/").await.contains(&format!("<a href=\"/tenants/{0}/directories\">{0}</a>", tenant.account.tsg_id))
    );
    let list = get(&sim, &format!("/tenants/{}/directories", tenant.account.tsg_id)).await;
    assert_eq!(
        list,
        get(&sim, &format!("/tenants/{}/directories", tenant.name)).await,
        "the name of the tenant works too"
    );
    let shown = view(&sim, &tenant).sync;
    let headings = ["Directory Name", "Type", "Domain", "Sync Status", "Last Updated", "Users", "Groups", "Actions"];
    for text in headings.map(|heading| format!("<th scope=\"col\">{heading}</th>")).into_iter().chain([
        format!("<td>{}</td><td>Okta</td><td>{}</td><td>Success</td>", tenant.name, tenant.domain),
        format!("<td class=\"number\">{}</td><td class=\"number\">{}</td>", shown.users, shown.groups),
    ]) {
        assert!(list.contains(&text), "{text} in {list}");
    }
    assert_eq!(
        list.matches("<button>Reconnect</button>").count(),
        2,
        "the page also lists the second directory of the group"
    );

    let path = format!("/tenants/{}/directories/{}", tenant.account.tsg_id, tenant.directory_id);
    let before = view(&sim, &tenant).sync.good;
    post(&sim, &format!("{path}/full-sync"), &[]).await;
    let second = post(&sim, &format!("{path}/full-sync"), &[]).await;
    assert!(second.header("location").contains("90+seconds"), "{}", second.header("location"));
    assert_eq!(view(&sim, &tenant).sync.good, before + 1);
    post(&sim, &format!("{path}/sync-changes"), &[]).await;
    sim.clock().advance(Duration::from_secs(90));
    post(&sim, &format!("{path}/full-sync"), &[]).await;
    assert_eq!(view(&sim, &tenant).sync.good, before + 3);
    assert!(get(&sim, &format!("{path}/remove")).await.contains("<button>Yes</button>"));
    let removed = post(&sim, &format!("{path}/remove"), &[]).await;
    assert!(get(&sim, removed.header("location")).await.contains("the simulator does not remove directories"));
    assert_eq!(view(&sim, &tenant).name, tenant.name);

    for path in ["/tenants/1/directories", "/tenants/acme", &path, &format!("{path}/edit")] {
        assert_eq!(ask(&format!("GET https://{CONSOLE_HOST}{path}")).send(&sim).await.status, 404, "{path}");
    }
    let foreign = format!("/tenants/{}/directories/{}/reconnect", sim.tenants()[1].account.tsg_id, tenant.directory_id);
    assert_eq!(ask(&format!("GET https://{CONSOLE_HOST}{foreign}")).send(&sim).await.status, 404);
}

#[tokio::test(start_paused = true)]
async fn a_correct_reconnect_changes_the_flow_and_the_next_sync_shows_it() {
    let sim = timed_world();
    let tenant = ready(&sim, true);
    let (id, secret) = make_client(&sim, &tenant, Variant::ApplicationEnabled).await;
    let form = Form::open(&sim, &tenant, &tenant.directory_id).await;
    let page = get(&sim, &form.path).await;
    for id in ["flow-auth-code", "flow-client-credential", "collect-applications", "auth-logs", "domain", "client-id"]
        .into_iter()
        .chain(["client-secret", "directory-name"])
    {
        assert!(page.contains(&format!("<label for=\"{id}\">")) && page.contains(&format!(" id=\"{id}\"")), "{id}");
    }
    assert!(page.contains("value=\"submit\" disabled>Submit</button>"));
    assert!(page.contains("id=\"flow-auth-code\" name=\"flow\" value=\"auth-code\" checked"));
    assert!(!page.contains("type=\"checkbox\" id=\"auth-logs\" name=\"auth_logs\" checked"));

    let before = view(&sim, &tenant);
    let fields = [FLOW, APPS, ("client_id", &*id), ("client_secret", &*secret), ("name", &*tenant.name)];
    let tested = form.press("test", &fields).await;
    assert!(tested.contains("class=\"good\">Success</output>"), "{tested}");
    assert!(tested.contains("value=\"submit\">Submit</button>"));
    assert!(!tested.contains(&secret), "a secret is never sent back");
    // The server has the secret, so the field is empty when the form is submitted.
    let fields = [FLOW, APPS, ("client_id", &*id), ("client_secret", ""), ("name", &*tenant.name)];
    let done = form.press("submit", &fields).await;
    assert!(done.contains("the configuration was submitted"), "{done}");
    let after = view(&sim, &tenant);
    assert_eq!((after.flow.as_str(), &after.client_id, after.app_data), ("client_credentials", &id, true));
    assert_eq!((after.submits, &after.name, &after.sync), (before.submits + 1, &before.name, &before.sync));
    sim.clock().advance(5 * MINUTE);
    let synced = view(&sim, &tenant).sync;
    assert!(synced.last_success > before.sync.last_success && synced.failed == 0);
    let counts = |sync: &flowswap_sim::SyncView| (sync.users, sync.groups, sync.applications);
    assert_eq!(counts(&synced), counts(&before.sync));
    let page = get(&sim, &form.path).await;
    assert!(page.contains("value=\"submit\" disabled>"), "a second Reconnect starts with a new form");
    assert!(sim.find_defect(&tenant.directory_id).is_none());
}

#[tokio::test(start_paused = true)]
async fn a_rollback_needs_a_person_to_sign_in() {
    let sim = timed_world();
    let tenant = ready(&sim, false);
    let (id, secret) = legacy_client(&sim, &tenant).await;
    let form = Form::open(&sim, &tenant, &tenant.directory_id).await;
    let flow = ("flow", "auth-code");
    let fields = [flow, ("client_id", &*id), ("client_secret", &*secret), ("name", &*tenant.name)];
    assert!(form.press("test", &fields).await.contains("Failed: Sign in with Okta first."));
    let wrong = [flow, ("client_id", &*id), ("client_secret", "wrong"), ("name", &*tenant.name)];
    let page = form.press("sign-in", &wrong).await;
    assert!(page.contains("role=\"alert\">invalid_client") && page.contains(">Sign in with Okta</button>"), "{page}");
    assert!(form.press("sign-in", &[FLOW]).await.contains("Only the Auth Code Flow"));
    sim.clock().advance(MINUTE);
    let signed_in = form.press("sign-in", &fields).await;
    assert!(signed_in.contains(">Logged In</button>"));
    let filter = "filter=eventType+eq+%22app.oauth2.token.grant.refresh_token%22";
    let url = format!("GET https://{}/api/v1/logs?{filter}", tenant.domain);
    let events = ask(&url).ssws(&tenant).send(&sim).await;
    assert_eq!((events.json.as_array().unwrap().len(), &events.json[0]["actor"]["id"]), (1, &json!(id)));
    assert!(form.press("test", &fields).await.contains(">Success</output>"));
    form.press("submit", &fields).await;
    let signed = &sim.snapshot()["directories"][&tenant.directory_id]["connection"]["last_sign_in"];
    let published: jiff::Timestamp = events.json[0]["published"].as_str().unwrap().parse().unwrap();
    assert_eq!(signed.as_str().unwrap().parse::<jiff::Timestamp>().unwrap().as_second(), published.as_second());
    let org = tenant.domain.clone();
    sim.mutate(Mutation::SetSyncAdminActive { org, active: false }).unwrap();
    let form = Form::open(&sim, &tenant, &tenant.directory_id).await;
    assert!(form.press("sign-in", &fields).await.contains("the administrator is deactivated"));
}

#[tokio::test(start_paused = true)]
async fn restore_takes_the_secret_that_is_in_use() {
    let sim = timed_world();
    let tenant = find(&sim, Scenario::Migrated);
    let form = Form::open(&sim, &tenant, &tenant.directory_id).await;
    let id = view(&sim, &tenant).client_id;
    let fields = [FLOW, ("client_id", &*id), ("name", &*tenant.name)];
    assert!(form.press("test", &fields).await.contains("Failed: Client ID and Client Secret are required."));
    assert!(form.press("restore", &fields).await.contains("A secret is entered"));
    assert!(form.press("test", &fields).await.contains(">Success</output>"));
    // A box that is ticked after the test counts too.
    let fields = [FLOW, ("auth_logs", "on"), ("client_id", &*id), ("name", &*tenant.name)];
    form.press("submit", &fields).await;
    let after = view(&sim, &tenant);
    assert_eq!((after.auth_logs, after.app_data, after.submits), (true, false, 1));
    assert!(sim.find_defect(&tenant.directory_id).is_none());
}

#[tokio::test(start_paused = true)]
async fn a_test_says_why_it_failed() {
    let sim = timed_world();
    let tenant = ready(&sim, false);
    let (id, secret) = make_client(&sim, &tenant, Variant::Plain).await;
    let (old, old_secret) = legacy_client(&sim, &tenant).await;
    let form = Form::open(&sim, &tenant, &tenant.directory_id).await;
    for (id, secret, reason) in [
        (&*id, "wrong", "the token request was refused: 401 invalid_client"),
        ("0oaNobody", "x", "401 invalid_client"),
        ("1oaOther", "x", "the Client ID must begin with 0"),
        (&*old, &*old_secret, "400 unauthorized_client"),
    ] {
        let page = form.press("test", &[FLOW, ("client_id", id), ("client_secret", secret)]).await;
        assert!(page.contains("class=\"bad\">Failed: ") && page.contains(reason), "{reason} in {page}");
        assert!(page.contains("value=\"submit\" disabled>"));
    }
    // A client that makes its own requests can press a disabled button.
    let page = form.press("submit", &[FLOW, ("client_id", &id), ("client_secret", &secret)]).await;
    assert!(page.contains("role=\"alert\">Test the connection before you submit it."), "{page}");
    assert_eq!(view(&sim, &tenant).submits, 0);
}

/// The wrong fields that a person sends with Test Connection and with Submit.
struct Mistake {
    what: &'static str,
    variant: Variant,
    test: fn(&mut Vec<(&'static str, String)>),
    submit: fn(&mut Vec<(&'static str, String)>),
}

fn set(fields: &mut Vec<(&'static str, String)>, name: &'static str, value: &str) {
    fields.retain(|(known, _)| *known != name);
    if !value.is_empty() {
        fields.push((name, value.to_owned()));
    }
}

#[tokio::test(start_paused = true)]
async fn every_mistake_is_possible_and_has_the_documented_consequence() {
    let mistakes = [
        Mistake { what: "the plain integration", variant: Variant::Plain, test: |_| {}, submit: |_| {} },
        Mistake {
            what: "the box not ticked",
            variant: Variant::ApplicationEnabled,
            test: |fields| set(fields, "collect_applications", ""),
            submit: |fields| set(fields, "collect_applications", ""),
        },
        Mistake {
            what: "another name",
            variant: Variant::ApplicationEnabled,
            test: |_| {},
            submit: |fields| set(fields, "name", "renamed"),
        },
        Mistake {
            what: "the old client after the test",
            variant: Variant::ApplicationEnabled,
            test: |_| {},
            submit: |fields| {
                set(fields, "client_id", "OLD");
                set(fields, "client_secret", "OLD");
            },
        },
        Mistake {
            what: "a box ticked that the test did not know of",
            variant: Variant::Plain,
            test: |fields| set(fields, "collect_applications", ""),
            submit: |_| {},
        },
    ];
    for mistake in mistakes {
        let sim = timed_world();
        let tenant = ready(&sim, true);
        let before = view(&sim, &tenant);
        let (id, secret) = make_client(&sim, &tenant, mistake.variant).await;
        let old = legacy_client(&sim, &tenant).await;
        let form = Form::open(&sim, &tenant, &tenant.directory_id).await;
        let right = [FLOW, APPS, ("client_id", &*id), ("client_secret", &*secret), ("name", &*tenant.name)];
        for (action, change) in [("test", mistake.test), ("submit", mistake.submit)] {
            let mut fields: Vec<_> = right.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
            change(&mut fields);
            for (name, value) in &mut fields {
                if value == "OLD" {
                    (if *name == "client_id" { &old.0 } else { &old.1 }).clone_into(value);
                }
            }
            let fields: Vec<_> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
            let page = form.press(action, &fields).await;
            let expected = if action == "test" { ">Success</output>" } else { "the configuration was submitted" };
            assert!(page.contains(expected), "{}: {action}: {page}", mistake.what);
        }
        sim.clock().advance(5 * MINUTE);
        let after = view(&sim, &tenant);
        let list = call(&sim, &tenant, "GET domains", None).await;
        let domain = list.json["result"][0]["domain"].as_str().unwrap().to_owned();
        let works = after.sync.failed == before.sync.failed && after.sync.last_success > before.sync.last_success;
        let outcome = (works, after.sync.applications > 0, domain == tenant.name);
        let expected = match mistake.what {
            "another name" => (true, true, false),
            "the old client after the test" => (false, true, true),
            _ => (true, false, true),
        };
        assert_eq!(outcome, expected, "{}", mistake.what);
        // The console shows no error.
        let list = get(&sim, &format!("/tenants/{}/directories", tenant.account.tsg_id)).await;
        assert_eq!((list.matches("<td>Success</td>").count(), list.contains("Fail")), (2, false), "{}", mistake.what);
        assert_eq!(after.sync.users, before.sync.users);
    }
}

#[tokio::test(start_paused = true)]
async fn a_test_without_a_submit_leaves_only_a_token_grant() {
    let sim = timed_world();
    let tenant = ready(&sim, false);
    let (id, secret) = make_client(&sim, &tenant, Variant::Plain).await;
    let before = view(&sim, &tenant);
    let form = Form::open(&sim, &tenant, &tenant.directory_id).await;
    form.press("test", &[FLOW, ("client_id", &id), ("client_secret", &secret), ("name", "x")]).await;
    form.press("cancel", &[FLOW, ("client_id", &id)]).await;
    assert_eq!(view(&sim, &tenant), before);
    let grants = async || {
        let filter = format!("filter=target.id+eq+%22{id}%22+and+client.id+eq+%22{id}%22");
        let url = format!("GET https://{}/api/v1/logs?{filter}", tenant.domain);
        ask(&url).ssws(&tenant).send(&sim).await.json.as_array().unwrap().len()
    };
    assert_eq!(grants().await, 1);
    sim.clock().advance(20 * MINUTE);
    assert_eq!(grants().await, 1, "the syncs continue with the legacy client");
    assert_eq!(view(&sim, &tenant).flow, "authorization_code");
}

#[tokio::test(start_paused = true)]
async fn the_other_directory_can_be_reconnected_by_mistake() {
    let sim = timed_world();
    let tenant = ready(&sim, false);
    let (id, secret) = make_client(&sim, &tenant, Variant::Plain).await;
    let form = Form::open(&sim, &tenant, tenant.neighbor_id.as_ref().unwrap()).await;
    let fields = [FLOW, ("client_id", &*id), ("client_secret", &*secret), ("name", "other")];
    // The other org does not know the client. With a client of that org everything works, but the tenant does not change.
    assert!(form.press("test", &fields).await.contains("Failed: the token request was refused: 401 invalid_client"));
    let other = || sim.world().directories.into_iter().rfind(|view| view.tsg_id == tenant.account.tsg_id).unwrap();
    let id = other().client_id;
    let fields = [("flow", "auth-code"), ("client_id", &*id), ("name", "")];
    let form = Form::open(&sim, &tenant, tenant.neighbor_id.as_ref().unwrap()).await;
    for action in ["restore", "sign-in", "test"] {
        form.press(action, &fields).await;
    }
    assert!(form.press("submit", &fields).await.contains("-lab: the configuration was submitted"));
    assert_eq!((other().submits, view(&sim, &tenant).submits), (1, 0));
    assert_ne!(other().domain, tenant.domain);
}

#[tokio::test(start_paused = true)]
async fn a_long_or_invalid_name_is_refused() {
    let sim = timed_world();
    let tenant = ready(&sim, false);
    let (id, secret) = make_client(&sim, &tenant, Variant::Plain).await;
    let long =
        Mutation::RenameDirectory { directory: tenant.directory_id.clone(), name: "acme.okta.test-long".to_owned() };
    sim.mutate(long).unwrap();
    let form = Form::open(&sim, &tenant, &tenant.directory_id).await;
    let fields = |name| [FLOW, ("client_id", &*id), ("client_secret", &*secret), ("name", name)];
    form.press("test", &fields("")).await;
    for name in ["", "acme.okta.test-long", "Capital", "with+space", "0123456789abcdef"] {
        let page = form.press("submit", &fields(name)).await;
        assert!(page.contains("must have a maximum of 15 characters"), "{name}");
    }
    assert!(form.press("submit", &fields("acme")).await.contains("the configuration was submitted"));
    assert_eq!(view(&sim, &tenant).name, "acme");
}

#[tokio::test(start_paused = true)]
async fn input_is_escaped_in_pages() {
    let sim = timed_world();
    let tenant = ready(&sim, false);
    let form = Form::open(&sim, &tenant, &tenant.directory_id).await;
    let typed = "%22%3E%3Cscript%3E";
    let page = form.press("keep", &[("client_id", typed), ("name", typed), ("client_secret", "s3cret")]).await;
    assert!(page.contains("value=\"&quot;&gt;&lt;script&gt;\"") && !page.contains("<script>"));
    assert!(page.contains("A secret is entered") && !page.contains("s3cret"));
    let notice = get(&sim, &format!("/tenants/{}/directories?notice={typed}", tenant.account.tsg_id)).await;
    assert!(notice.contains("&lt;script&gt;") && !notice.contains("<script>"));
}
