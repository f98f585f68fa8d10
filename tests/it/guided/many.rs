//! A tenant with as many people as the largest: what they cost is bounded by what is known of each.

use std::{
    collections::BTreeMap,
    fs,
    process::Stdio,
    thread,
    time::{Duration, Instant},
};

use flowswap_sim::{Interface, SimConfig};

use super::{
    OUTLIVED, SYNC, let_sync, only,
    person::{Form, reconnect},
};
use crate::support::{Lab, command, print};

const USERS: usize = 200_000;
const GROUPS: usize = 5_000;

/// The digits of a keyed hash, all that is kept of anybody.
const HASH: u64 = 12;

/// A person is in the baselines of both sides. flowswap has both in the tenant's history, in the copy of it that takes the
/// next record first, in that record, and in the call with its frame; and of people as such a page at a time.
const HOST_LIMIT: u64 = 2 * HASH * 8;

/// A plugin has the directory's baseline as it was sent, decoded and as a crowd, and what it saw itself as a crowd, decoded
/// and as a frame.
const PLUGIN_LIMIT: u64 = HASH * 8;

/// The most memory that each process has ever had, in bytes, over all commands.
#[derive(Default)]
struct Peak {
    host: u64,
    /// The largest of the plugins' processes.
    plugin: u64,
    /// How long each command took; told, and never judged.
    times: Vec<String>,
}

#[test]
fn memory_is_bounded_by_what_is_known_of_each_person() {
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

/// Takes a tenant with so many people all the way, and watches the memory of all that runs.
fn swap(users: usize, groups: usize) -> Peak {
    let config = SimConfig::default().tenants(1).interface(Interface::CieGuided).natural_sync(SYNC);
    let lab = Lab::new(config.population(users, groups).page_size(1000));
    let mut peak = Peak::default();
    lab.plan().expect(0);
    watch(&lab, &["apply", "plan.json", "--yes"], 4, &mut peak);
    let tenant = only(&lab);
    reconnect(&lab, &tenant, &tenant.directory_id, &Form::right(&lab, &tenant));
    watch(&lab, &["confirm", "acme"], 4, &mut peak);
    let_sync(&lab, 1);
    watch(&lab, &["apply", "plan.json", "--yes"], 4, &mut peak);
    let_sync(&lab, OUTLIVED);
    watch(&lab, &["apply", "plan.json", "--yes"], 0, &mut peak);
    for command in [&["status"][..], &["next"], &["evidence", &tenant.name]] {
        watch(&lab, command, 0, &mut peak);
    }
    assert_eq!(lab.in_state("swapped"), [tenant.name]);
    peak
}

/// Runs a command to its end, and looks at its memory meanwhile.
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
        // A child begins with its parent's memory, until it starts a program of its own: what it said last counts.
        let plugins = children(child.id()).into_iter().map(|id| (id, high_water(id)));
        last.extend(plugins.filter(|(_, bytes)| *bytes > 0));
        thread::sleep(Duration::from_millis(20));
    };
    assert_eq!(status.code(), Some(code), "{args:?}: {}", fs::read_to_string(talk).unwrap());
    peak.plugin = last.into_values().fold(peak.plugin, u64::max);
    peak.times.push(format!("{} {:.1} s", args[0], begun.elapsed().as_secs_f64()));
}

/// The most memory that a process has had so far, in bytes; 0 if it is gone.
fn high_water(id: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{id}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.trim().strip_suffix(" kB")?.parse::<u64>().ok()).unwrap_or(0) * 1024
}

/// Not every kernel lists the children of a process, but each process says whose child it is.
fn children(id: u32) -> Vec<u32> {
    let parent = format!("\nPPid:\t{id}\n");
    let all = fs::read_dir("/proc").into_iter().flatten().flatten();
    let ids = all.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    ids.filter(|id: &u32| fs::read_to_string(format!("/proc/{id}/status")).is_ok_and(|s| s.contains(&parent))).collect()
}
