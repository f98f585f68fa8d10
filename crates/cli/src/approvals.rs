//! The approvals beside a plan: reads them, decides which count, and says what is missing.

use std::{
    collections::{BTreeMap, BTreeSet},
    ffi::OsStr,
    fs::{self, File},
    io::{self, Read},
    path::{Path, PathBuf},
};

use flowswap_attest::{Approval, ApprovalPredicate, Envelope, Expected, Signers, count_persons, judge};
use flowswap_config::Config;
use flowswap_engine::{self as engine, Clock, Plan, PlanFile, SignedApproval, chain, short};
use flowswap_host::read_trusted;
use flowswap_report::class_id;

use crate::{
    context::SystemClock,
    display::{
        tenants,
        text::{Text, text},
    },
    exit::{Exit, Failure},
    output::NEW_PLAN,
    terminal::{Tone, paint},
};

/// How the name of an approval ends.
pub(crate) const ENDING: &str = ".approval";
/// The longest approval. One of a thousand classes has 90 KiB.
const MAX_APPROVAL: u64 = 256 * 1024;
/// The most approvals of one plan.
const MAX_FILES: usize = 200;

/// What must be approved, and by whom.
#[derive(Debug)]
pub(crate) struct Requirement {
    /// How many different people must approve each class.
    pub(crate) people: usize,
    /// Whose keys count.
    pub(crate) signers: SignersFile,
    /// What an approval must be about in order to count.
    pub(crate) expected: Expected,
    /// The class of each tenant with steps.
    pub(crate) class_of: BTreeMap<String, String>,
    /// The plan's own last minute.
    not_after: jiff::Timestamp,
}

/// A file of signers.
#[derive(Debug)]
pub(crate) struct SignersFile {
    pub(crate) path: PathBuf,
    /// What the file has.
    pub(crate) text: String,
    pub(crate) signers: Signers,
}

/// The approvals of a plan.
#[derive(Debug)]
pub(crate) struct Approvals {
    pub(crate) requirement: Requirement,
    pub(crate) files: Vec<ApprovalFile>,
    /// Whether enough people approved each class. Thousands of tenants have the same few.
    by_class: BTreeMap<String, engine::Approval>,
}

/// A file beside the plan, and what each of its signatures is worth.
#[derive(Debug)]
pub(crate) struct ApprovalFile {
    pub(crate) path: PathBuf,
    /// An approval that counts, or why it does not.
    pub(crate) judged: Vec<Result<Approval, String>>,
}

impl SignersFile {
    /// Reads the file of a configuration. Fails if it has fewer people than must approve.
    pub(crate) fn of(approvals: &flowswap_config::Approvals) -> Result<Self, Failure> {
        let signers = Self::read(&approvals.signers)?;
        let known = signers.signers.count_people();
        if known < approvals.required {
            let file = approvals.signers.display();
            let error =
                format!("{} must approve a plan, but `{file}` names {}", people(approvals.required), people(known));
            return Err(Failure::new(Exit::Usage, error).hint("add the keys of the others to that file"));
        }
        Ok(signers)
    }

    /// Reads the file. Fails if others can change it.
    pub(crate) fn read(path: &Path) -> Result<Self, Failure> {
        let doing = || format!("read the signers `{}`", path.display());
        // Reading a pipe would wait for somebody to write to it.
        if fs::metadata(path).is_ok_and(|metadata| !metadata.is_file()) {
            let error = io::Error::new(io::ErrorKind::InvalidInput, "it is not a file");
            return Err(Failure { exit: Exit::Usage, ..Failure::at(doing())(error) });
        }
        let bytes = read_trusted(path).map_err(|error| {
            let hint =
                error.hint().unwrap_or_else(|| "`approvals.signers` in the configuration names this file".to_owned());
            Failure { exit: Exit::Usage, ..Failure::at(doing())(error) }.hint(hint)
        })?;
        let text = String::from_utf8(bytes).map_err(Failure::at(doing()))?;
        let signers = Signers::read(&text).map_err(|error| {
            let failure = Failure { exit: Exit::Usage, ..Failure::at(doing())(error) };
            failure
                .hint("each line is like `alice@example.com ssh-ed25519 AAAA…`; see ALLOWED SIGNERS in ssh-keygen(1)")
        });
        Ok(Self { path: path.to_owned(), signers: signers?, text })
    }
}

