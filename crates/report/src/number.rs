//! Numbers with their nouns.

use std::fmt::Display;

/// `1 tenant`, or `2 tenants`.
pub fn number<N: PartialEq + From<u8> + Display>(count: N, one: &str, many: &str) -> String {
    let noun = if count == N::from(1) { one } else { many };
    format!("{count} {noun}")
}
