//! The JSON documents that flowswap prints. Every one has a name, a format, and a schema, and this is the only way to print
//! one. So a script can rely on each, and `flowswap schema` describes it.

use clap::ValueEnum;
use flowswap_engine::Plan;
use flowswap_report::{PlanDifference, PlanReport, WorkReport};
use schemars::{JsonSchema, Schema, generate::SchemaSettings, transform::RecursiveTransform};
use serde::{Serialize, Serializer};
use serde_json::{Value, json};

use crate::display::text::Text;

/// The format of the documents. It changes if a member is removed, or if its meaning changes.
const FORMAT: u32 = 1;

/// The names of all documents, with what each one is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum DocumentName {
    /// What `flowswap check` checked, and with what result.
    Check,
    /// The flow, the verdict, and the findings of each tenant, from `flowswap detect`.
    Detect,
    /// A plan, as `flowswap plan` and `flowswap show` print it. It has the format of plan files.
    Plan,
    /// Some tenants of a plan, from `flowswap show PLAN TENANT`.
    PlanPart,
    /// What a reviewer reads of a plan, from `flowswap show --as json` and from `--report`.
    PlanReport,
    /// What differs between two plans, from `flowswap diff`.
    Diff,
    /// Who approved a plan, from `flowswap approvals`.
    Approvals,
    /// How a run ended for each tenant, from `apply`, `resume`, `rollback`, `finalize`, and `confirm`.
    Run,
    /// The runs of a plan with waves, from `flowswap apply`.
    Waves,
    /// How far rehearsals are, from `flowswap rehearse`.
    Rehearse,
    /// Whether the command at work is paused, from `flowswap pause` and `flowswap unpause`.
    Pause,
    /// The command that was at work, from `flowswap cancel`.
    Cancel,
    /// The state of each tenant, from `flowswap status`.
    Status,
    /// The tenants that wait for a person, from `flowswap next`.
    Next,
    /// The run sheets of tenants, from `flowswap sheet`.
    Sheet,
    /// The run sheets that `flowswap decline` declined.
    Decline,
    /// The last state of each tenant that `flowswap watch` watched.
    Watch,
    /// Whether people were told what happened, from `flowswap notify`.
    Notify,
    /// What each step of a tenant proved, from `flowswap evidence`.
    Evidence,
    /// Everything that was done for tenants, from `flowswap history`.
    History,
    /// What was done, for an auditor, from `flowswap report`.
    Report,
    /// The tenants that need a decision, from `flowswap stuck`.
    Stuck,
    /// The decisions that `flowswap resolve` recorded.
    Resolve,
    /// The rollbacks that `flowswap rollback --abandon` ended.
    Abandon,
    /// Whether the journal and the secret store are intact, from `flowswap audit verify`.
    Audit,
    /// Who can open the stored secrets, from `flowswap secret recipients`.
    Recipients,
    /// The client secrets of the integrations, from `flowswap secret list`.
    ClientSecrets,
    /// What findings mean, from `flowswap explain`.
    Explain,
    /// The plugins that flowswap finds, from `flowswap plugins list`.
    Plugins,
    /// What a plugin says about itself, from `flowswap plugins inspect`.
    Plugin,
    /// Whether a plugin keeps the contract, from `flowswap plugins conformance`.
    #[cfg(feature = "sandbox")]
    Conformance,
    /// What differs between a recording and its replay, from `flowswap replay`.
    Replay,
    /// The state of a running simulator, from `flowswap sim world`.
    #[cfg(feature = "sandbox")]
    World,
    /// One line of `--format jsonl`. The last line is the report.
    Event,
    /// Why a command failed: the last line of stderr with `--format json` and `--format jsonl`.
    Error,
}

impl DocumentName {
    /// The name, as a person passes it to `flowswap schema`.
    pub(crate) fn word(self) -> String {
        self.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
    }

    /// What the document is, in one line.
    pub(crate) fn about(self) -> String {
        let value = self.to_possible_value();
        value.and_then(|value| value.get_help().map(ToString::to_string)).unwrap_or_default()
    }
}

