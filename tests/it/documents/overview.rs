//! How a run looks, as the README begins with it.

use flowswap_sim::SimConfig;

use super::{documented, words};
use crate::support::Lab;

#[test]
fn a_run_looks_as_the_readme_shows_it() {
    let lab = Lab::new(SimConfig::default().tenants(12).seed(1));
    // One tenant at a time, so that the order of the lines is the same in every run.
    lab.edit_config(|text| format!("{text}\n[run]\nconcurrency = 1\n"));
    let session = documented("overview");
    let run = |line: &str, code: i32| {
        let words = words(line);
        let mut args: Vec<&str> = words.iter().skip(1).map(String::as_str).collect();
        if ["apply", "rollback"].contains(&args[0]) {
            args.push("--yes");
        }
        session.typed(line, &lab.run(&args).expect(code));
    };
    run("flowswap detect", 4);
    run("flowswap plan -o plan.json", 4);
    run("flowswap show plan.json", 0);
    run("flowswap apply plan.json", 0);
    run("flowswap rollback acme", 4);
}
