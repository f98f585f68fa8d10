//! A simulator in its own process, and a folder in which flowswap runs.

use std::fs::{self, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use crate::Failure;
use crate::measure::cpu_of;
use crate::options::Options;

/// A running `flowswap sim`. Dropping it ends the process and removes the folder.
pub(crate) struct Lab {
    sim: Child,
    dir: TempDir,
}

impl Lab {
    /// Starts the simulator, and lets the configuration keep as many tenants in flight as the options say.
    pub(crate) fn start(options: &Options) -> Result<Self, Failure> {
        let dir = folder(options)?;
        let mut command = pinned(&binary(options)?, options.sim_cores.as_deref());
        command.arg("sim").arg("--dir").arg(dir.path());
        command.args(["--tenants", &options.tenants.to_string(), "--seed", &options.seed.to_string()]);
        command.args(["--latency", &format!("{}ms", options.latency)]);
        let mut sim = command.stdout(Stdio::piped()).spawn()?;
        let mut line = String::new();
        if let Some(stdout) = sim.stdout.take() {
            BufReader::new(stdout).read_line(&mut line)?;
        }
        let lab = Self { sim, dir };
        if !line.starts_with("ready") {
            return Err("the simulator did not start".into());
        }
        set_concurrency(lab.dir(), options.concurrency)?;
        Ok(lab)
    }

    /// The folder.
    pub(crate) fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// The seconds of CPU that the simulator has used.
    pub(crate) fn sim_cpu(&self) -> f64 {
        cpu_of(self.sim.id()).unwrap_or_default()
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.sim.kill();
        let _ = self.sim.wait();
    }
}

/// A new folder. Without an option it is beside this binary, because a temporary folder may not be on a disk.
pub(crate) fn folder(options: &Options) -> Result<TempDir, Failure> {
    let parent = match &options.dir {
        Some(dir) => dir.clone(),
        None => std::env::current_exe()?.parent().map(Path::to_owned).unwrap_or_default(),
    };
    fs::create_dir_all(&parent)?;
    Ok(tempfile::Builder::new().prefix("bench-").tempdir_in(parent)?)
}

/// Sets how many tenants are in flight at a time.
pub(crate) fn set_concurrency(dir: &Path, concurrency: usize) -> Result<(), Failure> {
    let mut file = OpenOptions::new().append(true).open(dir.join("migrate.toml"))?;
    Ok(write!(file, "\n[run]\nconcurrency = {concurrency}\n")?)
}

/// The binary to measure.
pub(crate) fn binary(options: &Options) -> Result<PathBuf, Failure> {
    let path = match &options.flowswap {
        Some(path) => path.clone(),
        None => std::env::current_exe()?.with_file_name("flowswap"),
    };
    path.canonicalize().map_err(|error| {
        format!("{}: {error}; build it: cargo build --release -p flowswap -p flowswap-bench", path.display()).into()
    })
}

/// A command that runs on these cores.
pub(crate) fn pinned(program: &Path, cores: Option<&str>) -> Command {
    match cores {
        None => Command::new(program),
        Some(cores) => {
            let mut command = Command::new("taskset");
            command.args(["-c", cores]).arg(program);
            command
        }
    }
}
