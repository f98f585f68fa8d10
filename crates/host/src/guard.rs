//! Decides whether a plugin may have what it asks for. Pure.

use std::collections::BTreeSet;

use flowswap_contract::{Ask, Auth, Body, Custody, Error, ErrorKind, HttpAsk, Intent, Op};
use flowswap_engine::Mode;
use reqwest::Url;

use crate::{
    of_table::OfTable,
    origin::{Origin, Origins},
};

/// What decides which requests a call may make.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Permission<'a> {
    /// The plugin, for messages.
    pub(crate) plugin: &'a str,
    /// The verb.
    pub(crate) op: Op,
    /// The mode of the run.
    pub(crate) mode: Mode,
    /// Whether the call belongs to a step.
    pub(crate) in_step: bool,
    /// The origins of the session.
    pub(crate) origins: &'a Origins,
    /// The paths of the token endpoints on these.
    pub(crate) token_paths: &'a [String],
    /// The URLs that take the queries of the step. `None` if the step was planned before plans named them.
    pub(crate) queries: Option<&'a [String]>,
    /// What the tenant's table allows.
    pub(crate) of_table: &'a OfTable,
}

/// A request that is permitted.
#[derive(Debug)]
pub(crate) struct Permitted {
    /// The URL as it is sent: parsed once, so that the URL that was checked is the URL that is sent.
    pub(crate) url: Url,
    /// Its origin.
    pub(crate) origin: Origin,
    /// Its method.
    pub(crate) method: http::Method,
}

/// The headers that a plugin may set by itself. None of them changes what a request does to the other side, or who sends it.
const ALLOWED: &[&str] = &["accept", "if-match", "if-none-match", "prefer"];

/// Headers that not even the tenant's table can name: the host sets them, or they would change what the request does without the
/// host noticing. Every name that starts with one of [`OWNED_PREFIXES`] counts as well.
const OWNED: &[&str] = &[
    "authorization",
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "cookie",
    "expect",
    "forwarded",
    "host",
    "http2-settings",
    "keep-alive",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "user-agent",
    "x-method-override",
];

/// `x-http-method-override` and similar headers would turn a `GET` into a mutation.
const OWNED_PREFIXES: &[&str] = &["proxy-", "sec-", "x-forwarded-", "x-http-method"];

