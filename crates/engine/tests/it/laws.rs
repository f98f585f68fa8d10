//! Invariants that hold at every moment, whatever went wrong before.

use std::collections::{BTreeMap, BTreeSet};

use flowswap_contract::{Effect, Observed, Op};
use flowswap_engine::{Entry, History, TenantState};

use crate::environment::State;

/// Checks every invariant.
pub(crate) fn assert_lawful(state: &State) {
    assert_eq!(state.violations, Vec::<String>::new());
    let numbers: Vec<u64> = state.records.iter().map(|record| record.seq).collect();
    assert_eq!(numbers, (1..=state.records.len() as u64).collect::<Vec<_>>());
    let history = History::fold(&state.records).unwrap();
    assert_order_of_calls(state);
    assert_journal_is_true(state, &history);
}

/// After a change with an unknown outcome, the next call for its step is `observe`, across all runs and crashes.
fn assert_order_of_calls(state: &State) {
    let mut doubts: BTreeMap<(String, String), Op> = BTreeMap::new();
    for call in &state.calls {
        let Some(step) = &call.step else { continue };
        let key = (call.tenant.clone(), step.clone());
        if matches!(call.op, Op::Apply | Op::Undo) {
            if let Some(before) = doubts.get(&key) {
                panic!("`{}` of {key:?} follows a `{before}` of unknown outcome without an `observe`", call.op);
            }
            if !matches!(call.effect_on_return, Some(Ok(()) | Err(Effect::None))) {
                doubts.insert(key, call.op);
            }
        } else if call.op == Op::Observe && call.effect_on_return == Some(Ok(())) {
            doubts.remove(&key);
        }
    }
}

/// The steps that are done in the journal are applied in the world, and no others, except for the step in doubt.
fn assert_journal_is_true(state: &State, history: &History) {
    for (name, tenant) in history.tenants() {
        let world = &state.worlds[name];
        if !world.can_restore || name.starts_with("manual") || name.starts_with("watched") {
            // A person acts without a record in the journal.
            continue;
        }
        let work = tenant.work.as_ref();
        let doubt = work.and_then(|work| work.doubt.as_ref()).map(|doubt| doubt.step.as_str());
        let done = |step: &str| work.is_some_and(|work| work.is_done(step));
        for step in ["provision", "swap", "retire", "purge"] {
            // The app shows one status for two steps.
            let implied = match step {
                "retire" => done("purge") || doubt == Some("purge"),
                "purge" => doubt == Some("retire"),
                _ => false,
            };
            if doubt == Some(step) || implied {
                continue;
            }
            let expected = if done(step) { Observed::Applied } else { Observed::NotApplied };
            assert_eq!(world.stands(step), expected, "{name}: `{step}`, journal: {:?}", tenant.state);
        }
    }
}

/// Each tenant has one service client, which its directory uses, with one live secret, which is in the secret store.
pub(crate) fn assert_swapped(state: &State) {
    assert_lawful(state);
    for (name, world) in &state.worlds {
        assert!(world.is_working() && !world.connection.changing, "{name}: {world:?}");
        let [(id, client)] = world.clients.iter().collect::<Vec<_>>()[..] else { panic!("{name}: {world:?}") };
        assert_eq!(*id, world.connection.client_id);
        let held: Vec<_> = state.secrets.iter().filter(|(handle, _)| handle.as_str().starts_with(name)).collect();
        let [(_, held)] = held[..] else { panic!("{name}: {} secrets are held", held.len()) };
        assert!(client.secrets == [held.clone()], "{name}: the secret that is held is not the one that is live");
    }
}

/// Nothing is left of the migration: not in the world, not in the secret store, not in the journal's state.
pub(crate) fn assert_rolled_back(before: &State, state: &State) {
    assert_lawful(state);
    assert_eq!(crate::test_fleet::views(before), crate::test_fleet::views(state));
    assert!(state.secrets.is_empty(), "secrets of clients that are gone are still held");
    for (name, tenant) in History::fold(&state.records).unwrap().tenants() {
        assert!(tenant.work.is_none(), "{name} has work left");
        assert!(matches!(tenant.state, TenantState::RolledBack | TenantState::Planned), "{name}: {}", tenant.state);
    }
    assert_secrets_accounted(state);
}

/// Every secret that was stored and is gone was recorded as removed.
pub(crate) fn assert_secrets_accounted(state: &State) {
    let mut recorded = BTreeSet::new();
    for record in &state.records {
        match &record.draft.entry {
            Entry::SecretStored { handle, .. } => drop(recorded.insert(handle.clone())),
            Entry::SecretRemoved { handle } => drop(recorded.remove(handle)),
            _ => {}
        }
    }
    for handle in recorded {
        assert!(state.secrets.contains_key(&handle), "`{handle}` is gone, and nothing says so");
    }
}
