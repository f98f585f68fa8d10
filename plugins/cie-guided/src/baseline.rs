//! Records what the directory holds before the swap, to compare it afterwards.

use flowswap_contract::{
    Counts, Error, ErrorKind, Evidence, EvidenceResult, Handle, StepParams, TestReply, Values, sdk::Crowd,
};
use serde::{Deserialize, Serialize};

use crate::{
    api::Api,
    domains,
    people::{GroupSelection, Groups, Hashed, People, keys_of},
    plan::BaselinePayload,
};

/// The output with the key of the hashes, which is made once for a migration.
pub(crate) const KEY: &str = "blinding_key";
/// The output with the baseline.
pub(crate) const BASELINE: &str = "baseline";

/// Groups with more members are left out of the sample, because the journal keeps the hashes of all sampled members.
pub(crate) const MAX_MEMBERS: u64 = 10_000;

/// What the directory held before the swap.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Baseline {
    /// When it was recorded, RFC 3339.
    pub(crate) at: String,
    pub(crate) last_success: Option<String>,
    pub(crate) counts: Counts,
    /// The attribute that identifies users; the User Principal Name if absent.
    #[serde(default)]
    pub(crate) user_key: Option<String>,
    pub(crate) users: Crowd,
    /// The attribute that identifies groups; the Distinguished Name if absent.
    #[serde(default)]
    pub(crate) group_key: Option<String>,
    pub(crate) groups: Crowd,
    pub(crate) group_names: Crowd,
    pub(crate) sample: Vec<Sampled>,
    /// The names of all directories of the tenant, so that a renamed directory is not confused with another one.
    #[serde(default)]
    pub(crate) directories: Vec<String>,
}

/// A group whose members flowswap compares.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Sampled {
    /// The hash of its DN.
    pub(crate) group: String,
    pub(crate) members: Crowd,
}

/// Reads all users, all groups, and the members of the sample once.
pub(crate) async fn take(api: &Api<'_>, params: &StepParams) -> Result<TestReply, Error> {
    let payload: BaselinePayload = params.payload()?;
    let key = match params.outputs.get(KEY).and_then(Handle::from_value) {
        Some(key) => key,
        None => api.host.mint(KEY).await?,
    };
    let mut outputs = Values::from([(KEY.to_owned(), key.to_value())]);
    let all = domains::list(api).await?;
    let shown = domains::find(&all, &payload.directory)?;
    let people = People { api, directory: &payload.directory, key };
    let users = people.users(None).await?;
    // Twice as many as wanted, because some may have too many members.
    let groups = people.groups(&GroupSelection::Smallest(payload.sample_groups * 2), None).await?;
    let sample = sample_members(&people, &groups, users.key.unwrap_or_default(), payload.sample_groups).await?;
    let evidence = vec![
        describe("users", &users, shown.counts.users),
        describe("groups", &groups.hashed, shown.counts.groups),
        Evidence::new("sample", EvidenceResult::Pass, describe_sample(&sample)),
    ];
    let baseline = Baseline {
        at: api.host.now().to_owned(),
        last_success: shown.last_sync(),
        counts: shown.counts,
        user_key: users.key.map(str::to_owned),
        users: users.hashes,
        group_key: groups.hashed.key.map(str::to_owned),
        groups: groups.hashed.hashes,
        group_names: groups.names,
        sample,
        directories: all.iter().map(|directory| directory.name.clone()).collect(),
    };
    let baseline = serde_json::to_value(&baseline)
        .map_err(|e| Error::new(ErrorKind::Internal, format!("the baseline does not encode: {e}")))?;
    outputs.insert(BASELINE.to_owned(), baseline);
    Ok(TestReply { outputs, evidence, ..TestReply::default() })
}

async fn sample_members(people: &People<'_>, groups: &Groups, key: &str, wanted: usize) -> Result<Vec<Sampled>, Error> {
    let mut sample = Vec::new();
    for (group, id) in &groups.chosen {
        if sample.len() == wanted {
            break;
        }
        if let Some(members) = people.members(id, key, MAX_MEMBERS).await? {
            sample.push(Sampled { group: group.clone(), members });
        }
    }
    Ok(sample)
}

/// A sync may come between reading the count and the pages, so a small difference is reported and does not fail the check. It fails
/// if fewer than half of the objects can be compared: then the loss of the others would not show.
fn describe(what: &str, hashed: &Hashed, listed: Option<u64>) -> Evidence {
    let known = hashed.hashes.len() as u64;
    let mut detail = format!("{} {what}", hashed.total);
    if let Some(listed) = listed.filter(|listed| *listed != hashed.total) {
        detail.push_str(&format!("; the list of directories shows {listed}"));
    }
    if known != hashed.total {
        detail.push_str(&format!("; flowswap can identify {known}"));
    }
    if known == 0 && hashed.total > 0 {
        let shown = hashed.shown.join(", ");
        detail.push_str(&format!(": they need one of {}, but show only {shown}", keys_of(what)));
    }
    let held = listed.unwrap_or(0).max(hashed.total);
    if known.saturating_mul(2) >= held {
        return Evidence::new(what, EvidenceResult::Pass, detail);
    }
    if known > 0 {
        detail.push_str(&format!(
            ". That is less than half of {held}: wait until the directory has finished a full sync, and apply again"
        ));
    }
    Evidence::new(what, EvidenceResult::Fail, detail)
}

fn describe_sample(sample: &[Sampled]) -> String {
    let members: usize = sample.iter().map(|sampled| sampled.members.len()).sum();
    format!("{} groups with {members} members in total", sample.len())
}

/// Reads the baseline that the baseline step recorded.
pub(crate) fn of_inputs(params: &StepParams) -> Result<Baseline, Error> {
    let value = params.inputs.get(BASELINE).cloned().unwrap_or_default();
    serde_json::from_value(value).map_err(|e| {
        let message = format!("the input `{BASELINE}` of step `{}` does not decode: {e}", params.step.id);
        Error::new(ErrorKind::Protocol, message)
    })
}