/// A value that is a document.
pub(crate) trait Document: Serialize + JsonSchema {
    /// Its name.
    const NAME: DocumentName;
    /// Whether the value itself has a member `format`, because it also stands in files.
    const HAS_FORMAT: bool = false;
}

impl Document for Plan {
    const NAME: DocumentName = DocumentName::Plan;
    const HAS_FORMAT: bool = true;
}

impl Document for PlanReport {
    const NAME: DocumentName = DocumentName::PlanReport;
    const HAS_FORMAT: bool = true;
}

impl Document for PlanDifference {
    const NAME: DocumentName = DocumentName::Diff;
    const HAS_FORMAT: bool = true;
}

impl Document for WorkReport {
    const NAME: DocumentName = DocumentName::Report;
    const HAS_FORMAT: bool = true;
}

/// A report about selected tenants, each with an object of its own.
#[derive(Serialize, JsonSchema)]
#[serde(untagged)]
pub(crate) enum OfTenants<'a, T> {
    /// If you pass just the name of one tenant.
    One(&'a T),
    /// If you pass anything else, such as two names or `--label`.
    Several {
        /// The tenants.
        tenants: &'a [T],
    },
}

impl<'a, T> OfTenants<'a, T> {
    /// About these tenants.
    pub(crate) fn new(is_one_name: bool, tenants: &'a [T]) -> Self {
        match tenants {
            [one] if is_one_name => Self::One(one),
            tenants => Self::Several { tenants },
        }
    }
}

/// A document whose value has no format.
#[derive(Serialize)]
struct WithFormat<'a, D> {
    format: u32,
    #[serde(flatten)]
    document: &'a D,
}

/// The document as JSON.
pub(crate) fn print(document: &impl Document) -> Result<Text, serde_json::Error> {
    Text::json(&Formatted(document))
}

/// The document as one line of JSON.
pub(crate) fn print_line(document: &impl Document) -> Result<Text, serde_json::Error> {
    Text::json_line(&Formatted(document))
}

/// A document with its format.
pub(crate) struct Formatted<'a, D>(pub(crate) &'a D);

impl<D: Document> Serialize for Formatted<'_, D> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let document = self.0;
        if D::HAS_FORMAT {
            document.serialize(serializer)
        } else {
            WithFormat { format: FORMAT, document }.serialize(serializer)
        }
    }
}

/// The JSON Schema of a document.
pub(crate) fn describe<D: Document>() -> Schema {
    let settings = SchemaSettings::draft2020_12().for_serialize().with_transform(RecursiveTransform(say_plainly));
    let mut schema = settings.into_generator().into_root_schema_for::<D>();
    schema.insert("title".to_owned(), format!("flowswap {}", D::NAME.word()).into());
    schema.insert("description".to_owned(), D::NAME.about().into());
    if !D::HAS_FORMAT {
        require_format(&mut schema);
    }
    schema
}

/// Descriptions are comments of the code. Makes one line of each, with the words of JSON.
fn say_plainly(schema: &mut Schema) {
    if let Some(Value::String(description)) = schema.get_mut("description") {
        let line = description.split_whitespace().collect::<Vec<_>>().join(" ");
        *description = line.replace("`None`", "`null`");
    }
}

/// Adds the member that [`WithFormat`] adds.
fn require_format(schema: &mut Schema) {
    let description = "The format of the document. Later versions of the same format may add members.";
    let format = json!({ "const": FORMAT, "description": description });
    let mut list = |key: &str, empty: Value| schema.ensure_object().entry(key).or_insert(empty).take();
    let (mut properties, mut required) = (list("properties", json!({})), list("required", json!([])));
    if let (Some(properties), Some(required)) = (properties.as_object_mut(), required.as_array_mut()) {
        properties.insert("format".to_owned(), format);
        required.insert(0, "format".into());
    }
    schema.insert("properties".to_owned(), properties);
    schema.insert("required".to_owned(), required);
}
