//! The walk-through of the README, command by command: three tenants, one of them with a wrong move, one taken back.

use std::{cell::RefCell, fs};

use flowswap_sim::SimTenant;

use super::{
    lab,
    person::{Form, reconnect, service_client},
};
use crate::support::{Lab, Output, command, repository, terminal::Terminal};

/// Types commands in the folder of the fleet, and remembers them as the README has them.
struct Shell<'a> {
    lab: &'a Lab,
    typed: RefCell<Vec<String>>,
}

impl Shell<'_> {
    /// A command as the README has it; who runs it without a person answers its questions.
    #[track_caller]
    fn type_in(&self, line: &str, code: i32) -> Output {
        self.typed.borrow_mut().push(line.to_owned());
        let mut args: Vec<&str> = line.split(' ').skip(1).collect();
        if ["apply", "rollback", "finalize"].contains(&args[0]) {
            args.push("--yes");
        }
        self.lab.run(&args).expect(code)
    }

    #[track_caller]
    fn expect_state(&self, tenant: &str, state: &str) {
        assert!(self.lab.in_state(state).iter().any(|name| name == tenant), "{tenant}: {:?}", self.lab.states());
    }
}

#[test]
fn the_walk_through_of_the_readme() {
    let lab = lab(3);
    let shell = Shell { lab: &lab, typed: RefCell::default() };
    let tenants = lab.sim.tenants();
    let [acme, globex, initech] = tenants.as_slice() else { panic!("three tenants") };
    let act = |tenant: &SimTenant, form: &Form| reconnect(&lab, tenant, &tenant.directory_id, form);

    shell.type_in("flowswap plan -o plan.json", 0);
    shell.type_in("flowswap apply plan.json", 4);
    assert!(shell.type_in("flowswap next", 0).stdout.contains("3 for anybody"));
    shell.type_in("flowswap sheet acme", 0);
    shell.type_in("flowswap sheet acme --as html -o acme.html", 0);
    // On a machine without a clipboard it is printed.
    let args = ["secret", "copy", "acme", "--print"];
    let (code, screen) = Terminal::start(command(lab.dir(), &args)).finish();
    assert_eq!((code, screen.trim()), (0, service_client(&lab, acme).1.as_str()));
    shell.typed.borrow_mut().push("flowswap secret copy acme".to_owned());

    act(acme, &Form::right(&lab, acme));
    shell.type_in("flowswap confirm acme", 4);
    act(globex, &Form { name: "corporate".to_owned(), ..Form::right(&lab, globex) });
    let caught = shell.type_in("flowswap confirm globex", 3);
    assert!(caught.stdout.contains("directory-renamed"), "{}", caught.stdout);
    shell.type_in("flowswap explain directory-renamed", 0);
    act(globex, &Form::right(&lab, globex));
    act(initech, &Form::right(&lab, initech));
    shell.type_in("flowswap confirm initech", 4);
    assert!(shell.type_in("flowswap status", 0).stdout.contains("two are wanted"));

    shell.type_in("flowswap sim advance --dir . 90m", 0);
    shell.type_in("flowswap apply plan.json", 4);
    for (tenant, state) in [("acme", "swapped"), ("initech", "swapped"), ("globex", "soaking")] {
        shell.expect_state(tenant, state);
    }
    // The one with application data waits for that, too.
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

    let typed = shell.typed.into_inner();
    let told = commands_of_the_readme();
    assert_eq!(typed, told, "the README says something else, or in another order");
}

/// What the README says to type in the walk-through.
fn commands_of_the_readme() -> Vec<String> {
    let readme = fs::read_to_string(repository().join("README.md")).unwrap();
    let block = readme.split("cd /tmp/guided\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    let lines = block.lines().map(|line| line.split('#').next().unwrap().trim().to_owned());
    lines.filter(|line| !line.is_empty()).collect()
}
