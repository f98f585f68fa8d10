//! The invariants: after every process, and at the end.

use flowswap_engine::{Direction, Goal, TenantHistory, TenantState, Work};
use flowswap_sim::{Scenario, SimTenant, diff};
use serde_json::Value;

use crate::support::read_records;

use super::{
    machine::Machine,
    operator::{Goals, has_reached},
};

impl Machine {
    /// Checks what must be true whenever no process runs.
    pub(crate) fn check_moment(&self) {
        let history = match self.watch.history() {
            Ok(history) => history,
            Err(illegal) => return self.watch.fail(illegal.to_string()),
        };
        for intent in self.watch.open() {
            let work = history.tenant(&intent.tenant).and_then(|tenant| tenant.work.as_ref());
            let doubt = work.and_then(|work| work.doubt.as_ref());
            if doubt.is_none_or(|doubt| doubt.step != intent.step) {
                let (tenant, step) = (&intent.tenant, &intent.step);
                self.watch
                    .fail(format!("{tenant}: a request of `{step}` has no outcome, but the step is not in doubt"));
            }
        }
        for tenant in &self.watch.tenants {
            if let Some(known) = history.tenant(&tenant.name) {
                self.check_tenant(tenant, known);
            }
        }
    }

    fn check_tenant(&self, tenant: &SimTenant, known: &TenantHistory) {
        let name = &tenant.name;
        if known.state == TenantState::RolledBack && self.secrets_of(name).next().is_some() {
            self.watch.fail(format!("{name}: it is rolled back, but one of its secrets is still stored"));
        }
        let Some(work) = known.work.as_ref().filter(|_| self.watch.is_unharmed(name)) else { return };
        let used = self.client_in_use(tenant);
        if known.direction == Direction::Forward && work.is_done("provision") && provisioned(work).is_none() {
            self.watch.fail(format!("{name}: a finished step gave no client or no secret"));
        }
        if let Some((client, handle)) = provisioned(work) {
            let kept = self.secrets_of(name).find(|(known, _)| *known == handle).map(|(_, value)| value);
            match kept {
                None => self.watch.fail(format!("{name}: the secret `{handle}` of a finished step is not in custody")),
                Some(value) if !self.sim.accepts_secret(&tenant.domain, &client, &value) => {
                    self.watch.fail(format!("{name}: the secret in custody does not belong to client {client}"));
                }
                Some(_) => {}
            }
            if known.state.is_swapped_or_later() && used != client {
                self.watch.fail(format!("{name} is {}, and its directory uses {used}, not {client}", known.state));
            }
        }
        let is_ours = self.watch.live_clients(name).contains(&used);
        let is_known =
            || self.secrets_of(name).any(|(_, value)| self.sim.accepts_secret(&tenant.domain, &used, &value));
        if is_ours && !is_known() {
            self.watch.fail(format!("{name}: its directory uses client {used}, whose secret is not in custody"));
        }
    }

    fn secrets_of(&self, tenant: &str) -> impl Iterator<Item = (String, String)> + use<> {
        let kept = self.kept.lock().unwrap().clone();
        let prefix = format!("{tenant}/");
        let of_tenant = move |(handle, _): &(String, String)| handle.starts_with(&prefix);
        kept.into_iter().map(|(handle, secret)| (handle.to_string(), secret.expose().to_owned())).filter(of_tenant)
    }

    /// The client that the tenant's directory uses, even if the directory was renamed.
    pub(crate) fn client_in_use(&self, tenant: &SimTenant) -> String {
        let snapshot = self.sim.snapshot();
        snapshot["directories"][&tenant.directory_id]["connection"]["client_id"].as_str().unwrap_or_default().to_owned()
    }

    /// Checks what must be true after all commands were repeated until nothing changed.
    pub(crate) async fn check_end(&self, untouched: &Value, goals: &Goals) {
        let history = self.history();
        let world = self.sim.snapshot();
        for tenant in self.watch.tenants.iter().filter(|tenant| self.watch.is_undisturbed(&tenant.name)) {
            let name = &tenant.name;
            let Some(known) = history.tenant(name) else { continue };
            let goal = goals.get(name).copied().filter(|_| known.work.is_some()).unwrap_or(Goal::RolledBack);
            if !has_reached(Some(known), goal) {
                let (state, reason) = (known.state, known.reason.as_deref().unwrap_or_default());
                self.watch.fail(format!("{name} does not recover to {goal:?}: it stays {state}: {reason}"));
            } else if known.work.is_none() {
                self.check_undo(tenant, untouched, &world);
            } else if self.watch.live_clients(name).len() != 1 {
                self.watch.fail(format!("{name} is {} without a service client of ours", known.state));
            }
        }
        self.check_journal().await;
    }

    /// Checks that a tenant that was never started, or was rolled back, is as before.
    fn check_undo(&self, tenant: &SimTenant, before: &Value, after: &Value) {
        for (side, key) in [("orgs", &tenant.domain), ("directories", &tenant.directory_id)] {
            let mut lines = diff(&before[side][key], &after[side][key]);
            // Directories sync by themselves, and wrongly configured ones can lose objects by that.
            let is_sound = tenant.scenario == Scenario::Ready;
            lines.retain(|line| !line.starts_with(if is_sound { "/sync/status: " } else { "/sync/" }));
            if !lines.is_empty() {
                self.watch.fail(format!("{} is not as before: {}", tenant.name, lines.join("; ")));
            }
        }
    }

    /// Checks that the journal contains the records that it was given, in an unbroken chain, and no secret.
    async fn check_journal(&self) {
        match read_records(&*self.journal).await {
            Ok(records) if records == self.watch.records() => {}
            Ok(_) => self.watch.fail("the journal does not contain the records that it was given".to_owned()),
            Err(error) => self.watch.fail(error.to_string()),
        }
        let secrets = self.watch.secrets();
        for record in self.watch.records() {
            let text = serde_json::to_string(&record.draft).unwrap();
            if secrets.iter().any(|secret| text.contains(secret.as_str())) {
                self.watch.fail(format!("record {} contains a secret in clear text", record.seq));
            }
        }
    }
}

/// The client that the finished step created, and the name of its secret. `None` while that step is being undone, or if
/// it has no secret because the rollback started when it was half done.
fn provisioned(work: &Work) -> Option<(String, String)> {
    let done = work.done.iter().find(|done| done.id == "provision")?;
    let is_going = |doubt: &flowswap_engine::Doubt| doubt.step == done.id && doubt.direction == Direction::Back;
    if work.doubt.as_ref().is_some_and(is_going) {
        return None;
    }
    let secret = flowswap_contract::Handle::from_value(done.outputs.get("client_secret")?)?;
    Some((done.outputs.get("client_id")?.as_str()?.to_owned(), secret.to_string()))
}
