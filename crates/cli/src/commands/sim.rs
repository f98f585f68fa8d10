//! `flowswap sim`: serves a simulated world until it is stopped; `flowswap sim world` prints it.

use std::path::Path;

use bytes::Bytes;
use flowswap_host::{Network, build};
use flowswap_sim::{ADMIN_HOST, Running, Sim, SimConfig};
use serde_json::Value;
use tower::ServiceExt;

use crate::{
    args::{SimArgs, SimCommand},
    context::Context,
    exit::{Exit, Failure},
    sim_files,
};

pub(crate) async fn run(context: &Context, args: &SimArgs) -> Result<Exit, Failure> {
    match (&args.command, &args.dir) {
        (Some(SimCommand::World { dir }), _) => print_world(context, dir).await,
        (None, Some(dir)) => serve(context, args, dir).await,
        (None, None) => Err(Failure::new(Exit::Usage, "`--dir` is missing")),
    }
}

async fn serve(context: &Context, args: &SimArgs, dir: &Path) -> Result<Exit, Failure> {
    let config = SimConfig::default().tenants(args.tenants as usize).seed(args.seed).latency(args.latency);
    let sim =
        Sim::start(config, ([127, 0, 0, 1], args.port).into()).await.map_err(Failure::at("start the simulator"))?;
    let path = sim_files::write(context, &sim, dir)?;
    let line = format!("ready: {} tenants on https://{}, configuration {}\n", args.tenants, sim.addr(), path.display());
    context.terminal.write_out(&line)?;
    context.stop.stopped().await;
    sim.stop().await;
    Ok(Exit::Done)
}

async fn print_world(context: &Context, dir: &Path) -> Result<Exit, Failure> {
    let running = Running::read(dir).map_err(|error| {
        let doing = format!("read `{}`", dir.join(Running::FILE).display());
        Failure::at(doing)(error).hint("`--dir` must be the folder of a running `flowswap sim`")
    })?;
    let world = get(&running, &dir.join("ca.pem"), "/world").await?;
    let text = serde_json::to_string_pretty(&world).map_err(Failure::at("print the world"))?;
    context.terminal.write_out(&(text + "\n"))?;
    Ok(Exit::Done)
}

async fn get(running: &Running, ca_file: &Path, path: &str) -> Result<Value, Failure> {
    let pattern = ADMIN_HOST.parse().map_err(Failure::at("address the simulator"))?;
    let network = Network {
        ca_file: Some(ca_file.to_owned()),
        resolve: [(pattern, running.address)].into(),
        ..Network::default()
    };
    let http = build(&network).map_err(Failure::at("prepare the network"))?;
    let request = http::Request::get(format!("https://{ADMIN_HOST}{path}"))
        .header("authorization", format!("Bearer {}", running.admin_token))
        .body(Bytes::new())
        .map_err(Failure::at("ask the simulator"))?;
    let answer = http.oneshot(request).await.map_err(|error| {
        Failure::at(format!("reach the simulator at {}", running.address))(error)
            .hint("it runs as long as `flowswap sim` does")
    })?;
    serde_json::from_slice(answer.body()).map_err(Failure::at("read the simulator's answer"))
}
