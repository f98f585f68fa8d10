//! What a tenant can be selected by.

use std::{borrow::Cow, collections::BTreeMap};

use flowswap_config::TenantConfig;
use flowswap_engine::{Overview, TenantState, Verdict};

/// A tenant that may be selected.
pub(crate) struct Candidate<'a> {
    pub(crate) name: &'a str,
    /// `None` if the configuration does not have it.
    pub(super) config: Option<&'a TenantConfig>,
    /// Who was asked to carry out its open run sheet.
    asked: Option<&'a str>,
    pub(super) state: TenantState,
    /// Its verdict, in its last plan or now.
    pub(super) verdict: Option<Verdict>,
    /// The wave of its last plan, or of the plan at hand.
    pub(super) wave: Option<Cow<'a, str>>,
    /// The ids of its findings, in its last plan or now.
    pub(super) findings: Cow<'a, [String]>,
}

impl<'a> Candidate<'a> {
    /// A tenant as the configuration and the journal know it.
    pub(crate) fn of(name: &'a str, config: Option<&'a TenantConfig>, known: &'a BTreeMap<String, Overview>) -> Self {
        let known = known.get(name);
        Self {
            name,
            config,
            asked: known.and_then(|known| known.asked_owner.as_deref()),
            state: known.map_or(TenantState::Unplanned, |known| known.state),
            verdict: known.and_then(|known| known.verdict),
            wave: known.and_then(|known| known.wave.as_deref()).map(Cow::Borrowed),
            findings: Cow::Borrowed(known.map_or(&[], |known| known.findings.as_slice())),
        }
    }

    /// The same tenant, as somebody has just seen it, or as a plan has it.
    #[must_use]
    pub(crate) fn seen(self, verdict: Verdict, findings: Vec<String>) -> Self {
        Self { verdict: Some(verdict), findings: Cow::Owned(findings), ..self }
    }

    /// The same tenant, in the wave of a plan.
    #[must_use]
    pub(crate) fn in_wave(self, wave: Option<&str>) -> Self {
        Self { wave: wave.map(|wave| Cow::Owned(wave.to_owned())), ..self }
    }

    /// Who was asked to carry out its run sheet, or else its owner in the configuration.
    pub(super) fn owner(&self) -> Option<&'a str> {
        self.asked.or_else(|| self.config?.owner.as_deref())
    }

    pub(super) fn label(&self, name: &str) -> Option<&'a str> {
        self.config?.labels.get(name).map(String::as_str)
    }
}
