//! The two streams: data goes to stdout, messages go to stderr. Nothing depends on color.

use std::{
    error::Error,
    io::{self, BufWriter, IsTerminal, Write},
    process::ExitCode,
    sync::atomic::{AtomicBool, Ordering},
};

use anstyle::{AnsiColor, Style};
use flowswap_config::ConfigErrors;
use serde::Serialize;
use tokio::sync::Notify;

use crate::{
    args::{Format, Global, ProgressMode},
    display::{
        text::{Show, Text, text},
        times,
    },
    documents::{self, Document, Formatted},
    events::{EventLine, Happened},
    exit::{Exit, Failure},
    failed::FailureReport,
    full_command,
};

/// Where and how to write.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Terminal {
    /// How to report on stdout.
    pub(crate) format: Format,
    /// Whether to write only errors to stderr.
    pub(crate) quiet: bool,
    /// How much detail to show: the number of `-v`.
    pub(crate) verbose: u8,
    /// How to show progress.
    pub(crate) progress: ProgressMode,
}

/// What the color of a word means.
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
        Self { format: global.format, quiet: global.quiet, verbose: global.verbose, progress: global.progress }
    }

    /// Writes a report: the text, or the document.
    pub(crate) fn report(&self, document: &impl Document, text: impl FnOnce() -> Text) -> Result<(), Failure> {
        match self.format {
            Format::Human => self.write_out(&for_people(&text(), columns())),
            Format::Json | Format::Jsonl => self.report_as_json(document),
        }
    }

    /// Writes a report that is no text for people.
    pub(crate) fn report_as_json<D: Document>(&self, document: &D) -> Result<(), Failure> {
        let text = match self.format {
            Format::Human | Format::Json => documents::print(document),
            Format::Jsonl => documents::print_line(&EventLine::of_report(D::NAME, &Formatted(document))),
        };
        self.write_out(&text.map_err(Failure::at("write the report"))?)
    }

    /// Whether a person reads stdout, and no program.
    pub(crate) fn is_for_people(&self) -> bool {
        self.format == Format::Human
    }

    /// Writes what happened, if a program wants to read it. Once that fails, flowswap stops as after Ctrl-C.
    pub(crate) fn stream<R: Serialize>(&self, happened: Happened<'_, R>) {
        if self.format != Format::Jsonl {
            return;
        }
        let Ok(line) = documents::print_line(&EventLine::now(happened)) else { return };
        let mut stdout = io::stdout().lock();
        if stdout.write_all(line.as_str().as_bytes()).and_then(|()| stdout.flush()).is_err() {
            STDOUT_LOST.notify_one();
        }
    }

    /// Writes data. It is not an error if the reader has closed the pipe.
    pub(crate) fn write_out(&self, text: &Text) -> Result<(), Failure> {
        self.stream_out(|out| out.write_all(text.as_str().as_bytes()))
    }

    /// Writes what `content` writes. It is not an error if the reader has closed the pipe.
    pub(crate) fn stream_out(&self, content: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<(), Failure> {
        match write_buffered(anstream::stdout().lock(), content) {
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(Failure::at("write to stdout")(error)),
            _ => Ok(()),
        }
    }

    /// Writes a message to stderr, unless the user passed `--quiet`.
    pub(crate) fn say(&self, text: impl Into<Text>) {
        if !self.quiet {
            self.say_always(&text.into());
        }
    }

    /// Writes a message to stderr even with `--quiet`.
    pub(crate) fn say_always(&self, text: &Text) {
        say_always(text);
    }

    /// Shows the failure that ends the command. For a program, that is the last line of stderr.
    pub(crate) fn end_with(&self, failure: &Failure) {
        match self.format {
            Format::Human => self.show_failure(failure),
            Format::Json | Format::Jsonl => end_with_line(&failure.into()),
        }
    }

    /// Shows what is wrong with the command line, or the help that somebody asked for.
    pub(crate) fn refuse(format: Format, error: &clap::Error) -> ExitCode {
        if format == Format::Human || !error.use_stderr() {
            // If the stream is closed, nobody reads it.
            let _ = error.print();
        } else {
            end_with_line(&error.into());
        }
        u8::try_from(error.exit_code()).map_or(Exit::Usage.into(), ExitCode::from)
    }

    /// Shows a failure, its causes, and its hint, even with `--quiet`.
    pub(crate) fn show_failure(&self, failure: &Failure) {
        if let Some(errors) = failure.error.downcast_ref::<ConfigErrors>() {
            // The renderer's own color codes must stay; it lets no hidden character through.
            return say_whole(&wrap_around_source(&errors.render(true), columns_of_stderr()));
        }
        let mut message = text!("{} {}", paint(Tone::Bad, "error:"), failure.error);
        let causes = std::iter::successors(failure.error.source(), |cause| Error::source(*cause));
        message.extend(causes.map(|cause| text!("\n  caused by: {}", cause)));
        if let Some(hint) = &failure.hint {
            message += text!("\n\n{} {}", paint(Tone::Strong, "hint:"), hint);
        }
        self.say_always(&message);
    }
}

