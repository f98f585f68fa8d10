//! Messages that break the protocol or come at a bad time. The plugin must answer with an error or not at all, and must
//! keep serving.

use std::collections::VecDeque;

use flowswap_contract::{Answer, Call, Error, ErrorKind, FromPlugin, Handle, HttpAnswer, Op, Open, Outcome, ToPlugin};
use serde_json::{Map, Value, json};

use crate::{
    Failure, World,
    bench::{Bench, describe},
    candidate::{Candidate, Subject},
    findings::Findings,
    raw::{RawPlugin, encode, hello},
};

/// The id of the only session of each process.
const SESSION: u64 = 1;

/// The id of a session that was never opened, and of a call that was never made.
const UNKNOWN_ID: u64 = 999;

/// How many wrong answers a call may get before it must end.
const MOST_WRONG_ANSWERS: usize = 16;

/// The size of the huge message, in bytes.
const HUGE: usize = 8 << 20;

pub(crate) async fn examine(candidate: &Candidate, subject: &Subject, findings: &mut Findings) -> String {
    let message = |text: &str| text.as_bytes().to_vec();
    let greeting = |extra: Value| {
        let mut hello = json!({"type": "hello", "protocol": {"major": 1, "minor": 0}, "features": []});
        if let Some(hello) = hello.as_object_mut() {
            hello.extend(extra.as_object().cloned().unwrap_or_default());
        }
        encode(&hello)
    };
    let answer = ToPlugin::Answer { id: UNKNOWN_ID, n: 0, outcome: Outcome::Ok(Answer::Slept) };
    for (id, messages, greets) in [
        ("protocol.not-json", vec![message("{\"type\": \"cal"), message(""), vec![0xff, 0xfe], message("null")], false),
        ("protocol.unknown-type", vec![message(r#"{"type": "sing", "song": 1}"#), message("{}"), message("[]")], false),
        ("protocol.unknown-fields", vec![greeting(json!({"later": {"x": [1]}}))], true),
        ("protocol.huge-message", vec![greeting(json!({"filling": "x".repeat(HUGE)}))], true),
        ("protocol.stray-answer", vec![encode(&answer)], false),
        ("protocol.stray-cancel", vec![encode(&ToPlugin::Cancel { id: UNKNOWN_ID })], false),
        ("protocol.close-twice", vec![encode(&ToPlugin::Close { session: UNKNOWN_ID }); 2], false),
    ] {
        findings.note(id, expect_only_greetings(candidate, &messages, greets).await);
    }
    findings.note("protocol.unknown-session", unknown_session(candidate).await);
    let Some(make) = &candidate.make else { return candidate.no_world.clone() };
    let checks = SessionChecks { candidate, world: make() };
    findings.note_cases("protocol.open-empty", checks.open_empty(subject).await, "no key is required");
    findings.note_cases("protocol.open-wrong-types", checks.open_wrong_types(subject).await, "no key is required");
    let opens = match checks.open().await {
        // The host has its own requirements for a session.
        Ok(_) => Bench::open(subject, make).await.map(drop),
        Err(failure) => Err(failure),
    };
    let is_open = opens.is_ok();
    findings.note("protocol.opens", opens);
    if !is_open {
        return "the session does not open".to_owned();
    }
    findings.note("protocol.wrong-params", checks.wrong_params().await);
    findings.note("protocol.unknown-words", checks.unknown_words().await);
    findings.note_cases("protocol.wrong-answer", checks.wrong_answer().await, "`detect` asks for nothing");
    findings.note_cases("protocol.cancel", checks.cancel().await, "`detect` asks for nothing");
    findings.note_cases("protocol.close-mid-call", checks.close_mid_call().await, "`detect` asks for nothing");
    findings.note("protocol.many-calls", checks.many_calls().await);
    String::new()
}

/// Values of other JSON types, which even a lenient plugin cannot convert to the type of `right`.
fn of_other_types(right: &Value) -> [Value; 2] {
    match right {
        Value::String(_) => [json!(7), json!([[]])],
        Value::Array(_) => [json!({"conformance": {}}), json!(true)],
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => [json!("conformance"), json!([[]])],
    }
}

/// The numbers of the asks of a call.
fn asks_of(call: u64, messages: &[FromPlugin]) -> Vec<u32> {
    let asked = |message: &FromPlugin| match message {
        FromPlugin::Ask { id, n, .. } if *id == call => Some(*n),
        _ => None,
    };
    messages.iter().filter_map(asked).collect()
}

fn start(candidate: &Candidate) -> Result<RawPlugin, Failure> {
    candidate.start_raw().map_err(|error| Failure::new("a process", error.to_string()))
}

/// Sends messages that must lead to nothing, or to one greeting each, and then the host's own greeting.
async fn expect_only_greetings(candidate: &Candidate, messages: &[Vec<u8>], greets: bool) -> Result<(), Failure> {
    let expected =
        if greets { "a greeting, and a plugin that keeps serving" } else { "silence, and a plugin that keeps serving" };
    let sent: Vec<_> = messages.iter().cloned().chain([encode(&hello())]).collect();
    let replies = start(candidate)?.replay_decoded(&sent).await.map_err(|seen| Failure::new(expected, seen))?;
    let greetings = 1 + if greets { messages.len() } else { 0 };
    let is_right = replies.len() == greetings && replies.iter().all(|message| matches!(message, FromPlugin::Hello(_)));
    if is_right {
        Ok(())
    } else {
        Err(Failure::new(expected, format!("{} messages: {}", replies.len(), show(&replies))))
    }
}

async fn unknown_session(candidate: &Candidate) -> Result<(), Failure> {
    let mut raw = start(candidate)?;
    for op in [Op::Detect, Op::Apply] {
        let error = failed_call(&mut raw, &call(7, UNKNOWN_ID, op, Value::Null)).await?;
        if error.effect != flowswap_contract::Effect::None {
            return Err(Failure::new("an error with effect none", describe(&error)));
        }
    }
    Ok(())
}

fn call(id: u64, session: u64, op: Op, params: Value) -> ToPlugin {
    let now = "2026-11-23T10:00:00Z".to_owned();
    ToPlugin::Call(Call { id, session, op, key: "conformance".to_owned(), now, params: params.into() })
}

/// Makes a call that must fail at once.
async fn failed_call(raw: &mut RawPlugin, message: &ToPlugin) -> Result<Error, Failure> {
    let expected = "a reply with an error and nothing else";
    let replies = raw.exchange(message).await.map_err(|seen| Failure::new(expected, seen))?;
    match replies.as_slice() {
        [FromPlugin::Reply { outcome: Outcome::Error(error), .. }] => Ok(error.clone()),
        _ => Err(Failure::new(expected, show(&replies))),
    }
}

fn show(replies: &[FromPlugin]) -> String {
    match replies {
        [] => "nothing".to_owned(),
        replies => crate::bench::shorten(&json!(replies).to_string()),
    }
}

/// The checks that need a session.
struct SessionChecks<'a> {
    candidate: &'a Candidate,
    world: Box<dyn World>,
}

impl SessionChecks<'_> {
    fn message(&self, config: Map<String, Value>) -> Value {
        let session = self.world.session();
        let handles =
            session.secrets.keys().map(|key| (key.clone(), Handle::of_side(&session.tenant, session.role, key)));
        let open = Open { session: SESSION, role: session.role, config, secrets: handles.collect() };
        // A host of a later version may send more fields.
        let mut message = json!(ToPlugin::Open(open));
        message["later"] = json!(true);
        message
    }

    /// Starts a process and opens a session.
    async fn open(&self) -> Result<RawPlugin, Failure> {
        let mut raw = start(self.candidate)?;
        match self.try_open(&mut raw, self.world.session().config).await? {
            Ok(()) => Ok(raw),
            Err(error) => Err(Failure::new("a session that opens", describe(&error))),
        }
    }

    async fn try_open(&self, raw: &mut RawPlugin, config: Map<String, Value>) -> Result<Result<(), Error>, Failure> {
        let expected = "one `opened` message for the session";
        let replies = raw.exchange(&self.message(config)).await.map_err(|seen| Failure::new(expected, seen))?;
        match replies.into_iter().next() {
            Some(FromPlugin::Opened { session: SESSION, outcome }) => Ok(outcome.into()),
            other => Err(Failure::new(expected, show(&other.into_iter().collect::<Vec<_>>()))),
        }
    }

    async fn open_empty(&self, subject: &Subject) -> Result<usize, Failure> {
        let is_required = subject.process.hello().config.iter().any(|key| key.required && !key.secret);
        self.expect_refused(Map::new(), is_required).await?;
        Ok(usize::from(is_required))
    }

    /// Gives each key in turn a value of another type, and `null`, which a plugin may treat as a missing value. A
    /// plugin must refuse a wrong value only for a required key.
    async fn open_wrong_types(&self, subject: &Subject) -> Result<usize, Failure> {
        let config = self.world.session().config;
        let mut cases = 0;
        for key in &subject.process.hello().config {
            let Some(right) = config.get(&key.name) else { continue };
            for wrong in of_other_types(right).into_iter().chain([Value::Null]) {
                let must_refuse = key.required && !wrong.is_null();
                let mut config = config.clone();
                config.insert(key.name.clone(), wrong.clone());
                let refused = self.expect_refused(config, must_refuse).await;
                refused.map_err(|failure| failure.during(&format!("`{}` = {wrong}", key.name)))?;
                cases += usize::from(must_refuse);
            }
        }
        Ok(cases)
    }

    async fn expect_refused(&self, config: Map<String, Value>, must_refuse: bool) -> Result<(), Failure> {
        let mut raw = start(self.candidate)?;
        match self.try_open(&mut raw, config).await? {
            Err(error) if error.kind == ErrorKind::Config => Ok(()),
            Err(error) => Err(Failure::new("an error of kind config", describe(&error))),
            Ok(()) if must_refuse => Err(Failure::new("an error of kind config", "a session that opens")),
            Ok(()) => Ok(()),
        }
    }

    async fn wrong_params(&self) -> Result<(), Failure> {
        let mut raw = self.open().await?;
        for (id, op) in [Op::Plan, Op::Observe, Op::Apply, Op::Undo, Op::Test].into_iter().enumerate() {
            let error = failed_call(&mut raw, &call(id as u64, SESSION, op, json!("nonsense"))).await;
            error.map_err(|failure| failure.during(&format!("`{op}`")))?;
        }
        Ok(())
    }

    async fn unknown_words(&self) -> Result<(), Failure> {
        let mut raw = self.open().await?;
        let mut sing = json!(call(1, SESSION, Op::Detect, Value::Null));
        sing["op"] = json!("sing");
        let expected = "silence or an error";
        let replies = raw.exchange(&sing).await.map_err(|seen| Failure::new(expected, seen))?;
        match replies.as_slice() {
            [] | [FromPlugin::Reply { outcome: Outcome::Error(_), .. }] => self.expect_serving(&mut raw).await,
            _ => Err(Failure::new(expected, show(&replies))),
        }
    }

    /// Starts a `detect`. Returns whether it asks for something; `false` means that it ended without asking.
    /// Starts a `detect`, and returns the numbers of its first asks. None if it replies at once.
    async fn start_detect(&self, raw: &mut RawPlugin, id: u64) -> Result<Vec<u32>, Failure> {
        let expected = "`detect` to ask for something, or to reply";
        let replies = raw.exchange(&call(id, SESSION, Op::Detect, Value::Null)).await;
        let replies = replies.map_err(|seen| Failure::new(expected, seen))?;
        let asks = asks_of(id, &replies);
        let has_replied = |message: &FromPlugin| matches!(message, FromPlugin::Reply { id: of, .. } if *of == id);
        if asks.is_empty() && !replies.iter().any(has_replied) {
            return Err(Failure::new(expected, show(&replies)));
        }
        Ok(asks)
    }

    async fn expect_serving(&self, raw: &mut RawPlugin) -> Result<(), Failure> {
        self.start_detect(raw, 500).await.map(drop)
    }

    /// Answers every ask wrongly. A plugin that asks for several things at once may wait for all its answers.
    async fn wrong_answer(&self) -> Result<usize, Failure> {
        let mut raw = self.open().await?;
        let mut asks: VecDeque<u32> = self.start_detect(&mut raw, 1).await?.into();
        if asks.is_empty() {
            return Ok(0);
        }
        let expected = "a reply with an error";
        let is_error = |message: &FromPlugin| matches!(message, FromPlugin::Reply { outcome: Outcome::Error(_), .. });
        let mut replies = Vec::new();
        for _ in 0..MOST_WRONG_ANSWERS {
            let Some(n) = asks.pop_front() else { break };
            let answer = ToPlugin::Answer { id: 1, n, outcome: Outcome::Ok(Answer::Slept) };
            replies = raw.exchange(&answer).await.map_err(|seen| Failure::new(expected, seen))?;
            if replies.iter().any(is_error) {
                return self.expect_serving(&mut raw).await.map(|()| 1);
            }
            asks.extend(asks_of(1, &replies));
        }
        Err(Failure::new(expected, show(&replies)))
    }

    async fn cancel(&self) -> Result<usize, Failure> {
        let mut raw = self.open().await?;
        if self.start_detect(&mut raw, 1).await?.is_empty() {
            return Ok(0);
        }
        let answer = HttpAnswer { status: 200, headers: vec![], body: json!({}), attempts: 1 };
        let answer = ToPlugin::Answer { id: 1, n: 0, outcome: Outcome::Ok(Answer::Http(answer)) };
        for message in [ToPlugin::Cancel { id: 1 }, answer, ToPlugin::Cancel { id: 1 }] {
            let expected = "silence about the canceled call";
            let replies = raw.exchange(&message).await.map_err(|seen| Failure::new(expected, seen))?;
            if !replies.is_empty() {
                return Err(Failure::new(expected, show(&replies)));
            }
        }
        self.expect_serving(&mut raw).await.map(|()| 1)
    }

    async fn close_mid_call(&self) -> Result<usize, Failure> {
        let mut raw = self.open().await?;
        if self.start_detect(&mut raw, 1).await?.is_empty() {
            return Ok(0);
        }
        let expected = "a plugin that serves on";
        for message in [ToPlugin::Close { session: SESSION }, ToPlugin::Cancel { id: 1 }] {
            raw.exchange(&message).await.map_err(|seen| Failure::new(expected, seen))?;
        }
        failed_call(&mut raw, &call(2, SESSION, Op::Detect, Value::Null)).await?;
        match self.try_open(&mut raw, self.world.session().config).await? {
            Ok(()) => self.expect_serving(&mut raw).await.map(|()| 1),
            Err(error) => Err(Failure::new("the session to open again", describe(&error))),
        }
    }

    async fn many_calls(&self) -> Result<(), Failure> {
        let mut raw = self.open().await?;
        for id in 1..=100 {
            self.start_detect(&mut raw, id).await.map_err(|failure| failure.during(&format!("call {id}")))?;
        }
        Ok(())
    }
}
