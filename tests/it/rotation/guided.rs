//! Rotations of directories of Cloud Identity Engine itself: through `update-secret`, or by a person in the console.

use flowswap_sim::SimTenant;

use super::secrets;
use crate::{
    guided::{
        UNTIL_TOKENS_EXPIRED, let_sync, only,
        person::{Form, reconnect, secret_of, service_client},
        waiting,
    },
    support::Lab,
};

/// A lab whose only tenant is migrated, and whose configuration says so.
fn migrated() -> (Lab, SimTenant) {
    let lab = waiting(1);
    let tenant = only(&lab);
    reconnect(&lab, &tenant, &tenant.directory_id, &Form::right(&lab, &tenant));
    lab.run(&["confirm", "acme"]).expect(4);
    let_sync(&lab, UNTIL_TOKENS_EXPIRED);
    lab.run(&["apply", "plan.json", "--yes"]).expect(0);
    lab.run(&["finalize", "acme", "--yes"]).expect(0);
    let (client, _) = service_client(&lab, &tenant);
    lab.edit_config(|text| {
        let is_record = |line: &&str| line.starts_with("record = ");
        let record = text.lines().find(is_record).unwrap().to_owned();
        text.replace(
            &record,
            &format!("record = {{ flow = \"client-credentials\", client_id = \"{client}\", auth_logs = false }}"),
        )
    });
    (lab, tenant)
}

#[test]
fn the_directory_service_takes_the_secret_without_a_person() {
    let (lab, tenant) = migrated();
    let planned = lab.run(&["rotate", "acme", "-o", "rotation.json"]).expect(0);
    assert!(planned.stdout.contains("unattended"), "{}", planned.stdout);
    lab.run(&["apply", "rotation.json", "--yes"]).expect(4);
    let_sync(&lab, 4);
    lab.run(&["apply", "rotation.json", "--yes"]).expect(0);
    lab.run(&["finalize", "acme", "--yes"]).expect(4);
    let_sync(&lab, 4);
    lab.run(&["finalize", "acme", "--yes"]).expect(0);
    // The previous secret comes back without a person too.
    let (failed, old) = (lab.directory(&tenant).sync.failed, secrets(&lab, "acme")[0].clone());
    assert_eq!(old.1, "INACTIVE");
    lab.run(&["rollback", "acme", "--yes"]).expect(0);
    let_sync(&lab, 2);
    assert_eq!(secrets(&lab, "acme")[0], (old.0, "ACTIVE".to_owned()));
    assert_eq!(lab.directory(&tenant).sync.failed, failed, "every sync had a secret that worked");
    assert_eq!(lab.in_state("retired"), ["acme"]);
}

#[test]
fn a_person_enters_the_secret_and_the_confirmation_counts() {
    let (lab, tenant) = migrated();
    lab.edit_config(|text| {
        text.lines().filter(|line| !line.starts_with("directory_id")).collect::<Vec<_>>().join("\n")
    });
    lab.run(&["rotate", "acme", "-o", "rotation.json"]).expect(0);
    lab.run(&["apply", "rotation.json", "--yes"]).expect(4);
    assert_eq!(lab.in_state("waiting"), ["acme"]);
    let sheet = lab.run(&["sheet", "acme"]).expect(0).stdout;
    assert!(sheet.contains("Enter the new client secret of acme"), "{sheet}");

    let (client_id, _) = service_client(&lab, &tenant);
    let form =
        |secret: String| Form { client_id: client_id.clone(), client_secret: secret, ..Form::right(&lab, &tenant) };
    reconnect(&lab, &tenant, &tenant.directory_id, &form(secret_of(&lab, "acme/rotation-1-provision/client_secret")));
    // Nothing shows that the person did it.
    let_sync(&lab, 4);
    lab.run(&["apply", "rotation.json", "--yes"]).expect(4);
    assert_eq!(lab.in_state("waiting"), ["acme"]);
    lab.run(&["confirm", "acme"]).expect(4);
    let_sync(&lab, 4);
    lab.run(&["apply", "rotation.json", "--yes"]).expect(0);
    assert_eq!(lab.in_state("swapped"), ["acme"]);

    lab.run(&["rollback", "acme", "--yes"]).expect(4);
    let sheet = lab.run(&["sheet", "acme"]).expect(0).stdout;
    assert!(sheet.contains("Enter the previous client secret of acme"), "{sheet}");
    reconnect(&lab, &tenant, &tenant.directory_id, &form(secret_of(&lab, "acme/provision/client_secret")));
    lab.run(&["confirm", "acme"]).expect(0);
    assert_eq!(lab.in_state("retired"), ["acme"]);
    let failed = lab.directory(&tenant).sync.failed;
    let_sync(&lab, 2);
    assert_eq!(lab.directory(&tenant).sync.failed, failed, "the directory has a secret that works");
}
