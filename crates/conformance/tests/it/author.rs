//! A plugin's own test, as its author writes it.

use crate::world::Clients;

flowswap_conformance::conformance!("rogue", || Box::new(Clients::new(None)));
