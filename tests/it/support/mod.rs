//! A lab: a simulator in this process, a folder with its configuration, and the binary to run on it.

mod background;
/// A browser, if there is one.
pub(crate) mod browser;
/// A clock that stands still.
pub(crate) mod clock;
/// A disk that fails on request.
pub(crate) mod disk;
/// A terminal to run the binary in.
pub(crate) mod terminal;
/// Certificates for servers on this machine.
pub(crate) mod tls;

use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use bytes::Bytes;
use flowswap_engine::{Journal, JournalError, Record, Records};
use flowswap_sim::{DirectoryView, Mutation, OrgView, Sim, SimConfig, SimTenant};
use flowswap_store::Identity;
use http_body_util::{BodyExt, Full};
use serde_json::Value;
use tempfile::TempDir;
use tokio::runtime::Runtime;
use tower::ServiceExt;

pub(crate) use background::Background;

use crate::machine::schemas;

/// All records of a journal.
pub(crate) async fn read_records(journal: &dyn Journal) -> Result<Vec<Record>, JournalError> {
    let mut records = Vec::new();
    let mut visit = |record| {
        records.push(record);
        Ok(())
    };
    journal.load(Records::All, &mut visit).await?;
    Ok(records)
}

/// A simulator, and a folder for the binary to run in.
pub(crate) struct Lab {
    /// The simulated world.
    pub(crate) sim: Sim,
    runtime: Runtime,
    dir: TempDir,
}

/// The output and the exit code of a run of the binary.
#[derive(Debug, Clone)]
pub(crate) struct Output {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Lab {
    /// A lab with this many tenants and no latency.
    pub(crate) fn with_tenants(tenants: usize) -> Self {
        Self::new(SimConfig::default().tenants(tenants))
    }

