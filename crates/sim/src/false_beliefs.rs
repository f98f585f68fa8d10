//! Which beliefs are false in a world, and how often each took effect.

use std::collections::{BTreeMap, HashMap};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::beliefs::Belief;
use crate::lock::lock;

/// The number of scheduled syncs that a directory makes before it stops.
const SYNCS_BEFORE_SILENCE: u32 = 2;

/// The beliefs that are false in a world, and how often each took effect.
#[derive(Debug, Default)]
pub(crate) struct FalseBeliefs {
    counts: BTreeMap<Belief, AtomicU32>,
    /// The scheduled syncs of each directory since it was reconnected.
    syncs: Mutex<HashMap<String, u32>>,
}

impl FalseBeliefs {
    pub(crate) fn new(beliefs: &[Belief]) -> Self {
        Self { counts: beliefs.iter().map(|belief| (*belief, AtomicU32::new(0))).collect(), ..Self::default() }
    }

    /// Whether the belief is false. If it is, this counts one effect.
    pub(crate) fn takes_effect(&self, belief: Belief) -> bool {
        let Some(count) = self.counts.get(&belief) else { return false };
        count.fetch_add(1, Ordering::Relaxed);
        true
    }

    pub(crate) fn is_false(&self, belief: Belief) -> bool {
        self.counts.contains_key(&belief)
    }

    pub(crate) fn count_effects(&self) -> BTreeMap<Belief, u32> {
        self.counts.iter().map(|(belief, count)| (*belief, count.load(Ordering::Relaxed))).collect()
    }

    /// Whether a reconnected directory makes its next sync. If `syncs-go-on` is false, it makes only the first few.
    pub(crate) fn makes_next_sync(&self, directory: &str) -> bool {
        if !self.is_false(Belief::SyncsGoOn) {
            return true;
        }
        let mut syncs = lock(&self.syncs);
        let made = syncs.entry(directory.to_owned()).or_default();
        *made += 1;
        *made <= SYNCS_BEFORE_SILENCE || !self.takes_effect(Belief::SyncsGoOn)
    }

    /// Counts an effect that comes from a setting.
    pub(crate) fn count_effect(&self, belief: Belief) {
        self.takes_effect(belief);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn effects_of_a_false_belief_are_counted() {
        let false_beliefs = FalseBeliefs::new(&[Belief::NameStays]);
        assert!(false_beliefs.takes_effect(Belief::NameStays) && !false_beliefs.takes_effect(Belief::ActorIsClient));
        assert_eq!(false_beliefs.count_effects(), [(Belief::NameStays, 1)].into());
    }
}
