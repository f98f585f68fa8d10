//! Checks the environment variables that name proxies. The HTTP client ignores a value that it cannot parse, and then would
//! connect directly although it must not.
//!
//! `HTTPS_PROXY` (else `https_proxy`, else `ALL_PROXY`, else `all_proxy`) is `http://host:port` or `https://host:port`, with
//! `user:password@` before the host if the proxy requires it. Without a scheme it is `http`. `NO_PROXY` (else `no_proxy`) is
//! a comma-separated list of
//!
//! - `example.com` or `.example.com`: this host and every host below it,
//! - `192.0.2.7` or `2001:db8::7`: this address, if a URL contains the address,
//! - `192.0.2.0/24` or `2001:db8::/32`: these addresses, likewise,
//! - `*`: every host.
//!
//! The client would ignore a port, a scheme, or a `*` within a name, so this module refuses them. It never shows a value,
//! because it may contain a password.

use std::{ffi::OsString, net::IpAddr};

use http::Uri;

/// A variable that cannot be used, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct BadVariable {
    /// Its name.
    pub(crate) name: &'static str,
    /// What is wrong; never contains the value.
    pub(crate) problem: String,
}

const PROXIES: [&[&str]; 2] = [&["HTTPS_PROXY", "https_proxy"], &["ALL_PROXY", "all_proxy"]];
const EXCEPTIONS: &[&str] = &["NO_PROXY", "no_proxy"];

/// Checks the variables; returns whether one of them names a proxy.
pub(crate) fn check(variable: impl Fn(&str) -> Option<OsString>) -> Result<bool, BadVariable> {
    let mut names_one = false;
    for names in PROXIES {
        if let Some((name, value)) = first(names, &variable)? {
            check_proxy(&value).map_err(|problem| BadVariable { name, problem: problem.to_owned() })?;
            names_one = true;
        }
    }
    if let Some((name, value)) = first(EXCEPTIONS, &variable)? {
        check_exceptions(&value).map_err(|problem| BadVariable { name, problem })?;
    }
    Ok(names_one)
}

/// The first variable that is set. It counts even if it is empty.
fn first(
    names: &[&'static str],
    variable: impl Fn(&str) -> Option<OsString>,
) -> Result<Option<(&'static str, String)>, BadVariable> {
    let Some((name, value)) = names.iter().find_map(|&name| Some((name, variable(name)?))) else { return Ok(None) };
    let value = value.into_string().map_err(|_| BadVariable { name, problem: "it is not valid UTF-8".to_owned() })?;
    Ok(Some((name, value)).filter(|(_, value)| !value.is_empty()))
}

fn check_proxy(value: &str) -> Result<(), &'static str> {
    let uri: Uri = value.parse().map_err(|_| "it is not a URL")?;
    match uri.scheme_str() {
        None | Some("http" | "https") => {}
        Some(scheme) if scheme.starts_with("socks") => return Err("it names a SOCKS proxy, which flowswap cannot use"),
        Some(_) => return Err("its scheme is neither `http` nor `https`"),
    }
    let authority = uri.authority().ok_or("it names no host")?;
    if authority.host().is_empty() {
        return Err("it names no host");
    }
    let after_host = authority.as_str().rsplit_once('@').map_or(authority.as_str(), |(_, rest)| rest);
    let after_host = after_host.rsplit_once(']').map_or(after_host, |(_, rest)| rest);
    if after_host.contains(':') && authority.port_u16().is_none_or(|port| port == 0) {
        return Err("its port is not a number from 1 to 65535");
    }
    // The client splits at the first `@`.
    if authority.as_str().matches('@').count() > 1 {
        return Err("it has more than one `@`; write an `@` in a user name or a password as `%40`");
    }
    Ok(())
}

fn check_exceptions(value: &str) -> Result<(), String> {
    for (number, entry) in (1..).zip(value.split(',').map(str::trim)) {
        if !entry.is_empty() && entry != "*" && !is_address(entry) && !is_name(entry) {
            return Err(format!(
                "its entry {number} is not a host name, an IP address, a network such as `192.0.2.0/24`, or `*` alone"
            ));
        }
    }
    Ok(())
}

fn is_address(entry: &str) -> bool {
    let (address, length) = match entry.split_once('/') {
        Some((address, length)) => (address, Some(length)),
        None => (entry, None),
    };
    let Ok(address) = address.parse::<IpAddr>() else { return false };
    let most = if address.is_ipv4() { 32 } else { 128 };
    length.is_none_or(|length| length.parse::<u8>().is_ok_and(|length| length <= most))
}

fn is_name(entry: &str) -> bool {
    let label = |l: &str| !l.is_empty() && l.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
    let name = entry.strip_prefix('.').unwrap_or(entry);
    name.split('.').all(label)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(variables: &[(&str, &str)]) -> Result<bool, BadVariable> {
        check(|name| variables.iter().find(|(n, _)| *n == name).map(|(_, value)| value.into()))
    }

    #[test]
    fn values_that_the_client_understands_are_accepted() {
        assert_eq!(checked(&[]), Ok(false));
        assert_eq!(checked(&[("HTTPS_PROXY", ""), ("https_proxy", "not looked at:x")]), Ok(false));
        for value in
            ["http://proxy.test:3128", "https://me:p%40ss@proxy.test", "proxy.test:3128", "http://[2001:db8::1]:80/"]
        {
            for name in ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"] {
                assert_eq!(checked(&[(name, value)]), Ok(true), "{name} {value}");
            }
        }
        for value in
            ["", "*", "a.test", ".a.test, b.test,", "192.0.2.7", "192.0.2.0/24", "2001:db8::/32,::1", "localhost"]
        {
            assert_eq!(checked(&[("NO_PROXY", value)]), Ok(false), "{value}");
        }
    }

    #[test]
    fn values_that_the_client_would_ignore_are_refused_and_never_shown() {
        for (value, problem) in [
            ("http://me:hunter2@", "it is not a URL"),
            ("http://me:hunter2@proxy .test", "it is not a URL"),
            ("http://hunter2 .test", "it is not a URL"),
            (
                "http://me:hunter@2@proxy.test",
                "it has more than one `@`; write an `@` in a user name or a password as `%40`",
            ),
            ("ftp://hunter2.test", "its scheme is neither `http` nor `https`"),
            ("socks5://hunter2.test:1080", "it names a SOCKS proxy, which flowswap cannot use"),
            ("/hunter2", "it names no host"),
            ("http://hunter2.test:99999", "its port is not a number from 1 to 65535"),
            ("http://hunter2.test:", "its port is not a number from 1 to 65535"),
        ] {
            for name in ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"] {
                let bad = checked(&[(name, value)]).unwrap_err();
                assert_eq!((bad.name, bad.problem.as_str()), (name, problem), "{value}");
                assert!(!format!("{bad:?}").contains("hunter"));
            }
        }
        for value in [
            "hunter2.test:443",
            "https://hunter2.test",
            "*.hunter2.test",
            "hunter2.test b.test",
            "192.0.2.0/33",
            "2001:db8::/129",
            "[::1]",
            "hunter2..test",
            "192.0.2.0/x",
        ] {
            let bad = checked(&[("no_proxy", &format!("a.test, {value}"))]).unwrap_err();
            assert!(bad.name == "no_proxy" && bad.problem.starts_with("its entry 2 is not a host name"), "{bad:?}");
            assert!(!bad.problem.contains("hunter2"));
        }
    }
}
