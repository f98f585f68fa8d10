//! Text from outside stays text in every report, and in a run sheet.

use flowswap_contract::Evidence;
use flowswap_engine::{Actor, Handle, Question, RequestOutcome};
use flowswap_report::{
    Attempt, Face, PlanDifference, PlanReport, Planned, Report, Selection, Sheet, ValueChange, WorkReport, WorkedTenant,
};
use pulldown_cmark::{Event, Options, Parser, Tag};

use crate::{
    difference::pair,
    eventful::eventful,
    fleet::{Shape, freeze, planned},
    run_sheet::{late, swap_with},
};

/// Each tries to be more than text in at least one report.
const HOSTILE: [&str; 13] = [
    "<script>alert(1)</script>",
    "\" onmouseover=\"alert(1)",
    "</style><img src=x onerror=alert(1)>",
    "]]></failure><testcase name=\"forged\"/>",
    "| a | b |\n# Approved",
    "[approve](https://attacker.example) ![](https://attacker.example/x.png)",
    "`code` **bold** <https://attacker.example> ~~gone~~ https://attacker.example/auto",
    "\u{202e}dlrow\u{200b}\u{1b}[31m",
    "- [x] done",
    "+ a",
    "10) a",
    " - a",
    "---",
];

fn plan_with(hostile: &str) -> PlanReport {
    let mut report = PlanReport::of(&freeze(vec![planned("acme", Shape::Urgent)]));
    let text = || hostile.to_owned();
    report.problems = PlanReport::of(&freeze(vec![planned("silent", Shape::Unreadable)])).problems;
    for problem in &mut report.problems {
        problem.tenants = vec![text(), text()];
        problem.errors.iter_mut().for_each(|error| (error.message, error.fix) = (text(), text()));
    }
    for day in report.timeline.iter_mut().flat_map(|timeline| &mut timeline.next) {
        (day.migrated, day.left) = (vec![text()], vec![text()]);
    }
    report.summary.push(text());
    report.made_by = Some(text());
    for plugin in &mut report.plugins {
        (plugin.name, plugin.version) = (text(), text());
    }
    for tenant in &mut report.tenants {
        tenant.name = text();
        let shown = [&mut tenant.directory, &mut tenant.domain, &mut tenant.client_id, &mut tenant.client_label];
        shown.into_iter().for_each(|shown| *shown = Some(text()));
        tenant.findings.iter_mut().for_each(|finding| finding.message = text());
    }
    for class in &mut report.classes {
        class.tenants.iter_mut().for_each(|name| *name = text());
        let change = class.change.as_mut().expect("a ready tenant changes");
        for scope in change.before.scopes.iter_mut().chain(&mut change.after.scopes) {
            *scope = text();
        }
        for reach in &mut class.reach {
            (reach.origins, reach.token_paths) = (vec![text()], vec![text()]);
        }
        for step in &mut class.steps {
            (step.id, step.title, step.with) = (text(), text(), vec![(text(), text())]);
            (step.sends, step.queries) = (vec![text()], vec![text()]);
        }
        for line in &mut class.rollback {
            (line.step, line.action) = (text(), text());
        }
    }
    for finding in &mut report.findings {
        (finding.fix, finding.tenants) = (text(), vec![text()]);
    }
    report.unknowns.iter_mut().for_each(|unknown| unknown.tenants = vec![text()]);
    report
}

/// Differences in which every text that comes from outside is this one.
fn difference(hostile: &str) -> PlanDifference {
    let (old, new) = pair();
    let mut difference = PlanDifference::of(&old, &new);
    let text = || hostile.to_owned();
    let change = |value: &mut ValueChange| {
        *value = ValueChange { what: text(), old: Some(text()), new: Some(text()) };
    };
    for head in [&mut difference.old, &mut difference.new] {
        head.made_by = Some(text());
    }
    difference.summary = vec![text()];
    for plugin in &mut difference.plugins {
        (plugin.name, plugin.differences) = (text(), vec![text()]);
        for plugin in plugin.old.iter_mut().chain(&mut plugin.new) {
            (plugin.name, plugin.version) = (text(), text());
        }
    }
    for group in &mut difference.changed {
        group.tenants.iter_mut().for_each(|name| *name = text());
        group.differences.iter_mut().for_each(|sentence| *sentence = text());
        group.findings_new.iter_mut().chain(&mut group.findings_gone).for_each(|id| *id = text());
        group.values.iter_mut().for_each(change);
        for own in &mut group.own_values {
            own.tenant = text();
            own.values.iter_mut().for_each(change);
        }
    }
    let PlanDifference { added, removed, classes_new, classes_gone, .. } = &mut difference;
    for part in [added, removed, classes_new, classes_gone].into_iter().flatten() {
        part.tenants.iter_mut().for_each(|name| *name = text());
    }
    difference.tenants.iter_mut().for_each(|tenant| tenant.name = text());
    difference
}

