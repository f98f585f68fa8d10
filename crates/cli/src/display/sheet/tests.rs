//! The three forms, as their readers see them, and what no text of a plugin may do to them.

use flowswap_contract::{Handle, RunSheet, SheetAct as A, SheetLine};
use flowswap_engine::{Claim, Direction, Question};
use jiff::Timestamp;

use super::{Page, html, markdown, secret, terminal};

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// A swap as a directory's plugin would have a person do it.
fn swap() -> Question {
    let client_secret = Handle::new("acme/provision/client_secret");
    Question {
        step: "swap".to_owned(),
        direction: Direction::Forward,
        sheet: RunSheet {
            title: "Reconnect the directory acme with the client credential flow".to_owned(),
            url: Some("https://directory-sync.us.paloaltonetworks.com/directory?instance=42&x=1".to_owned()),
            lines: vec![
                SheetLine::new(A::Go, "Directories"),
                SheetLine::new(A::Go, "Actions → Reconnect").note("in the row of acme.okta.com"),
                SheetLine::new(A::Choose, "Connection Flow").with("Client Credential Flow"),
                SheetLine::new(A::Tick, "Collect enterprise applications"),
                SheetLine::new(A::Clear, "Collect authentication logs"),
                SheetLine::new(A::Leave, "Domain").with("acme.okta.com"),
                SheetLine::new(A::Enter, "Client ID").with("0oa1b2c3d4e5f6g7h8i9"),
                SheetLine::new(A::Enter, "Client Secret").with(client_secret.to_value()),
                SheetLine::new(A::Press, "Test Connection").with("Success"),
                SheetLine::new(A::Leave, "Directory Name"),
                SheetLine::new(A::Press, "Submit").note("only after Success"),
            ],
            keep: vec!["the directory's name: every group's DN has it".to_owned()],
            care: vec!["Test Connection alone changes nothing: Submit must follow".to_owned()],
            proof: "the new client gets a token, and the old one gets none any more".to_owned(),
        },
        owner: Some("dana".to_owned()),
        since: at("2026-11-20T08:00:00Z"),
        deadline: at("2026-11-23T08:00:00Z"),
        noticed: None,
        claims: vec![Claim {
            by: "erik".to_owned(),
            at: at("2026-11-21T09:30:00Z"),
            note: Some("from the phone".to_owned()),
        }],
    }
}

fn page(question: &Question) -> Page<'_> {
    Page { tenant: "acme", question, is_open: true, next: None, now: at("2026-11-24T00:00:00Z") }
}

#[test]
fn the_sheet_of_a_swap() {
    let question = swap();
    let page = page(&question);
    insta::assert_snapshot!("terminal", terminal(&page).plain());
    insta::assert_snapshot!("markdown", markdown(&page).plain());
    insta::assert_snapshot!("html", html(&page).plain());
    assert_eq!(secret(&question.sheet), Some(("Client Secret", Handle::new("acme/provision/client_secret"))));
}

/// Nothing but the name of the command stands where a secret is to be pasted.
#[test]
fn a_secret_is_not_even_named() {
    let question = swap();
    for form in [terminal, markdown, html] {
        let text = form(&page(&question)).plain();
        assert!(!text.contains("provision/client_secret"), "{text}");
        assert!(text.contains("flowswap secret copy acme"), "{text}");
    }
}

#[test]
fn what_a_plugin_writes_is_only_text() {
    let evil = "<b>\"'&`*_[x](y)\u{1b}[31m\u{202e}\n# h";
    let mut question = swap();
    question.owner = Some(evil.to_owned());
    question.claims[0].note = Some(evil.to_owned());
    let RunSheet { title, url, lines, keep, care, proof } = &mut question.sheet;
    *title = evil.to_owned();
    *url = Some(format!("javascript:alert(1){evil}"));
    *lines = vec![SheetLine::new(A::Enter, evil).with(evil).note(evil)];
    (*keep, *care, *proof) = (vec![evil.to_owned()], vec![evil.to_owned()], evil.to_owned());
    let page = page(&question);

    for text in [html(&page), markdown(&page), terminal(&page)].map(|text| text.plain()) {
        assert!(!text.contains(['\u{1b}', '\u{202e}']), "{text}");
        assert!(!text.contains("\n# h"), "{text}");
        assert!(text.replace("&lt;", "<").replace("\\<", "<").contains("<U+202E"), "{text}");
    }
    let html = html(&page).plain();
    assert!(!html.contains("<b>\"") && !html.contains("<a "), "{html}");
    assert!(html.contains("data-label=\"&lt;b&gt;&quot;&#39;&amp;`"), "{html}");
    let markdown = markdown(&page).plain();
    assert!(markdown.contains("# \\<b\\>\"'\\&\\`\\*\\_\\[x\\](y)"), "{markdown}");
    // The value stands in a code span that its own backtick cannot end.
    assert!(markdown.contains("enter ``<b>\"'&`*_[x](y)"), "{markdown}");
}

#[test]
fn every_line_reads_as_a_sentence() {
    let check = |act, value: Option<&str>, expect: &str| {
        let line = SheetLine { act, label: "L".to_owned(), value: value.map(Into::into), note: None };
        let mut question = swap();
        question.sheet.lines = vec![line];
        let text = markdown(&page(&question)).plain();
        let line = text.lines().find_map(|line| line.strip_prefix("- [ ] ")).unwrap().to_owned();
        assert_eq!(line, expect);
    };
    check(A::Go, None, "Go to **L**");
    check(A::Go, Some("v"), "Go to **L**: `v`");
    check(A::Choose, None, "Choose **L**");
    check(A::Choose, Some("v"), "At **L** choose `v`");
    check(A::Tick, None, "Tick **L**");
    check(A::Clear, None, "Clear **L**");
    check(A::Enter, None, "Fill in **L**");
    check(A::Enter, Some("v"), "Into **L** enter `v`");
    check(A::Leave, None, "Leave **L** as it is");
    check(A::Leave, Some("v"), "Leave **L** as it is: `v`");
    check(A::Press, None, "Press **L**");
    check(A::Press, Some("v"), "Press **L** and wait until it shows `v`");
    check(A::Do, None, "**L**");
    check(A::Do, Some("v"), "**L**: `v`");
}
