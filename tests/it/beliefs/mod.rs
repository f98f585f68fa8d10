//! The beliefs about Okta and Cloud Identity Engine on which the proofs rely: they are listed, and tests make them
//! false.

mod document;
mod judge;
mod sweep;
