//! Compares what the directory holds with what it held before the swap. Pure.

use std::collections::BTreeMap;

use flowswap_contract::{Counts, Evidence, EvidenceResult, sdk::Crowd};

use crate::{
    baseline::Baseline,
    config::LossBudget,
    domains::Directory,
    people::{Groups, Held},
};

/// Where the directory of this name is now; none where it is there. A name that was nobody's before is the new name.
pub(crate) fn find_missing(name: &str, all: &[Directory], baseline: &Baseline) -> Option<Evidence> {
    if all.iter().any(|directory| directory.name == name) {
        return None;
    }
    let new: Vec<_> = all.iter().filter(|directory| !baseline.directories.contains(&directory.name)).collect();
    let fail = |detail: String| Evidence::new("directory", EvidenceResult::Fail, detail);
    Some(match new.iter().min_by_key(|directory| difference(&directory.counts, &baseline.counts)) {
        Some(directory) => fail(format!(
            "{name} is not there any more, and {} is, which was not there before: every group has another \
             distinguished name now",
            directory.name
        ))
        .of_rule("directory-renamed"),
        None => fail(format!("{name} is not there any more")).of_rule("directory-missing"),
    })
}

fn difference(a: &Counts, b: &Counts) -> u64 {
    let apart = |a: Option<u64>, b: Option<u64>| a.unwrap_or(0).abs_diff(b.unwrap_or(0));
    apart(a.users, b.users).saturating_add(apart(a.groups, b.groups))
}

/// Users: by the two counts, and one by one. New ones make up for nobody.
pub(crate) fn users(now: &Held, listed: Option<u64>, baseline: &Baseline, budget: LossBudget) -> Evidence {
    let may_miss = budget.users_of(baseline.users.len() as u64);
    let missing = missing(&baseline.users, &now.hashes);
    let fewer = fewer(baseline.counts.users, listed);
    let detail = format!(
        "{} users, {missing} of the {} before are missing{}; {may_miss} may be",
        now.total,
        baseline.users.len(),
        if_fewer(fewer),
    );
    let is_kept = missing <= may_miss && fewer <= budget.users_of(baseline.counts.users.unwrap_or(0));
    judge("users", is_kept, detail, "users-lost")
}

/// Groups, by their DNs. Where the DNs are gone and the names are there, somebody renamed the directory.
pub(crate) fn groups(now: &Groups, listed: Option<u64>, baseline: &Baseline, budget: LossBudget) -> Evidence {
    let missing_names = missing(&baseline.group_names, &now.names);
    let missing = missing(&baseline.groups, &now.held.hashes);
    let fewer = fewer(baseline.counts.groups, listed);
    let detail = format!(
        "{} groups, {missing} of the {} before are missing{}; {} may be",
        now.held.total,
        baseline.groups.len(),
        if_fewer(fewer),
        budget.groups,
    );
    let is_kept = missing <= budget.groups && fewer <= budget.groups;
    if !is_kept && missing > budget.groups && missing_names <= budget.groups && !baseline.group_names.is_empty() {
        let detail = format!("{detail}. Their names are all there: their distinguished names changed");
        return judge("groups", false, detail, "directory-renamed");
    }
    judge("groups", is_kept, detail, "groups-lost")
}

/// The members of the sampled groups, by the hash of the group's DN; a group that is gone counts as one, not by its members,
/// and who is gone altogether counts as a user.
pub(crate) fn members(
    now: &BTreeMap<String, Crowd>,
    users: &Crowd,
    baseline: &Baseline,
    budget: LossBudget,
) -> Evidence {
    let (mut before, mut missing, mut groups) = (0, 0, 0);
    for sampled in &baseline.sample {
        let Some(members) = now.get(&sampled.group) else { continue };
        groups += 1;
        before += sampled.members.len() as u64;
        // Without those who are no user any more: who of them was a member cannot be missing here and there.
        let left = self::missing(&sampled.members, members);
        let gone = self::missing(&sampled.members, users);
        missing += left.saturating_sub(gone);
    }
    let may_miss = budget.users_of(before);
    let detail = format!("{groups} groups had {before} members, of whom {missing} left; {may_miss} may have");
    judge("members", missing <= may_miss, detail, "members-changed")
}

fn judge(check: &str, is_kept: bool, detail: String, rule: &str) -> Evidence {
    match is_kept {
        true => Evidence::new(check, EvidenceResult::Pass, detail),
        false => Evidence::new(check, EvidenceResult::Fail, detail).of_rule(rule),
    }
}

fn missing(before: &Crowd, now: &Crowd) -> u64 {
    before.count_missing_in(now) as u64
}

fn fewer(before: Option<u64>, now: Option<u64>) -> u64 {
    before.zip(now).map_or(0, |(before, now)| before.saturating_sub(now))
}

fn if_fewer(fewer: u64) -> String {
    if fewer == 0 { String::new() } else { format!(", and the list of directories says {fewer} fewer") }
}
