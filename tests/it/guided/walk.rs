//! The walk-through of `guided.md`, command by command: three tenants, one with a wrong move, and one rolled back.

use flowswap_sim::SimTenant;

use super::{
    lab,
    person::{Form, reconnect, service_client},
};
use crate::{
    documents::{Session, documented},
    support::{Lab, Output, command, terminal::Terminal},
};

/// Runs commands in the folder of the fleet, as the documents show them.
struct Shell<'a> {
    lab: &'a Lab,
    sessions: Vec<Session>,
}

impl Shell<'_> {
    /// Runs a command as the documents show it. Adds `--yes`, because no person can answer its question here.
    #[track_caller]
    fn type_in(&self, line: &str, code: i32) -> Output {
        let mut args: Vec<&str> = line.split(' ').skip(1).collect();
        if ["apply", "rollback", "finalize"].contains(&args[0]) {
            args.push("--yes");
        }
        let output = self.lab.run(&args).expect(code);
        for session in &self.sessions {
            session.typed(line, &output);
        }
        output
    }

    /// Marks a documented line that the test carries out in another way.
    fn done(&self, line: &str) {
        for session in &self.sessions {
            session.done(line);
        }
    }

    #[track_caller]
    fn expect_state(&self, tenant: &str, state: &str) {
        assert!(self.lab.in_state(state).iter().any(|name| name == tenant), "{tenant}: {:?}", self.lab.states());
    }
}

#[test]
fn the_walk_through_of_the_documents() {
    let lab = lab(3);
    let sessions = vec![
        documented("guided-simulator"),
        documented("guided").whole(),
        documented("guided-output"),
        documented("guided-short"),
    ];
    let shell = Shell { lab: &lab, sessions };
    // The lab runs the simulator in the test's own process.
    shell.done("flowswap sim --tenants 3 --directory cie-guided --dir target/guided");
    shell.done("cd target/guided");
    let tenants = lab.sim.tenants();
    let [acme, globex, initech] = tenants.as_slice() else { panic!("three tenants") };
    let act = |tenant: &SimTenant, form: &Form| reconnect(&lab, tenant, &tenant.directory_id, form);

    shell.type_in("flowswap plan -o plan.json", 0);
    shell.type_in("flowswap apply plan.json", 4);
    assert!(shell.type_in("flowswap next", 0).stdout.contains("3 for any operator"));
    shell.type_in("flowswap sheet acme", 0);
    shell.type_in("flowswap sheet acme --as html -o acme.html", 0);
    // The secret is printed, because the machine may have no clipboard.
    let args = ["secret", "copy", "acme", "--print"];
    let (code, screen) = Terminal::start(command(lab.dir(), &args)).finish();
    assert_eq!((code, screen.trim()), (0, service_client(&lab, acme).1.as_str()));
    shell.done("flowswap secret copy acme");

    act(acme, &Form::right(&lab, acme));
    shell.type_in("flowswap confirm acme", 4);
    act(globex, &Form { name: "corporate".to_owned(), ..Form::right(&lab, globex) });
    let caught = shell.type_in("flowswap confirm globex", 3);
    assert!(caught.stdout.contains("directory-renamed"), "{}", caught.stdout);
    shell.type_in("flowswap explain directory-renamed", 0);
    act(globex, &Form::right(&lab, globex));
    act(initech, &Form::right(&lab, initech));
    shell.type_in("flowswap confirm initech", 4);
    assert!(shell.type_in("flowswap status", 0).stdout.contains("flowswap waits for two"));

    shell.type_in("flowswap sim advance --dir . 90m", 0);
    shell.type_in("flowswap apply plan.json", 4);
    for (tenant, state) in [("acme", "swapped"), ("initech", "swapped"), ("globex", "soaking")] {
        shell.expect_state(tenant, state);
    }
    // The tenant with application data also waits for that.
    shell.type_in("flowswap sim advance --dir . 3h", 0);
    shell.type_in("flowswap apply plan.json", 0);
    shell.expect_state("globex", "swapped");
    assert!(shell.type_in("flowswap evidence acme", 0).stdout.ends_with("still missing\n  nothing\n"));
    shell.type_in("flowswap finalize acme", 0);

    shell.type_in("flowswap rollback initech", 4);
    shell.type_in("flowswap sheet initech", 0);
    act(initech, &Form::back(&lab, initech));
    shell.type_in("flowswap sim advance --dir . 90m", 0);
    shell.type_in("flowswap confirm initech", 0);
    shell.expect_state("initech", "rolled-back");
}
