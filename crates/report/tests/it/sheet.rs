//! Run sheets as an operator reads them. `hostile.rs` has text that tries to be more than text.

use flowswap_contract::{SheetAct as A, SheetLine};
use flowswap_engine::Direction;
use flowswap_report::{ReportKind, SHEET_MARKS, Sheet};
use insta::{assert_snapshot, with_settings};

use crate::run_sheet::{late, swap};

#[test]
fn markdown() {
    let question = swap();
    let text = Sheet::open("acme", &question, late()).markdown().unwrap();
    with_settings!({ omit_expression => true }, { assert_snapshot!(text) });
}

/// Without the style, which the page of a plan shows.
#[test]
fn html() {
    let question = swap();
    let page = Sheet::open("acme", &question, late()).html().unwrap();
    let (head, rest) = page.split_once("<style>").unwrap();
    let (_, body) = rest.split_once("</style>").unwrap();
    with_settings!({ omit_expression => true }, { assert_snapshot!([head, body].concat()) });
}

/// Where the operator must paste a secret, the sheet shows only a command.
#[test]
fn neither_a_secret_nor_its_handle_is_shown() {
    let question = swap();
    let sheet = Sheet::open("acme", &question, late());
    for text in [sheet.html().unwrap(), sheet.markdown().unwrap(), format!("{sheet:?}")] {
        assert!(!text.contains("provision/client_secret"), "{text}");
        assert!(text.contains("flowswap secret copy acme"), "{text}");
    }
}

#[test]
fn only_an_address_of_http_is_a_link() {
    for (url, is_link) in [
        ("https://console.test/?a=1&b=2", true),
        ("http://console.test", true),
        ("javascript:alert(1)//https://console.test", false),
        ("HTTPS://console.test", false),
        (" https://console.test", false),
        ("", false),
    ] {
        let mut question = swap();
        question.sheet.url = Some(url.to_owned());
        let page = Sheet::open("acme", &question, late()).html().unwrap();
        let shown = url.replace('&', "&amp;");
        // The other link is the one to the steps.
        assert_eq!(page.matches("<a ").count(), 1 + usize::from(is_link), "{url}");
        assert_eq!(page.contains(&format!("<a href=\"{shown}\">{shown}</a>")), is_link, "{url}");
        assert_eq!(page.contains(&format!("<dd id=\"begin\">{shown}</dd>")), !is_link && !url.is_empty(), "{url}");
    }
}

/// The mark is in each form for people, and no report has it.
#[test]
fn a_sheet_is_recognized_as_nothing_else() {
    let question = swap();
    let open = Sheet::open("acme", &question, late());
    let done = Sheet::done("acme", &question, Some("flowswap apply".to_owned()));
    for (sheet, mark) in [(open, SHEET_MARKS[0]), (done, SHEET_MARKS[1])] {
        for text in [sheet.html().unwrap(), sheet.markdown().unwrap()] {
            assert!(text.contains(mark), "{text}");
            assert_eq!(text.contains("flowswap has not seen the change yet"), mark == SHEET_MARKS[0], "{text}");
            let kinds = [ReportKind::Plan, ReportKind::Difference, ReportKind::Work];
            assert!(!kinds.iter().any(|kind| kind.recognizes(&text)), "{text}");
        }
    }
}

#[test]
fn only_an_open_sheet_can_be_overdue() {
    let mut question = swap();
    question.direction = Direction::Back;
    let facts = |sheet: Sheet<'_>| {
        let facts = sheet.facts.iter().map(|fact| format!("{}: {}", fact.name, fact.value));
        facts.collect::<Vec<_>>().join(", ")
    };
    let begin = "tenant: acme, step: swap (rollback), owner: dana, since: 2026-11-20T08:00:00Z, \
                 deadline: 2026-11-23T08:00:00Z";
    assert_eq!(facts(Sheet::open("acme", &question, question.deadline)), begin);
    assert_eq!(facts(Sheet::open("acme", &question, late())), format!("{begin} (overdue)"));
    assert_eq!(facts(Sheet::done("acme", &question, None)), begin);
}

#[test]
fn every_line_reads_as_a_sentence() {
    let check = |act, value: Option<&str>, expect: &str| {
        let line = SheetLine { act, label: "L".to_owned(), value: value.map(Into::into), note: None };
        let mut question = swap();
        question.sheet.lines = vec![line];
        let text = Sheet::open("acme", &question, late()).markdown().unwrap();
        let line = text.lines().find_map(|line| line.strip_prefix("- [ ] ")).unwrap().to_owned();
        assert_eq!(line, expect);
    };
    check(A::Go, None, "Go to **L**");
    check(A::Go, Some("v"), "Go to **L**: `v`");
    check(A::Choose, None, "Choose **L**");
    check(A::Choose, Some("v"), "Under **L**, choose `v`");
    check(A::Tick, None, "Select **L**");
    check(A::Clear, None, "Clear **L**");
    check(A::Enter, None, "Fill in **L**");
    check(A::Enter, Some("v"), "In **L**, enter `v`");
    check(A::Leave, None, "Leave **L** as it is");
    check(A::Leave, Some("v"), "Leave **L** as it is: `v`");
    check(A::Press, None, "Click **L**");
    check(A::Press, Some("v"), "Click **L** and wait until it shows `v`");
    check(A::Do, None, "**L**");
    check(A::Do, Some("v"), "**L**: `v`");
}
