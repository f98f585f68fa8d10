//! Whether the directory has the new secret, as far as Okta can tell.

use flowswap_contract::{Error, ObserveReply, Observed, StepParams};
use serde_json::{Value, json};

use crate::{
    api::{Api, read_time},
    secrets,
    tokens::TokenLog,
};

/// Looks at both secrets: who gets tokens although one is inactive uses the other. While both are active, only the hand-over itself
/// counts. Repeating it does no harm.
pub(crate) async fn observe(api: &Api<'_>, params: &StepParams) -> Result<ObserveReply, Error> {
    let client = params.input("client_id")?;
    let new = params.input("secret_id")?;
    let found = secrets::list(api, client).await?;
    let reply = |state, detail: String| Ok(ObserveReply { state, outputs: params.outputs.clone(), detail });
    let Some(made) = found.iter().find(|secret| secret.id == new).filter(|secret| !secret.is_inactive()) else {
        return reply(Observed::NotApplied, format!("the new secret {new} is not active, so nobody can use it"));
    };
    let others: Vec<_> = found.iter().filter(|secret| secret.id != made.id).collect();
    if let [replaced] = others.as_slice()
        && replaced.is_inactive()
    {
        let since = read_time("lastUpdated", &replaced.last_updated)?;
        let (log, _) = TokenLog::read(api, client, &replaced.last_updated).await?;
        return match log.granted.iter().rev().find(|token| token.at > since) {
            Some(token) => {
                let detail = format!(
                    "{} got a token at {token}, and {} is inactive since {since}, so it uses the new secret",
                    token.agent(),
                    replaced.id
                );
                reply(Observed::Applied, detail)
            }
            None if params.outputs.is_empty() => {
                reply(Observed::Unknown, format!("nobody has got a token since {} is inactive", replaced.id))
            }
            None => reply(Observed::Applied, format!("nobody has got a token yet since {} is inactive", replaced.id)),
        };
    }
    if params.attempts.is_empty() && params.outputs.is_empty() {
        return reply(Observed::NotApplied, "the directory was not given the new secret".to_owned());
    }
    let mut outputs = params.outputs.clone();
    let now = || api.org_now().map_or(Value::Null, |now| json!(now.to_string()));
    outputs.entry("swapped_at".to_owned()).or_insert_with(now);
    let detail = "okta accepts both secrets, and does not show with which one the directory gets its tokens".to_owned();
    Ok(ObserveReply { state: Observed::Partial, outputs, detail })
}
