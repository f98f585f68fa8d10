//! `flowswap secret rekey`: encrypts every stored secret to the identity and to the recipients of the configuration, and to nobody else.

use flowswap_store::{AgeSecretStore, Recipient, StateDir};

use crate::{
    context::Context,
    display::text::{Text, text},
    exit::{Exit, Failure},
    identity,
    question::Question,
};

pub(crate) async fn run(context: &Context, yes: bool) -> Result<Exit, Failure> {
    let config = context.load_config()?;
    let others = identity::recipients(&config)?;
    let own = context.load_identity(&config)?;
    // Nobody stores a secret meanwhile.
    let (store, _logbook) = context.secrets_alone(&config).await?;
    let folder = StateDir::at(&config.state).secrets();
    let stored = AgeSecretStore::inspect(&folder, &own).map_err(Failure::at("read the stored secrets"))?;
    let closed = stored.unusable.iter().filter(|file| file.handle.is_some()).count();
    if closed > 0 {
        let error = format!("the identity does not open {}, so nothing was done", secrets(closed));
        return Err(Failure::new(Exit::SomeFailed, error).hint("see which, and what to do: flowswap audit verify"));
    }
    let all = identity::all_recipients(&own, &others);
    let what = text!("{} will open with any of {} keys:\n", secrets(stored.secrets.len()), all.len());
    let what = what + all.iter().map(|key| describe(key, &own.recipients())).collect::<Text>();
    if stored.secrets.is_empty() {
        context.terminal.say("no secret is stored yet; new ones are encrypted to the recipients of the configuration");
        return Ok(Exit::Done);
    }
    Question::about(0, format!("Encrypt {}?", secrets(stored.secrets.len())))
        .ask(context, &what.trim_end(), yes)
        .await?;
    for (done, handle) in stored.secrets.iter().enumerate() {
        if context.stop.is_stopped() {
            let left =
                format!("stopped after {} of {}; run the same command again", done, secrets(stored.secrets.len()));
            return Err(Failure::new(Exit::Interrupted, left));
        }
        store.rekey(handle).await.map_err(Failure::at("encrypt the secrets"))?;
    }
    context.terminal.say(text!(
        "encrypted {}. A person whose key you removed may still have copies of the old files: replace the secrets in them too",
        secrets(stored.secrets.len())
    ));
    Ok(Exit::Done)
}

fn describe(key: &Recipient, own: &[Recipient]) -> Text {
    let whose = if own.contains(key) { "this identity" } else { key.comment() };
    text!("  {} {}\n", key.public_key(), whose)
}

fn secrets(count: usize) -> String {
    if count == 1 { "1 secret".to_owned() } else { format!("{count} secrets") }
}
