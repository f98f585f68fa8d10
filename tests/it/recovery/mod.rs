//! Recovery: `resume` continues an interrupted command, `stuck` and `resolve` are for decisions by a person, `audit`
//! checks what was recorded, and only one process writes at a time.

mod anchors;
mod audit;
mod decisions;
pub(crate) mod export;
mod history;
mod put_off;
pub(crate) mod resume;
mod typed;
mod way_back;
mod writers;
