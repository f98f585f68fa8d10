//! A webhook: a URL that takes messages. It goes through the same client as all requests: TLS, the proxy, the CA file, and no
//! redirect. The URL itself is often the only secret, so nothing here shows it.

use std::{fmt, time::Duration};

use bytes::Bytes;
use flowswap_engine::Secret;
use http::{Request, Uri, header};
use tower::ServiceExt;

use crate::{
    clients::Connect,
    retry::retry_after,
    transport::{HttpService, NetworkError, Sent, TransportError},
};

/// A webhook to post to.
pub struct Webhook {
    service: HttpService,
    url: Uri,
}

/// Why a webhook cannot be used. Never contains the URL.
#[derive(Debug, thiserror::Error)]
pub enum WebhookError {
    /// The text is not an https URL, or has a user name in it.
    #[error("its URL is not an https URL such as `https://hooks.example.com/flowswap`, without a user name")]
    Url,
    /// There is no connection to its origin.
    #[error("failed to prepare the network")]
    Network(#[from] NetworkError),
}

/// What a webhook answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WebhookAnswer {
    /// The status code.
    pub status: u16,
    /// How long the server asks to wait.
    pub retry_after: Option<Duration>,
}

impl Webhook {
    /// A webhook at this URL.
    ///
    /// # Errors
    ///
    /// If the text is not an https URL, or the HTTP client cannot be set up.
    pub fn new(connect: &dyn Connect, url: &Secret) -> Result<Self, WebhookError> {
        let url: Uri = url.expose().parse().map_err(|_| WebhookError::Url)?;
        let authority = url.authority().filter(|authority| !authority.as_str().contains('@'));
        let (Some("https"), Some(authority)) = (url.scheme_str(), authority) else {
            return Err(WebhookError::Url);
        };
        let service = connect.connect(&[&format!("https://{authority}")])?;
        Ok(Self { service, url })
    }

    /// Posts a body of JSON once.
    ///
    /// # Errors
    ///
    /// If no answer comes within this time. The message may have arrived all the same.
    pub async fn post(&self, body: String, within: Duration) -> Result<WebhookAnswer, TransportError> {
        let request = Request::post(self.url.clone())
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::USER_AGENT, concat!("flowswap/", env!("CARGO_PKG_VERSION")))
            .body(Bytes::from(body));
        let request = request.map_err(|error| TransportError::new(Sent::NotSent, error))?;
        let answer = tokio::time::timeout(within, self.service.clone().oneshot(request)).await;
        let answer = answer.map_err(|_| TransportError::gave_up(within))??;
        Ok(WebhookAnswer { status: answer.status().as_u16(), retry_after: retry_after(answer.headers()) })
    }
}

impl fmt::Debug for Webhook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Webhook").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use tower::{service_fn, util::BoxCloneSyncService};

    use super::*;

    fn webhook(url: &str, answer: Option<u16>) -> Result<Webhook, WebhookError> {
        let service: HttpService = BoxCloneSyncService::new(service_fn(move |request: Request<Bytes>| async move {
            assert_eq!((request.method().as_str(), request.uri().path()), ("POST", "/canary-5f0e"));
            assert_eq!(request.headers()[header::CONTENT_TYPE], "application/json");
            match answer {
                Some(status) => {
                    let answer = http::Response::builder().status(status).header("retry-after", "7");
                    Ok(answer.body(Bytes::new()).unwrap())
                }
                None => std::future::pending().await,
            }
        }));
        Webhook::new(&service, &Secret::new(url))
    }

    #[test]
    fn only_https_urls_without_a_user_are_webhooks() {
        assert!(webhook("https://hooks.test/canary-5f0e?v=1", None).is_ok());
        assert!(webhook("https://hooks.test:8443/canary-5f0e", None).is_ok());
        for url in
            ["", "canary-5f0e", "http://hooks.test/canary-5f0e", "/canary-5f0e", "https://me:canary-5f0e@hooks.test/"]
        {
            let error = webhook(url, None).unwrap_err();
            assert!(matches!(error, WebhookError::Url), "{url}");
            assert!(!format!("{error} {error:?}").contains("canary"), "{url}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_webhook_tells_what_was_answered_or_that_nothing_was() {
        let within = Duration::from_secs(10);
        let answering = webhook("https://hooks.test/canary-5f0e", Some(429)).unwrap();
        let answer = answering.post("{}".to_owned(), within).await.unwrap();
        assert_eq!(answer, WebhookAnswer { status: 429, retry_after: Some(Duration::from_secs(7)) });
        let hanging = webhook("https://hooks.test/canary-5f0e", None).unwrap();
        let error = hanging.post("{}".to_owned(), within).await.unwrap_err();
        assert!(error.timed_out);
        let shown = format!("{} {error:?} {hanging:?}", crate::chain(&error));
        assert!(!shown.contains("canary") && !shown.contains("hooks.test"), "{shown}");
    }
}
