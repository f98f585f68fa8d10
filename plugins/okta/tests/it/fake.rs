//! A small Okta org in memory: apps with grants, integrations with secrets, a token endpoint, a log, and pages of two items.

use flowswap_contract::{Auth, Body, Error, Handle, HttpAnswer, HttpAsk};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::driver::{Secrets, World, answer, lost, reveal};

pub(crate) const ORIGIN: &str = "https://acme.okta.test";
pub(crate) const PLAIN: &str = "Palo Alto Networks Cloud Identity Engine";
pub(crate) const SCOPES: [&str; 5] =
    ["okta.authorizationServers.read", "okta.groups.read", "okta.logs.read", "okta.users.read", "okta.users.read.self"];
const PAGE: usize = 2;
const SERVICES: &str = "/integrations/api/v1/api-services";

/// What goes wrong with the next request whose line (`METHOD /path?query`) contains `at`.
pub(crate) struct Fault {
    pub(crate) at: &'static str,
    pub(crate) failure: Failure,
    pub(crate) times: usize,
}

pub(crate) enum Failure {
    /// Sends this answer and has no effect.
    Answer(HttpAnswer),
    /// Takes effect, but the answer is lost.
    LoseAnswer,
}

#[derive(Default)]
pub(crate) struct FakeOkta {
    pub(crate) apps: Vec<Value>,
    pub(crate) services: Vec<Value>,
    /// Client id, secret id, status, value.
    pub(crate) secrets: Vec<(String, String, &'static str, String)>,
    pub(crate) events: Vec<Value>,
    /// Returns all events in their original order, whatever the search is. Takes no search of apps.
    pub(crate) ignores_search: bool,
    /// The org's time in every answer, if any.
    pub(crate) date: Option<String>,
    /// Who is assigned to the legacy client: id, status of the account, and roles, if Okta shows them.
    pub(crate) assigned: Vec<(String, Value, Option<Value>)>,
    pub(crate) users: Vec<Value>,
    pub(crate) groups: Vec<Value>,
    pub(crate) faults: Vec<Fault>,
    /// The scopes of the next tokens, instead of the requested ones.
    pub(crate) token_scope: Option<String>,
    pub(crate) token_type: Option<&'static str>,
    /// Whether a token permits everything, whatever its scopes are.
    pub(crate) ignores_scopes: bool,
    /// Whether any secret gets a token.
    pub(crate) ignores_secrets: bool,
    pub(crate) made: usize,
}

impl FakeOkta {
    /// An org with one legacy client, three lookalikes and unrelated apps, and one integration of another vendor.
    pub(crate) fn new() -> Self {
        let redirect = "https://directory-sync.us.paloaltonetworks.com/authorize";
        Self {
            apps: vec![
                oidc_app("0oaBYSTANDER", "Intranet", &["https://intranet.test/callback"]),
                json!({"id": "0oaSAML", "name": "paloaltonetworkscloudidentityengine", "label": "CIE login",
                       "status": "ACTIVE", "signOnMode": "SAML_2_0", "settings": {}, "credentials": null}),
                oidc_app("0oaLEGACY", "CIE directory sync", &[redirect, "https://other.test/cb"]),
                oidc_app("0oaNAMESAKE", PLAIN, &["https://elsewhere.test/authorize"]),
                json!({"id": "0oaGONE", "name": "oidc_client", "label": PLAIN, "status": "DELETED"}),
            ],
            assigned: vec![(
                "00uSYNC".to_owned(),
                json!("ACTIVE"),
                Some(json!([{"type": "READ_ONLY_ADMIN", "status": "ACTIVE"}])),
            )],
            date: Some("Thu, 01 Jan 2026 12:00:00 GMT".to_owned()),
            services: vec![service("0oaFOREIGN", "anzennaapiservice", "Anzenna", &["okta.users.read"])],
            ..Self::default()
        }
    }

    /// The same with one installed instance of the plain variant.
    pub(crate) fn with_instance(mut self) -> Self {
        let mut shuffled = SCOPES;
        shuffled.reverse();
        self.services.push(service("0oaOLD", "panw_cie", PLAIN, &shuffled));
        self
    }

    pub(crate) fn fail(&mut self, at: &'static str, failure: Failure) {
        self.faults.push(Fault { at, failure, times: 1 });
    }

    pub(crate) fn app(&mut self, id: &str) -> &mut Value {
        self.apps.iter_mut().find(|app| app["id"] == id).expect("the app is there")
    }

