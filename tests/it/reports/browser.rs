//! The page of a report, as a reader at a browser sees it, and that of a run sheet.

use std::{env, fs, path::PathBuf};

use flowswap_engine::Plan;
use flowswap_report::{Face, PlanDifference, PlanReport, Report, Selection, Sheet};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::runtime::Runtime;

use super::{
    eventful::eventful,
    fleet,
    run_sheet::{late, swap, swap_with},
};
use crate::support::{browser::Browser, folder, print};

/// The file `axe.min.js` of the npm package `axe-core`. If the variable is not set, nothing checks the page for accessibility.
const AXE: &str = "FLOWSWAP_AXE";

/// Open pages of reports.
struct Reader {
    runtime: Runtime,
    browser: Browser,
    dir: TempDir,
}

impl Reader {
    /// `None` without a browser.
    fn new(scripts: bool) -> Option<Self> {
        let runtime = Runtime::new().unwrap();
        let browser = runtime.block_on(Browser::open_with(scripts))?;
        Some(Self { runtime, browser, dir: folder() })
    }

    fn wait<T>(&self, future: impl Future<Output = T>) -> T {
        self.runtime.block_on(future)
    }

    fn open<'a>(&self, report: impl Into<Report<'a>>) {
        self.open_page(&Face::Html.show(report).unwrap());
    }

    fn open_page(&self, page: &str) {
        let file = self.dir.path().join("page.html");
        fs::write(&file, page).unwrap();
        self.wait(self.browser.open_file(&file));
    }

    fn texts(&self, css: &str) -> Vec<String> {
        self.wait(self.browser.texts(css))
    }

    /// The names of the tenants that the table shows.
    fn names(&self) -> Vec<String> {
        let names = "return [...document.querySelectorAll('#rows [data-row]:not([hidden]) th')].map((cell) => cell.textContent)";
        serde_json::from_value(self.wait(self.browser.evaluate(names, Vec::new()))).unwrap()
    }

    #[track_caller]
    fn expect_no_complaint(&self) {
        assert_eq!(self.wait(self.browser.complaints()), Vec::<String>::new());
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        // The browser's client stops on the runtime.
        let _guard = self.runtime.enter();
    }
}

/// A report of this many tenants. Their classes are real; from 300 on, lines are repeated under other names.
fn report(tenants: usize) -> PlanReport {
    let of = |plan: &Plan| PlanReport::of(plan);
    if tenants < 6 {
        let planned = (1..=tenants).map(|number| fleet::planned(&format!("tenant-{number}"), fleet::Shape::Usual));
        return of(&fleet::freeze(planned.collect()));
    }
    let mut report = of(&fleet::plan(tenants.min(300) - 5));
    let lines = report.tenants.clone();
    for (number, line) in lines.iter().cycle().enumerate().take(tenants).skip(lines.len()) {
        let mut line = line.clone();
        line.name = format!("tenant-{number}");
        report.tenants.push(line);
    }
    report
}

/// What differs if one tenant moves to another class, one is new, and one does not answer.
fn difference() -> PlanDifference {
    let old = fleet::plan(12);
    let mut tenants = old.tenants.clone();
    tenants[0] = fleet::planned("tenant-1", fleet::Shape::MoreScopes);
    tenants[1] = fleet::planned("tenant-2", fleet::Shape::Unreadable);
    tenants.push(fleet::planned("newcomer", fleet::Shape::Usual));
    PlanDifference::of(&old, &fleet::freeze(tenants))
}

