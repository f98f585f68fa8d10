//! Getting over what went wrong: `resume` goes on by name, `stuck` and `resolve` are for what nothing else can settle, `audit`
//! looks through what was recorded.

mod audit;
mod decisions;
mod resume;
