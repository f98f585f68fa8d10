//! Which stored secrets a call has brought, or may bring with a request that is not finished.

use std::{
    collections::BTreeSet,
    sync::{Mutex, MutexGuard, PoisonError},
};

use flowswap_contract::Handle;

/// The names that are taken within one call.
#[derive(Debug, Default)]
pub(crate) struct Brought(Mutex<BTreeSet<Handle>>);

/// The stored secrets that one request may bring. When it is dropped, the names of those that did not arrive are free again.
#[derive(Debug)]
pub(crate) struct Expected<'a> {
    brought: &'a Brought,
    handles: Vec<Handle>,
}

impl Brought {
    /// A request that may bring secrets, and expects none so far.
    pub(crate) fn begin(&self) -> Expected<'_> {
        Expected { brought: self, handles: Vec::new() }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeSet<Handle>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Expected<'_> {
    /// Takes the name, unless it is taken.
    pub(crate) fn take(&mut self, handle: &Handle) -> bool {
        let is_free = self.brought.lock().insert(handle.clone());
        if is_free {
            self.handles.push(handle.clone());
        }
        is_free
    }

    /// The secrets that have not arrived.
    pub(crate) fn handles(&self) -> &[Handle] {
        &self.handles
    }

    /// The secret is stored, so its name stays taken.
    pub(crate) fn arrived(&mut self, handle: &Handle) {
        self.handles.retain(|expected| expected != handle);
    }
}

impl Drop for Expected<'_> {
    fn drop(&mut self) {
        let mut brought = self.brought.lock();
        for handle in &self.handles {
            brought.remove(handle);
        }
    }
}
