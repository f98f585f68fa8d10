//! Many tenants of one simulator, each of which a case can have for itself: a folder with its own configuration, plan and
//! state, in which the binary is run on a disk that kills it.

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
        disk::{DiskPoint, Strike, Watch},
        finish,
    },
};

/// Tenants that are alike, and planned.
pub(crate) struct Field {
    pub(crate) lab: Lab,
    /// The world before anything was done.
    pub(crate) before: Value,
    plan: Plan,
    /// Those that nobody has taken.
    cases: Mutex<Vec<Case>>,
}

/// One tenant, and the folder that it is worked on in.
pub(crate) struct Case {
    pub(crate) tenant: SimTenant,
    dir: TempDir,
}

impl Field {
    /// So many cases, each brought to where the run begins.
    pub(crate) fn new(run: Run, cases: usize) -> Self {
        // Every look at a status makes a new sync, so that no confirmation has to be waited for.
        let lab = Lab::new(uniform(cases).sync_interval(Duration::ZERO));
        lab.edit_config(|text| format!("{text}\n[run]\nconcurrency = 32\n"));
        let ready = lab.sim.tenants().into_iter().filter(|tenant| tenant.scenario == Scenario::Ready);
        let tenants: Vec<_> = ready.take(cases).collect();
        let names = tenants.iter().map(|tenant| tenant.name.as_str());
        let args: Vec<_> = ["plan", "-o", "plan.json", "-q"].into_iter().chain(names).collect();
        lab.run(&args).expect(0);
        let plan = Plan::read(&fs::read_to_string(lab.path("plan.json")).unwrap()).unwrap();
        let cases = tenants.into_iter().map(|tenant| Case { dir: TempDir::new().unwrap(), tenant }).collect();
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

    /// A case that nobody else has.
    pub(crate) fn case(&self) -> Case {
        self.cases.lock().unwrap().pop().expect("the field has a case for everybody")
    }

    /// Everything but the state: what is in it comes from the run.
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
        let plan = Plan::freeze(self.plan.created_at, self.plan.not_after, self.plan.plugins.clone(), planned).unwrap();
        fs::write(root.join("plan.json"), plan.render().unwrap()).unwrap();
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

    /// Runs the command, and nothing happens to it.
    pub(crate) fn run(&self, run: Run) -> Output {
        finish(self.command(run))
    }

    /// Runs the command on the failing disk.
    pub(crate) fn run_on_disk(&self, run: Run, strike: Option<&Strike>) -> (Output, Watch) {
        let mut command = self.command(run);
        let watch = Watch::over(&mut command, &self.root(), self.dir.path(), strike);
        (finish(command), watch)
    }

    /// Kills the run at a point. A run that ended otherwise, or was never there, is a problem.
    pub(crate) fn kill(&self, run: Run, strike: &Strike) -> Result<(), String> {
        let (output, watch) = self.run_on_disk(run, Some(strike));
        match (output.code, watch.struck()) {
            (-9, 1) => Ok(()),
            (code, struck) => Err(format!("struck {struck} times, ended with {code}: {}", output.stderr)),
        }
    }

    /// Runs the command once more; it is to end well.
    pub(crate) fn heal(&self, run: Run) -> Result<(), String> {
        match self.run(run) {
            Output { code: 0, .. } => Ok(()),
            output => Err(format!("the same command ended with {}: {}{}", output.code, output.stdout, output.stderr)),
        }
    }

    /// The points of a run to which nothing happens.
    pub(crate) fn record(&self, run: Run) -> Vec<DiskPoint> {
        let (output, watch) = self.run_on_disk(run, None);
        output.expect(0);
        watch.points()
    }

    /// All files below the root, with `*` for the tenant's name. What SQLite keeps beside the journal is part of it, and
    /// the next who writes to the journal takes it in.
    pub(crate) fn files(&self) -> Vec<String> {
        let root = self.root();
        let mut files = list(&root);
        files.retain(|path| !path.ends_with("journal.sqlite-wal") && !path.ends_with("journal.sqlite-shm"));
        files.sort();
        let relative = |path: &PathBuf| path.strip_prefix(&root).unwrap().display().to_string();
        files.iter().map(|path| relative(path).replace(&self.tenant.name, "*")).collect()
    }

    /// The copies of plugins lie in the system's folder for temporary files, which is the system's to clean.
    fn command(&self, run: Run) -> Command {
        let mut command = command(&self.root(), run.args());
        command.env("TMPDIR", self.dir.path().join("tmp"));
        command
    }
}

fn list(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { list(&path) } else { vec![path] }).collect()
}
