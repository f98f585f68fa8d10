//! Sends a body to one target, once, and tells what to do if that did not work.

use std::{fmt, process::Command, sync::Arc, thread, time::Duration};

use flowswap_config::{Channel, Config, NotifyTarget, ProgramCall, SecretRef, WebhookUrl};
use flowswap_engine::{Secret, chain};
use flowswap_host::{Network, Webhook, WebhookAnswer, build};
use tokio::sync::oneshot;

use super::{message::Form, program};
use crate::fetch::{Fetcher, require_trusted_source};

/// How long one request may take.
const REQUEST_LIMIT: Duration = Duration::from_secs(10);
/// How long a program may take.
const PROGRAM_LIMIT: Duration = Duration::from_secs(30);

/// What became of a body.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Sent {
    /// The target has it.
    Delivered,
    /// The target will never take it.
    Refused(String),
    /// The target may take it later.
    Later {
        why: String,
        /// How long the target asks to wait.
        after: Option<Duration>,
    },
    /// Somebody must change something first.
    Unusable(String),
}

/// A way to one target. No message of it shows the URL of a webhook.
pub(super) struct Sender {
    channel: Channel,
    network: Network,
    fetcher: Fetcher,
    /// Prepared when it is first used, because the program that prints a secret may ask a person.
    webhook: Option<Arc<Webhook>>,
}

impl Sender {
    pub(super) fn new(target: &NotifyTarget, config: &Config, fetcher: &Fetcher) -> Self {
        let network = Network {
            ca_file: config.network.ca_file.clone(),
            resolve: config.network.resolve.clone(),
            ..Network::default()
        };
        Self { channel: target.channel.clone(), network, fetcher: fetcher.clone(), webhook: None }
    }

    /// The form of the bodies that it sends.
    pub(super) fn form(&self) -> Form {
        match &self.channel {
            Channel::Webhook { form, .. } => Form::Message(*form),
            Channel::Command(_) => Form::Lines,
        }
    }

    /// Sends a body once.
    pub(super) async fn send(&mut self, body: String) -> Sent {
        match self.channel.clone() {
            Channel::Webhook { url, .. } => match self.prepare(&url).await {
                Ok(webhook) => judge(webhook.post(body, REQUEST_LIMIT).await.map_err(|error| chain(&error))),
                Err(why) => Sent::Unusable(why),
            },
            Channel::Command(call) => self.run(call, body).await,
        }
    }

    /// Whether the target can be used, as far as that can be known without a message.
    pub(super) async fn check(&mut self) -> Result<(), String> {
        match self.channel.clone() {
            Channel::Webhook { url, .. } => self.prepare(&url).await.map(drop),
            Channel::Command(call) => self.prepare_program(&call).map(drop),
        }
    }

    async fn prepare(&mut self, url: &WebhookUrl) -> Result<Arc<Webhook>, String> {
        if let Some(webhook) = &self.webhook {
            return Ok(Arc::clone(webhook));
        }
        let url = match url {
            WebhookUrl::Public(url) => Secret::new(url),
            WebhookUrl::Secret(reference) => {
                require_trusted_source(reference).map_err(|error| chain(&error))?;
                self.fetch(reference.clone()).await?
            }
        };
        let connect = build(&self.network).map_err(|error| chain(&error))?;
        let webhook = Arc::new(Webhook::new(&*connect, &url).map_err(|error| chain(&error))?);
        self.webhook = Some(Arc::clone(&webhook));
        Ok(webhook)
    }

    /// Fetches a secret in a thread of its own. The program that prints it may wait for a person, and the runtime would wait for
    /// that at its end.
    async fn fetch(&self, reference: SecretRef) -> Result<Secret, String> {
        let (sender, fetched) = oneshot::channel();
        let fetcher = self.fetcher.clone();
        thread::spawn(move || {
            // If nobody waits for it any more, the command has ended.
            let _ = sender.send(fetcher.fetch(&reference));
        });
        let fetched = fetched.await.map_err(|error| error.to_string())?;
        fetched.map_err(|error| match error.hint() {
            Some(hint) => format!("{}; {hint}", chain(&error)),
            None => chain(&error),
        })
    }

    fn prepare_program(&self, call: &ProgramCall) -> Result<Command, String> {
        require_trusted_source(&SecretRef::Command(call.clone())).map_err(|error| chain(&error))?;
        self.fetcher.prepare(call).map(|prepared| prepared.command).map_err(|error| chain(&error))
    }

    async fn run(&self, call: ProgramCall, body: String) -> Sent {
        let name = call.program.clone();
        let command = match self.prepare_program(&call) {
            Ok(command) => command,
            Err(why) => return Sent::Unusable(why),
        };
        match program::run(command, &body, PROGRAM_LIMIT).await {
            Ok(Some(status)) if status.success() => Sent::Delivered,
            Ok(Some(status)) => Sent::Later { why: format!("`{name}` failed ({status})"), after: None },
            Ok(None) => {
                let seconds = PROGRAM_LIMIT.as_secs();
                Sent::Later { why: format!("`{name}` took longer than {seconds} s and was stopped"), after: None }
            }
            Err(error) => Sent::Unusable(format!("failed to run `{name}`: {error}")),
        }
    }
}

/// Decides by the answer. Only an answer about the body itself gives a notification up: what is wrong with the address, somebody
/// can mend.
fn judge(answer: Result<WebhookAnswer, String>) -> Sent {
    let WebhookAnswer { status, retry_after } = match answer {
        Ok(answer) => answer,
        Err(why) => return Sent::Later { why, after: None },
    };
    let why = format!("the answer was {status}");
    match status {
        200..=299 => Sent::Delivered,
        400 | 413 | 415 | 422 => Sent::Refused(why),
        408 | 425 | 429 | 500..=599 => Sent::Later { why, after: retry_after },
        _ => Sent::Unusable(why),
    }
}

impl fmt::Debug for Sender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender").field("form", &self.form()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answer_decides_what_follows() {
        let seven = Some(Duration::from_secs(7));
        let judged = |status| judge(Ok(WebhookAnswer { status, retry_after: seven }));
        for status in [200, 202, 204] {
            assert_eq!(judged(status), Sent::Delivered, "{status}");
        }
        for status in [408, 425, 429, 500, 502, 503, 504] {
            assert!(matches!(judged(status), Sent::Later { after, .. } if after == seven), "{status}");
        }
        for status in [400, 413, 415, 422] {
            assert!(matches!(judged(status), Sent::Refused(_)), "{status}");
        }
        for status in [301, 302, 401, 403, 404, 405, 407, 410] {
            assert!(matches!(judged(status), Sent::Unusable(_)), "{status}");
        }
        assert!(matches!(judge(Err("no answer".to_owned())), Sent::Later { after: None, .. }));
    }
}
