//! The three forms of a run sheet, and that text of a plugin cannot break out of any of them.

use flowswap_contract::{Handle, RunSheet, SheetAct as A, SheetLine};
use flowswap_engine::{Claim, Direction, Question};
use jiff::Timestamp;

use super::{SheetView, find_secret, html, markdown, terminal};

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// The run sheet of a swap, as a directory's plugin would write it.
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
            proof: "the new client gets a token, and the legacy client gets no more tokens".to_owned(),
        },
        owner: Some("dana".to_owned()),
        since: at("2026-11-20T08:00:00Z"),
        deadline: at("2026-11-23T08:00:00Z"),
        noticed: None,
        claims: vec![Claim {
            by: flowswap_engine::Actor::user("erik"),
            at: at("2026-11-21T09:30:00Z"),
            note: Some("from the phone".to_owned()),
        }],
    }
}

fn view(question: &Question) -> SheetView<'_> {
    SheetView { tenant: "acme", question, is_open: true, next: None, now: at("2026-11-24T00:00:00Z") }
}

#[test]
fn the_sheet_of_a_swap() {
    let question = swap();
    let view = view(&question);
    insta::assert_snapshot!("terminal", terminal(&view).plain());
    insta::assert_snapshot!("markdown", markdown(&view).plain());
    insta::assert_snapshot!("html", html(&view).plain());
    assert_eq!(find_secret(&question.sheet), Some(("Client Secret", Handle::new("acme/provision/client_secret"))));
}

/// Where the operator must paste a secret, the sheet shows only a command.
#[test]
fn neither_a_secret_nor_its_handle_is_shown() {
    let question = swap();
    for form in [terminal, markdown, html] {
        let text = form(&view(&question)).plain();
        assert!(!text.contains("provision/client_secret"), "{text}");
        assert!(text.contains("flowswap secret copy acme"), "{text}");
    }
}

#[test]
fn text_of_a_plugin_is_never_interpreted() {
    let evil = "<b>\"'&`*_[x](y)\u{1b}[31m\u{202e}\n# h";
    let mut question = swap();
    question.owner = Some(evil.to_owned());
    question.claims[0].note = Some(evil.to_owned());
    let RunSheet { title, url, lines, keep, care, proof } = &mut question.sheet;
    *title = evil.to_owned();
    *url = Some(format!("javascript:alert(1){evil}"));
    *lines = vec![SheetLine::new(A::Enter, evil).with(evil).note(evil)];
    *keep = vec![evil.to_owned()];
    *care = vec![evil.to_owned()];
    *proof = evil.to_owned();
    let view = view(&question);

    for text in [html(&view), markdown(&view), terminal(&view)].map(|text| text.plain()) {
        assert!(!text.contains(['\u{1b}', '\u{202e}']), "{text}");
        assert!(!text.contains("\n# h"), "{text}");
        assert!(text.replace("&lt;", "<").replace("\\<", "<").contains("<U+202E"), "{text}");
    }
    let html = html(&view).plain();
    assert!(!html.contains("<b>\"") && !html.contains("<a "), "{html}");
    assert!(html.contains("data-label=\"&lt;b&gt;&quot;&#39;&amp;`"), "{html}");
    let markdown = markdown(&view).plain();
    assert!(markdown.contains("# \\<b\\>\"'\\&\\`\\*\\_\\[x\\](y)"), "{markdown}");
    // The backtick in the value does not end its code span.
    assert!(markdown.contains("enter ``<b>\"'&`*_[x](y)"), "{markdown}");
}

#[test]
fn every_line_reads_as_a_sentence() {
    let check = |act, value: Option<&str>, expect: &str| {
        let line = SheetLine { act, label: "L".to_owned(), value: value.map(Into::into), note: None };
        let mut question = swap();
        question.sheet.lines = vec![line];
        let text = markdown(&view(&question)).plain();
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
