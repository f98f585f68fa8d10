//! Whether the people who may sign in through a legacy client still can.

use std::collections::BTreeMap;

use flowswap_contract::{AssignedUser, LegacyClient};

/// Says which of the people assigned to a client can no longer keep its connection alive. `None` if all of them can, or if
/// nobody knows.
pub(super) fn find_unfit(client: &LegacyClient) -> Option<String> {
    let assigned = client.assigned.as_ref()?;
    let mut unfit = BTreeMap::<String, usize>::new();
    for reason in assigned.iter().filter_map(reason) {
        *unfit.entry(reason).or_default() += 1;
    }
    let app = format!("assigned to `{}` ({})", client.client_id, client.label);
    match (assigned.len(), unfit.first_key_value()) {
        (0, _) => Some(format!("nobody is {app}")),
        (_, None) => None,
        (1, Some((reason, _))) => Some(format!("the only person {app} is {reason}")),
        (count, Some(_)) => {
            let unfit: Vec<_> = unfit.iter().map(|(reason, count)| format!("{count} {reason}")).collect();
            Some(format!("of {count} people {app}, some may be lost: {}", unfit.join(", ")))
        }
    }
}

/// Why the org refuses this person's tokens, or soon will.
fn reason(user: &AssignedUser) -> Option<String> {
    if user.status != "ACTIVE" {
        return Some(user.status.clone());
    }
    (user.is_admin == Some(false)).then(|| "not an administrator".to_owned())
}

#[cfg(test)]
mod tests {
    use flowswap_contract::Tokens;

    use super::*;

    fn describe(people: Option<&[(&str, Option<bool>)]>) -> String {
        let person =
            |(status, is_admin): &(&str, _)| AssignedUser { status: (*status).to_owned(), is_admin: *is_admin };
        let client = LegacyClient {
            id: "0oa1".to_owned(),
            client_id: "0oa1".to_owned(),
            label: "CIE".to_owned(),
            status: "ACTIVE".to_owned(),
            grant_types: vec![],
            redirect_uris: vec![],
            scopes: vec![],
            refresh_token_rotation: None,
            assigned: people.map(|people| people.iter().map(person).collect()),
            last_sign_in: None,
            tokens: Tokens::default(),
        };
        find_unfit(&client).unwrap_or_else(|| "fine".to_owned())
    }

    #[test]
    fn each_kind_of_loss_is_named() {
        let (admin, nobody) = (Some(true), Some(false));
        let seen = [
            None,
            Some(&[][..]),
            Some(&[("ACTIVE", admin)][..]),
            Some(&[("ACTIVE", None)][..]),
            Some(&[("DEPROVISIONED", None)][..]),
            Some(&[("ACTIVE", nobody)][..]),
            Some(&[("ACTIVE", admin), ("SUSPENDED", admin), ("SUSPENDED", nobody), ("ACTIVE", nobody)][..]),
        ];
        insta::assert_snapshot!(seen.map(describe).join("\n"), @r"
        fine
        nobody is assigned to `0oa1` (CIE)
        fine
        fine
        the only person assigned to `0oa1` (CIE) is DEPROVISIONED
        the only person assigned to `0oa1` (CIE) is not an administrator
        of 4 people assigned to `0oa1` (CIE), some may be lost: 2 SUSPENDED, 1 not an administrator
        ");
    }
}
