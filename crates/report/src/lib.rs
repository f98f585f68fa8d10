//! Reports for people who review and approve: one model, and a face for each reader. The model is built from a plan. A face
//! decides only how it looks, as JSON, Markdown, one HTML page, or JUnit.

mod class;
mod difference;
mod face;
mod own_words;
mod plan;
mod tenant;
mod timeline;
mod unknown;

pub use class::{Change, Class, LedgerLine, Side, StepLine, class_id};
pub use face::{Face, FaceError, MARKS};
pub use plan::{FindingLine, PlanReport, PluginLine, REPORT_FORMAT};
pub use tenant::{TenantFinding, TenantLine};
pub use timeline::{Timeline, Week};
pub use unknown::Unknown;