impl Permission<'_> {
    /// Refuses every ask of a verb that must not ask, and a new secret where it could not be stored.
    pub(crate) fn permit_asking(&self, ask: &Ask) -> Result<(), Error> {
        if self.op != Op::Plan {
            let can_store = self.mode != Mode::DryRun && self.in_step;
            return match ask {
                Ask::Mint { .. } if !can_store => {
                    Err(self.refuse(format!("asked for a new secret during `{}`, where it cannot be stored", self.op)))
                }
                Ask::Http(_) | Ask::Sleep { .. } | Ask::Mint { .. } => Ok(()),
            };
        }
        let what = match ask {
            Ask::Http(ask) => format!("{} request ({})", intent_name(ask.intent), describe(&ask.method, &ask.url)),
            Ask::Sleep { .. } => "a pause".to_owned(),
            Ask::Mint { .. } => "a new secret".to_owned(),
        };
        Err(self.refuse(format!("asked for {what} during `plan`, which must not ask for anything")))
    }

    /// Parses the request, or refuses it.
    pub(crate) fn permit(&self, ask: &HttpAsk) -> Result<Permitted, Error> {
        self.permit_intent(ask)?;
        // Only a refusal needs it, and it parses the URL once more.
        let request = || describe(&ask.method, &ask.url);
        let mut url = Url::parse(&ask.url)
            .map_err(|e| self.refuse(format!("asked for a request to an invalid URL ({}): {e}", request())))?;
        let Some(origin) = Origin::of(&url) else {
            return Err(self.refuse(format!("asked for a request without TLS ({})", request())));
        };
        if !url.username().is_empty() || url.password().is_some() {
            return Err(self.refuse(format!("asked for a request with credentials in the URL ({})", request())));
        }
        if self.origins.unlisted.contains(&origin) {
            let message =
                format!("asked for a request to {} ({}), which you have not allowed", origin.as_str(), request());
            let hint = format!(
                "if this plugin may send its credentials there, add \"{}\" to `origins` under [plugins.{}]",
                origin.as_str(),
                self.plugin
            );
            return Err(self.refuse(message).with_hint(hint));
        }
        if !self.origins.allowed.contains(&origin) {
            let known: Vec<_> = self.origins.allowed.iter().map(Origin::as_str).collect();
            let known = if known.is_empty() { "no origin".to_owned() } else { format!("only {}", known.join(", ")) };
            let message =
                format!("asked for a request to a foreign origin ({}); its session may use {known}", request());
            return Err(self.refuse(message));
        }
        let is_of_tokens = self.token_paths.iter().any(|path| path == url.path());
        if ask.intent == Intent::Authenticate && !is_of_tokens {
            let known = self.token_paths;
            let known =
                if known.is_empty() { "no token endpoint".to_owned() } else { format!("only {}", known.join(", ")) };
            let message =
                format!("asked for a token at a path that it does not declare ({}); it declares {known}", request());
            return Err(self.refuse(message));
        }
        // Otherwise a token could be stored as the secret of a step, and given to the other side.
        if ask.intent == Intent::Mutate && is_of_tokens {
            return Err(
                self.refuse(format!("asked for a change at a path that it declares for tokens ({})", request()))
            );
        }
        for name in ask.headers.keys() {
            self.permit_header(name, &request)?;
        }
        if let Some(Auth::Token { scheme, .. }) = &ask.auth {
            self.permit_scheme(scheme, &request)?;
        }
        // So that what the plan shows is what is sent.
        if ask.query && url.as_str() != ask.url {
            return Err(
                self.refuse(format!("asked for a query to a URL that is not in its normal form ({})", request()))
            );
        }
        url.set_fragment(None);
        let method = http::Method::from_bytes(ask.method.as_bytes())
            .map_err(|_| self.refuse(format!("asked for a request with an invalid method ({})", request())))?;
        if matches!(method, http::Method::CONNECT | http::Method::TRACE) {
            let message = format!("asked for a request with a method that plugins may not use ({})", request());
            return Err(self.refuse(message));
        }
        Ok(Permitted { url, origin, method })
    }

    fn permit_intent(&self, ask: &HttpAsk) -> Result<(), Error> {
        let dry = self.mode == Mode::DryRun;
        let asked = || {
            let request = describe(&ask.method, &ask.url);
            format!("asked for {} request ({request}) during `{}`", intent_name(ask.intent), self.op)
        };
        let reads = matches!(ask.method.as_str(), "GET" | "HEAD");
        if ask.query && (ask.intent != Intent::Read || ask.method != "POST") {
            return Err(self.refuse(format!("{} as a query; only a `read` by POST can be a query", asked())));
        }
        let reads_only = matches!(self.op, Op::Detect | Op::Plan | Op::Observe | Op::Test);
        match ask.intent {
            Intent::Mutate if reads_only => Err(self.refuse(format!("{}, which must not change anything", asked()))),
            Intent::Mutate if dry => {
                Err(self.refuse(format!("{} in a dry run, which must not change anything", asked())))
            }
            Intent::Mutate if !self.in_step => Err(self.refuse(format!("{} outside of any step", asked()))),
            Intent::Read if dry && !reads => {
                Err(self.refuse(format!("{} in a dry run; there, only GET and HEAD count as reading", asked())))
            }
            Intent::Read if !reads && !ask.query => Err(self
                .refuse(format!("{}; only GET, HEAD, and a POST that is marked as a query count as reading", asked()))),
            Intent::Read if !reads && !self.queries.is_none_or(|queries| queries.contains(&ask.url)) => {
                Err(self
                    .refuse(format!("{} as a query, but its step does not name this URL among its `queries`", asked())))
            }
            _ if reads && ask.body.is_some() => {
                Err(self.refuse(format!("{} with a body, which only other methods may have", asked())))
            }
            Intent::Authenticate if !is_token_request(ask) => Err(self.refuse(format!(
                "{}; a token request must POST a form of RFC 6749 §4.4.2, with no query, and no token of its own",
                asked()
            ))),
            // A stored secret needs an intent in the journal, and only a mutation has one.
            Intent::Read | Intent::Authenticate if ask.capture.iter().any(|c| c.custody == Custody::Durable) => {
                Err(self.refuse(format!("{} that stores a secret, which only a mutation may do", asked())))
            }
            // A secret that an answer repeats is not a new one.
            Intent::Read | Intent::Mutate if ask.capture.iter().any(|c| c.custody == Custody::Session) => {
                Err(self.refuse(format!("{} that captures a token, which only a token request may do", asked())))
            }
            _ => Ok(()),
        }
    }

    fn permit_header(&self, name: &str, request: &impl Fn() -> String) -> Result<(), Error> {
        let lower = name.to_ascii_lowercase();
        let refuse = |why: &str| {
            let name = name.escape_debug();
            self.refuse(format!("asked for a request with the header `{name}` ({}), {why}", request()))
        };
        if is_owned(&lower) {
            return Err(refuse("which only the host may set"));
        }
        if ALLOWED.contains(&lower.as_str()) || self.of_table.has_header(&lower) {
            return Ok(());
        }
        let hint =
            "if the other side needs it, name it in a table `headers` of the tenant, if the plugin has such a key";
        Err(refuse("which you have not allowed").with_hint(hint))
    }

    fn permit_scheme(&self, scheme: &str, request: &impl Fn() -> String) -> Result<(), Error> {
        if self.of_table.allows_scheme(scheme) {
            return Ok(());
        }
        let scheme = scheme.escape_debug();
        let message =
            format!("asked to send a token by the scheme `{scheme}` ({}), which you have not allowed", request());
        let hint = "if the other side needs it, name it as `auth_scheme` of the tenant, if the plugin has such a key";
        Err(self.refuse(message).with_hint(hint))
    }

    /// The refusal; its message starts with the plugin's name.
    pub(crate) fn refuse(&self, what: impl std::fmt::Display) -> Error {
        Error::new(ErrorKind::Refused, format!("plugin `{}` {what}", self.plugin)).with_context("plugin", self.plugin)
    }
}

