//! The run sheet of a swap, as the plugin of a directory would write it.

use flowswap_contract::{Handle, RunSheet, SheetAct as A, SheetLine};
use flowswap_engine::{Actor, Claim, Direction, Question};
use jiff::Timestamp;

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// After the deadline of the sheet.
pub(crate) fn late() -> Timestamp {
    at("2026-11-24T00:00:00Z")
}

/// An operator confirmed it, and flowswap sees nothing yet.
pub(crate) fn swap() -> Question {
    let client_secret = Handle::new("acme/provision/client_secret");
    Question {
        step: "swap".to_owned(),
        direction: Direction::Forward,
        sheet: RunSheet {
            title: "Reconnect the directory acme with the client credential flow".to_owned(),
            url: Some("https://directory-sync.us.paloaltonetworks.com/directory?instance=42&x=1".to_owned()),
            lines: vec![
                SheetLine::new(A::Go, "Directories"),
                SheetLine::new(A::Choose, "Actions").with("Reconnect").note("in the row of acme.okta.com"),
                SheetLine::new(A::Choose, "Connection Flow").with("Client Credential Flow"),
                SheetLine::new(A::Tick, "Collect enterprise applications"),
                SheetLine::new(A::Clear, "Collect authentication logs"),
                SheetLine::new(A::Leave, "Domain").with("acme.okta.com"),
                SheetLine::new(A::Enter, "Client ID").with("0oa1b2c3d4e5f6g7h8i9"),
                SheetLine::new(A::Enter, "Client Secret").with(client_secret.to_value()),
                SheetLine::new(A::Press, "Test Connection").with("Success"),
                SheetLine::new(A::Leave, "Directory Name"),
                SheetLine::new(A::Press, "Submit").note("only after `Success`"),
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
            by: Actor::user("erik"),
            at: at("2026-11-21T09:30:00Z"),
            note: Some("from the phone".to_owned()),
        }],
    }
}

/// The same, but every text of the plugin and of people is this one.
pub(crate) fn swap_with(text: &str) -> Question {
    let mut question = swap();
    let text = || text.to_owned();
    (question.step, question.owner) = (text(), Some(text()));
    question.claims[0].note = Some(text());
    let RunSheet { title, url, lines, keep, care, proof } = &mut question.sheet;
    (*title, *url, *proof) = (text(), Some(text()), text());
    lines.push(SheetLine::new(A::Do, text()).with(text()).note(text()));
    lines.push(SheetLine::new(A::Enter, text()).with(text()).note(text()));
    (*keep, *care) = (vec![text()], vec![text()]);
    question
}