impl Requirement {
    /// `None` if the configuration asks for no approvals.
    pub(crate) fn of(config: &Config, plan: &PlanFile) -> Result<Option<Self>, Failure> {
        let Some(approvals) = &config.approvals else { return Ok(None) };
        let head = plan.head();
        let signers = SignersFile::of(approvals)?;
        let class_of = classes(plan);
        let expected = Expected {
            plan: head.digest.clone(),
            classes: class_of.values().cloned().collect(),
            configuration: config.meaning_for(class_of.keys().map(String::as_str)),
            plugins: head.plugins.iter().map(|(name, pin)| (name.clone(), pin.sha256.clone())).collect(),
            excluded: if approvals.planner_may_approve { None } else { Some(planner(head)?) },
            now: SystemClock.now(),
        };
        Ok(Some(Self { people: approvals.required, signers, expected, class_of, not_after: head.not_after }))
    }

    /// What somebody says who approves these classes now.
    pub(crate) fn predicate(&self, classes: BTreeSet<String>, reason: &str) -> ApprovalPredicate {
        let Expected { configuration, plugins, now, .. } = self.expected.clone();
        let reason = reason.trim().to_owned();
        ApprovalPredicate { classes, reason, approved_at: now, not_after: self.not_after, configuration, plugins }
    }

    /// How many tenants have the class.
    pub(crate) fn count_tenants(&self, class: &str) -> usize {
        self.class_of.values().filter(|of| *of == class).count()
    }

    /// Judges the text of an approval.
    pub(crate) fn judge(&self, text: &str) -> Vec<Result<Approval, String>> {
        match Envelope::read(text) {
            Ok(envelope) => judge(&envelope, &self.signers.signers, &self.expected)
                .into_iter()
                .map(|it| it.map_err(|why| why.to_string()))
                .collect(),
            Err(error) => vec![Err(chain(&error))],
        }
    }
}

impl Approvals {
    /// Reads the approvals beside the plan. `None` if the configuration asks for none.
    pub(crate) fn read(config: &Config, path: &Path, plan: &PlanFile) -> Result<Option<Self>, Failure> {
        Requirement::of(config, plan)?.map(|requirement| Self::beside(path, requirement)).transpose()
    }

    /// Reads the approvals beside the plan that this is required of.
    pub(crate) fn beside(path: &Path, requirement: Requirement) -> Result<Self, Failure> {
        let mut files = Vec::new();
        for path in find(path)? {
            let judged = match read_approval(&path) {
                Ok(text) => requirement.judge(&text),
                Err(error) => vec![Err(error)],
            };
            files.push(ApprovalFile { path, judged });
        }
        let mut approvals = Self { requirement, files, by_class: BTreeMap::new() };
        let decide = |class: &String| (class.clone(), approvals.decide(class));
        approvals.by_class = approvals.requirement.expected.classes.iter().map(decide).collect();
        Ok(approvals)
    }

    /// The approvals of a class that count.
    pub(crate) fn of_class<'a>(&'a self, class: &'a str) -> impl Iterator<Item = &'a Approval> {
        let counting = self.files.iter().flat_map(|file| &file.judged).flatten();
        counting.filter(move |approval| approval.predicate.classes.contains(class))
    }

    /// How many different people approved a class.
    pub(crate) fn count(&self, class: &str) -> usize {
        count_persons(self.of_class(class))
    }

    /// Whether enough people approved that a tenant is started.
    pub(crate) fn of_tenant(&self, tenant: &str) -> engine::Approval {
        let by_class = self.requirement.class_of.get(tenant).and_then(|class| self.by_class.get(class));
        by_class.cloned().unwrap_or_else(|| engine::Approval::Missing("the plan has no class for it".to_owned()))
    }

    /// Whether enough people approved a class.
    fn decide(&self, class: &str) -> engine::Approval {
        let (have, need) = (self.count(class), self.requirement.people);
        if have >= need {
            // The same approval may be in two files.
            let digests: BTreeSet<String> = self.of_class(class).map(|approval| approval.envelope.digest()).collect();
            return engine::Approval::Given(digests.into_iter().collect());
        }
        engine::Approval::Missing(format!("its class {} has {have} of {need} approvals", short(class)))
    }

