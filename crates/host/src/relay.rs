//! Turns the output of a plugin process into log lines.

use std::sync::{Arc, Mutex, PoisonError};

use flowswap_contract::Level;
use flowswap_engine::{Event, EventSink};
use tokio::io::{AsyncRead, AsyncReadExt};

/// Longer lines are truncated.
const MAX_LINE: usize = 2000;

/// How many lines of one stream are logged. The last line is remembered even beyond that.
const MAX_LINES: usize = 1000;

/// The last line that a process printed to standard error, which usually says why it ended.
pub(crate) type LastLine = Arc<Mutex<Option<String>>>;

/// Emits every line of `stream` as a log event until the stream ends.
pub(crate) async fn relay(
    mut stream: impl AsyncRead + Unpin,
    plugin: String,
    level: Level,
    events: Arc<dyn EventSink>,
    last: Option<LastLine>,
) {
    let mut line = Vec::new();
    let mut buffer = [0; 4096];
    let mut told = 0;
    let mut finish = |line: &mut Vec<u8>| {
        let message = one_line(&String::from_utf8_lossy(line));
        line.clear();
        if message.is_empty() {
            return;
        }
        if let Some(last) = &last {
            *last.lock().unwrap_or_else(PoisonError::into_inner) = Some(message.clone());
        }
        told += 1;
        let message = match told {
            ..=MAX_LINES => message,
            _ if told == MAX_LINES + 1 => "it prints too much; flowswap does not show the rest".to_owned(),
            _ => return,
        };
        events.emit(Event::Log { plugin: plugin.clone(), tenant: None, level, message });
    };
    // A read error ends the stream.
    while let Ok(count @ 1..) = stream.read(&mut buffer).await {
        for &byte in &buffer[..count] {
            match byte {
                b'\n' => finish(&mut line),
                // Drops the rest of an overlong line.
                _ if line.len() < MAX_LINE => line.push(byte),
                _ => {}
            }
        }
    }
    finish(&mut line);
}

/// The text as one line of limited length, without the control characters that could control a terminal.
pub(crate) fn one_line(text: &str) -> String {
    let visible = text.trim().chars().map(|c| if c.is_control() { ' ' } else { c });
    visible.take(MAX_LINE).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::World;

    #[tokio::test]
    async fn a_flood_of_lines_is_truncated_and_its_last_line_is_remembered() {
        let world = World::default();
        let text: String = (0..3000).map(|n| format!("line {n}\n")).collect();
        let last = LastLine::default();
        let events = Arc::new(world.ports());
        relay(text.as_bytes(), "rogue".into(), Level::Warn, events, Some(Arc::clone(&last))).await;
        let told = world.events.lock().unwrap();
        assert_eq!(told.len(), MAX_LINES + 1);
        let Some(Event::Log { message, .. }) = told.last() else { panic!("{told:?}") };
        assert_eq!(message, "it prints too much; flowswap does not show the rest");
        assert_eq!(last.lock().unwrap().as_deref(), Some("line 2999"));
    }
}
