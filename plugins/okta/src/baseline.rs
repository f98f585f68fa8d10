//! Before a person reconnects the directory: does the new client see everybody whom the directory holds?
//!
//! Both sides are compared by keyed hashes, which the host puts in the place of the names before this side sees them.
//! What Okta shows beyond the directory's holding does not count: a directory may hold fewer. Users who were deactivated
//! are listed by neither (Okta leaves the DEPROVISIONED out unless they are searched for).

use flowswap_contract::{
    Auth, Blind, Error, ErrorKind, Evidence, EvidenceResult, Handle, Intent, StepParams, TestReply, sdk::Crowd,
};
use serde::Deserialize;
use serde_json::json;

use crate::{
    api::{Api, Pages, note},
    prove::get_token,
};

/// The rule of a client that sees less than the directory holds.
const BLIND_CLIENT: &str = "new-client-blind";

/// What is compared, and how much of it may be missing, per mille.
struct Kind {
    check: &'static str,
    noun: &'static str,
    path: &'static str,
    /// The name that the directory has, too.
    pointer: &'static str,
    budget: usize,
}

/// People come and go between two looks; groups hardly do.
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

/// What of the directory's baseline is compared.
#[derive(Deserialize)]
struct Held {
    users: Crowd,
    group_names: Crowd,
}

/// What the new client sees.
#[derive(Default)]
struct Visible {
    names: Crowd,
    /// Without those that Okta itself makes, such as "Everyone", which no directory takes over.
    count: usize,
}

/// Looks as the new client at all users and groups.
pub(crate) async fn take(api: &Api<'_>, params: &StepParams) -> Result<TestReply, Error> {
    let held = params.inputs.get("baseline").ok_or_else(|| unreadable(params, "is missing"))?;
    let held = Held::deserialize(held).map_err(|e| unreadable(params, &format!("does not decode: {e}")))?;
    let key = params.secret_input("blinding_key")?;
    let client = Auth::Basic {
        username: params.input("client_id")?.to_owned(),
        password: params.secret_input("client_secret")?,
    };
    let (token, seen) = get_token(api, client, &["okta.groups.read", "okta.users.read"]).await?;
    let mut evidence = vec![seen];
    let Some(token) = token else { return Ok(TestReply { evidence, ..TestReply::default() }) };
    let mut visible = Vec::with_capacity(2);
    for (kind, held) in [(USERS, &held.users), (GROUPS, &held.group_names)] {
        match list_visible(api, &token, &key, &kind).await {
            Ok(found) => {
                evidence.push(compare(&kind, held, &found.names));
                visible.push(found);
            }
            Err(error) if error.kind == ErrorKind::Permission => {
                let refused = note(kind.check, EvidenceResult::Fail, error.message.clone()).of_rule(BLIND_CLIENT);
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
    ask.blind = Some(Box::new(Blind { key: key.clone(), pointers: vec![format!("/*{}", kind.pointer)] }));
    let what = format!("list {} as the new client", kind.noun);
    let mut pages = Pages::new(api, &what, ask);
    let mut visible = Visible::default();
    while let Some(page) = pages.next::<serde_json::Value>().await? {
        visible.names.extend(page.iter().filter_map(|one| one.pointer(kind.pointer)?.as_str()));
        visible.count += page.iter().filter(|one| one["type"] != "BUILT_IN").count();
        api.host.progress(format!("the new client sees {} {}", visible.count, kind.noun));
    }
    Ok(visible)
}

fn compare(kind: &Kind, held: &Crowd, visible: &Crowd) -> Evidence {
    let (noun, all) = (kind.noun, held.len());
    if held.is_empty() {
        return note(kind.check, EvidenceResult::NotApplicable, format!("the directory holds no {noun} to compare"));
    }
    let missing = held.count_missing_in(visible);
    let is_beyond_budget = |missing: usize| missing * 1000 > kind.budget * all;
    // However they are named: so many cannot be the same.
    let too_few = all.saturating_sub(visible.len());
    if !is_beyond_budget(missing) {
        let detail = format!("the new client sees {} of the {all} {noun} that the directory holds", all - missing);
        return note(kind.check, EvidenceResult::Pass, detail);
    }
    if !is_beyond_budget(too_few) && (all - missing) * 2 < all {
        let detail = format!(
            "only {} of the directory's {all} {noun} bear a name that Okta shows, among {}: the two sides name them \
             differently, so they cannot be compared",
            all - missing,
            visible.len()
        );
        return note(kind.check, EvidenceResult::NotApplicable, detail);
    }
    let detail = format!(
        "the new client does not see {} of the {all} {noun} that the directory holds; {} may be missing",
        missing.max(too_few),
        kind.budget * all / 1000
    );
    note(kind.check, EvidenceResult::Fail, detail).of_rule(BLIND_CLIENT)
}

fn unreadable(params: &StepParams, what: &str) -> Error {
    Error::new(ErrorKind::Protocol, format!("the input `baseline` of step `{}` {what}", params.step.id))
}
