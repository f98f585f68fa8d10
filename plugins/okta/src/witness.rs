//! Finds out from the System Log which client a directory uses, for directories that do not show it themselves.
//!
//! The swap is done once the directory gets its tokens as the service client and no longer as the legacy client; `confirm` proves
//! it. A rollback deletes the service client, so it needs stronger evidence that the directory is back on the legacy client, or
//! never left it. The evidence is two tokens of the legacy client that no sign-in explains. The last one must be so late that
//! nobody uses the service client any more.

use flowswap_contract::{Error, ErrorKind, ObserveReply, Observed, StepParams, Values};
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    api::{Api, a_day_before, read_time},
    system_log::Order,
    tokens::{Token, TokenLog, UNUSED_AFTER, find_sign_ins},
};

/// Tokens this close to a sign-in may belong to it: the console gets and tests tokens before anything is submitted.
const SIGN_IN_WINDOW: SignedDuration = SignedDuration::from_mins(2);

/// At least two syncs. Tokens that are closer together may come from a person who tries twice.
const MIN_ROLLBACK_GAP: SignedDuration = SignedDuration::from_mins(10);

const OWN_REQUESTS_MISSING: &str =
    "the log does not show flowswap's own requests as this client, so it may also lack other tokens";

/// The output of a swap that was rolled back: the last known use of the service client. The directory must have synchronized
/// since then.
const LEFT_AT: &str = "left_at";

/// The part of the directory's swap payload that this plugin reads.
#[derive(Deserialize)]
pub(crate) struct SwapPayload {
    /// Null if nobody knows it. The key must be there: a payload without it comes from a plugin with another kind of swap.
    #[serde(deserialize_with = "Option::deserialize")]
    pub(crate) previous_client_id: Option<String>,
}

/// Checks who has received tokens, from a day before the swap started.
pub(crate) async fn observe_swap(api: &Api<'_>, params: &StepParams) -> Result<ObserveReply, Error> {
    let payload: SwapPayload = params.payload()?;
    let service_id = params.input("client_id")?;
    let done_at = params.outputs.get("swapped_at").and_then(Value::as_str);
    // The order of the tokens decides, not their time. The time only limits the search.
    let started = params.attempts.first().map_or(api.host.now(), |attempt| attempt.at.as_str());
    let started = done_at.map_or(started, |done_at| started.min(done_at));
    let since = a_day_before(started)?;
    let (service, _) = match TokenLog::read(api, service_id, &since).await {
        // Okta itself says that this token may not read the log. Other errors may pass, or come from something else.
        Err(error) if error.kind == ErrorKind::Permission => {
            let detail = format!("flowswap cannot see which client the directory uses: {}", error.message);
            return Ok(reply(Observed::Unknown, Values::new(), detail));
        }
        other => other?,
    };
    // Its tokens decide only if somebody may have used the service client. Otherwise the last one is only shown.
    let is_maybe_used = !service.granted.is_empty() || params.given_at.is_some();
    let order = if is_maybe_used { Order::NewestFirst } else { Order::LastFew };
    let legacy = TokenLog::read_known(api, payload.previous_client_id.as_deref(), &since, order).await?;
    let logs = ClientLogs { service_id, service, legacy_id: payload.previous_client_id.as_deref(), legacy };
    let last = match (logs.service.granted.first(), done_at, &params.given_at) {
        (Some(token), ..) if logs.granted_after(token.at).is_empty() => return logs.swapped(api, token).await,
        // Somebody else may use the legacy client, or a person only tested the new client.
        (Some(token), _, given_at) => {
            let mut at = token.at;
            // If the log does not mark any token as flowswap's own, this one may be flowswap's, and the directory's may be late.
            if let Some(given_at) = given_at.as_ref().filter(|_| !logs.service.shows_own_requests) {
                let Some(given_at) = to_org_time(api, given_at)? else { return Ok(logs.undecided(&since)) };
                at = at.max(given_at);
            }
            LastUse { at, description: format!("the last token as the service client {service_id} at {token}") }
        }
        (None, Some(_), _) => return Ok(logs.swap_not_shown(&since)),
        // The person may have connected the directory, and its events may be late.
        (None, None, Some(given_at)) => {
            let Some(at) = to_org_time(api, given_at)?.filter(|_| logs.service.shows_own_requests) else {
                return Ok(logs.undecided(&since));
            };
            let description =
                format!("the last time that a person may have connected the service client {service_id}, {at}");
            LastUse { at, description }
        }
        (None, None, None) => return Ok(logs.not_swapped(&since, !params.attempts.is_empty())),
    };
    let legacy_tokens = logs.granted_after(last.at);
    if legacy_tokens.is_empty() {
        return Ok(logs.undecided(&since));
    }
    // The next step may delete the service client, so it must be certain that nobody uses it any more.
    let sign_ins = find_sign_ins(api, logs.legacy_id.unwrap_or_default(), &since).await?;
    Ok(logs.check_rollback(&last, &legacy_tokens, &sign_ins))
}