/// The method and the URL, without the parts of the URL that may be confidential.
pub(crate) fn describe(method: &str, url: &str) -> String {
    let method: String = method.chars().filter(char::is_ascii_graphic).take(20).collect();
    match Url::parse(url) {
        Ok(mut url) => {
            url.set_query(None);
            url.set_fragment(None);
            // Both fail only for URLs that cannot have credentials.
            let _ = url.set_username("");
            let _ = url.set_password(None);
            format!("{method} {url}")
        }
        Err(_) => {
            let url: String =
                url.chars().take_while(|c| !matches!(c, '?' | '#')).filter(|c| !c.is_control()).take(200).collect();
            format!("{method} {url}")
        }
    }
}

fn is_owned(lower: &str) -> bool {
    OWNED.contains(&lower) || OWNED_PREFIXES.iter().any(|prefix| lower.starts_with(prefix))
}

/// The fields of a request for a token (RFC 6749 §4.4.2 and §2.3.1; RFC 7523 §2).
const TOKEN_REQUEST: &[&str] =
    &["grant_type", "scope", "client_id", "client_secret", "client_assertion_type", "client_assertion", "assertion"];

/// Anything else could make a server do something else: an administrator's token at any path, other fields, a query.
fn is_token_request(ask: &HttpAsk) -> bool {
    let Some(Body::Form(fields)) = &ask.body else { return false };
    let is_known = |name: &String| TOKEN_REQUEST.contains(&name.as_str());
    ask.method == "POST"
        && !ask.url.contains('?')
        && matches!(ask.auth, None | Some(Auth::Basic { .. } | Auth::WrongSecret { .. }))
        && fields.iter().any(|(name, value)| name == "grant_type" && value == "client_credentials")
        && fields.iter().all(|(name, _)| is_known(name))
        && fields.iter().map(|(name, _)| name).collect::<BTreeSet<_>>().len() == fields.len()
}

