//! `[approvals]`: how many people must approve a plan, and whose keys count.

use std::path::PathBuf;

use crate::{diagnostic::Diagnostic, reader::Reader, tree::Table};

/// Who must approve a plan before `flowswap apply` carries it out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Approvals {
    /// How many different people.
    pub required: usize,
    /// A file in OpenSSH's `allowed_signers` format.
    pub signers: PathBuf,
    /// Whether the person who made the plan counts.
    pub planner_may_approve: bool,
}

impl Reader {
    pub(crate) fn read_approvals(&mut self, root: &Table) -> Option<Approvals> {
        let at = root.get("approvals")?.key_at;
        let table = self.table(root, "approvals");
        self.check_keys(&table, &["required", "signers", "planner_may_approve"], "`[approvals]`");
        let required = self.count(&table, "required").unwrap_or(1);
        let planner_may_approve = self.flag(&table, "planner_may_approve").unwrap_or(true);
        if !table.contains_key("signers") {
            let error = Diagnostic::new("`[approvals]` does not say whose keys count");
            let error = error.at(at, "expected `signers` in this table");
            self.refuse(error.help("write `signers = \"allowed_signers\"`, a file as in ssh-keygen(1)"));
            return None;
        }
        Some(Approvals { required, signers: self.path(&table, "signers")?, planner_may_approve })
    }
}
