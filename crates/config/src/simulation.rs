//! `[simulation]`: a world whose clock can be moved. `flowswap sim` writes this table.

use std::net::SocketAddr;

use crate::{diagnostic::Diagnostic, reader::Reader, tree::Table};

/// A simulator on this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Simulation {
    /// Where it answers, which is a loopback address.
    pub address: SocketAddr,
    /// The path at which it says how far its clock was moved.
    pub path: String,
}

impl Reader {
    pub(crate) fn read_simulation(&mut self, root: &Table) -> Option<Simulation> {
        let entry = root.get("simulation")?;
        let table = self.table(root, "simulation");
        self.check_keys(&table, &["clock"], "`[simulation]`");
        let node = table.get("clock").map_or(&entry.node, |clock| &clock.node);
        let simulation = node.as_text().and_then(read_url);
        if simulation.is_none() {
            let error = Diagnostic::new("`[simulation]` names no clock on this machine");
            let error = error.at(node.at, "expected `clock = \"http://127.0.0.1:PORT/clock\"`");
            self.refuse(error.help("for real tenants, remove the table; only the simulator writes it"));
        }
        simulation
    }
}

/// Another machine must not decide what time it is here.
fn read_url(url: &str) -> Option<Simulation> {
    let (authority, path) = url.strip_prefix("http://")?.split_once('/')?;
    let address: SocketAddr = authority.parse().ok()?;
    let is_plain = path.chars().all(|c| c.is_ascii_alphanumeric() || "/-_.".contains(c));
    (address.ip().is_loopback() && is_plain).then(|| Simulation { address, path: format!("/{path}") })
}
