//! `flowswap secret rekey`: encrypts every stored secret to the identity and to the recipients of the configuration, and to nobody else.

use crate::{
    context::Context,
    display::text::{Text, text},
    exit::{Exit, Failure},
    question::Question,
};

pub(crate) async fn run(context: &Context, yes: bool) -> Result<Exit, Failure> {
    let config = context.load_config()?;
    // Nobody stores a secret meanwhile.
    let (store, _logbook) = context.secrets_alone(&config).await?;
    let stored = store.inventory().map_err(Failure::at("read the stored secrets"))?;
    let closed = stored.unusable.iter().filter(|file| file.handle.is_some()).count();
    if closed > 0 {
        let error = format!("the identity does not open {}, so nothing was done", secrets(closed));
        return Err(Failure::new(Exit::SomeFailed, error).hint("see which, and what to do: flowswap audit verify"));
    }
    if stored.secrets.is_empty() {
        context.terminal.say("no secret is stored yet; new ones are encrypted to the recipients of the configuration");
        return Ok(Exit::Done);
    }
    let keys = store.recipients();
    let what = text!("{} will open with any of {} keys:\n", secrets(stored.secrets.len()), keys.len());
    let what = what + keys.iter().map(|key| text!("  {} {}\n", key.public_key(), key.comment())).collect::<Text>();
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

fn secrets(count: usize) -> String {
    if count == 1 { "1 secret".to_owned() } else { format!("{count} secrets") }
}
