//! The output of a row as a person reads it, for the snapshot: the result and the errors, without the parts that vary.

use std::fmt::Write;

use flowswap_sim::SimTenant;

use super::row::Row;
use crate::support::{Lab, Output};

/// The parts that vary from run to run or from tenant to tenant.
pub(super) const VARYING: [(&str, &str); 10] = [
    (r"made by [^,]+,", "made by <user>,"),
    (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", "<time>"),
    (r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\+00:00 \((in [^)]+|[^)]+ ago|just now)\)", "<time>"),
    (r"\d{4}-\d\d-\d\d \d\d:\d\d( UTC)?", "<time>"),
    // Before the ids, because a digest can begin like one.
    (r"\b[0-9a-f]{64}\b", "<digest>"),
    (r"\b(0o|00|oae|evt|req|dir|ocs)[A-Za-z0-9]{14,}\b", "<id>"),
    (r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "<id>"),
    (r"\b[0-9a-f]{12}\b", "<digest>"),
    (r"(is|are) (\d+ ?[a-z]+ )+(ahead of|ahead|behind|apart)", "$1 <so much> $3"),
    (r"127\.0\.0\.1:\d+", "127.0.0.1:<port>"),
];

pub(super) fn render(lab: &Lab, tenant: &SimTenant, row: &Row, output: &Output) -> String {
    let mut page = format!("== {} ({})\n", row.name, row.why);
    let _ = writeln!(page, "$ flowswap {} -> {}", row.args.join(" "), output.code);
    let is_told = |line: &&str| !line.is_empty() && !line.starts_with("TENANT ");
    let is_error = |line: &&str| ["error", "  caused by", "hint", "warning"].iter().any(|word| line.starts_with(word));
    for line in output.stdout.lines().filter(is_told).chain(output.stderr.lines().filter(is_error)) {
        let _ = writeln!(page, "{}", line.split_whitespace().collect::<Vec<_>>().join(" "));
    }
    let page = page.replace(&tenant.name, "{tenant}").replace(&*lab.dir().to_string_lossy(), "<folder>");
    let config = std::fs::read_to_string(lab.path("migrate.toml")).unwrap();
    // The line of a tenant depends on which one the row got.
    let lines = 1..=config.lines().count();
    let page = lines.fold(page, |page, line| page.replace(&format!("(migrate.toml:{line})"), "(migrate.toml:LINE)"));
    page.trim_end().to_owned()
}
