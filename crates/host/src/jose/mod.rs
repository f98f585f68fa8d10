//! Private keys and what they sign: JSON Web Keys (RFC 7517), signatures (RFC 7515), and the two kinds of token that an OAuth client
//! signs. Libraries do the cryptography.

mod algorithm;
mod jwk;
mod jwt;
mod key;
mod material;

#[cfg(test)]
pub(crate) mod tests;

pub(crate) use self::{
    algorithm::Algorithm,
    jwt::{Assertion, Proof},
    key::SigningKey,
    material::KeyError,
};
