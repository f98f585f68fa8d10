//! The proxy that the environment names. The client leaves one out that it cannot read, and then goes by none: what was meant to go
//! by a proxy would leave without it, so such a variable is refused.

use std::net::IpAddr;

use reqwest::Url;

use crate::NetworkError;

/// The variables that the client reads for HTTPS, in upper and lower case.
const PROXIES: [&str; 4] = ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"];
const EXCEPTIONS: [&str; 2] = ["NO_PROXY", "no_proxy"];

/// Refuses a variable that cannot be read, without showing it.
pub(crate) fn check(read: impl Fn(&str) -> Option<String>) -> Result<(), NetworkError> {
    let set =
        |variable: &&'static str| read(variable).filter(|value| !value.is_empty()).map(|value| (*variable, value));
    for (variable, value) in PROXIES.iter().filter_map(set) {
        if !is_proxy(&value) {
            return Err(NetworkError::Proxy {
                variable,
                expected: "the URL of a proxy, such as http://proxy.example:8080",
            });
        }
    }
    for (variable, value) in EXCEPTIONS.iter().filter_map(set) {
        if !value.split(',').map(str::trim).filter(|entry| !entry.is_empty()).all(is_exception) {
            let expected = "a list of hosts, domains, addresses and networks, with commas between";
            return Err(NetworkError::Proxy { variable, expected });
        }
    }
    Ok(())
}

/// A URL, or a host with its port.
fn is_proxy(value: &str) -> bool {
    let url = if value.contains("://") { value.to_owned() } else { format!("http://{value}") };
    let is_known = |url: &Url| matches!(url.scheme(), "http" | "https" | "socks4" | "socks4a" | "socks5" | "socks5h");
    Url::parse(&url).is_ok_and(|url| is_known(&url) && url.host_str().is_some_and(|host| !host.is_empty()))
}

/// `*`, a host, a domain with or without a dot before it, an address, or a network such as `10.0.0.0/8`.
fn is_exception(entry: &str) -> bool {
    let is_host = |text: &str| {
        let text = text.strip_prefix('.').unwrap_or(text);
        !text.is_empty() && text.chars().all(|c| c.is_alphanumeric() || matches!(c, '-' | '_' | '.'))
    };
    match entry.split_once('/') {
        Some((address, bits)) => {
            let most = |address: IpAddr| if address.is_ipv4() { 32 } else { 128 };
            address.parse().is_ok_and(|address| bits.parse::<u8>().is_ok_and(|bits| bits <= most(address)))
        }
        None => entry == "*" || entry.trim_matches(['[', ']']).parse::<IpAddr>().is_ok() || is_host(entry),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_variable_that_cannot_be_read_is_refused_without_its_value() {
        let table = [
            ("HTTPS_PROXY", "http://proxy.example:8080", true),
            ("HTTPS_PROXY", "proxy.example:8080", true),
            ("https_proxy", "socks5h://user:pw@proxy.example", true),
            ("ALL_PROXY", "", true),
            ("HTTPS_PROXY", "http://user:c4n4ry@", false),
            ("HTTPS_PROXY", "http://c4n4ry proxy", false),
            ("HTTPS_PROXY", "ftp://c4n4ry", false),
            ("all_proxy", "://c4n4ry", false),
            ("https_proxy", "http://c4n4ry:port", false),
            ("NO_PROXY", "localhost, .example.com,10.0.0.0/8, ::1,[::1],fd00::/8,*", true),
            ("NO_PROXY", "https://c4n4ry.example", false),
            ("no_proxy", "a.example c4n4ry.example", false),
            ("no_proxy", "10.0.0.0/33", false),
        ];
        for (variable, value, is_good) in table {
            let result = check(|asked| (asked == variable).then(|| value.to_owned()));
            assert_eq!(result.is_ok(), is_good, "{variable}={value}");
            let Err(error) = result else { continue };
            assert!(
                error.to_string().contains(variable) && !format!("{error} {error:?}").contains("c4n4ry"),
                "{error:?}"
            );
        }
    }
}
