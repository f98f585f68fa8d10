//! `flowswap approve`: a person signs a plan, or some of its classes, with an SSH key.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use flowswap_attest::{Approval, ApprovalPredicate, Predicate as _, Statement};
use flowswap_engine::{Clock, PlanFile, short};
use flowswap_host::quoted;

use super::plan;
use crate::{
    approvals::{Approvals, ENDING, Requirement, people, signed},
    args::ApproveArgs,
    context::{Context, SystemClock},
    display::{
        self, review,
        text::{Text, text},
    },
    exit::{Exit, Failure},
    output::{Kind, NEW_PLAN, Output},
    question::Question,
    signing,
};

pub(crate) async fn run(context: &Context, args: &ApproveArgs) -> Result<Exit, Failure> {
    let config = context.load_config()?;
    let path = &args.file.plan;
    let plan = plan::read(path)?;
    let Some(approvals) = Approvals::read(&config, path, &plan)? else {
        let failure = Failure::new(Exit::Usage, "the configuration asks for no approvals");
        return Err(failure.hint("add a table `[approvals]` to it; migrate.toml.example shows one"));
    };
    refuse_useless(args, &plan, &approvals)?;
    let classes = choose_classes(&approvals, &args.classes)?;
    let (namespace, now) = (ApprovalPredicate::NAMESPACE, SystemClock.now());
    let signers = &approvals.requirement.signers;
    let key = signing::choose_key(&args.key, Some(signers), namespace, now)?;
    let fingerprint = signing::read_public(&key).and_then(|text| {
        let signer = signers.signers.find_openssh(&text, namespace, now).ok()??;
        Some(signer.fingerprint)
    });
    if let Some(file) = fingerprint.and_then(|key| find_same(&approvals, &key, &classes)) {
        context.terminal.say(text!("you approved this already: {}", file.display()));
        say_next(context, path, &approvals);
        return Ok(Exit::Done);
    }
    let output = args.output.as_deref().map(|file| Output::create(file, Kind::Approval)).transpose()?;
    Question::about(0, "Approve this?").ask(context, &describe(plan, &approvals, &classes), args.yes).await?;
    let (approval, envelope) = sign(context, &approvals, &key, path, &classes, &args.reason)?;
    let file = args.output.clone().unwrap_or_else(|| beside(path, &approval.envelope.digest()));
    let output = output.map_or_else(|| Output::create(&file, Kind::Approval), Ok)?;
    output.stream(context.terminal, |out| out.write_all(envelope.as_bytes()))?;
    let signed = signed(&approval);
    context.terminal.say(text!("approved as {} with the key {}: {}", signed.who(), signed.key, file.display()));
    let approvals = Approvals::beside(path, approvals.requirement)?;
    if approvals.files.iter().any(|found| is_same_file(&found.path, &file)) {
        say_next(context, path, &approvals);
    } else {
        let plan = path.file_name().unwrap_or_default().to_string_lossy();
        let plan = if plan == "-" { "PLAN" } else { &plan };
        context.terminal.say(text!(
            "approvals count only beside the plan: put this file there, as {}.NAME{}",
            plan,
            ENDING
        ));
    }
    Ok(Exit::Done)
}

/// A file with an approval by this key that counts, and that covers these classes.
fn find_same<'a>(approvals: &'a Approvals, key: &str, classes: &BTreeSet<String>) -> Option<&'a Path> {
    let is_same = |it: &Approval| it.signer.fingerprint == key && classes.is_subset(&it.predicate.classes);
    let file = approvals.files.iter().find(|file| file.judged.iter().flatten().any(is_same))?;
    Some(&file.path)
}

/// Whether two paths lead to one file.
fn is_same_file(one: &Path, other: &Path) -> bool {
    let real = |path: &Path| fs::canonicalize(path).ok();
    real(one).is_some_and(|one| real(other) == Some(one))
}

/// What is missing, or that nothing is.
fn say_next(context: &Context, path: &Path, approvals: &Approvals) {
    let path = quoted(path);
    context.terminal.say(match approvals.split() {
        (_, 0) => text!("nothing is missing; carry it out: flowswap apply {}", path),
        _ => text!("see what is missing: flowswap approvals {}", path),
    });
}

