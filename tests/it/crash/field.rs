//! Many tenants of one simulator, one for each test case. Each case has its own folder with configuration, plan, and
//! state, and runs the binary there on a disk that can kill it.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Command,
    sync::Mutex,
    time::Duration,
};

use flowswap_engine::Plan;
use flowswap_sim::{Scenario, SimTenant};
use serde_json::Value;
use tempfile::TempDir;

use super::each;
use crate::{
    faults::points::{Run, lose_the_creation, uniform},
    support::{
        Lab, Output, command,
        disk::{DiskFault, DiskPoint, Watch},
        finish,
    },
};

/// So many tenants of a simulator have names of their own. The others have names of the same length, so that their runs
/// write the same number of pages.
const OWN_NAMES: usize = 16;

/// Identical tenants with a plan.
pub(crate) struct Field {
    pub(crate) lab: Lab,
    /// The world before any change.
    pub(crate) before: Value,
    plan: Plan,
    /// The cases that are still available.
    cases: Mutex<Vec<Case>>,
}

/// One tenant and its folder.
pub(crate) struct Case {
    pub(crate) tenant: SimTenant,
    dir: TempDir,
}

impl Field {
    /// Creates cases and brings each to the state in which the run begins.
    pub(crate) fn new(run: Run, cases: usize) -> Self {
        // Reading a status triggers a sync, so that no confirmation has to wait.
        let lab = Lab::new(uniform(cases + OWN_NAMES).sync_interval(Duration::ZERO));
        lab.edit_config(|text| format!("{text}\n[run]\nconcurrency = 32\n"));
        let is_fit = |tenant: &SimTenant| tenant.scenario == Scenario::Ready && tenant.name.starts_with("tenant-");
        let ready = lab.sim.tenants().into_iter().filter(is_fit);
        let tenants: Vec<_> = ready.take(cases).collect();
        let names = tenants.iter().map(|tenant| tenant.name.as_str());
        let args: Vec<_> = ["plan", "-o", "plan.json", "-q"].into_iter().chain(names).collect();
        lab.run(&args).expect(0);
        let plan = Plan::read(&fs::read_to_string(lab.path("plan.json")).unwrap()).unwrap();
        let cases = tenants.into_iter().map(|tenant| Case { dir: crate::support::folder(), tenant }).collect();
        let field = Self { before: lab.sim.snapshot(), plan, cases: Mutex::default(), lab };
        field.prepare(run, &cases);
        Self { cases: Mutex::new(cases), ..field }
    }

    fn prepare(&self, run: Run, cases: &Vec<Case>) {
        let go = |run: Run| drop(each(cases, |case| case.run(run).expect(0)));
        for case in cases {
            self.furnish(case);
            if run == Run::Recovery {
                self.lab.sim.add_fault(lose_the_creation(&case.tenant));
            }
        }
        if matches!(run, Run::Back | Run::Retire | Run::Purge) {
            go(Run::Forward);
            self.lab.outlive_tokens();
        }
        if run == Run::Purge {
            go(Run::Retire);
        }
    }

    /// Takes an unused case.
    pub(crate) fn case(&self) -> Case {
        self.cases.lock().unwrap().pop().expect("there are enough cases")
    }

    /// Copies everything into the case's folder except the state, which the run creates.
    fn furnish(&self, case: &Case) {
        let root = case.root();
        fs::create_dir(case.dir.path().join("tmp")).unwrap();
        for folder in ["tokens", ".flowswap"] {
            fs::create_dir_all(root.join(folder)).unwrap();
            fs::set_permissions(root.join(folder), PermissionsExt::from_mode(0o700)).unwrap();
        }
        let token = format!("tokens/{}.token", case.tenant.name);
        for file in ["ca.pem", "gateway.token", ".flowswap/identity.txt", &token] {
            fs::copy(self.lab.path(file), root.join(file)).unwrap();
        }
        let all = fs::read_to_string(self.lab.path("migrate.toml")).unwrap();
        let (common, rest) = all.split_once("[[tenant]]").unwrap();
        let name = format!("name = \"{}\"\n", case.tenant.name);
        let own = rest.split("[[tenant]]").find(|table| table.contains(&name)).unwrap();
        let own = own.split("\n[").next().unwrap();
        fs::write(root.join("migrate.toml"), format!("{common}[[tenant]]{own}")).unwrap();
        let planned = self.plan.tenants.iter().filter(|planned| planned.name == case.tenant.name).cloned().collect();
        let plan =
            Plan::freeze(self.plan.created_at, self.plan.not_after, None, self.plan.plugins.clone(), planned).unwrap();
        plan.write(fs::File::create(root.join("plan.json")).unwrap()).unwrap();
    }
}