#[test]
fn a_reader_finds_the_odd_tenants() {
    let Some(reader) = Reader::new(true) else { return };
    for tenants in [1, 12, 300, 5_000] {
        let report = report(tenants);
        reader.open(&report);
        assert_eq!(reader.names().len(), tenants);
        assert_eq!(reader.texts("#shown"), [format!("{tenants} of {tenants} shown")]);
        reader.expect_no_complaint();
        if tenants < 12 {
            continue;
        }
        reader.wait(reader.browser.enter("Search", "URGENT deadline"));
        assert!(reader.names().contains(&"urgent".to_owned()) && reader.names().len() < tenants / 5);
        reader.wait(reader.browser.enter("Search", "no such tenant"));
        assert_eq!(reader.names().len(), 0);
        reader.wait(reader.browser.enter("Search", " "));
        reader.wait(reader.browser.select("Verdict", "unknown"));
        assert_eq!(reader.names()[0], "silent");
        reader.wait(reader.browser.select("Verdict", "all"));
        reader.wait(reader.browser.select("Finding", "legacy-id-reused"));
        assert_eq!(reader.names()[0], "migrated");
        reader.wait(reader.browser.select("Finding", "all"));
        assert_eq!(reader.names().len(), tenants);
        let class = report.classes.iter().find(|class| class.tenants == ["more"]).unwrap();
        reader.wait(reader.browser.press(&format!("Show only these of class {} in the table", &class.id[..12]), None));
        assert_eq!(reader.names()[0], "more");
        reader.wait(reader.browser.select("Class", "all"));
        reader.wait(reader.browser.press("Days left", None));
        assert_eq!(reader.names()[0], "urgent", "the first to die comes first");
        reader.expect_no_complaint();
    }
}

#[test]
fn without_scripts_the_page_is_complete() {
    let Some(reader) = Reader::new(false) else { return };
    reader.open(&report(12));
    assert_eq!(reader.texts("#rows tbody th").len(), 12);
    assert_eq!(reader.texts(".filters, button").concat(), "", "no control is shown that cannot work");
    assert_eq!(reader.texts("h2").len(), 6);
}

/// The height of the tallest row, in pixels of CSS, and how many words are broken within a cell.
const ROWS: &str = "
    const rows = [...document.querySelectorAll('#rows tbody tr')];
    const cells = [...document.querySelectorAll('#rows tbody :is(th, td:not(:last-child))')];
    const range = document.createRange();
    const lines = (cell) => { range.selectNodeContents(cell); return new Set([...range.getClientRects()].map((box) => Math.round(box.bottom / 8))).size; };
    return [Math.max(...rows.map((row) => row.offsetHeight)), cells.filter((cell) => lines(cell) > 1).length];
";

#[test]
fn a_tenant_takes_a_line_until_a_reader_wants_more() {
    let Some(reader) = Reader::new(true) else { return };
    reader.open(&report(12));
    let findings = || reader.texts("#rows [data-finding=lookalike-present]").concat();
    for (media, most) in [("light", 62), ("print", 42)] {
        reader.wait(reader.browser.emulate(media));
        let [height, broken]: [u64; 2] =
            serde_json::from_value(reader.wait(reader.browser.evaluate(ROWS, Vec::new()))).unwrap();
        assert!(height < most, "{media}: a row has {height} pixels");
        assert_eq!(broken, 0, "{media}: words are broken");
        assert_eq!(findings(), "", "{media}: what is only worth knowing is folded");
    }
    reader.wait(reader.browser.emulate("screen"));
    reader.wait(reader.browser.press("auth-code-flow", Some("tenant-1.okta.test")));
    assert!(findings().contains("not the legacy client: "), "{}", findings());
}

#[test]
fn a_reader_of_a_difference_needs_no_script() {
    let Some(reader) = Reader::new(true) else { return };
    reader.open(&difference());
    assert_eq!(reader.texts("h2"), ["Changed tenants", "Tenants that only the new plan has"]);
    assert_eq!(reader.texts(".class h3").len(), 2);
    reader.expect_no_complaint();
}

