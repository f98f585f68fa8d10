//! The exit code of tenants as the journal has them, for commands that end without a run of their own.

use flowswap_engine::{Overview, Refusal, TenantState, Verdict};

use super::started::worst;
use crate::exit::Exit;

/// The exit code of a tenant in its state. `crates/cli/docs/automation.md` has the same table, and a test compares the two.
pub(crate) fn exit_of(tenant: &Overview) -> Exit {
    let of_state = match tenant.state {
        // A run that has not ended its work may still be at it, or was interrupted.
        TenantState::Swapped | TenantState::Retired | TenantState::Finalized | TenantState::RolledBack => {
            if tenant.intent.is_some() || tenant.rehearsal.is_some() { Exit::NeedsPerson } else { Exit::Done }
        }
        TenantState::Unplanned if matches!(tenant.verdict, Some(Verdict::Migrated | Verdict::NotApplicable)) => {
            Exit::Done
        }
        TenantState::Failed | TenantState::Stuck => Exit::SomeFailed,
        TenantState::Unplanned
        | TenantState::Planned
        | TenantState::Running
        | TenantState::Waiting
        | TenantState::Soaking
        | TenantState::RollingBack => Exit::NeedsPerson,
    };
    worst(of_state, tenant.refusal.as_ref().map_or(Exit::Done, exit_of_refusal))
}

fn exit_of_refusal(refusal: &Refusal) -> Exit {
    if refusal.is_final() { Exit::Refused } else { Exit::NeedsPerson }
}

/// The exit code of several tenants: that of the one that needs most attention.
pub(crate) fn exit_of_all<'a>(tenants: impl IntoIterator<Item = &'a Overview>) -> Exit {
    tenants.into_iter().map(exit_of).fold(Exit::Done, worst)
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;

    #[test]
    fn the_documented_states_are_those_of_the_code() {
        let document = include_str!("../../docs/automation.md");
        let table = document.lines().skip_while(|line| !line.starts_with("| state | meaning | exit code")).skip(2);
        let mut documented = 0;
        for line in table.take_while(|line| line.starts_with('|')) {
            let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
            for state in cells[0].split(", ") {
                let state: TenantState = serde_json::from_str(&state.replace('`', "\"")).unwrap();
                let tenant = Overview { state, ..Overview::unplanned(Timestamp::UNIX_EPOCH) };
                assert_eq!(cells[2], format!("`{}`", exit_of(&tenant) as u8), "{state}");
                documented += 1;
            }
        }
        assert_eq!(documented, TenantState::ALL.len());
    }

    #[test]
    fn a_tenant_that_needs_nothing_counts_as_done() {
        let unplanned = Overview::unplanned(Timestamp::UNIX_EPOCH);
        let of = Refusal::new(Timestamp::UNIX_EPOCH, flowswap_engine::Goal::Retired, Vec::new());
        let refused = |is_skipped| Some(Refusal { is_skipped, ..of.clone() });
        let unread = Some(Refusal { is_unread: true, ..of.clone() });
        let swapped = Overview { state: TenantState::Swapped, ..unplanned.clone() };
        let table = [
            (Overview { verdict: Some(Verdict::Migrated), ..unplanned.clone() }, Exit::Done),
            (Overview { verdict: Some(Verdict::Blocked), ..unplanned }, Exit::NeedsPerson),
            (Overview { refusal: refused(true), ..swapped.clone() }, Exit::NeedsPerson),
            (Overview { refusal: refused(false), ..swapped.clone() }, Exit::Refused),
            (Overview { refusal: unread, ..swapped.clone() }, Exit::NeedsPerson),
            (swapped, Exit::Done),
        ];
        for (tenant, expect) in &table {
            assert_eq!(exit_of(tenant), *expect, "{tenant:?}");
        }
        assert_eq!(exit_of_all(table.iter().map(|(tenant, _)| tenant)), Exit::Refused);
    }
}
