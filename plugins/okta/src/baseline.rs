//! Checks, before a person reconnects the directory, that the new client sees every user and group in the directory.
//!
//! The comparison uses keyed hashes, which the host puts in place of the names before this plugin sees them. Users and groups
//! that only Okta has do not count: a directory may hold fewer. Neither side lists deactivated users (Okta leaves out the
//! DEPROVISIONED ones unless a search names them).

use flowswap_contract::{
    Auth, Blind, Error, ErrorKind, Evidence, EvidenceResult, Handle, Intent, StepParams, TestReply,
    sdk::{Crowd, CrowdBuilder},
};
use serde::Deserialize;
use serde_json::json;

use crate::{
    api::{Api, Pages},
    prove::{client_of, get_token},
};

/// The rule for a client that sees less than the directory holds.
const BLIND_CLIENT: &str = "new-client-blind";

/// A kind of object to compare, and how many of it may be missing, per mille.
struct Kind {
    check: &'static str,
    noun: &'static str,
    path: &'static str,
    /// The name, which the directory has too.
    pointer: &'static str,
    budget: usize,
}

/// People come and go between two checks; groups hardly do.
const USERS: Kind = Kind {
    check: "users-visible",
    noun: "users",
    path: "/api/v1/users?limit=200",
    pointer: "/profile/login",
    budget: 5,
};

const GROUPS: Kind = Kind {
    check: "groups-visible",
    noun: "groups",
    path: "/api/v1/groups?limit=200",
    pointer: "/profile/name",
    budget: 0,
};

/// The part of the directory's baseline that this check compares.
#[derive(Deserialize)]
struct DirectoryBaseline {
    users: Crowd,
    group_names: Crowd,
}

/// What the new client sees.
#[derive(Default)]
struct Visible {
    names: Crowd,
    /// Without the groups that Okta makes itself, such as "Everyone", which no directory copies.
    count: usize,
}

/// Lists all users and groups as the new client, and compares them with the directory's baseline.
pub(crate) async fn take(api: &Api<'_>, params: &StepParams) -> Result<TestReply, Error> {
    let baseline = params.inputs.get("baseline").ok_or_else(|| unreadable(params, "is missing"))?;
    let directory =
        DirectoryBaseline::deserialize(baseline).map_err(|e| unreadable(params, &format!("does not decode: {e}")))?;
    let key = params.secret_input("blinding_key")?;
    let (token, seen) = get_token(api, client_of(params)?, &["okta.groups.read", "okta.users.read"]).await?;
    let mut evidence = vec![seen];
    let Some(token) = token else { return Ok(TestReply { evidence, ..TestReply::default() }) };
    let mut visible = Vec::with_capacity(2);
    for (kind, held) in [(USERS, &directory.users), (GROUPS, &directory.group_names)] {
        match list_visible(api, &token, &key, &kind).await {
            Ok(found) => {
                evidence.push(compare(&kind, held, &found.names));
                visible.push(found);
            }
            Err(error) if error.kind == ErrorKind::Permission => {
                let refused =
                    Evidence::new(kind.check, EvidenceResult::Fail, error.message.clone()).of_rule(BLIND_CLIENT);
                evidence.push(refused.by_request(error.context.get("request_id")));
            }
            Err(error) => return Err(error),
        }
    }
    let mut reply = TestReply { evidence, ..TestReply::default() };
    if let [users, groups] = visible.as_slice() {
        let baseline = json!({
            "at": api.host.now(),
            "counts": { "users": users.count, "groups": groups.count },
            "users": users.names,
            "group_names": groups.names,
        });
        reply.outputs.insert("provider_baseline".to_owned(), baseline);
    }
    Ok(reply)
}

async fn list_visible(api: &Api<'_>, token: &Handle, key: &Handle, kind: &Kind) -> Result<Visible, Error> {
    let auth = Auth::Token { scheme: "Bearer".to_owned(), token: token.clone() };
    let mut ask = api.ask_as(auth, Intent::Read, "GET", kind.path);
    ask = ask.keeping(&[&format!("/*{}", kind.pointer), "/*/type"]);
    ask.blind = Some(Box::new(Blind { key: key.clone(), pointers: vec![format!("/*{}", kind.pointer)] }));
    let what = format!("list {} as the new client", kind.noun);
    let mut pages = Pages::new(api, &what, ask);
    let mut visible = Visible::default();
    let mut names = CrowdBuilder::default();
    while let Some(page) = pages.next::<serde_json::Value>().await? {
        names.add(page.iter().filter_map(|one| one.pointer(kind.pointer)?.as_str()));
        visible.count += page.iter().filter(|one| one["type"] != "BUILT_IN").count();
        api.host.progress(format!("the new client sees {} {}", visible.count, kind.noun));
    }
    visible.names = names.build();
    Ok(visible)
}

fn compare(kind: &Kind, held: &Crowd, visible: &Crowd) -> Evidence {
    let (noun, all) = (kind.noun, held.len());
    if held.is_empty() {
        return Evidence::new(
            kind.check,
            EvidenceResult::NotApplicable,
            format!("the directory holds no {noun} to compare"),
        );
    }
    let missing = held.count_missing_in(visible);
    let is_beyond_budget = |missing: usize| missing * 1000 > kind.budget * all;
    // Independent of the names: at least this many are missing.
    let too_few = all.saturating_sub(visible.len());
    if !is_beyond_budget(missing) {
        let detail = format!("the new client sees {} of the directory's {all} {noun}", all - missing);
        return Evidence::new(kind.check, EvidenceResult::Pass, detail);
    }
    if !is_beyond_budget(too_few) && (all - missing) * 2 < all {
        let detail = format!(
            "only {} of the directory's {all} {noun} have a name that Okta shows ({} names). The two sides name them \
             differently, so flowswap cannot compare them",
            all - missing,
            visible.len()
        );
        return Evidence::new(kind.check, EvidenceResult::NotApplicable, detail);
    }
    let detail = format!(
        "the new client does not see {} of the directory's {all} {noun}; at most {} may be missing",
        missing.max(too_few),
        kind.budget * all / 1000
    );
    Evidence::new(kind.check, EvidenceResult::Fail, detail).of_rule(BLIND_CLIENT)
}

fn unreadable(params: &StepParams, what: &str) -> Error {
    Error::new(ErrorKind::Protocol, format!("the input `baseline` of step `{}` {what}", params.step.id))
}
