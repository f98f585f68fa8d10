//! Who is connected as whom, from every order of tokens of both clients and of flowswap.

use flowswap_contract::{ErrorKind, ObserveReply, Observed, Op, Role};
use serde_json::{Value, json};

use crate::{
    driver::{answer, refused, step_params},
    fake::{FakeOkta, What, okta_error},
    open,
};

/// Tokens, each as `MM:SSx`, time after noon and who: the directory as the [S]ervice or the [L]egacy client, refused as
/// the one or the other (`s`, `l`), flowswap as the service client (`F`).
fn write_log(org: &mut FakeOkta, tokens: &str) {
    try_client(org);
    for token in tokens.split_whitespace() {
        let (time, who) = token.split_at(5);
        let (client, agent, result) = match who {
            "S" => ("0oaNEW", "CIE/1.0", "SUCCESS"),
            "L" => ("0oaLEGACY-client", "CIE/1.0", "SUCCESS"),
            "s" => ("0oaNEW", "CIE/1.0", "FAILURE"),
            "l" => ("0oaLEGACY-client", "CIE/1.0", "FAILURE"),
            "F" => ("0oaNEW", "flowswap/0.1.0 (+intent:run/prove)", "SUCCESS"),
            other => panic!("{other}"),
        };
        org.log_token(client, agent, result, &format!("2026-01-01T12:{time}.000Z"));
    }
}

/// What `prove` leaves: before any swap flowswap itself got a token as the service client.
fn try_client(org: &mut FakeOkta) {
    org.log_token("0oaNEW", "flowswap/0.1.0 (+intent:run/prove)", "SUCCESS", "2026-01-01T11:59:00.000Z");
}

fn swap(previous: Option<&str>) -> Value {
    let proposal = json!({
        "phase": "swap", "title": "reconnect", "by": "operator", "seen_by": "provider", "reversibility": "attended",
        "payload": {"previous_client_id": previous, "name": "acme"},
    });
    let mut params = step_params(Role::Directory, &proposal, json!({"client_id": "0oaNEW"}), json!({}));
    params["attempts"] = json!([{"token": "run/swap", "at": "2026-01-01T12:00:00Z"}]);
    params
}

fn observe(org: &mut FakeOkta, previous: Option<&str>) -> (ObserveReply, usize) {
    let mut okta = open();
    let seen: ObserveReply = okta.call(org, Op::Observe, swap(previous)).unwrap();
    assert!(okta.asked.iter().all(|line| line.starts_with("GET") && line.contains("/api/v1/logs?")));
    (seen, okta.asked.len())
}

/// The state, and for one that is applied when it was.
fn summary(seen: &ObserveReply) -> String {
    match seen.outputs.get("swapped_at") {
        Some(at) => format!("{:?} {}", seen.state, at.as_str().unwrap()),
        None => format!("{:?}", seen.state),
    }
}

