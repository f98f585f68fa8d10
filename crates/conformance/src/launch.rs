//! How a test finds the plugin's library, and starts its process with nothing but itself.

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

/// The library of the plugin `name`, where Cargo has built it for this test.
pub fn built_library(name: &str) -> io::Result<PathBuf> {
    let exe = env::current_exe()?;
    // Tests lie in `deps`; a library lies there or one folder above.
    let dirs: Vec<_> = exe.ancestors().skip(1).take(2).map(Path::to_owned).collect();
    flowswap_host::locate(name, &dirs).ok_or_else(|| {
        let message = format!("there is no library of the plugin `{name}` near {}", exe.display());
        io::Error::new(io::ErrorKind::NotFound, message)
    })
}

/// Starts plugin processes by running this test binary again, for the test that is `module_path` and `::plugin_process`.
pub fn launcher(module_path: &str) -> io::Result<Launcher> {
    // A test is named by its path within the crate.
    let within = module_path.split_once("::").map(|(_, path)| format!("{path}::")).unwrap_or_default();
    let test = format!("{within}plugin_process");
    let args = ["--exact", &test, "--nocapture", "--quiet"].map(OsString::from).to_vec();
    Ok(Launcher::new(env::current_exe()?, args))
}

/// Becomes the plugin's process if that is what this binary was started for; else does nothing, successfully. The library
/// is the last argument then, which the test harness takes for one more name of a test.
pub fn serve_if_asked() -> ExitCode {
    let args: Vec<OsString> = env::args_os().collect();
    let library = args.last().map(Path::new).filter(|path| path.to_string_lossy().ends_with(env::consts::DLL_SUFFIX));
    match library {
        Some(library) if library.is_file() && args.iter().any(|arg| arg == "--exact") => flowswap_host::serve(library),
        _ => ExitCode::SUCCESS,
    }
}

/// Makes one group of checks and panics with the report if the plugin fails any.
#[expect(clippy::panic, clippy::missing_panics_doc, reason = "it is the body of a test, and its doc says so")]
pub fn judge(module_path: &str, name: &str, make: MakeWorld, group: Group) {
    let judged = (|| -> Result<_, Box<dyn std::error::Error>> {
        let file = PluginFile::read(name, &built_library(name)?, None)?;
        let kit = Kit::new(file, launcher(module_path)?).world(make);
        Ok(tokio::runtime::Runtime::new()?.block_on(kit.run_group(group)))
    })();
    match judged {
        Ok(report) if report.is_clean() => tell_skipped(&report),
        Ok(report) => panic!("\n{report}\n"),
        Err(error) => panic!("the plugin `{name}` cannot be checked: {error}"),
    }
}

/// Says what was not checked, past the test harness, which keeps to itself what a test that passes prints.
fn tell_skipped(report: &Report) {
    for check in report.checks.iter().filter(|check| matches!(check.outcome, Outcome::Skipped { .. })) {
        let _ = writeln!(io::stderr(), "{}: {check}", report.plugin);
    }
}

/// Makes a test of every group of checks for the plugin of this name. The second argument is a closure or function that
/// makes a new [`World`](crate::World), boxed.
#[macro_export]
macro_rules! conformance {
    ($name:expr, $world:expr) => {
        /// No test, but the plugin's process; does nothing when run among the others.
        #[test]
        fn plugin_process() -> ::std::process::ExitCode {
            $crate::serve_if_asked()
        }

        $crate::conformance!(@group $name, $world, hello Hello);
        $crate::conformance!(@group $name, $world, protocol Protocol);
        $crate::conformance!(@group $name, $world, looks Looks);
        $crate::conformance!(@group $name, $world, laws Laws);
        $crate::conformance!(@group $name, $world, lost Lost);
        $crate::conformance!(@group $name, $world, errors Errors);
        $crate::conformance!(@group $name, $world, secrets Secrets);
    };
    (@group $name:expr, $world:expr, $test:ident $group:ident) => {
        #[test]
        fn $test() {
            $crate::judge(module_path!(), $name, $crate::make($world), $crate::Group::$group);
        }
    };
}

/// What makes worlds, of a closure or function.
pub fn make<F>(world: F) -> MakeWorld
where
    F: Fn() -> Box<dyn crate::World> + Send + Sync + 'static,
{
    Arc::new(world)
}