    pub(crate) fn new(config: SimConfig) -> Self {
        let runtime = Runtime::new().unwrap();
        let sim = runtime.block_on(Sim::start(config, ([127, 0, 0, 1], 0).into())).unwrap();
        let dir = folder();
        sim.write_client_files(dir.path(), "[secrets]\nidentity = \".flowswap/identity.txt\"\n").unwrap();
        fs::create_dir(dir.path().join(".flowswap")).unwrap();
        #[cfg(unix)]
        fs::set_permissions(dir.path().join(".flowswap"), std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
        Identity::generate(&dir.path().join(".flowswap/identity.txt"), None).unwrap();
        Self { sim, runtime, dir }
    }

    /// Runs a future of the store or the simulator to its end.
    pub(crate) fn wait<T>(&self, future: impl Future<Output = T>) -> T {
        self.runtime.block_on(future)
    }

    /// How many service clients were ever created in the tenant's org, according to its log.
    pub(crate) fn clients_made(&self, tenant: &SimTenant) -> usize {
        let filter = "eventType%20eq%20%22integration.api_service.lifecycle.authorize%22";
        let request = http::Request::get(format!("https://{}/api/v1/logs?filter={filter}", tenant.domain))
            .header("authorization", format!("SSWS {}", tenant.admin_token))
            .body(Full::<Bytes>::default())
            .unwrap();
        self.wait(async {
            let response = self.sim.service().oneshot(request).await.unwrap();
            assert_eq!(response.status(), 200);
            let body = response.into_body().collect().await.unwrap().to_bytes();
            serde_json::from_slice::<Vec<Value>>(&body).unwrap().len()
        })
    }

    /// The current state of the tenant's org.
    pub(crate) fn org(&self, tenant: &SimTenant) -> OrgView {
        self.sim.world().orgs.into_iter().find(|org| org.domain == tenant.domain).unwrap()
    }

    /// The current state of the tenant's directory.
    pub(crate) fn directory(&self, tenant: &SimTenant) -> DirectoryView {
        self.sim.world().directories.into_iter().find(|directory| directory.name == tenant.name).unwrap()
    }

    /// Asserts that the binary's own audit finds no difference between the journal, the secret store, and both sides,
    /// and that this many tenants have a client in place.
    #[track_caller]
    pub(crate) fn audit(&self, tenants: usize) {
        let output = self.run(&["audit", "verify", "--online"]).expect(0);
        let in_place = output.stdout.lines().filter(|line| {
            line.starts_with("world") && line.contains("/provision ") && line.contains("the journal says done")
        });
        assert_eq!(in_place.count(), tenants, "{}", output.stdout);
    }

    /// Advances the clock until all tokens have expired, so that an unused client is known to be unused. Then
    /// directories that use the legacy client sync; those that use the new client have been silent.
    pub(crate) fn outlive_tokens(&self) {
        self.sim.clock().advance(Duration::from_secs(90 * 60));
        let names: Vec<_> = self
            .sim
            .world()
            .directories
            .into_iter()
            .filter(|shown| shown.flow == "authorization_code")
            .map(|shown| shown.name)
            .collect();
        for tenant in self.sim.tenants().into_iter().filter(|tenant| names.contains(&tenant.name)) {
            for _ in 0..2 {
                self.sim.mutate(Mutation::Sync { directory: tenant.directory_id.clone() }).unwrap();
            }
        }
    }

    /// Connects the directory with the legacy client, as a person would by hand, and lets it sync.
    pub(crate) fn reconnect_as_before(&self, tenant: &SimTenant) {
        let (directory, flow) = (tenant.directory_id.clone(), "authorization_code".to_owned());
        let client_id = self.org(tenant).legacy[0].client_id.clone();
        self.sim.mutate(Mutation::SetConnection { directory: directory.clone(), flow, client_id }).unwrap();
        for _ in 0..2 {
            self.sim.mutate(Mutation::Sync { directory: directory.clone() }).unwrap();
        }
    }

    pub(crate) fn dir(&self) -> &Path {
        self.dir.path()
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Runs the binary in the folder.
    #[must_use]
    pub(crate) fn run(&self, args: &[&str]) -> Output {
        run_in(self.dir(), args)
    }

    /// Runs the binary, expects this exit code, and decodes the JSON on stdout, which must follow its schema.
    #[track_caller]
    pub(crate) fn json(&self, args: &[&str], code: i32) -> Value {
        let output = self.run(&[args, &["--format", "json"]].concat()).expect(code);
        let printed = serde_json::from_str(&output.stdout);
        let printed = printed.unwrap_or_else(|error| panic!("{error}: {}", output.stdout));
        schemas::check(args, &printed);
        printed
    }

    /// Changes the configuration.
    pub(crate) fn edit_config(&self, edit: impl FnOnce(String) -> String) {
        let path = self.path("migrate.toml");
        let text = fs::read_to_string(&path).unwrap();
        let edited = edit(text.clone());
        assert_ne!(text, edited, "the edit changed nothing");
        fs::write(path, edited).unwrap();
    }

    /// Plans every tenant into `plan.json`.
    #[must_use]
    pub(crate) fn plan(&self) -> Output {
        self.run(&["plan", "-o", "plan.json"])
    }

    /// The state of every tenant by name.
    pub(crate) fn states(&self) -> Vec<(String, String)> {
        let status = self.json(&["status"], 0);
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        status["tenants"].as_array().unwrap().iter().map(|row| (text(&row["name"]), text(&row["state"]))).collect()
    }

    /// The names of the tenants in a state.
    pub(crate) fn in_state(&self, state: &str) -> Vec<String> {
        self.states().into_iter().filter(|(_, is)| is == state).map(|(name, _)| name).collect()
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        // The simulator's connections run on the runtime, so the simulator must be dropped first.
        let _guard = self.runtime.enter();
    }
}

impl Output {
    /// Returns the same output after checking the exit code.
    #[track_caller]
    pub(crate) fn expect(self, code: i32) -> Self {
        assert_eq!(self.code, code, "stdout:\n{}\nstderr:\n{}", self.stdout, self.stderr);
        self
    }

    /// Exit code, stdout, and stderr in one text, for snapshots.
    pub(crate) fn show(&self) -> String {
        format!("exit code: {}\n----- stdout -----\n{}----- stderr -----\n{}", self.code, self.stdout, self.stderr)
    }
}

/// A command that runs the binary in a clean environment.
pub(crate) fn command(dir: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_flowswap"));
    command.current_dir(dir).env_clear().env("HOME", dir).env("NO_COLOR", "1").env("TZ", "UTC").args(args);
    command
}

/// Runs the binary in a folder.
#[must_use]
pub(crate) fn run_in(dir: &Path, args: &[&str]) -> Output {
    finish(command(dir, args))
}

/// Runs a prepared command. If a signal ended it, the exit code is the negative signal number.
#[must_use]
pub(crate) fn finish(mut command: Command) -> Output {
    let output = command.output().unwrap();
    let signal = std::os::unix::process::ExitStatusExt::signal(&output.status);
    Output {
        code: output.status.code().unwrap_or_else(|| -signal.unwrap_or(1)),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

/// Prints a line that is shown even if the test passes.
pub(crate) fn print(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}

/// A new folder that only this user and root can change.
pub(crate) fn folder() -> TempDir {
    tempfile::tempdir_in(flowswap_host::trusted_temp_dir()).unwrap()
}

/// The folder of this repository.
pub(crate) fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

/// The library of a plugin, as Cargo built it.
pub(crate) fn plugin_file(name: &str) -> PathBuf {
    library(&format!("flowswap_{name}"))
}

/// A dynamic library, as Cargo built it.
fn library(name: &str) -> PathBuf {
    use std::env::consts::{DLL_PREFIX, DLL_SUFFIX};
    let deps = Path::new(env!("CARGO_BIN_EXE_flowswap")).with_file_name("deps");
    deps.join(format!("{DLL_PREFIX}{name}{DLL_SUFFIX}"))
}

/// Copies the binary to a folder that every user can enter. Another process copies it: a process of another test that is
/// just being started could otherwise hold the copy open for writing, and then nothing can run it.
pub(crate) fn copy_binary(folder: &Path) -> PathBuf {
    let binary = folder.join("flowswap");
    let copied = Command::new("cp").arg(env!("CARGO_BIN_EXE_flowswap")).arg(&binary).status().unwrap();
    assert!(copied.success());
    binary
}

/// The children of a process. Not every kernel lists them, so each process is asked for its parent.
pub(crate) fn children(id: u32) -> Vec<u32> {
    let parent = format!("\nPPid:\t{id}\n");
    let all = fs::read_dir("/proc").into_iter().flatten().flatten();
    let ids = all.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    ids.filter(|id: &u32| fs::read_to_string(format!("/proc/{id}/status")).is_ok_and(|s| s.contains(&parent))).collect()
}