    pub(crate) fn service_ids(&self) -> Vec<&str> {
        self.services.iter().map(|service| service["id"].as_str().unwrap()).collect()
    }

    /// Logs the event of a token request at this time. The caller may change the event.
    pub(crate) fn log_token(&mut self, client_id: &str, agent: &str, result: &str, at: &str) -> &mut Value {
        let uuid = format!("e{}", self.events.len() + 1);
        // A refusal has no suffix.
        let kind = match result {
            "SUCCESS" => "app.oauth2.token.grant.access_token",
            _ => "app.oauth2.token.grant",
        };
        self.events.push(json!({
            "uuid": uuid, "eventType": kind, "published": at,
            "actor": {"id": client_id, "type": "PublicClientApp"},
            "outcome": {"result": result, "reason": (result == "FAILURE").then_some("no_matching_policy")},
            "client": {"userAgent": {"rawUserAgent": agent}}, "target": [],
        }));
        self.events.last_mut().unwrap()
    }

    /// Logs the event of a created integration.
    pub(crate) fn log_creation(&mut self, id: &str, agent: &str) {
        self.events.push(json!({
            "eventType": "integration.api_service.lifecycle.authorize", "published": "2026-01-01T12:00:00.000Z",
            "actor": {"id": "00uADMIN", "type": "User"}, "outcome": {"result": "SUCCESS"},
            "client": {"userAgent": {"rawUserAgent": agent}}, "target": [{"id": id, "type": "PublicClientApp"}],
        }));
    }

    fn serve(&mut self, ask: &HttpAsk, secrets: &Secrets) -> HttpAnswer {
        let (path, query) = split(&ask.url);
        let segments: Vec<&str> = path.trim_start_matches('/').split('/').collect();
        match (ask.method.as_str(), segments.as_slice()) {
            ("GET", [".well-known", "okta-organization"]) => answer(
                200,
                json!({"id": "00o1", "_links": {
                    "organization": {"href": "https://Acme-Real.okta.test"}, "alternate": {"href": "https://Login.acme.test"}}}),
            ),
            ("POST", ["oauth2", "v1", "token"]) => self.grant_token(ask, secrets),
            _ if !self.is_permitted(ask, secrets) => okta_error(401, "E0000011"),
            ("GET", ["api", "v1", "groups"]) if !self.ignores_scopes && is_narrow(ask, secrets) => {
                missing_scope("okta.groups.read")
            }
            ("GET", ["api", "v1", "apps"]) if query.starts_with("filter=") && self.ignores_search => {
                okta_error(400, "E0000031")
            }
            ("GET", ["api", "v1", "apps"]) => {
                let size = if self.apps.len() > 200 { 200 } else { PAGE };
                page_of(size, self.search_apps(query), path, query)
            }
            ("GET", ["api", "v1", "users", id, "roles"]) => match self.assigned.iter().find(|(user, ..)| user == id) {
                Some((_, _, Some(roles))) => answer(200, roles.clone()),
                Some((_, _, None)) => okta_error(403, "E0000006"),
                None => okta_error(404, "E0000007"),
            },
            ("GET", ["api", "v1", "users"]) => page(self.users.clone(), path, query),
            ("GET", ["api", "v1", "groups"]) => page(self.groups.clone(), path, query),
            ("GET", ["api", "v1", "authorizationServers"]) => answer(200, json!([])),
            ("GET", ["api", "v1", "logs"]) => {
                let mut found = answer(200, json!(self.search(query)));
                if !query.contains("DESCENDING") {
                    found.headers.push(next_link("/api/v1/logs?after=poll"));
                }
                found
            }
            ("GET", ["api", "v1", "apps", _, "grants"]) => answer(
                200,
                json!([
                    {"scopeId": "okta.users.read", "status": "ACTIVE"}, {"scopeId": "okta.groups.read"},
                    {"scopeId": "okta.logs.read", "status": "REVOKED"},
                ]),
            ),
            ("GET", ["api", "v1", "apps", "0oaLEGACY", "users"]) if query.starts_with("expand=user") => {
                let user = |(id, status, _): &(String, Value, Option<Value>)| {
                    json!({
                        "id": id, "scope": "USER", "status": "ACTIVE", "credentials": {"userName": "ada@acme.test"}, "profile": {},
                        "_embedded": {"user": {"id": id, "status": status, "profile": {"login": "ada@acme.test"}}},
                    })
                };
                answer(200, self.assigned.iter().map(user).collect())
            }
            (method, ["api", "v1", "apps", id, rest @ ..]) => self.serve_app(method, id, rest),
            ("GET", ["integrations", "api", "v1", "api-services"]) => page(self.services.clone(), path, query),
            ("POST", ["integrations", "api", "v1", "api-services"]) => self.create(ask),
            (method, ["integrations", "api", "v1", "api-services", id, rest @ ..]) => {
                self.serve_service(method, id, rest)
            }
            _ => okta_error(404, "E0000008"),
        }
    }

