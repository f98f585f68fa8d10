//! Which client a directory uses, from every order of tokens of both clients and of flowswap.

use flowswap_contract::{ErrorKind, ObserveReply, Observed, Op, Role};
use serde_json::{Value, json};

use crate::{
    driver::{answer, refused, step_params},
    fake::{Failure, FakeOkta, okta_error},
    open,
};

/// Writes tokens, each as `MM:SSx`: the time after noon and who got it. That is the directory as the service client (`S`) or the
/// legacy client (`L`), the directory refused as either (`s`, `l`), or flowswap as the service client (`F`).
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

/// Logs what `prove` leaves: flowswap itself got a token as the service client before any swap.
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

/// The state, with the time if it is applied.
fn summary(seen: &ObserveReply) -> String {
    match seen.outputs.get("swapped_at") {
        Some(at) => format!("{:?} {}", seen.state, at.as_str().unwrap()),
        None => format!("{:?}", seen.state),
    }
}

/// A directory that waits for a person gets many tokens as the legacy client. They decide nothing, and thousands of tenants wait.
#[test]
fn a_look_at_a_waiting_directory_reads_only_its_last_tokens() {
    let mut org = FakeOkta::new();
    let tokens: Vec<_> = (0..50).map(|minute| format!("{minute:02}:00L")).collect();
    write_log(&mut org, &tokens.join(" "));
    let mut okta = open();
    let seen: ObserveReply = okta.call(&mut org, Op::Observe, swap(Some("0oaLEGACY-client"))).unwrap();
    assert_eq!(seen.state, Observed::NotApplied);
    assert!(
        seen.detail.contains("got its last token as the legacy client 0oaLEGACY-client at 2026-01-01T12:49:00Z"),
        "{seen:?}"
    );
    let limits = |asked: &[String]| -> Vec<bool> { asked.iter().map(|line| line.contains("&limit=100\n")).collect() };
    assert_eq!(limits(&okta.asked), [true, false], "{:?}", okta.asked);

    // Once the new client was used, each of them counts.
    write_log(&mut org, "20:30S");
    let mut okta = open();
    let seen: ObserveReply = okta.call(&mut org, Op::Observe, swap(Some("0oaLEGACY-client"))).unwrap();
    assert_ne!(seen.state, Observed::Applied);
    assert!(limits(&okta.asked).iter().all(|is_full| *is_full), "{:?}", okta.asked);
}

#[test]
fn the_order_of_the_tokens_shows_the_connection() {
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
        // A sync that was running while the person clicked.
        ("00:00L 03:00S 03:20L", unclear.clone()),
        ("00:00L 03:00S 03:20L 08:20S 13:20S", applied("08:20")),
        // Tested and not submitted.
        ("00:00L 03:00S 05:00L 10:00L", unclear.clone()),
        // Somebody else may use the legacy client while a token of the service client lives.
        ("03:00S 08:00S 09:00L", unclear.clone()),
        ("03:00S 08:00S 09:00L 10:00L", unclear.clone()),
        ("03:00S 08:00S 09:00L 09:10L 59:00L", unclear.clone()),
        // Refused requests and flowswap's own change nothing.
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
            // Only a rollback is compared with sign-ins.
            let looks = if seen.state == Observed::Unknown && tokens.contains('S') { 3 } else { 2 };
            assert_eq!(asked, looks, "{tokens}");
        }
    }
}

/// Only tokens without another explanation show a rollback. Times are `HH:MM`; `C` is a sign-in's token of the legacy client, `R` its
/// refresh token.
#[test]
fn only_tokens_without_a_sign_in_show_a_rollback() {
    let table = [
        ("12:00S 12:05S", Observed::Applied),
        // The service client may still be in use, and its event may be late.
        ("12:00S 12:30L 13:19L", Observed::Unknown),
        ("12:00S 12:30L 13:20L", Observed::NotApplied),
        ("12:00S 12:30L 12:40L 13:00S", Observed::Applied),
        // One token, or two at the same moment.
        ("12:00S 14:30L", Observed::Unknown),
        ("12:00S 14:30L 14:39L", Observed::Unknown),
        // Two sign-ins, each with its test.
        ("12:00S 13:30C 13:30R 13:31L 13:50C 13:50R 13:52L", Observed::Unknown),
        ("12:00S 13:30R 13:31L 13:50R 13:52L", Observed::Unknown),
        ("12:00S 13:30C 13:31L 13:50C 13:52L", Observed::Unknown),
        ("12:00S 13:30C 13:30R 13:31L 13:50C 13:50R 13:53L", Observed::Unknown),
        ("12:00S 13:30C 13:30R 13:33L 13:43L", Observed::NotApplied),
    ];
    let never = ["", "12:00L 12:10L"];
    // If flowswap never saw the swap, it is not applied. If it did, the answer is unknown.
    let lost =
        never.into_iter().flat_map(|tokens| [(tokens, false, Observed::NotApplied), (tokens, true, Observed::Unknown)]);
    // Once the service client got a token, the journal's view of the step changes nothing: the next step deletes the client.
    let told = table.into_iter().flat_map(|(tokens, seen)| [(tokens, false, seen), (tokens, true, seen)]);
    for (tokens, is_done, expected) in lost.chain(told) {
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
        let mut params = swap(Some("0oaLEGACY-client"));
        if is_done {
            params["outputs"] = json!({"swapped_at": "2026-01-01T12:00:00Z"});
        }
        let seen: ObserveReply = open().call(&mut org, Op::Observe, params).unwrap();
        assert_eq!(seen.state, expected, "{tokens}, done: {is_done}: {}", seen.detail);
    }
}

