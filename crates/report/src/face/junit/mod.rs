//! A report as JUnit XML, so that CI shows it as it shows tests. A tenant is a test.

mod difference;
mod plan;
mod work;

use super::{FaceError, Report};

pub(super) fn show(report: Report<'_>) -> Result<String, FaceError> {
    let junit = match report {
        Report::Plan(report) => plan::show(report),
        Report::Difference(report) => difference::show(report),
        Report::Work(report) => work::show(report),
    };
    Ok(junit.to_string()?)
}
