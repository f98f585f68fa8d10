//! The conformance test of a plugin, as its author would write it.

use crate::world::Clients;

flowswap_conformance::conformance!("rogue", || Box::new(Clients::new(None)));
