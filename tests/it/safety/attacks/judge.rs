//! Finds out whether an attack was attempted, and what it achieved.

use std::collections::BTreeMap;

use flowswap_contract::{Ask, HttpAsk};
use flowswap_sim::Exchange;

use super::{End, PLACE, Place, Row};
use crate::{
    safety::{
        canary::{collect, may_carry},
        search::{Search, files_of_the_client, read_request},
    },
    support::Lab,
};

/// The shortest part of a secret that a plugin must not know.
const PART: usize = 10;

/// Runs commands, and keeps what they print.
pub(super) struct Judge<'a> {
    lab: &'a Lab,
    /// How many runs play the attacks.
    runs: usize,
    printed: Vec<(String, String)>,
}

impl<'a> Judge<'a> {
    pub(super) fn new(lab: &'a Lab, runs: usize) -> Self {
        Self { lab, runs, printed: Vec::new() }
    }

    /// Runs a command, and returns its report.
    #[track_caller]
    pub(super) fn run(&mut self, args: &[&str], code: i32) -> String {
        let output = self.lab.run(args).expect(code);
        self.printed.push((format!("stdout of {args:?}"), output.stdout.clone()));
        self.printed.push((format!("stderr of {args:?}"), output.stderr));
        output.stdout
    }

    /// Asserts that the attack was attempted, and ended as it must. `report` is what flowswap says about the tenant.
    pub(super) fn try_row(&self, row: &Row, at: &Place, report: &str) {
        let (asks, Row { what, .. }) = ((row.asks)(at), row);
        let case = format!("{what}, as the {} of {}", at.side, at.tenant);
        let (last, before) = asks.split_last().unwrap();
        let is_sent = !matches!(row.end, End::Refused(_));
        let sent: Vec<&HttpAsk> = before.iter().chain(is_sent.then_some(last)).filter_map(http).collect();
        for ask in asks.iter().filter_map(http) {
            let expected = sent.iter().filter(|sent| shown(sent) == shown(ask)).count();
            let seen = self.lab.sim.traffic().iter().filter(|exchange| is_of(exchange, at, ask)).count();
            assert_eq!(seen, self.runs * expected, "{case}: {}", shown(ask));
        }
        match row.end {
            End::Sent => {}
            End::Refused(words) => {
                let words = words.replace("{request}", &http(last).map(shown).unwrap_or_default());
                let words = words.replace("{secret}", &format!("the secret `{}`", at.secret()));
                let words = words.replace("{tenant}", &at.tenant).replace("{side}", &at.side.to_string());
                let words = words.replace("{other_side}", &at.other_side().to_string());
                assert!(report.contains(&words), "{case}: `{words}` is missing: {report}");
            }
            End::Got(words) => {
                let told = self.told();
                assert!(told.values().any(|told| told.contains(words)), "{case}: `{words}` is missing: {told:#?}");
            }
        }
    }

    /// Asserts that no secret is anywhere but in the requests to its own side, and that the plugin knows no part of one.
    pub(super) fn find_secrets(&self) {
        let told = self.told();
        assert!(!told.is_empty(), "the rogue told nothing");
        let search = Search::new(collect(self.lab));
        let mut leaks = search.leaks(&self.printed);
        leaks.extend(search.leaks(&files_of_the_client(self.lab.dir())));
        for canary in &search.canaries {
            let parts: Vec<_> = canary.value.as_bytes().windows(PART).collect();
            let knows = |told: &str| told.as_bytes().windows(PART).any(|window| parts.contains(&window));
            let knowing = told.iter().filter(|(_, told)| knows(told));
            leaks.extend(knowing.map(|(who, _)| format!("{} is known: {who}", canary.what)));
        }
        for exchange in self.lab.sim.traffic() {
            let mut without = exchange.clone();
            without.request_headers.retain(|(name, _)| name != "authorization");
            let without = search.find(read_request(&without));
            let is_misplaced = |what: &str| without.iter().any(|canary| canary.what == what);
            let is_in_place = exchange.path_and_query.starts_with(&format!("/{PLACE}/"));
            for canary in search.find(read_request(&exchange)) {
                let is_configured = ["admin", "gateway"].contains(&canary.kind());
                if !may_carry(canary, &exchange) && !is_in_place || is_configured && is_misplaced(&canary.what) {
                    leaks.push(format!("{} is in {} {}", canary.what, exchange.method, exchange.path_and_query));
                }
            }
        }
        assert!(leaks.is_empty(), "{leaks:#?}");
    }

    /// What the rogue told, by who told it.
    fn told(&self) -> BTreeMap<String, String> {
        let mut told = BTreeMap::<_, String>::new();
        for line in self.printed.iter().flat_map(|(_, text)| text.lines()) {
            if let Some((who, hidden)) = line.split_once("the rogue got ") {
                told.entry(who.to_owned()).or_default().extend(hidden.chars().step_by(2));
            }
        }
        told
    }
}

/// Whether the exchange is this request of the rogue here. Other plugins use some of the same paths, in other steps.
fn is_of(exchange: &Exchange, at: &Place, ask: &HttpAsk) -> bool {
    let agent = exchange.request_headers.iter().find(|(name, _)| name == "user-agent").map(|(_, agent)| agent.as_str());
    let path = exchange.path_and_query.split('?').next().unwrap_or_default();
    format!("{} https://{}{path}", exchange.method, exchange.host) == shown(ask)
        && at.step.is_none_or(|step| agent.is_some_and(|agent| agent.contains(step)))
}

fn http(ask: &Ask) -> Option<&HttpAsk> {
    match ask {
        Ask::Http(ask) => Some(ask),
        _ => None,
    }
}

/// The request as flowswap names it in a refusal.
fn shown(ask: &HttpAsk) -> String {
    format!("{} {}", ask.method, ask.url.split('?').next().unwrap_or_default())
}
