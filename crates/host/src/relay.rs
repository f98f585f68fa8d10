//! Turns the output of a plugin process into log lines.

use std::sync::{Arc, Mutex, PoisonError};

use flowswap_contract::Level;
use flowswap_engine::{Event, EventSink};
use tokio::io::{AsyncRead, AsyncReadExt};

use crate::{
    budget::{PRINTED, TEXT},
    shown::one_line,
};

/// A character has at most four bytes, and one more character shows that the line is cut.
const LONGEST_LINE: usize = 4 * (TEXT.limit + 1);

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
            _ if told <= PRINTED.limit => message,
            _ if told == PRINTED.limit + 1 => PRINTED.message(),
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
                _ if line.len() < LONGEST_LINE => line.push(byte),
                _ => {}
            }
        }
    }
    finish(&mut line);
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
        assert_eq!(told.len(), PRINTED.limit + 1);
        let Some(Event::Log { message, .. }) = told.last() else { panic!("{told:?}") };
        assert_eq!(*message, PRINTED.message());
        assert_eq!(last.lock().unwrap().as_deref(), Some("line 2999"));
    }
}