/// One report of each kind, and a run sheet. What is text or markup in those with `harmless` must be so in every other.
struct Reports(PlanReport, PlanDifference, WorkReport, Question);

impl Reports {
    fn with(text: &str) -> Self {
        Self(plan_with(text), difference(text), work_with(text), swap_with(text))
    }

    fn harmless() -> Self {
        Self::with("harmless")
    }

    fn all(&self) -> [Report<'_>; 3] {
        [(&self.0).into(), (&self.1).into(), (&self.2).into()]
    }

    fn sheet(&self) -> Sheet<'_> {
        Sheet::open(&self.0.tenants[0].name, &self.3, late())
    }

    fn html(&self) -> [String; 4] {
        let [plan, difference, work] = self.all().map(|report| Face::Html.show(report).unwrap());
        [plan, difference, work, self.sheet().html().unwrap()]
    }

    fn markdown(&self) -> [String; 4] {
        let [plan, difference, work] = self.all().map(|report| Face::Markdown.show(report).unwrap());
        [plan, difference, work, self.sheet().markdown().unwrap()]
    }
}

fn work_with(hostile: &str) -> WorkReport {
    let mut report = eventful().report(Selection::default());
    let text = || hostile.to_owned();
    report.selection.tenants = [text()].into();
    for run in &mut report.runs {
        run.version = text();
        run.by = Some(actor(hostile));
        for approval in &mut run.approvals {
            (approval.by, approval.key, approval.reason) = (vec![text()], text(), text());
        }
    }
    report.durations.iter_mut().for_each(|line| line.longest = text());
    for failure in &mut report.failures {
        failure.step = Some(text());
        failure.message = text();
        failure.tenants.iter_mut().for_each(|name| *name = text());
    }
    report.unknowns.iter_mut().flat_map(|unknown| &mut unknown.tenants).for_each(|name| *name = text());
    report.tenants.iter_mut().for_each(|tenant| spoil(tenant, hostile));
    report
}

fn actor(hostile: &str) -> Actor {
    let text = || hostile.to_owned();
    Actor { user: text(), host: Some(text()), name: Some(format!("as {hostile}")) }
}

fn spoil(tenant: &mut WorkedTenant, hostile: &str) {
    let text = || hostile.to_owned();
    tenant.name = text();
    tenant.reason = Some(text());
    (tenant.plan, tenant.planned) = (Some(text()), tenant.planned.take().map(|it| Planned { plan: text(), ..it }));
    for approved in &mut tenant.approved {
        (approved.plan, approved.by) = (text(), vec![text()]);
    }
    tenant.attempts.iter_mut().for_each(|attempt| spoil_attempt(attempt, hostile));
    for said in &mut tenant.statements {
        (said.by, said.step) = (Some(actor(hostile)), Some(text()));
        (said.plan, said.note) = (Some(text()), Some(text()));
    }
    for secret in &mut tenant.secrets {
        secret.handle = Handle::new(text());
        secret.by = secret.by.as_ref().map(|_| actor(hostile));
    }
    tenant.refusals.iter_mut().for_each(|refusal| refusal.reasons = vec![text()]);
    tenant.ends.iter_mut().for_each(|end| end.reason = Some(text()));
}

fn spoil_attempt(attempt: &mut Attempt, hostile: &str) {
    let text = || hostile.to_owned();
    attempt.step = text();
    if let Some(error) = &mut attempt.error {
        error.message = text();
    }
    if let Some(asked) = &mut attempt.asked {
        asked.owner = Some(text());
    }
    // With more of it, Markdown would leave out tenants.
    attempt.evidence.truncate(1);
    for evidence in &mut attempt.evidence {
        let ids = (Some(text()), Some(text()), Some(text()));
        *evidence = Evidence::new(hostile, evidence.result, text());
        (evidence.request_id, evidence.event_id, evidence.rule) = ids;
    }
    for sent in &mut attempt.requests {
        (sent.method, sent.url) = (text(), text());
        match &mut sent.outcome {
            Some(RequestOutcome::Answered { request_id, .. }) => *request_id = Some(text()),
            Some(RequestOutcome::NotSent { message } | RequestOutcome::Lost { message }) => *message = text(),
            None => {}
        }
    }
}

