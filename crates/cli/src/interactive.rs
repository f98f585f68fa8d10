//! A person at this terminal who does what only a person can do: one run sheet after the other, in the order in which
//! tenants come to it.
//!
//! The engine looks while the person works and drops the conversation once it sees the step done. So nothing here may be
//! lost by being dropped: a thread reads the keyboard, line by line, and whoever is in conversation takes lines from it.

use std::{
    io::{self, BufRead, IsTerminal, Write},
    sync::Arc,
};

use flowswap_engine::{Clock, HandOver, Operator, Ports, Question, Word};
use futures::future::BoxFuture;
use jiff::Timestamp;
use tokio::sync::{Mutex, mpsc};

use crate::{
    context::SystemClock,
    display::{
        progress::Floor,
        sheet::{self, Page},
        text::{Text, text},
    },
    exit::{Exit, Failure},
    hand_over::{Clipboard, Handing, STAY},
    terminal::{Terminal, Tone, paint},
};

/// The person at the terminal.
pub(crate) struct Interactive {
    terminal: Terminal,
    /// Keeps what others say out of a conversation.
    floor: Floor,
    /// What secrets are taken from and hand-overs are recorded with.
    ports: Ports,
    /// What is typed. Whoever has this is in conversation; the others wait for their turn.
    lines: Mutex<mpsc::UnboundedReceiver<String>>,
    /// The sheet that was shown last: asking once more about the same one does not show it again.
    shown: std::sync::Mutex<Option<(String, Timestamp)>>,
    /// What is on the clipboard, if anything; taken away at the end in any case.
    held: Arc<std::sync::Mutex<Option<Held>>>,
}

/// A secret on the clipboard, until this is dropped.
struct Held {
    _clipboard: Clipboard,
    minute: tokio::task::AbortHandle,
}

impl Drop for Held {
    fn drop(&mut self) {
        self.minute.abort();
    }
}

impl Interactive {
    /// Refuses where nobody can type.
    pub(crate) fn expect_person() -> Result<(), Failure> {
        if io::stdin().is_terminal() {
            return Ok(());
        }
        let failure = Failure::new(Exit::Usage, "nobody can be asked, because stdin is not a terminal");
        Err(failure.hint("leave `--interactive` out; `flowswap next` then shows what waits for whom"))
    }

    /// Ports with this person in them.
    pub(crate) fn join(terminal: Terminal, floor: Floor, ports: Ports) -> Ports {
        let operator = Arc::new(Self {
            terminal,
            floor,
            ports: ports.clone(),
            lines: Mutex::new(read_lines()),
            shown: Default::default(),
            held: Arc::default(),
        });
        Ports { operator, ..ports }
    }

    async fn converse(&self, tenant: &str, question: &Question) -> Word {
        let mut lines = self.lines.lock().await;
        let _speaker = self.floor.take(self.terminal);
        // What was typed before the sheet was there does not answer it.
        while lines.try_recv().is_ok() {}
        let this = (tenant.to_owned(), question.since);
        if lock(&self.shown).replace(this.clone()) != Some(this) {
            let text = sheet::terminal(&Page { tenant, question, is_open: true, next: None, now: SystemClock.now() });
            self.show(text!("\n{}", text));
        }
        let has_secret = sheet::secret(&question.sheet).is_some();
        let copy = if has_secret { ", c copy the secret" } else { "" };
        loop {
            let asked = format!("{tenant}: d done, n decline, l later{copy}");
            let Some(line) = self.ask(&asked, &mut lines).await else { return Word::Later };
            match line.trim().to_ascii_lowercase().as_str() {
                "d" | "done" => return Word::Done { note: None },
                "l" | "later" => return Word::Later,
                "n" | "decline" => {
                    let why = self.ask("why? (empty goes back)", &mut lines).await;
                    let Some(reason) = why else { return Word::Later };
                    if !reason.trim().is_empty() {
                        return Word::Declined { reason: reason.trim().to_owned() };
                    }
                }
                "c" | "copy" if has_secret => match self.copy(tenant, question).await {
                    Ok(said) => self.show(text!("{}\n", said)),
                    Err(failure) => self.terminal.complain(&failure),
                },
                _ => self.show("one of these letters, then Enter\n"),
            }
        }
    }

    /// Puts the secret on the clipboard, and takes it away later.
    async fn copy(&self, tenant: &str, question: &Question) -> Result<String, Failure> {
        let handing = Handing::prepare(tenant, question, &self.ports).await?;
        let mut clipboard = Clipboard::open().map_err(|failure| {
            failure.hint(format!("end this with `l`, then: flowswap secret copy {tenant} --print"))
        })?;
        handing.record(&self.ports, HandOver::Clipboard).await?;
        clipboard.put(&handing)?;
        let mut held = lock(&self.held);
        // One that was there before goes first, and its minute with it.
        *held = None;
        let weak = Arc::downgrade(&self.held);
        let minute = tokio::spawn(async move {
            tokio::time::sleep(STAY).await;
            if let Some(held) = weak.upgrade() {
                lock(&held).take();
            }
        });
        *held = Some(Held { _clipboard: clipboard, minute: minute.abort_handle() });
        Ok(format!("the secret is on the clipboard for {} s: paste it into “{}”", STAY.as_secs(), handing.label))
    }

    /// Whoever converses must see it, even if quiet.
    fn show(&self, text: impl Into<Text>) {
        let _ = write!(anstream::stderr(), "{}", text.into().as_str());
    }

    /// Asks for a line; none once nobody can type any more.
    async fn ask(&self, text: &str, lines: &mut mpsc::UnboundedReceiver<String>) -> Option<String> {
        self.show(text!("{} ", paint(Tone::Strong, text!("{} >", text))));
        let open = OpenLine;
        let line = lines.recv().await;
        // Whoever typed the line has ended it.
        if line.is_some() {
            std::mem::forget(open);
        }
        line
    }
}

/// A line on the screen that waits for what is typed; what comes after it, if nothing is, begins on a new one.
struct OpenLine;

impl Drop for OpenLine {
    fn drop(&mut self) {
        let _ = writeln!(anstream::stderr());
    }
}

impl Operator for Interactive {
    fn attend<'a>(&'a self, tenant: &'a str, question: &'a Question) -> BoxFuture<'a, Word> {
        Box::pin(self.converse(tenant, question))
    }

    fn is_at(&self, tenant: &str) -> bool {
        lock(&self.shown).as_ref().is_some_and(|(shown, _)| shown == tenant)
    }

    fn hear(&self, tenant: &str, news: &str) {
        let said = text!("{}: {}", paint(Tone::Strong, tenant), news);
        // What is of the sheet before the person's eyes cannot wait until the conversation about it is over.
        if self.is_at(tenant) { self.show(text!("\n{}\n", said)) } else { self.floor.say(self.terminal, said) }
    }
}

/// Reads the keyboard for as long as the process lives.
fn read_lines() -> mpsc::UnboundedReceiver<String> {
    let (sender, lines) = mpsc::unbounded_channel();
    std::thread::spawn(move || {
        for line in io::stdin().lock().lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                break;
            }
        }
    });
    lines
}

fn lock<T>(mutex: &std::sync::Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}
