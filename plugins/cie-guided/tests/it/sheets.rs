//! The proposed steps and the two run sheets, as the operator reads them.

use flowswap_contract::{ApplyReply, ErrorKind, Handle, ObserveReply, Observed, Op, RunSheet, SheetLine, TestReply};
use serde_json::{Value, json};

use crate::{
    driver::{refused, results},
    fake::FakeCie,
    open, params_of, plan, table, test,
};

/// A default name, which is as long as the domain.
const LONG_NAME: &str = "acme-preview.oktapreview.test";

fn write_down(sheet: &RunSheet) -> String {
    let mut text = format!("# {}\n{}\n\n", sheet.title, sheet.url.as_deref().unwrap_or("no address"));
    sheet.lines.iter().for_each(|line| text.push_str(&write_line(line)));
    text.push_str("\nKeep:\n");
    sheet.keep.iter().for_each(|line| text.push_str(&format!("- {line}\n")));
    text.push_str("\nCare:\n");
    sheet.care.iter().for_each(|line| text.push_str(&format!("- {line}\n")));
    text.push_str(&format!("\nProof: {}\n", sheet.proof));
    text
}

fn write_line(line: &SheetLine) -> String {
    let value = match &line.value {
        None => String::new(),
        Some(Value::String(text)) => format!(" = {text}"),
        Some(other) => format!(" = <{}>", Handle::from_value(other).expect("a text or a secret")),
    };
    let note = line.note.as_ref().map(|note| format!("\n       ({note})")).unwrap_or_default();
    format!("{:<7}{}{value}{note}\n", format!("{:?}", line.act), line.label)
}

fn sheet(op: Op, table: Value, app_data: bool) -> RunSheet {
    let mut cie = FakeCie::new();
    if table["directory"] == LONG_NAME {
        cie.name = LONG_NAME;
    }
    let mut plugin = open(table);
    let steps = plan(&mut plugin, &mut cie, app_data);
    let reply: ApplyReply = plugin.call(&mut cie, op, params_of(&steps, "swap", &json!({}), json!({}))).unwrap();
    assert_eq!(plugin.asked, Vec::<String>::new(), "a sheet needs no request");
    assert!(reply.outputs.is_empty() && reply.evidence.is_empty(), "nothing is done yet");
    *reply.operator.unwrap()
}

#[test]
fn the_plan_is_complete() {
    let (mut plugin, mut cie) = (open(table()), FakeCie::new());
    let steps = plan(&mut plugin, &mut cie, true);
    insta::with_settings!({sort_maps => true}, { insta::assert_json_snapshot!("steps", steps) });
    assert_eq!(plugin.asked, Vec::<String>::new());
}

#[test]
fn the_sheet_of_the_swap() {
    insta::assert_snapshot!("sheet-forward", write_down(&sheet(Op::Apply, table(), true)));
}

#[test]
fn the_sheet_of_the_rollback() {
    insta::assert_snapshot!("sheet-back", write_down(&sheet(Op::Undo, table(), true)));
}

/// The sheets leave unknown settings unchanged, and say so.
#[test]
fn the_sheets_without_a_record() {
    let mut bare = table();
    bare.as_object_mut().unwrap().retain(|key, _| !["record", "console_url"].contains(&key.as_str()));
    bare["directory"] = json!(LONG_NAME);
    bare["domain"] = json!(LONG_NAME);
    insta::assert_snapshot!("sheet-forward-bare", write_down(&sheet(Op::Apply, bare.clone(), false)));
    insta::assert_snapshot!("sheet-back-bare", write_down(&sheet(Op::Undo, bare, false)));
}

#[test]
fn only_a_name_that_is_too_long_needs_a_check() {
    for (name, is_long) in [("exactly-15-char", false), ("sixteen-letters-", true)] {
        let mut short = table();
        short["directory"] = json!(name);
        let (mut plugin, mut cie) = (open(short), FakeCie { name, ..FakeCie::new() });
        let steps = plan(&mut plugin, &mut cie, true);
        let params = params_of(&steps, "swap", &json!({}), json!({}));
        let reply: ApplyReply = plugin.call(&mut cie, Op::Apply, params).unwrap();
        let sheet = reply.operator.unwrap();
        let line = sheet.lines.iter().find(|line| line.label == "Directory Name (Optional)").unwrap();
        assert_eq!(line.value, Some(json!(name)));
        assert_eq!(line.note.as_ref().unwrap().contains("check this field before Submit"), is_long, "{name}");
    }
}

#[test]
fn a_sheet_requires_the_receipt_and_the_secret() {
    for missing in ["receipt", "client_id", "client_secret"] {
        let (mut plugin, mut cie) = (open(table()), FakeCie::new());
        let steps = plan(&mut plugin, &mut cie, true);
        let mut params = params_of(&steps, "swap", &json!({}), json!({}));
        params["inputs"].as_object_mut().unwrap().remove(missing);
        let error = refused(plugin.call::<ApplyReply>(&mut cie, Op::Apply, params));
        assert_eq!(error.kind, ErrorKind::Protocol, "{missing}");
    }
}

#[test]
fn the_directory_cannot_see_its_own_swap() {
    let (mut plugin, mut cie) = (open(table()), FakeCie::new());
    let steps = plan(&mut plugin, &mut cie, true);
    let params = params_of(&steps, "swap", &json!({}), json!({}));
    let reply: ObserveReply = plugin.call(&mut cie, Op::Observe, params).unwrap();
    assert_eq!(reply.state, Observed::Unknown);
    assert_eq!(plugin.asked, Vec::<String>::new());
}

#[test]
fn the_directory_must_be_unchanged_just_before_the_swap() {
    let check = |cie: &mut FakeCie| -> TestReply {
        let mut plugin = open(table());
        let steps = plan(&mut plugin, &mut FakeCie::new(), true);
        test(&mut plugin, cie, params_of(&steps, "test", &json!({}), json!({}))).unwrap()
    };
    let good = check(&mut FakeCie::new());
    assert_eq!(results(&good.evidence), ["directory: Pass", "last-sync: Pass"]);
    assert_eq!(good.outputs["receipt"], "acme.okta.test seen at 2026-01-01T12:00:00Z");

    let dead = check(&mut FakeCie { last_success: "2025-12-01T00:00:00Z", ..FakeCie::new() });
    assert_eq!(
        results(&dead.evidence),
        ["directory: Pass", "last-sync: NotApplicable"],
        "that is what is to be mended"
    );

    let renamed = check(&mut FakeCie { name: "acme", ..FakeCie::new() });
    assert_eq!(results(&renamed.evidence), ["directory: Fail"]);
    assert_eq!(renamed.evidence[0].rule.as_deref(), Some("directory-missing"));
    assert!(renamed.outputs.is_empty(), "no receipt");
}
