//! `flowswap approvals`: shows who approved a plan, which approvals do not count, and what is missing.

use flowswap_engine::short;
use schemars::JsonSchema;
use serde::Serialize;

use super::plan;
use crate::{
    approvals::{Approvals, signed},
    args::PlanFile,
    context::Context,
    display::{
        table,
        text::{Text, text},
    },
    documents::{Document, DocumentName},
    exit::{Exit, Failure},
    terminal::{Tone, paint},
};

#[derive(Serialize, JsonSchema)]
pub(super) struct Report {
    /// How many different people must approve each class; 0 if nobody must.
    required: usize,
    /// The digest of what the configuration means for the plan. An approval counts only if it names the same.
    configuration: Option<String>,
    /// The classes of the plan that have steps.
    classes: Vec<ClassRow>,
    /// The signatures beside the plan.
    files: Vec<FileRow>,
}

impl Document for Report {
    const NAME: DocumentName = DocumentName::Approvals;
}

/// A class with steps.
#[derive(Serialize, JsonSchema)]
struct ClassRow {
    /// The id of the class.
    id: String,
    /// How many tenants it has.
    tenants: usize,
    /// How many different people approved it.
    approvals: usize,
    /// Whether enough people approved it.
    is_approved: bool,
    /// Who did.
    by: Vec<String>,
}

/// A signature of a file beside the plan.
#[derive(Serialize, JsonSchema)]
struct FileRow {
    /// The name of the file.
    file: String,
    /// Who signed; `None` if it does not count.
    by: Option<String>,
    /// The fingerprint of the key.
    key: Option<String>,
    /// The reason that the person signed.
    reason: Option<String>,
    /// Why it does not count.
    refused: Option<String>,
}

pub(crate) fn run(context: &Context, args: &PlanFile) -> Result<Exit, Failure> {
    let config = context.load_config()?;
    let plan = plan::read(&args.plan)?;
    let approvals = Approvals::read(&config, &args.plan, &plan)?;
    let report = approvals
        .as_ref()
        .map_or(Report { required: 0, configuration: None, classes: Vec::new(), files: Vec::new() }, report);
    context.terminal.report(&report, || text(&report))?;
    let is_complete = report.classes.iter().all(|class| class.is_approved);
    Ok(if is_complete { Exit::Done } else { Exit::NeedsPerson })
}

fn report(approvals: &Approvals) -> Report {
    let required = approvals.requirement.people;
    let class = |id: &String| {
        let mut by: Vec<String> = approvals.of_class(id).map(|approval| signed(approval).who()).collect();
        by.sort();
        by.dedup();
        let count = approvals.count(id);
        let tenants = approvals.requirement.count_tenants(id);
        ClassRow { id: id.clone(), tenants, approvals: count, is_approved: count >= required, by }
    };
    let files = approvals.files.iter().flat_map(|file| {
        file.judged.iter().map(|judged| {
            let file = file.path.display().to_string();
            match judged {
                Ok(approval) => FileRow {
                    file,
                    by: Some(signed(approval).who()),
                    key: Some(approval.signer.fingerprint.clone()),
                    reason: Some(approval.predicate.reason.clone()),
                    refused: None,
                },
                Err(why) => FileRow { file, by: None, key: None, reason: None, refused: Some(why.clone()) },
            }
        })
    });
    Report {
        required,
        configuration: Some(approvals.requirement.expected.configuration.clone()),
        classes: approvals.requirement.expected.classes.iter().map(class).collect(),
        files: files.collect(),
    }
}

fn text(report: &Report) -> Text {
    if report.required == 0 {
        return text!("the configuration asks for no approvals\n");
    }
    let rows = report.classes.iter().map(|class| {
        let tone = if class.is_approved { Tone::Good } else { Tone::Care };
        [
            table::plain(short(&class.id)),
            table::plain(class.tenants),
            table::toned(tone, format!("{} of {}", class.approvals, report.required)),
            table::plain(class.by.join(", ")),
        ]
    });
    let mut text = table::render(["class", "tenants", "approvals", "by"], rows);
    for FileRow { file, by, key, reason, refused } in &report.files {
        text += match refused {
            None => text!(
                "\n{}: {} ({})\n  {}",
                file,
                by.as_deref().unwrap_or_default(),
                key.as_deref().unwrap_or_default(),
                reason.as_deref().unwrap_or_default()
            ),
            Some(why) => text!("\n{}: {}\n  {}", file, paint(Tone::Bad, "does not count"), why),
        };
    }
    if !report.files.is_empty() {
        text += "\n";
    }
    let configuration = report.configuration.as_deref().map(short).unwrap_or_default();
    text + text!("\nconfiguration: {}\n", configuration)
}
