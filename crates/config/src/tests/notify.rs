//! `[[notify]]`: what is read, and what is refused.

use std::collections::BTreeSet;

use insta::assert_snapshot;

use super::{accept, refuse_toml};
use crate::{Channel, MessageForm, NotifyTarget, Occasion, ProgramCall, SecretRef, WebhookUrl};

#[test]
fn targets_are_told_by_webhook_or_command() {
    let toml = "[[notify]]\nname = \"ops\"\non = [\"waiting\", \"wave-done\", \"waiting\"]\nwebhook = { env = \"OPS_HOOK\" }\nas = \"slack\"\n\
                [[notify]]\nname = \"hub\"\non = [\"overdue\", \"stuck\", \"failed\", \"deadline-near\"]\nwebhook = { url = \"https://hub.example/in\" }\n\
                [[notify]]\nname = \"mail\"\non = [\"stuck\"]\ncommand = [\"./mail\", \"ops\"]\nenv = [\"SMTP\"]\n";
    let (folder, config) = accept(&[("migrate.toml", toml)]);
    let target = |name: &str, on: &[Occasion], channel| NotifyTarget {
        name: name.to_owned(),
        on: on.iter().copied().collect(),
        channel,
    };
    let secret = WebhookUrl::Secret(SecretRef::Env("OPS_HOOK".to_owned()));
    let public = WebhookUrl::Public("https://hub.example/in".to_owned());
    let program = folder.path("./mail").display().to_string();
    let call = ProgramCall { program, args: vec!["ops".to_owned()], env: vec!["SMTP".to_owned()], timeout: None };
    use Occasion as O;
    assert_eq!(
        config.notify,
        [
            target("ops", &[O::Waiting, O::WaveDone], Channel::Webhook { url: secret, form: MessageForm::Slack }),
            target(
                "hub",
                &[O::Overdue, O::Stuck, O::Failed, O::DeadlineNear],
                Channel::Webhook { url: public, form: MessageForm::Json }
            ),
            target("mail", &[O::Stuck], Channel::Command(call)),
        ]
    );
    let words: BTreeSet<_> = O::ALL.map(O::word).into();
    assert_eq!(words.len(), O::ALL.len());
}

#[test]
fn a_webhook_in_plain_text_is_refused_and_not_shown() {
    for toml in [
        "[[notify]]\nname = \"ops\"\non = [\"stuck\"]\nwebhook = \"https://hooks.example/canary-5f0e\"\n",
        "[[notify]]\nname = \"ops\"\non = [\"stuck\"]\nwebhook = { path = \"https://hooks.example/canary-5f0e\" }\n",
        "[[notify]]\nname = \"ops\"\non = [\"stuck\"]\nwebhook = { url = \"http://hooks.example/canary-5f0e\" }\n",
        "[[notify]]\nname = \"ops\"\non = \nwebhook = \"https://hooks.example/canary-5f0e\"\n",
    ] {
        let refused = refuse_toml(toml);
        assert!(!refused.contains("canary"), "{refused}");
    }
}

