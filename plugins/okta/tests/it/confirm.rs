//! Confirming from Okta's log that the directory uses the new client and no longer the legacy client.

use flowswap_contract::{Evidence, EvidenceResult, Op, TestReply};
use serde_json::{Value, json};

use crate::{
    driver::results,
    fake::{Failure, FakeOkta, okta_error},
    prepare,
};

const LEGACY: &str = "0oaLEGACY-client";

/// The evidence of one check, after a change of the payload and the log.
fn confirm(change: impl FnOnce(&mut FakeOkta, &mut Value)) -> (Vec<Evidence>, Vec<String>) {
    let inputs = json!({"client_id": "0oaNEW", "tested_at": "2026-01-01T12:00:00Z"});
    let (mut okta, mut org, mut params) = prepare("confirm", inputs, json!({}));
    change(&mut org, &mut params["step"]["proposal"]["payload"]);
    okta.asked.clear();
    let reply: TestReply = okta.call(&mut org, Op::Test, json!({ "step": params })).unwrap();
    (reply.evidence, okta.asked.clone())
}

fn at(time: &str) -> String {
    format!("2026-01-01T12:{time}.000Z")
}

fn one<'a>(evidence: &'a [Evidence], check: &str) -> &'a Evidence {
    evidence.iter().find(|e| e.check == check).unwrap_or_else(|| panic!("no {check} in {evidence:?}"))
}

