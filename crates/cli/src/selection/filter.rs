//! The options that leave only some tenants. Each says what there is if it fits no tenant.

use std::collections::{BTreeMap, BTreeSet};

use flowswap_config::find_nearest;
use flowswap_engine::{TenantState, Verdict};

use super::Candidate;
use crate::{
    args::Select,
    exit::{Exit, Failure},
};

/// One option with its values. A tenant fits if it has one of them.
pub(super) enum Filter<'a> {
    State(&'a [TenantState]),
    Verdict(&'a [Verdict]),
    Finding(&'a [String]),
    Owner(&'a [String]),
    Wave(&'a [String]),
    Label(&'a str, Vec<&'a str>),
}

/// A hint that lists more values is hard to read.
const MANY: usize = 8;

/// The filters that were passed. Every label is one.
pub(super) fn filters(args: &Select) -> Vec<Filter<'_>> {
    let mut labels: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (name, value) in &args.labels {
        labels.entry(name).or_default().push(value);
    }
    let passed = [
        (!args.states.is_empty()).then_some(Filter::State(&args.states)),
        (!args.verdicts.is_empty()).then_some(Filter::Verdict(&args.verdicts)),
        (!args.findings.is_empty()).then_some(Filter::Finding(&args.findings)),
        (!args.owners.is_empty()).then_some(Filter::Owner(&args.owners)),
        (!args.waves.is_empty()).then_some(Filter::Wave(&args.waves)),
    ];
    let labels = labels.into_iter().map(|(name, values)| Filter::Label(name, values));
    passed.into_iter().flatten().chain(labels).collect()
}

impl Filter<'_> {
    /// The names of the tenants that fit. Fails if none does, or if no tenant has an owner or a label of that spelling.
    pub(super) fn apply<'c>(&self, candidates: &[Candidate<'c>]) -> Result<BTreeSet<&'c str>, Failure> {
        let values = |candidate: &Candidate<'_>| -> Vec<String> {
            match self {
                Self::State(_) => vec![candidate.state.to_string()],
                Self::Verdict(_) => candidate.verdict.iter().map(ToString::to_string).collect(),
                Self::Finding(_) => candidate.findings.to_vec(),
                Self::Owner(_) => candidate.owner().map(str::to_owned).into_iter().collect(),
                Self::Wave(_) => candidate.wave.iter().map(ToString::to_string).collect(),
                Self::Label(name, _) => candidate.label(name).map(str::to_owned).into_iter().collect(),
            }
        };
        let wanted = self.wanted();
        let present: BTreeSet<String> = candidates.iter().flat_map(values).collect();
        // States come and go, but no tenant will ever have a misspelt owner.
        let is_written = matches!(self, Self::Owner(_) | Self::Wave(_) | Self::Label(..));
        let missing = wanted.iter().find(|wanted| !present.contains(*wanted));
        if let Some(missing) = missing.filter(|_| is_written || wanted.iter().all(|wanted| !present.contains(wanted))) {
            return Err(self.refuse(missing, &present, candidates));
        }
        let fits = |candidate: &&Candidate<'_>| values(candidate).iter().any(|value| wanted.contains(value));
        Ok(candidates.iter().filter(fits).map(|candidate| candidate.name).collect())
    }

    fn wanted(&self) -> Vec<String> {
        match self {
            Self::State(states) => states.iter().map(ToString::to_string).collect(),
            Self::Verdict(verdicts) => verdicts.iter().map(ToString::to_string).collect(),
            Self::Finding(names) | Self::Owner(names) | Self::Wave(names) => names.to_vec(),
            Self::Label(_, values) => values.iter().map(|value| (*value).to_owned()).collect(),
        }
    }

    fn refuse(&self, missing: &str, present: &BTreeSet<String>, candidates: &[Candidate<'_>]) -> Failure {
        let (error, kind) = match self {
            Self::State(_) => (format!("no tenant is `{missing}`"), "states".to_owned()),
            Self::Verdict(_) => (format!("no tenant has the verdict `{missing}`"), "verdicts".to_owned()),
            Self::Finding(_) => (format!("no tenant has the finding `{missing}`"), "findings".to_owned()),
            Self::Owner(_) => (format!("no tenant has the owner `{missing}`"), "owners".to_owned()),
            Self::Wave(_) => (format!("no tenant is in the wave `{missing}`"), "waves".to_owned()),
            Self::Label(name, _) => {
                (format!("no tenant has the label `{name}={missing}`"), format!("values of `{name}`"))
            }
        };
        let failure = Failure::new(Exit::Usage, error);
        if let (Self::Label(name, _), true) = (self, present.is_empty()) {
            let labels = candidates.iter().filter_map(|candidate| candidate.config).flat_map(|it| it.labels.keys());
            let labels: BTreeSet<String> = labels.map(ToString::to_string).collect();
            return failure.hint(list(name, &labels, "labels", "give tenants `labels` in the configuration"));
        }
        failure.hint(match self {
            Self::Wave(_) => list(missing, present, &kind, "no plan has any; see `[[wave]]` in `migrate.toml.example`"),
            // They exist, so the person has not mistyped any.
            Self::State(_) | Self::Verdict(_) if !present.is_empty() => enumerate(present, &kind),
            Self::Verdict(_) | Self::Finding(_) => {
                list(missing, present, &kind, "no plan has any; to look now: flowswap detect")
            }
            _ => list(missing, present, &kind, "no tenant has any"),
        })
    }
}

/// The nearest of the values, or the values themselves.
fn list(word: &str, values: &BTreeSet<String>, kind: &str, if_none: &str) -> String {
    if let Some(nearest) = find_nearest(word, values.iter().map(String::as_str)) {
        return format!("did you mean `{nearest}`?");
    }
    if values.is_empty() { if_none.to_owned() } else { enumerate(values, kind) }
}

fn enumerate(values: &BTreeSet<String>, kind: &str) -> String {
    let first: Vec<&str> = values.iter().take(MANY).map(String::as_str).collect();
    match values.len() {
        count if count > MANY => format!("the {kind} are {}, and {} more", first.join(", "), count - MANY),
        _ => format!("the {kind} are {}", first.join(", ")),
    }
}