/// The last known use of the service client, by the org's clock.
struct LastUse {
    at: Timestamp,
    description: String,
}

/// Converts a time of flowswap's machine to the org's clock. Both clocks are read at the same moment, so the time since then is the same
/// by both. `None` if the org does not state its time.
fn to_org_time(api: &Api<'_>, at: &str) -> Result<Option<Timestamp>, Error> {
    let ago = api.host_now()?.duration_since(read_time("given_at", at)?);
    Ok(api.org_now().map(|now| now - ago))
}

/// What the log shows about both clients.
struct ClientLogs<'a> {
    service_id: &'a str,
    service: TokenLog,
    legacy_id: Option<&'a str>,
    legacy: TokenLog,
}

impl ClientLogs<'_> {
    /// Tokens as the legacy client, newest first.
    fn granted_after(&self, at: Timestamp) -> Vec<&Token> {
        self.legacy.granted.iter().filter(|token| token.at > at).collect()
    }

    /// Only flowswap got a token as the service client, but a person may have connected it.
    fn undecided(&self, since: &str) -> ObserveReply {
        let silence = self.silence(since);
        let open_question = if self.service.shows_own_requests {
            format!(
                ". To rule that out, the legacy client must get two tokens, the last at least {} minutes later",
                UNUSED_AFTER.as_mins()
            )
        } else {
            format!(", and {OWN_REQUESTS_MISSING}")
        };
        let detail = format!("{silence}. A person may have connected it since then{open_question}");
        reply(Observed::Unknown, Values::new(), detail)
    }

    fn not_swapped(&self, since: &str, is_started: bool) -> ObserveReply {
        let mut detail = self.silence(since);
        // A silent log counts if it shows flowswap's own requests as the client, or if nobody was asked to connect it.
        let is_certain = self.service.shows_own_requests || !is_started;
        if !is_certain {
            detail.push_str("; ");
            detail.push_str(OWN_REQUESTS_MISSING);
        }
        reply(if is_certain { Observed::NotApplied } else { Observed::Unknown }, Values::new(), detail)
    }

    fn silence(&self, since: &str) -> String {
        let id = self.service_id;
        let mut detail = format!(
            "a token as the service client {id} would show the swap, but nobody except flowswap has received one since {since}"
        );
        match (self.legacy_id, self.legacy.granted.first()) {
            (Some(id), Some(token)) => {
                detail
                    .push_str(&format!("; {} got its last token as the legacy client {id} at {token}", token.agent()));
            }
            (Some(id), None) => detail.push_str(&format!("; nobody has received one as the legacy client {id} either")),
            (None, _) => {}
        }
        detail.push_str(&self.refusals());
        detail.push_str("; events may arrive some minutes late");
        detail
    }

    async fn swapped(&self, api: &Api<'_>, last: &Token) -> Result<ObserveReply, Error> {
        let before = self.legacy.granted.first();
        let first = self.service.find_first(api, before.map(|token| token.at)).await?;
        let first = first.as_ref().unwrap_or(last);
        let agent = first.agent();
        let mut detail =
            format!("{agent} has been getting tokens as the service client {} since {first}", self.service_id);
        match (self.legacy_id, before) {
            (Some(id), Some(token)) => {
                detail.push_str(&format!("; its last token as the legacy client {id} was at {token}"));
            }
            (Some(id), None) => detail.push_str(&format!(", and no token as the legacy client {id}")),
            (None, _) => {}
        }
        detail.push_str(&self.refusals());
        let outputs = [("swapped_at".to_owned(), json!(first.at.to_string()))].into();
        Ok(reply(Observed::Applied, outputs, detail))
    }

    /// flowswap saw the swap before, so a log without its tokens is incomplete or does not reach back far enough.
    fn swap_not_shown(&self, since: &str) -> ObserveReply {
        let detail = format!(
            "flowswap saw the swap, but since {since} the log shows no token as the service client {} that flowswap did not \
             request{}. flowswap cannot tell which client the directory uses",
            self.service_id,
            self.refusals()
        );
        reply(Observed::Unknown, Values::new(), detail)
    }

    /// Decides whether the directory is back on the legacy client, or never left it. The legacy client got these tokens after the last
    /// use of the service client.
    fn check_rollback(&self, last: &LastUse, legacy_tokens: &[&Token], sign_ins: &[Token]) -> ObserveReply {
        let by_code = |token: &&Token| token.grant_type() == Some("authorization_code");
        let sign_ins: Vec<_> = sign_ins.iter().chain(self.legacy.granted.iter().filter(by_code)).collect();
        // The events of one sign-in arrive in any order.
        let is_signing_in =
            |token: &Token| sign_ins.iter().any(|by| token.at.duration_since(by.at).abs() <= SIGN_IN_WINDOW);
        let own: Vec<_> = legacy_tokens.iter().filter(|token| !is_signing_in(token)).collect();
        let last_use = &last.description;
        let unused_from = last.at + UNUSED_AFTER;
        let legacy_id = self.legacy_id.unwrap_or_default();
        let refusals = self.refusals();
        let counts_from = match own.as_slice() {
            [newest, .., oldest] if newest.at >= unused_from && newest.at >= oldest.at + MIN_ROLLBACK_GAP => {
                let agent = newest.agent();
                let detail = format!(
                    "{agent} got tokens as the legacy client {legacy_id} at {oldest} and {newest}, after {last_use}{refusals}"
                );
                let outputs = [(LEFT_AT.to_owned(), json!(last.at.to_string()))].into();
                return reply(Observed::NotApplied, outputs, detail);
            }
            [.., oldest] => unused_from.max(oldest.at + MIN_ROLLBACK_GAP),
            [] => unused_from,
        };
        let detail = format!(
            "{} got a token as the legacy client {legacy_id} at {}, after {last_use}{refusals}. The directory may still use a token of \
             the service client. The rollback needs two tokens as the legacy client without a sign-in: at least ten minutes apart, \
             the last at {counts_from} or later. Events may arrive some minutes late",
            legacy_tokens[0].agent(),
            legacy_tokens[0],
        );
        reply(Observed::Unknown, Values::new(), detail)
    }

    /// The refusals after which no token was issued.
    fn refusals(&self) -> String {
        let service = (Some(self.service_id), self.service.refused_last());
        let refused = [service, (self.legacy_id, self.legacy.refused_last())];
        let describe = |(id, token): (Option<&str>, Option<&Token>)| {
            let (id, token) = (id?, token?);
            Some(format!("; okta refused {} a token as {id} at {token}: {}", token.agent(), token.reason()))
        };
        refused.into_iter().filter_map(describe).collect()
    }
}

fn reply(state: Observed, outputs: Values, detail: String) -> ObserveReply {
    ObserveReply { state, outputs, detail }
}
