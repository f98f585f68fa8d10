//! The points at which a fault can occur, taken from a recorded run without faults.

use std::time::Duration;

use flowswap_sim::{Exchange, Fault, FaultKind, GATEWAY_HOST, SimConfig, SimTenant};

use crate::support::Lab;

/// A request that every tenant makes, with placeholders for the names of one tenant's objects.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Point {
    host: String,
    method: String,
    path: String,
    /// How many requests of this kind precede it.
    skip: u32,
}

/// A tenant's own names and their placeholders.
struct Names(Vec<(String, &'static str)>);

/// The kinds of runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Run {
    /// `apply`.
    Forward,
    /// `apply` in which the answer to the creation of the client is lost, and the client's secret with it.
    Recovery,
    /// `rollback`, of a migrated tenant.
    Back,
    /// `finalize --purge`, of a retired tenant.
    Purge,
    /// `finalize`, of a migrated tenant.
    Retire,
}

impl Run {
    pub(crate) fn args(self) -> &'static [&'static str] {
        match self {
            Self::Forward | Self::Recovery => &["apply", "plan.json", "--yes"],
            Self::Back => &["rollback", "--all", "--yes"],
            Self::Retire => &["finalize", "--all", "--yes"],
            Self::Purge => &["finalize", "--all", "--purge", "--yes"],
        }
    }

    /// Brings the tenants to the state in which the run begins.
    pub(crate) fn prepare(self, lab: &Lab, tenants: &[String]) {
        let names = tenants.iter().map(String::as_str);
        let args: Vec<&str> = ["plan", "-o", "plan.json", "-q"].into_iter().chain(names).collect();
        lab.run(&args).expect(0);
        if self == Self::Recovery {
            for tenant in lab.sim.tenants().iter().filter(|tenant| tenants.contains(&tenant.name)) {
                lab.sim.add_fault(lose_the_creation(tenant));
            }
        } else if self != Self::Forward {
            lab.run(Self::Forward.args()).expect(0);
            lab.outlive_tokens();
        }
        if self == Self::Purge {
            lab.run(Self::Retire.args()).expect(0);
        }
    }
}

pub(crate) fn lose_the_creation(tenant: &SimTenant) -> Fault {
    Fault {
        host: tenant.domain.clone(),
        method: Some("POST".to_owned()),
        path: "/integrations/api/v1/api-services".to_owned(),
        query: String::new(),
        kind: FaultKind::DropAfterCommit,
        times: 1,
        skip: 0,
    }
}

/// A fleet with at least this many ready tenants, which are all alike.
pub(crate) fn uniform(ready: usize) -> SimConfig {
    // From 8 tenants on the simulator has 5 that are not ready, and 5 more for every 50.
    let tenants = if ready < 8 { ready } else { ready + 5 * (1 + ready / 45) };
    let config =
        SimConfig::default().tenants(tenants).page_size(50).app_data_every(0).without_authorization_servers_every(0);
    // Every read of a directory's status finds a new sync, however fast the machine is. So each run makes the same requests.
    config.sync_interval(Duration::ZERO)
}

/// All requests of a run that fulfill the condition.
pub(crate) fn record(run: Run, fits: impl Fn(&Exchange) -> bool) -> Vec<Point> {
    let lab = Lab::new(uniform(1).record(true));
    run.prepare(&lab, &["acme".to_owned()]);
    record_in(&lab, run.args(), fits)
}

/// The same for a command of a lab that records, and that has one tenant.
pub(crate) fn record_in(lab: &Lab, args: &[&str], fits: impl Fn(&Exchange) -> bool) -> Vec<Point> {
    let before = lab.sim.traffic().len();
    let mut names = Names::of(lab, &lab.sim.tenants()[0]);
    lab.run(args).expect(0);
    // The run creates and deletes clients, so both states have names to replace.
    names.0.extend(Names::of(lab, &lab.sim.tenants()[0]).0);
    let mut requests: Vec<Point> = Vec::new();
    let mut points = Vec::new();
    for exchange in &lab.sim.traffic()[before..] {
        let path = names.generalize(exchange.path_and_query.split('?').next().unwrap_or_default());
        // A fault matches the beginning of a path, so the part after a name that is not known beforehand can be left
        // out.
        let path = path.split("{client}").next().unwrap_or_default().to_owned();
        let mut point =
            Point { host: names.generalize(&exchange.host), method: exchange.method.clone(), path, skip: 0 };
        point.skip = requests.iter().filter(|earlier| point.hits(earlier)).count().try_into().unwrap();
        if fits(exchange) {
            points.push(point.clone());
        }
        requests.push(point);
    }
    points
}

/// Whether a request changes something or requests a token.
pub(crate) fn is_write(exchange: &Exchange) -> bool {
    exchange.method != "GET"
}

impl Point {
    /// The fault at this point, for a tenant.
    pub(crate) fn fault(&self, lab: &Lab, tenant: &SimTenant, kind: FaultKind, times: u32) -> Fault {
        let names = Names::of(lab, tenant);
        Fault {
            host: names.specialize(&self.host),
            method: Some(self.method.clone()),
            path: names.specialize(&self.path),
            query: String::new(),
            kind,
            times,
            skip: self.skip,
        }
    }

    /// Whether a fault at this point would also affect the other request.
    fn hits(&self, other: &Self) -> bool {
        (&self.host, &self.method) == (&other.host, &other.method) && other.path.starts_with(&self.path)
    }

    /// The name of the point in messages.
    pub(crate) fn name(&self) -> String {
        format!("{} {}{} #{}", self.method, self.host, self.path, self.skip + 1)
    }
}

impl Names {
    fn of(lab: &Lab, tenant: &SimTenant) -> Self {
        let org = lab.org(tenant);
        let mut names = vec![
            (tenant.domain.clone(), "{domain}"),
            (GATEWAY_HOST.to_owned(), "{gateway}"),
            (tenant.directory_id.clone(), "{directory}"),
            (org.sync_admin.clone(), "{administrator}"),
        ];
        names.extend(org.legacy.iter().map(|legacy| (legacy.id.clone(), "{legacy}")));
        names.extend(org.service_clients.iter().map(|client| (client.id.clone(), "{client}")));
        Self(names)
    }

    fn generalize(&self, text: &str) -> String {
        self.0.iter().fold(text.to_owned(), |text, (name, word)| text.replace(name, word))
    }

    fn specialize(&self, text: &str) -> String {
        self.0.iter().fold(text.to_owned(), |text, (name, word)| text.replace(word, name))
    }
}
