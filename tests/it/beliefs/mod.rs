//! What the proofs assume of Okta and of Cloud Identity Engine: that it is listed, and what comes of it when it is false.

mod document;
mod judge;
mod sweep;
