//! Rows in which a side's clock is wrong. No proof compares this machine's clock with another clock, and nothing is
//! retired if the clocks of the two sides disagree.

use std::fs;

use flowswap_engine::Plan;
use flowswap_sim::{GATEWAY_HOST, SimConfig};
use jiff::{SignedDuration, Timestamp};

use super::{
    row::{
        Row,
        Stage::{Applied, New, Planned},
        row,
    },
    writes::{is_retired, is_swapped},
};
use crate::support::Lab;

fn skew_okta(lab: &Lab, ahead: SignedDuration) {
    lab.sim.set_skew(&lab.sim.tenants()[0].domain, ahead);
}

fn skew_gateway(lab: &Lab, ahead: SignedDuration) {
    lab.sim.set_skew(GATEWAY_HOST, ahead);
}

fn skew_both(lab: &Lab, ahead: SignedDuration) {
    skew_okta(lab, ahead);
    skew_gateway(lab, ahead);
}

/// Changes the plan to the one that a machine with a clock two hours ahead would make.
fn make_plan_in_the_future(lab: &Lab) {
    let path = lab.path("acme.json");
    let plan = Plan::read(&fs::read_to_string(&path).unwrap()).unwrap();
    let ahead = |at: Timestamp| at + SignedDuration::from_hours(2);
    let plan = Plan::freeze(ahead(plan.created_at), ahead(plan.not_after), None, plan.plugins, plan.tenants).unwrap();
    plan.write(fs::File::create(path).unwrap()).unwrap();
}

/// The org of a lab with one tenant.
const ORG: &str = "acme.okta.test";

const WHY: &str = "okta/okta-auth-js#1315";

pub(super) fn rows() -> Vec<Row> {
    let check = |name| row(name, WHY, New, &["check", "{tenant}"]);
    let apply =
        |name| row(name, WHY, Planned, &["apply", "{tenant}.json", "--yes"]).allowing(is_swapped).state("swapped");
    let finalize = |name| row(name, WHY, Applied, &["finalize", "{tenant}", "--yes"]);
    vec![
        check("check: okta 1 s ahead").prepare(|lab| skew_okta(lab, SignedDuration::from_secs(1))),
        check("check: okta 1 s behind").prepare(|lab| skew_okta(lab, SignedDuration::from_secs(-1))),
        check("check: okta 40 s ahead")
            .prepare(|lab| skew_okta(lab, SignedDuration::from_secs(40)))
            .says(&["the clock of {org} is"]),
        check("check: okta 40 s behind")
            .prepare(|lab| skew_okta(lab, SignedDuration::from_secs(-40)))
            .says(&["the clock of {org} is"]),
        check("check: okta 15 min ahead")
            .prepare(|lab| skew_okta(lab, SignedDuration::from_mins(15)))
            .code(3)
            .says(&["clock"]),
        check("check: okta 15 min behind")
            .prepare(|lab| skew_okta(lab, SignedDuration::from_mins(-15)))
            .code(3)
            .says(&["clock"]),
        check("check: the gateway 1 h behind")
            .prepare(|lab| skew_gateway(lab, SignedDuration::from_hours(-1)))
            .code(3)
            .says(&["clock"]),
        apply("apply: okta 15 min ahead").config(|world| world.skew(ORG, SignedDuration::from_mins(15))),
        apply("apply: okta 15 min behind").config(|world| world.skew(ORG, SignedDuration::from_mins(-15))),
        apply("apply: the gateway 1 h ahead").config(|world| world.skew(GATEWAY_HOST, SignedDuration::from_hours(1))),
        apply("apply: both 1 h behind").config(|world| {
            let behind = SignedDuration::from_hours(-1);
            SimConfig::skew(world, ORG, behind).skew(GATEWAY_HOST, behind)
        }),
        row(
            "apply: a plan from the future",
            "a clock that was set back",
            Planned,
            &["apply", "{tenant}.json", "--yes", "--digest", "{digest}"],
        )
        .prepare(make_plan_in_the_future)
        .code(6)
        .says(&["ahead of this machine's clock", "plan again"]),
        finalize("finalize: okta 15 min ahead of the gateway")
            .prepare(|lab| skew_okta(lab, SignedDuration::from_mins(15)))
            .code(6)
            .says(&["clock"])
            .state("swapped"),
        finalize("finalize: okta 1 h behind the gateway")
            .prepare(|lab| skew_okta(lab, SignedDuration::from_hours(-1)))
            .code(6)
            .says(&["clock"])
            .state("swapped"),
        finalize("finalize: both 1 h ahead")
            .prepare(|lab| skew_both(lab, SignedDuration::from_hours(1)))
            .allowing(is_retired)
            .state("retired"),
    ]
}
