//! Errors in a configuration, shown as `rustc` shows its errors: the place, the line, what was expected, and one hint.
//!
//! A load collects all of them. One line that is wrong for a thousand tenants is one error.

use std::{
    collections::{BTreeMap, btree_map::Entry},
    error, fmt,
};

use annotate_snippets::{Annotation, AnnotationKind, Group, Level, Renderer, Snippet, renderer::DecorStyle};
use flowswap_engine::{is_hidden, reveal};

use crate::{
    location::Location,
    source::{Place, Sources},
};

/// How many errors are shown; the others are only counted.
const MAX_SHOWN: usize = 20;

/// One error.
#[derive(Debug, Clone)]
pub(crate) struct Diagnostic {
    message: String,
    /// The first place is the one that the message is about; the others explain it.
    places: Vec<(Location, String)>,
    tenants: Vec<String>,
    help: Option<String>,
}

impl Diagnostic {
    /// An error; the message is in lower case and has no full stop.
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), places: vec![], tenants: vec![], help: None }
    }

    /// Points at a place. The first call gives the place of the error, later calls the places that it conflicts with.
    pub(crate) fn at(mut self, location: Location, label: impl Into<String>) -> Self {
        self.places.push((location, label.into()));
        self
    }

    /// Names the tenant that the error is about, for a place that many tenants share.
    pub(crate) fn for_tenant(mut self, name: &str) -> Self {
        self.tenants.push(name.to_owned());
        self
    }

    /// Adds a hint: what to do.
    pub(crate) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    fn problem<'a>(&'a self, sources: &'a Sources) -> Problem<'a> {
        Problem {
            message: &self.message,
            place: self.place().map(|location| sources.place(location)),
            tenants: &self.tenants,
            hint: self.help.as_deref(),
        }
    }

    fn place(&self) -> Option<Location> {
        self.places.first().map(|(location, _)| *location)
    }

    fn render(&self, sources: &Sources, renderer: &Renderer) -> String {
        let mut group = Group::with_title(Level::ERROR.primary_title(reveal(&self.message)));
        for source in distinct_sources(&self.places) {
            let path = reveal(&sources.path(source).display().to_string());
            let here = self.places.iter().enumerate().filter(|(_, (location, _))| location.source() == source);
            let annotations = here.map(|(index, (location, label))| annotate(index == 0, *location, label));
            group = group
                .element(Snippet::source(replace_hidden(sources.text(source))).path(path).annotations(annotations));
        }
        if let Some(note) = self.describe_tenants() {
            group = group.element(Level::NOTE.message(reveal(&note)));
        }
        if let Some(help) = &self.help {
            group = group.element(Level::HELP.message(reveal(help)));
        }
        renderer.render(&[group])
    }

    fn describe_tenants(&self) -> Option<String> {
        Some(match self.tenants.as_slice() {
            [] => return None,
            [one] => format!("for tenant `{one}`"),
            [one, two] => format!("for tenants `{one}` and `{two}`"),
            [one, two, three] => format!("for tenants `{one}`, `{two}`, and `{three}`"),
            [one, two, others @ ..] => format!("for tenants `{one}`, `{two}`, and {} others", others.len()),
        })
    }
}

fn distinct_sources(places: &[(Location, String)]) -> Vec<usize> {
    let mut sources = Vec::new();
    for (location, _) in places {
        if !sources.contains(&location.source()) {
            sources.push(location.source());
        }
    }
    sources
}

/// Replaces every hidden character by a visible one of the same length in bytes, so that all places remain valid.
fn replace_hidden(text: &str) -> String {
    let replace = |c: char| match c {
        '\n' | '\r' | '\t' => c.to_string(),
        c if !is_hidden(c) => c.to_string(),
        c => ["?", "\u{b7}", "\u{fffd}", "\u{fffd}?"][c.len_utf8() - 1].to_owned(),
    };
    text.chars().map(replace).collect()
}

fn annotate(is_primary: bool, location: Location, label: &str) -> Annotation<'_> {
    let kind = if is_primary { AnnotationKind::Primary } else { AnnotationKind::Context };
    let annotation = kind.span(location.span());
    if label.is_empty() { annotation } else { annotation.label(reveal(label)) }
}

/// One error of a configuration, for a program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem<'a> {
    /// What is wrong, in one line. It may hold hidden characters.
    pub message: &'a str,
    /// Where. `None` if it stands in no file.
    pub place: Option<Place<'a>>,
    /// The names of the tenants that it is about, if it is about tenants.
    pub tenants: &'a [String],
    /// What to do about it.
    pub hint: Option<&'a str>,
}

/// All errors of a configuration.
#[derive(Clone)]
pub struct ConfigErrors {
    sources: Sources,
    diagnostics: Vec<Diagnostic>,
}

impl ConfigErrors {
    /// Sorts errors by their places in `sources`, and merges equal errors about one place into one that names all tenants.
    pub(crate) fn new(sources: Sources, diagnostics: Vec<Diagnostic>) -> Self {
        let mut known: BTreeMap<(Option<Location>, String), usize> = BTreeMap::new();
        let mut distinct: Vec<Diagnostic> = Vec::new();
        for diagnostic in diagnostics {
            match known.entry((diagnostic.place(), diagnostic.message.clone())) {
                Entry::Occupied(index) => distinct[*index.get()].tenants.extend(diagnostic.tenants),
                Entry::Vacant(index) => {
                    index.insert(distinct.len());
                    distinct.push(diagnostic);
                }
            }
        }
        distinct.sort_by_key(Diagnostic::place);
        Self { sources, diagnostics: distinct }
    }

    /// Each error, in the order of their places.
    pub fn problems(&self) -> impl Iterator<Item = Problem<'_>> {
        self.diagnostics.iter().map(|diagnostic| diagnostic.problem(&self.sources))
    }

    /// The text for the terminal, without hidden characters, and without a line break at its end.
    pub fn render(&self, color: bool) -> String {
        let renderer = if color { Renderer::styled() } else { Renderer::plain() };
        let renderer = renderer.decor_style(DecorStyle::Ascii);
        let shown = self.diagnostics.iter().take(MAX_SHOWN);
        let mut parts: Vec<_> = shown.map(|diagnostic| diagnostic.render(&self.sources, &renderer)).collect();
        if let Some(summary) = self.summarize() {
            parts.push(renderer.render(&[Group::with_title(Level::ERROR.primary_title(summary))]));
        }
        parts.join("\n\n")
    }

    fn summarize(&self) -> Option<String> {
        match self.diagnostics.len() {
            0 | 1 => None,
            count if count > MAX_SHOWN => {
                Some(format!("{count} errors in the configuration; the first {MAX_SHOWN} are above"))
            }
            count => Some(format!("{count} errors in the configuration")),
        }
    }
}

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(false))
    }
}

/// Shows the rendered errors, so that a failed `unwrap` in a test is readable.
impl fmt::Debug for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\n{self}")
    }
}

impl error::Error for ConfigErrors {}
