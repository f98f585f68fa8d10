//! Checks that the provider's domain is written as CIE needs it.

/// Says what is wrong with a domain, if anything. CIE takes a bare host name: no scheme, no path, and not the host of the
/// admin console. A connection's domain cannot be changed later, so this check is strict.
pub fn find_domain_defect(domain: &str) -> Option<String> {
    let defect = if domain.is_empty() {
        "it is empty"
    } else if domain.contains("://") {
        "it has a scheme"
    } else if domain.contains('/') {
        "it has a path"
    } else if domain.contains(['{', '}']) {
        "it still has a placeholder"
    } else if domain.contains([':', '@', '?', '#']) || domain.contains(char::is_whitespace) {
        "it has characters that a host name cannot have"
    } else if domain.split('.').next().is_some_and(|label| label.ends_with("-admin")) {
        "it is the host of the admin console (`-admin`)"
    } else if !domain.contains('.') || domain.split('.').any(str::is_empty) {
        "it is not a full host name"
    } else if domain.chars().any(|c| c.is_ascii_uppercase()) {
        "it has capital letters"
    } else {
        return None;
    };
    Some(format!("`{domain}` is not the domain of an org: {defect}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_bare_host_name_is_accepted() {
        for good in ["acme.okta.com", "login.example.org", "acme.okta-emea.com", "a-administration.okta.com"] {
            assert_eq!(find_domain_defect(good), None);
        }
        for (bad, why) in [
            ("", "empty"),
            ("https://acme.okta.com", "scheme"),
            ("acme.okta.com/", "path"),
            ("acme.okta.com/admin", "path"),
            ("acme-admin.okta.com", "admin console"),
            ("{yourOktaDomain}", "placeholder"),
            ("acme.okta.com:443", "characters"),
            ("acme okta.com", "characters"),
            ("acme", "full host name"),
            ("acme..com", "full host name"),
            ("Acme.okta.com", "capital"),
        ] {
            let defect = find_domain_defect(bad).unwrap_or_default();
            assert!(defect.contains(why), "{bad}: {defect}");
        }
    }
}
