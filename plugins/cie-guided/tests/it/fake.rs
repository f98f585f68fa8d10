//! A small Cloud Identity Engine in memory. It keeps users and groups as numbers, and writes them out in answers.

use std::collections::BTreeSet;

use flowswap_contract::{Auth, Body, Error, Handle, HttpAnswer, HttpAsk};
use serde_json::{Value, json};

use crate::driver::{Secrets, World, answer, lost, reveal};

const AUTH: &str = "https://auth.apps.paloaltonetworks.com/oauth2/access_token";
const API: &str = "https://api.sase.paloaltonetworks.com/cie/directory-sync/v1/";

pub(crate) struct FakeCie {
    /// The directory under test.
    pub(crate) name: &'static str,
    pub(crate) users: usize,
    pub(crate) groups: usize,
    /// Users, groups, and memberships (group, user) that no longer exist.
    pub(crate) gone_users: BTreeSet<usize>,
    pub(crate) gone_groups: BTreeSet<usize>,
    pub(crate) left: BTreeSet<(usize, usize)>,
    /// The end of the DNs, if that is not the name.
    pub(crate) dn_suffix: Option<&'static str>,
    /// Whether the directory has the group Everyone, which it should not have.
    pub(crate) everyone: bool,
    /// The counts in the list, instead of the true ones.
    pub(crate) listed: Option<(u64, u64)>,
    pub(crate) status: &'static str,
    pub(crate) last_success: &'static str,
    /// The `Date` of its answers, if any.
    pub(crate) date: Option<String>,
    /// Changes the body of an answer, depending on the URL of the request.
    pub(crate) change_body: Option<fn(&str, Value) -> Value>,
    /// Other directories of the tenant.
    pub(crate) others: Vec<&'static str>,
    /// How many tokens it issued. It accepts only the last one.
    pub(crate) tokens: u32,
    pub(crate) token_revoked: bool,
    /// Every page says that more remain than before.
    pub(crate) endless: bool,
    /// The next request whose URL contains this gets this answer and has no effect.
    pub(crate) refusal: Option<(&'static str, HttpAnswer)>,
    /// The answer to the next request whose URL contains this is lost.
    pub(crate) lose: Option<&'static str>,
    /// The last secret that the directory received.
    pub(crate) secret: Option<String>,
}

impl FakeCie {
    pub(crate) fn new() -> Self {
        Self {
            name: "acme.okta.test",
            users: 2500,
            groups: 40,
            gone_users: BTreeSet::new(),
            gone_groups: BTreeSet::new(),
            left: BTreeSet::new(),
            dn_suffix: None,
            everyone: false,
            listed: None,
            status: "cache_applied",
            last_success: "2026-01-01T11:58:00Z",
            date: Some("Thu, 01 Jan 2026 12:00:00 GMT".to_owned()),
            change_body: None,
            others: vec!["other.okta.test"],
            tokens: 0,
            token_revoked: false,
            endless: false,
            refusal: None,
            lose: None,
            secret: None,
        }
    }

    /// The members of the group. Every user is in exactly one group.
    pub(crate) fn members(&self, group: usize) -> impl Iterator<Item = usize> + '_ {
        (group..self.users)
            .step_by(self.groups)
            .filter(move |user| !self.gone_users.contains(user) && !self.left.contains(&(group, *user)))
    }

    /// The DN of a group, in clear text.
    pub(crate) fn dn(&self, group: usize) -> String {
        format!("CN={},DC={}", group_name(group), self.dn_suffix.unwrap_or(self.name).replace('.', ",DC="))
    }

    fn serve(&mut self, ask: &HttpAsk, secrets: &Secrets) -> HttpAnswer {
        if ask.url == AUTH {
            return self.issue_token(ask, secrets);
        }
        let Some(Auth::Token { scheme, token }) = &ask.auth else { panic!("no token: {ask:?}") };
        let is_live = reveal(token, secrets) == format!("CANARY-token-{}", self.tokens) && !self.token_revoked;
        if scheme != "Bearer" || !is_live {
            return answer(401, json!({"statusCode": 401, "error": "Unauthorized", "message": "Invalid token"}));
        }
        let body = match &ask.body {
            Some(Body::Json(body)) => body.clone(),
            _ => Value::Null,
        };
        let operation = ask.url.strip_prefix(API).unwrap_or_else(|| panic!("a request to another place: {}", ask.url));
        match (ask.method.as_str(), operation) {
            ("GET", "domains") => self.list(),
            ("POST", "cache-users") => self.query_users(&body),
            ("POST", "cache-groups") => self.query_groups(&body),
            ("POST", "connection/update-secret") => {
                let secret = Handle::from_value(&body["client_secret"]).expect("the secret is a handle");
                self.secret = Some(reveal(&secret, secrets).to_owned());
                answer(200, json!({"success": true, "result": true}))
            }
            other => panic!("there is no such operation: {other:?}"),
        }
    }

