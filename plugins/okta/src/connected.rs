//! As which client a directory that shows its connection asks for tokens. What it shows need not be what runs, and somebody else may be
//! connected as the same client: before a client is deactivated or deleted, the System Log must bear out that nobody uses it.

use flowswap_contract::{Error, ErrorKind, ObserveReply, Observed, StepParams, Values};
use jiff::Timestamp;
use serde_json::Value;

use crate::{
    api::{Api, a_day_before},
    confirm::CLOCKS_APART,
    read_payload,
    tokens::{OUTLIVED, Token, TokenLog},
    witness::SwapPayload,
};

/// The check of a connection before it is put back gets one token, and the first sync another.
const ENOUGH: usize = 2;

/// Applied where the service client is used and no token of the legacy client lives any more; not applied where the legacy client is
/// used and no token of the service client does; unknown in between.
pub(crate) async fn observe(api: &Api<'_>, params: &StepParams) -> Result<ObserveReply, Error> {
    let payload: SwapPayload = read_payload(params)?;
    let service_id = params.input("client_id")?;
    let begun = params.attempts.first().map_or(api.host.now(), |attempt| attempt.at.as_str());
    let since = a_day_before(begun)?;
    let service = TokenLog::read(api, service_id, &since).await?.0;
    let legacy = match &payload.previous_client_id {
        Some(id) => TokenLog::read(api, id, &since).await?.0,
        None => TokenLog::default(),
    };
    let now = api.their_now().unwrap_or(Timestamp::MIN);
    let swapped_at = read_swapped_at(params)?;
    let sides = Sides { since, service_id, service, legacy_id: payload.previous_client_id, legacy, swapped_at, now };
    Ok(sides.judge_return().unwrap_or_else(|| sides.judge_leave()))
}

/// What the log shows of both clients.
struct Sides<'a> {
    since: String,
    service_id: &'a str,
    service: TokenLog,
    legacy_id: Option<String>,
    legacy: TokenLog,
    swapped_at: Option<Timestamp>,
    /// By the org's clock.
    now: Timestamp,
}

impl Sides<'_> {
    /// That the directory went back: no token of the service client lives any more, and it got some as the legacy client since. None
    /// where that is not seen. A token that the legacy client gets alone says little: a check of its connection gets one, too, and
    /// somebody else may be connected as it.
    fn judge_return(&self) -> Option<ObserveReply> {
        let left_at = self.left_at()?;
        // Where nobody knows the legacy client, only the service client's silence tells.
        let is_used = self.legacy_id.is_none() || self.granted_after(left_at).len() >= ENOUGH;
        let is_back = is_used && left_at + OUTLIVED < self.now;
        is_back.then(|| reply(Observed::NotApplied, self.describe()))
    }

    /// Requests as the service client, newest first. One from well before the swap was the connection test's.
    fn uses(&self) -> Vec<&Token> {
        let mut uses = self.service.requests();
        uses.retain(|token| self.swapped_at.is_none_or(|swapped| token.at + CLOCKS_APART >= swapped));
        uses
    }

    /// Tokens as the legacy client, newest first, but for those of persons who sign in.
    fn granted_after(&self, at: Timestamp) -> Vec<&Token> {
        let requests = self.legacy.requests().into_iter();
        requests.filter(|token| token.at > at && token.is_granted()).collect()
    }

    /// When the directory was last on the service client, by the org's clock.
    fn left_at(&self) -> Option<Timestamp> {
        let last_use = self.uses().first().map(|token| token.at);
        last_use.or(self.swapped_at.map(|swapped| swapped + CLOCKS_APART))
    }

    /// That the directory is on the service client, and no token of the legacy client is in use.
    fn judge_leave(&self) -> ObserveReply {
        // Where no token of it is seen, one may be from just before the swap, and not be shown.
        let swapped_at = self.swapped_at.or(self.uses().last().map(|token| token.at));
        let last_legacy = self.legacy.granted.first().map(|token| token.at).or(swapped_at);
        let is_left = |last: &Token| {
            let is_last = self.legacy.granted.first().is_none_or(|legacy| legacy.at < last.at);
            is_last && last_legacy.is_some_and(|at| at + OUTLIVED < self.now)
        };
        let state = match self.service.granted.first() {
            Some(last) if is_left(last) => Observed::Applied,
            _ => Observed::Unknown,
        };
        reply(state, self.describe())
    }

    fn describe(&self) -> String {
        let id = self.service_id;
        let service = match self.uses().first() {
            Some(token) => {
                let until = token.outlived_at();
                format!("service client {id}: last request at {token}, a token may be in use until {until}")
            }
            None => format!("service client {id}: no request but flowswap's own"),
        };
        let Some(id) = &self.legacy_id else { return format!("{service}; the client used before is not known") };
        let refused = match self.legacy.refused_last() {
            Some(token) => format!(", refused at {token}: {}", token.reason()),
            None => String::new(),
        };
        let legacy = match self.legacy.granted.first() {
            None => format!("legacy client {id}: no token since {}", self.since),
            Some(token) => {
                let until = token.outlived_at();
                format!("legacy client {id}: last token at {token}, may be in use until {until}")
            }
        };
        let later = match self.left_at().map_or(0, |at| self.granted_after(at).len()) {
            0 => "no token of the legacy client since".to_owned(),
            1 => "one token of the legacy client since".to_owned(),
            several => format!("{several} tokens of the legacy client since"),
        };
        format!("{legacy}{refused}; {service}; {later}")
    }
}

/// When the directory dates its swap; none where it does not.
fn read_swapped_at(params: &StepParams) -> Result<Option<Timestamp>, Error> {
    let Some(text) = params.outputs.get("swapped_at").and_then(Value::as_str) else { return Ok(None) };
    let unreadable = |_| Error::new(ErrorKind::Protocol, format!("`swapped_at` is not an RFC 3339 time: {text}"));
    text.parse().map(Some).map_err(unreadable)
}

fn reply(state: Observed, detail: String) -> ObserveReply {
    ObserveReply { state, outputs: Values::new(), detail }
}
