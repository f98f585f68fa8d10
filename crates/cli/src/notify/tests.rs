//! What single records tell, and the forms in which it is sent.

use std::collections::{BTreeMap, BTreeSet};

use flowswap_config::{MessageForm, Occasion};
use flowswap_engine::{Draft, Entry, Journal, Position, Record, RunId, TenantState, Verdict};
use flowswap_store::{SqliteJournal, StateDir};
use futures::executor::block_on;
use insta::assert_snapshot;
use jiff::Timestamp;
use serde_json::Value;

use super::{
    message::{Form, Parcel},
    news::News,
    notification::Notification,
};

const NOW: Timestamp = Timestamp::UNIX_EPOCH;

fn record(seq: u64, tenant: &str, entry: Entry) -> Record {
    Record { seq, epoch: 1, draft: draft(tenant, entry) }
}

fn draft(tenant: &str, entry: Entry) -> Draft {
    Draft { at: NOW, run: RunId::none(), tenant: Some(tenant.to_owned()), entry }
}

fn ended(state: TenantState, reason: &str) -> Entry {
    Entry::TenantEnded { state, reason: Some(reason.to_owned()), interrupted: false }
}

fn planned(findings: &[&str]) -> Entry {
    Entry::Planned {
        plan: "d".to_owned(),
        path: "plan.json".to_owned(),
        verdict: Verdict::Ready,
        findings: findings.iter().map(|id| (*id).to_owned()).collect(),
        wave: None,
        by: None,
    }
}

fn asked(owner: Option<&str>) -> Entry {
    let sheet = serde_json::from_value(serde_json::json!({ "title": "Reconnect", "lines": [], "proof": "a sync" }));
    Entry::OperatorAsked {
        step: "swap".to_owned(),
        direction: flowswap_engine::Direction::Forward,
        sheet: Box::new(sheet.unwrap()),
        owner: owner.map(str::to_owned),
        deadline: NOW,
    }
}

fn told(records: &[Record]) -> Vec<Notification> {
    records.iter().filter_map(Notification::of).collect()
}

#[test]
fn a_record_is_news_or_it_is_not() {
    let records = [
        record(1, "acme", planned(&["auth-code-flow"])),
        record(2, "acme", planned(&["auth-code-flow", "deadline-near"])),
        record(3, "acme", asked(Some("dana"))),
        record(4, "acme", ended(TenantState::Waiting, "it waits")),
        record(5, "acme", ended(TenantState::Stuck, "nobody knows")),
        record(6, "acme", ended(TenantState::Failed, "the org refused")),
        record(7, "acme", ended(TenantState::Swapped, "")),
    ];
    let keys: Vec<_> = told(&records).into_iter().map(|news| news.key).collect();
    assert_eq!(keys, ["2/deadline-near", "3/waiting", "5/stuck", "6/failed"]);
}

/// All texts of a message, as a person reads it.
fn texts(parcel: &Parcel) -> String {
    let body: Value = serde_json::from_str(&parcel.body).unwrap();
    match &body["text"] {
        Value::String(text) => text.clone(),
        _ => {
            let blocks = body["attachments"][0]["content"]["body"].as_array().unwrap();
            blocks.iter().map(|block| format!("{}\n", block["inlines"][0]["text"].as_str().unwrap())).collect()
        }
    }
}

const SLACK: Form = Form::Message(MessageForm::Slack);
const TEAMS: Form = Form::Message(MessageForm::Teams);
const JSON: Form = Form::Message(MessageForm::Json);

