//! Runs the parts of the measurement and prints the table.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{self, Write};
use std::process::Command;

use crate::Failure;
use crate::floor::Floor;
use crate::journal::{Commits, StepTime, step_times};
use crate::lab::{Lab, binary, pinned};
use crate::measure::{self, Usage};
use crate::options::Options;
use crate::record::{Recording, record};
use crate::trace::Trace;

/// The codes with which `plan` and `apply` end if all went as it should: some tenants of the world are not ready.
pub(crate) const EVERY_END: &[i32] = &[0, 4];

/// One measurement of flowswap.
struct Run {
    plan: Usage,
    apply: Usage,
    sim_cpu: f64,
    commits: u64,
    steps: Vec<(String, StepTime)>,
}

/// The loop for each command, and the CPU of its simulator.
struct FloorRun {
    plan: Floor,
    apply: Floor,
    sim_cpu: f64,
}

/// Measures, and prints the table.
pub(crate) fn run(options: &Options) -> Result<(), Failure> {
    let recording = if options.no_floor { None } else { Some(record(options)?) };
    let mut runs = Vec::new();
    let mut floors = Vec::new();
    for number in 0..options.runs.max(1) {
        runs.push(measure_flowswap(options)?);
        if let Some(recording) = &recording {
            floors.push(measure_floor(options, recording)?);
        }
        let _ = writeln!(io::stderr(), "run {} of {} is done", number + 1, options.runs.max(1));
    }
    print(options, recording.as_ref(), &runs, &floors);
    Ok(())
}

pub(crate) fn plan(mut command: Command) -> Command {
    command.args(["plan", "-o", "plan.json"]);
    command
}

pub(crate) fn apply(mut command: Command) -> Command {
    command.args(["apply", "plan.json", "--yes"]);
    command
}

fn measure_flowswap(options: &Options) -> Result<Run, Failure> {
    let lab = Lab::start(options)?;
    let binary = binary(options)?;
    let state = lab.dir().join(".flowswap");
    let sim_before = lab.sim_cpu();
    let command = || {
        let mut command = pinned(&binary, options.cores.as_deref());
        command.current_dir(lab.dir());
        command
    };
    let plan = measure::run(plan(command()), EVERY_END, || ())?;
    let mut commits = Commits::of(&state);
    let apply = measure::run(apply(command()), EVERY_END, || commits.look())?;
    let sim_cpu = lab.sim_cpu() - sim_before;
    Ok(Run { plan, apply, sim_cpu, commits: commits.count, steps: step_times(&state)? })
}

fn measure_floor(options: &Options, recording: &Recording) -> Result<FloorRun, Failure> {
    let lab = Lab::start(options)?;
    let sim_before = lab.sim_cpu();
    let measure = |trace: &Trace| -> Result<Floor, Failure> {
        let file = lab.dir().join("trace.json");
        fs::write(&file, serde_json::to_vec(trace)?)?;
        let mut command = pinned(&std::env::current_exe()?, options.cores.as_deref());
        command.arg("floor").arg(&file).arg(lab.dir()).arg(options.concurrency.to_string());
        Ok(serde_json::from_str(&measure::run(command, &[0], || ())?.stdout)?)
    };
    let (plan, apply) = (measure(&recording.plan)?, measure(&recording.apply)?);
    Ok(FloorRun { plan, apply, sim_cpu: lab.sim_cpu() - sim_before })
}