/// Whether a text is a path as URLs have it after parsing, so that it can be compared with one. It is shown as it is.
pub(crate) fn is_path(text: &str) -> bool {
    let url = Url::parse("https://x.test").and_then(|base| base.join(text));
    url.is_ok_and(|url| url.path() == text && url.host_str() == Some("x.test")) && text.len() <= 200
}

fn intent_name(intent: Intent) -> &'static str {
    match intent {
        Intent::Read => "a `read`",
        Intent::Authenticate => "an `authenticate`",
        Intent::Mutate => "a `mutate`",
    }
}

#[cfg(test)]
mod tests {
    use flowswap_contract::{Capture, Handle};
    use serde_json::json;

    use super::*;

    const UNNAMED: OfTable = OfTable::EMPTY;
    const NONE: Origins = Origins { allowed: Vec::new(), unlisted: Vec::new() };
    const APPLY: Permission<'_> = Permission {
        plugin: "rogue",
        op: Op::Apply,
        mode: Mode::Apply,
        in_step: true,
        origins: &NONE,
        token_paths: &[],
        queries: Some(&[]),
        of_table: &UNNAMED,
    };
    const DETECT: Permission<'_> = Permission { op: Op::Detect, mode: Mode::DryRun, in_step: false, ..APPLY };

    /// The operator named the first, and the plugin the second.
    fn origins() -> Origins {
        let origin = |url: &str| vec![Origin::of(&Url::parse(url).unwrap()).unwrap()];
        Origins { allowed: origin("https://x.test"), unlisted: origin("https://own.test") }
    }

    fn check(permission: Permission<'_>, ask: HttpAsk, expect: Result<&str, &str>) {
        let origins = origins();
        let token_paths = ["/token".to_owned()];
        let permission = Permission { origins: &origins, token_paths: &token_paths, ..permission };
        let got = permission.permit(&ask).map(|permitted| permitted.url.to_string());
        if let Err(error) = &got {
            assert_eq!(error.kind, ErrorKind::Refused);
            assert_eq!(error.effect, flowswap_contract::Effect::None);
        }
        let got = got.map_err(|e| e.message);
        assert_eq!(got.as_ref().map(String::as_str).map_err(String::as_str), expect, "{ask:?}");
    }

    fn ask(intent: Intent, method: &str, url: &str) -> HttpAsk {
        HttpAsk::new(intent, method, url)
    }

    fn form(intent: Intent, method: &str, field: &str) -> HttpAsk {
        let body = Some(Body::Form(vec![(field.into(), json!("client_credentials"))]));
        HttpAsk { body, ..ask(intent, method, "https://x.test/token") }
    }

    #[test]
    fn a_dry_run_may_read_and_authenticate() {
        check(DETECT, ask(Intent::Read, "GET", "https://x.test/y?a=b#c"), Ok("https://x.test/y?a=b"));
        check(DETECT, ask(Intent::Read, "HEAD", "https://x.test/y"), Ok("https://x.test/y"));
        check(DETECT, form(Intent::Authenticate, "POST", "grant_type"), Ok("https://x.test/token"));
    }

    #[test]
    fn a_token_comes_only_from_a_declared_endpoint() {
        for url in
            ["https://x.test/api/v1/apps", "https://x.test/token/", "https://x.test/%74oken", "https://x.test/TOKEN"]
        {
            let ask = HttpAsk { url: url.to_owned(), ..form(Intent::Authenticate, "POST", "grant_type") };
            let refused = format!(
                "plugin `rogue` asked for a token at a path that it does not declare (POST {url}); it declares only /token"
            );
            check(DETECT, ask.clone(), Err(&refused));
            check(APPLY, ask, Err(&refused));
        }
        let dots =
            HttpAsk { url: "https://x.test/a/../token#x".into(), ..form(Intent::Authenticate, "POST", "grant_type") };
        check(APPLY, dots, Ok("https://x.test/token"));
    }

    #[test]
    fn a_token_endpoint_changes_nothing() {
        let refused =
            |url| format!("plugin `rogue` asked for a change at a path that it declares for tokens (POST {url})");
        for url in ["https://x.test/token", "https://x.test/a/../token"] {
            check(APPLY, ask(Intent::Mutate, "POST", url), Err(&refused("https://x.test/token")));
        }
        check(APPLY, ask(Intent::Mutate, "POST", "https://x.test/tokens"), Ok("https://x.test/tokens"));
    }

    #[test]
    fn a_token_path_is_the_path_of_a_parsed_url() {
        for path in ["/token", "/oauth2/v1/token", "/oauth2/aus1x-y_z/v1/token", "/"] {
            assert!(is_path(path), "{path}");
        }
        let long = format!("/{}", "x".repeat(200));
        for text in [
            "",
            "token",
            "//evil.test/x",
            "/a/../token",
            "/%2e%2e/token",
            "/token?x",
            "/token#x",
            "/a b",
            "/a\n",
            "/\\x",
            "/ü",
            "https://x.test/token",
            &long,
        ] {
            assert!(!is_path(text), "{text}");
        }
    }

    #[test]
    fn a_dry_run_changes_nothing() {
        check(
            DETECT,
            ask(Intent::Mutate, "POST", "https://x.test/y?token=1"),
            Err("plugin `rogue` asked for a `mutate` request (POST https://x.test/y) during `detect`, \
                 which must not change anything"),
        );
        check(
            Permission { op: Op::Apply, in_step: true, ..DETECT },
            ask(Intent::Mutate, "PUT", "https://x.test/y"),
            Err("plugin `rogue` asked for a `mutate` request (PUT https://x.test/y) during `apply` in a dry run, \
                 which must not change anything"),
        );
        for method in ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "get"] {
            let refused = format!(
                "plugin `rogue` asked for a `read` request ({method} https://x.test/y) during `detect` in a dry run; \
                 there, only GET and HEAD count as reading"
            );
            check(DETECT, ask(Intent::Read, method, "https://x.test/y"), Err(&refused));
        }
        let refused = |method| {
            format!(
                "plugin `rogue` asked for an `authenticate` request ({method} https://x.test/token) during `detect`; a \
                 token request must POST a form of RFC 6749 §4.4.2, with no query, and no token of its own"
            )
        };
        check(DETECT, form(Intent::Authenticate, "POST", "scope"), Err(&refused("POST")));
        check(DETECT, form(Intent::Authenticate, "PUT", "grant_type"), Err(&refused("PUT")));
        let mut extra = form(Intent::Authenticate, "POST", "grant_type");
        let fields = [("grant_type", "client_credentials"), ("delete", "all")];
        extra.body = Some(Body::Form(fields.map(|(name, value)| (name.to_owned(), json!(value))).to_vec()));
        check(DETECT, extra, Err(&refused("POST")));
        let token = Auth::Token {
            scheme: "SSWS".to_owned(),
            token: flowswap_contract::Handle::new("acme/provider/credential"),
        };
        let as_admin = HttpAsk { auth: Some(token), ..form(Intent::Authenticate, "POST", "grant_type") };
        check(DETECT, as_admin, Err(&refused("POST")));
        let mut with_query = form(Intent::Authenticate, "POST", "grant_type");
        with_query.url += "?_method=DELETE";
        check(DETECT, with_query, Err(&refused("POST")));
        let get = HttpAsk { body: Some(Body::Json(json!({}))), ..ask(Intent::Read, "GET", "https://x.test/y") };
        let refused_body = "plugin `rogue` asked for a `read` request (GET https://x.test/y) during `detect` with a body, \
                            which only other methods may have";
        check(DETECT, get, Err(refused_body));
        let json = Some(Body::Json(json!({"grant_type": "x"})));
        let json = HttpAsk { body: json, ..form(Intent::Authenticate, "POST", "x") };
        check(DETECT, json, Err(&refused("POST")));
    }

    #[test]
    fn a_read_is_a_get_a_head_or_a_query_by_post() {
        let query = |intent, method| HttpAsk { query: true, ..ask(intent, method, "https://x.test/y") };
        let queries = ["https://x.test/y".to_owned()];
        for op in [Op::Detect, Op::Observe, Op::Test, Op::Apply, Op::Undo] {
            let within = Permission { op, queries: Some(&queries), ..APPLY };
            for method in ["GET", "HEAD"] {
                check(within, ask(Intent::Read, method, "https://x.test/y"), Ok("https://x.test/y"));
            }
            check(within, query(Intent::Read, "POST"), Ok("https://x.test/y"));
            check(Permission { queries: None, ..within }, query(Intent::Read, "POST"), Ok("https://x.test/y"));
            let odd = ["https://x.test/a/../y".to_owned(), "https://x.test/a/%2e%2e/y".to_owned()];
            for url in &odd {
                let query = HttpAsk { url: url.clone(), ..query(Intent::Read, "POST") };
                let refused =
                    "plugin `rogue` asked for a query to a URL that is not in its normal form (POST https://x.test/y)";
                check(Permission { queries: Some(&odd), ..within }, query, Err(refused));
            }
            for url in
                ["https://x.test/y?lifecycle=deactivate", "https://x.test/y/", "https://x.test/y#", "https://x.test/Y"]
            {
                let elsewhere = HttpAsk { url: url.to_owned(), ..query(Intent::Read, "POST") };
                let shown = url.split(['?', '#']).next().unwrap();
                let refused = format!(
                    "plugin `rogue` asked for a `read` request (POST {shown}) during `{op}` as a query, but its step does not \
                     name this URL among its `queries`"
                );
                check(within, elsewhere, Err(&refused));
            }
            for method in ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "QUERY", "get", "post", "CONNECT"] {
                let asked =
                    format!("plugin `rogue` asked for a `read` request ({method} https://x.test/y) during `{op}`");
                let refused = format!("{asked}; only GET, HEAD, and a POST that is marked as a query count as reading");
                check(within, ask(Intent::Read, method, "https://x.test/y"), Err(&refused));
            }
            for (intent, method) in [
                (Intent::Read, "GET"),
                (Intent::Read, "PUT"),
                (Intent::Read, "DELETE"),
                (Intent::Mutate, "POST"),
                (Intent::Authenticate, "POST"),
            ] {
                let refused = format!(
                    "plugin `rogue` asked for {} request ({method} https://x.test/y) during `{op}` as a query; only a \
                     `read` by POST can be a query",
                    intent_name(intent)
                );
                check(within, query(intent, method), Err(&refused));
            }
        }
        let refused = "plugin `rogue` asked for a `read` request (POST https://x.test/y) during `detect` in a dry run; \
                       there, only GET and HEAD count as reading";
        check(DETECT, query(Intent::Read, "POST"), Err(refused));
    }

    #[test]
    fn only_steps_may_change_anything() {
        check(APPLY, ask(Intent::Mutate, "POST", "https://x.test/y"), Ok("https://x.test/y"));
        check(
            Permission { op: Op::Undo, ..APPLY },
            ask(Intent::Mutate, "DELETE", "https://x.test/y"),
            Ok("https://x.test/y"),
        );
        for op in [Op::Detect, Op::Plan, Op::Observe, Op::Test] {
            let refused = format!(
                "plugin `rogue` asked for a `mutate` request (POST https://x.test/y) during `{op}`, \
                 which must not change anything"
            );
            check(Permission { op, ..APPLY }, ask(Intent::Mutate, "POST", "https://x.test/y"), Err(&refused));
        }
        check(
            Permission { in_step: false, ..APPLY },
            ask(Intent::Mutate, "POST", "https://x.test/y"),
            Err(
                "plugin `rogue` asked for a `mutate` request (POST https://x.test/y) during `apply` outside of any step",
            ),
        );
    }

    #[test]
    fn only_a_mutation_may_store_a_secret() {
        let capture = Capture { pointer: "/x".into(), name: "x".into(), custody: Custody::Durable };
        let keeping = |ask: HttpAsk| HttpAsk { capture: vec![capture.clone()], ..ask };
        check(APPLY, keeping(ask(Intent::Mutate, "POST", "https://x.test/y")), Ok("https://x.test/y"));
        let refused = |what: &str, request: &str, op: Op| {
            format!(
                "plugin `rogue` asked for {what} request ({request}) during `{op}` that stores a secret, \
                 which only a mutation may do"
            )
        };
        for permission in [APPLY, DETECT, Permission { op: Op::Test, ..APPLY }] {
            let token = keeping(form(Intent::Authenticate, "POST", "grant_type"));
            let expect = refused("an `authenticate`", "POST https://x.test/token", permission.op);
            check(permission, token, Err(&expect));
            let read = keeping(ask(Intent::Read, "GET", "https://x.test/y"));
            check(permission, read, Err(&refused("a `read`", "GET https://x.test/y", permission.op)));
        }
        let session = Capture { custody: Custody::Session, ..capture };
        let with = |ask: HttpAsk| HttpAsk { capture: vec![session.clone()], ..ask };
        check(DETECT, with(form(Intent::Authenticate, "POST", "grant_type")), Ok("https://x.test/token"));
        for (intent, method) in [(Intent::Read, "GET"), (Intent::Mutate, "POST")] {
            let refused = format!(
                "plugin `rogue` asked for {} request ({method} https://x.test/y) during `apply` that captures a token, which \
                 only a token request may do",
                intent_name(intent)
            );
            check(APPLY, with(ask(intent, method, "https://x.test/y")), Err(&refused));
        }
    }

    #[test]
    fn only_the_origins_of_the_session_may_be_used() {
        for url in ["https://x.test:443/y", "https://X.TEST/y", "https:\\\\x.test/y", " https://x.test/y"] {
            check(DETECT, ask(Intent::Read, "GET", url), Ok("https://x.test/y"));
        }
        for (url, shown) in [
            ("https://evil.test/y?stolen=1", "https://evil.test/y"),
            ("https://x.test.evil.test/", "https://x.test.evil.test/"),
            ("https://x.test:8443/", "https://x.test:8443/"),
            ("https://sub.x.test/", "https://sub.x.test/"),
            ("https://evil.test\\@x.test/", "https://evil.test/@x.test/"),
        ] {
            let refused = format!(
                "plugin `rogue` asked for a request to a foreign origin (GET {shown}); its session may use only \
                 https://x.test"
            );
            check(DETECT, ask(Intent::Read, "GET", url), Err(&refused));
        }
        let permission = Permission { origins: &origins(), ..DETECT };
        let error = permission.permit(&ask(Intent::Read, "GET", "https://own.test/y?stolen=1")).unwrap_err();
        assert_eq!(
            error.message,
            "plugin `rogue` asked for a request to https://own.test (GET https://own.test/y), which you have not allowed"
        );
        assert!(error.hint.unwrap().contains("add \"https://own.test\" to `origins` under [plugins.rogue]"));
        for url in ["http://x.test/", "ftp://x.test/", "file:///etc/passwd", "data:x,y"] {
            let refused = format!("plugin `rogue` asked for a request without TLS (GET {url})");
            check(DETECT, ask(Intent::Read, "GET", url), Err(&refused));
        }
        for url in ["https://me@x.test/", "https://me:pw@x.test/", "https://:pw@x.test/"] {
            let refused = "plugin `rogue` asked for a request with credentials in the URL (GET https://x.test/)";
            check(DETECT, ask(Intent::Read, "GET", url), Err(refused));
        }
        check(
            DETECT,
            ask(Intent::Read, "GET", "/y?stolen=1"),
            Err("plugin `rogue` asked for a request to an invalid URL (GET /y): relative URL without a base"),
        );
    }

    #[test]
    fn a_plugin_sets_only_headers_of_the_list_and_those_that_the_table_names() {
        let table = json!({
            "headers": { "X-Tenant": "a", "Cookie": "b" },
            "read": { "path": "/", "headers": { "x-read": "$id" }, "body": { "headers": ["x-not-a-table"] } },
            "items": [{ "headers": { "x-not-a-key-of-the-table": "1" } }],
        });
        let named = OfTable::new(table.as_object().unwrap());
        let with = |name: &str| HttpAsk {
            headers: [(name.to_owned(), "x".to_owned())].into(),
            ..ask(Intent::Read, "GET", "https://x.test/y")
        };
        let plain = APPLY;
        let with_table = Permission { of_table: &named, ..APPLY };
        let refused = |name: &str, why: &str| {
            format!("plugin `rogue` asked for a request with the header `{name}` (GET https://x.test/y), {why}")
        };
        for name in ["Accept", "if-match", "If-None-Match", "prefer"] {
            check(plain, with(name), Ok("https://x.test/y"));
        }
        for name in ["x-tenant", "X-READ"] {
            check(plain, with(name), Err(&refused(name, "which you have not allowed")));
            check(with_table, with(name), Ok("https://x.test/y"));
        }
        for name in ["x-okta-retry-for", "X-Original-URL", "Range", "X-Not-A-Table", "x y"] {
            check(with_table, with(name), Err(&refused(name, "which you have not allowed")));
        }
        check(with_table, with("cookie"), Err(&refused("cookie", "which only the host may set")));
        let hint = plain.permit_header("x-tenant", &String::new).unwrap_err().hint;
        assert!(hint.unwrap().contains("a table `headers` of the tenant"));
    }

    #[test]
    fn a_token_goes_only_by_a_scheme_that_no_server_decodes_or_that_the_table_names() {
        let by = |scheme: &str| {
            let auth = Some(Auth::Token { scheme: scheme.to_owned(), token: Handle::new("acme/provider/credential") });
            HttpAsk { auth, ..ask(Intent::Read, "GET", "https://x.test/y") }
        };
        let table = json!({ "auth_scheme": "GenieKey" });
        let named = OfTable::new(table.as_object().unwrap());
        for scheme in ["Bearer", "bearer", "SSWS"] {
            check(DETECT, by(scheme), Ok("https://x.test/y"));
        }
        for scheme in ["Basic", "basic", "Digest", "Negotiate", "x", "GenieKey"] {
            let refused = format!(
                "plugin `rogue` asked to send a token by the scheme `{scheme}` (GET https://x.test/y), which you have not allowed"
            );
            check(DETECT, by(scheme), Err(&refused));
        }
        check(Permission { of_table: &named, ..DETECT }, by("GenieKey"), Ok("https://x.test/y"));
    }

    #[test]
    fn headers_and_methods_of_the_host_are_refused() {
        for name in [
            "Authorization",
            "Proxy-Authorization",
            "Host",
            "Content-Length",
            "Content-Type",
            "User-Agent",
            "Cookie",
            "Connection",
            "Transfer-Encoding",
            "X-HTTP-Method-Override",
            "X-Forwarded-Host",
            "Expect",
        ] {
            let ask = HttpAsk {
                headers: [(name.to_owned(), "x".to_owned())].into(),
                ..ask(Intent::Read, "GET", "https://x.test/y")
            };
            let refused = format!(
                "plugin `rogue` asked for a request with the header `{name}` (GET https://x.test/y), \
                 which only the host may set"
            );
            check(DETECT, ask, Err(&refused));
        }
        check(
            APPLY,
            ask(Intent::Mutate, "CONNECT", "https://x.test/y"),
            Err("plugin `rogue` asked for a request with a method that plugins may not use (CONNECT https://x.test/y)"),
        );
        check(
            APPLY,
            ask(Intent::Mutate, "GET /\r\n", "https://x.test/y"),
            Err("plugin `rogue` asked for a request with an invalid method (GET/ https://x.test/y)"),
        );
    }

    #[test]
    fn plan_must_not_ask_for_anything() {
        let plan = Permission { op: Op::Plan, ..DETECT };
        for (asked, what) in [
            (Ask::Http(ask(Intent::Read, "GET", "https://x.test/y")), "a `read` request (GET https://x.test/y)"),
            (Ask::Http(ask(Intent::Mutate, "POST", "https://x.test/y")), "a `mutate` request (POST https://x.test/y)"),
            (Ask::Sleep { ms: 1 }, "a pause"),
        ] {
            let message = plan.permit_asking(&asked).unwrap_err().message;
            assert_eq!(
                message,
                format!("plugin `rogue` asked for {what} during `plan`, which must not ask for anything")
            );
            assert_eq!(DETECT.permit_asking(&asked), Ok(()));
        }
    }
}
