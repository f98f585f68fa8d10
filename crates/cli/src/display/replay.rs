//! What a replay showed, at a terminal.

use flowswap_engine::short;
use flowswap_recording::{Difference, Place};
use flowswap_report::number;
use serde_json::Value;

use super::text::{Text, text};
use crate::{
    commands::replay::{Process, Replayed},
    terminal::{Tone, paint},
};

/// A value takes at most this many characters.
const MAX_VALUE: usize = 160;

/// The whole replay of the recording in the file at `path`.
pub(crate) fn show(replayed: &Replayed, path: &str) -> Text {
    let Replayed { recording, complete, processes } = replayed;
    let mut text = text!("{}: `{}`, recorded by flowswap {}\n", path, recording.command.join(" "), recording.flowswap);
    if processes.is_empty() {
        text += "the recorded command started no plugin, so there is nothing to compare\n";
    }
    text.extend(processes.iter().map(|process| show_process(process, path)));
    if !complete {
        text += paint(Tone::Care, "the recording is incomplete: its last line is missing");
        text += "\n";
    }
    text
}

fn show_process(process: &Process, path: &str) -> Text {
    let Process { plugin, recorded_sha256, sha256, replayed } = process;
    let build = if recorded_sha256 == sha256 {
        text!("the recorded build, {}", short(sha256))
    } else {
        text!("recorded with build {}, replayed with {}", short(recorded_sha256), short(sha256))
    };
    let mut text = text!("\n{} (process {}; {})\n", paint(Tone::Strong, plugin), replayed.process, build);
    if !replayed.greeting.is_empty() {
        text += "  it describes itself differently:\n";
        text.extend(replayed.greeting.iter().map(show_place));
    }
    match &replayed.difference {
        None => {
            text += text!(
                "  {}\n",
                paint(Tone::Good, text!("{} as recorded", number(replayed.same, "message", "messages")))
            )
        }
        Some(difference) => {
            text += text!(
                "  {} as recorded, then {}\n",
                number(replayed.same, "message", "messages"),
                paint(Tone::Bad, "a difference")
            );
            text += show_difference(difference, path);
        }
    }
    if replayed.beyond > 0 {
        text += text!("  after the end of the recording: {} more\n", number(replayed.beyond, "message", "messages"));
    }
    text
}

fn show_difference(difference: &Difference, path: &str) -> Text {
    let Difference { line, recorded, replayed, places, more } = difference;
    let mut text = text!("    {}, line {}: {}\n", path, line, recorded);
    if places.is_empty() {
        text += text!("    this build: {}\n", replayed);
    }
    text.extend(places.iter().map(show_place));
    if *more > 0 {
        text += text!("    and {} more\n", number(*more, "place", "places"));
    }
    text
}

fn show_place(place: &Place) -> Text {
    let at = if place.at.is_empty() { "the whole message" } else { &place.at };
    text!(
        "    {}\n      recorded:   {}\n      this build: {}\n",
        at,
        show_value(&place.recorded),
        show_value(&place.replayed)
    )
}

/// The value as JSON, cut if it is long.
fn show_value(value: &Option<Value>) -> String {
    let Some(value) = value else { return "nothing".to_owned() };
    let text = value.to_string();
    match text.char_indices().nth(MAX_VALUE) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}
