//! Whether the service account gets a token and sees the directory. Nothing is written.

use flowswap_contract::{Evidence, EvidenceResult};

use crate::{api::Api, config::Config, domains, refusal::as_evidence};

/// A token, the list, the directory in it. Users and groups are read by POST, which a dry run does not let through.
pub(crate) async fn check(api: &Api<'_>, config: &Config) -> Vec<Evidence> {
    let pass = |check: &str, detail: String| Evidence::new(check, EvidenceResult::Pass, detail);
    if let Err(error) = api.token().await {
        return vec![as_evidence("token", error)];
    }
    let mut evidence = vec![pass("token", format!("a token was issued for tenant service group {}", config.tsg_id))];
    let all = match domains::list(api).await {
        Ok(all) => all,
        Err(error) => {
            evidence.push(as_evidence("list-directories", error));
            return evidence;
        }
    };
    evidence.push(pass("list-directories", format!("there {}", domains::enumerate(&all))));
    evidence.push(match domains::find(&all, &config.directory) {
        Ok(directory) => pass(
            "find-directory",
            format!("{} is there; users and groups are first read for the baseline", directory.name),
        ),
        Err(error) => as_evidence("find-directory", error),
    });
    evidence
}