    /// The apps that a search finds: by `filter` with one `eq`, or by how the name or label begins.
    fn search_apps(&self, query: &str) -> Vec<Value> {
        let parameter = |name: &str| {
            let value = query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='));
            value.map(decode)
        };
        let (filter, start) = (parameter("filter"), parameter("q").unwrap_or_default());
        let begins =
            |app: &Value, field: &str| app[field].as_str().unwrap_or_default().to_lowercase().starts_with(&start);
        let fits = |app: &&Value| match &filter {
            Some(filter) => {
                let (field, value) = filter.split_once(" eq ").expect("a filter with eq");
                app[field] == value.trim_matches('"')
            }
            None => begins(app, "name") || begins(app, "label"),
        };
        self.apps.iter().filter(fits).cloned().collect()
    }

    /// The used part of the log's search: `since`, `filter` with `eq` and `and`, `sortOrder`, and `limit`.
    fn search(&self, query: &str) -> Vec<Value> {
        if self.ignores_search {
            return self.events.clone();
        }
        let parameter = |name: &str| {
            let value = query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='));
            value.map(decode).unwrap_or_default()
        };
        let (since, filter) = (parameter("since"), parameter("filter"));
        let since: Timestamp = since.parse().unwrap_or(Timestamp::MIN);
        let fits = |event: &&Value| {
            let published: Timestamp = event["published"].as_str().unwrap().parse().unwrap();
            let equals = |clause: &str| {
                let (field, value) = clause.trim_matches(['(', ')']).split_once(" eq ").expect("a clause with eq");
                event.pointer(&format!("/{}", field.replace('.', "/"))) == Some(&json!(value.trim_matches('"')))
            };
            published >= since && filter.split(" and ").all(|any| any.split(" or ").any(equals))
        };
        let mut found: Vec<_> = self.events.iter().filter(fits).cloned().collect();
        found.sort_by_key(|event| event["published"].as_str().unwrap().parse::<Timestamp>().unwrap());
        if parameter("sortOrder") == "DESCENDING" {
            found.reverse();
        }
        found.truncate(parameter("limit").parse().expect("the log is asked with a limit"));
        found
    }

    fn is_permitted(&self, ask: &HttpAsk, secrets: &Secrets) -> bool {
        match &ask.auth {
            Some(Auth::Token { scheme, token }) if scheme == "SSWS" => reveal(token, secrets) == "CANARY-admin-token",
            Some(Auth::Client(client)) => reveal(client.proof.credential(), secrets) == "CANARY-admin-token",
            Some(Auth::Token { scheme, token }) => {
                scheme == "Bearer" && [TOKEN, NARROW_TOKEN].contains(&reveal(token, secrets))
            }
            _ => false,
        }
    }

    fn serve_app(&mut self, method: &str, id: &str, rest: &[&str]) -> HttpAnswer {
        let Some(at) = self.apps.iter().position(|app| app["id"] == id) else { return okta_error(404, "E0000007") };
        match (method, rest) {
            ("GET", []) => answer(200, self.apps[at].clone()),
            ("DELETE", []) if self.apps[at]["status"] != "INACTIVE" => okta_error(403, "E0000056"),
            ("DELETE", []) => {
                self.apps.remove(at);
                answer(204, Value::Null)
            }
            ("POST", ["lifecycle", verb @ ("activate" | "deactivate")]) => {
                self.apps[at]["status"] = json!(if *verb == "activate" { "ACTIVE" } else { "INACTIVE" });
                answer(200, json!({}))
            }
            _ => okta_error(404, "E0000008"),
        }
    }