#[test]
fn the_order_of_the_tokens_tells_the_connection() {
    let applied = |time: &str| format!("Applied 2026-01-01T12:{time}Z");
    let (no, unclear) = ("NotApplied".to_owned(), "Unknown".to_owned());
    let table = [
        ("", no.clone()),
        ("01:00F", no.clone()),
        ("00:00l", no.clone()),
        ("00:00L 05:00L", no.clone()),
        ("00:00L 01:00F", no.clone()),
        ("00:00L 03:00s 05:00L", no.clone()),
        ("00:00L 03:00S", applied("03:00")),
        ("00:00L 03:00S 05:00S", applied("03:00")),
        ("03:00S", applied("03:00")),
        // A sync that ran while the person clicked.
        ("00:00L 03:00S 03:20L", unclear.clone()),
        ("00:00L 03:00S 03:20L 08:20S 13:20S", applied("08:20")),
        // Tested and not submitted.
        ("00:00L 03:00S 05:00L 10:00L", unclear.clone()),
        // Somebody else may use the legacy client while a token of the service client lives.
        ("03:00S 08:00S 09:00L", unclear.clone()),
        ("03:00S 08:00S 09:00L 10:00L", unclear.clone()),
        ("03:00S 08:00S 09:00L 09:10L 59:00L", unclear.clone()),
        // Refused ones and flowswap's own change nothing.
        ("03:00S 08:00l 09:00l", applied("03:00")),
        ("03:00S 08:00L 09:00F 13:00L", unclear.clone()),
        ("03:00S 08:00L 09:00F", unclear.clone()),
        ("03:00S 08:00L 09:00s", unclear),
        // At the same moment: the service client's counts.
        ("03:00L 03:00S", applied("03:00")),
        ("03:00L 03:00S 08:00S", applied("08:00")),
        // Out of order, as late events arrive.
        ("08:00S 00:00L 03:00S", applied("03:00")),
    ];
    for (tokens, expected) in table {
        for ignores_search in [false, true] {
            let mut org = FakeOkta { ignores_search, ..FakeOkta::new() };
            write_log(&mut org, tokens);
            org.log_token("0oaOTHER", "CIE/1.0", "SUCCESS", "2026-01-01T12:59:00.000Z");
            let (seen, asked) = observe(&mut org, Some("0oaLEGACY-client"));
            assert_eq!(summary(&seen), expected, "{tokens}: {}", seen.detail);
            // Only a way back is compared with sign-ins.
            let looks = if seen.state == Observed::Unknown && tokens.contains('S') { 3 } else { 2 };
            assert_eq!(asked, looks, "{tokens}");
        }
    }
}

/// What is done is taken back only by what nothing else explains. Times are `HH:MM`; `C` is a sign-in's token of the
/// legacy client, `R` its refresh token.
#[test]
fn a_done_step_is_undone_only_by_what_no_sign_in_explains() {
    let table = [
        ("12:00S 12:05S", "15:00", Observed::Applied),
        // The service client's token may be in use yet.
        ("12:00S 12:30L 12:40L", "13:05", Observed::Unknown),
        ("12:00S 12:30L 12:40L", "13:06", Observed::NotApplied),
        // The newest event is later than both clocks.
        ("12:00S 12:30L 13:06L", "12:00", Observed::NotApplied),
        ("12:00S 12:30L 12:40L 13:00S", "15:00", Observed::Applied),
        // One token, or two of one moment.
        ("12:00S 12:30L", "15:00", Observed::Unknown),
        ("12:00S 12:30L 12:39L", "15:00", Observed::Unknown),
        // Two sign-ins, each with its test.
        ("12:00S 12:30C 12:30R 12:31L 12:50C 12:50R 12:52L", "15:00", Observed::Unknown),
        ("12:00S 12:30R 12:31L 12:50R 12:52L", "15:00", Observed::Unknown),
        ("12:00S 12:30C 12:31L 12:50C 12:52L", "15:00", Observed::Unknown),
        ("12:00S 12:30C 12:30R 12:31L 12:50C 12:50R 12:53L", "15:00", Observed::Unknown),
        ("12:00S 12:30C 12:30R 12:33L 12:43L", "15:00", Observed::NotApplied),
    ];
    let never = [("", "12:00"), ("12:00L 12:10L", "15:00")];
    // The world is as before for a step that was not seen to be done; one that was cannot be told then.
    let lost = never
        .into_iter()
        .flat_map(|(tokens, now)| [(tokens, now, false, Observed::NotApplied), (tokens, now, true, Observed::Unknown)]);
    // Whether the journal has the step as done changes nothing once the service client got a token: what follows deletes it.
    let told =
        table.into_iter().flat_map(|(tokens, now, seen)| [(tokens, now, false, seen), (tokens, now, true, seen)]);
    for (tokens, now, is_done, expected) in lost.chain(told) {
        let mut org = FakeOkta::new();
        try_client(&mut org);
        for token in tokens.split_whitespace() {
            let (time, who) = token.split_at(5);
            let at = format!("2026-01-01T{time}:00.000Z");
            let client = if who == "S" { "0oaNEW" } else { "0oaLEGACY-client" };
            let event = org.log_token(client, "CIE/1.0", "SUCCESS", &at);
            if who == "R" {
                event["eventType"] = json!("app.oauth2.token.grant.refresh_token");
            }
            if who == "C" {
                event["debugContext"] = json!({"debugData": {"grantType": "authorization_code"}});
            }
        }
        org.date = Some(format!("Thu, 01 Jan 2026 {now}:00 GMT"));
        let mut params = swap(Some("0oaLEGACY-client"));
        if is_done {
            params["outputs"] = json!({"swapped_at": "2026-01-01T12:00:00Z"});
        }
        let seen: ObserveReply = open().call(&mut org, Op::Observe, params).unwrap();
        assert_eq!(seen.state, expected, "{tokens} at {now}, done: {is_done}: {}", seen.detail);
    }
}

