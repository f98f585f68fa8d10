//! Where the live lines are drawn.

use std::{io, sync::Arc, time::Duration};

use console::Term;
use indicatif::{ProgressDrawTarget, TermLike};

/// The terminal is drawn on so often at most, in one second.
const MOST_DRAWINGS: u8 = 20;

/// A terminal, as far as the live lines need to know it.
#[derive(Clone)]
pub(super) struct Canvas {
    /// Its width now.
    pub(super) columns: fn() -> usize,
    pub(super) has_color: bool,
    /// How long the command has run.
    pub(super) elapsed: Arc<dyn Fn() -> Duration + Send + Sync>,
}

/// The terminal on stderr.
pub(super) fn stderr() -> ProgressDrawTarget {
    ProgressDrawTarget::term_like_with_hz(Box::new(CursorAtStart(Term::buffered_stderr())), MOST_DRAWINGS)
}

/// A terminal whose cursor stays at the start of the last line. At its end, the `^C` that a terminal shows would begin a line of its
/// own. Then the lines would be counted wrongly, and a piece of the bar would stay on the screen.
#[derive(Debug)]
struct CursorAtStart(Term);

impl TermLike for CursorAtStart {
    fn width(&self) -> u16 {
        self.0.size().1
    }

    fn height(&self) -> u16 {
        self.0.size().0
    }

    fn move_cursor_up(&self, lines: usize) -> io::Result<()> {
        self.0.move_cursor_up(lines)
    }

    fn move_cursor_down(&self, lines: usize) -> io::Result<()> {
        self.0.move_cursor_down(lines)
    }

    fn move_cursor_right(&self, columns: usize) -> io::Result<()> {
        self.0.move_cursor_right(columns)
    }

    fn move_cursor_left(&self, columns: usize) -> io::Result<()> {
        self.0.move_cursor_left(columns)
    }

    fn write_line(&self, line: &str) -> io::Result<()> {
        self.0.write_line(line)
    }

    fn write_str(&self, text: &str) -> io::Result<()> {
        self.0.write_str(text)
    }

    fn clear_line(&self) -> io::Result<()> {
        self.0.clear_line()
    }

    fn flush(&self) -> io::Result<()> {
        self.0.write_str("\r")?;
        self.0.flush()
    }
}
