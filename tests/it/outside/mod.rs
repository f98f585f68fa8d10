//! A table of unexpected answers from outside: what answers, what flowswap reports, how it ends, and what it leaves
//! unchanged.
//!
//! Every row runs the binary over TLS against the simulator, and has its own tenant. Rows with the same starting stage
//! share a lab; a row that changes more than its tenant has its own lab.

mod answers;
mod clocks;
mod directory;
mod environment;
mod logs;
mod outage;
mod pages;
mod proxies;
mod reads;
mod refusals;
mod row;
mod severe;
mod tokens;
mod writes;

use std::{collections::BTreeMap, sync::Mutex, thread};

use row::{Row, play};

use crate::support::print;

/// The minimum number of rows in the table.
const LEAST: usize = 200;

/// How many rows share a lab: the largest fleet whose tenants are all alike.
const A_LAB: usize = 7;

/// How many labs run at once. A row spends most of its time waiting for retries.
const AT_ONCE: usize = 14;

fn table() -> Vec<Row> {
    [
        reads::rows(),
        refusals::rows(),
        tokens::rows(),
        writes::rows(),
        logs::rows(),
        directory::rows(),
        clocks::rows(),
        environment::rows(),
    ]
    .concat()
}

#[test]
fn wrong_turns_of_the_outside() {
    let only = std::env::var("OUTSIDE_ROW").unwrap_or_default();
    let rows: Vec<Row> = table().into_iter().filter(|row| row.name.contains(&only)).collect();
    let count = rows.len();
    assert!(!only.is_empty() || count >= LEAST, "only {count} rows");
    let (sharing, own): (Vec<_>, Vec<_>) = rows.into_iter().partition(Row::shares_its_lab);
    let mut jobs: Vec<Vec<Row>> = own.into_iter().map(|row| vec![row]).collect();
    let mut groups = sharing;
    while let Some(stage) = groups.first().map(|row| row.stage) {
        let (group, rest): (Vec<_>, _) = groups.into_iter().partition(|row| row.stage == stage);
        groups = rest;
        // Neighboring rows are similar, so this spreads the slow ones over the labs.
        let labs = group.len().div_ceil(A_LAB);
        jobs.extend((0..labs).map(|lab| group.iter().skip(lab).step_by(labs).cloned().collect()));
    }
    let (jobs, played) = (Mutex::new(jobs), Mutex::new(BTreeMap::new()));
    thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                loop {
                    let Some(job) = jobs.lock().unwrap().pop() else { return };
                    let results = play(&job);
                    played.lock().unwrap().extend(results.into_iter().map(|result| (result.name, result)));
                }
            });
        }
    });
    let played = played.into_inner().unwrap();
    assert_eq!(played.len(), count, "two rows have one name");
    print(&format!("wrong turns: {count} rows"));
    let failed = played.values().filter(|row| !row.failures.is_empty());
    let failed: Vec<_> = failed.map(|row| format!("== {}\n{}", row.page, row.failures.join("\n"))).collect();
    assert!(failed.is_empty(), "{} of {count} rows:\n\n{}", failed.len(), failed.join("\n\n"));
    if only.is_empty() {
        let pages: Vec<_> = table().iter().map(|row| played[row.name].page.clone()).collect();
        insta::with_settings!({ filters => pages::VARYING }, { insta::assert_snapshot!(pages.join("\n\n")) });
    }
}
