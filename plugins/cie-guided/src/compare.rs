//! Compares what the directory holds now with what it held before the swap. Pure.

use std::collections::BTreeMap;

use flowswap_contract::{Counts, Evidence, EvidenceResult, sdk::Crowd};

use crate::{
    baseline::Baseline,
    config::LossBudget,
    domains::Directory,
    people::{Groups, Hashed},
};

/// Evidence that the directory of this name is gone, or `None` if it exists. A directory whose name did not exist before is
/// the renamed one.
pub(crate) fn find_missing(name: &str, all: &[Directory], baseline: &Baseline) -> Option<Evidence> {
    if all.iter().any(|directory| directory.name == name) {
        return None;
    }
    let new: Vec<_> = all.iter().filter(|directory| !baseline.directories.contains(&directory.name)).collect();
    let fail = |detail: String| Evidence::new("directory", EvidenceResult::Fail, detail);
    Some(match new.iter().min_by_key(|directory| difference(&directory.counts, &baseline.counts)) {
        Some(directory) => fail(format!(
            "{name} no longer exists, but a new directory {} does: the directory was probably renamed. Every group then has another \
             distinguished name",
            directory.name
        ))
        .of_rule("directory-renamed"),
        None => fail(format!("{name} no longer exists")).of_rule("directory-missing"),
    })
}

fn difference(a: &Counts, b: &Counts) -> u64 {
    let distance = |a: Option<u64>, b: Option<u64>| a.unwrap_or(0).abs_diff(b.unwrap_or(0));
    distance(a.users, b.users).saturating_add(distance(a.groups, b.groups))
}

/// Compares users by both counts and one by one. A new user does not make up for a missing one.
pub(crate) fn users(now: &Hashed, listed: Option<u64>, baseline: &Baseline, budget: LossBudget) -> Evidence {
    let may_miss = budget.users_of(baseline.users.len() as u64);
    let missing = missing(&baseline.users, &now.hashes);
    let fewer = fewer(baseline.counts.users, listed);
    let detail = format!(
        "{} users; {missing} of the earlier {} are missing{} (allowed: {may_miss})",
        now.total,
        baseline.users.len(),
        if_fewer(fewer),
    );
    let is_kept = missing <= may_miss && fewer <= budget.users_of(baseline.counts.users.unwrap_or(0));
    to_evidence("users", is_kept, detail, "users-lost")
}

/// Compares groups by their DNs. If the DNs are gone and the names are not, somebody renamed the directory.
pub(crate) fn groups(now: &Groups, listed: Option<u64>, baseline: &Baseline, budget: LossBudget) -> Evidence {
    let missing_names = missing(&baseline.group_names, &now.names);
    let missing = missing(&baseline.groups, &now.hashed.hashes);
    let fewer = fewer(baseline.counts.groups, listed);
    let detail = format!(
        "{} groups; {missing} of the earlier {} are missing{} (allowed: {})",
        now.hashed.total,
        baseline.groups.len(),
        if_fewer(fewer),
        budget.groups,
    );
    let is_kept = missing <= budget.groups && fewer <= budget.groups;
    if !is_kept && missing > budget.groups && missing_names <= budget.groups && !baseline.group_names.is_empty() {
        let detail = format!("{detail}. All names are still there, so the distinguished names changed");
        return to_evidence("groups", false, detail, "directory-renamed");
    }
    to_evidence("groups", is_kept, detail, "groups-lost")
}

/// Compares the members of the sampled groups, by the hash of the group's DN. A missing group counts as a group, not by its
/// members. A missing user counts as a user, not as a member.
pub(crate) fn members(
    now: &BTreeMap<String, Crowd>,
    users: &Crowd,
    baseline: &Baseline,
    budget: LossBudget,
) -> Evidence {
    let mut before = 0;
    let mut missing = 0;
    let mut groups = 0;
    for sampled in &baseline.sample {
        let Some(members) = now.get(&sampled.group) else { continue };
        groups += 1;
        before += sampled.members.len() as u64;
        // Subtract those who are no longer users: they count as missing users already.
        let left = self::missing(&sampled.members, members);
        let gone = self::missing(&sampled.members, users);
        missing += left.saturating_sub(gone);
    }
    let may_miss = budget.users_of(before);
    let detail = format!("{groups} groups had {before} members; {missing} of those are missing (allowed: {may_miss})");
    to_evidence("members", missing <= may_miss, detail, "members-changed")
}

fn to_evidence(check: &str, is_kept: bool, detail: String, rule: &str) -> Evidence {
    if is_kept {
        Evidence::new(check, EvidenceResult::Pass, detail)
    } else {
        Evidence::new(check, EvidenceResult::Fail, detail).of_rule(rule)
    }
}

fn missing(before: &Crowd, now: &Crowd) -> u64 {
    before.count_missing_in(now) as u64
}

fn fewer(before: Option<u64>, now: Option<u64>) -> u64 {
    before.zip(now).map_or(0, |(before, now)| before.saturating_sub(now))
}

fn if_fewer(fewer: u64) -> String {
    if fewer == 0 { String::new() } else { format!(", and the list of directories shows {fewer} fewer") }
}
