//! How a test finds the plugin's library, and starts the plugin's process from the test binary itself.

use std::{
    env,
    ffi::OsString,
    io::{self, Write},
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
};

use flowswap_host::{Launcher, PluginFile};

use crate::{Group, Kit, MakeWorld, Outcome, Report};

/// The library of the plugin `name` that Cargo built for this test.
pub fn built_library(name: &str) -> io::Result<PathBuf> {
    let exe = env::current_exe()?;
    // Test binaries are in `deps`; a library is there or in the folder above.
    let dirs: Vec<_> = exe.ancestors().skip(1).take(2).map(Path::to_owned).collect();
    flowswap_host::locate(name, &dirs).ok_or_else(|| {
        let message = format!("there is no library of the plugin `{name}` near {}", exe.display());
        io::Error::new(io::ErrorKind::NotFound, message)
    })
}

/// Starts plugin processes by running this test binary again with only the test `plugin_process` of `module_path`.
pub fn launcher(module_path: &str) -> io::Result<Launcher> {
    // A test's name is its path within the crate.
    let within = module_path.split_once("::").map(|(_, path)| format!("{path}::")).unwrap_or_default();
    let test = format!("{within}plugin_process");
    let args = ["--exact", &test, "--nocapture", "--quiet"].map(OsString::from).to_vec();
    Ok(Launcher::new(env::current_exe()?, args))
}

/// Runs the plugin if this binary was started as its process; otherwise returns success. The last arguments are then the
/// library and the word for the cage, which the test harness treats as more names of tests.
pub fn serve_if_asked() -> ExitCode {
    let args: Vec<OsString> = env::args_os().collect();
    match args.as_slice() {
        [.., library, cage] if args.iter().any(|arg| arg == "--exact") && Path::new(library).is_absolute() => {
            match cage.to_str().unwrap_or_default().parse() {
                Ok(cage) => flowswap_host::serve(Path::new(library), cage),
                Err(_) => ExitCode::SUCCESS,
            }
        }
        _ => ExitCode::SUCCESS,
    }
}

/// Runs one group of checks, and panics with the report if the plugin fails any of them.
#[expect(
    clippy::panic,
    clippy::missing_panics_doc,
    reason = "it is the body of a test, and its summary says that it panics"
)]
pub fn assert_conforms(module_path: &str, name: &str, make: MakeWorld, group: Group) {
    let report = (|| -> Result<_, Box<dyn std::error::Error>> {
        let file = PluginFile::read(name, &built_library(name)?, None)?;
        let kit = Kit::new(file, launcher(module_path)?).world(make);
        Ok(tokio::runtime::Runtime::new()?.block_on(kit.run_group(group)))
    })();
    match report {
        Ok(report) if report.is_clean() => print_skipped(&report),
        Ok(report) => panic!("\n{report}\n"),
        Err(error) => panic!("the plugin `{name}` cannot be checked: {error}"),
    }
}

/// Prints the skipped checks directly to stderr, because the test harness hides what a passing test prints.
fn print_skipped(report: &Report) {
    for check in report.checks.iter().filter(|check| matches!(check.outcome, Outcome::Skipped { .. })) {
        let _ = writeln!(io::stderr(), "{}: {check}", report.plugin);
    }
}

/// Defines one test for each group of checks of the plugin with this name. The second argument is a closure or function
/// that returns a new boxed [`World`](crate::World).
#[macro_export]
macro_rules! conformance {
    ($name:expr, $world:expr) => {
        /// Not a test but the plugin's process. Does nothing when it runs with the other tests.
        #[test]
        fn plugin_process() -> ::std::process::ExitCode {
            $crate::serve_if_asked()
        }

        $crate::conformance!(@group $name, $world, hello Hello);
        $crate::conformance!(@group $name, $world, protocol Protocol);
        $crate::conformance!(@group $name, $world, read_only ReadOnly);
        $crate::conformance!(@group $name, $world, steps Steps);
        $crate::conformance!(@group $name, $world, lost_answers LostAnswers);
        $crate::conformance!(@group $name, $world, errors Errors);
        $crate::conformance!(@group $name, $world, secrets Secrets);
    };
    (@group $name:expr, $world:expr, $test:ident $group:ident) => {
        #[test]
        fn $test() {
            $crate::assert_conforms(module_path!(), $name, $crate::world_maker($world), $crate::Group::$group);
        }
    };
}

/// Turns a closure or function into a [`MakeWorld`].
pub fn world_maker<F>(world: F) -> MakeWorld
where
    F: Fn() -> Box<dyn crate::World> + Send + Sync + 'static,
{
    Arc::new(world)
}
