//! Reports for people who review, approve, and audit, and run sheets for operators. One model is built from a plan, one from the
//! records of the work that was done, and one from a run sheet. A face decides only how a model looks: as JSON, Markdown, one
//! HTML page, or JUnit.

mod cause;
mod change;
mod class;
mod diff;
mod difference;
mod face;
mod number;
mod own_words;
mod plan;
mod problem;
mod shape;
mod sheet;
mod step;
mod summary;
mod tenant;
mod timeline;
mod unknown;
mod wave;
mod work;

pub use cause::{Group, group};
pub use change::{Change, Side};
pub use class::{Alike, Class, class_id};
pub use diff::{
    ChangedPlugin, ChangedTenants, DIFFERENCE_FORMAT, Moved, Outcome, OwnValues, PlanDifference, PlanHead,
    TenantOutcome, TenantsOfClass, ValueChange,
};
pub use face::{Face, FaceError, Report, ReportKind, has_keys};
pub use number::number;
pub use plan::{FindingLine, PlanReport, PluginLine, REPORT_FORMAT, explain_finding};
pub use problem::{Problem, ProblemError, TroubledTenant};
pub use sheet::{Ending, Fact, Instruction, SHEET_MARKS, Sheet};
pub use step::{LedgerLine, Reach, StepLine, command_of};
pub use tenant::{TenantFinding, TenantLine};
pub use timeline::{Day, Timeline, Week};
pub use unknown::Unknown;
pub use wave::WaveLine;
pub use work::{
    ApprovalLine, Approved, Approver, Asked, Attempt, AttemptEnd, AttemptError, Attention, Durations, EndLine, Failure,
    Head, Planned, RefusalLine, RequestLine, RunEnd, RunLine, SecretEvent, SecretLine, Selection, Statement,
    StatementKind, WORK_REPORT_FORMAT, WorkReader, WorkReport, WorkedTenant,
};
