//! The week with 300 tenants, as the README tells it.

use std::fs;

use super::{documented, words};
use crate::support::{Background, folder, repository, run_in};

#[test]
fn a_week_with_300_tenants_goes_as_the_readme_tells_it() {
    let dir = folder();
    let mut sim = Background::start(dir.path(), &["sim", "--tenants", "300", "--latency", "1ms", "--dir", "fleet"]);
    assert!(sim.first_line().starts_with("ready: 300 tenants on https://127.0.0.1:"));
    let fleet = dir.path().join("fleet");
    let config = fs::read_to_string(fleet.join("migrate.toml")).unwrap();
    fs::write(fleet.join("migrate.toml"), format!("{config}\n{}", waves())).unwrap();

    let session = documented("story").whole();
    let asks = ["apply", "rehearse", "rollback", "finalize"];
    for (step, code) in session.commands() {
        let words = words(&step);
        let mut args: Vec<&str> = words.iter().skip(1).map(String::as_str).collect();
        if asks.contains(&args[0]) {
            args.push("--yes");
        }
        session.typed(&step, &run_in(&fleet, &args).expect(code));
    }
}

/// What the README adds to the configuration.
fn waves() -> String {
    let readme = fs::read_to_string(repository().join("README.md")).unwrap();
    let blocks = readme.split("```toml\n").skip(1).filter_map(|rest| rest.split("```").next());
    let mut waves = blocks.filter(|block| block.contains("[[wave]]"));
    waves.next().expect("the README has a block with waves").to_owned()
}
