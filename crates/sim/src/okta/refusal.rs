//! The refusals of an org: the error object of the management API, the one of the token endpoint, and the 403 without a body
//! for a missing scope.

use http::{HeaderName, StatusCode, header};
use serde_json::json;

use crate::message::Reply;

/// What a handler returns.
pub(crate) type Answer = Result<Reply, Refusal>;

/// A refusal. Each endpoint has its own form.
#[derive(Clone, Debug)]
pub(crate) enum Refusal {
    /// The management API's error object.
    Error { status: StatusCode, code: &'static str, summary: String, causes: Vec<String> },
    /// The token endpoint's error object.
    Oauth { status: StatusCode, error: &'static str, description: String },
    /// A bearer token without the scope that the operation needs.
    MissingScope { scope: &'static str },
    /// A proof of possession without the nonce of the server (RFC 9449 section 8).
    UseNonce { nonce: String },
}

impl Refusal {
    pub(crate) fn new(status: StatusCode, code: &'static str, summary: impl Into<String>) -> Self {
        Self::Error { status, code, summary: summary.into(), causes: Vec::new() }
    }

    /// E0000001 with one cause (Okta management API, ErrorApiValidationFailed).
    pub(crate) fn invalid(subject: &str, cause: impl Into<String>) -> Self {
        Self::Error {
            status: StatusCode::BAD_REQUEST,
            code: "E0000001",
            summary: format!("Api validation failed: {subject}"),
            causes: vec![cause.into()],
        }
    }

    /// E0000007, worded as in recordings of the Okta management API.
    pub(crate) fn not_found(id: &str, kind: &str) -> Self {
        let summary = format!("Not found: Resource not found: {id} ({kind})");
        Self::new(StatusCode::NOT_FOUND, "E0000007", summary)
    }

    pub(crate) fn no_such_path() -> Self {
        Self::new(StatusCode::NOT_FOUND, "E0000008", "The requested path was not found")
    }

    pub(crate) fn method_not_allowed() -> Self {
        let summary = "The endpoint does not support the provided HTTP method";
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "E0000022", summary)
    }

    /// E0000060 for operations that the real API has and this simulator lacks. A 404 would be misleading.
    pub(crate) fn not_simulated() -> Self {
        Self::Error {
            status: StatusCode::NOT_IMPLEMENTED,
            code: "E0000060",
            summary: "Unsupported operation.".to_owned(),
            causes: vec!["The operation exists at Okta, but the simulator does not support it.".to_owned()],
        }
    }

    pub(crate) fn invalid_token() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "E0000011", "Invalid token provided")
    }

    pub(crate) fn too_many_requests() -> Self {
        let summary = "API call exceeded rate limit due to too many requests.";
        Self::new(StatusCode::TOO_MANY_REQUESTS, "E0000047", summary)
    }

    pub(crate) fn malformed_body() -> Self {
        Self::new(StatusCode::BAD_REQUEST, "E0000003", "The request body was not well-formed.")
    }

    pub(crate) fn oauth(status: StatusCode, error: &'static str, description: impl Into<String>) -> Self {
        Self::Oauth { status, error, description: description.into() }
    }

    /// Writes the refusal. The caller makes up `error_id`. `base` and `path` name the org and the resource.
    pub(crate) fn into_reply(self, error_id: &str, base: &str, path: &str) -> Reply {
        match self {
            Self::Error { status, code, summary, causes } => {
                let causes: Vec<_> = causes.into_iter().map(|cause| json!({ "errorSummary": cause })).collect();
                let body = json!({
                    "errorCode": code,
                    "errorSummary": summary,
                    "errorLink": code,
                    "errorId": error_id,
                    "errorCauses": causes,
                });
                Reply::json(status, &body)
            }
            Self::Oauth { status, error, description } => {
                Reply::json(status, &json!({ "error": error, "error_description": description }))
            }
            Self::UseNonce { nonce } => {
                let description = "Authorization server requires nonce in DPoP proof.";
                let body = json!({ "error": "use_dpop_nonce", "error_description": description });
                Reply::json(StatusCode::BAD_REQUEST, &body).with_header(HeaderName::from_static("dpop-nonce"), &nonce)
            }
            // No body: only this header distinguishes it from a missing role (support.okta.com, "insufficient_scope").
            Self::MissingScope { scope } => Reply::empty(StatusCode::FORBIDDEN).with_header(
                header::WWW_AUTHENTICATE,
                &format!(
                    "Bearer authorization_uri=\"{base}/oauth2/v1/authorize\", realm=\"{base}\", scope=\"{scope}\", \
                     error=\"insufficient_scope\", error_description=\"The access token provided does not contain \
                     the required scopes.\", resource=\"{path}\""
                ),
            ),
        }
    }
}
