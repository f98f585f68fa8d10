//! A run sheet for the person who must follow it, in three forms that say the same: for the terminal, as Markdown and as
//! one page of HTML. What a line says is put into words here, once; a form only decides how the words look.

mod html;
mod markdown;
mod terminal;

use flowswap_contract::{Handle, RunSheet, SheetAct, SheetLine};
use flowswap_engine::{Direction, Question};
use jiff::Timestamp;
use serde_json::Value;

pub(crate) use self::{html::html, markdown::markdown, terminal::terminal};
use super::text::Text;

/// A question as a sheet is made of it.
pub(crate) struct Page<'a> {
    /// The tenant.
    pub(crate) tenant: &'a str,
    /// What is asked.
    pub(crate) question: &'a Question,
    /// Whether it is still asked; what was done is shown again for whoever has to do it again.
    pub(crate) is_open: bool,
    /// What to type once what was done is put right.
    pub(crate) next: Option<String>,
    /// Now, to tell what is overdue.
    pub(crate) now: Timestamp,
}

/// A piece of a sentence.
#[derive(Debug, PartialEq, Eq)]
enum Piece {
    /// Words of ours.
    Words(String),
    /// A label as the screen has it.
    Label(String),
    /// A value that is to be chosen, entered or seen at the label.
    Value(String),
    /// A command to type.
    Command(String),
}

impl Page<'_> {
    fn sheet(&self) -> &RunSheet {
        &self.question.sheet
    }

    /// What stands above the lines: what it is called, and what is said of it.
    fn facts(&self) -> Vec<(&'static str, String)> {
        let Question { step, direction, owner, since, deadline, .. } = self.question;
        let way = match direction {
            Direction::Forward => step.clone(),
            Direction::Back => format!("{step}, back"),
        };
        let overdue = if self.is_overdue() { " (overdue)" } else { "" };
        vec![
            ("tenant", plain(self.tenant)),
            ("step", plain(&way)),
            ("owner", owner.as_deref().map_or_else(|| "anybody who may".to_owned(), plain)),
            ("since", since.to_string()),
            ("deadline", format!("{deadline}{overdue}")),
        ]
    }

    pub(crate) fn is_overdue(&self) -> bool {
        self.is_open && self.question.deadline < self.now
    }

    /// What others have said already.
    fn claims(&self) -> Vec<String> {
        let claims = self.question.claims.iter();
        claims.map(|claim| super::claim(claim).into_string()).collect()
    }

    /// The lines in words, each with what else is worth knowing about it.
    fn lines(&self) -> impl Iterator<Item = (Vec<Piece>, Option<String>)> {
        self.sheet().lines.iter().map(|line| (put(line, self.tenant), line.note.as_deref().map(plain)))
    }

    /// What to type at the end, and when.
    fn endings(&self) -> Vec<(&'static str, String)> {
        if !self.is_open {
            let next = self.next.clone().unwrap_or_else(|| format!("flowswap status {}", self.tenant));
            return vec![("this was seen to be done; once it is put right", next)];
        }
        vec![
            ("once all of it is done", format!("flowswap confirm {}", self.tenant)),
            ("if you do not do it", format!("flowswap decline {} --reason \"…\"", self.tenant)),
        ]
    }
}

/// The secret that a sheet has its reader paste, with the label of where: the first that a line names.
pub(crate) fn secret(sheet: &RunSheet) -> Option<(&str, Handle)> {
    sheet.lines.iter().find_map(|line| Some((line.label.as_str(), Handle::from_value(line.value.as_ref()?)?)))
}

/// Puts a line into words.
fn put(line: &SheetLine, tenant: &str) -> Vec<Piece> {
    let has_value = line.value.is_some();
    let (before, after) = match line.act {
        SheetAct::Go => ("Go to", if has_value { ":" } else { "" }),
        SheetAct::Choose if has_value => ("At", "choose"),
        SheetAct::Choose => ("Choose", ""),
        SheetAct::Tick => ("Tick", if has_value { ":" } else { "" }),
        SheetAct::Clear => ("Clear", if has_value { ":" } else { "" }),
        SheetAct::Enter if has_value => ("Into", "enter"),
        SheetAct::Enter => ("Fill in", ""),
        SheetAct::Leave => ("Leave", if has_value { "as it is:" } else { "as it is" }),
        SheetAct::Press => ("Press", if has_value { "and wait until it shows" } else { "" }),
        SheetAct::Do => ("", if has_value { ":" } else { "" }),
    };
    let words = |text: &str| Some(text).filter(|text| !text.is_empty()).map(|text| Piece::Words(text.to_owned()));
    let mut pieces: Vec<Piece> = words(before).into_iter().collect();
    pieces.push(Piece::Label(plain(&line.label)));
    pieces.extend(words(after));
    match &line.value {
        None => {}
        Some(value) if Handle::from_value(value).is_some() => {
            pieces.extend(words("the secret: run"));
            pieces.push(Piece::Command(format!("flowswap secret copy {tenant}")));
            pieces.extend(words(", then paste"));
        }
        Some(Value::String(text)) => pieces.push(Piece::Value(plain(text))),
        // A secret inside of something else is named and not shown, like any other.
        Some(other) => pieces.push(Piece::Value(plain(&other.to_string()))),
    }
    pieces
}

/// One line in which everything can be seen: the text is a plugin's.
fn plain(text: &str) -> String {
    Text::of(text).into_string()
}

/// Joins pieces with spaces, but for those that begin with a sign that stands close to the word before.
fn join(pieces: &[Piece], show: impl Fn(&Piece) -> Text) -> Text {
    let mut text = Text::default();
    for piece in pieces {
        let is_close = matches!(piece, Piece::Words(words) if words.starts_with([',', ':']));
        if !text.is_empty() && !is_close {
            text += " ";
        }
        text += show(piece);
    }
    text
}

#[cfg(test)]
mod tests;
