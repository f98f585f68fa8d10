//! Turns notifications into what is sent: the JSON of flowswap, a message of Slack, or a card of Microsoft Teams.
//!
//! Names and reasons come from outside. They go through the filter, and they cannot mention people or hide where a link leads.
//! Slack's control characters are escaped (docs.slack.dev, "Formatting message text"), and a `TextRun` of an Adaptive Card has no
//! Markdown (adaptivecards.io, "TextRun").

use flowswap_config::{MessageForm, Occasion};
use serde::Serialize;
use serde_json::{Value, json};

use super::notification::{Notification, TEST};
use crate::display::text::{Text, text};

/// With more of one kind, Slack and Teams get one message with a list.
const MANY: usize = 5;
/// The most lines of such a list. Teams takes messages of up to 28 KB (learn.microsoft.com, "Limits and specifications for
/// Microsoft Teams").
const MOST_LINES: usize = 50;
/// The most columns of a line.
const MOST_COLUMNS: usize = 200;
/// The most columns of a person's name in a sentence.
const MOST_OF_A_NAME: usize = 60;
/// The most lines that a program gets at once.
const MOST_AT_ONCE: usize = 100;

/// The form of what is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// For a webhook.
    Message(MessageForm),
    /// For a program: one JSON object a line.
    Lines,
}

/// What is sent at once.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Parcel {
    /// The keys of the notifications in it.
    pub(super) keys: Vec<String>,
    pub(super) body: String,
}

impl Parcel {
    /// The first parcel of what is left, which begins with the oldest. `None` if nothing is.
    pub(super) fn first(left: &[Notification], form: Form) -> Option<Self> {
        let first = left.first()?;
        let alike: Vec<_> = left.iter().filter(|news| news.on == first.on).collect();
        let chosen = match form {
            Form::Lines => left.iter().take(MOST_AT_ONCE).collect(),
            Form::Message(MessageForm::Slack | MessageForm::Teams) if alike.len() > MANY => alike,
            Form::Message(_) => vec![first],
        };
        let body = match form {
            Form::Lines => chosen.iter().map(|news| to_json(news) + "\n").collect(),
            Form::Message(MessageForm::Json) => to_json(first),
            Form::Message(MessageForm::Slack) => to_json(&slack(&lines(&chosen))),
            Form::Message(MessageForm::Teams) => to_json(&teams(&lines(&chosen))),
        };
        Some(Self { keys: chosen.into_iter().map(|news| news.key.clone()).collect(), body })
    }
}

/// In JSON on one line, every character that must not be shown is escaped.
fn to_json(value: &impl Serialize) -> String {
    // Values of JSON always become JSON.
    flowswap_engine::escape_json(&serde_json::to_string(value).unwrap_or_default())
}

fn slack(lines: &[Text]) -> Value {
    let escape = |line: &Text| line.as_str().replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    let text = lines.iter().map(escape).collect::<Vec<_>>().join("\n");
    // Names come from outside: they are neither formatted, nor do their links fetch anything.
    json!({ "text": text, "mrkdwn": false, "unfurl_links": false, "unfurl_media": false })
}

/// What the workflow “Post to a channel when a webhook request is received” takes (learn.microsoft.com, "Create and send
/// messages").
fn teams(lines: &[Text]) -> Value {
    let block =
        |line: &Text| json!({ "type": "RichTextBlock", "inlines": [{ "type": "TextRun", "text": line.as_str() }] });
    json!({
        "type": "message",
        "attachments": [{
            "contentType": "application/vnd.microsoft.card.adaptive",
            "contentUrl": null,
            "content": {
                "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
                "type": "AdaptiveCard",
                "version": "1.4",
                "body": lines.iter().map(block).collect::<Vec<_>>(),
            },
        }],
    })
}

/// One notification, or a list of several of one kind.
fn lines(chosen: &[&Notification]) -> Vec<Text> {
    match chosen {
        [one] => {
            let next = one.next.as_ref().map(|next| text!("next: {}", next));
            [Some(sentence(one)), next].into_iter().flatten().map(|line| line.cut_to(MOST_COLUMNS)).collect()
        }
        many => {
            let shown = many.iter().take(MOST_LINES).map(|news| text!("• {}", sentence(news)).cut_to(MOST_COLUMNS));
            let mut lines = vec![heading(many.len(), many.first().map(|news| news.on))];
            lines.extend(shown);
            if many.len() > MOST_LINES {
                lines.push(text!("• and {} more", many.len() - MOST_LINES));
            }
            lines.push("next: flowswap status".into());
            lines
        }
    }
}

fn heading(number: usize, on: Option<&'static str>) -> Text {
    match Occasion::ALL.into_iter().find(|occasion| Some(occasion.word()) == on) {
        Some(Occasion::Waiting) => text!("{} tenants wait for a person:", number),
        Some(Occasion::Overdue) => text!("{} run sheets are overdue:", number),
        Some(Occasion::Stuck) => text!("{} tenants are stuck and need a decision:", number),
        Some(Occasion::Failed) => text!("{} tenants failed:", number),
        Some(Occasion::WaveDone) => text!("{} waves are done:", number),
        Some(Occasion::DeadlineNear) => text!("{} connections stop working within two weeks:", number),
        None => text!("{} messages:", number),
    }
}

fn sentence(news: &Notification) -> Text {
    let tenant = news.tenant.as_deref().unwrap_or_default();
    // A long name must not push out what the sentence says.
    let person = || news.owner.as_ref().map_or("an operator".into(), |owner| text!("{}", owner).cut_to(MOST_OF_A_NAME));
    let step = news.step.as_deref().unwrap_or_default();
    let due = || news.deadline.map(|deadline| text!(" by {}", deadline)).unwrap_or_default();
    let because = || news.reason.as_ref().map(|reason| text!(": {}", reason)).unwrap_or_default();
    match Occasion::ALL.into_iter().find(|occasion| occasion.word() == news.on) {
        Some(Occasion::Waiting) => text!("{} waits: {} must carry out {}{}", tenant, person(), step, due()),
        Some(Occasion::Overdue) => text!("{} is overdue: {} had to carry out {}{}", tenant, person(), step, due()),
        Some(Occasion::Stuck) => text!("{} is stuck and needs a decision{}", tenant, because()),
        Some(Occasion::Failed) => text!("{} failed, and the step changed nothing{}", tenant, because()),
        Some(Occasion::WaveDone) => {
            text!("the wave {} is done: all its tenants are swapped", news.wave.as_deref().unwrap_or_default())
        }
        Some(Occasion::DeadlineNear) => text!("the connection of {} stops working within two weeks", tenant),
        None if news.on == TEST => "this is a test of flowswap: messages arrive here".into(),
        None => text!("{}: {}", news.on, tenant),
    }
}