/// The longest reason.
const MAX_REASON: usize = 1_000;

/// Refuses what nobody could use.
fn refuse_useless(args: &ApproveArgs, plan: &PlanFile, approvals: &Approvals) -> Result<(), Failure> {
    let head = plan.head();
    if !args.reason.contains(char::is_alphanumeric) || args.reason.chars().count() > MAX_REASON {
        let error = format!("the reason is empty or has more than {MAX_REASON} characters");
        return Err(Failure::new(Exit::Usage, error).hint("write why you approve, for the next reader"));
    }
    if args.file.plan == Path::new("-") && args.output.is_none() {
        let error = "the plan comes from stdin, so flowswap does not know where its approvals are";
        return Err(Failure::new(Exit::Usage, error).hint("name a file for the approval with `-o`"));
    }
    if SystemClock.now() > head.not_after {
        let error = format!("the plan `{}` expired at {}", args.file.plan.display(), head.not_after);
        return Err(Failure::new(Exit::Refused, error).hint(NEW_PLAN));
    }
    if approvals.requirement.class_of.is_empty() {
        return Err(Failure::new(Exit::Usage, "the plan has no tenant to migrate, so there is nothing to approve"));
    }
    Ok(())
}

/// The whole ids of the classes that a person named by their starts; all without a name.
fn choose_classes(approvals: &Approvals, named: &[String]) -> Result<BTreeSet<String>, Failure> {
    let known = &approvals.requirement.expected.classes;
    if named.is_empty() {
        return Ok(known.clone());
    }
    let find = |name: &String| {
        let mut found = known.iter().filter(|id| !name.is_empty() && id.starts_with(name.as_str()));
        match (found.next(), found.next()) {
            (Some(id), None) => Ok(id.clone()),
            (first, _) => {
                let what =
                    if first.is_some() { "several classes with steps start" } else { "no class with steps starts" };
                let known: Vec<&str> = known.iter().map(|id| short(id)).collect();
                let failure = Failure::new(Exit::Usage, format!("{what} with `{name}`"));
                Err(failure.hint(format!("the plan has these classes: {}", known.join(", "))))
            }
        }
    };
    named.iter().map(find).collect()
}

/// What is about to be approved.
fn describe(plan: PlanFile, approvals: &Approvals, classes: &BTreeSet<String>) -> Text {
    let mut text = review::show_plan(&plan.into_plan(), false);
    text += "\n";
    for class in classes {
        let tenants = display::tenants(approvals.requirement.count_tenants(class));
        text += text!("you approve class {}: {}\n", short(class), tenants);
    }
    let Requirement { people: need, expected, .. } = &approvals.requirement;
    text += text!("{} must approve each class\n", people(*need));
    text + text!("configuration: {}; all reviewers must see the same digest", short(&expected.configuration))
}

/// Signs, and makes sure that the approval counts.
fn sign(
    context: &Context,
    approvals: &Approvals,
    key: &Path,
    path: &Path,
    classes: &BTreeSet<String>,
    reason: &str,
) -> Result<(Approval, String), Failure> {
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let predicate = approvals.requirement.predicate(classes.clone(), reason);
    let unsigned = Statement::new(name, approvals.requirement.expected.plan.clone(), predicate).to_sign();
    let envelope = signing::sign(context, key, unsigned)?.render();
    match approvals.requirement.judge(&envelope).pop() {
        Some(Ok(approval)) => Ok((approval, envelope)),
        Some(Err(why)) => {
            Err(Failure::new(Exit::Refused, format!("your approval would not count: {why}")).hint(signing::ANOTHER_KEY))
        }
        None => Err(Failure::new(Exit::Failed, "the signature got lost")),
    }
}

/// The name of an approval beside its plan.
fn beside(plan: &Path, digest: &str) -> PathBuf {
    let mut name = plan.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}{ENDING}", short(digest)));
    plan.with_file_name(name)
}