/// All orders of up to six tokens, five minutes apart, against the rule in its shortest form.
#[test]
fn every_order_follows_the_rule() {
    let mut looked = 0;
    for length in 0..=6 {
        for number in 0..3_usize.pow(length) {
            let letters: String = (0..length).map(|at| ['L', 'S', 'F'][number / 3_usize.pow(at) % 3]).collect();
            let tokens: Vec<_> =
                letters.chars().enumerate().map(|(at, who)| format!("{:02}:00{who}", at * 5)).collect();
            let after_service = letters.rfind('S').map(|at| letters[at..].matches('L').count());
            let since = letters.rfind('L').map_or(0, |at| at + 1);
            let expected = match after_service {
                Some(0) => {
                    let first = since + letters[since..].find('S').unwrap();
                    format!("Applied 2026-01-01T12:{:02}:00Z", first * 5)
                }
                // All within the hour that the service client's last token lives.
                Some(_) => "Unknown".to_owned(),
                None => "NotApplied".to_owned(),
            };
            let mut org = FakeOkta::new();
            write_log(&mut org, &tokens.join(" "));
            let (seen, _) = observe(&mut org, Some("0oaLEGACY-client"));
            assert_eq!(summary(&seen), expected, "{letters}: {}", seen.detail);
            looked += 1;
        }
    }
    assert_eq!(looked, 1093);
}

#[test]
fn without_a_known_legacy_client_the_service_client_decides() {
    for (tokens, expected) in [("00:00L", "NotApplied"), ("03:00S 05:00L 10:00L", "Applied 2026-01-01T12:03:00Z")] {
        let mut org = FakeOkta::new();
        write_log(&mut org, tokens);
        let (seen, asked) = observe(&mut org, None);
        assert_eq!((summary(&seen).as_str(), asked), (expected, 1), "{tokens}");
    }
}

/// The silence of a log counts that shows what flowswap did as the client, or where nobody was asked to connect it.
#[test]
fn a_log_that_does_not_show_our_own_token_says_nothing_by_its_silence() {
    for (shows_us, is_begun, expected) in
        [(true, true, Observed::NotApplied), (false, true, Observed::Unknown), (false, false, Observed::NotApplied)]
    {
        let mut org = FakeOkta::new();
        if shows_us {
            try_client(&mut org);
        }
        org.log_token("0oaLEGACY-client", "CIE/1.0", "SUCCESS", "2026-01-01T12:05:00.000Z");
        let mut params = swap(Some("0oaLEGACY-client"));
        if !is_begun {
            params["attempts"] = json!([]);
        }
        let seen: ObserveReply = open().call(&mut org, Op::Observe, params).unwrap();
        assert_eq!(seen.state, expected, "{shows_us} {is_begun}: {}", seen.detail);
    }
}

/// Silence about it would make every tested client a swapped one.
#[test]
fn a_swap_that_does_not_speak_of_the_legacy_client_is_refused() {
    let mut params = swap(None);
    params["step"]["proposal"]["payload"] = json!({"name": "acme"});
    let error = refused(open().call::<ObserveReply>(&mut FakeOkta::new(), Op::Observe, params));
    assert_eq!(error.kind, ErrorKind::Protocol);
    assert!(error.message.contains("previous_client_id"), "{}", error.message);
}

