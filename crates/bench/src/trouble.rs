//! How much three orgs in trouble hold up all others: one answers 429 for a minute, one hangs for half a minute, and one returns
//! pages that are no answers. The measure is when the last of the others ends, compared with a run without trouble.

use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::Duration;

use crate::Failure;
use crate::journal::last_end;
use crate::lab::{Lab, binary, pinned};
use crate::measure;
use crate::options::Options;
use crate::report::{EVERY_END, apply, plan, say};

/// How long the trouble lasts.
const MINUTE: Duration = Duration::from_secs(60);

/// Tenants that the simulator can migrate in every world of this size, and what their orgs answer.
const TROUBLED: [(&str, &str); 3] = [("tenant-101", "busy"), ("tenant-102", "hang"), ("tenant-103", "garbage")];

/// So many tenants are needed, so that those in trouble are among them.
const FEWEST: usize = 110;

/// Measures both runs, and prints the ratio.
pub(crate) fn run(options: &Options) -> Result<(), Failure> {
    if options.tenants < FEWEST {
        return Err(format!("`--trouble` needs at least {FEWEST} tenants").into());
    }
    let clean = measure_others(options, false)?;
    let troubled = measure_others(options, true)?;
    let ratio = troubled.as_secs_f64() / clean.as_secs_f64();
    say(&format!("{} tenants, {} in flight, {} ms", options.tenants, options.concurrency, options.latency));
    say(&format!("the last of the others ended after {:.1} s without trouble", clean.as_secs_f64()));
    say(&format!("and after {:.1} s with three orgs in trouble: {ratio:.3} times as long", troubled.as_secs_f64()));
    Ok(())
}

/// The time from the start of `apply` to the end of the last tenant that has no trouble.
fn measure_others(options: &Options, with_trouble: bool) -> Result<Duration, Failure> {
    let lab = Lab::start(options)?;
    let binary = binary(options)?;
    let command = || {
        let mut command = pinned(&binary, options.cores.as_deref());
        command.current_dir(lab.dir());
        command
    };
    measure::run(plan(command()), EVERY_END, || ())?;
    let mending = with_trouble.then(|| -> Result<_, Failure> {
        for (tenant, answer) in TROUBLED {
            sim(&binary, lab.dir(), &["fault", tenant, "--answer", answer])?;
        }
        let (binary, dir) = (binary.clone(), lab.dir().to_owned());
        Ok(thread::spawn(move || {
            thread::sleep(MINUTE);
            sim(&binary, &dir, &["mend"]).is_ok()
        }))
    });
    let mending = mending.transpose()?;
    measure::run(apply(command()), &[0, 3, 4], || ())?;
    let others = last_end(&lab.dir().join(".flowswap"), &TROUBLED.map(|(name, _)| name))?;
    if mending.is_some_and(|mending| !mending.join().unwrap_or(false)) {
        return Err("the trouble did not end".into());
    }
    Ok(others)
}

fn sim(binary: &Path, dir: &Path, args: &[&str]) -> Result<(), Failure> {
    let status = Command::new(binary).arg("sim").args(args).arg("--dir").arg(dir).status()?;
    if status.success() { Ok(()) } else { Err(format!("`flowswap sim {}` failed", args.join(" ")).into()) }
}
