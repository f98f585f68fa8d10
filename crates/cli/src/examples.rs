//! The text that follows the options in the help of every command: examples that a person can copy.

#[cfg(feature = "sandbox")]
pub(crate) mod sandbox;

/// Of `flowswap` itself: the usual order of commands, and the exit codes.
pub(crate) const FLOWSWAP: &str = r#"Examples:
  # Write the plan of every tenant, then carry it out
  flowswap plan -o plan.json
  flowswap apply plan.json
  # Show the state of every tenant and the command to run next
  flowswap status

Every global option has a variable. The option wins over the variable, and the variable over the configuration.

Exit codes:
  0  done
  1  failed
  2  usage or configuration
  3  some tenants failed or are stuck, or a check failed
  4  some tenants need a person or time
  5  interrupted
  6  plan stale or refused
  With --fail-on failed, 4 becomes 0. With --fail-on never, 3, 4, and 6 do."#;

pub(crate) const INIT: &str = r#"Examples:
  # Write migrate.toml, and the identity to your configuration folder
  flowswap init
  # Write the configuration to another folder
  flowswap init --config fleet/migrate.toml"#;

pub(crate) const CHECK: &str = r#"Examples:
  # Check every tenant
  flowswap check
  # Check two tenants, and show every check
  flowswap check acme globex -v"#;

pub(crate) const DETECT: &str = r#"Examples:
  # Assess every tenant
  flowswap detect
  # Assess one tenant, for a script
  flowswap detect acme --format json
  # In a nightly job, fail if a connection stops working within 30 days
  flowswap detect --warn-days 30"#;

pub(crate) const PLAN: &str = r#"Examples:
  # Show the plan of one tenant without writing it
  flowswap plan acme
  # Write the plan of every tenant for `flowswap apply`
  flowswap plan -o plan.json
  # Also write a page for the reviewer
  flowswap plan -o plan.json --report plan.html"#;

pub(crate) const SHOW: &str = r#"Examples:
  # Show a plan to its reviewer
  flowswap show plan.json
  # Show each step of two tenants
  flowswap show plan.json acme globex
  # Show a plan from stdin
  flowswap show - < plan.json
  # Print a report for a pull request
  flowswap show plan.json --as markdown"#;

pub(crate) const DIFF: &str = r#"Examples:
  # Show what changed since the plan was approved
  flowswap diff approved.json plan.json
  # Compare with a plan from stdin
  flowswap diff approved.json - < plan.json
  # Print the difference for a pull request
  flowswap diff approved.json plan.json --as markdown"#;
pub(crate) const APPROVE: &str = r#"Examples:
  # Approve a plan with the SSH key that counts
  flowswap approve plan.json --reason CHG-1042
  # Approve one class of tenants, with a key on a security key
  flowswap approve plan.json --class 3f9a1c --reason CHG-1042 --key ~/.ssh/id_ed25519_sk.pub"#;

pub(crate) const APPROVALS: &str = r#"Examples:
  # Show who approved which classes
  flowswap approvals plan.json
  # The same for a script
  flowswap approvals plan.json --format json"#;

pub(crate) const APPLY: &str = r#"Examples:
  # Carry out a plan; flowswap asks first
  flowswap apply plan.json
  # Carry out a plan in a script
  flowswap apply plan.json --yes
  # Carry out run sheets at this terminal
  flowswap apply plan.json --interactive"#;

pub(crate) const RESUME: &str = r#"Examples:
  # Continue the interrupted run; flowswap asks first
  flowswap resume
  # Continue it without being asked
  flowswap resume --yes"#;

pub(crate) const REHEARSE: &str = r#"Examples:
  # Show on one tenant that it can be migrated and rolled back
  flowswap rehearse acme
  # The same with another plan than the last one
  flowswap rehearse acme --plan next.json"#;

pub(crate) const PAUSE: &str = r#"Examples:
  # Look closer before an apply goes on
  flowswap pause
  # Let it go on, or stop it
  flowswap unpause
  flowswap cancel"#;

pub(crate) const UNPAUSE: &str = r#"Examples:
  # Let the apply go on
  flowswap unpause"#;

pub(crate) const CANCEL: &str = r#"Examples:
  # Stop an apply, and see what is left
  flowswap cancel
  flowswap status"#;

pub(crate) const STATUS: &str = r#"Examples:
  # Show all tenants
  flowswap status
  # Show two tenants, for a script
  flowswap status acme globex --format json
  # Show the tenants of a region that need somebody
  flowswap status --label region=emea --state waiting,stuck,failed"#;

