//! Headers and texts that flowswap does not take from a plugin as they are.

use std::fs;

use flowswap_sim::SimConfig;

use super::stage::{self, CAGES};
use crate::support::Lab;

/// A lab whose interface to the directory is described with this header.
fn with_header(name: &str) -> Lab {
    let lab = Lab::new(SimConfig::default().tenants(1).record(true));
    let read = "[defaults.directory.read]\n";
    lab.edit_config(|text| {
        assert!(text.contains(read));
        text.replace(read, &format!("{read}headers = {{ {name} = \"of $id\" }}\n"))
    });
    lab
}

#[test]
fn a_header_that_the_table_of_a_tenant_names_is_sent() {
    let lab = with_header("X-Tenant");
    lab.run(&["detect"]).expect(0);
    let traffic = lab.sim.traffic();
    let sent = traffic.iter().flat_map(|exchange| &exchange.request_headers).filter(|(name, _)| name == "x-tenant");
    let sent: Vec<_> = sent.map(|(_, value)| value.as_str()).collect();
    assert!(!sent.is_empty() && sent.iter().all(|value| value.starts_with("of ")), "{sent:?}");
}

#[test]
fn not_even_the_table_of_a_tenant_turns_a_read_into_a_change() {
    let lab = with_header("x-http-method-override");
    let refused = lab.run(&["detect"]).expect(4).show();
    assert!(refused.contains("with the header `x-http-method-override`"), "{refused}");
    assert!(refused.contains("which only the host may set"), "{refused}");
}

#[test]
fn a_long_label_is_cut_where_it_enters() {
    for how in CAGES {
        let lab = stage::lab("provider", Some("long-label"));
        stage::cage(&lab, how);
        let _ = lab.plan();
        let plan = fs::read_to_string(lab.path("plan.json")).unwrap();
        let cut = format!("{}…", "x".repeat(2000));
        assert!(plan.contains(&cut), "the label is missing");
        assert!(!plan.contains(&"x".repeat(2001)), "the label is whole");
    }
}
