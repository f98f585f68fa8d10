//! The two streams: data to stdout, talk to stderr. Everything reads without colour.

use std::{
    error::Error,
    io::{self, IsTerminal, Write},
};

use anstyle::{AnsiColor, Style};
use serde::Serialize;

use crate::{
    args::{Format, Global},
    config::ConfigErrors,
    display::text::{Show, Text, text},
    exit::{Exit, Failure},
};

/// Where and how to write.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Terminal {
    /// How to report on stdout.
    pub(crate) format: Format,
    /// Whether to say nothing but errors.
    pub(crate) quiet: bool,
    /// How much more to say.
    pub(crate) verbose: u8,
}

/// What a word's colour tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tone {
    Good,
    Care,
    Bad,
    Dim,
    Strong,
}

impl Terminal {
    /// From the global options.
    pub(crate) fn new(global: &Global) -> Self {
        if global.no_color {
            anstream::ColorChoice::Never.write_global();
        }
        Self { format: global.format, quiet: global.quiet, verbose: global.verbose }
    }

    /// Writes a report: the text, or the value as JSON.
    pub(crate) fn report(&self, value: &impl Serialize, text: impl FnOnce() -> Text) -> Result<(), Failure> {
        match self.format {
            Format::Human => self.write_out(&text()),
            Format::Json => self.write_out(&Text::json(value).map_err(Failure::at("write the report"))?),
        }
    }

    /// Writes data. A reader that has gone away is no error of ours.
    pub(crate) fn write_out(&self, text: &Text) -> Result<(), Failure> {
        let mut stdout = anstream::stdout().lock();
        match stdout.write_all(text.as_str().as_bytes()).and_then(|()| stdout.flush()) {
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(Failure::at("write to stdout")(error)),
            _ => Ok(()),
        }
    }

    /// Says something to the person.
    pub(crate) fn say(&self, text: impl Into<Text>) {
        if !self.quiet {
            self.insist(&text.into());
        }
    }

    /// Says something that must be heard, even if quiet.
    pub(crate) fn insist(&self, text: &Text) {
        insist(text);
    }

    /// Says what went wrong, even if quiet.
    pub(crate) fn complain(&self, failure: &Failure) {
        if let Some(errors) = failure.error.downcast_ref::<ConfigErrors>() {
            return self.insist(&errors.render(true).trim_end());
        }
        let mut said = text!("{} {}", paint(Tone::Bad, "error:"), failure.error);
        let causes = std::iter::successors(failure.error.source(), |cause| Error::source(*cause));
        said.extend(causes.map(|cause| text!("\n  caused by: {}", cause)));
        if let Some(hint) = &failure.hint {
            said += text!("\n\n{} {}", paint(Tone::Strong, "hint:"), hint);
        }
        self.insist(&said);
    }

    /// Shows what is about to be done and asks for a yes. Where nobody can be asked, the command line must say it.
    pub(crate) fn confirm(&self, what: &Text, question: &str, yes: bool) -> Result<(), Failure> {
        if yes {
            self.say(what);
            return Ok(());
        }
        // Whoever is asked must see what about, even if quiet.
        self.insist(what);
        if !io::stdin().is_terminal() {
            let failure = Failure::new(Exit::Usage, "nobody can be asked, because stdin is not a terminal");
            return Err(failure.hint("pass `--yes` once you have read what will be done"));
        }
        let answer =
            dialoguer::Confirm::new().with_prompt(text!("{}", question).into_string()).default(false).interact();
        match answer.map_err(|dialoguer::Error::IO(error)| error) {
            Ok(true) => Ok(()),
            Err(error) if error.kind() != io::ErrorKind::Interrupted => Err(Failure::at("ask")(error)),
            // Ctrl-C at the question is as clear an answer.
            Ok(false) | Err(_) => Err(Failure::new(Exit::Interrupted, "not confirmed, so nothing was done")),
        }
    }
}

/// Says something that must be heard, wherever one is.
pub(crate) fn insist(text: &Text) {
    // Talk that nobody can hear is not worth failing for.
    let _ = writeln!(anstream::stderr(), "{}", text.as_str());
}

/// Passes on what somebody else says, as it comes.
pub(crate) fn pass_on(text: &Text) {
    let _ = write!(anstream::stderr(), "{}", text.as_str());
}

/// Colours a word; `anstream` takes the colour off again where it does not belong.
pub(crate) fn paint(tone: Tone, word: impl Show) -> Text {
    let style = match tone {
        Tone::Good => AnsiColor::Green.on_default(),
        Tone::Care => AnsiColor::Yellow.on_default(),
        Tone::Bad => AnsiColor::Red.on_default().bold(),
        Tone::Dim => Style::new().dimmed(),
        Tone::Strong => Style::new().bold(),
    };
    word.show().styled(style)
}