pub(crate) const NEXT: &str = r#"Examples:
  # List all tenants that wait for a person
  flowswap next
  # List only the tenants that wait for one owner
  flowswap next --owner identity-team"#;

pub(crate) const SHEET: &str = r#"Examples:
  # Read the run sheet of acme here
  flowswap sheet acme
  # Write it as a page with check boxes
  flowswap sheet acme --as html -o acme.html"#;

pub(crate) const SECRET: &str = r#"Examples:
  # Copy the secret of acme to the clipboard
  flowswap secret copy acme"#;

pub(crate) const SECRET_COPY: &str = r#"Examples:
  # Copy the secret to the clipboard for one minute
  flowswap secret copy acme
  # Show it on a machine without a clipboard
  flowswap secret copy acme --print"#;

pub(crate) const SECRET_LIST: &str = r#"Examples:
  # List the client secrets of all tenants
  flowswap secret list
  # List those that are half a year old
  flowswap secret list --older-than 180d"#;

pub(crate) const SECRET_VERIFY: &str = r#"Examples:
  # Check the client secrets that flowswap keeps
  flowswap secret verify"#;

pub(crate) const SECRET_RECIPIENTS: &str = r#"Examples:
  # List who can open the stored secrets
  flowswap secret recipients"#;

pub(crate) const SECRET_REKEY: &str = r#"Examples:
  # After a change of `recipients` under `[secrets]`
  flowswap secret rekey"#;

pub(crate) const CONFIRM: &str = r#"Examples:
  # Confirm that the run sheet of acme is done
  flowswap confirm acme
  # Add a note for later readers
  flowswap confirm acme --note "change ticket 4711""#;

pub(crate) const DECLINE: &str = r#"Examples:
  # Decline the run sheet of acme
  flowswap decline acme --reason "change freeze until Monday""#;

pub(crate) const WATCH: &str = r#"Examples:
  # Watch every waiting tenant until none is left
  flowswap watch
  # Watch two tenants, and check every ten minutes
  flowswap watch acme globex --every 10m"#;

pub(crate) const NOTIFY: &str = r#"Examples:
  # Send a test message to each target of the configuration
  flowswap notify --test
  # Deliver what is left, and what is overdue
  flowswap notify"#;

pub(crate) const EVIDENCE: &str = r#"Examples:
  # Show the evidence for acme
  flowswap evidence acme
  # Keep it for an auditor
  flowswap evidence acme --format json > acme-evidence.json"#;

pub(crate) const HISTORY: &str = r#"Examples:
  # Show everything that was done for acme
  flowswap history acme
  # Show what was done for every tenant in the last week
  flowswap history --since 7d
  # Keep it for an auditor
  flowswap history acme --format json > acme-history.json"#;

pub(crate) const REPORT: &str = r#"Examples:
  # Show what was done, in short
  flowswap report
  # Write a page about the last run
  flowswap report --run last -o report.html
  # Keep what was done for acme in the last 30 days for an auditor
  flowswap report acme --since 30d -o acme.html -o acme.json"#;

pub(crate) const STUCK: &str = r#"Examples:
  # List all stuck tenants
  flowswap stuck
  # Show why one tenant is stuck
  flowswap stuck acme"#;

pub(crate) const RESOLVE: &str = r#"Examples:
  # The org has no trace of the step
  flowswap resolve acme --as not-applied --reason "Okta has no such client"
  # The step took effect and produced a client
  flowswap resolve acme --as applied --output client_id=0oa1b2c3 --reason "seen in Okta""#;

pub(crate) const AUDIT: &str = r#"Examples:
  # Verify the journal and the secret store
  flowswap audit verify
  # Sign the last record, and keep the file somewhere else
  flowswap audit anchor -o 2026-11.anchor
  # Export what was done to an auditor who does not have flowswap
  flowswap audit export -o audit"#;

pub(crate) const AUDIT_VERIFY: &str = r#"Examples:
  # Verify the journal and the secret store
  flowswap audit verify
  # Also compare both sides of every tenant with the journal
  flowswap audit verify --online
  # Also check that the journal goes on from where it was anchored
  flowswap audit verify --anchor 2026-11.anchor"#;

