//! Messages that break the protocol, or come at a bad time: the plugin answers with an error or not at all, and serves on.

use flowswap_contract::{Answer, Call, Error, ErrorKind, FromPlugin, Handle, HttpAnswer, Op, Open, Outcome, ToPlugin};
use serde_json::{Map, Value, json};

use crate::{
    Failure, World,
    bench::{Bench, say},
    kit::{Findings, Kit, Subject},
    raw::{RawPlugin, encode, hello},
};

/// The one session of each of these processes.
const SESSION: u64 = 1;

/// A session and a call that nobody ever opened or made.
const NOBODY: u64 = 999;

/// A filling of this many bytes.
const HUGE: usize = 8 << 20;

pub(crate) async fn examine(kit: &Kit, subject: &Subject, findings: &mut Findings) -> String {
    let message = |text: &str| text.as_bytes().to_vec();
    let greeting = |extra: Value| {
        let mut hello = json!({"type": "hello", "protocol": {"major": 1, "minor": 0}, "features": []});
        hello
            .as_object_mut()
            .into_iter()
            .for_each(|hello| hello.extend(extra.as_object().cloned().unwrap_or_default()));
        encode(&hello)
    };
    let answer = ToPlugin::Answer { id: NOBODY, n: 0, outcome: Outcome::Ok(Answer::Slept) };
    for (id, messages, greets) in [
        ("protocol.not-json", vec![message("{\"type\": \"cal"), message(""), vec![0xff, 0xfe], message("null")], false),
        ("protocol.unknown-type", vec![message(r#"{"type": "sing", "song": 1}"#), message("{}"), message("[]")], false),
        ("protocol.unknown-fields", vec![greeting(json!({"later": {"x": [1]}}))], true),
        ("protocol.huge-message", vec![greeting(json!({"filling": "x".repeat(HUGE)}))], true),
        ("protocol.stray-answer", vec![encode(&answer)], false),
        ("protocol.stray-cancel", vec![encode(&ToPlugin::Cancel { id: NOBODY })], false),
        ("protocol.close-twice", vec![encode(&ToPlugin::Close { session: NOBODY }); 2], false),
    ] {
        findings.note(id, bear(kit, &messages, greets).await);
    }
    findings.note("protocol.unknown-session", unknown_session(kit).await);
    let Some(make) = &kit.make else { return kit.no_world().to_owned() };
    let abuse = Abuse { kit, world: make() };
    findings.note_cases("protocol.open-empty", abuse.open_empty(subject).await, "no key is required");
    findings.note_cases("protocol.open-wrong-types", abuse.open_wrong_types(subject).await, "no key is required");
    let opens = match abuse.open().await {
        // The host has its own demands.
        Ok(_) => Bench::open(subject, make).await.map(drop),
        Err(failure) => Err(failure),
    };
    let is_open = opens.is_ok();
    findings.note("protocol.opens", opens);
    if !is_open {
        return "no session opens".to_owned();
    }
    findings.note("protocol.wrong-params", abuse.wrong_params().await);
    findings.note("protocol.unknown-words", abuse.unknown_words().await);
    findings.note_cases("protocol.wrong-answer", abuse.wrong_answer().await, "`detect` asks for nothing");
    findings.note_cases("protocol.cancel", abuse.cancel().await, "`detect` asks for nothing");
    findings.note_cases("protocol.close-mid-call", abuse.close_mid_call().await, "`detect` asks for nothing");
    findings.note("protocol.many-calls", abuse.many_calls().await);
    String::new()
}

/// Values of other JSON types than this one, and none that a forgiving reader could take for it.
fn of_other_types(right: &Value) -> [Value; 2] {
    match right {
        Value::String(_) => [json!(7), json!([[]])],
        Value::Array(_) => [json!({"conformance": {}}), json!(true)],
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => [json!("conformance"), json!([[]])],
    }
}

fn start(kit: &Kit) -> Result<RawPlugin, Failure> {
    kit.start_raw().map_err(|error| Failure::new("a process", error.to_string()))
}

/// Messages that lead to nothing, or to one greeting each; and then the host's own greeting.
async fn bear(kit: &Kit, messages: &[Vec<u8>], greets: bool) -> Result<(), Failure> {
    let expected =
        if greets { "a greeting, and a plugin that serves on" } else { "silence, and a plugin that serves on" };
    let told: Vec<_> = messages.iter().cloned().chain([encode(&hello())]).collect();
    let said = start(kit)?.tell(&told).await.map_err(|seen| Failure::new(expected, seen))?;
    let greetings = 1 + if greets { messages.len() } else { 0 };
    let is_right = said.len() == greetings && said.iter().all(|message| matches!(message, FromPlugin::Hello(_)));
    if is_right { Ok(()) } else { Err(Failure::new(expected, format!("{} messages: {}", said.len(), show(&said)))) }
}

async fn unknown_session(kit: &Kit) -> Result<(), Failure> {
    let mut raw = start(kit)?;
    for op in [Op::Detect, Op::Apply] {
        let error = failed_call(&mut raw, &call(7, NOBODY, op, Value::Null)).await?;
        if error.effect != flowswap_contract::Effect::None {
            return Err(Failure::new("an error with effect none", say(&error)));
        }
    }
    Ok(())
}

fn call(id: u64, session: u64, op: Op, params: Value) -> ToPlugin {
    let now = "2026-11-23T10:00:00Z".to_owned();
    ToPlugin::Call(Call { id, session, op, key: "conformance".to_owned(), now, params })
}

/// Makes a call that must end with an error at once.
async fn failed_call(raw: &mut RawPlugin, message: &ToPlugin) -> Result<Error, Failure> {
    let expected = "a reply with an error and nothing else";
    let said = raw.exchange(message).await.map_err(|seen| Failure::new(expected, seen))?;
    match said.as_slice() {
        [FromPlugin::Reply { outcome: Outcome::Error(error), .. }] => Ok(error.clone()),
        _ => Err(Failure::new(expected, show(&said))),
    }
}

fn show(said: &[FromPlugin]) -> String {
    match said {
        [] => "nothing".to_owned(),
        said => crate::bench::cut(&json!(said).to_string()),
    }
}

/// What needs a session.
struct Abuse<'a> {
    kit: &'a Kit,
    world: Box<dyn World>,
}

impl Abuse<'_> {
    fn message(&self, config: Map<String, Value>) -> Value {
        let given = self.world.session();
        let handles = given
            .secrets
            .keys()
            .map(|key| (key.clone(), Handle::new(format!("{}/{}/{key}", given.tenant, given.role))));
        let open = Open { session: SESSION, role: given.role, config, secrets: handles.collect() };
        // A host of a later version may say more.
        let mut message = json!(ToPlugin::Open(open));
        message["later"] = json!(true);
        message
    }

    /// A process with an open session.
    async fn open(&self) -> Result<RawPlugin, Failure> {
        let mut raw = start(self.kit)?;
        match self.try_open(&mut raw, self.world.session().config).await? {
            Ok(()) => Ok(raw),
            Err(error) => Err(Failure::new("a session that opens", say(&error))),
        }
    }

    async fn try_open(&self, raw: &mut RawPlugin, config: Map<String, Value>) -> Result<Result<(), Error>, Failure> {
        let expected = "one `opened` for the session";
        let said = raw.exchange(&self.message(config)).await.map_err(|seen| Failure::new(expected, seen))?;
        match said.into_iter().next() {
            Some(FromPlugin::Opened { session: SESSION, outcome }) => Ok(outcome.into()),
            other => Err(Failure::new(expected, show(&other.into_iter().collect::<Vec<_>>()))),
        }
    }

    async fn open_empty(&self, subject: &Subject) -> Result<usize, Failure> {
        let is_required = subject.process.hello().config.iter().any(|key| key.required && !key.secret);
        self.expect_refused(Map::new(), is_required).await?;
        Ok(usize::from(is_required))
    }

    /// Each key in turn gets a value of another kind than it has, and `null`, which may count as no value at all. Only a
    /// required key must be heeded.
    async fn open_wrong_types(&self, subject: &Subject) -> Result<usize, Failure> {
        let config = self.world.session().config;
        let mut cases = 0;
        for key in &subject.process.hello().config {
            let Some(right) = config.get(&key.name) else { continue };
            for wrong in of_other_types(right).into_iter().chain([Value::Null]) {
                let must = key.required && !wrong.is_null();
                let mut config = config.clone();
                config.insert(key.name.clone(), wrong.clone());
                let refused = self.expect_refused(config, must).await;
                refused.map_err(|failure| failure.during(&format!("`{}` = {wrong}", key.name)))?;
                cases += usize::from(must);
            }
        }
        Ok(cases)
    }

    async fn expect_refused(&self, config: Map<String, Value>, must: bool) -> Result<(), Failure> {
        let mut raw = start(self.kit)?;
        match self.try_open(&mut raw, config).await? {
            Err(error) if error.kind == ErrorKind::Config => Ok(()),
            Err(error) => Err(Failure::new("an error of kind config", say(&error))),
            Ok(()) if must => Err(Failure::new("an error of kind config", "a session that opens")),
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
        let said = raw.exchange(&sing).await.map_err(|seen| Failure::new(expected, seen))?;
        match said.as_slice() {
            [] | [FromPlugin::Reply { outcome: Outcome::Error(_), .. }] => self.serves(&mut raw).await,
            _ => Err(Failure::new(expected, show(&said))),
        }
    }

    /// Begins a `detect`, and returns what it asks for first; nothing where it ends without asking.
    async fn begin(&self, raw: &mut RawPlugin, id: u64) -> Result<bool, Failure> {
        let expected = "`detect` to ask for something, or to reply";
        let said = raw.exchange(&call(id, SESSION, Op::Detect, Value::Null)).await;
        let said = said.map_err(|seen| Failure::new(expected, seen))?;
        let of_call = |message: &FromPlugin| match message {
            FromPlugin::Ask { id: of, n: 0, .. } if *of == id => Some(true),
            FromPlugin::Reply { id: of, .. } if *of == id => Some(false),
            _ => None,
        };
        said.iter().find_map(of_call).ok_or_else(|| Failure::new(expected, show(&said)))
    }

    async fn serves(&self, raw: &mut RawPlugin) -> Result<(), Failure> {
        self.begin(raw, 500).await.map(drop)
    }

    async fn wrong_answer(&self) -> Result<usize, Failure> {
        let mut raw = self.open().await?;
        if !self.begin(&mut raw, 1).await? {
            return Ok(0);
        }
        let expected = "a reply with an error";
        let answer = ToPlugin::Answer { id: 1, n: 0, outcome: Outcome::Ok(Answer::Slept) };
        let said = raw.exchange(&answer).await.map_err(|seen| Failure::new(expected, seen))?;
        let is_error = |message: &FromPlugin| matches!(message, FromPlugin::Reply { outcome: Outcome::Error(_), .. });
        if !said.iter().any(is_error) {
            return Err(Failure::new(expected, show(&said)));
        }
        self.serves(&mut raw).await.map(|()| 1)
    }

    async fn cancel(&self) -> Result<usize, Failure> {
        let mut raw = self.open().await?;
        if !self.begin(&mut raw, 1).await? {
            return Ok(0);
        }
        let answer = HttpAnswer { status: 200, headers: vec![], body: json!({}), attempts: 1 };
        let answer = ToPlugin::Answer { id: 1, n: 0, outcome: Outcome::Ok(Answer::Http(answer)) };
        for message in [ToPlugin::Cancel { id: 1 }, answer, ToPlugin::Cancel { id: 1 }] {
            let expected = "silence about the cancelled call";
            let said = raw.exchange(&message).await.map_err(|seen| Failure::new(expected, seen))?;
            if !said.is_empty() {
                return Err(Failure::new(expected, show(&said)));
            }
        }
        self.serves(&mut raw).await.map(|()| 1)
    }

    async fn close_mid_call(&self) -> Result<usize, Failure> {
        let mut raw = self.open().await?;
        if !self.begin(&mut raw, 1).await? {
            return Ok(0);
        }
        let expected = "a plugin that serves on";
        for message in [ToPlugin::Close { session: SESSION }, ToPlugin::Cancel { id: 1 }] {
            raw.exchange(&message).await.map_err(|seen| Failure::new(expected, seen))?;
        }
        failed_call(&mut raw, &call(2, SESSION, Op::Detect, Value::Null)).await?;
        match self.try_open(&mut raw, self.world.session().config).await? {
            Ok(()) => self.serves(&mut raw).await.map(|()| 1),
            Err(error) => Err(Failure::new("the session to open again", say(&error))),
        }
    }

    async fn many_calls(&self) -> Result<(), Failure> {
        let mut raw = self.open().await?;
        for id in 1..=100 {
            self.begin(&mut raw, id).await.map_err(|failure| failure.during(&format!("call {id}")))?;
        }
        Ok(())
    }
}
