//! `flowswap schema`: lists the JSON documents that flowswap prints, or prints the JSON Schema of one.

use clap::ValueEnum;
use flowswap_engine::Plan;
use flowswap_report::{PlanDifference, PlanReport, WorkReport};
use schemars::Schema;

#[cfg(feature = "sandbox")]
use super::sim;
use super::{
    abandon, apply, approvals, audit, check, client_secrets, decline, desk, detect, evidence, explain, history, next,
    notify, plugins, recipients, rehearse, replay, resolve, run_report, sheet, show, status, stuck, watch,
};
use crate::{
    context::Context,
    display::{table, text::Text},
    documents::{DocumentName, OfTenants, describe},
    events::EventLine,
    exit::{Exit, Failure},
    failed::FailureReport,
};

pub(crate) fn run(context: &Context, name: Option<DocumentName>) -> Result<Exit, Failure> {
    let text = match name {
        Some(name) => Text::json(&of(name)).map_err(Failure::at("print the schema"))?,
        None => list(),
    };
    context.terminal.write_out(&text)?;
    Ok(Exit::Done)
}

fn list() -> Text {
    let rows =
        DocumentName::value_variants().iter().map(|name| [table::plain(name.word()), table::plain(name.about())]);
    table::render(["document", "what it is"], rows)
}

/// The schema of a document.
fn of(name: DocumentName) -> Schema {
    use DocumentName as N;
    match name {
        N::Check => describe::<check::Report>(),
        N::Detect => describe::<detect::Report>(),
        N::Plan => describe::<Plan>(),
        N::PlanPart => describe::<show::Part<'_>>(),
        N::PlanReport => describe::<PlanReport>(),
        N::Diff => describe::<PlanDifference>(),
        N::Approvals => describe::<approvals::Report>(),
        N::Run => describe::<run_report::Report>(),
        N::Waves => describe::<apply::Reports>(),
        N::Status => describe::<status::Report>(),
        N::Next => describe::<next::Report>(),
        N::Sheet => describe::<OfTenants<'_, sheet::Report<'_>>>(),
        N::Notify => describe::<notify::Report>(),
        N::Rehearse => describe::<OfTenants<'_, rehearse::Row>>(),
        N::Pause => describe::<desk::Steered>(),
        N::Cancel => describe::<desk::Doing>(),
        N::Decline => describe::<OfTenants<'_, decline::Report>>(),
        N::Watch => describe::<watch::Report>(),
        N::Evidence => describe::<OfTenants<'_, evidence::Report>>(),
        N::History => describe::<history::Report>(),
        N::Report => describe::<WorkReport>(),
        N::Stuck => describe::<stuck::Report>(),
        N::Resolve => describe::<OfTenants<'_, resolve::Report>>(),
        N::Abandon => describe::<abandon::Report>(),
        N::Audit => describe::<audit::Report>(),
        N::Recipients => describe::<recipients::Report>(),
        N::ClientSecrets => describe::<client_secrets::Report>(),
        N::Explain => describe::<explain::Report>(),
        N::Plugins => describe::<plugins::List>(),
        N::Plugin => describe::<plugins::Inspection>(),
        #[cfg(feature = "sandbox")]
        N::Conformance => describe::<flowswap_conformance::Report>(),
        N::Replay => describe::<replay::Replayed>(),
        #[cfg(feature = "sandbox")]
        N::World => describe::<sim::World>(),
        N::Event => describe::<EventLine<'_>>(),
        N::Error => describe::<FailureReport>(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    #[test]
    fn every_name_has_the_schema_of_its_own_document() {
        for name in DocumentName::value_variants() {
            let schema = of(*name);
            let title = schema.get("title").and_then(|title| title.as_str());
            assert_eq!(title, Some(&*format!("flowswap {}", name.word())));
        }
    }

    /// Nothing else explains the documents.
    #[test]
    fn every_member_has_a_description() {
        let names = DocumentName::value_variants().iter();
        let silent = names.flat_map(|name| find_silent(&name.word(), of(*name).as_value()));
        assert_eq!(silent.collect::<Vec<_>>(), Vec::<String>::new());
    }

    #[test]
    fn no_description_speaks_of_code() {
        for name in DocumentName::value_variants() {
            let text = of(*name).as_value().to_string();
            for code in ["[`", "](", "crates/", "::"] {
                assert!(!text.contains(code), "`{}` has `{code}`: {text}", name.word());
            }
        }
    }

    /// The members without a description, each with its place. The tag of an alternative needs none.
    fn find_silent(place: &str, schema: &Value) -> Vec<String> {
        let members = schema.get("properties").and_then(Value::as_object).into_iter().flatten();
        let silent = members.filter(|(_, member)| member.get("description").or(member.get("const")).is_none());
        let mut found: Vec<String> = silent.map(|(name, _)| format!("{place}/{name}")).collect();
        let below: Vec<(String, &Value)> = match schema {
            Value::Object(members) => members.iter().map(|(key, value)| (format!("{place}/{key}"), value)).collect(),
            Value::Array(items) => items.iter().map(|value| (place.to_owned(), value)).collect(),
            _ => Vec::new(),
        };
        found.extend(below.into_iter().flat_map(|(place, value)| find_silent(&place, value)));
        found
    }
}