#[test]
fn what_was_expected_and_seen_is_told() {
    let table = [
        "00:00L 01:00F",
        "00:00L 03:00s 05:00L 06:00l",
        "03:00s",
        "00:00L 03:00S 08:00S 09:00s",
        "00:00L 03:00S 03:20L",
        "03:00S 08:00S 09:00L 14:00L",
    ];
    let told: Vec<_> = table
        .iter()
        .map(|tokens| {
            let mut org = FakeOkta::new();
            write_log(&mut org, tokens);
            let (seen, _) = observe(&mut org, Some("0oaLEGACY-client"));
            format!("{tokens}\n  {:?}: {}", seen.state, seen.detail)
        })
        .collect();
    insta::assert_snapshot!("witness-details", told.join("\n"));
}

/// A swap of last week: the log's newest page does not reach back to its beginning.
#[test]
fn a_busy_log_is_looked_at_from_both_ends() {
    let mut org = FakeOkta::new();
    let at = |minute: u32| format!("2026-01-01T{:02}:{:02}:00.000Z", minute / 60, minute % 60);
    for minute in 0..150 {
        let client = if minute < 20 { "0oaLEGACY-client" } else { "0oaNEW" };
        org.log_token(client, "CIE/1.0", "SUCCESS", &at(minute));
    }
    let (seen, asked) = observe(&mut org, Some("0oaLEGACY-client"));
    assert_eq!((summary(&seen).as_str(), asked), ("Applied 2026-01-01T00:20:00Z", 3));
    // A legacy client that was refused for hours got its last token before.
    for minute in 150..270 {
        org.log_token("0oaLEGACY-client", "CIE/1.0", "FAILURE", &at(minute));
    }
    let (seen, asked) = observe(&mut org, Some("0oaLEGACY-client"));
    assert_eq!((summary(&seen).as_str(), asked), ("Applied 2026-01-01T00:20:00Z", 4));
    assert_eq!(seen.state, Observed::Applied);
    assert!(seen.detail.contains("at 2026-01-01T00:19:00Z (event e20)"), "{}", seen.detail);
}

#[test]
fn whoever_may_not_read_the_log_sees_nothing() {
    let (mut okta, mut org) = (open(), FakeOkta::new());
    org.fail("/api/v1/logs", What::Answer(okta_error(403, "E0000006")));
    let seen: ObserveReply = okta.call(&mut org, Op::Observe, swap(None)).unwrap();
    assert_eq!(seen.state, Observed::Unknown, "{}", seen.detail);
    assert!(seen.detail.contains("403 E0000006"), "{}", seen.detail);
    // A proxy's word is not Okta's, and passes perhaps.
    org.fail("/api/v1/logs", What::Answer(answer(403, json!({"message": "blocked"}))));
    let error = refused(okta.call::<ObserveReply>(&mut org, Op::Observe, swap(None)));
    assert_eq!(error.kind, ErrorKind::Unavailable);
}

/// The second opinion on a directory that shows its connection, at a time of the org's clock.
fn second_opinion(tokens: &str, now: &str, previous: Option<&str>, swapped_at: Option<&str>) -> ObserveReply {
    let mut org = FakeOkta::new();
    write_log(&mut org, tokens);
    org.date = Some(format!("Thu, 01 Jan 2026 {now}:00 GMT"));
    let mut params = swap(previous);
    params["step"]["proposal"].as_object_mut().unwrap().remove("seen_by");
    params["outputs"] = json!({"swapped_at": swapped_at});
    open().call(&mut org, Op::Observe, params).unwrap()
}

