//! `flowswap audit export`: a signed folder from which an auditor verifies what happened without flowswap.

mod folder;
mod records;

use std::fs;

use flowswap_attest::{ExportPredicate, Predicate as _, Signed, Statement, Subject};
use flowswap_engine::{Clock, PlanFile};
use flowswap_report::{WorkedTenant, number};
use flowswap_store::{SqliteJournal, StateDir};

use super::anchor::read_signers;
use crate::{
    args::ExportArgs,
    context::{Context, SystemClock, cannot_read, read_logbook},
    display::{
        tenants,
        text::{Text, text},
    },
    exit::{Exit, Failure},
    selection, signing,
};
use folder::Folder;
use records::{Exported, Slice};

/// What is in the folder, and how to verify it.
const VERIFY: &str = include_str!("VERIFY.md");
/// What the statement about a tenant means.
const WORK_TYPE: &str = "https://github.com/flowswap/flowswap/work/v1";

pub(crate) async fn run(context: &Context, args: &ExportArgs) -> Result<Exit, Failure> {
    let config = context.load_config()?;
    let state = StateDir::at(&config.state);
    let mut folder = Folder::prepare(&args.output, state.root())?;
    if !state.journal().exists() {
        let failure = Failure::new(Exit::Usage, "there is no journal yet, so there is nothing to export");
        return Err(failure.hint("flowswap makes it with the first plan that it writes"));
    }
    let signers = read_signers(&config)?;
    let now = SystemClock.now();
    let key = signing::choose_key(&args.key, signers.as_ref(), ExportPredicate::NAMESPACE, now)?;
    let selected = selection::select(&config, &*read_logbook(&config).await?, &args.select)?;
    let journal = SqliteJournal::open_read_only(&state.journal()).map_err(cannot_read)?;
    let slice = Slice::find(&journal, &selected).await?;
    let named = slice.named.iter().cloned().collect();
    let exported = records::export(&journal, slice, &mut folder).await?;

    let (missing_plans, plans) = add_plans(&state, &exported, &mut folder)?;
    for (digest, envelope) in &exported.approvals {
        folder.add(&format!("approvals/{digest}.json"), envelope.as_bytes())?;
    }
    for tenant in &exported.work {
        folder.add(&statement_name(tenant), &statement(tenant)?)?;
    }
    if let Some(signers) = &signers {
        folder.add("allowed_signers", signers.text.as_bytes())?;
    }
    folder.add("VERIFY.md", VERIFY.as_bytes())?;

    let predicate = ExportPredicate {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        records: exported.records,
        last_hash: exported.last_hash,
        tenants: named,
        missing_plans,
        exported_at: now,
    };
    let envelope = signing::sign(context, &key, Statement::about(folder.subjects(), predicate).to_sign())?.render();
    let signers = signers.as_ref().map(|file| &file.signers);
    let signed = Signed::<ExportPredicate>::read(&envelope, signers, now).map_err(|error| {
        Failure::new(Exit::Refused, format!("your export would not count: {error}")).hint(signing::ANOTHER_KEY)
    })?;
    folder.finish(envelope.as_bytes())?;
    let predicate = &signed.statement.predicate;
    context.terminal.say(text!(
        "exported {} of {}, {}, and {} to {}, signed with the key {}",
        number(exported.told, "record", "records"),
        tenants(exported.work.len()),
        number(plans, "plan", "plans"),
        number(exported.approvals.len(), "approval", "approvals"),
        args.output.display(),
        signed.fingerprint
    ));
    let hashed = predicate.records.saturating_sub(exported.told as u64);
    if hashed > 0 {
        context.terminal.say(text!(
            "of the other {} records, the export has only the hashes: they are about other tenants, or have hashes of people",
            hashed
        ));
    }
    if !predicate.missing_plans.is_empty() {
        context.terminal.say(describe_missing(&predicate.missing_plans));
    }
    context.terminal.say(text!("verify it as {} says", args.output.join("VERIFY.md").display()));
    Ok(Exit::Done)
}

/// Adds the whole plans that the records name. Returns the digests of those that have no usable copy, and how many have one.
fn add_plans(state: &StateDir, exported: &Exported, folder: &mut Folder) -> Result<(Vec<String>, usize), Failure> {
    let mut missing = Vec::new();
    for digest in &exported.plans {
        let copy = fs::read_to_string(state.plan(digest)).ok().and_then(|text| PlanFile::read(text).ok());
        match copy.filter(|plan| plan.head().digest == *digest) {
            Some(plan) => folder.add(&format!("plans/{digest}.json"), plan.text().as_bytes())?,
            None => missing.push(digest.clone()),
        }
    }
    let found = exported.plans.len() - missing.len();
    Ok((missing, found))
}

/// What was done for a tenant, as a statement about its plan.
fn statement(tenant: &WorkedTenant) -> Result<Vec<u8>, Failure> {
    let plan = tenant.plan.iter().map(|digest| Subject::new(format!("plans/{digest}.json"), digest.clone()));
    let statement = Statement::of_type(WORK_TYPE, plan.collect(), tenant);
    let mut text = serde_json::to_vec_pretty(&statement).map_err(Failure::at("describe what was done"))?;
    text.push(b'\n');
    Ok(text)
}

/// The configuration allows no other characters in the name of a tenant, but the journal could be somebody else's.
fn statement_name(tenant: &WorkedTenant) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    let name: String = tenant.name.chars().map(|c| if is_plain(c) { c } else { '_' }).collect();
    format!("statements/{name}.json")
}

fn describe_missing(digests: &[String]) -> Text {
    text!(
        "there is no copy of {}, because an earlier version carried it out or somebody removed it: {}",
        number(digests.len(), "plan", "plans"),
        digests.join(", ")
    )
}
