//! A plan file that was checked. Its tenants stay text until they are needed, so that a plan of thousands takes little memory.

use std::{
    cell::RefCell,
    collections::BTreeMap,
    io::{self, Write},
    ops::Range,
    panic::resume_unwind,
    sync::Arc,
    thread,
};

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, value::RawValue};

use super::{Canonical, Outline, PLAN_FORMAT, Plan, PlanError, PlanPart, PlannedTenant, PluginPin, lint::Linter};
use crate::{
    Actor, Wave,
    canonical::{digest_sorted, render_sorted},
};

/// The text of a plan that nobody changed since it was written.
#[derive(Debug)]
pub struct PlanFile {
    text: String,
    /// The plan without its tenants.
    head: Plan,
    /// Every tenant, and where its part is in the text.
    tenants: Vec<(Outline, Range<usize>)>,
    /// Positions in `tenants`.
    by_name: BTreeMap<String, usize>,
    /// The name of the wave of each tenant that is in one.
    wave_by_tenant: BTreeMap<String, String>,
}

/// What tells whether a plan file can be decoded.
#[derive(Deserialize)]
struct Format {
    format: Option<Value>,
}

/// A plan whose tenants are not decoded.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Shell<'a> {
    format: u32,
    created_at: Timestamp,
    not_after: Timestamp,
    #[serde(default)]
    made_by: Option<Actor>,
    plugins: BTreeMap<String, PluginPin>,
    #[serde(borrow)]
    tenants: Vec<&'a RawValue>,
    #[serde(default)]
    waves: Vec<Wave>,
    digest: String,
}

impl PlanFile {
    /// Checks the text of a plan file.
    ///
    /// # Errors
    ///
    /// If a single byte differs from what was written, if another version wrote it, or if the plan has defects.
    pub fn read(text: String) -> Result<Self, PlanError> {
        // Checks the format first, because a plan of another version may not decode.
        let Format { format } = serde_json::from_str(&text).map_err(PlanError::Malformed)?;
        match format.as_ref().and_then(Value::as_u64).and_then(|format| u32::try_from(format).ok()) {
            Some(PLAN_FORMAT) => {}
            Some(other) => return Err(PlanError::Format(other)),
            None => return Err(PlanError::Malformed(serde::de::Error::missing_field("format"))),
        }
        let Shell { format, created_at, not_after, made_by, plugins, tenants: parts, waves, digest } =
            serde_json::from_str(&text).map_err(|_| PlanError::Changed)?;
        let head = Plan { format, created_at, not_after, made_by, plugins, tenants: Vec::new(), waves, digest };
        let checking = RefCell::new((Linter::new(&head), Vec::new()));
        let check = |part: &&RawValue| {
            let tenant = decode(part.get())?;
            let (linter, tenants) = &mut *checking.borrow_mut();
            linter.check(&tenant);
            tenants.push((tenant.outline(), place_of(part.get(), &text)));
            Ok(tenant)
        };
        let unchecked = Canonical { head: &head, digest: "", tenants: || parts.iter().map(|part| decode(part.get())) };
        let checked = Canonical { head: &head, digest: &head.digest, tenants: || parts.iter().map(check) };
        // Both take a while for thousands of tenants, and everything waits for them.
        let (digest, is_same_text) = thread::scope(|scope| {
            let digest = scope.spawn(|| digest_sorted(&unchecked));
            let mut rest = Rest(text.as_bytes());
            let is_same_text = render_sorted(&checked, &mut rest).is_ok() && rest.0.is_empty();
            (digest.join(), is_same_text)
        });
        let digest = digest.unwrap_or_else(|panic| resume_unwind(panic));
        if !is_same_text || digest.ok().as_ref() != Some(&head.digest) {
            return Err(PlanError::Changed);
        }
        let (linter, tenants): (Linter<'_>, Vec<_>) = checking.into_inner();
        linter.finish()?;
        let by_name = (0..).zip(&tenants).map(|(index, (outline, _))| (outline.name.clone(), index)).collect();
        let waves = head.wave_by_tenant().into_iter();
        let wave_by_tenant = waves.map(|(tenant, wave)| (tenant.to_owned(), wave.to_owned())).collect();
        Ok(Self { text, head, tenants, by_name, wave_by_tenant })
    }

    /// The plan without its tenants.
    pub fn head(&self) -> &Plan {
        &self.head
    }

    /// The text of the file.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// All tenants in short, in the order of the file.
    pub fn outlines(&self) -> impl Iterator<Item = &Outline> {
        self.tenants.iter().map(|(outline, _)| outline)
    }

    /// The part of a tenant that has steps. `path` is the file of the plan.
    pub fn part(&self, tenant: &str, path: &str) -> Option<PlanPart> {
        let (_, place) = self.tenants.get(*self.by_name.get(tenant)?).filter(|(outline, _)| outline.steps > 0)?;
        Some(PlanPart::of(&self.head, Arc::new(self.decode(place)?), self.wave_of(tenant), Some(path)))
    }

    /// The name of the wave that a tenant is in.
    pub fn wave_of(&self, tenant: &str) -> Option<&str> {
        self.wave_by_tenant.get(tenant).map(String::as_str)
    }

    /// The whole plan.
    pub fn into_plan(mut self) -> Plan {
        self.head.tenants = self.tenants.iter().filter_map(|(_, place)| self.decode(place)).collect();
        self.head
    }

    fn decode(&self, place: &Range<usize>) -> Option<PlannedTenant> {
        // It was decoded when the file was checked.
        decode(&self.text[place.clone()]).ok()
    }
}

fn decode(text: &str) -> Result<PlannedTenant, serde_json::Error> {
    serde_json::from_str(text)
}

/// Where a part of a text is.
fn place_of(part: &str, text: &str) -> Range<usize> {
    let start = part.as_ptr().addr() - text.as_ptr().addr();
    start..start + part.len()
}

/// Takes only the bytes of a text that is known, in their order.
struct Rest<'a>(&'a [u8]);

impl Write for Rest<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 = self.0.strip_prefix(bytes).ok_or(io::ErrorKind::InvalidData)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
