//! Overrides the addresses of host names, like curl's `--resolve`.

use std::{collections::BTreeMap, fmt, io, net::SocketAddr, str::FromStr, sync::Arc};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

/// A host name, or `*.suffix` for every name that ends with `.suffix`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct HostPattern {
    wildcard: bool,
    /// The name, or what follows the `*.`; in lower case.
    name: String,
}

/// The text is not a [`HostPattern`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is neither a host name nor `*.` followed by a host name")]
pub struct HostPatternError(String);

impl HostPattern {
    /// Whether `host` is the name, or one below it.
    pub(crate) fn matches(&self, host: &str) -> bool {
        if !self.wildcard {
            return host.eq_ignore_ascii_case(&self.name);
        }
        let start = host.len().checked_sub(self.name.len());
        let split = start.and_then(|start| host.split_at_checked(start));
        let below = split.filter(|(_, suffix)| suffix.eq_ignore_ascii_case(&self.name));
        below.and_then(|(rest, _)| rest.strip_suffix('.')).is_some_and(|rest| !rest.is_empty())
    }

    /// A plain name wins over a wildcard, and a longer suffix over a shorter one.
    fn precision(&self) -> (bool, usize) {
        (!self.wildcard, self.name.len())
    }
}

impl FromStr for HostPattern {
    type Err = HostPatternError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (wildcard, name) = match text.strip_prefix("*.") {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let label = |l: &str| !l.is_empty() && l.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
        if !name.split('.').all(label) {
            return Err(HostPatternError(text.to_owned()));
        }
        Ok(Self { wildcard, name: name.to_ascii_lowercase() })
    }
}

impl fmt::Display for HostPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", if self.wildcard { "*." } else { "" }, self.name)
    }
}

/// The overrides of a configuration.
pub(crate) type Overrides = BTreeMap<HostPattern, SocketAddr>;

/// The address that the most precise pattern gives for `host`.
pub(crate) fn find(overrides: &Overrides, host: &str) -> Option<SocketAddr> {
    let matching = overrides.iter().filter(|(pattern, _)| pattern.matches(host));
    matching.max_by_key(|(pattern, _)| pattern.precision()).map(|(_, address)| *address)
}

/// Why a name has no address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum LookupError {
    /// The name does not exist.
    #[error("this host name does not exist")]
    Unknown,
    /// The lookup failed; a later one may succeed.
    #[error("{0}")]
    Failed(String),
}

impl LookupError {
    /// The standard library gives no code, only the C library's text (`gai_strerror` of glibc, musl, and macOS).
    fn of(error: &io::Error) -> Self {
        let text = error.to_string();
        let text = text.strip_prefix("failed to lookup address information: ").unwrap_or(&text);
        let unknown = [
            "Name or service not known",
            "No address associated with hostname",
            "Name does not resolve",
            "Name has no usable address",
            "nodename nor servname provided, or not known",
        ];
        if unknown.contains(&text) { Self::Unknown } else { Self::Failed(text.to_owned()) }
    }
}

/// Looks names up in the overrides first, and asks the system about all others.
pub(crate) struct Resolver {
    pub(crate) overrides: Arc<Overrides>,
}

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        if let Some(address) = find(&self.overrides, name.as_str()) {
            return Box::pin(async move { Ok(Box::new(std::iter::once(address)) as Addrs) });
        }
        Box::pin(async move {
            // Port 0 stands for the port of the URL's scheme (`reqwest::dns::Resolve`).
            let found = tokio::net::lookup_host((name.as_str(), 0)).await.map_err(|e| LookupError::of(&e))?;
            let addresses: Vec<_> = found.collect();
            if addresses.is_empty() {
                return Err(LookupError::Unknown.into());
            }
            Ok(Box::new(addresses.into_iter()) as Addrs)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(pattern: &str, matching: &[&str], foreign: &[&str]) {
        let pattern: HostPattern = pattern.parse().unwrap();
        for host in matching {
            assert!(pattern.matches(host), "{pattern} does not match {host}");
        }
        for host in foreign {
            assert!(!pattern.matches(host), "{pattern} matches {host}");
        }
    }

    #[test]
    fn patterns_match_whole_labels() {
        check("acme.okta.test", &["acme.okta.test", "ACME.okta.test"], &["x.acme.okta.test", "okta.test"]);
        check("*.okta.test", &["acme.okta.test", "a.b.OKTA.test"], &["okta.test", ".okta.test", "notokta.test"]);
    }

    #[test]
    fn other_texts_are_not_patterns() {
        for text in ["", "*", "*.", "a..b", "https://a", "a.test:443", "*a.test", "a.*.test", "a b"] {
            assert_eq!(text.parse::<HostPattern>(), Err(HostPatternError(text.to_owned())));
        }
    }

    #[test]
    fn a_missing_name_is_distinguished_from_a_failed_lookup() {
        for (text, expect) in [
            ("failed to lookup address information: Name or service not known", LookupError::Unknown),
            ("failed to lookup address information: No address associated with hostname", LookupError::Unknown),
            ("failed to lookup address information: Name does not resolve", LookupError::Unknown),
            (
                "failed to lookup address information: Temporary failure in name resolution",
                LookupError::Failed("Temporary failure in name resolution".into()),
            ),
            ("failed to lookup address information: Try again", LookupError::Failed("Try again".into())),
        ] {
            assert_eq!(LookupError::of(&io::Error::other(text)), expect, "{text}");
        }
    }

    #[test]
    fn the_most_precise_pattern_wins() {
        let overrides: Overrides = [("*.test", 1), ("*.okta.test", 2), ("acme.okta.test", 3)]
            .map(|(pattern, port)| (pattern.parse().unwrap(), SocketAddr::from(([127, 0, 0, 1], port))))
            .into();
        for (host, port) in
            [("a.test", Some(1)), ("b.okta.test", Some(2)), ("acme.okta.test", Some(3)), ("a.org", None)]
        {
            assert_eq!(find(&overrides, host).map(|a| a.port()), port, "{host}");
        }
    }
}
