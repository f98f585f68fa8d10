//! Tells from the System Log as which client a directory is connected, for directories that do not show it themselves.
//!
//! Who gets tokens is connected: the swap is seen once the directory gets its tokens as the service client and no more as
//! the legacy client; `confirm` proves it. The way back deletes the service client, so that somebody went back is believed
//! only after two tokens of the legacy client that no sign-in explains, and when no token of the service client can be in
//! use any more.

use flowswap_contract::{Error, ErrorKind, ObserveReply, Observed, StepParams, Values};
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    api::{Api, a_day_before},
    read_payload,
    tokens::{Token, TokenLog, find_sign_ins},
};

/// What comes so soon after a sign-in may belong to it: the console gets and tests tokens before anything is submitted.
const SIGNING_IN: SignedDuration = SignedDuration::from_mins(2);

/// Two syncs at the least; tokens that are closer together may be of one person who tries twice.
const WAY_BACK_APART: SignedDuration = SignedDuration::from_mins(10);

/// What the directory's swap says of itself; the rest of its payload is its plugin's.
#[derive(Deserialize)]
pub(crate) struct SwapPayload {
    /// May be null where nobody knows it; a payload that does not speak of it is another plugin's idea of a swap.
    #[serde(deserialize_with = "Option::deserialize")]
    pub(crate) previous_client_id: Option<String>,
}

/// Looks who got tokens since the day on which the swap was begun.
pub(crate) async fn observe_swap(api: &Api<'_>, params: &StepParams) -> Result<ObserveReply, Error> {
    let payload: SwapPayload = read_payload(params)?;
    let service_id = params.input("client_id")?;
    let done_at = params.outputs.get("swapped_at").and_then(Value::as_str);
    // The tokens' order decides, not their time: this only says how far the log is asked back.
    let begun = params.attempts.first().map_or(api.host.now(), |attempt| attempt.at.as_str());
    let begun = done_at.map_or(begun, |done_at| begun.min(done_at));
    let since = a_day_before(begun)?;
    let (service, _) = match TokenLog::read(api, service_id, &since).await {
        // Okta's own word that the log may not be read. Another error may pass, or is somebody else's.
        Err(error) if error.kind == ErrorKind::Permission => {
            let detail = format!("as which client the directory is connected cannot be seen: {}", error.message);
            return Ok(reply(Observed::Unknown, Values::new(), detail));
        }
        other => other?,
    };
    let legacy = match &payload.previous_client_id {
        Some(id) => TokenLog::read(api, id, &since).await?.0,
        None => TokenLog::default(),
    };
    let sides = Sides { service_id, service, legacy_id: payload.previous_client_id.as_deref(), legacy };
    let Some(last) = sides.service.granted.first() else {
        return Ok(if done_at.is_some() {
            sides.lost_sight(&since)
        } else {
            sides.not_yet(&since, !params.attempts.is_empty())
        });
    };
    let turned_back: Vec<_> = sides.legacy.granted.iter().filter(|token| token.at > last.at).collect();
    match (turned_back.as_slice(), sides.legacy_id) {
        ([], _) => sides.swapped(api, last).await,
        // Somebody else may use the legacy client, or a person has only tested the new one. What follows may delete it, so it must be
        // certain that nobody can use it any more.
        (turned, id) => {
            let sign_ins = find_sign_ins(api, id.unwrap_or_default(), &since).await?;
            Ok(sides.judge_way_back(last, turned, &sign_ins, api.their_now()))
        }
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
    fn not_yet(&self, since: &str, is_begun: bool) -> ObserveReply {
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
        // The silence of a log counts that shows what flowswap itself did as the client, or where nobody was asked to connect it.
        let is_told = self.service.shows_us || !is_begun;
        if !is_told {
            detail
                .push_str("; nor does the log show that flowswap tried the client, so it may show none of its tokens");
        }
        reply(if is_told { Observed::NotApplied } else { Observed::Unknown }, Values::new(), detail)
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

    /// That nothing is seen of what was done once says that the log is not seen, or does not reach back.
    fn lost_sight(&self, since: &str) -> ObserveReply {
        let detail = format!(
            "the log shows no token that anybody but flowswap got as the service client {} since {since}, though the swap \
             was seen{}; as which client the directory is connected cannot be told",
            self.service_id,
            self.refusals()
        );
        reply(Observed::Unknown, Values::new(), detail)
    }

    /// Whether somebody went back, once the legacy client got tokens after the last one of the service client.
    fn judge_way_back(
        &self,
        last: &Token,
        turned: &[&Token],
        sign_ins: &[Token],
        now: Option<Timestamp>,
    ) -> ObserveReply {
        let by_code = |token: &&Token| token.grant_type() == Some("authorization_code");
        let sign_ins: Vec<_> = sign_ins.iter().chain(self.legacy.granted.iter().filter(by_code)).collect();
        // The events of one sign-in come in any order.
        let is_signing_in =
            |token: &Token| sign_ins.iter().any(|by| token.at.duration_since(by.at).abs() <= SIGNING_IN);
        let own: Vec<_> = turned.iter().filter(|token| !is_signing_in(token)).collect();
        // Where the org does not say its time, its newest event does.
        let now = turned.iter().map(|token| token.at).chain(now).fold(Timestamp::MIN, Timestamp::max);
        let outlived_at = last.outlived_at();
        let awaited = match own.as_slice() {
            [newest, .., oldest] if newest.at.duration_since(oldest.at) >= WAY_BACK_APART => {
                if now > outlived_at {
                    return self.back(last, oldest, newest);
                }
                String::new()
            }
            [.., oldest] => {
                format!("; the next token as the legacy client counts from {} on", oldest.at + WAY_BACK_APART)
            }
            [] => "; the way back shows by two tokens as the legacy client, ten minutes apart, without a sign-in"
                .to_owned(),
        };
        let detail = format!(
            "{} got a token as the legacy client {} at {}, after the last one as the service client {} at {last}{}; a token lives \
             an hour, so the directory may still use that one until {outlived_at}{awaited}; an event may take some minutes to \
             arrive",
            turned[0].agent(),
            self.legacy_id.unwrap_or_default(),
            turned[0],
            self.service_id,
            self.refusals()
        );
        reply(Observed::Unknown, Values::new(), detail)
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
