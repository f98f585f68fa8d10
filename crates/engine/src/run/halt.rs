//! Why a run, or a part of it, starts no further tenants.

use std::fmt;

use schemars::JsonSchema;
use serde::Serialize;

use super::cause::Cause;

/// Why a run starts no further tenants, or not those of one kind. As text, the reason why it skips one of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(tag = "why", rename_all = "kebab-case")]
pub enum Halt {
    /// As many tenants have failed or are stuck as the budget allows. No further tenant starts.
    Budget {
        /// How many.
        limit: usize,
    },
    /// Two tenants that are planned alike failed for the same cause. No further tenant that is planned like them starts.
    SameCause {
        /// The cause.
        cause: Cause,
        /// The two.
        tenants: [String; 2],
    },
    /// The same cause hit two tenants of one org. No further tenant of that org starts.
    SameOrg {
        /// The cause.
        cause: Cause,
        /// The two.
        tenants: [String; 2],
        /// The domain of the org.
        org: String,
    },
    /// The run paused, and nobody said that it goes on. No further tenant starts.
    Inconclusive(Pause),
}

/// flowswap could not tell about two tenants, for the same cause. So the others may end like them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Pause {
    /// The cause.
    pub cause: Cause,
    /// The two.
    pub tenants: [String; 2],
}

impl fmt::Display for Pause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { cause, tenants: [one, other] } = self;
        write!(f, "flowswap cannot tell what is wrong with `{one}` and `{other}`: {cause}")
    }
}

impl fmt::Display for Halt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Budget { limit } => write!(f, "failed or stuck tenants have reached the limit of {limit}"),
            Self::SameCause { cause, tenants: [one, other] } => {
                write!(
                    f,
                    "`{one}` and `{other}` failed for the same cause: {cause}. So this run starts no other tenant with the \
                     same steps, and changed nothing here"
                )
            }
            Self::SameOrg { cause, tenants: [one, other], org } => {
                write!(
                    f,
                    "`{one}` and `{other}` have the same trouble: {cause}. So this run starts no other tenant of `{org}`, \
                     and changed nothing here"
                )
            }
            Self::Inconclusive(pause) => {
                write!(f, "{pause}. So this run starts no other tenant, and changed nothing here")
            }
        }
    }
}