#[test]
fn only_a_granted_token_of_another_program_confirms() {
    type Grant = (&'static str, &'static str, &'static str);
    let table: [(&[Grant], Option<&str>); 6] = [
        (&[], None),
        (&[("0oaNEW", "flowswap/0.1.0 (+run:x)", "SUCCESS")], None),
        (&[("0oaNEW", "CIE/1.0", "FAILURE")], None),
        (&[("0oaOTHER", "CIE/1.0", "SUCCESS")], None),
        (&[("0oaNEW", "CIE/1.0", "SUCCESS")], Some("e1")),
        (&[("0oaNEW", "flowswap/0.1.0", "SUCCESS"), ("0oaNEW", "not flowswap/1", "SUCCESS")], Some("e2")),
    ];
    for (grants, event) in table {
        for ignores_search in [false, true] {
            let (evidence, asked) = confirm(|org, _| {
                org.ignores_search = ignores_search;
                for (client, agent, result) in grants {
                    org.log_token(client, agent, result, &at("05:00"));
                }
            });
            let grant = one(&evidence, "token-grant");
            let expected = if event.is_some() { EvidenceResult::Pass } else { EvidenceResult::Inconclusive };
            assert_eq!((grant.result, grant.event_id.as_deref()), (expected, event), "{grants:?}");
            let looks = if event.is_some() { 3 } else { 2 };
            assert_eq!(asked.len(), looks, "the log's next link is not followed: {asked:?}");
        }
    }
}

#[test]
fn the_legacy_client_must_be_silent() {
    use EvidenceResult::{Fail, Inconclusive, Pass};
    // When the new and the legacy client got tokens.
    let table: [(&[&str], &[&str], EvidenceResult); 11] = [
        (&["05:00", "10:00"], &[], Pass),
        (&[], &[], Inconclusive),
        (&[], &["01:00"], Inconclusive),
        (&[], &["06:00"], Fail),
        // A sync that was running at the swap.
        (&["00:01", "05:00"], &["02:00"], Pass),
        (&["00:01", "05:00"], &["02:01"], Fail),
        // At the very end of the connection test: this token is not a sync's.
        (&["00:00"], &[], Inconclusive),
        // Before the new client's first token, and after it.
        (&["05:00", "10:00"], &["04:00"], Pass),
        (&["05:00", "10:00"], &["05:00"], Pass),
        (&["05:00", "10:00"], &["07:00"], Fail),
        (&["05:00", "10:00"], &["12:00"], Fail),
    ];
    for (new, legacy, expected) in table {
        let (evidence, _) = confirm(|org, _| {
            for (client, times) in [("0oaNEW", new), (LEGACY, legacy)] {
                for time in times {
                    org.log_token(client, "CIE/1.0", "SUCCESS", &at(time));
                }
            }
            org.log_token(LEGACY, "flowswap/0.1.0", "SUCCESS", &at("20:00"));
            org.log_token(LEGACY, "CIE/1.0", "FAILURE", &at("10:00"));
        });
        let silent = one(&evidence, "legacy-silent");
        assert_eq!(silent.result, expected, "{new:?} {legacy:?}: {}", silent.detail);
        let (rule, event) = match expected {
            Fail => (Some("legacy-still-active"), Some(format!("e{}", new.len() + 1))),
            _ => (None, None),
        };
        assert_eq!((silent.rule.as_deref(), &silent.event_id), (rule, &event), "{new:?} {legacy:?}");
    }
}

/// If only the log can prove the swap, silence counts only after the legacy client's last token has expired. A second token of
/// the new client distinguishes a sync from a test. Tokens before the swap count, and the newest event or answer is the
/// current time.
#[test]
fn the_log_alone_proves_nothing_before_the_last_token_has_expired() {
    use EvidenceResult::{Fail, Inconclusive, Pass};
    // When the new and the legacy client got tokens, the org's time, the results for grants and silence, and minutes to wait.
    type Case<'a> = (&'a [&'a str], &'a [&'a str], &'a str, EvidenceResult, EvidenceResult, Option<u64>);
    let table: &[Case<'_>] = &[
        // A test alone, and the legacy client's token may be in use.
        (&["12:00"], &["11:58"], "12:10", Inconclusive, Inconclusive, Some(5)),
        (&["12:00"], &["11:58"], "13:02", Inconclusive, Inconclusive, Some(1)),
        (&["12:00"], &["11:58"], "13:03", Inconclusive, Pass, Some(5)),
        // A sync came too.
        (&["12:00", "12:05"], &["11:58"], "12:10", Pass, Inconclusive, Some(53)),
        (&["12:00", "12:05"], &["11:58"], "13:03", Pass, Pass, None),
        (&["12:00", "12:05"], &[], "12:10", Pass, Pass, None),
        // Two tokens within a minute may come from one test.
        (&["12:00", "12:00"], &["11:58"], "13:03", Inconclusive, Pass, Some(5)),
        // The legacy client gets another token after its last one expired.
        (&["12:00"], &["11:58", "12:58"], "13:03", Inconclusive, Fail, Some(5)),
        (&["12:00", "12:05"], &["11:58", "12:58"], "14:30", Inconclusive, Fail, Some(5)),
        // Submitted late: earlier tokens no longer count.
        (&["12:00", "12:30"], &["12:05", "12:25"], "12:40", Inconclusive, Inconclusive, Some(5)),
        (&["12:00", "12:30", "12:35"], &["12:05", "12:25"], "12:40", Pass, Inconclusive, Some(50)),
        (&["12:00", "12:30", "12:35"], &["12:05", "12:25"], "13:30", Pass, Pass, None),
        // A sync that was running while the person clicked.
        (&["12:00", "12:05", "12:10"], &["12:02"], "13:07", Pass, Pass, None),
        (&["12:00"], &["12:02"], "12:04", Inconclusive, Inconclusive, Some(5)),
        (&["12:00"], &["12:03"], "12:04", Inconclusive, Fail, Some(5)),
        // No token yet.
        (&[], &["11:58"], "13:03", Inconclusive, Pass, Some(5)),
    ];
    for (new, legacy, now, grants, silence, minutes) in table {
        let inputs = json!({"client_id": "0oaNEW", "swapped_at": "2026-01-01T12:00:00Z"});
        let (mut okta, mut org, mut params) = prepare("confirm", inputs, json!({}));
        params["step"]["proposal"]["payload"]["by_log_alone"] = json!(true);
        for (client, times) in [("0oaNEW", new), (LEGACY, legacy)] {
            for time in *times {
                org.log_token(client, "CIE/1.0", "SUCCESS", &format!("2026-01-01T{time}:00.000Z"));
            }
        }
        org.date = Some(format!("Thu, 01 Jan 2026 {now}:00 GMT"));
        let reply: TestReply = okta.call(&mut org, Op::Test, json!({ "step": params })).unwrap();
        let seen = (one(&reply.evidence, "token-grant").result, one(&reply.evidence, "legacy-silent"));
        assert_eq!((seen.0, seen.1.result), (*grants, *silence), "{new:?} {legacy:?} {now}: {}", seen.1.detail);
        assert_eq!(reply.wait_ms, minutes.map(|minutes| minutes * 60_000), "{new:?} {legacy:?} {now}");
        let rule = (*silence == Fail).then_some("legacy-still-active");
        assert_eq!(seen.1.rule.as_deref(), rule, "{new:?} {legacy:?} {now}");
    }
}

#[test]
fn refused_credentials_are_reported() {
    // When the new client got tokens, when each client was refused one, and what a check that passes says.
    let silent = Some("okta has refused no token request");
    let table: [(&[&str], &str, &str, Option<&str>); 9] = [
        (&[], "", "", silent),
        (&[], "0oaNEW", "05:00", None),
        (&["02:00"], "0oaNEW", "05:00", None),
        (
            &["02:00", "10:00"],
            "0oaNEW",
            "05:00",
            Some("okta refused a token as 0oaNEW at 2026-01-01T12:05:00Z, but issued one as 0oaNEW since"),
        ),
        // The old client ID in the new form, before the new client got a token.
        (&[], LEGACY, "05:00", None),
        // Somebody else as the legacy client, while the new client keeps working.
        (&["02:00"], LEGACY, "05:00", Some("at 2026-01-01T12:05:00Z, but issued one as 0oaNEW shortly before")),
        (&["02:00"], LEGACY, "12:00", Some("at 2026-01-01T12:12:00Z, but issued one as 0oaNEW shortly before")),
        (&["02:00"], LEGACY, "12:01", None),
        (&[], "0oaOTHER", "05:00", silent),
    ];
    for (granted, client, time, passing) in table {
        let passes = passing.is_some();
        let (evidence, _) = confirm(|org, _| {
            for time in granted {
                org.log_token("0oaNEW", "CIE/1.0", "SUCCESS", &at(time));
            }
            if !client.is_empty() {
                org.log_token(client, "CIE/1.0", "FAILURE", &at(time));
            }
            org.log_token("0oaNEW", "flowswap/0.1.0", "FAILURE", &at("30:00"));
        });
        let seen = one(&evidence, "credentials");
        assert_eq!(seen.result == EvidenceResult::Pass, passes, "{granted:?} {client} {time}: {}", seen.detail);
        let expected = (!passes).then_some("credentials-refused");
        assert_eq!(seen.rule.as_deref(), expected, "{granted:?} {client} {time}");
        let words = passing.unwrap_or("no_matching_policy");
        assert!(seen.detail.contains(words), "`{words}` is not in: {}", seen.detail);
    }
}

#[test]
fn application_data_requires_its_scope() {
    use EvidenceResult::{Fail, NotApplicable, Pass};
    let apps = json!("okta.users.read okta.apps.read");
    let none = json!("okta.users.read okta.groups.read");
    let table = [
        (true, vec![json!(null)], NotApplicable),
        (true, vec![apps.clone()], Pass),
        (true, vec![json!("okta.users.read,okta.apps.read")], Pass),
        (true, vec![json!(["okta.users.read", "okta.apps.read"])], Pass),
        (true, vec![none.clone()], Fail),
        (true, vec![json!("")], Fail),
        (true, vec![json!("okta.apps.readable")], Fail),
        // One token for each kind of data.
        (true, vec![apps, none.clone()], Pass),
        (true, vec![], NotApplicable),
        (false, vec![none], NotApplicable),
    ];
    for (app_data, shown, expected) in table {
        let (evidence, _) = confirm(|org, payload| {
            payload["app_data"] = json!(app_data);
            for scopes in &shown {
                let event = org.log_token("0oaNEW", "CIE/1.0", "SUCCESS", &at("05:00"));
                event["debugContext"] = json!({"debugData": {"grantedScopes": scopes}});
            }
        });
        let seen = one(&evidence, "scopes");
        assert_eq!(seen.result, expected, "{app_data} {shown:?}: {}", seen.detail);
        assert_eq!(seen.rule.as_deref(), (expected == Fail).then_some("app-data-lost"), "{shown:?}");
    }
}

/// The box for applications is selected, but the client is the plain one.
#[test]
fn a_requested_scope_that_is_not_granted_is_always_reported() {
    use EvidenceResult::{Fail, Pass};
    for (app_data, granted, expected) in [(false, "", Fail), (true, "", Fail), (true, " okta.apps.read", Pass)] {
        let (evidence, _) = confirm(|org, payload| {
            payload["app_data"] = json!(app_data);
            let event = org.log_token("0oaNEW", "CIE/1.0", "SUCCESS", &at("05:00"));
            let scopes = format!("okta.users.read{granted}");
            let asked = "okta.users.read okta.apps.read";
            event["debugContext"] = json!({"debugData": {"requestedScopes": asked, "grantedScopes": scopes}});
        });
        let seen = one(&evidence, "scopes");
        assert_eq!(seen.result, expected, "{app_data} {granted:?}: {}", seen.detail);
        assert_eq!(seen.rule.as_deref(), (expected == Fail).then_some("app-data-lost"));
    }
}

#[test]
fn rate_limits_are_reported_and_do_not_fail() {
    let table: [(&[&str], Option<&str>); 3] = [
        (&[], None),
        (&["system.org.rate_limit.violation"], Some("e2")),
        (&["core.concurrency.org.limit.violation", "system.org.rate_limit.violation"], Some("e3")),
    ];
    for (kinds, event) in table {
        let (evidence, _) = confirm(|org, _| {
            org.log_token("0oaNEW", "CIE/1.0", "SUCCESS", &at("05:00"));
            for (kind, time) in kinds.iter().zip(["06:00", "07:00"]) {
                org.log_token("0oaNEW", "CIE/1.0", "SUCCESS", &at(time))["eventType"] = json!(kind);
            }
        });
        let seen = one(&evidence, "rate-limits");
        assert_eq!((seen.result, seen.event_id.as_deref()), (EvidenceResult::Pass, event), "{}", seen.detail);
        assert_eq!(seen.rule.as_deref(), event.map(|_| "rate-limited"));
    }
}

/// Such a step has an empty payload, and no step noted the end of the connection test. Another clock dates the swap, so tokens close
/// to it do not count.
#[test]
fn a_step_of_an_older_plan_needs_tokens_well_after_the_swap() {
    for (time, granted) in [("05:00", "token-grant: Inconclusive"), ("05:01", "token-grant: Pass")] {
        let inputs = json!({"client_id": "0oaNEW", "swapped_at": "2026-01-01T12:00:00Z"});
        let (mut okta, mut org, mut params) = prepare("confirm", inputs, json!({}));
        params["step"]["proposal"]["payload"] = json!({});
        org.log_token("0oaNEW", "CIE/1.0", "SUCCESS", &at(time));
        org.log_token(LEGACY, "CIE/1.0", "SUCCESS", &at("06:00"));
        okta.asked.clear();
        let reply: TestReply = okta.call(&mut org, Op::Test, json!({ "step": params })).unwrap();
        let expected = [granted, "legacy-silent: NotApplicable", "credentials: Pass", "scopes: NotApplicable"];
        assert_eq!(results(&reply.evidence)[..4], expected);
        assert!(okta.asked.iter().all(|line| !line.contains(LEGACY)), "{:?}", okta.asked);
    }
}

#[test]
fn the_log_must_be_readable() {
    let inputs = json!({"client_id": "0oaNEW", "swapped_at": "2026-01-01T12:00:00Z"});
    let (mut okta, mut org, params) = prepare("confirm", inputs, json!({}));
    org.fail("/api/v1/logs", Failure::Answer(okta_error(403, "E0000006")));
    let error = crate::driver::refused(okta.call::<TestReply>(&mut org, Op::Test, json!({ "step": params })));
    assert_eq!(error.kind, flowswap_contract::ErrorKind::Permission);
}
