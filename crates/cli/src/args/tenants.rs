//! The tenants that a command is about. All commands that take tenants take the same options.

use std::path::PathBuf;

use clap::Args;
use flowswap_config::find_nearest;
use flowswap_engine::{EVIDENCE_RULES, RULES, TenantState, Verdict, WARN_DAYS};
use serde::de::DeserializeOwned;

use super::{complete, whole_number};

/// The heading of these options in help.
pub(crate) const SELECTION: &str = "Which tenants";

/// Which tenants a command is about. Names, patterns, and files add up. Every other option leaves only the tenants that fit.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct Select {
    /// The names of the tenants, or patterns such as 'emea-*'.
    #[arg(value_name = "TENANT", add = complete::tenants())]
    pub(crate) tenants: Vec<String>,
    /// Also the tenants in this file, one name a line; `-` means stdin.
    #[arg(long, help_heading = SELECTION, value_name = "FILE")]
    pub(crate) from: Option<PathBuf>,
    /// Only tenants in one of these states, such as `swapped,stuck`.
    #[arg(long = "state", help_heading = SELECTION, value_name = "STATE", value_delimiter = ',', value_parser = parse_state, add = complete::states())]
    pub(crate) states: Vec<TenantState>,
    /// Only tenants with one of these verdicts, such as `ready`.
    #[arg(long = "verdict", help_heading = SELECTION, value_name = "VERDICT", value_delimiter = ',', value_parser = parse_verdict, add = complete::verdicts())]
    pub(crate) verdicts: Vec<Verdict>,
    /// Only tenants with one of these findings, such as `deadline-near`.
    #[arg(long = "finding", help_heading = SELECTION, value_name = "ID", value_delimiter = ',', value_parser = parse_finding, add = complete::findings())]
    pub(crate) findings: Vec<String>,
    /// Only tenants of this owner.
    #[arg(long = "owner", help_heading = SELECTION, value_name = "NAME", value_delimiter = ',', add = complete::owners())]
    pub(crate) owners: Vec<String>,
    /// Only tenants with this label, such as `region=emea`. Several values of one label add up.
    #[arg(long = "label", help_heading = SELECTION, value_name = "NAME=VALUE", value_delimiter = ',', value_parser = parse_label, add = complete::labels())]
    pub(crate) labels: Vec<(String, String)>,
    /// Only tenants in this wave of their plan.
    #[arg(long = "wave", help_heading = SELECTION, value_name = "NAME", value_delimiter = ',', add = complete::waves())]
    pub(crate) waves: Vec<String>,
    /// Leave out these tenants; names or patterns.
    #[arg(long, help_heading = SELECTION, value_name = "TENANT", value_delimiter = ',', add = complete::tenants())]
    pub(crate) except: Vec<String>,
}

impl Select {
    /// Whether nothing is selected and nothing is left out.
    pub(crate) fn is_empty(&self) -> bool {
        self.is_open() && self.except.is_empty()
    }

    /// Whether nothing says which tenants are meant, so that all are, but for those that are left out.
    pub(crate) fn is_open(&self) -> bool {
        let Self { tenants, from, states, verdicts, findings, owners, labels, waves, except: _ } = self;
        let is_by_name = !tenants.is_empty() || from.is_some();
        let is_by_look = !states.is_empty() || !verdicts.is_empty() || !findings.is_empty();
        !is_by_name && !is_by_look && owners.is_empty() && labels.is_empty() && waves.is_empty()
    }

    /// Whether it is just the name of one tenant. Reports are about that tenant then, and otherwise about a list of tenants.
    pub(crate) fn is_one_name(&self) -> bool {
        let rest = Self { tenants: Vec::new(), ..self.clone() };
        matches!(self.tenants.as_slice(), [name] if !is_pattern(name)) && rest.is_empty()
    }

    /// Separates what only a look at both sides tells: the verdict and the findings.
    pub(crate) fn split_by_look(&self) -> (Self, Self) {
        let before = Self { verdicts: Vec::new(), findings: Vec::new(), ..self.clone() };
        let after = Self { verdicts: self.verdicts.clone(), findings: self.findings.clone(), ..Self::default() };
        (before, after)
    }
}

#[derive(Debug, Clone, Args)]
pub(crate) struct DetectArgs {
    #[command(flatten)]
    pub(crate) select: Select,
    #[arg(long, value_name = "DAYS", help = help_of_warn_days(), value_parser = whole_number(0..=u16::MAX))]
    pub(crate) warn_days: Option<u16>,
}

fn help_of_warn_days() -> String {
    format!(
        "Exit with code 4 if a connection stops working within this many days. `deadline-near` then counts from there, and \
         otherwise from {WARN_DAYS} days"
    )
}

/// Tenants whose migration has started.
#[derive(Debug, Clone, Args)]
pub(crate) struct StartedTenants {
    #[command(flatten)]
    pub(crate) select: Select,
    /// All tenants that the command applies to.
    #[arg(long, help_heading = SELECTION, conflicts_with_all = ["tenants", "from"])]
    pub(crate) all: bool,
    /// Do not ask for confirmation.
    #[arg(long)]
    pub(crate) yes: bool,
    #[command(flatten)]
    pub(crate) changes: AcceptChanges,
}

/// What a command that continues work may accept.
#[derive(Debug, Clone, Copy, Default, Args)]
pub(crate) struct AcceptChanges {
    /// Continue tenants that have started, even if a plugin or the configuration has changed since then.
    #[arg(long)]
    pub(crate) accept_changes: bool,
}

/// Whether a word stands for any name like it. The name of a tenant has none of these signs.
pub(crate) fn is_pattern(word: &str) -> bool {
    word.contains(['*', '?', '['])
}

fn parse_state(text: &str) -> Result<TenantState, String> {
    parse_word(text, TenantState::ALL.map(|state| state.to_string()))
}

fn parse_verdict(text: &str) -> Result<Verdict, String> {
    parse_word(text, Verdict::ALL.map(|verdict| verdict.to_string()))
}

/// A word that is serialized as it is written.
fn parse_word<T: DeserializeOwned, const N: usize>(text: &str, known: [String; N]) -> Result<T, String> {
    serde_json::from_value(text.into()).map_err(|_| {
        let known = known.iter().map(String::as_str);
        match find_nearest(text, known.clone()) {
            Some(nearest) => format!("did you mean `{nearest}`?"),
            None => format!("expected one of {}", known.collect::<Vec<_>>().join(", ")),
        }
    })
}

fn parse_finding(text: &str) -> Result<String, String> {
    let known = RULES.iter().chain(EVIDENCE_RULES).map(|rule| rule.id);
    if known.clone().any(|id| id == text) {
        return Ok(text.to_owned());
    }
    Err(match find_nearest(text, known) {
        Some(nearest) => format!("did you mean `{nearest}`?"),
        None => "there is no such finding; list all: flowswap explain".to_owned(),
    })
}

fn parse_label(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() && !value.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("expected NAME=VALUE, such as `region=emea`".to_owned()),
    }
}