/// Told once events cannot be written any more: nobody reads them, or the disk is full.
static STDOUT_LOST: Notify = Notify::const_new();

/// Returns once events cannot be written to stdout any more.
pub(crate) async fn stdout_lost() {
    STDOUT_LOST.notified().await;
}

fn end_with_line(report: &FailureReport) {
    // Text always becomes JSON. If stderr is closed, nobody reads it.
    if let Ok(line) = documents::print_line(report) {
        let _ = io::stderr().write_all(line.as_str().as_bytes());
    }
}

/// The last step before the screen: local times, complete commands, and lines that are broken at words. A pipe or a file has no
/// width.
pub(crate) fn for_people(text: &Text, columns: usize) -> Text {
    full_command::in_text(&times::in_text(text)).wrapped(columns)
}

/// Breaks the lines of a rendered error, but for those that show a file.
fn wrap_around_source(rendered: &str, columns: usize) -> Text {
    let is_source = |line: &str| {
        let plain = console::strip_ansi_codes(line);
        plain.trim_start_matches(|c: char| c.is_ascii_digit() || c == ' ').starts_with('|')
    };
    let lines = rendered.split_inclusive('\n').map(|line| match Text::rendered(line.to_owned()) {
        source if is_source(line) => source,
        words => for_people(&words, columns),
    });
    lines.collect()
}

/// Writes a message to stderr, for code that has no [`Terminal`].
pub(crate) fn say_always(text: &Text) {
    say_whole(&for_people(text, columns_of_stderr()));
}

/// Writes a message to stderr whose lines are not broken.
pub(crate) fn say_whole(text: &Text) {
    OpenLine::end();
    // If stderr is closed, nobody reads messages, and the command must not fail because of that.
    let _ = writeln!(anstream::stderr(), "{}", text.as_str());
}

/// A question whose answer is typed on the same line. Whatever is written before the answer ends the line
/// first.
pub(crate) struct OpenLine;

/// Whether such a line is on the screen.
static LINE_IS_OPEN: AtomicBool = AtomicBool::new(false);

impl OpenLine {
    /// Shows the question. Dropping the result ends the line.
    pub(crate) fn begin(question: &Text) -> Self {
        Self::end();
        // First, because another thread may write as soon as the person reads the question.
        LINE_IS_OPEN.store(true, Ordering::Relaxed);
        let _ = anstream::stderr().write_all(text!("{} ", question).as_str().as_bytes());
        Self
    }

    /// Whether there is one.
    pub(crate) fn is_open() -> bool {
        LINE_IS_OPEN.load(Ordering::Relaxed)
    }

    /// The person pressed Enter, and that ended the line.
    pub(crate) fn end_by_enter() {
        LINE_IS_OPEN.store(false, Ordering::Relaxed);
    }

    fn end() {
        if LINE_IS_OPEN.swap(false, Ordering::Relaxed) {
            let _ = writeln!(anstream::stderr());
        }
    }
}

impl Drop for OpenLine {
    fn drop(&mut self) {
        Self::end();
    }
}

/// Forwards the output of another program to stderr as it arrives.
pub(crate) fn forward(text: &Text) {
    let _ = write!(anstream::stderr(), "{}", text.as_str());
}

/// Colors a word. `anstream` removes the color when the stream is not a terminal.
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

/// Whether stderr is a terminal on which lines can be drawn again. `TERM=dumb` says that it cannot.
pub(crate) fn can_redraw() -> bool {
    io::stderr().is_terminal() && std::env::var_os("TERM").is_some_and(|term| !term.is_empty() && term != "dumb")
}

/// Whether stderr shows color.
pub(crate) fn has_color() -> bool {
    anstream::AutoStream::choice(&io::stderr()) != anstream::ColorChoice::Never
}

/// The width of the terminal on stderr.
pub(crate) fn columns_of_stderr() -> usize {
    console::Term::stderr().size_checked().map_or(usize::MAX, |(_, columns)| columns.into())
}

/// The width of the terminal on stdout. A pipe or a file gets lines of any length, because a program may search them.
pub(crate) fn columns() -> usize {
    console::Term::stdout().size_checked().map_or(usize::MAX, |(_, columns)| columns.into())
}

/// Writes to a place for which many small pieces would be slow.
pub(crate) fn write_buffered(
    place: impl Write,
    content: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> io::Result<()> {
    let mut place = BufWriter::with_capacity(64 * 1024, place);
    content(&mut place)?;
    place.flush()
}
