//! A run sheet in words, for the operator who carries it out. A face, and the terminal, decide only how the words look.

use std::borrow::Cow;

use flowswap_contract::{Handle, RunSheet, SheetAct, SheetLine};
use flowswap_engine::{Claim, Direction, Question};
use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;

const WHEN_DONE: &str = "when everything is done: ";
const AFTER_CORRECTION: &str = "flowswap saw this step done; after you correct it: ";

/// What only a run sheet has in it, in each of its forms for people. So one can replace another of the same name.
pub const SHEET_MARKS: [&str; 2] = [WHEN_DONE, AFTER_CORRECTION];

/// A run sheet to show. Its text comes from a plugin and from people, and nothing has filtered it yet.
#[derive(Debug, Clone, Serialize)]
pub struct Sheet<'a> {
    /// The tenant to work on.
    pub tenant: &'a str,
    /// What the step achieves.
    pub title: &'a str,
    /// Whose step it is, and when it is due.
    pub facts: Vec<Fact<'a>>,
    /// Where to start, if known.
    pub url: Option<&'a str>,
    /// The confirmations so far, as sentences.
    pub claims: Vec<String>,
    /// What to do, in this order.
    pub lines: Vec<Instruction<'a>>,
    /// What must not change.
    pub keep: &'a [String],
    /// Warnings.
    pub care: &'a [String],
    /// What will show that the step was done.
    pub proof: &'a str,
    /// Which command to run at the end.
    pub endings: Vec<Ending>,
}

/// A fact about a run sheet.
#[derive(Debug, Clone, Serialize)]
pub struct Fact<'a> {
    /// What it is about, in lower case.
    pub name: &'static str,
    /// The fact.
    pub value: Cow<'a, str>,
    /// Whether it is a deadline that has passed.
    pub is_overdue: bool,
}

/// One thing to do, as a sentence: `before`, the label, `between`, the value, and `after`.
#[derive(Debug, Clone, Serialize)]
pub struct Instruction<'a> {
    /// Our words before the label.
    pub before: &'static str,
    /// The label, as the screen shows it.
    pub label: &'a str,
    /// Our words between the label and what follows.
    pub between: Cow<'static, str>,
    /// What to choose, enter, or see at the label.
    pub value: Option<Cow<'a, str>>,
    /// Whether the value is the command that copies a secret. A secret itself is never shown.
    pub is_command: bool,
    /// Our words at the end.
    pub after: &'static str,
    /// A note for the operator.
    pub note: Option<&'a str>,
}

/// A command at the end of a run sheet.
#[derive(Debug, Clone, Serialize)]
pub struct Ending {
    /// When to run it, with a colon and a space.
    pub when: &'static str,
    /// The command.
    pub command: String,
}

impl<'a> Sheet<'a> {
    /// The run sheet of a step that waits for its operator. It is overdue if its deadline is before `now`.
    pub fn open(tenant: &'a str, question: &'a Question, now: Timestamp) -> Self {
        let endings = vec![
            Ending { when: WHEN_DONE, command: format!("flowswap confirm {tenant}") },
            Ending { when: "if you will not do it: ", command: format!("flowswap decline {tenant} --reason \"…\"") },
        ];
        let mut sheet = Self::new(tenant, question, question.deadline < now, endings);
        for claim in &mut sheet.claims {
            *claim += "; flowswap has not seen the change yet";
        }
        sheet
    }

    /// The run sheet of a step that flowswap has seen done. An operator may have to correct it, and then runs `next`.
    pub fn done(tenant: &'a str, question: &'a Question, next: Option<String>) -> Self {
        let command = next.unwrap_or_else(|| format!("flowswap status {tenant}"));
        Self::new(tenant, question, false, vec![Ending { when: AFTER_CORRECTION, command }])
    }

    fn new(tenant: &'a str, question: &'a Question, is_overdue: bool, endings: Vec<Ending>) -> Self {
        let RunSheet { title, url, lines, keep, care, proof } = &question.sheet;
        Self {
            tenant,
            title,
            facts: facts(tenant, question, is_overdue),
            url: url.as_deref(),
            claims: question.claims.iter().map(claim).collect(),
            lines: lines.iter().map(|line| Instruction::of(line, tenant)).collect(),
            keep,
            care,
            proof,
            endings,
        }
    }

    /// Whether the step still waits for its operator, and its deadline has passed.
    pub fn is_overdue(&self) -> bool {
        self.facts.iter().any(|fact| fact.is_overdue)
    }
}

fn facts<'a>(tenant: &'a str, question: &'a Question, is_overdue: bool) -> Vec<Fact<'a>> {
    let Question { step, direction, owner, since, deadline, .. } = question;
    let step = match direction {
        Direction::Forward => step.into(),
        Direction::Back => format!("{step} (rollback)").into(),
    };
    let overdue = if is_overdue { " (overdue)" } else { "" };
    let fact = |name, value| Fact { name, value, is_overdue: false };
    vec![
        fact("tenant", tenant.into()),
        fact("step", step),
        fact("owner", owner.as_deref().unwrap_or("any operator").into()),
        fact("since", since.to_string().into()),
        Fact { is_overdue, ..fact("deadline", format!("{deadline}{overdue}").into()) },
    ]
}

fn claim(Claim { by, at, note }: &Claim) -> String {
    let note = note.as_ref().map(|note| format!(" (“{note}”)")).unwrap_or_default();
    format!("{by} confirmed at {at}{note}")
}

impl<'a> Instruction<'a> {
    fn of(line: &'a SheetLine, tenant: &str) -> Self {
        let SheetLine { act, label, value, note } = line;
        let (before, between) = match (act, value.is_some()) {
            (SheetAct::Go, false) => ("Go to ", ""),
            (SheetAct::Go, true) => ("Go to ", ": "),
            (SheetAct::Choose, false) => ("Choose ", ""),
            (SheetAct::Choose, true) => ("Under ", ", choose "),
            (SheetAct::Tick, false) => ("Select ", ""),
            (SheetAct::Tick, true) => ("Select ", ": "),
            (SheetAct::Clear, false) => ("Clear ", ""),
            (SheetAct::Clear, true) => ("Clear ", ": "),
            (SheetAct::Enter, false) => ("Fill in ", ""),
            (SheetAct::Enter, true) => ("In ", ", enter "),
            (SheetAct::Leave, false) => ("Leave ", " as it is"),
            (SheetAct::Leave, true) => ("Leave ", " as it is: "),
            (SheetAct::Press, false) => ("Click ", ""),
            (SheetAct::Press, true) => ("Click ", " and wait until it shows "),
            (SheetAct::Do, false) => ("", ""),
            (SheetAct::Do, true) => ("", ": "),
        };
        let between = Cow::Borrowed(between);
        let shown = Self { before, label, between, value: None, is_command: false, after: "", note: note.as_deref() };
        match value {
            None => shown,
            Some(secret) if Handle::from_value(secret).is_some() => Self {
                between: shown.between.clone() + "the secret: run ",
                value: Some(format!("flowswap secret copy {tenant}").into()),
                is_command: true,
                after: ", then paste it",
                ..shown
            },
            Some(Value::String(text)) => Self { value: Some(text.into()), ..shown },
            // A secret inside another value appears as its handle, never as the secret itself.
            Some(other) => Self { value: Some(other.to_string().into()), ..shown },
        }
    }
}
