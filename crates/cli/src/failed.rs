//! Why a command ended without a result, for a program: with `--format json`, the last line of stderr.

use std::error::Error;

use clap::error::ErrorKind;
use flowswap_config::{ConfigErrors, Problem};
use schemars::JsonSchema;
use serde::Serialize;

use crate::{
    documents::{Document, DocumentName},
    exit::{Exit, Failure},
    full_command,
};

/// Why a command ended without a result.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct FailureReport {
    /// What failed, in one line.
    error: String,
    /// What caused it, the nearest cause first.
    causes: Vec<String>,
    /// What to do about it. `None` if flowswap cannot tell.
    hint: Option<String>,
    /// What is wrong in the configuration. Empty if something else failed.
    problems: Vec<ProblemReport>,
    /// The exit code.
    exit: u8,
}

/// Something that is wrong in the configuration.
#[derive(Debug, Serialize, JsonSchema)]
struct ProblemReport {
    /// What is wrong, in one line.
    message: String,
    /// The file. `None` if the problem is in no file.
    file: Option<String>,
    /// The line, counted from 1.
    line: Option<usize>,
    /// The column, counted in characters from 1.
    column: Option<usize>,
    /// The tenants that it is about. Empty if it is about something else.
    tenants: Vec<String>,
    /// What to do about it. `None` if the message says it.
    hint: Option<String>,
}

impl Document for FailureReport {
    const NAME: DocumentName = DocumentName::Error;
}

impl From<&Failure> for FailureReport {
    fn from(failure: &Failure) -> Self {
        let causes = std::iter::successors(failure.error.source(), |cause| Error::source(*cause));
        let config = failure.error.downcast_ref::<ConfigErrors>();
        Self {
            error: config.map_or_else(|| failure.error.to_string(), |_| "the configuration is wrong".to_owned()),
            causes: causes.map(ToString::to_string).collect(),
            hint: failure.hint.clone().map(full_command::of),
            problems: config.into_iter().flat_map(ConfigErrors::problems).map(ProblemReport::from).collect(),
            exit: failure.exit as u8,
        }
    }
}

impl From<Problem<'_>> for ProblemReport {
    fn from(problem: Problem<'_>) -> Self {
        let (file, line, column) = match problem.place {
            Some(place) => (Some(place.file.display().to_string()), Some(place.line), Some(place.column)),
            None => (None, None, None),
        };
        let (message, tenants) = (problem.message.to_owned(), problem.tenants.to_vec());
        Self { message, file, line, column, tenants, hint: problem.hint.map(str::to_owned) }
    }
}

impl From<&clap::Error> for FailureReport {
    /// The same words as for a person: the first paragraph says what is wrong, and each tip what to do.
    fn from(error: &clap::Error) -> Self {
        let failure = |error: String, hint: Option<String>| Self {
            error,
            causes: Vec::new(),
            hint,
            problems: Vec::new(),
            exit: Exit::Usage as u8,
        };
        if matches!(error.kind(), ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand | ErrorKind::MissingSubcommand) {
            return failure("the command is missing".to_owned(), Some("list the commands: flowswap --help".to_owned()));
        }
        let text = error.render().to_string();
        let first = text.split("\n\n").next().unwrap_or_default();
        let first = first.strip_prefix("error: ").unwrap_or(first).split_whitespace().collect::<Vec<_>>().join(" ");
        let tips: Vec<&str> = text.lines().filter_map(|line| line.trim().strip_prefix("tip: ")).collect();
        failure(first, (!tips.is_empty()).then(|| tips.join("; ")))
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    #[test]
    fn a_failure_has_its_causes() {
        let cause = io::Error::other(io::Error::other("no\u{202e}disk"));
        let failure = Failure::at("write the plan")(cause).hint("run flowswap status");
        let report = FailureReport::from(&failure);
        assert_eq!((&*report.error, report.exit), ("failed to write the plan", 1));
        assert_eq!(report.causes.last().map(String::as_str), Some("no\u{202e}disk"));
        let line = crate::documents::print_line(&report).unwrap().into_string();
        assert_eq!(line.matches('\n').count(), 1, "{line}");
        assert!(line.contains("no\\u202edisk"), "{line}");
    }

    #[test]
    fn an_error_of_the_command_line_says_what_to_type() {
        let table = [
            ("plan --json", "unexpected argument '--json' found", Some("use `--format json`")),
            ("apply", "the following required arguments were not provided: <PLAN>", None),
            ("", "the command is missing", Some("list the commands: flowswap --help")),
        ];
        for (line, error, hint) in table {
            let words = format!("flowswap {line}");
            let words: Vec<_> = words.split_whitespace().map(std::ffi::OsString::from).collect();
            let report = FailureReport::from(&crate::args::read_line(&words).unwrap_err());
            assert_eq!((&*report.error, report.hint.as_deref(), report.exit), (error, hint, 2), "{line}");
        }
    }
}
