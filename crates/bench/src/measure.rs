//! What a command and its child processes use: time, CPU, and memory. Reads `/proc` while they run.

use std::collections::BTreeMap;
use std::fs;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::Failure;

/// How often to look. What a process uses after the last look is lost.
const EVERY: Duration = Duration::from_millis(10);

/// The unit of times in `/proc/PID/stat`. Linux shows hundredths of a second to programs, whatever it counts itself
/// (`USER_HZ`, proc(5)).
const TICKS_PER_SECOND: f64 = 100.0;

/// What a command and its child processes have used.
#[derive(Debug, Default)]
pub(crate) struct Usage {
    /// From the start to the end.
    pub(crate) wall: Duration,
    /// Seconds of CPU, by process or thread: what it is, and its time.
    pub(crate) cpu: BTreeMap<String, f64>,
    /// The sum of the peaks of all processes in MB. The peaks need not be at the same time.
    pub(crate) peak_mb: f64,
    /// What the command wrote to standard output.
    pub(crate) stdout: String,
}

impl Usage {
    /// Seconds of CPU of all processes.
    pub(crate) fn total_cpu(&self) -> f64 {
        self.cpu.values().sum()
    }
}

/// Runs a command to its end. Calls `look` again and again meanwhile.
pub(crate) fn run(mut command: Command, codes: &[i32], mut look: impl FnMut()) -> Result<Usage, Failure> {
    let begin = Instant::now();
    let stdout = tempfile::NamedTempFile::new()?;
    let stderr = tempfile::NamedTempFile::new()?;
    command.stdin(Stdio::null()).stdout(stdout.reopen()?).stderr(stderr.reopen()?);
    let mut child = command.spawn()?;
    let mut seen = Seen::default();
    let status = loop {
        seen.look_at(child.id());
        look();
        if let Some(status) = child.try_wait()? {
            break status;
        }
        thread::sleep(EVERY);
    };
    let wall = begin.elapsed();
    if !status.code().is_some_and(|code| codes.contains(&code)) {
        let said = fs::read_to_string(stderr.path())?;
        let end: Vec<&str> = said.lines().rev().take(5).collect();
        return Err(format!("{command:?} ended with {status}: {}", end.join("\n")).into());
    }
    Ok(Usage {
        wall,
        cpu: seen.by_name(),
        peak_mb: seen.peaks.values().sum(),
        stdout: fs::read_to_string(stdout.path())?,
    })
}

/// The latest values of every process that was seen.
#[derive(Default)]
struct Seen {
    /// Process and thread, to name and seconds.
    cpu: BTreeMap<(u32, u32), (String, f64)>,
    /// Process, to MB.
    peaks: BTreeMap<u32, f64>,
}

impl Seen {
    /// Looks at a process and all below it.
    fn look_at(&mut self, process: u32) {
        if let Some(peak) = peak_mb_of(process) {
            self.peaks.insert(process, peak);
        }
        let Ok(threads) = fs::read_dir(format!("/proc/{process}/task")) else { return };
        for thread in threads.flatten().filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok()) {
            let folder = format!("/proc/{process}/task/{thread}");
            if let Some((name, seconds)) = read_stat(&format!("{folder}/stat")) {
                let name = if is_plugin(process) { "plugins".to_owned() } else { name };
                self.cpu.insert((process, thread), (name, seconds));
            }
            let children = fs::read_to_string(format!("{folder}/children")).unwrap_or_default();
            for child in children.split_whitespace().filter_map(|id| id.parse().ok()) {
                self.look_at(child);
            }
        }
    }

    fn by_name(&self) -> BTreeMap<String, f64> {
        let mut all = BTreeMap::new();
        for (name, seconds) in self.cpu.values() {
            *all.entry(name.clone()).or_default() += seconds;
        }
        all
    }
}

/// The seconds of CPU that a process has used.
pub(crate) fn cpu_of(process: u32) -> Option<f64> {
    read_stat(&format!("/proc/{process}/stat")).map(|(_, seconds)| seconds)
}

/// The name and the seconds of CPU of a process or a thread (proc(5)).
fn read_stat(path: &str) -> Option<(String, f64)> {
    let text = fs::read_to_string(path).ok()?;
    // The name may contain spaces and parentheses.
    let (before, after) = text.rsplit_once(") ")?;
    let name = before.split_once('(')?.1.to_owned();
    let mut times = after.split_whitespace().skip(11).take(2).filter_map(|ticks| ticks.parse::<f64>().ok());
    Some((name, (times.next()? + times.next()?) / TICKS_PER_SECOND))
}

/// The largest memory of a process so far, in MB.
pub(crate) fn peak_mb_of(process: u32) -> Option<f64> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(line.trim().strip_suffix(" kB")?.trim().parse::<f64>().ok()? / 1024.0)
}

/// Whether the process runs a plugin.
fn is_plugin(process: u32) -> bool {
    fs::read_to_string(format!("/proc/{process}/cmdline")).is_ok_and(|line| line.contains("\0__plugin\0"))
}
