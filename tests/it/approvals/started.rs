//! What enough people approved is carried out, and the journal says who they were.

use std::fs;

use super::people::Office;

#[test]
fn two_people_approve_and_the_plan_is_carried_out() {
    let office = Office::open(2);
    let lab = &office.lab;
    lab.plan().expect(0);
    let alice = office.approve("alice", &[]).expect(0);
    assert!(alice.stderr.contains("approved as alice@example.com with the key SHA256:"), "{}", alice.stderr);
    let shown = lab.run(&["approvals", "plan.json"]).expect(4);
    assert!(shown.stdout.contains("1 of 2     alice@example.com\n"), "{}", shown.stdout);
    office.approve("bob", &[]).expect(0);
    let shown = lab.run(&["approvals", "plan.json"]).expect(0);
    assert!(shown.stdout.contains("2 of 2     alice@example.com, bob@example.com\n"), "{}", shown.stdout);
    let applied = lab.run(&["apply", "plan.json", "--yes"]).expect(0);
    assert!(applied.stderr.contains("approvals: 2 of 2 for all tenants\n"), "{}", applied.stderr);
    assert_eq!(lab.in_state("swapped").len(), 2);
    let history = lab.run(&["history"]).expect(0).stdout;
    assert!(history.contains("approved by alice@example.com and bob@example.com"), "{history}");
    lab.audit(2);
}

/// Tenants of a class that was not approved stay as they are. The others are migrated.
#[test]
fn only_the_approved_classes_are_started() {
    let office = Office::open(12);
    let lab = &office.lab;
    lab.plan().expect(4);
    let classes = office.classes();
    assert!(classes.len() > 1, "the simulated fleet has several classes: {classes:?}");
    let (first, tenants) = &classes[0];
    // The start of an id is enough.
    office.approve("alice", &[&first[..6]]).expect(0);
    office.approve("bob", &[]).expect(0);
    let applied = lab.run(&["apply", "plan.json", "--yes"]).expect(6);
    assert_eq!(lab.in_state("swapped"), *tenants);
    let missing = classes.iter().skip(1).map(|(_, tenants)| tenants.len()).sum::<usize>();
    let note = format!("approvals: 2 of 2 for {} tenants; missing for {missing}", tenants.len());
    assert!(applied.stderr.contains(&note), "{note}: {}", applied.stderr);
    for (id, _) in &classes[1..] {
        let why = format!("its class {id} has 1 of 2 approvals");
        assert!(applied.stdout.contains(&why), "{why}: {}", applied.stdout);
    }
    // What was started goes on without approvals, and can be rolled back without them.
    office.approvals().iter().for_each(|file| fs::remove_file(file).unwrap());
    lab.outlive_tokens();
    lab.run(&[&["rollback", "--yes"][..], &[tenants[0].as_str()]].concat()).expect(0);
}