#[test]
fn people_read_sentences() {
    let records = [
        record(2, "acme", planned(&["deadline-near"])),
        record(3, "acme", asked(Some("dana"))),
        record(4, "acme", asked(None)),
        record(5, "acme", ended(TenantState::Stuck, "nobody knows whether the client exists")),
        record(6, "acme", ended(TenantState::Failed, "the org refused")),
    ];
    let mut news = told(&records);
    news.extend(Notification::of_sheet(Occasion::Overdue, &records[1]));
    news.push(Notification::of_wave("canary", 9, NOW));
    news.push(Notification::test(NOW));
    let sentences: Vec<_> =
        news.iter().map(|one| texts(&Parcel::first(std::slice::from_ref(one), SLACK).unwrap())).collect();
    assert_snapshot!(sentences.join("\n\n"), @r"
    the connection of acme stops working within two weeks
    next: flowswap status acme

    acme waits: dana must carry out swap by 1970-01-01T00:00:00Z
    next: flowswap sheet acme

    acme waits: an operator must carry out swap by 1970-01-01T00:00:00Z
    next: flowswap sheet acme

    acme is stuck and needs a decision: nobody knows whether the client exists
    next: flowswap stuck acme

    acme failed, and the step changed nothing: the org refused
    next: flowswap status acme

    acme is overdue: dana had to carry out swap by 1970-01-01T00:00:00Z
    next: flowswap sheet acme

    the wave canary is done: all its tenants are swapped
    next: flowswap status --wave canary

    this is a test of flowswap: messages arrive here
    ");
}

#[test]
fn what_comes_from_outside_becomes_neither_a_mention_nor_another_link() {
    let reason = "<!here> <https://evil.example|click> & [click](https://evil.example)\u{202e}\u{1b}[31m";
    let news = told(&[record(5, "acme", ended(TenantState::Stuck, reason))]);
    let of = |form| Parcel::first(&news, form).unwrap();
    assert_snapshot!(texts(&of(SLACK)), @r"
    acme is stuck and needs a decision: &lt;!here&gt; &lt;https://evil.example|click&gt; &amp; [click](https://evil.example)&lt;U+202E&gt;&lt;U+001B&gt;[31m
    next: flowswap stuck acme
    ");
    assert_snapshot!(of(TEAMS).body, @r#"{"attachments":[{"content":{"$schema":"http://adaptivecards.io/schemas/adaptive-card.json","body":[{"inlines":[{"text":"acme is stuck and needs a decision: <!here> <https://evil.example|click> & [click](https://evil.example)<U+202E><U+001B>[31m","type":"TextRun"}],"type":"RichTextBlock"},{"inlines":[{"text":"next: flowswap stuck acme","type":"TextRun"}],"type":"RichTextBlock"}],"type":"AdaptiveCard","version":"1.4"},"contentType":"application/vnd.microsoft.card.adaptive","contentUrl":null}],"type":"message"}"#);
    assert_snapshot!(of(JSON).body, @r#"{"format":1,"key":"5/stuck","record":5,"at":"1970-01-01T00:00:00Z","on":"stuck","tenant":"acme","state":"stuck","step":null,"owner":null,"deadline":null,"reason":"<!here> <https://evil.example|click> & [click](https://evil.example)\u202e\u001b[31m","next":"flowswap stuck acme","wave":null}"#);
}

#[test]
fn many_of_one_kind_are_one_message_for_people() {
    let failed = |seq: u64| record(seq, &format!("t{seq}"), ended(TenantState::Failed, "the org refused"));
    let mut records: Vec<_> = (1..=5).map(failed).collect();
    records.push(record(6, "acme", ended(TenantState::Stuck, "x")));
    // Five are told one by one.
    for form in [JSON, SLACK, TEAMS] {
        assert_eq!(Parcel::first(&told(&records), form).unwrap().keys, ["1/failed"]);
    }
    records.push(failed(7));
    let six = ["1/failed", "2/failed", "3/failed", "4/failed", "5/failed", "7/failed"];
    for form in [SLACK, TEAMS] {
        assert_eq!(Parcel::first(&told(&records), form).unwrap().keys, six);
    }
    assert_eq!(Parcel::first(&told(&records), JSON).unwrap().keys, ["1/failed"]);
    assert_snapshot!(texts(&Parcel::first(&told(&records), TEAMS).unwrap()), @r"
    6 tenants failed:
    • t1 failed, and the step changed nothing: the org refused
    • t2 failed, and the step changed nothing: the org refused
    • t3 failed, and the step changed nothing: the org refused
    • t4 failed, and the step changed nothing: the org refused
    • t5 failed, and the step changed nothing: the org refused
    • t7 failed, and the step changed nothing: the org refused
    next: flowswap status
    ");

    // A program gets them all, one a line, and no more than a hundred at once.
    let lines = Parcel::first(&told(&records), Form::Lines).unwrap();
    let decoded: Vec<Value> = lines.body.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(decoded.iter().map(|news| news["key"].as_str().unwrap()).collect::<Vec<_>>(), lines.keys);
    let many: Vec<_> = (1..=120).map(failed).collect();
    assert_eq!(Parcel::first(&told(&many), Form::Lines).unwrap().keys.len(), 100);

    // A message for people stays short, and has them all.
    let parcel = Parcel::first(&told(&many), TEAMS).unwrap();
    assert_eq!((parcel.keys.len(), texts(&parcel).lines().count()), (120, 53));
    assert!(texts(&parcel).contains("• and 70 more\n") && parcel.body.len() < 28_000, "{}", parcel.body.len());
    assert_eq!(Parcel::first(&[], JSON), None);
}

#[test]
fn news_are_read_after_a_position_and_an_unknown_one_is_the_start() {
    let folder = tempfile::tempdir_in(flowswap_host::trusted_temp_dir()).unwrap();
    let state = StateDir::at(folder.path());
    let journal = SqliteJournal::inline(&state.journal()).unwrap();
    let append = |tenant: &str| {
        let drafts = vec![draft(tenant, planned(&["deadline-near"]))];
        block_on(journal.append(drafts)).unwrap()
    };
    let first = append("acme");
    let second = append("globex");
    let on: BTreeSet<_> = Occasion::ALL.into();
    let after = |position| News::after(position, &on, state.clone(), second, &BTreeMap::new());
    let keys = |news: &mut News| -> Vec<String> { news.read(NOW).unwrap().into_iter().map(|news| news.key).collect() };

    let mut news = after(first);
    assert_eq!(keys(&mut news), ["2/deadline-near"]);
    assert_eq!((keys(&mut news), news.position()), (Vec::new(), second));
    append("initech");
    assert_eq!(keys(&mut news), ["3/deadline-near"]);
    assert_eq!(keys(&mut after(Position { seq: 2, hash: [1; 32] })), ["3/deadline-near"]);
    assert_eq!(keys(&mut after(Position { seq: 99, hash: [1; 32] })), ["3/deadline-near"]);
    let only_stuck = BTreeSet::from([Occasion::Stuck]);
    let mut other = News::after(Position::default(), &only_stuck, state.clone(), second, &BTreeMap::new());
    assert_eq!(keys(&mut other), Vec::<String>::new());
}