pub(crate) const AUDIT_ANCHOR: &str = r#"Examples:
  # Sign the last record with the SSH key that counts
  flowswap audit anchor -o 2026-11.anchor
  # Sign it with another key
  flowswap audit anchor -o 2026-11.anchor --key ~/.ssh/id_ed25519"#;

pub(crate) const AUDIT_EXPORT: &str = r#"Examples:
  # Export everything that was ever done
  flowswap audit export -o audit
  # Export only what was done for acme
  flowswap audit export acme -o audit-of-acme"#;

pub(crate) const ROLLBACK: &str = r#"Examples:
  # Roll one tenant back; flowswap asks first
  flowswap rollback acme
  # Roll all tenants of a region back, but for one
  flowswap rollback --label region=emea --except globex
  # Roll all tenants back without being asked
  flowswap rollback --all --yes
  # End a stuck rollback, and keep acme migrated
  flowswap rollback acme --abandon --reason "the new client works""#;

pub(crate) const FINALIZE: &str = r#"Examples:
  # Deactivate the legacy client of acme
  flowswap finalize acme
  # Delete it after that; you cannot undo this
  flowswap finalize acme --purge"#;

pub(crate) const ROTATE: &str = r#"Examples:
  # Plan another client secret for acme
  flowswap rotate acme -o rotation.json
  # Plan one for every tenant whose secret is half a year old
  flowswap rotate --older-than 180d -o rotation.json
  # Delete a client secret that nobody uses first, to make room
  flowswap rotate acme --drop ocs1a2b3c4d5e6f7g8h9 -o rotation.json"#;

pub(crate) const EXPLAIN: &str = r#"Examples:
  # Explain one finding
  flowswap explain legacy-id-reused
  # Explain all findings
  flowswap explain"#;

pub(crate) const PLUGINS: &str = r#"Examples:
  # List all plugins
  flowswap plugins list
  # Show the configuration keys of one plugin
  flowswap plugins inspect okta"#;

pub(crate) const PLUGINS_LIST: &str = r#"Examples:
  # List all plugins
  flowswap plugins list
  # Search another folder first
  flowswap plugins list --plugin-dir ./plugins"#;

pub(crate) const PLUGINS_INSPECT: &str = r#"Examples:
  # Inspect a plugin by name
  flowswap plugins inspect okta
  # Inspect a library
  flowswap plugins inspect ./libflowswap_rest.so"#;

pub(crate) const RECORD: &str = r#"Examples:
  # Record a dry run of one tenant
  flowswap record -o plan.jsonl plan acme
  # Record how a plan is carried out
  flowswap record -o apply.jsonl apply plan.json --yes"#;

pub(crate) const REPLAY: &str = r#"Examples:
  # Does the build that is installed answer as it was recorded?
  flowswap replay plan.jsonl
  # The same for a build of your own
  flowswap replay plan.jsonl --plugin-dir target/debug"#;

pub(crate) const SCHEMA: &str = r#"Examples:
  # List the documents
  flowswap schema
  # Keep the schema of a document beside the script that reads it
  flowswap schema status > status.schema.json"#;

pub(crate) const COMPLETIONS: &str = r#"Examples:
  # Install completions for bash
  flowswap completions bash > ~/.local/share/bash-completion/completions/flowswap
  # Load completions in fish
  flowswap completions fish | source"#;

#[cfg(test)]
mod tests {
    use clap::{CommandFactory, Parser};

    use crate::args::Cli;

    /// The words of a command line, as a shell passes them on; redirections and pipes are left out.
    fn split_words(line: &str) -> Vec<String> {
        let words = shell_words::split(line).unwrap_or_else(|error| panic!("`{line}`: {error}"));
        let is_shell = |word: &String| ["<", ">", "|"].contains(&word.as_str());
        words.into_iter().take_while(|word| !is_shell(word)).collect()
    }

    fn check_examples(command: &clap::Command) {
        let name = command.get_name();
        let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
        assert!(help.starts_with("Examples:\n"), "`{name}` has no examples");
        let lines: Vec<&str> = help.lines().map(str::trim).filter(|line| line.starts_with("flowswap ")).collect();
        assert!(!lines.is_empty(), "the examples of `{name}` have no command");
        for line in lines {
            if let Err(error) = Cli::try_parse_from(split_words(line)) {
                panic!("`{line}`: {error}");
            }
        }
        command.get_subcommands().for_each(check_examples);
    }

    #[test]
    fn every_command_has_examples_that_parse() {
        check_examples(&Cli::command());
    }
}