#[test]
fn markup_from_outside_stays_text() {
    let Some(reader) = Reader::new(true) else { return };
    let mut hostile = report(1);
    let markup = "<img src=x onerror=\"document.title='gone'\"><script>document.title='gone'</script>";
    hostile.tenants[0].name = markup.to_owned();
    hostile.tenants[0].client_label = Some(markup.to_owned());
    hostile.classes[0].steps[0].title = markup.to_owned();
    reader.open(&hostile);
    assert_eq!(reader.names(), [markup]);
    assert_eq!(reader.texts("ol li").first().map(|text| text.starts_with(&format!("provision {markup}"))), Some(true));
    let title = reader.wait(reader.browser.evaluate("return document.title", Vec::new()));
    assert!(title.as_str().unwrap().starts_with("Plan "), "{title}");
    reader.expect_no_complaint();
    // The policy would stop it even if it were markup.
    let inject = "document.body.insertAdjacentHTML('beforeend', '<img src=x onerror=\"document.title=1\">')";
    reader.wait(reader.browser.evaluate(inject, Vec::new()));
    assert!(reader.wait(reader.browser.complaints()).iter().any(|line| line.contains("Content Security Policy")));
}

#[test]
fn a_reader_finds_what_happened() {
    let Some(reader) = Reader::new(true) else { return };
    let work = eventful().report(Selection::default());
    reader.open(&work);
    assert_eq!(reader.names().len(), 10);
    reader.wait(reader.browser.press("Show only these of cause 1 in the table", None));
    assert_eq!(reader.names(), ["initech", "soylent", "hooli"]);
    reader.wait(reader.browser.select("State", "swapped"));
    assert_eq!(reader.names(), ["hooli"], "it succeeded later");
    reader.wait(reader.browser.select("Cause", "all"));
    reader.wait(reader.browser.select("State", "all"));
    // An auditor who has only an id or a note finds the tenant.
    reader.wait(reader.browser.enter("Search", "ticket 4711"));
    assert_eq!(reader.names(), ["tyrell"]);
    reader.wait(reader.browser.enter("Search", ""));
    reader.wait(reader.browser.press("Changes", None));
    reader.wait(reader.browser.press("Changes", None));
    assert_eq!(reader.names()[0], "globex", "the one with most changes comes first");
    reader.expect_no_complaint();
}

/// A text that does not wrap would push the last columns out of sight.
#[test]
fn the_table_of_what_happened_is_no_wider_than_the_page() {
    let Some(reader) = Reader::new(true) else { return };
    let mut journal = eventful();
    journal.plan_again("tyrell");
    reader.open(&journal.report(Selection::default()));
    let wider = "const part = document.querySelector('.wide:has(#rows)'); return part.scrollWidth > part.clientWidth";
    for media in ["light", "dark"] {
        reader.wait(reader.browser.emulate(media));
        assert_eq!(reader.wait(reader.browser.evaluate(wider, Vec::new())), json!(false), "{media}");
    }
}

#[test]
fn without_scripts_the_page_of_work_is_complete() {
    let Some(reader) = Reader::new(false) else { return };
    reader.open(&eventful().report(Selection::default()));
    assert_eq!(reader.texts("#rows [data-row] th").len(), 10);
    assert_eq!(reader.texts(".filters, button").concat(), "", "no control is shown that cannot work");
    assert_eq!(reader.texts("#rows details").len(), 10);
    assert_eq!(reader.texts("h2").len(), 6);
}

#[test]
fn an_operator_ticks_the_steps() {
    let question = swap();
    let page = Sheet::open("acme", &question, late()).html().unwrap();
    for scripts in [true, false] {
        let Some(reader) = Reader::new(scripts) else { return };
        reader.open_page(&page);
        let ticked = || reader.texts(".steps li:has(input:checked) label");
        // What a screen reader says of the boxes.
        let names = reader.wait(reader.browser.names("checkbox"));
        assert_eq!((names.len(), names[0].as_str()), (11, "Go to Directories"));
        assert_eq!(names[6], "In Client ID, enter 0oa1b2c3d4e5f6g7h8i9");
        assert_eq!(names[7], "In Client Secret, enter the secret: run flowswap secret copy acme, then paste it");
        reader.wait(reader.browser.click("label[for=done-1]"));
        reader.wait(reader.browser.type_into("#done-2", " "));
        assert_eq!(ticked(), ["Go to Directories", "Under Actions, choose"]);
        // A click on a value selects it to be copied.
        reader.wait(reader.browser.click("code[data-label=\"Client ID\"]"));
        assert_eq!(ticked().len(), 2);
        if scripts {
            let selected = reader.wait(reader.browser.evaluate("return getSelection().toString()", Vec::new()));
            assert_eq!(selected, "0oa1b2c3d4e5f6g7h8i9");
        }
        reader.expect_no_complaint();
    }
}

