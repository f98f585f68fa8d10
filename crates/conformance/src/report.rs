//! The results of the checks, as text for people and as JSON for scripts.

use std::fmt;

use schemars::JsonSchema;
use serde::Serialize;

/// The results of all checks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Report {
    /// The name of the plugin.
    pub plugin: String,
    /// The checks, in the order in which they ran.
    pub checks: Vec<Check>,
}

/// One check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Check {
    /// A stable name, such as `undo.every-prefix`.
    pub id: &'static str,
    /// What the contract demands.
    pub demand: &'static str,
    /// The result.
    #[serde(flatten)]
    pub outcome: Outcome,
}

/// The result of one check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(tag = "outcome", rename_all = "kebab-case")]
pub enum Outcome {
    /// The plugin meets the demand.
    Passed {
        /// In how many cases; never 0.
        cases: usize,
    },
    /// The plugin does not meet the demand.
    Failed(Failure),
    /// The check did not run.
    Skipped {
        /// Why it did not run.
        why: String,
    },
}

/// How a plugin fails a check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Failure {
    /// What should have happened.
    pub expected: String,
    /// What happened instead.
    pub seen: String,
}

impl Failure {
    /// A failure with what was expected and what was seen.
    pub(crate) fn new(expected: impl Into<String>, seen: impl Into<String>) -> Self {
        Self { expected: expected.into(), seen: seen.into() }
    }

    /// Adds the case in which the failure was seen.
    pub(crate) fn during(self, case: &str) -> Self {
        Self { seen: format!("{case}: {}", self.seen), ..self }
    }
}

impl Report {
    /// The checks that the plugin failed.
    pub fn failures(&self) -> impl Iterator<Item = &Check> {
        self.checks.iter().filter(|check| matches!(check.outcome, Outcome::Failed(_)))
    }

    /// How many checks were skipped.
    pub fn skipped(&self) -> usize {
        self.checks.iter().filter(|check| matches!(check.outcome, Outcome::Skipped { .. })).count()
    }

    /// Whether the plugin failed no check.
    pub fn is_clean(&self) -> bool {
        self.failures().next().is_none()
    }

    /// One line: how many checks passed, failed, and were skipped.
    pub fn summary(&self) -> String {
        let (failed, skipped) = (self.failures().count(), self.skipped());
        let passed = self.checks.len() - failed - skipped;
        format!("{}: {passed} passed, {failed} failed, {skipped} skipped", self.plugin)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for check in &self.checks {
            writeln!(f, "{check}")?;
        }
        write!(f, "{}", self.summary())
    }
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.outcome {
            Outcome::Passed { cases: 1 } => write!(f, "ok    {:28} {}", self.id, self.demand),
            Outcome::Passed { cases } => write!(f, "ok    {:28} {} ({cases} cases)", self.id, self.demand),
            Outcome::Skipped { why } => write!(f, "skip  {:28} {why}", self.id),
            Outcome::Failed(Failure { expected, seen }) => {
                write!(
                    f,
                    "FAIL  {:28} {}\n        expected: {expected}\n        seen:     {seen}",
                    self.id, self.demand
                )
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_is_shown_as_text_and_as_json() {
        let check = |id, outcome| Check { id, demand: "it must", outcome };
        let report = Report {
            plugin: "demo".into(),
            checks: vec![
                check("a.a", Outcome::Passed { cases: 1 }),
                check("a.b", Outcome::Passed { cases: 12 }),
                check("a.c", Outcome::Failed(Failure::new("x", "y").during("then"))),
                check("a.d", Outcome::Skipped { why: "no world".into() }),
            ],
        };
        let text = report.to_string();
        let lines: Vec<_> = text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
        assert_eq!(
            lines,
            [
                "ok a.a it must",
                "ok a.b it must (12 cases)",
                "FAIL a.c it must",
                "expected: x",
                "seen: then: y",
                "skip a.d no world",
                "demo: 2 passed, 1 failed, 1 skipped"
            ]
        );
        assert!(!report.is_clean());
        let json = serde_json::to_value(&report).unwrap();
        assert_eq!(
            json["checks"][2],
            serde_json::json!({"id": "a.c", "demand": "it must", "outcome": "failed", "expected": "x", "seen": "then: y"})
        );
    }
}
