//! `--interactive`: shows run sheets to a person at this terminal, one after the other, in the order in which tenants
//! reach them.
//!
//! The engine checks while the person works, and drops the conversation once it sees the step done.

use std::sync::Arc;

use crate::{
    clipboard::Clipboard,
    context::SystemClock,
    display::{
        progress::OutputGate,
        sheet,
        text::{Show, Text, text},
    },
    exit::{Exit, Failure},
    full_command,
    go_on::question,
    hand_over::{STAY, SecretHandover},
    keyboard::{Conversation, missing_terminal},
    terminal::{Terminal, Tone, paint, say_always, say_whole},
};
use flowswap_engine::{
    Actor, Clock, HandoverChannel, Operator, OperatorReply, Pause, Ports, Question, Recording, SecretStore,
};
use flowswap_report::Sheet;
use futures::future::BoxFuture;
use jiff::Timestamp;

/// The person at the terminal.
pub(crate) struct Interactive {
    terminal: Terminal,
    /// Holds other messages back during a conversation.
    gate: OutputGate,
    /// Where the secret of a run sheet is.
    secrets: Arc<dyn SecretStore>,
    /// The person.
    actor: Actor,
    /// The sheet shown last, so that a second question about it does not show it again.
    shown: std::sync::Mutex<Option<(String, Timestamp)>>,
    /// The secret on the clipboard, if any. Dropping it removes the secret.
    copied: Arc<std::sync::Mutex<Option<CopiedSecret>>>,
}

/// A secret on the clipboard. Dropping this removes it and ends its timer.
struct CopiedSecret {
    _clipboard: Clipboard,
    timer: tokio::task::AbortHandle,
}

impl Drop for CopiedSecret {
    fn drop(&mut self) {
        self.timer.abort();
    }
}

impl Interactive {
    /// Fails if nobody at a terminal can be asked.
    pub(crate) fn require_terminal() -> Result<(), Failure> {
        let Some(stream) = missing_terminal() else { return Ok(()) };
        let failure = Failure::new(Exit::Usage, format!("cannot ask for answers: {stream} is not a terminal"));
        Err(failure.hint("run the command without `--interactive`; then list the waiting tenants: flowswap next"))
    }

    /// The same ports, with the person at this terminal as their operator.
    pub(crate) fn join(terminal: Terminal, gate: OutputGate, ports: Ports) -> Ports {
        let operator = Arc::new(Self {
            terminal,
            gate,
            secrets: Arc::clone(&ports.secrets),
            actor: ports.actor.clone(),
            shown: Default::default(),
            copied: Arc::default(),
        });
        Ports { operator, ..ports }
    }

    async fn ask_about(&self, tenant: &str, question: &Question, recorder: &dyn Recording) -> OperatorReply {
        let mut person = Conversation::begin().await;
        let _hold = self.gate.hold(self.terminal);
        let key = (tenant.to_owned(), question.since);
        if lock(&self.shown).replace(key.clone()) != Some(key) {
            let sheet = sheet::show(&Sheet::open(tenant, question, SystemClock.now()));
            // A value of several words is copied, so no line is broken.
            say_whole(&full_command::in_text(&text!("\n{}", sheet.trim_end())));
        }
        let has_secret = question.secret().is_some();
        let copy = if has_secret { ", c copy the secret" } else { "" };
        loop {
            let prompt = prompt_for(format!("{tenant}: d done, n decline, l later{copy}"));
            let Some(line) = person.ask(&prompt).await else { return OperatorReply::Later };
            match line.trim().to_ascii_lowercase().as_str() {
                "d" | "done" => return OperatorReply::Done { note: None },
                "l" | "later" => return OperatorReply::Later,
                "n" | "decline" => {
                    let answer = person.ask(&prompt_for("reason? (leave empty to return)")).await;
                    let Some(reason) = answer else { return OperatorReply::Later };
                    if !reason.trim().is_empty() {
                        return OperatorReply::Declined { reason: reason.trim().to_owned() };
                    }
                }
                "c" | "copy" if has_secret => match self.copy(tenant, question, recorder).await {
                    Ok(message) => say_always(&text!("{}", message)),
                    Err(failure) => self.terminal.show_failure(&failure),
                },
                _ => say_always(&"type one of these letters, then press Enter".into()),
            }
        }
    }

    async fn ask_whether_to_go_on(&self, pause: &Pause) -> bool {
        let mut person = Conversation::begin().await;
        let _hold = self.gate.hold(self.terminal);
        person.ask_yes_or_no(&question(pause)).await
    }

    /// Copies the secret to the clipboard, and removes it after [`STAY`].
    async fn copy(&self, tenant: &str, question: &Question, recorder: &dyn Recording) -> Result<String, Failure> {
        let handover = SecretHandover::prepare(tenant, question, &*self.secrets).await?;
        let mut clipboard = Clipboard::open().map_err(|failure| {
            failure.hint(format!("type `l` and press Enter to leave, then run: flowswap secret copy {tenant} --print"))
        })?;
        handover.record(recorder, self.actor.clone(), HandoverChannel::Clipboard).await?;
        handover.copy_to(&mut clipboard)?;
        let mut copied = lock(&self.copied);
        // Drop the previous secret and its timer first.
        *copied = None;
        let weak = Arc::downgrade(&self.copied);
        let timer = tokio::spawn(async move {
            tokio::time::sleep(STAY).await;
            if let Some(copied) = weak.upgrade() {
                lock(&copied).take();
            }
        });
        *copied = Some(CopiedSecret { _clipboard: clipboard, timer: timer.abort_handle() });
        Ok(format!("the secret is on the clipboard for {} s; paste it into “{}”", STAY.as_secs(), handover.label))
    }
}

fn prompt_for(what: impl Show) -> Text {
    paint(Tone::Strong, text!("{} >", what))
}

impl Operator for Interactive {
    fn await_reply<'a>(
        &'a self,
        tenant: &'a str,
        question: &'a Question,
        recorder: &'a dyn Recording,
    ) -> BoxFuture<'a, OperatorReply> {
        Box::pin(self.ask_about(tenant, question, recorder))
    }

    fn is_showing(&self, tenant: &str) -> bool {
        lock(&self.shown).as_ref().is_some_and(|(shown, _)| shown == tenant)
    }

    fn notify(&self, tenant: &str, news: &str) {
        let message = text!("{}: {}", paint(Tone::Strong, tenant), news);
        // News about the sheet on the screen cannot wait until the conversation ends.
        if self.is_showing(tenant) {
            say_always(&message);
        } else {
            self.gate.say(self.terminal, message)
        }
    }

    fn may_go_on<'a>(&'a self, pause: &'a Pause) -> BoxFuture<'a, bool> {
        Box::pin(self.ask_whether_to_go_on(pause))
    }
}

fn lock<T>(mutex: &std::sync::Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}
