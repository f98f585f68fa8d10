//! Collects the results of a group of checks, so that every check of the list gets exactly one.

use crate::{
    list::{CHECKS, Group},
    report::{Check, Failure, Outcome},
};

/// The results of one group of checks so far.
pub(crate) struct Findings {
    group: Group,
    checks: Vec<Check>,
}

impl Findings {
    /// No results yet.
    pub(crate) fn of(group: Group) -> Self {
        Self { group, checks: Vec::new() }
    }

    /// The results, with every check skipped that has none.
    pub(crate) fn finish(mut self, why_skipped: &str) -> Vec<Check> {
        self.skip_rest(why_skipped);
        self.checks
    }

    /// Records the result of a check with one case.
    pub(crate) fn note(&mut self, id: &'static str, verdict: Result<(), Failure>) {
        self.note_cases(id, verdict.map(|()| 1), "");
    }

    /// Records the result of a check and its number of cases. A check without cases is skipped for the reason
    /// `if_none`.
    pub(crate) fn note_cases(&mut self, id: &'static str, verdict: Result<usize, Failure>, if_none: &str) {
        match verdict {
            Ok(0) => self.skip(id, if_none),
            Ok(cases) => self.push(id, Outcome::Passed { cases }),
            Err(failure) => self.push(id, Outcome::Failed(failure)),
        }
    }

    /// Fails the next check that has no result yet. Called when what the group needs exists but does not work, so that
    /// the group cannot pass with all its checks skipped.
    pub(crate) fn fail_next(&mut self, failure: Failure) {
        let next =
            CHECKS.iter().find(|(of, id, _)| *of == self.group && !self.checks.iter().any(|check| check.id == *id));
        if let Some((_, id, _)) = next {
            self.note(id, Err(failure));
        }
    }

    fn skip(&mut self, id: &'static str, why: &str) {
        self.push(id, Outcome::Skipped { why: why.to_owned() });
    }

    fn skip_rest(&mut self, why: &str) {
        let group = self.group;
        for (_, id, _) in CHECKS.iter().filter(|(of, _, _)| *of == group) {
            if !self.checks.iter().any(|check| check.id == *id) {
                self.skip(id, why);
            }
        }
    }

    fn push(&mut self, id: &'static str, outcome: Outcome) {
        let known = CHECKS.iter().find(|(group, known, _)| *group == self.group && *known == id);
        let demand = known.map_or("", |(_, _, demand)| demand);
        debug_assert!(!demand.is_empty(), "`{id}` is not in the list of checks");
        self.checks.push(Check { id, demand, outcome });
    }
}
