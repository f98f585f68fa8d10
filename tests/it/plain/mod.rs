//! What people read is plain English: no phrase that needs a second reading, no sentence that needs a second breath, and
//! help that says what to do. `CONTRIBUTING.md` has the style that these tests can only check the edges of.

mod help;
mod phrases;
mod sentences;
