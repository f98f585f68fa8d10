//! Hands a person the secret that a run sheet asks them to paste: flowswap records it, shows it once, and removes it
//! again.

use std::{
    io::{self, IsTerminal, Write},
    time::Duration,
};

use flowswap_engine::{Actor, Entry, Handle, HandoverChannel, Question, Recording, Secret, SecretStore};

use crate::{
    clipboard::Clipboard,
    exit::{Exit, Failure},
};

/// How long a secret stays on the clipboard.
pub(crate) const STAY: Duration = Duration::from_secs(60);

/// A secret to hand over, and the label that it belongs to.
pub(crate) struct SecretHandover {
    /// The label of the field on the screen that it belongs in.
    pub(crate) label: String,
    handle: Handle,
    secret: Secret,
}

impl SecretHandover {
    /// The secret that the sheet of a question names.
    pub(crate) async fn prepare(tenant: &str, question: &Question, secrets: &dyn SecretStore) -> Result<Self, Failure> {
        let Some((label, handle)) = question.secret() else {
            let error = format!("the run sheet of the tenant `{tenant}` does not ask for a secret");
            return Err(Failure::new(Exit::Usage, error).hint(format!("read the run sheet: flowswap sheet {tenant}")));
        };
        // A plugin writes the sheet. It must not name the secret of another tenant.
        if !handle.is_of(tenant) {
            let error = format!(
                "the run sheet of the tenant `{tenant}` names the secret `{handle}`, which belongs to another tenant"
            );
            return Err(
                Failure::new(Exit::Failed, error).hint("this is a defect of the plugin that wrote the run sheet")
            );
        }
        match secrets.get(&handle).await.map_err(|error| Failure::new(Exit::Failed, error))? {
            Some(secret) => Ok(Self { label: label.to_owned(), handle, secret }),
            None => {
                let error = format!("the secret store does not have `{handle}`, which the run sheet names");
                Err(Failure::new(Exit::Failed, error).hint("check the secret store: flowswap audit verify"))
            }
        }
    }

    /// Records that this user gets the secret. Must come before the secret is shown: an unrecorded handover is worse
    /// than a record of a handover that did not happen.
    pub(crate) async fn record(
        &self,
        recorder: &dyn Recording,
        by: Actor,
        way: HandoverChannel,
    ) -> Result<(), Failure> {
        let entry = Entry::SecretHandedOver { handle: self.handle.clone(), by, way };
        recorder.record(entry).await.map_err(Failure::at("record that you received the secret"))
    }

    /// Puts the secret on the clipboard.
    pub(crate) fn copy_to(&self, clipboard: &mut Clipboard) -> Result<(), Failure> {
        clipboard.put(&self.secret)
    }

    /// Prints the secret to stdout, which must be a terminal.
    pub(crate) fn print(&self) -> Result<(), Failure> {
        let mut stdout = io::stdout().lock();
        let line = [self.secret.expose().as_bytes(), b"\n"];
        let written = line.iter().try_for_each(|bytes| stdout.write_all(bytes)).and_then(|()| stdout.flush());
        written.map_err(Failure::at("write to the terminal"))
    }
}

/// Fails if stdout is a file or a pipe.
pub(crate) fn require_terminal_output() -> Result<(), Failure> {
    if io::stdout().is_terminal() {
        return Ok(());
    }
    let failure =
        Failure::new(Exit::Usage, "flowswap prints a secret only to a terminal, and stdout is not a terminal");
    Err(failure.hint("run the command without `--print` to use the clipboard"))
}