/// A person has the new secret or confirmed the step, and the log, which may be late, does not show it.
#[test]
fn a_silent_log_does_not_rule_out_what_a_person_may_have_done() {
    // The org's clock is an hour behind this machine's, which shows noon.
    let table = [
        ("", Some("12:00"), Observed::Unknown),
        ("10:55L 11:00L", Some("12:00"), Observed::Unknown),
        ("11:05L 12:19L", Some("12:00"), Observed::Unknown),
        ("11:05L 12:20L", Some("12:00"), Observed::NotApplied),
        ("12:15L 12:20L", Some("12:00"), Observed::Unknown),
        ("12:15L 12:25L", Some("12:00"), Observed::NotApplied),
        // The person confirmed an hour ago.
        ("10:05L 11:20L", Some("11:00"), Observed::NotApplied),
        ("10:05L 11:19L", Some("11:00"), Observed::Unknown),
        ("11:05L 12:20L", None, Observed::NotApplied),
        ("", None, Observed::NotApplied),
    ];
    for (tokens, given_at, expected) in table {
        let mut org = FakeOkta::new();
        try_client(&mut org);
        for token in tokens.split_whitespace() {
            let at = format!("2026-01-01T{}:00.000Z", token.trim_end_matches('L'));
            org.log_token("0oaLEGACY-client", "CIE/1.0", "SUCCESS", &at);
        }
        org.date = Some("Thu, 01 Jan 2026 11:00:00 GMT".to_owned());
        let mut params = swap(Some("0oaLEGACY-client"));
        params["given_at"] = json!(given_at.map(|at| format!("2026-01-01T{at}:00Z")));
        let seen: ObserveReply = open().call(&mut org, Op::Observe, params).unwrap();
        assert_eq!(seen.state, expected, "{tokens}, {given_at:?}: {}", seen.detail);
    }
}

/// Compares all orders of up to six tokens, five minutes apart, with the rule in its shortest form.
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
                // All tokens are within the hour that the service client's last token lives.
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

