//! 200,000 users and 5,000 groups: the baseline takes 12 bytes for each, and no more.

use serde_json::json;

use crate::{driver::results, fake::FakeCie, open, params_of, plan, table, test};

const USERS: usize = 200_000;
const GROUPS: usize = 5_000;

#[test]
fn a_large_directory_takes_twelve_bytes_per_object() {
    let (mut plugin, mut cie) = (open(table()), FakeCie { users: USERS, groups: GROUPS, ..FakeCie::new() });
    let steps = plan(&mut plugin, &mut cie, false);
    let taken = test(&mut plugin, &mut cie, params_of(&steps, "baseline", &json!({}), json!({}))).unwrap();
    // The key and the list; 200 pages of users; Everyone and 5 pages of groups; 3 groups' members.
    assert_eq!(plugin.asked.len(), 2 + 200 + 6 + 3);
    let sampled = 3 * USERS / GROUPS;
    let size = serde_json::to_string(&taken.outputs).unwrap().len();
    let heads = 12 * (USERS + 2 * GROUPS + sampled);
    assert!((heads..heads + 1000).contains(&size), "{size} bytes for {heads} of hashes");

    plugin.asked.clear();
    plugin.now = "2026-01-01T12:12:00Z".to_owned();
    cie.last_success = "2026-01-01T12:16:00Z";
    cie.date = Some("Thu, 01 Jan 2026 12:17:00 GMT".to_owned());
    cie.users -= 1001;
    let params = params_of(&steps, "confirm", &json!(taken.outputs), json!({}));
    let reply = test(&mut plugin, &mut cie, params).unwrap();
    assert_eq!(plugin.asked.len(), 1 + 199 + 6 + 3);
    let people: Vec<_> = results(&reply.evidence).into_iter().skip(3).collect();
    assert_eq!(people, ["users: Fail", "groups: Pass", "members: Pass"]);
    assert_eq!(
        reply.evidence[3].detail,
        "198999 users; 1001 of the earlier 200000 are missing, and the list of directories shows 1001 fewer (allowed: 1000)"
    );
}
