//! Reports for people who review and approve: one model, and a face for each reader. The model is built from a plan. A face
//! decides only how it looks, as JSON, Markdown, one HTML page, or JUnit.

mod change;
mod class;
mod diff;
mod difference;
mod face;
mod number;
mod own_words;
mod plan;
mod shape;
mod step;
mod tenant;
mod timeline;
mod unknown;

pub use change::{Change, Side};
pub use class::{Alike, Class, class_id};
pub use diff::{
    ChangedPlugin, ChangedTenants, DIFFERENCE_FORMAT, Moved, Outcome, OwnValues, PlanDifference, PlanHead,
    TenantOutcome, TenantsOfClass, ValueChange,
};
pub use face::{Face, FaceError, MARKS, Report};
pub use plan::{FindingLine, PlanReport, PluginLine, REPORT_FORMAT};
pub use step::{LedgerLine, Reach, StepLine};
pub use tenant::{TenantFinding, TenantLine};
pub use timeline::{Timeline, Week};
pub use unknown::Unknown;
