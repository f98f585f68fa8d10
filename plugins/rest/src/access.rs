//! Checks that the interface is reachable, permits reading, and shows what its description says. Writes nothing.

use flowswap_contract::{Error, Evidence, EvidenceResult, HttpAnswer};

use crate::{api::Api, detect, fields::Directory};

/// Finds and reads the directory.
pub(crate) async fn check(api: &Api<'_>) -> Vec<Evidence> {
    let id = match detect::find_id(api).await {
        Ok(id) => id,
        Err(error) => return vec![fail("find-directory", error)],
    };
    match detect::read(api, &id).await {
        Ok((shown, answer)) => check_fields(api, &shown, &answer),
        Err(error) => vec![fail("read-directory", error)],
    }
}

fn check_fields(api: &Api<'_>, shown: &Directory, answer: &HttpAnswer) -> Vec<Evidence> {
    let fields = &api.config.read.fields;
    let must_show = [("id", shown.id.is_some()), ("name", shown.name.is_some()), ("domain", shown.domain.is_some())];
    let missing = must_show.into_iter().find(|(_, is_shown)| !is_shown);
    let flow = shown.flow.unwrap_or_default();
    vec![match missing {
        Some((name, _)) => fail("read-directory", fields.missing(name)),
        None => {
            let detail = format!("{} uses the flow {flow}", shown.name.as_deref().unwrap_or_default());
            api.evidence("read-directory", EvidenceResult::Pass, detail, answer)
        }
    }]
}

fn fail(check: &str, error: Error) -> Evidence {
    let hint = error.hint.map(|hint| format!("; {hint}")).unwrap_or_default();
    let request_id = error.context.get("request_id").cloned();
    let detail = format!("{}{hint}", error.message);
    Evidence::new(check, EvidenceResult::Fail, detail).by_request(request_id)
}
