//! The floor: a loop that makes recorded requests with the client that flowswap uses, and does nothing else.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};

use flowswap_sim::Running;
use futures::stream::{FuturesUnordered, StreamExt};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::{Certificate, Client, redirect, tls};
use rustix::time::{ClockId, clock_gettime};
use serde::{Deserialize, Serialize};

use crate::Failure;
use crate::measure::peak_mb_of;
use crate::options::FloorFiles;
use crate::report::say;
use crate::trace::{Recorded, Trace};

/// What the loop has used.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Floor {
    /// The seconds that it took.
    pub(crate) wall: f64,
    /// The seconds of CPU that it used.
    pub(crate) cpu: f64,
    /// By how much its memory grew at most, in MB. The list of requests is not counted.
    pub(crate) peak_mb: f64,
    /// How many answers had another status than those that flowswap got.
    pub(crate) different: usize,
}

/// Makes the requests, and prints what that took.
pub(crate) fn run(files: &FloorFiles) -> Result<(), Failure> {
    let trace: Trace = serde_json::from_slice(&fs::read(&files.trace)?)?;
    let client = client(&files.sim)?;
    let runtime = tokio::runtime::Runtime::new()?;
    let before = memory_since_now();
    let (begin, cpu) = (Instant::now(), cpu_time());
    let working = trace.tenants.iter().map(|requests| repeat(&client, requests));
    let different = runtime.block_on(async {
        let results = futures::stream::iter(working).buffer_unordered(files.concurrency.max(1));
        results.fold(0, async |sum, different| sum + different).await
    });
    let (wall, cpu) = (begin.elapsed().as_secs_f64(), cpu_time() - cpu);
    let floor = Floor { wall, cpu, peak_mb: peak_mb_of(std::process::id()).unwrap_or_default() - before, different };
    say(&serde_json::to_string(&floor)?);
    Ok(())
}

/// Makes the requests of one tenant, each after those that it waits for. Returns how many answers were different.
async fn repeat(client: &Client, requests: &[Recorded]) -> usize {
    let mut waits: Vec<usize> = requests.iter().map(|request| request.after.len()).collect();
    let mut in_flight = FuturesUnordered::new();
    let start = |place: usize| async move { (place, send(client, &requests[place]).await) };
    in_flight.extend((0..requests.len()).filter(|place| waits[*place] == 0).map(start));
    let mut different = 0;
    while let Some((ended, status)) = in_flight.next().await {
        different += usize::from(status != Some(requests[ended].status));
        for (place, request) in requests.iter().enumerate().filter(|(_, request)| request.after.contains(&ended)) {
            waits[place] = waits[place].saturating_sub(1);
            if waits[place] == 0 && !request.after.is_empty() {
                in_flight.push(start(place));
            }
        }
    }
    different
}

/// Sends one request, reads the whole answer, and returns its status.
async fn send(client: &Client, request: &Recorded) -> Option<u16> {
    if request.pause_ms > 0 {
        tokio::time::sleep(Duration::from_millis(request.pause_ms)).await;
    }
    let mut builder = client.request(request.method.parse().ok()?, &request.url);
    for (name, value) in &request.headers {
        builder = builder.header(name, value);
    }
    if !request.body.is_empty() {
        builder = builder.body(request.body.clone());
    }
    let answer = builder.send().await.ok()?;
    let status = answer.status().as_u16();
    answer.bytes().await.ok()?;
    Some(status)
}

/// The client as flowswap sets it up (`crates/host/src/transport.rs`).
fn client(sim: &Path) -> Result<Client, Failure> {
    // Fails only if there is one already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let address = Running::read(sim)?.address;
    let root = Certificate::from_pem(&fs::read(sim.join("ca.pem"))?)?;
    let client = Client::builder()
        .https_only(true)
        .tls_version_min(tls::Version::TLS_1_2)
        .tls_certs_merge([root])
        .redirect(redirect::Policy::none())
        .retry(reqwest::retry::never())
        .referer(false)
        .connect_timeout(Duration::from_secs(10))
        .pool_idle_timeout(Duration::from_secs(1))
        .dns_resolver(Always(address))
        .no_proxy();
    Ok(client.build()?)
}

/// Finds every host at the simulator.
struct Always(SocketAddr);

impl Resolve for Always {
    fn resolve(&self, _: Name) -> Resolving {
        let addresses: Addrs = Box::new(std::iter::once(self.0));
        Box::pin(std::future::ready(Ok(addresses)))
    }
}

/// The memory of this process in MB. Its peak counts from now on (`clear_refs` in proc(5)).
fn memory_since_now() -> f64 {
    // Without it the peak includes the text of the list, which is gone.
    let _ = fs::write("/proc/self/clear_refs", "5");
    peak_mb_of(std::process::id()).unwrap_or_default()
}

/// The seconds of CPU that this process has used.
fn cpu_time() -> f64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}