    fn issue_token(&mut self, ask: &HttpAsk, secrets: &Secrets) -> HttpAnswer {
        let Some(Auth::Basic { password, .. }) = &ask.auth else { panic!("no client: {ask:?}") };
        let Some(Body::Form(form)) = &ask.body else { panic!("no form: {ask:?}") };
        assert!(form.contains(&("scope".to_owned(), json!("tsg_id:1234567890"))), "{form:?}");
        if reveal(password, secrets) != "CANARY-cie-secret" {
            return answer(401, json!({"error": "invalid_client"}));
        }
        self.tokens += 1;
        self.token_revoked = false;
        let token = format!("CANARY-token-{}", self.tokens);
        answer(200, json!({"access_token": token, "token_type": "Bearer", "expires_in": 899}))
    }

    fn list(&self) -> HttpAnswer {
        let at = self.last_success.parse::<jiff::Timestamp>().unwrap().as_second();
        let entry = |name: &str, users: u64, groups: u64| {
            json!({
                "count": {"computer": 0, "container": 0, "group": groups, "ou": 0, "user": users},
                "domain": name, "log": [], "netbios": "x", "sync_duration": 1200, "type": "Okta",
                "status": {"description": self.status, "lastSuccessUpdatedOn": at, "statusUpdatedOn": at},
            })
        };
        let counts = ((self.users - self.gone_users.len()) as u64, (self.groups - self.gone_groups.len()) as u64);
        let (users, groups) = self.listed.unwrap_or(counts);
        let others = self.others.iter().map(|name| entry(name, 7, 1));
        let all: Vec<_> = [entry(self.name, users, groups)].into_iter().chain(others).collect();
        answer(200, json!({"success": true, "result": all}))
    }

    fn query_users(&self, body: &Value) -> HttpAnswer {
        let write = |user: usize| {
            let upn = format!("User{user}@acme.test ");
            json!({"User Principal Name": upn, "Manager": {"Name": "personal"}})
        };
        match body.pointer("/filter/name/attrValue").and_then(Value::as_str) {
            Some(id) => {
                let group = id.trim_start_matches("00g").parse().unwrap();
                self.page(body, self.members(group).count(), self.members(group), write)
            }
            // Without a filter, the page starts at its number and needs no counting.
            None if self.gone_users.is_empty() => self.page(body, self.users, 0..self.users, write),
            None => {
                let users = (0..self.users).filter(|user| !self.gone_users.contains(user));
                self.page(body, self.users - self.gone_users.len(), users, write)
            }
        }
    }

    fn query_groups(&self, body: &Value) -> HttpAnswer {
        let everyone = usize::MAX;
        let write = |group: usize| {
            if group == everyone {
                return json!({"Distinguished Name": "CN=Everyone", "Name": "Everyone", "Unique Identifier": "00gE"});
            }
            json!({
                "Distinguished Name": self.dn(group), "Name": group_name(group),
                "Unique Identifier": format!("00g{group}"),
            })
        };
        let mut wanted: Vec<usize> = (0..self.groups).filter(|group| !self.gone_groups.contains(group)).collect();
        wanted.extend(self.everyone.then_some(everyone));
        if let Some(name) = body.pointer("/name/attrValue") {
            wanted.retain(|group| write(*group)["Name"] == *name);
        }
        self.page(body, wanted.len(), wanted.into_iter(), write)
    }

    fn page(
        &self,
        body: &Value,
        total: usize,
        wanted: impl Iterator<Item = usize>,
        write: impl Fn(usize) -> Value,
    ) -> HttpAnswer {
        if body["domain"] != self.name {
            return answer(400, json!({"statusCode": 400, "error": "Bad Request", "message": "Domain not found"}));
        }
        let (number, size) = (body["pageNum"].as_u64().unwrap() as usize, body["pageSz"].as_u64().unwrap() as usize);
        assert!((1..=1000).contains(&size) && number >= 1, "{body}");
        assert_eq!(body["useNormalizedAttrs"], "True");
        let start = (number - 1) * size;
        let objects: Vec<_> = wanted.skip(start).take(size).map(write).collect();
        let remains = if self.endless { 1000 } else { total.saturating_sub(start + size) };
        let domains = json!([{"domainName": self.name, "lastSyncTmp": 0, "netbios": "x", "objects": objects}]);
        answer(
            200,
            json!({
                "success": true,
                "result": {
                    "count": objects.len(), "data": {"domains": domains}, "pageNum": number, "pageSz": size,
                    "remains": remains,
                },
            }),
        )
    }
}

fn group_name(group: usize) -> String {
    format!("Group {group}")
}

impl World for FakeCie {
    fn answer(&mut self, ask: &HttpAsk, secrets: &Secrets) -> Result<HttpAnswer, Error> {
        if self.refusal.as_ref().is_some_and(|(at, _)| ask.url.contains(at)) {
            return Ok(self.refusal.take().unwrap().1);
        }
        let mut answer = self.serve(ask, secrets);
        if let Some(change_body) = self.change_body {
            answer.body = change_body(&ask.url, answer.body);
        }
        answer.headers.extend(self.date.clone().map(|date| ("date".to_owned(), date)));
        match self.lose.take_if(|at| ask.url.contains(*at)) {
            Some(_) => Err(lost()),
            None => Ok(answer),
        }
    }
}
