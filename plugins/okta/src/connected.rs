//! As which client a directory that shows its connection asks for tokens. What it shows need not be what runs, and somebody else may be
//! connected as the same client: before a client is deactivated or deleted, the System Log must bear out that nobody uses it.

use flowswap_contract::{Error, ObserveReply, Observed, StepParams, Values};
use jiff::Timestamp;
use serde_json::Value;

use crate::{
    api::{Api, a_day_before, read_time},
    confirm::CLOCKS_APART,
    read_payload,
    tokens::{Token, TokenLog, UNUSED},
    witness::SwapPayload,
};

/// The check of a connection before it is put back gets one token, and the first sync another.
const ENOUGH: usize = 2;

/// Applied where the service client is used, and the legacy client is not any more; not applied the other way round; unknown in
/// between. What is later is told by the order of the org's own events: a log that is late is late with all of them.
pub(crate) async fn observe(api: &Api<'_>, params: &StepParams) -> Result<ObserveReply, Error> {
    let payload: SwapPayload = read_payload(params)?;
    let service_id = params.input("client_id")?;
    let begun = params.attempts.first().map_or(api.host.now(), |attempt| attempt.at.as_str());
    let since = a_day_before(begun)?;
    let service = TokenLog::read(api, service_id, &since).await?.0;
    let legacy = TokenLog::read_known(api, payload.previous_client_id.as_deref(), &since).await?;
    let swapped_at = read_swapped_at(params)?;
    let sides = Sides { since, service_id, service, legacy_id: payload.previous_client_id, legacy, swapped_at };
    let state = if sides.is_back() {
        Observed::NotApplied
    } else if sides.is_over() {
        Observed::Applied
    } else {
        Observed::Unknown
    };
    Ok(ObserveReply { state, outputs: Values::new(), detail: sides.describe() })
}

/// What the log shows of both clients.
struct Sides<'a> {
    since: String,
    service_id: &'a str,
    service: TokenLog,
    legacy_id: Option<String>,
    legacy: TokenLog,
    swapped_at: Option<Timestamp>,
}

impl Sides<'_> {
    /// Whether the directory is on the legacy client again: that got a token so long after the last request as the service client that
    /// nobody uses the latter. One alone says little: the check of a connection gets one, too.
    fn is_back(&self) -> bool {
        let Some(left_at) = self.left_at() else { return false };
        let works = self.legacy.requests().first().is_some_and(|last| last.is_granted());
        let back = self.granted_after(left_at);
        works && back.len() >= ENOUGH && back[0].at >= left_at + UNUSED
    }

    /// Whether the directory is on the service client, and nobody uses the legacy client. Where no token of that is seen, one may be
    /// from just before the swap, and not be shown.
    fn is_over(&self) -> bool {
        let service = self.service.granted.first().map(|token| token.at);
        let legacy = self.legacy.granted.first().map(|token| token.at).or(self.swapped_by());
        service.zip(legacy).is_some_and(|(service, legacy)| service >= legacy + UNUSED)
    }

    /// When the directory was last on the service client, at the latest. A log that shows no request as it, not even the connection
    /// test's, says nothing by its silence.
    fn left_at(&self) -> Option<Timestamp> {
        let last = self.service.requests().first()?.at;
        Some(self.swapped_at.map_or(last, |swapped| last.max(swapped + CLOCKS_APART)))
    }

    /// When the swap was carried out, at the latest.
    fn swapped_by(&self) -> Option<Timestamp> {
        let first = || self.service.requests().last().map(|token| token.at);
        self.swapped_at.map(|swapped| swapped + CLOCKS_APART).or_else(first)
    }

    /// Tokens as the legacy client, newest first, but for those of persons who sign in.
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
                let until = token.unused_from();
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
    let text = params.outputs.get("swapped_at").and_then(Value::as_str);
    text.map(|text| read_time("swapped_at", text)).transpose()
}
