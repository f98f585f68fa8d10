//! Plan files: only exactly what was written is read.

use flowswap_engine::{Plan, PlanError};

use crate::test_fleet::TestFleet;

/// The plan as a file.
pub(crate) fn render(plan: &Plan) -> String {
    let mut file = Vec::new();
    plan.write(&mut file).unwrap();
    String::from_utf8(file).unwrap()
}

fn kind(result: &Result<Plan, PlanError>) -> &'static str {
    match result {
        Ok(_) => "read",
        Err(PlanError::Malformed(_)) => "malformed",
        Err(PlanError::Format(_)) => "format",
        Err(PlanError::Changed) => "changed",
        Err(PlanError::Unsound(_)) => "unsound",
        Err(PlanError::Unwritable(_)) => "unwritable",
    }
}

#[tokio::test]
async fn a_plan_is_written_and_read() {
    let plan = TestFleet::new(&["acme", "attended"]).await.plan;
    let text = render(&plan);
    assert_eq!(Plan::read(&text).unwrap(), plan);
    insta::assert_snapshot!(render(&TestFleet::new(&["acme"]).await.plan));
}

#[tokio::test]
async fn a_plan_has_the_digest_of_its_content() {
    let plan = TestFleet::new(&["acme"]).await.plan;
    let same = TestFleet::new(&["acme"]).await.plan;
    let other = TestFleet::new(&["beta"]).await.plan;
    assert_eq!(plan.digest, same.digest);
    assert_ne!(plan.digest, other.digest);
    assert!(plan.digest.len() == 64 && plan.digest.chars().all(|c| c.is_ascii_hexdigit()));
}

/// Every byte is changed in two ways and removed, and bytes are inserted everywhere. Every such file is refused.
#[tokio::test]
async fn any_edit_is_refused() {
    let mut plan = TestFleet::new(&["acme"]).await.plan;
    // A small plan: one tenant without steps.
    plan.tenants[0].steps.clear();
    plan.tenants[0].way_back.clear();
    let plan = Plan::freeze(plan.created_at, plan.not_after, None, plan.plugins, plan.tenants).unwrap();
    let text = render(&plan);
    let mut edits = 0;
    let mut refuse = |bytes: Vec<u8>, what: String| {
        let Ok(edited) = String::from_utf8(bytes) else { return };
        let result = Plan::read(&edited);
        assert!(matches!(kind(&result), "malformed" | "format" | "changed"), "{what}: {}", kind(&result));
        edits += 1;
    };
    for at in 0..text.len() {
        for bit in [0x01, 0x02] {
            let mut bytes = text.clone().into_bytes();
            bytes[at] ^= bit;
            refuse(bytes, format!("byte {at} changed"));
        }
        let mut bytes = text.clone().into_bytes();
        bytes.remove(at);
        refuse(bytes, format!("byte {at} removed"));
        for new in *b" 0\n" {
            let mut bytes = text.clone().into_bytes();
            bytes.insert(at, new);
            refuse(bytes, format!("byte {new} put in at {at}"));
        }
    }
    for (end, what) in [("\n", "a line"), (" ", "a space"), ("{}", "an object"), ("\u{feff}", "a mark")] {
        refuse(format!("{text}{end}").into_bytes(), format!("{what} appended"));
        refuse(format!("{end}{text}").into_bytes(), format!("{what} put in front"));
    }
    println!("edits of a plan of {} bytes: {edits}, all refused", text.len());
    assert!(edits > 3 * text.len());
}

#[tokio::test]
async fn a_file_that_is_not_a_plan_is_refused_with_the_reason() {
    let plan = TestFleet::new(&["acme"]).await.plan;
    let text = render(&plan);
    for (other, expect) in [
        (text.replace("\"format\": 1", "\"format\": 2"), "format"),
        ("{\"format\": 7, \"anything\": []}".to_owned(), "format"),
        ("{\"format\": \"1\"}".to_owned(), "malformed"),
        ("{\"format\": 1}".to_owned(), "changed"),
        ("{}".to_owned(), "malformed"),
        ("[]".to_owned(), "malformed"),
        ("".to_owned(), "malformed"),
        ("hello".to_owned(), "malformed"),
        (text.replace('\n', "\r\n"), "changed"),
        (text.replacen('{', "{\"format\": 1,", 1), "malformed"),
        (text.replacen('{', "{\"digest\": \"\",", 1), "changed"),
        (text.replacen('{', "{\"comment\": 1,", 1), "changed"),
        (serde_json::from_str::<serde_json::Value>(&text).unwrap().to_string(), "changed"),
    ] {
        assert_eq!(kind(&Plan::read(&other)), expect, "{}", &other[..other.len().min(60)]);
    }
    // Anybody who can compute digests can write a plan. It must still be valid.
    let mut forged = plan.clone();
    forged.tenants[0].way_back.clear();
    assert_eq!(
        kind(&Plan::freeze(forged.created_at, forged.not_after, None, forged.plugins, forged.tenants)),
        "unsound"
    );
}
