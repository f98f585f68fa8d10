//! Rows whose expectation is not met yet, each with the reason. They are printed, and one that is met must leave this list.

/// A row's name, and why it fails.
pub(super) const KNOWN: &[(&str, &str)] = &[
    ("prove: invalid_scope", NO_DESCRIPTION),
    ("prove: access_denied", NO_DESCRIPTION),
    ("prove: invalid_dpop_proof", NO_DESCRIPTION),
    (
        "prove: a gateway's JSON 403",
        "the plugin `okta` takes any answer of the token endpoint below 500 for Okta's verdict",
    ),
];

const NO_DESCRIPTION: &str = "the plugin `okta` shows the token endpoint's `error` without its `error_description`";
