//! Recordings of what flowswap and the processes of its plugins say to each other, so that a user can send a bug without sending
//! access.
//!
//! A [`Recorder`] writes every message to a file, one JSON object per line. No message contains a secret, because a plugin gets
//! only handles. A [`Reader`] reads the file, and a [`Replay`] sends its messages to another build of the plugin. A plugin has no
//! clock, no files, and no network, so the same build answers in the same way. The first answer that differs is the
//! [`Difference`].

mod difference;
mod line;
mod player;
mod reader;
mod recorder;
mod replay;

pub use difference::{Difference, Place};
pub use line::{Header, Line};
pub use reader::{ReadError, Reader};
pub use recorder::{Recorded, Recorder};
pub use replay::{Replay, ReplayedProcess};
