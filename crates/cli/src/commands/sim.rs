//! `flowswap sim`: serves a simulated world until the user stops it. `flowswap sim world` prints the world, and
//! `flowswap sim advance` advances its clock. `flowswap sim fault` lets orgs fail, until `flowswap sim mend`.

use std::{path::Path, time::Duration};

use bytes::Bytes;
use flowswap_config::find_nearest;
use flowswap_host::{Network, build};
use flowswap_sim::{
    ADMIN_HOST, AdminCredential, Fault, FaultKind, Interface, Mutation, RateLimits, Running, Sim, SimConfig,
};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value};
use tower::ServiceExt;

use crate::{
    args::{Admin, Directory, FaultyAnswer, FaultyRequest, SimArgs, SimCommand},
    context::Context,
    display::text::text,
    documents::{Document, DocumentName},
    exit::{Exit, Failure},
    sim_files,
};

/// The whole world of a simulator. Its members may change with any version.
#[derive(Serialize, JsonSchema)]
pub(super) struct World {
    #[serde(flatten)]
    world: Map<String, Value>,
}

impl Document for World {
    const NAME: DocumentName = DocumentName::World;
}

pub(crate) async fn run(context: &Context, args: &SimArgs) -> Result<Exit, Failure> {
    match (&args.command, &args.dir) {
        (Some(SimCommand::World { dir }), _) => print_world(context, dir).await,
        (Some(SimCommand::Advance { dir, by }), _) => advance(dir, *by).await,
        (Some(SimCommand::Fault { dir, tenants, on, answer }), _) => {
            add_faults(context, dir, tenants, on, *answer).await
        }
        (Some(SimCommand::Mend { dir }), _) => mend(dir).await,
        (None, Some(dir)) => serve(context, args, dir).await,
        (None, None) => Err(Failure::new(Exit::Usage, "`--dir` is missing")),
    }
}

async fn serve(context: &Context, args: &SimArgs, dir: &Path) -> Result<Exit, Failure> {
    let config = SimConfig::default().tenants(args.tenants as usize).seed(args.seed).latency(args.latency);
    let mut config = config.scheduled_sync(args.sync_every).admin(match args.admin {
        Admin::Token => AdminCredential::ApiToken,
        Admin::ServiceApp => AdminCredential::ServiceApp { dpop: false },
        Admin::Dpop => AdminCredential::ServiceApp { dpop: true },
    });
    if args.directory == Directory::CieGuided {
        config = config.interface(Interface::CieGuided).neighbors(true);
    }
    if args.apps > 0 {
        // Okta's own page size, because nobody pages through such an org by twos.
        config = config.apps(args.apps as usize).page_size(200);
    }
    if let Some(limit) = args.rate_limit {
        config = config.rate_limits(RateLimits::Each(limit)).others(args.others);
    }
    let sim =
        Sim::start(config, ([127, 0, 0, 1], args.port).into()).await.map_err(Failure::at("start the simulator"))?;
    let simulation = format!("[simulation]\nclock = \"{}\"\n\n", sim.clock_url());
    let path = sim_files::write(context, &sim, dir, &simulation)?;
    let mut text =
        text!("ready: {} tenants on https://{}, configuration {}\n", args.tenants, sim.addr(), path.display());
    if args.directory == Directory::CieGuided {
        text += text!("console: {}\n", sim.console_url());
    }
    context.terminal.write_out(&text)?;
    context.stop.stopped().await;
    sim.stop().await;
    Ok(Exit::Done)
}

async fn print_world(context: &Context, dir: &Path) -> Result<Exit, Failure> {
    let world = ask(dir, http::Request::get("/world"), Bytes::new()).await?;
    let Value::Object(world) = world else {
        return Err(Failure::new(Exit::Failed, "the simulator did not answer with its world"));
    };
    context.terminal.report_as_json(&World { world })?;
    Ok(Exit::Done)
}

