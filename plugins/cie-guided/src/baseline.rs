//! Takes note of what the directory holds before the swap, to compare it with afterwards.

use flowswap_contract::{
    Counts, Error, ErrorKind, Evidence, EvidenceResult, Handle, StepParams, TestReply, Values, sdk::Crowd,
};
use serde::{Deserialize, Serialize};

use crate::{
    api::Api,
    domains,
    people::{Choice, Groups, Held, People, keys_of},
    plan::{self, BaselinePayload},
    read_payload,
};

/// The key under which people are hashed, made once for a migration.
pub(crate) const KEY: &str = "blinding_key";
/// What there was.
pub(crate) const BASELINE: &str = "baseline";

/// Groups with more members are left out of the sample: what is compared stays in the journal.
pub(crate) const MOST_MEMBERS: u64 = 10_000;

/// What the directory held before the swap.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Baseline {
    /// When it was taken, RFC 3339.
    pub(crate) at: String,
    pub(crate) last_success: Option<String>,
    pub(crate) counts: Counts,
    /// By what users are told apart; the User Principal Name where nothing stands.
    #[serde(default)]
    pub(crate) user_key: Option<String>,
    pub(crate) users: Crowd,
    /// By what groups are told apart; the Distinguished Name where nothing stands.
    #[serde(default)]
    pub(crate) group_key: Option<String>,
    pub(crate) groups: Crowd,
    pub(crate) group_names: Crowd,
    pub(crate) sample: Vec<Sampled>,
    /// The names of all directories of the tenant, so that a new name can be told from another directory.
    #[serde(default)]
    pub(crate) directories: Vec<String>,
}

/// A group whose members are compared.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Sampled {
    /// The hash of its DN.
    pub(crate) group: String,
    pub(crate) members: Crowd,
}

/// Reads everything once.
pub(crate) async fn take(api: &Api<'_>, params: &StepParams) -> Result<TestReply, Error> {
    let payload: BaselinePayload = read_payload(params)?;
    let key = match params.outputs.get(KEY).and_then(Handle::from_value) {
        Some(key) => key,
        None => api.host.mint(KEY).await?,
    };
    let mut outputs = Values::from([(KEY.to_owned(), key.to_value())]);
    let all = domains::list(api).await?;
    let shown = domains::find(&all, &payload.directory)?;
    let people = People { api, directory: &payload.directory, key };
    let users = people.users(None).await?;
    // Twice as many as wanted, for some may have too many members.
    let groups = people.groups(&Choice::Smallest(payload.sample_groups * 2), None).await?;
    let sample = sample_members(&people, &groups, users.key.unwrap_or_default(), payload.sample_groups).await?;
    let evidence = vec![
        describe("users", &users, shown.counts.users),
        describe("groups", &groups.held, shown.counts.groups),
        Evidence::new("sample", EvidenceResult::Pass, describe_sample(&sample)),
    ];
    let baseline = Baseline {
        at: api.host.now().to_owned(),
        last_success: shown.last_sync(),
        counts: shown.counts,
        user_key: users.key.map(str::to_owned),
        users: users.hashes,
        group_key: groups.held.key.map(str::to_owned),
        groups: groups.held.hashes,
        group_names: groups.names,
        sample,
        directories: all.iter().map(|directory| directory.name.clone()).collect(),
    };
    outputs.insert(BASELINE.to_owned(), plan::encode(&baseline)?);
    Ok(TestReply { outputs, evidence, ..TestReply::default() })
}

async fn sample_members(people: &People<'_>, groups: &Groups, key: &str, wanted: usize) -> Result<Vec<Sampled>, Error> {
    let mut sample = Vec::new();
    for (group, id) in &groups.chosen {
        if sample.len() == wanted {
            break;
        }
        if let Some(members) = people.members(id, key, MOST_MEMBERS).await? {
            sample.push(Sampled { group: group.clone(), members });
        }
    }
    Ok(sample)
}

/// Counts and pages are read one after the other, and a sync may come between; so a difference is told and fails nothing,
/// but pages that hold nobody of many are no ground to stand on.
fn describe(what: &str, held: &Held, listed: Option<u64>) -> Evidence {
    let known = held.hashes.len() as u64;
    let mut detail = format!("{} {what}", held.total);
    if let Some(listed) = listed.filter(|listed| *listed != held.total) {
        detail.push_str(&format!("; the list of directories says {listed}"));
    }
    if known != held.total {
        detail.push_str(&format!("; {known} can be told apart by name"));
    }
    if known == 0 && held.total > 0 {
        let shown = held.shown.join(", ");
        detail.push_str(&format!(": none of {} is shown, but {shown}", keys_of(what)));
    }
    let result = match known == 0 && (held.total > 0 || listed.is_some_and(|listed| listed > 0)) {
        true => EvidenceResult::Fail,
        false => EvidenceResult::Pass,
    };
    Evidence::new(what, result, detail)
}

fn describe_sample(sample: &[Sampled]) -> String {
    let members: usize = sample.iter().map(|sampled| sampled.members.len()).sum();
    format!("{} groups with {members} members in all", sample.len())
}

/// What the baseline step left.
pub(crate) fn of_inputs(params: &StepParams) -> Result<Baseline, Error> {
    let value = params.inputs.get(BASELINE).cloned().unwrap_or_default();
    serde_json::from_value(value).map_err(|e| {
        let message = format!("the input `{BASELINE}` of step `{}` does not decode: {e}", params.step.id);
        Error::new(ErrorKind::Protocol, message)
    })
}
