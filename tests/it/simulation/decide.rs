//! Decides about stuck tenants, as `flowswap resolve` does, with the truth from the whole simulated world. Only tenants
//! that another person changed may need such a decision.

use flowswap_contract::Values;
use flowswap_engine::{Decision, Resolution, Runner, TenantHistory, TenantState};
use serde_json::json;

use super::machine::Machine;

impl Machine {
    /// Decides about every tenant that is stuck in doubt. Returns whether there was any.
    pub(crate) async fn decide(&self) -> bool {
        let history = self.history();
        let stuck: Vec<_> = history.tenants().filter(|(_, tenant)| is_in_doubt(tenant)).collect();
        for (name, tenant) in &stuck {
            if self.watch.is_undisturbed(name) {
                let reason = tenant.reason.as_deref().unwrap_or_default();
                self.watch.fail(format!("{name} needs a decision, although nobody changed it: {reason}"));
            }
            let decision = self.find_truth(name, tenant);
            self.fate.note(format!("decide: {name} {decision:?}"));
            self.run(None, async |process| {
                let Some(session) = process.tenants.iter().find(|tenant| tenant.spec.name == **name) else { return };
                let runner = Runner::new(process.ports, process.run);
                if let Err(error) = runner.resolve(session, decision).await {
                    self.watch.fail(format!("{name}: a true decision was refused: {error}"));
                }
            })
            .await;
            self.watch.decided();
        }
        !stuck.is_empty()
    }

    /// The true state of the step in doubt, as a decision.
    fn find_truth(&self, name: &str, tenant: &TenantHistory) -> Decision {
        let work = tenant.work.as_ref().unwrap();
        let clients = self.watch.live_clients(name);
        let known = self.watch.tenant(name);
        let world = self.sim.world();
        let org = world.orgs.iter().find(|org| org.domain == known.domain).unwrap();
        let step = work.doubt.as_ref().map_or("", |doubt| doubt.step.as_str());
        let mut outputs = Values::new();
        let stands = match step {
            "provision" => {
                outputs.extend(clients.first().map(|id| ("client_id".to_owned(), json!(id))));
                !clients.is_empty()
            }
            "swap" => {
                let now = self.sim.clock().now().to_string();
                outputs.insert("swapped_at".to_owned(), json!(now));
                clients.contains(&self.client_in_use(known))
            }
            _ => {
                let payload = work.tenant.step(step).unwrap().proposal.payload.to_value();
                let app = org.legacy.iter().find(|legacy| payload["app_id"] == legacy.id.as_str());
                app.is_none_or(|app| step == "retire" && app.status == "INACTIVE")
            }
        };
        let stands = if stands { Resolution::Applied } else { Resolution::NotApplied };
        Decision { stands, outputs, reason: "seen from above".to_owned() }
    }
}

fn is_in_doubt(tenant: &TenantHistory) -> bool {
    tenant.state == TenantState::Stuck && tenant.work.as_ref().is_some_and(|work| work.doubt.is_some())
}
