//! `flowswap resolve`: a person decides what is so of a step that nothing else can settle.

use flowswap_contract::Values;
use flowswap_engine::{Decision, JournalError, Resolution, ResolveError, TenantState};
use serde::Serialize;

use super::{started, status, stuck};
use crate::{
    args::{ResolveArgs, Stands},
    context::{Context, read_history, user},
    display::text::{Text, text},
    exit::{Exit, Failure},
    fleet::{Fleet, select},
};

/// The report; scripts rely on its names.
#[derive(Serialize)]
struct Report {
    name: String,
    step: String,
    resolved: Resolution,
    missing: Vec<String>,
    next: Option<String>,
}

pub(crate) async fn run(context: &Context, args: &ResolveArgs) -> Result<Exit, Failure> {
    let config = context.load_config()?;
    let name = &args.tenant;
    select(&config, std::slice::from_ref(name))?;
    let decision = Decision {
        stands: match args.stands {
            Stands::Applied => Resolution::Applied,
            Stands::NotApplied => Resolution::NotApplied,
        },
        outputs: args.outputs.iter().map(|(name, value)| (name.clone(), value.clone().into())).collect::<Values>(),
        reason: args.reason.trim().to_owned(),
        by: user(),
    };
    let seen = read_history(&config).await?;
    let tenant = seen.tenant(name).ok_or_else(|| unknown(name))?;
    if tenant.state != TenantState::Stuck {
        return Err(refuse(name, ResolveError::NotStuck { state: tenant.state }));
    }
    let question = format!("Put down that this step is {}?", decision.stands);
    context.terminal.confirm(&stuck::describe(name, tenant), &question, args.yes)?;

    // What was shown may be old by now: only the writer of the journal decides on it.
    let (ports, history) = context.run_ports(&config, context.progress()).await?;
    let Some(known) = history.tenant(name) else { return Err(unknown(name)) };
    let stands = decision.stands;
    let fleet = Fleet::open(context, &config, std::slice::from_ref(name), &ports).await?;
    let Some(tenant) = fleet.tenants.first() else { return Err(unknown(name)) };
    let resolved =
        started::runner(ports).resolve(tenant, known, decision).await.map_err(|error| refuse(name, error))?;

    let now = read_history(&config).await?;
    let next = now.tenant(name).and_then(|tenant| status::next(name, tenant));
    let report = Report { name: name.clone(), step: resolved.step, resolved: stands, missing: resolved.missing, next };
    context.terminal.report(&report, || text(&report))?;
    Ok(Exit::Done)
}

fn text(report: &Report) -> Text {
    let Report { name, step, resolved, missing, next } = report;
    let mut text = text!("{}: step `{}` is {}, as you say\n", name, step, resolved);
    if !missing.is_empty() {
        text += text!("`{}` is in nobody's hands; it is replaced when the tenant goes on\n", missing.join("`, `"));
    }
    if let Some(next) = next {
        text += text!("next: {}\n", next);
    }
    text
}

fn unknown(name: &str) -> Failure {
    Failure::new(Exit::Usage, format!("nothing was begun on the tenant `{name}`"))
        .hint("`flowswap stuck` lists the tenants that need a decision")
}

fn refuse(name: &str, error: ResolveError) -> Failure {
    let (exit, hint) = match &error {
        ResolveError::NotStuck { .. } | ResolveError::NotBegun { .. } => {
            (Exit::Usage, "`flowswap stuck` lists the tenants that need a decision".to_owned())
        }
        ResolveError::OnlyLooks { .. } => {
            (Exit::Usage, format!("run the same command again to look once more, or go back: flowswap rollback {name}"))
        }
        ResolveError::Contradicted { .. } => {
            (Exit::Refused, format!("nothing was put down; `flowswap stuck {name}` shows what else can be done"))
        }
        ResolveError::NothingSent { .. } => (
            Exit::Usage,
            "give the same command again; or, once nothing of it is left in the org, say `--as not-applied`".to_owned(),
        ),
        ResolveError::UnknownOutput { output, .. } => (Exit::Usage, format!("pass `--output {output}=VALUE`")),
        ResolveError::ForeignOutput { .. } => {
            (Exit::Usage, "a secret is never said: it is in custody, or it is replaced".to_owned())
        }
        ResolveError::NoReason => (Exit::Usage, "say how you know, for whoever reads the journal later".to_owned()),
        ResolveError::Secrets(_) | ResolveError::Journal(JournalError::Storage { .. }) => {
            (Exit::Failed, "nothing was decided; run the same command again".to_owned())
        }
        ResolveError::Journal(_) => (Exit::Failed, "`flowswap audit verify` looks through the journal".to_owned()),
    };
    Failure::new(exit, error).hint(hint)
}
