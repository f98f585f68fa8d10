//! Gives a person the one secret that a run sheet has them paste: recorded first, then shown once, then taken away.

use std::{
    io::{self, IsTerminal, Write},
    time::Duration,
};

use flowswap_engine::{Draft, Entry, HandOver, Handle, Ports, Question, RunId, Secret};

use crate::{
    display::sheet,
    exit::{Exit, Failure},
};

/// How long a secret stays on the clipboard.
pub(crate) const STAY: Duration = Duration::from_secs(60);

/// A secret that a person is to get, and what is to be said of it.
pub(crate) struct Handing {
    /// The tenant.
    pub(crate) tenant: String,
    /// The label that it belongs to on the screen.
    pub(crate) label: String,
    handle: Handle,
    secret: Secret,
}

impl Handing {
    /// The secret that the sheet of a question names.
    pub(crate) async fn prepare(tenant: &str, question: &Question, ports: &Ports) -> Result<Self, Failure> {
        let Some((label, handle)) = sheet::secret(&question.sheet) else {
            let error = format!("the run sheet of the tenant `{tenant}` names no secret");
            return Err(Failure::new(Exit::Usage, error).hint(format!("`flowswap sheet {tenant}` shows it")));
        };
        // A sheet is a plugin's, and another tenant's secret is none of its business.
        if !handle.as_str().starts_with(&format!("{tenant}/")) {
            let error =
                format!("the run sheet of the tenant `{tenant}` names the secret `{handle}`, which is another's");
            return Err(Failure::new(Exit::Failed, error).hint("the plugin that wrote the sheet is at fault"));
        }
        match ports.secrets.get(&handle).await.map_err(|error| Failure::new(Exit::Failed, error))? {
            Some(secret) => Ok(Self { tenant: tenant.to_owned(), label: label.to_owned(), handle, secret }),
            None => {
                let error = format!("the secret `{handle}`, which the run sheet names, is not in custody");
                Err(Failure::new(Exit::Failed, error)
                    .hint("`flowswap audit verify` looks through the custody of secrets"))
            }
        }
    }

    /// Puts down that it is given to this user. Comes before anything is shown: a secret that somebody has and nobody
    /// knows of is worse than a record of one that was never looked at.
    pub(crate) async fn record(&self, ports: &Ports, way: HandOver) -> Result<(), Failure> {
        let entry = Entry::SecretHandedOver { handle: self.handle.clone(), by: ports.user.clone(), way };
        let draft = Draft { at: ports.clock.now(), run: RunId::generate(), tenant: Some(self.tenant.clone()), entry };
        let appended = ports.journal.append(draft).await;
        appended.map(drop).map_err(Failure::at("record that the secret is given to you"))
    }

    /// Prints it to the terminal that stdout is.
    pub(crate) fn print(&self) -> Result<(), Failure> {
        let mut stdout = io::stdout().lock();
        let line = [self.secret.expose().as_bytes(), b"\n"];
        let written = line.iter().try_for_each(|bytes| stdout.write_all(bytes)).and_then(|()| stdout.flush());
        written.map_err(Failure::at("write to the terminal"))
    }
}

/// Refuses where what is printed would go into a file or a pipe.
pub(crate) fn expect_terminal() -> Result<(), Failure> {
    if io::stdout().is_terminal() {
        return Ok(());
    }
    let failure = Failure::new(Exit::Usage, "a secret is only printed to a terminal, and stdout is none");
    Err(failure.hint("leave `--print` out to get it on the clipboard"))
}

/// The clipboard of this machine, for one secret.
pub(crate) struct Clipboard {
    clipboard: arboard::Clipboard,
    held: Option<Secret>,
}

impl Clipboard {
    /// Opens it.
    pub(crate) fn open() -> Result<Self, Failure> {
        let clipboard = arboard::Clipboard::new().map_err(Failure::at("open the clipboard"));
        let clipboard =
            clipboard.map_err(|failure| failure.hint("`--print` shows the secret in this terminal instead"))?;
        Ok(Self { clipboard, held: None })
    }

    /// Puts the secret there, where possible so that no history of the clipboard keeps it.
    pub(crate) fn put(&mut self, handing: &Handing) -> Result<(), Failure> {
        let set = self.clipboard.set();
        #[cfg(all(unix, not(target_os = "macos")))]
        let set = arboard::SetExtLinux::exclude_from_history(set);
        #[cfg(target_os = "macos")]
        let set = arboard::SetExtApple::exclude_from_history(set);
        #[cfg(windows)]
        let set = arboard::SetExtWindows::exclude_from_history(set);
        set.text(handing.secret.expose()).map_err(Failure::at("write to the clipboard"))?;
        self.held = Some(handing.secret.clone());
        Ok(())
    }

    /// Takes the secret away; what somebody else has put there since stays.
    pub(crate) fn clear(&mut self) -> Result<(), Failure> {
        let Some(held) = self.held.take() else { return Ok(()) };
        match self.clipboard.get_text().map(Secret::new) {
            Ok(there) if there.expose() == held.expose() => {
                self.clipboard.clear().map_err(Failure::at("clear the clipboard"))
            }
            _ => Ok(()),
        }
    }
}

impl Drop for Clipboard {
    fn drop(&mut self) {
        // Whoever must know whether it went well has called it before.
        let _ = self.clear();
    }
}
