//! Draws the live lines of a [`Tally`] again and again below what is printed.

use std::{
    fmt::Write,
    sync::{Arc, Mutex, PoisonError, atomic::AtomicBool, atomic::Ordering},
    time::Duration,
};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressFinish, ProgressState, ProgressStyle};

use super::{
    canvas::{self, Canvas},
    screen,
    tally::Tally,
};
use crate::{display::text::Text, terminal::for_people};

/// How often the lines are drawn.
const DRAW_EVERY: Duration = Duration::from_millis(200);

/// The live lines.
pub(super) struct Bar {
    pub(super) lines: ProgressBar,
    is_drawn: AtomicBool,
    columns: fn() -> usize,
    has_color: bool,
}

impl Bar {
    /// Lines that are not drawn yet.
    pub(super) fn new(canvas: Canvas, tally: Arc<Mutex<Tally>>) -> Self {
        let lines = ProgressBar::with_draw_target(None, ProgressDrawTarget::hidden());
        let (columns, has_color) = (canvas.columns, canvas.has_color);
        let draw = move |_: &ProgressState, out: &mut dyn Write| {
            let tally = tally.lock().unwrap_or_else(PoisonError::into_inner);
            let text = screen::draw(&tally, (canvas.elapsed)(), (canvas.columns)());
            let _ = out.write_str(&in_color(&text, canvas.has_color));
        };
        // The template is a constant, so an invalid one shows in every run.
        if let Ok(style) = ProgressStyle::with_template("{lines}") {
            lines.set_style(style.with_key("lines", draw));
        }
        Self {
            lines: lines.with_finish(ProgressFinish::AndClear),
            is_drawn: AtomicBool::new(false),
            columns,
            has_color,
        }
    }

    /// Begins to draw on stderr.
    pub(super) fn begin(&self) {
        self.begin_on(canvas::stderr());
        self.lines.enable_steady_tick(DRAW_EVERY);
    }

    /// Draws again after [`clear`](Self::clear).
    pub(super) fn go_on(&self) {
        if !self.is_drawn.load(Ordering::Relaxed) {
            self.begin();
        }
    }

    /// Begins to draw. Somebody else must tick.
    pub(super) fn begin_on(&self, target: ProgressDrawTarget) {
        if self.lines.is_finished() {
            // It was cleared for a question.
            self.lines.reset();
        }
        self.lines.set_draw_target(target);
        self.is_drawn.store(true, Ordering::Relaxed);
    }

    /// Prints a text above the lines. Returns false if there are none now.
    pub(super) fn print(&self, text: &Text) -> bool {
        let is_drawn = self.is_drawn.load(Ordering::Relaxed);
        if is_drawn {
            self.lines.println(in_color(&for_people(text, (self.columns)()), self.has_color));
        }
        is_drawn
    }

    /// Removes the lines. Returns false if there were none.
    pub(super) fn clear(&self) -> bool {
        let was_drawn = self.is_drawn.swap(false, Ordering::Relaxed);
        if was_drawn {
            self.lines.finish_and_clear();
        }
        was_drawn
    }
}

fn in_color(text: &Text, has_color: bool) -> String {
    if has_color { text.as_str().to_owned() } else { text.plain() }
}