#[test]
fn markup_in_a_run_sheet_stays_text() {
    let Some(reader) = Reader::new(true) else { return };
    let markup = "<img src=x onerror=\"document.title='gone'\"><script>document.title='gone'</script>";
    let question = swap_with(markup);
    reader.open_page(&Sheet::open(markup, &question, late()).html().unwrap());
    assert_eq!(reader.texts("h1"), [markup]);
    assert_eq!(reader.texts("img, script"), Vec::<String>::new());
    let title = reader.wait(reader.browser.evaluate("return document.title", Vec::new()));
    assert_eq!(title, format!("{markup}: {markup}"));
    reader.expect_no_complaint();
}

#[test]
fn the_page_is_accessible_in_both_themes_and_in_print() {
    let Some(axe) = env::var_os(AXE).map(PathBuf::from) else {
        return print(&format!("skipped: {AXE} does not name `axe.min.js`"));
    };
    let axe = fs::read_to_string(axe).unwrap();
    let Some(reader) = Reader::new(true) else { return };
    let (plan, of_two, work) = (report(12), difference(), eventful().report(Selection::default()));
    let reports: [Report<'_>; 3] = [(&plan).into(), (&of_two).into(), (&work).into()];
    let [plan, of_two, work] = reports.map(|report| Face::Html.show(report).unwrap());
    let question = swap();
    let sheet = Sheet::open("acme", &question, late()).html().unwrap();
    for (name, page) in [("report", plan), ("difference", of_two), ("work", work), ("sheet", sheet)] {
        for media in ["light", "dark", "print"] {
            reader.open_page(&page);
            reader.wait(reader.browser.emulate(media));
            let open = "document.querySelectorAll('details').forEach((part) => { part.open = true; })";
            reader.wait(reader.browser.evaluate(open, Vec::new()));
            // A step that is done must be readable too.
            let tick =
                "document.querySelectorAll('.steps li:first-child input').forEach((box) => { box.checked = true; })";
            reader.wait(reader.browser.evaluate(tick, Vec::new()));
            reader.wait(reader.browser.evaluate(&axe, Vec::new()));
            let violations = reader.wait(reader.browser.evaluate_async(
                "const done = arguments[0]; axe.run().then((found) => done(found.violations.map((rule) => \
                 [rule.id, ...rule.nodes.map((node) => node.html)].join(' '))));",
            ));
            assert_eq!(violations, json!([]), "{name} in {media}");
            if let Some(folder) = env::var_os("FLOWSWAP_PICTURES") {
                let picture = reader.wait(reader.browser.picture());
                fs::write(PathBuf::from(folder).join(format!("{name}-{media}.png")), picture).unwrap();
            }
        }
    }
    reader.open(&report(12));
    reader.wait(reader.browser.emulate("light"));
    reader.wait(reader.browser.evaluate(&axe, Vec::new()));
    let broken = reader.wait(reader.browser.evaluate(
        "document.querySelector('label').remove(); return document.querySelectorAll('label').length",
        Vec::new(),
    ));
    assert_eq!(broken, Value::from(3));
    let found = reader.wait(
        reader
            .browser
            .evaluate_async("const done = arguments[0]; axe.run().then((found) => done(found.violations.length));"),
    );
    assert_ne!(found, Value::from(0), "axe finds a field without a label");
}