/// A silent log counts only if it shows flowswap's own requests as the client, or if nobody was asked to connect it.
#[test]
fn a_log_without_our_own_token_proves_nothing() {
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

/// Otherwise every tested client would count as swapped.
#[test]
fn a_swap_without_the_legacy_client_key_is_refused() {
    let mut params = swap(None);
    params["step"]["proposal"]["payload"] = json!({"name": "acme"});
    let error = refused(open().call::<ObserveReply>(&mut FakeOkta::new(), Op::Observe, params));
    assert_eq!(error.kind, ErrorKind::Protocol);
    assert!(error.message.contains("previous_client_id"), "{}", error.message);
}

#[test]
fn the_details_say_what_flowswap_expected_and_saw() {
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

/// For a swap of last week, the log's newest page does not reach back to its start.
#[test]
fn a_busy_log_is_read_from_both_ends() {
    let mut org = FakeOkta::new();
    let at = |minute: u32| format!("2026-01-01T{:02}:{:02}:00.000Z", minute / 60, minute % 60);
    for minute in 0..150 {
        let client = if minute < 20 { "0oaLEGACY-client" } else { "0oaNEW" };
        org.log_token(client, "CIE/1.0", "SUCCESS", &at(minute));
    }
    let (seen, asked) = observe(&mut org, Some("0oaLEGACY-client"));
    assert_eq!((summary(&seen).as_str(), asked), ("Applied 2026-01-01T00:20:00Z", 3));
    // A legacy client that was refused for hours got its last token before that.
    for minute in 150..270 {
        org.log_token("0oaLEGACY-client", "CIE/1.0", "FAILURE", &at(minute));
    }
    let (seen, asked) = observe(&mut org, Some("0oaLEGACY-client"));
    assert_eq!((summary(&seen).as_str(), asked), ("Applied 2026-01-01T00:20:00Z", 4));
    assert_eq!(seen.state, Observed::Applied);
    assert!(seen.detail.contains("at 2026-01-01T00:19:00Z (event e20)"), "{}", seen.detail);
}

#[test]
fn the_state_is_unknown_if_the_token_may_not_read_the_log() {
    let (mut okta, mut org) = (open(), FakeOkta::new());
    org.fail("/api/v1/logs", Failure::Answer(okta_error(403, "E0000006")));
    let seen: ObserveReply = okta.call(&mut org, Op::Observe, swap(None)).unwrap();
    assert_eq!(seen.state, Observed::Unknown, "{}", seen.detail);
    assert!(seen.detail.contains("403 E0000006"), "{}", seen.detail);
    // A proxy's answer is not Okta's, and may pass.
    org.fail("/api/v1/logs", Failure::Answer(answer(403, json!({"message": "blocked"}))));
    let error = refused(okta.call::<ObserveReply>(&mut org, Op::Observe, swap(None)));
    assert_eq!(error.kind, ErrorKind::Unavailable);
}

/// The second opinion on a directory that shows its connection. Tokens are `HH:MMx`, `x` as above.
fn second_opinion(tokens: &str, previous: Option<&str>, swapped_at: Option<&str>) -> ObserveReply {
    let mut org = FakeOkta::new();
    try_client(&mut org);
    for token in tokens.split_whitespace() {
        let (time, who) = token.split_at(5);
        let (client, result) = match who {
            "S" => ("0oaNEW", "SUCCESS"),
            "s" => ("0oaNEW", "FAILURE"),
            "L" => ("0oaLEGACY-client", "SUCCESS"),
            "l" => ("0oaLEGACY-client", "FAILURE"),
            other => panic!("{other}"),
        };
        org.log_token(client, "CIE/1.0", result, &format!("2026-01-01T{time}:00.000Z"));
    }
    let mut params = swap(previous);
    params["step"]["proposal"].as_object_mut().unwrap().remove("seen_by");
    params["outputs"] = json!({"swapped_at": swapped_at});
    open().call(&mut org, Op::Observe, params).unwrap()
}

/// The log must show when nobody uses the legacy client, or nobody uses the service client.
#[test]
fn the_log_confirms_what_a_directory_shows() {
    use Observed::{Applied, NotApplied, Unknown};
    let table = [
        // On the service client. The legacy client may still be in use, whether the log shows a token of it or not.
        ("12:03S", Unknown),
        ("12:03S 13:22S", Unknown),
        ("12:03S 13:25S", Applied),
        ("12:00L 12:03S 13:19S", Unknown),
        ("12:00L 12:03S 13:20S", Applied),
        ("12:03S 12:08L 13:27S", Unknown),
        ("12:03S 12:08L 13:28S", Applied),
        ("12:03S 13:25S 13:30l", Applied),
        // Back on the legacy client, but the service client may still be in use.
        ("12:06S 12:10L 13:25L", Unknown),
        ("12:06S 12:10L 13:26L", NotApplied),
        ("12:06S 13:26L", Unknown),
        ("12:06S 13:26L 13:27L", NotApplied),
        // The swap is later than the service client's only request in the log, which is the connection test's.
        ("11:30S 12:10L 13:24L", Unknown),
        ("11:30S 12:10L 13:25L", NotApplied),
        // A refused client is not a working connection, but a refusal shows that somebody still uses the client.
        ("12:06S 12:10l 13:26l", Unknown),
        ("12:06S 12:10L 13:26l 13:31l", Unknown),
        ("12:06S 12:10L 13:26L 13:31l", Unknown),
        ("12:06S 12:10L 12:15s 13:26L", Unknown),
        ("12:06S 12:10L 12:15s 13:35L", Unknown),
        ("12:06S 12:20L 12:15s 13:35L", NotApplied),
        // Somebody else uses the legacy client too.
        ("12:01S 12:05L 12:06S 12:10L 12:11S 12:15L 12:16S 12:20L", Unknown),
        // A log without a request as the service client proves nothing.
        ("", Unknown),
        ("12:10L 15:00L", Unknown),
    ];
    for (tokens, expected) in table {
        let seen = second_opinion(tokens, Some("0oaLEGACY-client"), Some("2026-01-01T12:00:00Z"));
        assert_eq!(seen.state, expected, "{tokens}: {}", seen.detail);
    }
    // If the directory does not state the time of its swap, the first request as the service client does.
    for (tokens, expected) in
        [("12:03S 13:22S", Unknown), ("12:03S 13:23S", Applied), ("11:30S 12:10L 12:50L", NotApplied)]
    {
        let seen = second_opinion(tokens, Some("0oaLEGACY-client"), None);
        assert_eq!(seen.state, expected, "{tokens}: {}", seen.detail);
    }
    // If the legacy client is unknown, nothing shows that the directory is back.
    for (tokens, expected) in [("12:03S 13:22S", Unknown), ("12:03S 13:25S", Applied)] {
        let seen = second_opinion(tokens, None, Some("2026-01-01T12:00:00Z"));
        assert_eq!(seen.state, expected, "{tokens}: {}", seen.detail);
    }
}
