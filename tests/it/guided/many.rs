//! A tenant as large as the largest real ones: the memory for each person is bounded by the data that is kept of a
//! person.

use std::{
    collections::BTreeMap,
    fs,
    process::Stdio,
    thread,
    time::{Duration, Instant},
};

use flowswap_sim::{Interface, SimConfig};

use super::{
    SYNC, UNTIL_TOKENS_EXPIRED, let_sync, only,
    person::{Form, reconnect},
};
use crate::support::{Lab, children, command, print};

const USERS: usize = 200_000;
const GROUPS: usize = 5_000;

/// The number of digits of a keyed hash, which is all that is kept of a person.
const HASH: u64 = 12;

/// The limit of flowswap's memory in bytes for each person. The baselines of both sides contain the person. flowswap
/// keeps both in the tenant's history, in the text of the record, and in the call with its frame. Unhashed data of people
/// is in memory only one page at a time.
const HOST_LIMIT: u64 = 2 * HASH * 8;

/// The limit of a plugin's memory in bytes for each person. A plugin has the directory's baseline as sent, decoded, and
/// as a crowd, and its own list as a crowd, decoded, and as a frame.
const PLUGIN_LIMIT: u64 = HASH * 8;

/// The peak memory of each kind of process, in bytes, over all commands.
#[derive(Default)]
struct Peak {
    host: u64,
    /// The largest plugin process.
    plugin: u64,
    /// How long each command took. Printed, but not checked.
    times: Vec<String>,
}

#[test]
fn the_memory_for_each_person_is_bounded() {
    let small = swap(200, 20);
    let large = swap(USERS, GROUPS);
    let each = |large: u64, small: u64| large.saturating_sub(small) / (USERS + GROUPS) as u64;
    let (host, plugin) = (each(large.host, small.host), each(large.plugin, small.plugin));
    print(&format!(
        "memory: {USERS} users and {GROUPS} groups: flowswap at most {} MB, {host} bytes for each more than for a few; \
         a plugin at most {} MB, {plugin} bytes for each; {}",
        large.host / 1_000_000,
        large.plugin / 1_000_000,
        large.times.join(", "),
    ));
    assert!(host > 0 && plugin > 0, "nothing was measured");
    assert!(host <= HOST_LIMIT, "flowswap takes {host} bytes for each, and may take {HOST_LIMIT}");
    assert!(plugin <= PLUGIN_LIMIT, "a plugin takes {plugin} bytes for each, and may take {PLUGIN_LIMIT}");
}

/// Migrates a tenant with this many people, and measures the memory of all processes.
fn swap(users: usize, groups: usize) -> Peak {
    let config = SimConfig::default().tenants(1).interface(Interface::CieGuided).scheduled_sync(SYNC);
    let lab = Lab::new(config.population(users, groups).page_size(1000));
    let mut peak = Peak::default();
    lab.plan().expect(0);
    watch(&lab, &["apply", "plan.json", "--yes"], 4, &mut peak);
    let tenant = only(&lab);
    reconnect(&lab, &tenant, &tenant.directory_id, &Form::right(&lab, &tenant));
    watch(&lab, &["confirm", "acme"], 4, &mut peak);
    let_sync(&lab, 1);
    watch(&lab, &["apply", "plan.json", "--yes"], 4, &mut peak);
    let_sync(&lab, UNTIL_TOKENS_EXPIRED);
    watch(&lab, &["apply", "plan.json", "--yes"], 0, &mut peak);
    for command in [&["status"][..], &["next"], &["evidence", &tenant.name]] {
        watch(&lab, command, 0, &mut peak);
    }
    assert_eq!(lab.in_state("swapped"), [tenant.name]);
    peak
}

/// Runs a command to its end and measures its memory meanwhile.
fn watch(lab: &Lab, args: &[&str], code: i32, peak: &mut Peak) {
    let begun = Instant::now();
    let talk = lab.path("talk.txt");
    let mut command = command(lab.dir(), args);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(fs::File::create(&talk).unwrap());
    let mut child = command.spawn().unwrap();
    let mut last = BTreeMap::new();
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        peak.host = peak.host.max(high_water(child.id()));
        // A child starts with its parent's memory until it executes its own program, so only the last value counts.
        let plugins = children(child.id()).into_iter().map(|id| (id, high_water(id)));
        last.extend(plugins.filter(|(_, bytes)| *bytes > 0));
        thread::sleep(Duration::from_millis(20));
    };
    assert_eq!(status.code(), Some(code), "{args:?}: {}", fs::read_to_string(talk).unwrap());
    peak.plugin = last.into_values().fold(peak.plugin, u64::max);
    peak.times.push(format!("{} {:.1} s", args[0], begun.elapsed().as_secs_f64()));
}

/// The peak memory of a process so far, in bytes; 0 if it has ended.
fn high_water(id: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{id}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.trim().strip_suffix(" kB")?.parse::<u64>().ok()).unwrap_or(0) * 1024
}