/// The second opinion: when nobody uses the legacy client, and when nobody uses the service
/// client. Tokens as above; the time is that of the org.
#[test]
fn what_a_directory_shows_is_borne_out_by_the_log() {
    use Observed::{Applied, NotApplied, Unknown};
    let table = [
        // The directory is on the service client. The legacy client's last token may still work, or it has expired.
        ("03:00S", "12:05", Unknown),
        ("03:00S", "13:09", Applied),
        ("00:00L 03:00S 08:00S", "12:09", Unknown),
        ("00:00L 03:00S 08:00S", "13:05", Unknown),
        ("00:00L 03:00S 08:00S", "13:06", Applied),
        ("00:00l 03:00S 08:00S", "12:09", Unknown),
        ("00:00l 03:00S 08:00S", "13:09", Applied),
        ("03:00S 08:00L 09:00S", "13:12", Unknown),
        ("03:00S 08:00L 09:00S", "13:14", Applied),
        // Back: two tokens as the legacy client since the last request as the service client, whose tokens have expired since.
        ("03:00S 08:00L 08:01L", "12:10", Unknown),
        ("03:00S 08:00L 13:00L", "13:08", Unknown),
        ("03:00S 08:00L 13:00L", "13:09", NotApplied),
        ("03:00S 08:00L", "13:09", Unknown),
        // A connection that is refused is none.
        ("03:00S 08:00l 13:00l", "13:09", Applied),
        ("03:00S 08:00L 13:00l 18:00l", "13:09", Unknown),
        ("03:00S 08:00L 08:01L 09:00S", "13:13", Unknown),
        ("03:00S 08:00L 08:01L 09:00s", "13:13", Unknown),
        ("03:00S 08:00L 08:01L 09:00F", "13:15", NotApplied),
        // Another directory is connected as the legacy client, too.
        ("03:00S 06:00L 08:00S 11:00L 16:00L 21:00L", "13:13", Unknown),
        ("03:00S 06:00L 08:00S 11:00L 16:00L 21:00L", "13:14", NotApplied),
        // The directory never came as the service client.
        ("", "13:15", Unknown),
        ("08:00L 09:00L", "13:10", Unknown),
        ("08:00L 09:00L", "13:11", NotApplied),
        ("01:00L 03:00L", "13:15", Unknown),
    ];
    for (tokens, now, expected) in table {
        for swapped_at in [Some("2026-01-01T12:00:00Z"), None] {
            let seen = second_opinion(tokens, now, Some("0oaLEGACY-client"), swapped_at);
            // Without any date of the swap nothing is later than it.
            let expected = if swapped_at.is_none() && !tokens.contains(['S', 's']) { Unknown } else { expected };
            assert_eq!(seen.state, expected, "{tokens} at {now}, {swapped_at:?}: {}", seen.detail);
        }
    }
}

/// Where nobody knows the legacy client, the service client's silence tells alone.
#[test]
fn an_unknown_legacy_client_is_judged_by_the_service_client_alone() {
    for (now, expected) in [
        ("12:59", Observed::Unknown),
        ("13:08", Observed::Unknown),
        ("13:09", Observed::Applied),
        ("14:03", Observed::Applied),
        ("14:04", Observed::NotApplied),
    ] {
        let seen = second_opinion("00:00L 03:00S 08:00L 58:00S", now, None, None);
        assert_eq!(seen.state, expected, "{now}: {}", seen.detail);
    }
}

/// A run that was cut off between the connection test and the swap: what came in between is of before the swap.
#[test]
fn a_request_of_long_before_the_swap_is_the_connection_tests() {
    for (tokens, expected) in [
        ("00:00S 05:00L 10:00L 15:00L", Observed::Unknown),
        ("00:00S 05:00L 10:00L 26:00L 31:00L", Observed::NotApplied),
        ("00:00S 10:00L 21:00S 26:00L 31:00L", Observed::NotApplied),
        ("00:00S 10:00L 27:00S 31:00L 36:00L", Observed::Unknown),
    ] {
        let seen = second_opinion(tokens, "13:31", Some("0oaLEGACY-client"), Some("2026-01-01T12:20:00Z"));
        assert_eq!(seen.state, expected, "{tokens}: {}", seen.detail);
    }
}
