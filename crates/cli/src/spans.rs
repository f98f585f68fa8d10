//! What is open while a run goes on: the run, in it the tenants that are at work, and in each of these its step. The events of the
//! engine open and close them. The engine itself knows nothing of spans.

use std::collections::BTreeMap;

use flowswap_engine::{Event, RunId};

/// The spans that are open.
pub(crate) struct Spans<S> {
    run: Option<S>,
    tenants: BTreeMap<String, S>,
    steps: BTreeMap<String, S>,
}

/// What an event begins.
#[derive(Clone, Copy)]
pub(crate) enum Begun<'a> {
    /// A run.
    Run(RunId),
    /// The work on a tenant.
    Tenant(&'a str),
    /// A step.
    Step(&'a str),
}

impl<S> Spans<S> {
    /// Opens what an event begins. `make` gets the span around it, which only a run lacks.
    pub(crate) fn open(&mut self, event: &Event, make: impl FnOnce(Begun<'_>, Option<&S>) -> S) {
        match event {
            Event::RunStarted { run, .. } => self.run = Some(make(Begun::Run(*run), None)),
            Event::TenantStarted { tenant, .. } => {
                let span = make(Begun::Tenant(tenant), self.run.as_ref());
                self.tenants.insert(tenant.clone(), span);
            }
            Event::StepStarted { tenant, step, .. } => {
                let span = make(Begun::Step(step), self.tenants.get(tenant).or(self.run.as_ref()));
                self.steps.insert(tenant.clone(), span);
            }
            _ => {}
        }
    }

    /// The innermost span of an event.
    pub(crate) fn around(&mut self, event: &Event) -> Option<&mut S> {
        let tenant = tenant_of(event);
        let of_tenant = tenant.and_then(|tenant| self.steps.get_mut(tenant).or_else(|| self.tenants.get_mut(tenant)));
        of_tenant.or(self.run.as_mut())
    }

    /// Drops what an event ends.
    pub(crate) fn close(&mut self, event: &Event) {
        match event {
            Event::StepEnded { tenant, .. } | Event::StepFailed { tenant, .. } => drop(self.steps.remove(tenant)),
            Event::TenantEnded { tenant, .. } => {
                self.steps.remove(tenant);
                self.tenants.remove(tenant);
            }
            _ => {}
        }
    }
}

impl<S> Default for Spans<S> {
    fn default() -> Self {
        Self { run: None, tenants: BTreeMap::new(), steps: BTreeMap::new() }
    }
}

/// The id of a run as OpenTelemetry writes it. With hyphens, it is the first part of every intent token.
pub(crate) fn trace_id(run: RunId) -> String {
    run.to_string().replace('-', "")
}

fn tenant_of(event: &Event) -> Option<&str> {
    match event {
        Event::RunStarted { .. }
        | Event::FewerAtOnce { .. }
        | Event::RunPaused { .. }
        | Event::RunUnpaused { .. }
        | Event::RunCanceled { .. }
        | Event::StartsHeld { .. }
        | Event::StartsReleased
        | Event::StartsHalted { .. } => None,
        Event::TenantStarted { tenant, .. }
        | Event::ChangesAccepted { tenant, .. }
        | Event::StepStarted { tenant, .. }
        | Event::StepEnded { tenant, .. }
        | Event::StepFailed { tenant, .. }
        | Event::Request { tenant, .. }
        | Event::Waiting { tenant, .. }
        | Event::OperatorAsked { tenant, .. }
        | Event::Progress { tenant, .. }
        | Event::TenantEnded { tenant, .. }
        | Event::TenantRefused { tenant, .. }
        | Event::TenantSkipped { tenant, .. } => Some(tenant),
        Event::Log { tenant, .. } => tenant.as_deref(),
    }
}
