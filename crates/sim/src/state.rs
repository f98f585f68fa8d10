//! The whole world behind one pointer, locked org by org and directory by directory.
//!
//! No lock is held across an await. The lock of a directory is always taken before the lock of its org.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard};

use jiff::{SignedDuration, Timestamp};

use crate::beliefs::Belief;
use crate::clock::Clock;
use crate::config::SimConfig;
use crate::directory::Directory;
use crate::false_beliefs::FalseBeliefs;
use crate::faults::FaultBook;
use crate::lock::lock;
use crate::message::{Reply, Request};
use crate::okta::{self, model::Org};
use crate::tenant::{ServiceAccount, SimTenant};
use crate::tokens::Tokens;
use crate::traffic::Exchange;

/// What a new world contains.
pub(crate) struct Contents {
    pub(crate) orgs: Vec<Org>,
    pub(crate) directories: Vec<Directory>,
    pub(crate) tenants: Vec<SimTenant>,
    pub(crate) gateway_token: String,
    pub(crate) admin_token: String,
    pub(crate) parent: ServiceAccount,
}

/// The whole world.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) config: SimConfig,
    pub(crate) clock: Clock,
    /// Orgs by host name.
    pub(crate) orgs: BTreeMap<String, Mutex<Org>>,
    pub(crate) directories: Vec<Mutex<Directory>>,
    directory_index: HashMap<String, usize>,
    pub(crate) tenants: Vec<SimTenant>,
    pub(crate) gateway_token: String,
    /// The account that may request a token for any tenant's group.
    pub(crate) parent: ServiceAccount,
    pub(crate) cie_tokens: Mutex<Tokens>,
    pub(crate) admin_token: String,
    /// How far the clocks of all hosts but the orgs are ahead.
    skews: Mutex<BTreeMap<String, SignedDuration>>,
    pub(crate) faults: Mutex<FaultBook>,
    /// The beliefs that are false in this world.
    pub(crate) false_beliefs: FalseBeliefs,
    /// Directories that no interface shows. They use the legacy clients of these orgs.
    pub(crate) unseen: Vec<Mutex<Directory>>,
    pub(crate) traffic: Mutex<Vec<Exchange>>,
}

impl State {
    pub(crate) fn new(config: SimConfig, clock: Clock, contents: Contents) -> Self {
        let is_alone = !config.false_beliefs.contains(&Belief::OneDirectoryPerLegacyClient);
        let unseen = contents.directories.iter().filter(|_| !is_alone).map(Directory::unseen).map(Mutex::new).collect();
        let ids = contents.directories.iter().enumerate().map(|(index, directory)| (directory.id.clone(), index));
        Self {
            directory_index: ids.collect(),
            orgs: contents.orgs.into_iter().map(|org| (org.domain.clone(), Mutex::new(org))).collect(),
            directories: contents.directories.into_iter().map(Mutex::new).collect(),
            tenants: contents.tenants,
            gateway_token: contents.gateway_token,
            parent: contents.parent,
            cie_tokens: Mutex::new(Tokens::new(config.seed)),
            admin_token: contents.admin_token,
            skews: Mutex::new(config.skews.clone()),
            faults: Mutex::default(),
            false_beliefs: FalseBeliefs::new(&config.false_beliefs),
            unseen,
            traffic: Mutex::default(),
            config,
            clock,
        }
    }

    pub(crate) fn directory(&self, id: &str) -> Option<MutexGuard<'_, Directory>> {
        let index = *self.directory_index.get(id)?;
        self.directories.get(index).map(lock)
    }

    pub(crate) fn org(&self, host: &str) -> Option<MutexGuard<'_, Org>> {
        self.orgs.get(host).map(lock)
    }

    /// How far a host's clock is ahead of the world's.
    pub(crate) fn skew_of(&self, host: &str) -> SignedDuration {
        let of_org = self.org(host).map(|org| org.skew);
        of_org.unwrap_or_else(|| lock(&self.skews).get(host).copied().unwrap_or_default())
    }

    /// Sets how far a host's clock is ahead of the world's, from now on.
    pub(crate) fn set_skew(&self, host: &str, ahead: SignedDuration) {
        match self.org(host) {
            Some(mut org) => org.skew = ahead,
            None => {
                lock(&self.skews).insert(host.to_owned(), ahead);
            }
        }
    }

    /// Carries out a request of a directory. It is not counted or recorded and has no faults, because those are for the
    /// tool under test.
    pub(crate) fn ask_org(&self, request: &Request, now: Timestamp) -> Option<Reply> {
        self.org(&request.host()).map(|mut org| okta::handle(&mut org, request, now))
    }
}
