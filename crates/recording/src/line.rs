//! The lines of a recording. Each is one JSON object, with the kind of the line as its only key.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// The format that this crate writes, and the latest that it reads.
pub(crate) const FORMAT: u32 = 1;

/// Within a text, JSON has no line break.
const LINE_BREAKS: [char; 2] = ['\n', '\r'];

/// A line of a recording. `process` counts the processes from 1, and `ms` the milliseconds since the recording began.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Line {
    /// The first line.
    Recording(Header),
    /// A process was started to run a plugin.
    Started {
        /// The process.
        process: u32,
        /// When.
        ms: u64,
        /// The name of the plugin.
        plugin: String,
        /// The SHA-256 of the library, hexadecimal.
        sha256: String,
    },
    /// A message to the plugin.
    ToPlugin {
        /// The process.
        process: u32,
        /// When.
        ms: u64,
        /// The message, as it was sent.
        message: Box<RawValue>,
    },
    /// A message from the plugin.
    FromPlugin {
        /// The process.
        process: u32,
        /// When.
        ms: u64,
        /// The message, as it was sent, but on one line.
        message: Box<RawValue>,
    },
    /// Something from the plugin that is not JSON.
    Garbled {
        /// The process.
        process: u32,
        /// When.
        ms: u64,
        /// The bytes, in base64.
        bytes: String,
    },
    /// The process ended.
    Ended {
        /// The process.
        process: u32,
        /// When.
        ms: u64,
        /// How.
        how: String,
    },
    /// flowswap stopped the process.
    Stopped {
        /// The process.
        process: u32,
        /// When.
        ms: u64,
        /// Why.
        how: String,
        /// Whether that is because it did not answer in time. Otherwise, it said something that it must not say.
        late: bool,
    },
    /// The last line. Without it, the recording is incomplete.
    End {
        /// The number of messages, in both directions.
        messages: u64,
    },
}

/// What a recording is of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Header {
    /// The format of the recording.
    pub format: u32,
    /// The version of flowswap.
    pub flowswap: String,
    /// The name of the command and of its options, without their values: they can name people.
    pub command: Vec<String>,
}

impl Line {
    /// The line for a message from the plugin. A line break in JSON outside of a text means no more than a space.
    pub(crate) fn from_plugin(process: u32, ms: u64, bytes: &[u8]) -> Self {
        let message = serde_json::from_slice::<Box<RawValue>>(bytes).and_then(|message| match message.get() {
            text if text.contains(LINE_BREAKS) => RawValue::from_string(text.replace(LINE_BREAKS, " ")),
            _ => Ok(message),
        });
        match message {
            Ok(message) => Self::FromPlugin { process, ms, message },
            Err(_) => Self::Garbled { process, ms, bytes: STANDARD.encode(bytes) },
        }
    }

    /// The number of the process that it is about.
    pub fn process(&self) -> Option<u32> {
        match self {
            Self::Recording(_) | Self::End { .. } => None,
            Self::Started { process, .. }
            | Self::ToPlugin { process, .. }
            | Self::FromPlugin { process, .. }
            | Self::Garbled { process, .. }
            | Self::Ended { process, .. }
            | Self::Stopped { process, .. } => Some(*process),
        }
    }

    /// Whether it has a message.
    pub(crate) fn is_message(&self) -> bool {
        matches!(self, Self::ToPlugin { .. } | Self::FromPlugin { .. } | Self::Garbled { .. })
    }
}
