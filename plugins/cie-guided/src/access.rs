//! Checks that the service account gets a token and sees the directory. Writes nothing.

use flowswap_contract::{Evidence, EvidenceResult};

use crate::{api::Api, config::Config, domains, refusal::as_evidence};

/// Checks the token, the list of directories, and the directory in it. A dry run refuses POST, which reads users and groups.
pub(crate) async fn check(api: &Api<'_>, config: &Config) -> Vec<Evidence> {
    let pass = |check: &str, detail: String| Evidence::new(check, EvidenceResult::Pass, detail);
    if let Err(error) = api.token().await {
        return vec![as_evidence("token", error)];
    }
    let mut evidence =
        vec![pass("token", format!("the service account got a token for tenant service group {}", config.tsg_id))];
    let all = match domains::list(api).await {
        Ok(all) => all,
        Err(error) => {
            evidence.push(as_evidence("list-directories", error));
            return evidence;
        }
    };
    evidence.push(pass("list-directories", domains::enumerate(&all)));
    evidence.push(match domains::find(&all, &config.directory) {
        Ok(directory) => pass(
            "find-directory",
            format!("{} exists; the baseline will be the first to read its users and groups", directory.name),
        ),
        Err(error) => as_evidence("find-directory", error),
    });
    evidence
}