impl Case {
    /// The folder that the binary runs in.
    pub(crate) fn root(&self) -> PathBuf {
        self.dir.path().join("work")
    }

    pub(crate) fn state(&self) -> PathBuf {
        self.root().join(".flowswap")
    }

    /// The digest of its plan, which its state does not know: the plan was made with the state of the whole field.
    pub(crate) fn digest(&self) -> String {
        Plan::read(&fs::read_to_string(self.root().join("plan.json")).unwrap()).unwrap().digest
    }

    /// Runs the command without a fault.
    pub(crate) fn run(&self, run: Run) -> Output {
        finish(self.command(run))
    }

    /// Runs the command on the faulty disk.
    pub(crate) fn run_on_disk(&self, run: Run, strike: Option<&DiskFault>) -> (Output, Watch) {
        let mut command = self.command(run);
        // It also says which steps are done, which is checked against the journal.
        command.arg("-v");
        let watch = Watch::over(&mut command, &self.root(), self.dir.path(), strike);
        (finish(command), watch)
    }

    /// Kills the run at a point. Fails if the run ended in another way. Whether it was killed: checks that run side by side
    /// sometimes share a sync, so a run can have a point less than the run that was recorded. Then it ends by itself.
    pub(crate) fn kill(&self, run: Run, strike: &DiskFault) -> Result<bool, String> {
        let (output, watch) = self.run_on_disk(run, Some(strike));
        match (output.code, watch.struck()) {
            (-9, 1) => Ok(true),
            (0, 0) if !watch.points().contains(&strike.point) => Ok(false),
            (code, struck) => Err(format!("struck {struck} times, ended with {code}: {}", output.stderr)),
        }
    }

    /// Runs the same command again, which must succeed.
    pub(crate) fn heal(&self, run: Run) -> Result<(), String> {
        match self.run(run) {
            Output { code: 0, .. } => Ok(()),
            output => Err(format!("the same command ended with {}: {}{}", output.code, output.stdout, output.stderr)),
        }
    }

    /// The points of a run without faults.
    pub(crate) fn record(&self, run: Run) -> Vec<DiskPoint> {
        let (output, watch) = self.run_on_disk(run, None);
        output.expect(0);
        watch.points()
    }

    /// All files below the root, with `*` for the tenant's name, without SQLite's files beside the journal, which
    /// belong to the journal. Nobody is behind the socket of a killed run, and the next writer of the journal removes it.
    pub(crate) fn files(&self) -> Vec<String> {
        let root = self.root();
        let mut files = list(&root);
        let left = ["journal.sqlite-wal", "journal.sqlite-shm", "at-work.sock"];
        files.retain(|path| !left.iter().any(|name| path.ends_with(name)));
        files.sort();
        let relative = |path: &PathBuf| path.strip_prefix(&root).unwrap().display().to_string();
        let digest = self.digest();
        files.iter().map(|path| relative(path).replace(&self.tenant.name, "*").replace(&digest, "PLAN")).collect()
    }

    /// The command with its own folder for temporary files, because a killed run leaves copies of the plugins there.
    fn command(&self, run: Run) -> Command {
        let mut command = command(&self.root(), run.args());
        command.env("TMPDIR", self.dir.path().join("tmp"));
        if run.args().first() == Some(&"apply") {
            command.args(["--digest", &self.digest()]);
        }
        command
    }
}

fn list(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { list(&path) } else { vec![path] }).collect()
}
