//! `flowswap rotate`: plans another client secret for tenants that use the client-credential flow. The plan is shown, applied,
//! finalized, and rolled back like that of a migration.

use std::sync::Arc;

use flowswap_contract::{ClientSecret, Rotation};
use flowswap_engine::{Logbook, PlannedTenant, Tenant};
use jiff::{SignedDuration, Timestamp};

use super::plan::{self, Making};
use crate::{
    args::{RotateArgs, Split},
    context::{Context, read_tenant},
    display::{self, text::text},
    exit::{Exit, Failure},
    terminal::Terminal,
};

pub(crate) async fn run(context: &Context, args: &RotateArgs) -> Result<Exit, Failure> {
    let making = Making {
        select: &args.select,
        output: args.output.as_deref(),
        reports: &args.reports.reports,
        split: Split::None,
        force: args.force,
        rotation: Some(args),
    };
    plan::make(context, &making).await
}

/// Makes tenants ready to be planned for their next rotation.
pub(super) async fn prepare(tenants: &mut [Tenant], args: &RotateArgs, logbook: &Arc<Logbook>) -> Result<(), Failure> {
    if args.drop.is_some() && tenants.len() != 1 {
        let error =
            format!("`--drop` names a secret of one tenant, but {} are selected", display::tenants(tenants.len()));
        return Err(Failure::new(Exit::Usage, error).hint("name that tenant: flowswap rotate TENANT --drop ID"));
    }
    for tenant in tenants {
        let drop = args.drop.clone();
        let known = read_tenant(logbook, &tenant.spec.name).await?;
        tenant.spec.begun = known.as_ref().is_some_and(|known| !known.can_rotate());
        tenant.spec.rotation = Some(match known {
            Some(known) => known.next_rotation(drop),
            None => Rotation { number: 1, previous: None, drop },
        });
    }
    Ok(())
}

/// Leaves out the tenants whose client secret is younger than the person asked for.
pub(super) fn keep_old(tenants: &mut Vec<PlannedTenant>, args: &RotateArgs, now: Timestamp, terminal: Terminal) {
    let Some(age) = args.older_than.and_then(|age| SignedDuration::try_from(age).ok()) else { return };
    let before = tenants.len();
    tenants.retain(|tenant| newest_secret(tenant).is_none_or(|made_at| now.duration_since(made_at) >= age));
    let young = before - tenants.len();
    if young > 0 {
        terminal.say(text!("{} left out: the client secret is younger", display::tenants(young)));
    }
}

/// When the newest secret of the client that the directory uses was made. `None` if nobody knows.
fn newest_secret(tenant: &PlannedTenant) -> Option<Timestamp> {
    let seen = tenant.seen()?;
    let client = seen.directory.client_id.as_ref()?;
    let client = seen.provider.service_clients.iter().find(|known| known.id == *client)?;
    let made = client.secrets.iter().filter(|secret| secret.is_active());
    made.map(|ClientSecret { created_at, .. }| created_at.parse().ok())
        .collect::<Option<Vec<Timestamp>>>()?
        .into_iter()
        .max()
}