async fn advance(dir: &Path, by: Duration) -> Result<Exit, Failure> {
    let milliseconds = u64::try_from(by.as_millis()).unwrap_or(u64::MAX);
    let body =
        serde_json::to_vec(&Mutation::AdvanceClock { milliseconds }).map_err(Failure::at("encode the duration"))?;
    ask(dir, http::Request::post("/mutate"), body.into()).await?;
    Ok(Exit::Done)
}

async fn add_faults(
    context: &Context,
    dir: &Path,
    tenants: &[String],
    on: &FaultyRequest,
    answer: FaultyAnswer,
) -> Result<Exit, Failure> {
    let path = dir.join("migrate.toml");
    let config = flowswap_config::load(&path).map_err(|errors| Failure::new(Exit::Usage, errors))?;
    let mut faults = Vec::new();
    for name in tenants {
        let tenant = config.tenant(name).ok_or_else(|| {
            let failure = Failure::new(Exit::Usage, format!("the simulator has no tenant `{name}`"));
            let names = config.tenants.iter().map(|tenant| tenant.name.as_str());
            failure.hint_if(find_nearest(name, names).map(|nearest| format!("did you mean `{nearest}`?")))
        })?;
        let domain = tenant.provider.table().get("domain").and_then(Value::as_str).unwrap_or_default().to_owned();
        let FaultyRequest { method, path } = on.clone();
        faults.push(Fault { host: domain, method, path, query: String::new(), kind: fault(answer), times: 0, skip: 0 });
    }
    let body = serde_json::to_vec(&faults).map_err(Failure::at("encode the faults"))?;
    ask(dir, http::Request::post("/faults"), body.into()).await?;
    context.terminal.say(text!(
        "the orgs of {} fail until: flowswap sim mend --dir {}",
        tenants.join(", "),
        dir.display()
    ));
    Ok(Exit::Done)
}

fn fault(answer: FaultyAnswer) -> FaultKind {
    match answer {
        FaultyAnswer::Refuse => FaultKind::Status { status: 403 },
        FaultyAnswer::Busy => FaultKind::TooManyRequests { reset_seconds: 60 },
        FaultyAnswer::Down => FaultKind::Status { status: 503 },
        FaultyAnswer::Hang => FaultKind::Delay { milliseconds: 30_000 },
        FaultyAnswer::Garbage => FaultKind::Script {
            status: 200,
            headers: vec![("content-type".to_owned(), "text/html".to_owned())],
            body: "<!doctype html><title>Welcome</title>".to_owned(),
            after_commit: false,
            milliseconds: 0,
        },
    }
}

async fn mend(dir: &Path) -> Result<Exit, Failure> {
    ask(dir, http::Request::delete("/faults"), Bytes::new()).await?;
    Ok(Exit::Done)
}

/// Sends a request to the simulator that runs with this folder.
async fn ask(dir: &Path, request: http::request::Builder, body: Bytes) -> Result<Value, Failure> {
    let running = Running::read(dir).map_err(|error| {
        let doing = format!("read `{}`", dir.join(Running::FILE).display());
        let failure = Failure::at(doing)(error).hint("pass `--dir` with the folder of a running `flowswap sim`");
        Failure { exit: Exit::Usage, ..failure }
    })?;
    let pattern = ADMIN_HOST.parse().map_err(Failure::at("address the simulator"))?;
    let network = Network {
        ca_file: Some(dir.join("ca.pem")),
        resolve: [(pattern, running.address)].into(),
        ..Network::default()
    };
    let origin = format!("https://{ADMIN_HOST}");
    let http = build(&network).and_then(|clients| clients.connect(&[&origin]));
    let http = http.map_err(Failure::at("prepare the network"))?;
    let path = request.uri_ref().map(ToString::to_string).unwrap_or_default();
    let request = request
        .uri(format!("{origin}{path}"))
        .header("authorization", format!("Bearer {}", running.admin_token))
        .body(body)
        .map_err(Failure::at("ask the simulator"))?;
    let answer = http.oneshot(request).await.map_err(|error| {
        Failure::at(format!("reach the simulator at {}", running.address))(error)
            .hint("start the simulator again in an empty folder: flowswap sim --dir DIR")
    })?;
    serde_json::from_slice(answer.body()).map_err(Failure::at("read the simulator's response"))
}
