//! Tells from the System Log as which client a directory is connected, for directories that do not show it themselves.
//!
//! Who gets tokens is connected: the swap is seen once the directory gets its tokens as the service client and no more as
//! the legacy client. The way back deletes the service client, so that somebody went back is believed only after two
//! tokens of the legacy client that no single sign-in and no single sync can explain.

use flowswap_contract::{Error, ObserveReply, Observed, StepParams, Values};
use jiff::SignedDuration;
use serde::Deserialize;
use serde_json::json;

use crate::{
    api::Api,
    read_payload,
    tokens::{Token, TokenLog},
};

/// A sign-in gets its tokens at once; what comes so much later was another sync.
const APART: SignedDuration = SignedDuration::from_mins(1);

/// What the directory's swap says of itself; the rest of its payload is its plugin's.
#[derive(Deserialize)]
struct SwapPayload {
    /// May be null where nobody knows it; a payload that does not speak of it is another plugin's idea of a swap.
    #[serde(deserialize_with = "Option::deserialize")]
    previous_client_id: Option<String>,
}

/// Looks who got tokens since the day on which the swap was begun.
pub(crate) async fn observe_swap(api: &Api<'_>, params: &StepParams) -> Result<ObserveReply, Error> {
    let payload: SwapPayload = read_payload(params)?;
    let service_id = params.input("client_id")?;
    // The tokens' order decides, not their time: the day's beginning is early enough for any clock that is right enough
    // for TLS.
    let begun = params.attempts.first().map_or(api.host.now(), |attempt| attempt.at.as_str());
    let since = format!("{}T00:00:00Z", begun.get(..10).unwrap_or_default());
    let (service, _) = TokenLog::read(api, service_id, &since).await?;
    let legacy = match &payload.previous_client_id {
        Some(id) => TokenLog::read(api, id, &since).await?.0,
        None => TokenLog::default(),
    };
    let sides = Sides { service_id, service, legacy_id: payload.previous_client_id.as_deref(), legacy };
    let Some(last) = sides.service.granted.first() else { return Ok(sides.not_yet(&since)) };
    let turned_back: Vec<_> = sides.legacy.granted.iter().filter(|token| token.at > last.at).collect();
    match turned_back.as_slice() {
        [] => sides.swapped(api, last).await,
        [newest, .., oldest] if newest.at.duration_since(oldest.at) >= APART => Ok(sides.back(last, oldest, newest)),
        [.., oldest] => Ok(sides.undecided(last, oldest)),
    }
}

/// What the log shows of both clients.
struct Sides<'a> {
    service_id: &'a str,
    service: TokenLog,
    legacy_id: Option<&'a str>,
    legacy: TokenLog,
}

impl Sides<'_> {
    fn not_yet(&self, since: &str) -> ObserveReply {
        let id = self.service_id;
        let mut detail = format!(
            "a token as the service client {id} would show the swap, and nobody but flowswap got one since {since}"
        );
        match (self.legacy_id, self.legacy.granted.first()) {
            (Some(id), Some(token)) => {
                detail.push_str(&format!("; {} got its last as the legacy client {id} at {token}", token.agent()));
            }
            (Some(id), None) => detail.push_str(&format!("; and nobody as the legacy client {id}")),
            (None, _) => {}
        }
        detail.push_str(&self.refusals());
        detail.push_str("; an event may take some minutes to arrive");
        reply(Observed::NotApplied, Values::new(), detail)
    }

    async fn swapped(&self, api: &Api<'_>, last: &Token) -> Result<ObserveReply, Error> {
        let before = self.legacy.granted.first();
        let first = self.service.find_first(api, before.map(|token| token.at)).await?;
        let first = first.as_ref().unwrap_or(last);
        let agent = first.agent();
        let mut detail = format!("{agent} gets tokens as the service client {} since {first}", self.service_id);
        match (self.legacy_id, before) {
            (Some(id), Some(token)) => detail.push_str(&format!(", its last as the legacy client {id} was at {token}")),
            (Some(id), None) => detail.push_str(&format!(", and none as the legacy client {id}")),
            (None, _) => {}
        }
        detail.push_str(&self.refusals());
        let outputs = [("swapped_at".to_owned(), json!(first.at.to_string()))].into();
        Ok(reply(Observed::Applied, outputs, detail))
    }

    fn back(&self, last: &Token, oldest: &Token, newest: &Token) -> ObserveReply {
        let legacy_id = self.legacy_id.unwrap_or_default();
        let detail = format!(
            "{} got tokens as the legacy client {legacy_id} at {oldest} and at {newest}, after the last one as the \
             service client {} at {last}{}",
            newest.agent(),
            self.service_id,
            self.refusals()
        );
        reply(Observed::NotApplied, Values::new(), detail)
    }

    fn undecided(&self, last: &Token, turned: &Token) -> ObserveReply {
        let legacy_id = self.legacy_id.unwrap_or_default();
        let detail = format!(
            "{} got a token as the legacy client {legacy_id} at {turned}, after the last one as the service client {} at \
             {last}{}; awaited is the next sync: a token as the service client shows the swap, one as the legacy client a \
             minute or more after the first shows that it was taken back; an event may take some minutes to arrive",
            turned.agent(),
            self.service_id,
            self.refusals()
        );
        reply(Observed::Unknown, Values::new(), detail)
    }

    /// Who was refused a token and got none since.
    fn refusals(&self) -> String {
        let service = (Some(self.service_id), self.service.refused_last());
        let refused = [service, (self.legacy_id, self.legacy.refused_last())];
        let describe = |(id, token): (Option<&str>, Option<&Token>)| {
            let (id, token) = (id?, token?);
            Some(format!("; {} was refused a token as {id} at {token}: {}", token.agent(), token.reason()))
        };
        refused.into_iter().filter_map(describe).collect()
    }
}

fn reply(state: Observed, outputs: Values, detail: String) -> ObserveReply {
    ObserveReply { state, outputs, detail }
}