#[test]
fn invalid_targets() {
    let text = "[[notify]]\non = [\"stuck\"]\nwebhook = { env = \"HOOK\" }\n\
                [[notify]]\nname = \"a\"\non = [\"stuk\", \"everything\"]\nwebhook = \"https://hooks.example/T0/B0\"\n\
                [[notify]]\nname = \"b\"\nwebhook = { url = \"http://hooks.example\" }\nas = \"irc\"\n\
                [[notify]]\nname = \"b\"\non = \"stuck\"\ncommand = [\"notify\"]\nas = \"slack\"\n\
                [[notify]]\nname = \"c\"\non = []\nwebhook = { env = \"HOOK\" }\ncommand = [\"notify\"]\n\
                [[notify]]\nname = \"d\"\non = [\"stuck\"]\n\
                [[notify]]\nname = \"d\"\non = [\"stuck\"]\nwebhook = { env = \"HOOK\" }\nenv = [\"A\"]\nurl = 1\n\
                [[notify]]\nname = \"d\"\non = [\"stuck\"]\ncommand = [\"x\"]\n";
    assert_snapshot!(refuse_toml(text), @r#"
    error: a target of `[[notify]]` has no valid `name`
     --> migrate.toml:1:1
      |
    1 | [[notify]]
      | ^^^^^^^^^^ expected lowercase letters, digits, `.`, `_`, and `-`, such as "ops"

    error: `on` has an unknown word
     --> migrate.toml:6:7
      |
    6 | on = ["stuk", "everything"]
      |       ^^^^^^ nobody can be told of this
      |
      = help: did you mean `stuck`?

    error: `on` has an unknown word
     --> migrate.toml:6:15
      |
    6 | on = ["stuk", "everything"]
      |               ^^^^^^^^^^^^ nobody can be told of this
      |
      = help: use one of `waiting`, `overdue`, `stuck`, `failed`, `wave-done`, `deadline-near`

    error: `webhook` holds its URL in plain text, which is a secret for most services
     --> migrate.toml:7:11
      |
    7 | webhook = "***************************"
      |           ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ expected a reference to where the URL is kept
      |
      = help: write `{ env = "VARIABLE" }`, `{ file = "path" }`, `{ command = ["program"] }`, or `{ vault = "path#field" }`; `{ url = "https://…" }` only for a URL that everybody may know

    error: `[[notify]]` does not say what `b` is told of
     --> migrate.toml:8:1
      |
    8 | [[notify]]
      | ^^^^^^^^^^ expected `on = ["waiting", "stuck"]` below
      |
      = help: use one of `waiting`, `overdue`, `stuck`, `failed`, `wave-done`, `deadline-near`

    error: the `url` of a webhook is not an https URL
      --> migrate.toml:10:19
       |
    10 | webhook = { url = "********************" }
       |                   ^^^^^^^^^^^^^^^^^^^^^^ expected a URL such as "https://hooks.example.com/flowswap"

    error: `as` is not a known word
      --> migrate.toml:11:6
       |
    11 | as = "irc"
       |      ^^^^^ expected one of "json", "slack", "teams"

    error: `on` has the wrong type
      --> migrate.toml:14:6
       |
    14 | on = "stuck"
       |      ^^^^^^^ expected a list such as ["waiting", "stuck"], found a string

    error: `as` is only for a `webhook`
      --> migrate.toml:16:1
       |
    16 | as = "slack"
       | ^^
       |
       = help: a command always gets lines of JSON

    error: `on` is empty, so `c` is told of nothing
      --> migrate.toml:19:6
       |
    19 | on = []
       |      ^^ expected a list such as ["waiting", "stuck"]

    error: `[[notify]]` does not say how `c` is told
      --> migrate.toml:21:1
       |
    20 | webhook = { env = "HOOK" }
       | ------- the first way
    21 | command = ["notify"]
       | ^^^^^^^ a second way
       |
       = help: write exactly one of `webhook` and `command`

    error: `[[notify]]` does not say how `d` is told
      --> migrate.toml:22:1
       |
    22 | [[notify]]
       | ^^^^^^^^^^ expected `webhook` or `command` below
       |
       = help: write exactly one of `webhook` and `command`

    error: `env` is only for a `command`
      --> migrate.toml:29:1
       |
    29 | env = ["A"]
       | ^^^
       |
       = help: write it into the `{ command = … }` of the webhook

    error: unknown key `url`
      --> migrate.toml:30:1
       |
    30 | url = 1
       | ^^^ not a key of `[[notify]]`
       |
       = help: use one of `name`, `on`, `webhook`, `as`, `command`, `env`

    error: two targets have the name `d`
      --> migrate.toml:31:1
       |
    31 | [[notify]]
       | ^^^^^^^^^^ second use
       |
       = help: give each `[[notify]]` a unique name

    error: 15 errors in the configuration
    "#);
    assert_snapshot!(refuse_toml("[notify]\nname = \"a\"\n"), @r"
    error: `notify` is not a list of tables
     --> migrate.toml:1:2
      |
    1 | [notify]
      |  ^^^^^^
      |
      = help: start every target with `[[notify]]`, in double brackets
    ");
}
