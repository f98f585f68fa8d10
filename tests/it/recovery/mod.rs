//! Getting over what went wrong: `resume` goes on by name, `stuck` and `resolve` are for what nothing else can settle, `audit`
//! looks through what was recorded, and one process writes at a time.

mod audit;
mod decisions;
mod put_off;
mod resume;
mod way_back;
mod writers;
