//! The configurations that a session refuses, by key.

use flowswap_contract::{ErrorKind, Handle, Role};
use flowswap_okta::Okta;
use serde_json::{Value, json};

use crate::driver::{Driver, refused};

#[test]
fn wrong_keys_are_named() {
    let table = [
        (json!({}), "`domain`"),
        (json!({"domain": 7}), "`domain`"),
        (json!({"domain": "https://acme.okta.com"}), "`domain` must not have a scheme"),
        (json!({"domain": "acme.okta.com/"}), "`domain` must be a plain host name"),
        (json!({"domain": "acme.okta.com\n"}), "`domain` must be a plain host name"),
        (json!({"domain": "{yourOktaDomain}"}), "`domain` must be a plain host name"),
        (json!({"domain": "acme"}), "`domain` must be a plain host name"),
        (json!({"domain": "acme-admin.okta.com"}), "`domain` is the host name of the admin console"),
        (json!({"domain": "a.test", "variant_types": "x"}), "`variant_types` must be a table"),
        (json!({"domain": "a.test", "variant_types": {"plain": 3}}), "`variant_types.plain` must be"),
        (json!({"domain": "a.test", "variant_types": {"plain": ""}}), "`variant_types.plain` must be"),
        (json!({"domain": "a.test", "variant_types": {"plaim": "x"}}), "`variant_types.plaim` is unknown"),
        (
            json!({"domain": "a.test", "scopes": {"plain": "okta.users.read"}}),
            "`scopes.plain` must be a non-empty list",
        ),
        (json!({"domain": "a.test", "scopes": {"plain": []}}), "`scopes.plain` must be a non-empty list"),
        (json!({"domain": "a.test", "scopes": {"plain": [1]}}), "`scopes.plain` must be a non-empty list"),
    ];
    for (config, expected) in table {
        let error = Driver::<Okta>::open(Role::Provider, config.clone()).err().expect("it should not open");
        assert_eq!(error.kind, ErrorKind::Config, "{config}");
        assert!(error.message.starts_with(expected), "{config}: {}", error.message);
    }
}

#[test]
fn a_hint_says_what_to_write() {
    let open = |domain: &str| refused(Driver::<Okta>::open(Role::Provider, json!({"domain": domain})).map(drop));
    assert_eq!(open("https://acme.okta.com/").hint.as_deref(), Some("write acme.okta.com"));
    assert_eq!(open("acme-admin.okta.com").hint.as_deref(), Some("write acme.okta.com"));
}

#[test]
fn the_credential_is_a_required_secret() {
    let Value::Object(config) = json!({"domain": "a.test", "credential": "in clear"}) else { unreachable!() };
    let without = refused(Driver::<Okta>::open_with(Role::Provider, config.clone(), [].into()).map(drop));
    assert!(without.message.starts_with("`credential`"), "{}", without.message);
    let secrets = [("credential".to_owned(), Handle::new("x"))].into();
    assert!(Driver::<Okta>::open_with(Role::Provider, config, secrets).is_ok());
}

#[test]
fn both_spellings_of_the_variant_are_accepted() {
    for word in ["application-enabled", "application_enabled"] {
        let config = json!({"domain": "a.test", "variant_types": {word: "x"}, "scopes": {word: ["okta.apps.read"]}});
        assert!(Driver::<Okta>::open(Role::Provider, config).is_ok(), "{word}");
    }
}
