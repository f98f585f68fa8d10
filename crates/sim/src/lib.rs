//! A strict, stateful simulator of Okta orgs and of the Cloud Identity Engine directories that read from them.
//!
//! Every org is a virtual host `<tenant>.okta.test`. All directories are behind one automation gateway,
//! `gateway.cie.test`, and behind Cloud Identity Engine's own interface, `auth.cie.test` and `api.cie.test`. A person
//! finds them in the console, which has its own port with plain HTTP. Tests and `flowswap sim world` inspect the whole
//! world at `admin.sim.test`. All hosts share one loopback TLS port with a throw-away certificate authority. The `Host`
//! header routes a request.
//!
//! The simulator is strict: it refuses everything that the real API is known to refuse. If no public source says what
//! the real API does, a comment marks the choice.
//!
//! ```no_run
//! # async fn run() -> std::io::Result<()> {
//! let sim = flowswap_sim::Sim::start(flowswap_sim::SimConfig::default().tenants(12), ([127, 0, 0, 1], 0).into()).await?;
//! println!("{} serves {} tenants", sim.addr(), sim.tenants().len());
//! sim.stop().await;
//! # Ok(())
//! # }
//! ```

mod admin;
mod beliefs;
mod cie;
mod client_files;
mod clock;
mod config;
mod console;
mod directory;
mod encoding;
mod false_beliefs;
mod falsify;
mod faults;
mod gateway;
mod ids;
mod lock;
mod message;
mod mutation;
mod okta;
mod population;
mod scenario;
mod script;
mod serve;
mod service;
mod sim;
mod state;
mod tenant;
mod tls;
mod tokens;
mod traffic;
mod wire;
mod world;

pub use beliefs::{BELIEFS, Belief, Row, Source};
pub use client_files::Running;
pub use clock::Clock;
pub use config::{
    ADMIN_HOST, AdminCredential, CIE_API_HOST, CIE_AUTH_HOST, CONSOLE_HOST, Certificate, GATEWAY_HOST, Interface,
    OKTA_SUFFIX, SYNC_EVERY, SimConfig,
};
pub use faults::{Fault, FaultKind, FaultReport};
pub use mutation::{Mutation, Variant};
pub use okta::{
    limits::{OthersView, RateLimits},
    model::RequestCounts,
    service_app::ServiceAppChange,
    services::VariantTypes,
};
pub use scenario::Scenario;
pub use service::SimService;
pub use sim::Sim;
pub use tenant::{AdminApp, ServiceAccount, SimTenant};
pub use traffic::Exchange;
pub use wire::ConnectionClosed;
pub use world::diff::diff;
pub use world::view::{DirectoryView, LegacyView, OrgView, ServiceClientView, SyncView, World};
