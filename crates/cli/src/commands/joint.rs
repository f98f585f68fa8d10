//! One command for many tenants, in place of one for each.

use flowswap_engine::TenantState;

use super::status;
use crate::full_command;

/// Continues what runs have left.
pub(super) const RESUME: &str = "flowswap resume";

/// Rolls back further what is on its way back.
const ROLLBACK: &str = "flowswap rollback";

/// A command for this many tenants names each of them.
const MOST_NAMES: usize = 8;

/// The one command that helps all these tenants, each given with its own. Where each needs another, `flowswap status` shows them.
pub(super) fn join(tenants: &[(&str, &str)]) -> Option<String> {
    let ((_, first), rest) = tenants.split_first()?;
    if rest.iter().all(|(_, command)| command == first) {
        return Some((*first).to_owned());
    }
    let is =
        |command: fn(&str) -> String| tenants.iter().all(|(name, given)| *given == full_command::of(command(name)));
    let names: Vec<&str> = tenants.iter().map(|(name, _)| *name).collect();
    let only = if is(|name| format!("{RESUME} {name}")) {
        RESUME.to_owned()
    } else if is(|name| format!("flowswap stuck {name}")) {
        "flowswap stuck".to_owned()
    } else if is(|name| format!("flowswap sheet {name}")) {
        "flowswap next".to_owned()
    } else if is(|name| status::plan_again(&[name])) {
        status::plan_again(&names)
    } else if names.len() <= MOST_NAMES {
        let all = names.join(" ");
        let mut joined = tenants.iter().map(|(name, command)| replace_name(command, name, &all));
        let first = joined.next().flatten()?;
        if joined.all(|other| other.as_ref() == Some(&first)) {
            return Some(first);
        }
        status::COMMAND.to_owned()
    } else if let Some(without) = without_names(tenants) {
        return Some(without);
    } else if is(|name| format!("{ROLLBACK} {name}")) {
        format!("{ROLLBACK} --state {}", TenantState::RollingBack)
    } else {
        status::COMMAND.to_owned()
    };
    Some(full_command::of(only))
}

/// `apply` of a plan, if each of the commands is that with a name.
fn without_names(tenants: &[(&str, &str)]) -> Option<String> {
    let mut commands = tenants.iter().map(|(name, command)| command.strip_suffix(name).map(str::trim_end));
    let first = commands.next().flatten().filter(|command| command.starts_with("flowswap apply "))?;
    commands.all(|other| other == Some(first)).then(|| first.to_owned())
}

/// A command with other names in the place of a name.
fn replace_name(command: &str, name: &str, names: &str) -> Option<String> {
    let words: Vec<&str> = command.split(' ').collect();
    let at = words.iter().rposition(|word| *word == name)?;
    Some([&words[..at], &[names], &words[at + 1..]].concat().join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_commands_become_one() {
        let join = |names: &[&str], command: fn(&str) -> String| {
            let commands: Vec<(&str, String)> = names.iter().map(|name| (*name, command(name))).collect();
            super::join(&commands.iter().map(|(name, command)| (*name, command.as_str())).collect::<Vec<_>>())
        };
        let nine = ["a", "b", "c", "d", "e", "f", "g", "h", "i"];
        let two = &nine[..2];
        let is = |joined: Option<String>, command: &str| assert_eq!(joined.as_deref(), Some(command));
        assert_eq!(super::join(&[]), None);
        is(join(&["a"], |name| format!("flowswap rollback {name}")), "flowswap rollback a");
        is(join(two, |_| "flowswap apply plan.json".to_owned()), "flowswap apply plan.json");
        is(join(two, |name| format!("flowswap resume {name}")), "flowswap resume");
        is(join(two, |name| format!("flowswap stuck {name}")), "flowswap stuck");
        is(join(two, |name| format!("flowswap sheet {name}")), "flowswap next");
        is(join(two, |name| status::plan_again(&[name])), "flowswap plan a b -o NEW.json");
        is(join(two, |name| format!("flowswap finalize {name} --purge")), "flowswap finalize a b --purge");
        is(
            join(two, |name| format!("flowswap {} {name}", if name == "a" { "rollback" } else { "finalize" })),
            "flowswap status",
        );
        is(join(&nine, |name| format!("flowswap rollback {name}")), "flowswap rollback --state rolling-back");
        is(join(&nine, |name| format!("flowswap finalize {name}")), "flowswap status");
        is(join(two, |name| format!("flowswap apply plan.json {name}")), "flowswap apply plan.json a b");
        is(join(&nine, |name| format!("flowswap apply plan.json {name}")), "flowswap apply plan.json");
    }
}