    /// How many tenants have enough approvals, and how many have not.
    pub(crate) fn split(&self) -> (usize, usize) {
        let is_given = |tenant: &&String| matches!(self.of_tenant(tenant), engine::Approval::Given(_));
        let given = self.requirement.class_of.keys().filter(is_given).count();
        (given, self.requirement.class_of.len() - given)
    }

    /// How many tenants have enough approvals, as a line of a summary.
    pub(crate) fn summarize(&self) -> Text {
        let need = self.requirement.people;
        let (given, missing) = self.split();
        let label = paint(Tone::Strong, "approvals:");
        match missing {
            0 => text!("{} {} of {} for all tenants\n", label, need, need),
            _ => text!(
                "{} {} of {} for {}; missing for {}, so these are not started\n",
                label,
                need,
                need,
                tenants(given),
                tenants(missing)
            ),
        }
    }

    /// The approvals that count, for the journal: each once.
    pub(crate) fn signed(&self) -> Vec<SignedApproval> {
        let counting = self.files.iter().flat_map(|file| &file.judged).flatten().map(signed);
        counting.map(|signed| (signed.digest.clone(), signed)).collect::<BTreeMap<_, _>>().into_values().collect()
    }
}

/// An approval as the journal has it.
pub(crate) fn signed(approval: &Approval) -> SignedApproval {
    SignedApproval {
        digest: approval.envelope.digest(),
        by: approval.signer.principals.iter().cloned().collect(),
        key: approval.signer.fingerprint.clone(),
        reason: approval.predicate.reason.clone(),
        envelope: approval.envelope.render(),
    }
}

/// `1 person`, `2 people`.
pub(crate) fn people(count: usize) -> String {
    flowswap_report::number(count, "person", "people")
}

/// The class of each tenant with steps. Decodes one tenant at a time.
fn classes(plan: &PlanFile) -> BTreeMap<String, String> {
    let names = plan.outlines().filter(|outline| outline.steps > 0).map(|outline| outline.name.clone());
    names.filter_map(|name| Some((name.clone(), class_id(&plan.part(&name, "")?.tenant)))).collect()
}

/// The names of the person who made the plan.
fn planner(plan: &Plan) -> Result<BTreeSet<String>, Failure> {
    let Some(by) = &plan.made_by else {
        let error = "the plan does not say who made it, but `approvals.planner_may_approve` is false";
        return Err(Failure::new(Exit::Refused, error).hint(NEW_PLAN));
    };
    Ok([Some(by.user.clone()), by.name.clone()].into_iter().flatten().collect())
}

/// The approvals beside a plan, by name: `plan.json.` and a word, and the ending.
fn find(plan: &Path) -> Result<Vec<PathBuf>, Failure> {
    let folder = plan.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let start = plan.file_name().unwrap_or_default().as_encoded_bytes();
    let is_approval = |name: &OsStr| {
        let word = name.as_encoded_bytes().strip_prefix(start).and_then(|rest| rest.strip_prefix(b"."));
        let word = word.and_then(|rest| rest.strip_suffix(ENDING.as_bytes()));
        word.is_some_and(|word| !word.is_empty() && !word.contains(&b'.'))
    };
    let doing = || format!("look for approvals beside `{}`", plan.display());
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).map_err(Failure::at(doing()))? {
        let name = entry.map_err(Failure::at(doing()))?.file_name();
        if is_approval(&name) {
            found.push(plan.with_file_name(name));
        }
    }
    if found.len() > MAX_FILES {
        let error = format!("there are more than {MAX_FILES} approvals beside `{}`", plan.display());
        return Err(Failure::new(Exit::Usage, error).hint("remove those of earlier plans"));
    }
    found.sort();
    Ok(found)
}

/// The text of an approval. An approval proves itself, so it does not matter who can change the file.
fn read_approval(path: &Path) -> Result<String, String> {
    let read = || -> io::Result<String> {
        if !fs::metadata(path)?.is_file() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is not a file"));
        }
        let mut text = String::new();
        File::open(path)?.take(MAX_APPROVAL).read_to_string(&mut text)?;
        Ok(text)
    };
    read().map_err(|error| format!("it cannot be read: {error}"))
}
