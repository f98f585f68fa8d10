//! Decides whether a signed approval counts for a plan, and why not.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use crate::{
    ApprovalPredicate, Envelope, Predicate as _, Signer, SignerError, Signers, SshError, Statement, StatementError,
    ssh::verify,
};

/// What an approval must be about in order to count.
#[derive(Debug, Clone)]
pub struct Expected {
    /// The digest of the plan.
    pub plan: String,
    /// The ids of the plan's classes with steps.
    pub classes: BTreeSet<String>,
    /// SHA-256 of what the configuration means for the plan, hexadecimal.
    pub configuration: String,
    /// SHA-256 of each plugin's library, hexadecimal, by its name.
    pub plugins: BTreeMap<String, String>,
    /// The names of the person who made the plan, if that person may not approve it.
    pub excluded: Option<BTreeSet<String>>,
    /// The time.
    pub now: Timestamp,
}

/// An approval that counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Approval {
    /// Who signed it.
    pub signer: Signer,
    /// What it says.
    pub predicate: ApprovalPredicate,
    /// What was signed, and this signature alone.
    pub envelope: Envelope,
}

/// Why an approval does not count.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// The signature is not good.
    #[error("the signature does not count: {0}")]
    Signature(#[from] SshError),
    /// The key does not count.
    #[error(transparent)]
    Signer(#[from] SignerError),
    /// It is signed, but it is not an approval that this version understands.
    #[error("it is signed, but it is not an approval that this version of flowswap understands: {0}")]
    Foreign(#[from] StatementError),
    /// It is about another plan.
    #[error("it approves the plan {0}, and not this one")]
    OtherPlan(String),
    /// It has ended.
    #[error("it was valid only until {0}")]
    Expired(Timestamp),
    /// A plugin is another build.
    #[error("it approves another build of the plugin `{0}`")]
    OtherPlugin(String),
    /// The configuration means something else.
    #[error(
        "the configuration has changed since: the plan's tenants, `[run]`, `[network]`, `[plugins]`, or `[approvals]` differ"
    )]
    OtherConfiguration,
    /// It approves a class that the plan does not have.
    #[error("it approves the class {0}, which this plan does not have")]
    OtherClass(String),
    /// It approves nothing.
    #[error("it approves no class")]
    NoClass,
    /// It does not say why.
    #[error("it gives no reason")]
    NoReason,
    /// The person who made the plan signed it.
    #[error("{0} made the plan, and `approvals.planner_may_approve` is false")]
    Planner(String),
}

/// Decides about each signature of an envelope. Several good signatures of one key are one approval.
pub fn judge(envelope: &Envelope, signers: &Signers, expected: &Expected) -> Vec<Result<Approval, Refusal>> {
    let mut seen = BTreeSet::new();
    let judged = envelope.signatures.iter().map(|signature| judge_one(envelope, signature, signers, expected));
    judged.filter(|judged| judged.as_ref().map_or(true, |it| seen.insert(it.signer.fingerprint.clone()))).collect()
}

fn judge_one(
    envelope: &Envelope,
    signature: &crate::Signature,
    signers: &Signers,
    expected: &Expected,
) -> Result<Approval, Refusal> {
    // Nothing of the payload is looked at before its signature is known to be good.
    let namespace = ApprovalPredicate::NAMESPACE;
    let key = verify(namespace, &envelope.signed_bytes(), &signature.signature)?;
    let signer = signers.find(&key, namespace, expected.now)?;
    let predicate = Statement::read(envelope)?.check(expected)?;
    if expected.excluded.as_ref().is_some_and(|names| signers.is_called(&signer, names)) {
        return Err(Refusal::Planner(signer.principals.iter().cloned().collect::<Vec<_>>().join(", ")));
    }
    let signature = crate::Signature { key_id: signer.fingerprint.clone(), signature: signature.signature.clone() };
    Ok(Approval { signer, predicate, envelope: Envelope { signatures: vec![signature], ..envelope.clone() } })
}

/// How many different people gave these approvals.
pub fn count_persons<'a>(approvals: impl IntoIterator<Item = &'a Approval>) -> usize {
    approvals.into_iter().map(|approval| approval.signer.person).collect::<BTreeSet<_>>().len()
}

impl Statement<ApprovalPredicate> {
    /// What it says, if it is about what is expected.
    fn check(self, expected: &Expected) -> Result<ApprovalPredicate, Refusal> {
        let (subject, predicate) = self.into_one()?;
        if subject.digest.sha256 != expected.plan {
            return Err(Refusal::OtherPlan(subject.digest.sha256));
        }
        if expected.now > predicate.not_after {
            return Err(Refusal::Expired(predicate.not_after));
        }
        let names: BTreeSet<&String> = predicate.plugins.keys().chain(expected.plugins.keys()).collect();
        let other = names.into_iter().find(|name| predicate.plugins.get(*name) != expected.plugins.get(*name));
        if let Some(other) = other {
            return Err(Refusal::OtherPlugin(other.clone()));
        }
        if predicate.configuration != expected.configuration {
            return Err(Refusal::OtherConfiguration);
        }
        if let Some(other) = predicate.classes.difference(&expected.classes).next() {
            return Err(Refusal::OtherClass(other.clone()));
        }
        if predicate.classes.is_empty() {
            return Err(Refusal::NoClass);
        }
        if predicate.reason.trim().is_empty() {
            return Err(Refusal::NoReason);
        }
        Ok(predicate)
    }
}
