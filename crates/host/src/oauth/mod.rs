//! Access tokens that the host requests for a plugin, as a client of an OAuth authorization server ([`Auth::Client`]).
//!
//! The client authenticates by a signed assertion (RFC 7523) or by a secret, and proves that it has the key to which a token is
//! bound if the server wants that (RFC 9449). Keys, assertions, proofs, and tokens stay in this process.
//!
//! [`Auth::Client`]: flowswap_contract::Auth::Client

mod answer;
mod authorized;
mod token;

#[cfg(test)]
mod tests;

pub(crate) use self::authorized::Bearer;
