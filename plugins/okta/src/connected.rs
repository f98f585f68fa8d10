//! Which client a directory really uses, for directories that show their connection. The directory may show another connection than the
//! one that runs, and somebody else may use the same client. So before flowswap deactivates or deletes a client, the System Log must
//! confirm that nobody uses it.

use flowswap_contract::{Error, ObserveReply, Observed, StepParams, Values};
use jiff::Timestamp;
use serde_json::Value;

use crate::{
    api::{Api, a_day_before, read_time},
    confirm::MAX_CLOCK_SKEW,
    system_log::Order,
    tokens::{Token, TokenLog, UNUSED_AFTER},
    witness::SwapPayload,
};

/// The connection check before a restore gets one token, and the first sync gets another.
const MIN_LEGACY_TOKENS: usize = 2;

/// Applied if only the service client is in use, not applied if only the legacy client is in use, otherwise unknown. Only the order of
/// the org's own events counts: a late log is late with all of them.
pub(crate) async fn observe(api: &Api<'_>, params: &StepParams) -> Result<ObserveReply, Error> {
    let payload: SwapPayload = params.payload()?;
    let service_id = params.input("client_id")?;
    let started = params.attempts.first().map_or(api.host.now(), |attempt| attempt.at.as_str());
    let since = a_day_before(started)?;
    let service = TokenLog::read(api, service_id, &since).await?.0;
    let legacy = TokenLog::read_known(api, payload.previous_client_id.as_deref(), &since, Order::NewestFirst).await?;
    let swapped_at = read_swapped_at(params)?;
    let logs = ClientLogs { since, service_id, service, legacy_id: payload.previous_client_id, legacy, swapped_at };
    let state = if logs.is_back() {
        Observed::NotApplied
    } else if logs.is_swapped() {
        Observed::Applied
    } else {
        Observed::Unknown
    };
    Ok(ObserveReply { state, outputs: Values::new(), detail: logs.describe() })
}

/// What the log shows about both clients.
struct ClientLogs<'a> {
    since: String,
    service_id: &'a str,
    service: TokenLog,
    legacy_id: Option<String>,
    legacy: TokenLog,
    swapped_at: Option<Timestamp>,
}

impl ClientLogs<'_> {
    /// Whether the directory is on the legacy client again. The legacy client must have received a token so long after the last request as
    /// the service client that nobody uses the service client any more. One token alone says little: a connection check gets one too.
    fn is_back(&self) -> bool {
        let Some(left_at) = self.left_at() else { return false };
        let works = self.legacy.requests().first().is_some_and(|last| last.is_granted());
        let back = self.granted_after(left_at);
        works && back.len() >= MIN_LEGACY_TOKENS && back[0].at >= left_at + UNUSED_AFTER
    }

    /// Whether the directory is on the service client and nobody uses the legacy client. If the log shows no token of the legacy client,
    /// there may be a hidden one from just before the swap.
    fn is_swapped(&self) -> bool {
        let service = self.service.granted.first().map(|token| token.at);
        let legacy = self.legacy.granted.first().map(|token| token.at).or(self.swapped_by());
        service.zip(legacy).is_some_and(|(service, legacy)| service >= legacy + UNUSED_AFTER)
    }

    /// The latest time at which the directory may have used the service client. `None` if the log shows no request as this client, not
    /// even the connection test's: such a log proves nothing.
    fn left_at(&self) -> Option<Timestamp> {
        let last = self.service.requests().first()?.at;
        Some(self.swapped_at.map_or(last, |swapped| last.max(swapped + MAX_CLOCK_SKEW)))
    }

    /// The latest time at which the swap may have happened.
    fn swapped_by(&self) -> Option<Timestamp> {
        let first = || self.service.requests().last().map(|token| token.at);
        self.swapped_at.map(|swapped| swapped + MAX_CLOCK_SKEW).or_else(first)
    }

    /// Tokens as the legacy client, newest first, without those of people who sign in.
    fn granted_after(&self, at: Timestamp) -> Vec<&Token> {
        let requests = self.legacy.requests().into_iter();
        requests.filter(|token| token.at > at && token.is_granted()).collect()
    }

    fn describe(&self) -> String {
        let id = self.service_id;
        let service = match self.service.requests().first() {
            Some(token) => {
                let until = token.unused_from();
                format!("service client {id}: last request at {token}, a token may be in use until {until}")
            }
            None => format!("service client {id}: no request except flowswap's own"),
        };
        let Some(id) = &self.legacy_id else { return format!("{service}; the previous client is unknown") };
        let refused = match self.legacy.refused_last() {
            Some(token) => format!(", refused at {token}: {}", token.reason()),
            None => String::new(),
        };
        let legacy = match self.legacy.granted.first() {
            None => format!("legacy client {id}: no token since {}", self.since),
            Some(token) => {
                let until = token.unused_from();
                format!("legacy client {id}: last token at {token}, may be in use until {until}")
            }
        };
        let later = match self.left_at().map_or(0, |at| self.granted_after(at).len()) {
            0 => "no token of the legacy client since then".to_owned(),
            1 => "one token of the legacy client since then".to_owned(),
            several => format!("{several} tokens of the legacy client since then"),
        };
        format!("{legacy}{refused}; {service}; {later}")
    }
}

/// The directory's time of the swap, if the directory states one.
fn read_swapped_at(params: &StepParams) -> Result<Option<Timestamp>, Error> {
    let text = params.outputs.get("swapped_at").and_then(Value::as_str);
    text.map(|text| read_time("swapped_at", text)).transpose()
}
