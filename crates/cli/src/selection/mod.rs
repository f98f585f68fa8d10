//! Which tenants a command is about. Names, patterns, states, labels, and files become a list of names here, and nowhere else.

mod candidate;
mod filter;
mod list;
mod words;

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use flowswap_config::{Config, find_nearest};
use flowswap_engine::{Finding, Logbook, Verdict};
use flowswap_host::quoted;

pub(crate) use self::candidate::Candidate;
use crate::{
    args::Select,
    exit::{Exit, Failure},
    fleet::refuse_gone,
};

/// The tenants that a command is about.
#[derive(Debug, Default)]
pub(crate) struct Selected {
    /// Their names, in the order of the configuration. Those that only the journal has come last.
    pub(crate) names: Vec<String>,
    /// Those whose names were written out. A command must not leave these out in silence.
    written: BTreeSet<String>,
    /// Whether anything was selected or left out.
    pub(crate) is_narrowed: bool,
}

impl Selected {
    /// Whether the name of this tenant was written out.
    pub(crate) fn is_written(&self, name: &str) -> bool {
        self.written.contains(name)
    }

    /// The names, for a command that reads records. `None` if all tenants are meant.
    pub(crate) fn wanted(&self) -> Option<BTreeSet<&str>> {
        self.is_narrowed.then(|| self.names.iter().map(String::as_str).collect())
    }

    /// Fails if a name was written out of a tenant that the configuration no longer has.
    pub(crate) async fn refuse_gone(&self, config: &Config, logbook: &Logbook) -> Result<(), Failure> {
        let written: Vec<String> = self.names.iter().filter(|name| self.is_written(name)).cloned().collect();
        refuse_gone(config, &written, logbook).await
    }

    /// Those that the configuration has. One that was written out and that it no longer has is an error.
    pub(crate) async fn configured(&self, config: &Config, logbook: &Logbook) -> Result<Vec<String>, Failure> {
        self.refuse_gone(config, logbook).await?;
        let names = self.names.iter().filter(|name| config.tenant(name).is_some());
        let names: Vec<String> = names.cloned().collect();
        if names.is_empty() {
            refuse_gone(config, &self.names, logbook).await?;
        }
        Ok(names)
    }
}

/// Selects from the tenants of the configuration and of the journal.
pub(crate) fn select(config: &Config, logbook: &Logbook, args: &Select) -> Result<Selected, Failure> {
    let known = logbook.overviews();
    let configured = config.tenants.iter().map(|tenant| Candidate::of(&tenant.name, Some(tenant), &known));
    let gone = known.keys().filter(|name| config.tenant(name).is_none());
    let candidates: Vec<_> = configured.chain(gone.map(|name| Candidate::of(name, None, &known))).collect();
    if candidates.is_empty() {
        let failure = Failure::new(Exit::Usage, "the configuration has no tenant");
        return Err(failure.hint("add a `[[tenant]]` or an `inventory`; `migrate.toml.example` shows both"));
    }
    Pool::of_fleet(candidates).select(args)
}

/// Selects from the tenants of the configuration alone. One that was written out and that it no longer has is an error.
pub(crate) async fn select_configured(
    config: &Config,
    logbook: &Logbook,
    args: &Select,
) -> Result<Vec<String>, Failure> {
    select(config, logbook, args)?.configured(config, logbook).await
}

/// The tenants from which some are selected.
pub(crate) struct Pool<'a> {
    candidates: Vec<Candidate<'a>>,
    /// The error about a name that it does not have, without the name.
    of: &'static str,
    /// The hint if no name is similar.
    list: String,
}

impl<'a> Pool<'a> {
    /// The tenants of the configuration.
    pub(crate) fn of_fleet(candidates: impl IntoIterator<Item = Candidate<'a>>) -> Self {
        let candidates = candidates.into_iter().collect();
        Self { candidates, of: "there is no tenant", list: "list the tenants: flowswap status".to_owned() }
    }

    /// The tenants of the plan in this file.
    pub(crate) fn of_plan(candidates: impl IntoIterator<Item = Candidate<'a>>, path: &Path) -> Self {
        let list = format!("list the tenants of the plan: flowswap show {} -v", quoted(path));
        Self { candidates: candidates.into_iter().collect(), of: "the plan has no tenant", list }
    }

    /// Selects from these tenants. Fails if none is left.
    pub(crate) fn select(&self, args: &Select) -> Result<Selected, Failure> {
        let candidates = &self.candidates;
        let words = words::Words::read(args, self)?;
        let mut names: Vec<&str> = candidates.iter().filter(|it| words.include(it.name)).map(|it| it.name).collect();
        for filter in filter::filters(args) {
            let fitting = filter.apply(candidates)?;
            names.retain(|name| fitting.contains(name));
        }
        names.retain(|name| !words.exclude(name));
        if names.is_empty() && !args.is_empty() {
            let failure = Failure::new(Exit::Usage, "no tenant is selected: none fits everything that you passed");
            return Err(failure.hint("leave out an option, or show every tenant: flowswap status"));
        }
        Ok(Selected {
            names: names.into_iter().map(str::to_owned).collect(),
            is_narrowed: !args.is_empty(),
            written: words.written,
        })
    }

    /// The error about a name that no tenant here has.
    fn refuse(&self, name: &str, place: &str) -> Failure {
        let nearest = find_nearest(name, self.candidates.iter().map(|candidate| candidate.name));
        let hint = match nearest {
            Some(nearest) => format!("did you mean `{nearest}`?"),
            None if Path::new(name).is_file() => {
                format!("`{name}` is a file, and this takes the names of tenants; {}", self.list)
            }
            None => self.list.clone(),
        };
        Failure::new(Exit::Usage, format!("{place}{} `{name}`", self.of)).hint(hint)
    }
}

/// Leaves only what fits the verdict and the findings that were just seen.
pub(crate) fn keep_seen<T>(
    seen: &mut Vec<T>,
    args: &Select,
    describe: impl Fn(&T) -> (&str, Verdict, &[Finding]),
) -> Result<(), Failure> {
    if args.is_empty() {
        return Ok(());
    }
    let ids = |findings: &[Finding]| findings.iter().map(|finding| finding.id.clone()).collect();
    let described = seen.iter().map(&describe);
    let known = BTreeMap::new();
    let candidates =
        described.map(|(name, verdict, findings)| Candidate::of(name, None, &known).seen(verdict, ids(findings)));
    let names: BTreeSet<String> = Pool::of_fleet(candidates).select(args)?.names.into_iter().collect();
    seen.retain(|seen| names.contains(describe(seen).0));
    Ok(())
}

/// Fails if nothing says which tenants are meant. The effect of such a command is too large for "all" to be the default.
pub(crate) fn require(args: &Select, all: bool, instead: &str) -> Result<(), Failure> {
    if all || !args.is_open() {
        return Ok(());
    }
    Err(Failure::new(Exit::Usage, "nothing says which tenants you mean").hint(instead))
}

/// How to say which tenants are meant, to a command that takes `--all`.
pub(crate) fn name_or_all(args: &Select) -> String {
    if args.except.is_empty() {
        return "name them, select them with an option such as `--label`, or pass `--all`".to_owned();
    }
    let except: Vec<String> = args.except.iter().map(|word| quoted(Path::new(word)).to_string()).collect();
    format!("to take all but those, pass `--all --except {}`", except.join(","))
}

#[cfg(test)]
mod tests;
