//! Tells from the System Log as which client a directory is connected, for directories that do not show it themselves.
//!
//! Who gets tokens is connected: the swap is seen once the directory gets its tokens as the service client and no more as
//! the legacy client; `confirm` proves it. The way back deletes the service client, so that somebody went back, or never left, is
//! believed only after two tokens of the legacy client that no sign-in explains, the last of them so late that nobody uses the
//! service client any more.

use flowswap_contract::{Error, ErrorKind, ObserveReply, Observed, StepParams, Values};
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    api::{Api, a_day_before, read_time},
    read_payload,
    tokens::{Token, TokenLog, UNUSED, find_sign_ins},
};

/// What comes so soon after a sign-in may belong to it: the console gets and tests tokens before anything is submitted.
const SIGNING_IN: SignedDuration = SignedDuration::from_mins(2);

/// Two syncs at the least; tokens that are closer together may be of one person who tries twice.
const WAY_BACK_APART: SignedDuration = SignedDuration::from_mins(10);

const SHOWS_NOTHING: &str =
    "the log does not even show that flowswap tried the client, so it may show none of its tokens";

/// The output of a swap that is taken back: when the service client was last in use, as far as is known. The directory must have
/// synchronized since.
const LEFT_AT: &str = "left_at";

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
    let legacy = TokenLog::read_known(api, payload.previous_client_id.as_deref(), &since).await?;
    let sides = Sides { service_id, service, legacy_id: payload.previous_client_id.as_deref(), legacy };
    let last = match (sides.service.granted.first(), done_at, &params.given_at) {
        (Some(token), ..) if sides.granted_after(token.at).is_empty() => return sides.swapped(api, token).await,
        // Somebody else may use the legacy client, or a person has only tested the new one.
        (Some(token), _, given_at) => {
            let mut at = token.at;
            // Where no token is seen to be flowswap's own, this one may be, and those of the directory may be late.
            if let Some(given_at) = given_at.as_ref().filter(|_| !sides.service.shows_us) {
                let Some(given_at) = in_their_time(api, given_at)? else { return Ok(sides.untold(&since)) };
                at = at.max(given_at);
            }
            Last { at, what: format!("the last one as the service client {service_id} at {token}") }
        }
        (None, Some(_), _) => return Ok(sides.lost_sight(&since)),
        // The person may have connected the directory, and the events of that may be late.
        (None, None, Some(given_at)) => {
            let Some(at) = in_their_time(api, given_at)?.filter(|_| sides.service.shows_us) else {
                return Ok(sides.untold(&since));
            };
            Last { at, what: format!("a person could last have connected the service client {service_id}, at {at}") }
        }
        (None, None, None) => return Ok(sides.not_yet(&since, !params.attempts.is_empty())),
    };
    let turned = sides.granted_after(last.at);
    if turned.is_empty() {
        return Ok(sides.untold(&since));
    }
    // What follows may delete the client, so it must be certain that nobody uses it any more.
    let sign_ins = find_sign_ins(api, sides.legacy_id.unwrap_or_default(), &since).await?;
    Ok(sides.judge_way_back(&last, &turned, &sign_ins))
}

/// When the service client was last in use, as far as is known, by the org's clock.
struct Last {
    at: Timestamp,
    what: String,
}

/// A time of flowswap's machine by the org's clock. Both clocks are read at the same moment, so what lies between counts. None where
/// the org does not say its time.
fn in_their_time(api: &Api<'_>, at: &str) -> Result<Option<Timestamp>, Error> {
    let ago = api.host_now()?.duration_since(read_time("given_at", at)?);
    Ok(api.their_now().map(|now| now - ago))
}

/// What the log shows of both clients.
struct Sides<'a> {
    service_id: &'a str,
    service: TokenLog,
    legacy_id: Option<&'a str>,
    legacy: TokenLog,
}

impl Sides<'_> {
    /// Tokens as the legacy client, newest first.
    fn granted_after(&self, at: Timestamp) -> Vec<&Token> {
        self.legacy.granted.iter().filter(|token| token.at > at).collect()
    }

    /// Nobody but flowswap got a token as the service client, and somebody may have been about to.
    fn untold(&self, since: &str) -> ObserveReply {
        let silence = self.silence(since);
        let why = if self.service.shows_us {
            format!(
                "that nobody did shows by two tokens as the legacy client, the last of them {} minutes later",
                UNUSED.as_mins()
            )
        } else {
            SHOWS_NOTHING.to_owned()
        };
        let detail = format!("{silence}; a person may have connected it meanwhile: {why}");
        reply(Observed::Unknown, Values::new(), detail)
    }

    fn not_yet(&self, since: &str, is_begun: bool) -> ObserveReply {
        let mut detail = self.silence(since);
        // The silence of a log counts that shows what flowswap itself did as the client, or where nobody was asked to connect it.
        let is_told = self.service.shows_us || !is_begun;
        if !is_told {
            detail.push_str("; ");
            detail.push_str(SHOWS_NOTHING);
        }
        reply(if is_told { Observed::NotApplied } else { Observed::Unknown }, Values::new(), detail)
    }

    fn silence(&self, since: &str) -> String {
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
        detail
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

    /// Whether somebody went back, or never left, once the legacy client got tokens after the last use of the service client.
    fn judge_way_back(&self, last: &Last, turned: &[&Token], sign_ins: &[Token]) -> ObserveReply {
        let by_code = |token: &&Token| token.grant_type() == Some("authorization_code");
        let sign_ins: Vec<_> = sign_ins.iter().chain(self.legacy.granted.iter().filter(by_code)).collect();
        // The events of one sign-in come in any order.
        let is_signing_in =
            |token: &Token| sign_ins.iter().any(|by| token.at.duration_since(by.at).abs() <= SIGNING_IN);
        let own: Vec<_> = turned.iter().filter(|token| !is_signing_in(token)).collect();
        let (what, unused_from) = (&last.what, last.at + UNUSED);
        let (legacy_id, refusals) = (self.legacy_id.unwrap_or_default(), self.refusals());
        let counts_from = match own.as_slice() {
            [newest, .., oldest] if newest.at >= unused_from && newest.at >= oldest.at + WAY_BACK_APART => {
                let agent = newest.agent();
                let detail = format!(
                    "{agent} got tokens as the legacy client {legacy_id} at {oldest} and at {newest}, after {what}{refusals}"
                );
                let outputs = [(LEFT_AT.to_owned(), json!(last.at.to_string()))].into();
                return reply(Observed::NotApplied, outputs, detail);
            }
            [.., oldest] => unused_from.max(oldest.at + WAY_BACK_APART),
            [] => unused_from,
        };
        let detail = format!(
            "{} got a token as the legacy client {legacy_id} at {}, after {what}{refusals}; the directory may still use a token of the \
             service client, so the way back shows by two tokens as the legacy client without a sign-in, ten minutes apart, \
             the last of them from {counts_from} on; an event may take some minutes to arrive",
            turned[0].agent(),
            turned[0],
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
