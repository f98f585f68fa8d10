//! Recognizes an org's objects that belong to Cloud Identity Engine, by redirect URI, by name, or by type key.

use flowswap_contract::{ScopeNeed, Variant};

use crate::config::Config;

/// The name of both integrations, and of the SAML and SCIM apps that people confuse them with (vendor documentation).
const NAME: &str = "palo alto networks cloud identity engine";
const APPLICATION_ENABLED: &str = "(application-enabled)";

/// Whether CIE receives authorization codes at this URI. The vendor's documents show `<region>.paloaltonetworks.com` and
/// `<region>.apps.paloaltonetworks.com`, and `<region>.apps.prismaaccess.cn` for China. They do not list all regions, so any
/// single label counts as a region.
pub(crate) fn is_cie_redirect(uri: &str) -> bool {
    let Some(rest) = strip_prefix_ignoring_case(uri, "https://directory-sync.") else { return false };
    let Some((host, "authorize")) = rest.split_once('/') else { return false };
    let host = host.to_ascii_lowercase();
    [".apps.paloaltonetworks.com", ".paloaltonetworks.com", ".apps.prismaaccess.cn"]
        .iter()
        .any(|suffix| host.strip_suffix(suffix).is_some_and(is_label))
}

fn is_label(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
}

fn strip_prefix_ignoring_case<'a>(text: &'a str, prefix: &str) -> Option<&'a str> {
    let head = text.get(..prefix.len())?;
    head.eq_ignore_ascii_case(prefix).then(|| &text[prefix.len()..])
}

/// Whether an app's label or catalog name, which has no spaces, contains CIE's name.
pub(crate) fn has_cie_name(text: &str) -> bool {
    squeeze(text).contains(&squeeze(NAME))
}

fn squeeze(text: &str) -> String {
    text.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect()
}

/// The variant of an API service integration, or `None` if it is not CIE's.
pub(crate) fn find_variant(config: &Config, type_key: &str, name: &str) -> Option<Variant> {
    if let Some((variant, _)) = config.types.iter().find(|(_, key)| *key == type_key) {
        return Some(*variant);
    }
    let name = name.trim().to_ascii_lowercase();
    let rest = name.strip_prefix(NAME)?.trim();
    Some(match rest {
        "" => Variant::Plain,
        APPLICATION_ENABLED => Variant::ApplicationEnabled,
        _ => Variant::Unknown,
    })
}

/// The scopes that the directory uses, for each variant.
pub(crate) fn documented_needs() -> Vec<ScopeNeed> {
    [Variant::Plain, Variant::ApplicationEnabled].map(documented_need).into()
}

/// The scopes that the vendor documents for a variant. Used if the org has no instance to learn them from.
pub(crate) fn documented_scopes(variant: Variant) -> Vec<String> {
    let ScopeNeed { required, optional, .. } = documented_need(variant);
    let mut scopes = [required, optional].concat();
    scopes.sort();
    scopes
}

/// PAN, "Deploy Auth Code for Okta Directory", "Deploy Client Credential Flow". The vendor wants the scope of the authorization servers
/// only in an org that has several. `.self` is about the person who signs in.
fn documented_need(variant: Variant) -> ScopeNeed {
    let owned = |scopes: &[&str]| scopes.iter().map(|scope| (*scope).to_owned()).collect::<Vec<_>>();
    let mut required = owned(&["okta.groups.read", "okta.logs.read", "okta.users.read"]);
    if variant == Variant::ApplicationEnabled {
        required.insert(0, "okta.apps.read".to_owned());
    }
    ScopeNeed { variant, required, optional: owned(&["okta.authorizationServers.read", "okta.users.read.self"]) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_redirect_uris_of_cie_are_recognized() {
        let table = [
            ("https://directory-sync.us.paloaltonetworks.com/authorize", true),
            ("https://directory-sync.de.apps.paloaltonetworks.com/authorize", true),
            ("https://directory-sync.cn.apps.prismaaccess.cn/authorize", true),
            ("HTTPS://Directory-Sync.US.paloaltonetworks.com/authorize", true),
            ("http://directory-sync.us.paloaltonetworks.com/authorize", false),
            ("https://directory-sync.us.paloaltonetworks.com/authorize/", false),
            ("https://directory-sync.us.paloaltonetworks.com/authorize?x=1", false),
            ("https://directory-sync.us.paloaltonetworks.com/callback", false),
            ("https://directory-sync.us.paloaltonetworks.com", false),
            ("https://directory-sync.us.paloaltonetworks.com:8443/authorize", false),
            ("https://directory-sync.us.paloaltonetworks.com.example.org/authorize", false),
            ("https://directory-sync.us.evilpaloaltonetworks.com/authorize", false),
            ("https://directory-sync..paloaltonetworks.com/authorize", false),
            ("https://directory-sync.paloaltonetworks.com/authorize", false),
            ("https://directory-sync.a.b.paloaltonetworks.com/authorize", false),
            ("https://directory-sync.cn.prismaaccess.cn/authorize", false),
            ("https://agent-directory-sync.us.paloaltonetworks.com/authorize", false),
            ("https://directory-sync.x@evil.paloaltonetworks.com/authorize", false),
            ("https://directory-sync.ü.paloaltonetworks.com/authorize", false),
            ("", false),
        ];
        for (uri, expected) in table {
            assert_eq!(is_cie_redirect(uri), expected, "{uri}");
        }
    }

    #[test]
    fn the_type_key_decides_the_variant_before_the_name() {
        let config = Config {
            domain: String::new(),
            credential: crate::credential::Credential::ApiToken(flowswap_contract::Handle::new("x")),
            types: [(Variant::Plain, "key_plain".to_owned())].into(),
            scopes: Default::default(),
        };
        let table = [
            ("key_plain", "Whatever", Some(Variant::Plain)),
            ("k", "Palo Alto Networks Cloud Identity Engine", Some(Variant::Plain)),
            ("k", "Palo Alto Networks Cloud Identity Engine (Application-enabled)", Some(Variant::ApplicationEnabled)),
            ("k", "palo alto networks cloud identity engine (application-enabled)", Some(Variant::ApplicationEnabled)),
            ("k", "Palo Alto Networks Cloud Identity Engine (something new)", Some(Variant::Unknown)),
            ("k", "Anzenna", None),
            ("k", "", None),
        ];
        for (key, name, expected) in table {
            assert_eq!(find_variant(&config, key, name), expected, "{key} {name}");
        }
    }

    #[test]
    fn names_match_regardless_of_spaces_and_case() {
        assert!(has_cie_name("paloaltonetworkscloudidentityengine"));
        assert!(has_cie_name("Palo Alto Networks - Cloud Identity Engine (SAML)"));
        assert!(!has_cie_name("Palo Alto Networks Prisma Access"));
    }
}
