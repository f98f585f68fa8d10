//! Read-only commands change neither the other sides nor flowswap's state, except for the record of a plan.

use std::{collections::BTreeSet, fs};

use flowswap_sim::{GATEWAY_HOST, SimConfig};

use crate::support::Lab;

#[test]
fn check_detect_and_plan_only_read() {
    let lab = Lab::new(SimConfig::default().tenants(12).record(true));
    let before = lab.sim.snapshot();
    for (args, code) in [
        (&["check"][..], 0),
        (&["detect"], 4),
        (&["plan"], 4),
        (&["plan", "-o", "plan.json"], 4),
        (&["show", "plan.json"], 0),
        (&["status"], 0),
        (&["apply", "plan.json"], 2),
    ] {
        lab.run(args).expect(code);
        assert_eq!(flowswap_sim::diff(&before, &lab.sim.snapshot()), Vec::<String>::new(), "{args:?}");
    }
    let methods: BTreeSet<(String, bool)> =
        lab.sim.traffic().into_iter().map(|exchange| (exchange.method, exchange.host == GATEWAY_HOST)).collect();
    assert_eq!(methods, BTreeSet::from([("GET".to_owned(), false), ("GET".to_owned(), true)]));
    for org in lab.sim.world().orgs {
        assert_eq!((org.requests.mutate, org.requests.authenticate), (0, 0), "{}", org.domain);
        assert!(org.requests.read > 0, "{}", org.domain);
    }
    assert!(!lab.path(".flowswap/secrets").exists());
}

#[test]
fn read_only_commands_write_nothing_except_the_plan_and_its_record() {
    let lab = Lab::with_tenants(2);
    let files = || -> BTreeSet<String> {
        let entries = [lab.dir().to_owned(), lab.path(".flowswap")].map(|dir| fs::read_dir(dir).unwrap());
        entries.into_iter().flatten().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    };
    let before = files();
    for args in [&["check"][..], &["detect"], &["plan"], &["status"]] {
        lab.run(args).expect(0);
        assert_eq!(files(), before, "{args:?}");
    }
    lab.plan().expect(0);
    let new: Vec<String> = files().difference(&before).cloned().collect();
    assert!(new.iter().all(|name| name == "plan.json" || name.starts_with("journal.")), "{new:?}");
}