fn print(options: &Options, recording: Option<&Recording>, runs: &[Run], floors: &[FloorRun]) {
    let tenants = options.tenants as f64;
    let cores = |cores: &Option<String>| cores.clone().unwrap_or_else(|| "any".to_owned());
    say(&format!(
        "{} tenants, {} in flight, {} ms, seed {}, cores {} (simulator {}), medians of {}\n",
        options.tenants,
        options.concurrency,
        options.latency,
        options.seed,
        cores(&options.cores),
        cores(&options.sim_cores),
        runs.len()
    ));
    say(&format!("{:<26}{:>10}{:>10}{:>10}", "flowswap", "plan", "apply", "both"));
    let parts = |of: &dyn Fn(&Usage) -> f64| {
        [
            median(runs, |run| of(&run.plan)),
            median(runs, |run| of(&run.apply)),
            median(runs, |run| of(&run.plan) + of(&run.apply)),
        ]
    };
    let wall = parts(&|usage| usage.wall.as_secs_f64());
    let cpu = parts(&Usage::total_cpu);
    row("seconds", wall);
    row("tenants/s", wall.map(|wall| tenants / wall));
    row("CPU, s", cpu);
    row("CPU per tenant, ms", cpu.map(|cpu| cpu / tenants * 1e3));
    peaks(parts(&|usage| usage.peak_mb));
    if let Some(recording) = recording {
        let requests = [recording.plan.len(), recording.apply.len(), recording.plan.len() + recording.apply.len()];
        let requests = requests.map(|count| count as f64);
        row("requests", requests);
        row("requests per tenant", requests.map(|count| count / tenants));
        row("requests/s", zip(requests, wall, |count, wall| count / wall));
        row("CPU per request, ms", zip(cpu, requests, |cpu, count| cpu / count * 1e3));
        let first = recording.first_request.map(|time| time.as_secs_f64() * 1e3);
        say(&format!("{:<26}{:>10.1}{:>10.1}", "first request after, ms", first[0], first[1]));
        print_floor(floors, wall, cpu, requests);
    }
    say("");
    say(&format!("journal commits: {:.0}", median(runs, |run| run.commits as f64)));
    say(&format!("CPU of the simulator: {:.2} s", median(runs, |run| run.sim_cpu)));
    print_names(runs);
    say(&format!("\n{:<26}{:>10}{:>10}", "step", "p50, ms", "p99, ms"));
    for (place, (step, _)) in runs.first().map(|run| run.steps.as_slice()).unwrap_or_default().iter().enumerate() {
        let time = |pick: fn(&StepTime) -> f64| median(runs, |run| run.steps.get(place).map_or(0.0, |(_, t)| pick(t)));
        say(&format!("{step:<26}{:>10.0}{:>10.0}", time(|time| time.p50), time(|time| time.p99)));
    }
}

fn print_floor(floors: &[FloorRun], wall: [f64; 3], cpu: [f64; 3], requests: [f64; 3]) {
    let parts = |of: fn(&Floor) -> f64| {
        [
            median(floors, |run| of(&run.plan)),
            median(floors, |run| of(&run.apply)),
            median(floors, |run| of(&run.plan) + of(&run.apply)),
        ]
    };
    let (floor_wall, floor_cpu) = (parts(|floor| floor.wall), parts(|floor| floor.cpu));
    say("\nthe floor");
    row("seconds", floor_wall);
    row("CPU, s", floor_cpu);
    row("CPU per request, ms", zip(floor_cpu, requests, |cpu, count| cpu / count * 1e3));
    peaks(parts(|floor| floor.peak_mb));
    row("other answers", parts(|floor| floor.different as f64));
    say(&format!("{:<26}{:>30.2}", "CPU of the simulator, s", median(floors, |run| run.sim_cpu)));
    say("\nflowswap / the floor");
    row("seconds", zip(wall, floor_wall, |ours, floor| ours / floor));
    row("CPU", zip(cpu, floor_cpu, |ours, floor| ours / floor));
}

/// The CPU of each process and thread, for both commands together.
fn print_names(runs: &[Run]) {
    let of = |usages: [&Usage; 2], name: &str| usages.iter().filter_map(|usage| usage.cpu.get(name)).sum::<f64>();
    let names: BTreeSet<&String> =
        runs.iter().flat_map(|run| run.plan.cpu.keys().chain(run.apply.cpu.keys())).collect();
    let shares: BTreeMap<_, _> =
        names.into_iter().map(|name| (name, median(runs, |run| of([&run.plan, &run.apply], name)))).collect();
    let shares: Vec<_> = shares.iter().map(|(name, seconds)| format!("{name} {seconds:.2}")).collect();
    say(&format!("CPU by thread, s: {}", shares.join(", ")));
}

/// One command runs after the other, so their peaks do not add up.
fn peaks([plan, apply, _]: [f64; 3]) {
    row("peak memory, MB", [plan, apply, plan.max(apply)]);
}

fn row(name: &str, values: [f64; 3]) {
    let shown: String = values.iter().map(|value| format!("{value:>10.2}")).collect();
    say(&format!("{name:<26}{shown}"));
}

fn zip(a: [f64; 3], b: [f64; 3], f: impl Fn(f64, f64) -> f64) -> [f64; 3] {
    std::array::from_fn(|i| f(a[i], b[i]))
}

fn median<T>(items: &[T], of: impl Fn(&T) -> f64) -> f64 {
    let mut values: Vec<f64> = items.iter().map(of).collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}

/// Prints a line.
pub(crate) fn say(line: &str) {
    // If nobody reads any more, there is nobody to tell.
    let _ = writeln!(io::stdout(), "{line}");
}