/// The names of elements and attributes in a page, in order. A tokenizer of HTML, but only for pages that flowswap made: in these,
/// `<`, `>`, and quotes stand only for markup.
fn markup(page: &str) -> Vec<String> {
    let mut names = Vec::new();
    for tag in page.split('<').skip(1) {
        let (tag, text) = tag.split_once('>').expect("an open tag");
        assert!(!text.contains('>'), "{text}");
        let mut outside = String::new();
        for (index, part) in tag.split('"').enumerate() {
            if index % 2 == 0 {
                outside += part;
            }
        }
        // What stands in backticks is set as code, also in text from outside.
        if matches!(tag, "code" | "/code") {
            continue;
        }
        names.push(outside.split_whitespace().collect::<Vec<_>>().join(" "));
    }
    names
}

/// Without style and script, which are the same in every page of a kind.
fn body(page: String) -> String {
    let (head, rest) = page.split_once("<style>").unwrap();
    let (_, rest) = rest.split_once("</style>").unwrap();
    let (body, rest) = rest.split_once("<script>").unwrap_or((rest, "</script>"));
    let (_, rest) = rest.split_once("</script>").unwrap();
    [head, body, rest].concat()
}

#[test]
fn no_text_becomes_html() {
    let structure = |page| markup(&body(page));
    let expect = Reports::harmless().html().map(structure);
    for hostile in HOSTILE {
        assert_eq!(Reports::with(hostile).html().map(structure), expect, "{hostile}");
    }
}

#[test]
fn no_text_becomes_markdown() {
    let structure = |text: String| {
        let options = Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH | Options::ENABLE_TASKLISTS;
        let name = |event: Event<'_>| match event {
            Event::Text(_) | Event::SoftBreak => None,
            Event::Code(_) => Some("Code".to_owned()),
            other => Some(format!("{other:?}")),
        };
        Parser::new_ext(&text, options).filter_map(name).collect::<Vec<_>>()
    };
    let expect = Reports::harmless().markdown().map(structure);
    let [plan, difference, work, sheet] = &expect;
    assert!([plan, difference, work].iter().all(|events| events.iter().any(|event| event.contains("Table"))));
    assert_eq!(sheet.iter().filter(|event| event.contains("TaskListMarker")).count(), 13);
    for hostile in HOSTILE {
        let reports = Reports::with(hostile);
        assert_eq!(reports.markdown().map(structure), expect, "{hostile}");
        for text in reports.markdown() {
            let is_link = |event: Event<'_>| matches!(event, Event::Start(Tag::Link { .. } | Tag::Image { .. }));
            assert!(!Parser::new_ext(&text, Options::all()).any(is_link), "{hostile}");
        }
    }
}

#[test]
fn no_text_becomes_xml() {
    let cases = |report: Report<'_>| {
        let xml = Face::Junit.show(report).unwrap();
        let junit = quick_junit::Report::deserialize_from_str(&xml).unwrap();
        junit.test_suites.iter().map(|suite| suite.test_cases.len()).collect::<Vec<_>>()
    };
    let expect = Reports::harmless().all().map(cases);
    assert_eq!(expect[0], [1]);
    for hostile in HOSTILE {
        assert_eq!(Reports::with(hostile).all().map(cases), expect, "{hostile}");
    }
}

#[test]
fn no_hidden_character_is_in_a_report() {
    let hidden = |c: &char| (c.is_control() && *c != '\n') || matches!(c, '\u{202e}' | '\u{200b}');
    for hostile in HOSTILE {
        let reports = Reports::with(hostile);
        for (_, face) in Face::ENDINGS {
            for report in reports.all() {
                assert_eq!(face.show(report).unwrap().chars().find(hidden), None, "{face:?} of {hostile}");
            }
        }
        for text in [reports.sheet().html().unwrap(), reports.sheet().markdown().unwrap()] {
            assert_eq!(text.chars().find(hidden), None, "run sheet of {hostile}");
        }
    }
}