    fn create(&mut self, ask: &HttpAsk) -> HttpAnswer {
        let Some(Body::Json(body)) = &ask.body else { return okta_error(400, "E0000003") };
        self.made += 1;
        let id = format!("0oaNEW{}", self.made);
        let mut scopes: Vec<_> =
            body["grantedScopes"].as_array().unwrap().iter().map(|s| s.as_str().unwrap()).collect();
        scopes.reverse();
        let created = service(&id, body["type"].as_str().unwrap(), PLAIN, &scopes);
        self.services.push(created.clone());
        let secret = self.mint_secret(&id);
        let mut shown = created;
        shown["clientSecret"] = json!(secret.3);
        answer(201, shown)
    }

    fn mint_secret(&mut self, client: &str) -> (String, String, &'static str, String) {
        let n = self.secrets.len() + 1;
        let secret = (client.to_owned(), format!("ocs{n}"), "ACTIVE", format!("CANARY-client-secret-{n}"));
        self.secrets.push(secret.clone());
        secret
    }

    fn serve_service(&mut self, method: &str, id: &str, rest: &[&str]) -> HttpAnswer {
        let Some(at) = self.services.iter().position(|s| s["id"] == id) else { return okta_error(404, "E0000007") };
        let show = |s: &(String, String, &str, String)| json!({"id": s.1, "status": s.2, "client_secret": "***masked"});
        match (method, rest) {
            ("GET", []) => answer(200, self.services[at].clone()),
            ("DELETE", []) => {
                self.services.remove(at);
                answer(204, Value::Null)
            }
            ("GET", ["credentials", "secrets"]) => {
                answer(200, self.secrets.iter().filter(|s| s.0 == id).map(show).collect())
            }
            ("POST", ["credentials", "secrets"]) if self.secrets.iter().filter(|s| s.0 == id).count() >= 2 => {
                okta_error(400, "E0000001")
            }
            ("POST", ["credentials", "secrets"]) => {
                let secret = self.mint_secret(id);
                let mut shown = show(&secret);
                shown["client_secret"] = json!(secret.3);
                answer(201, shown)
            }
            ("POST", ["credentials", "secrets", _, "lifecycle", "deactivate"])
                if self.secrets.iter().filter(|s| s.0 == id && s.2 == "ACTIVE").count() == 1 =>
            {
                okta_error(400, "E0000001")
            }
            ("POST", ["credentials", "secrets", which, "lifecycle", "deactivate"]) => {
                let secret = self.secrets.iter_mut().find(|s| s.1 == *which).expect("the secret is there");
                secret.2 = "INACTIVE";
                answer(200, show(secret))
            }
            ("DELETE", ["credentials", "secrets", which]) => {
                let at = self.secrets.iter().position(|s| s.1 == *which).expect("the secret is there");
                if self.secrets[at].2 == "ACTIVE" {
                    return okta_error(400, "E0000001");
                }
                self.secrets.remove(at);
                answer(204, Value::Null)
            }
            _ => okta_error(404, "E0000008"),
        }
    }

