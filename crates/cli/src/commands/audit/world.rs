//! Compares both sides of every tenant with the journal by observing the steps now. Changes nothing.

use flowswap_config::Config;
use flowswap_contract::{ObserveReply, Observed};
use flowswap_engine::{Comparison, History, Recorded, compare};
use flowswap_host::chain;

use super::{Check, failed, passed};
use crate::{context::Context, exit::Failure, fleet::Fleet};

/// Checks that provider and directory agree with the journal.
pub(super) async fn verify(context: &Context, config: &Config, history: &History) -> Result<Vec<Check>, Failure> {
    let mut checks = Vec::new();
    let has_started = |name: &str| history.tenant(name).is_some_and(|tenant| tenant.work.is_some());
    // A tenant that was rolled back completely may be missing from the configuration.
    let is_known = |name: &str| has_started(name) || history.tenant(name).is_some_and(|tenant| tenant.former.is_some());
    let names: Vec<String> =
        config.tenants.iter().map(|tenant| tenant.name.clone()).filter(|name| is_known(name)).collect();
    for (name, _) in history.tenants().filter(|(name, _)| has_started(name) && !names.iter().any(|known| known == name))
    {
        let problem = "the configuration does not have this tenant, so flowswap cannot check it".to_owned();
        checks.push(failed("world", Some(name.to_owned()), problem));
    }
    if names.is_empty() {
        checks.push(passed("world", None, "no tenant has a step that is in place or was rolled back".to_owned()));
        return Ok(checks);
    }
    let progress = context.progress();
    let opened = async {
        let ports = context.read_only_ports(config, progress.clone()).await?;
        Fleet::open(context, config, &names, &ports).await
    };
    let mut fleet = match opened.await {
        Ok(fleet) => fleet,
        // Report the checks so far.
        Err(failure) => {
            checks.push(failed(
                "world",
                None,
                format!("flowswap cannot check the tenants: {}", chain(failure.error.as_ref())),
            ));
            return Ok(checks);
        }
    };
    let compared = fleet.each(config, &progress, |tenant| {
        let known = history.tenant(&tenant.spec.name).cloned();
        async move {
            let comparisons = match known {
                Some(known) => compare(&tenant, &known).await,
                None => Vec::new(),
            };
            (tenant.spec.name, comparisons)
        }
    });
    let compared = compared.await;
    context.fail_if_stopped()?;
    for (name, comparisons) in &compared {
        checks.extend(comparisons.iter().map(|comparison| to_check(name, comparison)));
    }
    Ok(checks)
}

fn to_check(tenant: &str, comparison: &Comparison) -> Check {
    let recorded = match comparison.recorded {
        Recorded::Done => "done",
        Recorded::RolledBack => "rolled back",
        Recorded::InDoubt => "in doubt",
    };
    let seen = match &comparison.seen {
        Ok(ObserveReply { state, detail, .. }) => format!("{}: {detail}", describe_observed(*state)),
        Err(error) => format!("flowswap cannot observe it: {error}"),
    };
    Check {
        check: "world",
        about: Some(format!("{tenant}/{}", comparison.step.id)),
        passed: comparison.agrees(),
        detail: format!("the journal says {recorded}; {seen}"),
        hint: None,
    }
}

fn describe_observed(state: Observed) -> &'static str {
    match state {
        Observed::Applied => "flowswap sees it in place",
        Observed::NotApplied => "flowswap does not see it in place",
        Observed::Partial => "flowswap sees it half in place",
        Observed::Unknown => "flowswap cannot tell",
    }
}
