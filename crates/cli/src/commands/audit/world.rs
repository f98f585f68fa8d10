//! Both sides of every tenant, as the steps that stand are observed now. Changes nothing.

use flowswap_contract::{ObserveReply, Observed};
use flowswap_engine::{Comparison, History, Said, compare};
use flowswap_host::chain;

use super::{Check, failed, passed};
use crate::{config::Config, context::Context, exit::Failure, fleet::Fleet};

/// Provider and directory are as the journal says.
pub(super) async fn verify(context: &Context, config: &Config, history: &History) -> Result<Vec<Check>, Failure> {
    let mut checks = Vec::new();
    let is_begun = |name: &str| history.tenant(name).is_some_and(|tenant| tenant.work.is_some());
    // What was taken back whole may also be gone from the configuration.
    let is_known = |name: &str| is_begun(name) || history.tenant(name).is_some_and(|tenant| tenant.former.is_some());
    let names: Vec<String> =
        config.tenants.iter().map(|tenant| tenant.name.clone()).filter(|name| is_known(name)).collect();
    for (name, _) in history.tenants().filter(|(name, _)| is_begun(name) && !names.iter().any(|known| known == name)) {
        let problem = "the configuration does not have it, so it cannot be looked at".to_owned();
        checks.push(failed("world", Some(name.to_owned()), problem));
    }
    if names.is_empty() {
        checks.push(passed("world", None, "no tenant has a step that stands, or that was taken back".to_owned()));
        return Ok(checks);
    }
    let progress = context.progress();
    let opened = async {
        let ports = context.looking_ports(config, progress.clone())?;
        Fleet::open(context, config, &names, &ports).await
    };
    let fleet = match opened.await {
        Ok(fleet) => fleet,
        // What was found so far is worth telling.
        Err(failure) => {
            checks.push(failed("world", None, format!("could not be looked at: {}", chain(failure.error.as_ref()))));
            return Ok(checks);
        }
    };
    let compared = fleet.each(config, &progress, |tenant| async {
        let comparisons = match history.tenant(&tenant.spec.name) {
            Some(known) => compare(&tenant, known).await,
            None => Vec::new(),
        };
        (tenant.spec.name, comparisons)
    });
    let compared = compared.await;
    context.heed_stop()?;
    for (name, comparisons) in &compared {
        checks.extend(comparisons.iter().map(|comparison| judge(name, comparison)));
    }
    Ok(checks)
}

fn judge(tenant: &str, comparison: &Comparison) -> Check {
    let said = match comparison.said {
        Said::Done => "done",
        Said::TakenBack => "taken back",
        Said::InDoubt => "in doubt",
    };
    let seen = match &comparison.seen {
        Ok(ObserveReply { state, detail, .. }) => format!("{}: {detail}", seen_as(*state)),
        Err(error) => format!("could not be seen: {error}"),
    };
    Check {
        check: "world",
        about: Some(format!("{tenant}/{}", comparison.step.id)),
        passed: comparison.agrees(),
        detail: format!("{said} by the journal, {seen}"),
    }
}

fn seen_as(state: Observed) -> &'static str {
    match state {
        Observed::Applied => "seen in place",
        Observed::NotApplied => "seen not in place",
        Observed::Partial => "seen half in place",
        Observed::Unknown => "cannot be told",
    }
}