    fn grant_token(&mut self, ask: &HttpAsk, secrets: &Secrets) -> HttpAnswer {
        let is_right = match &ask.auth {
            Some(Auth::Basic { username, password }) => {
                let is_known = |s: &&(String, String, &str, String)| s.0 == *username && s.2 == "ACTIVE";
                self.secrets.iter().filter(is_known).any(|s| s.3 == reveal(password, secrets))
            }
            _ => false,
        };
        if !(is_right || self.ignores_secrets) {
            return oauth_error(401, "invalid_client");
        }
        let Some(Body::Form(form)) = &ask.body else { return oauth_error(400, "invalid_request") };
        let scope = form.iter().find(|(name, _)| name == "scope").and_then(|(_, value)| value.as_str()).unwrap_or("");
        if scope.contains(".self") {
            return oauth_error(400, "client_credentials_self_scope_requested");
        }
        let token = if scope.contains(' ') { TOKEN } else { NARROW_TOKEN };
        let scope = self.token_scope.clone().unwrap_or_else(|| scope.to_owned());
        let token_type = self.token_type.unwrap_or("Bearer");
        answer(200, json!({"token_type": token_type, "expires_in": 3600, "access_token": token, "scope": scope}))
    }
}

/// A token with several scopes, and one with a single scope.
const TOKEN: &str = "CANARY-access-token";
const NARROW_TOKEN: &str = "CANARY-narrow-token";

fn is_narrow(ask: &HttpAsk, secrets: &Secrets) -> bool {
    matches!(&ask.auth, Some(Auth::Token { token, .. }) if reveal(token, secrets) == NARROW_TOKEN)
}

/// Okta's refusal of a token without the scope: no body, and a header.
pub(crate) fn missing_scope(scope: &str) -> HttpAnswer {
    let mut refusal = answer(403, Value::Null);
    let header = format!(r#"Bearer realm="x", scope="{scope}", error="insufficient_scope""#);
    refusal.headers.push(("www-authenticate".to_owned(), header));
    refusal
}

impl World for FakeOkta {
    fn answer(&mut self, ask: &HttpAsk, secrets: &Secrets) -> Result<HttpAnswer, Error> {
        assert!(ask.url.starts_with(&format!("{ORIGIN}/")), "a request to another origin: {}", ask.url);
        assert!(!ask.url.contains("/credentials/secrets") || ask.url.contains(SERVICES), "reads an app's secrets");
        let line = format!("{} {}", ask.method, &ask.url[ORIGIN.len()..]);
        let fault = self.faults.iter_mut().find(|fault| fault.times > 0 && line.contains(fault.at));
        match fault {
            None => {
                let mut answer = self.serve(ask, secrets);
                answer.headers.extend(self.date.iter().map(|date| ("date".to_owned(), date.clone())));
                Ok(answer)
            }
            Some(fault) => {
                fault.times -= 1;
                match &fault.failure {
                    Failure::Answer(answer) => Ok(answer.clone()),
                    Failure::LoseAnswer => {
                        self.serve(ask, secrets);
                        Err(lost())
                    }
                }
            }
        }
    }
}

pub(crate) fn oidc_app(id: &str, label: &str, redirects: &[&str]) -> Value {
    json!({
        "id": id, "name": "oidc_client", "label": label, "status": "ACTIVE", "signOnMode": "OPENID_CONNECT",
        "settings": {"app": {}, "oauthClient": {
            "client_uri": null, "redirect_uris": redirects, "grant_types": ["authorization_code", "refresh_token"]}},
        "credentials": {"oauthClient": {"client_id": format!("{id}-client"), "token_endpoint_auth_method": "client_secret_basic"}},
    })
}

pub(crate) fn service(id: &str, type_key: &str, name: &str, scopes: &[&str]) -> Value {
    json!({"id": id, "type": type_key, "name": name, "grantedScopes": scopes, "createdAt": "2025-06-01T00:00:00.000Z",
           "createdBy": "00u1", "properties": {}})
}

pub(crate) fn okta_error(status: u16, code: &str) -> HttpAnswer {
    let body = json!({"errorCode": code, "errorSummary": "A sentence.", "errorLink": code, "errorId": "oae1", "errorCauses": []});
    answer(status, body)
}

pub(crate) fn oauth_error(status: u16, error: &str) -> HttpAnswer {
    answer(status, json!({"error": error, "error_description": "A sentence."}))
}

pub(crate) fn next_link(target: &str) -> (String, String) {
    ("link".to_owned(), format!("<{ORIGIN}{target}>; rel=\"next\""))
}

/// The handle of a captured client secret.
pub(crate) fn secret_of(outputs: &Value) -> Handle {
    Handle::from_value(&outputs["client_secret"]).expect("the secret is a handle")
}

fn decode(text: &str) -> String {
    let mut parts = text.split('%');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| {
        let (code, rest) = part.split_at(2);
        text + &char::from(u8::from_str_radix(code, 16).unwrap()).to_string() + rest
    })
}

fn split(url: &str) -> (&str, &str) {
    let rest = &url[ORIGIN.len()..];
    rest.split_once('?').unwrap_or((rest, ""))
}

fn page(items: Vec<Value>, path: &str, query: &str) -> HttpAnswer {
    page_of(PAGE, items, path, query)
}

fn page_of(size: usize, items: Vec<Value>, path: &str, query: &str) -> HttpAnswer {
    let after = query.split('&').find_map(|pair| pair.strip_prefix("after=")).and_then(|n| n.parse().ok()).unwrap_or(0);
    let next = after + size;
    let mut found = answer(200, items.iter().skip(after).take(size).cloned().collect());
    found.headers.push(("link".to_owned(), format!("<{ORIGIN}{path}>; rel=\"self\"")));
    if next < items.len() {
        let search: String = query
            .split('&')
            .filter(|pair| pair.starts_with("filter=") || pair.starts_with("q="))
            .map(|pair| format!("{pair}&"))
            .collect();
        found.headers.push(next_link(&format!("{path}?{search}after={next}")));
    }
    found
}
