//! Several people open the captured secrets, as the configuration says.

use std::{fs, process::Command};

use insta::assert_snapshot;

use crate::support::Lab;

/// A configuration with these lines under `[secrets]`.
fn with_secrets(lab: &Lab, lines: &str) {
    lab.edit_config(|text| text.replace("[secrets]\n", &format!("[secrets]\n{lines}\n")));
}

#[test]
fn a_colleague_goes_on_with_their_own_ssh_key() {
    let lab = Lab::with_tenants(2);
    lab.plan().expect(0);
    lab.run(&["apply", "plan.json", "--yes"]).expect(0);
    let key = lab.path("colleague");
    let made = Command::new("ssh-keygen")
        .args(["-q", "-t", "ed25519", "-C", "ben@example.com", "-N", "", "-f"])
        .arg(&key)
        .status();
    assert!(made.unwrap().success());
    let public = fs::read_to_string(lab.path("colleague.pub")).unwrap();
    with_secrets(&lab, &format!("recipients = [\"{}\"]", public.trim()));
    let opens = |args: &[&str]| {
        let listed = lab.json(args, 0);
        let keys = listed["keys"].as_array().unwrap().clone();
        let opens = keys.iter().map(|key| {
            let text = |name: &str| key[name].as_str().unwrap().to_owned();
            format!("{} {}: {}", text("role"), text("comment"), key["opens"])
        });
        (opens.collect::<Vec<_>>(), listed["with_all_keys"].as_u64().unwrap())
    };
    let ben = "recipient ben@example.com: ";
    assert_eq!(opens(&["secret", "recipients"]), (vec!["identity : 2".to_owned(), format!("{ben}0")], 0));
    let told = lab.run(&["check"]).expect(0).stdout;
    assert!(told.contains("2 of 2 stored secrets are not encrypted to the recipients of the configuration"), "{told}");
    let asked = lab.run(&["secret", "rekey"]).expect(2).stderr;
    assert!(asked.contains("2 secrets will open with any of 2 keys:") && asked.contains("ben@example.com"), "{asked}");
    let done = lab.run(&["secret", "rekey", "--yes"]).expect(0).stderr;
    assert!(done.contains("encrypted 2 secrets."), "{done}");
    assert_eq!(opens(&["secret", "recipients"]), (vec!["identity : 2".to_owned(), format!("{ben}2")], 2));
    let told = lab.run(&["check", "-v"]).expect(0).stdout;
    assert!(told.contains("each of 2 keys opens the stored secrets"), "{told}");
    lab.run(&["audit", "verify"]).expect(0);

    // The colleague has the state folder, and not the identity.
    fs::remove_file(lab.path(".flowswap/identity.txt")).unwrap();
    lab.edit_config(|text| text.replace("identity = \".flowswap/identity.txt\"", "identity = \"colleague\""));
    lab.run(&["rollback", "globex", "--yes"]).expect(4);
    lab.outlive_tokens();
    lab.run(&["rollback", "globex", "--yes"]).expect(0);
    lab.run(&["finalize", "acme", "--yes"]).expect(0);
    assert_eq!(
        (lab.in_state("retired"), lab.in_state("rolled-back")),
        (vec!["acme".to_owned()], vec!["globex".to_owned()])
    );
}

/// A file names the SSH keys that open it, and no key of age.
#[test]
fn a_key_that_was_taken_out_of_the_configuration_still_opens_the_old_files() {
    let lab = Lab::with_tenants(1);
    let ben = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHsKLqeplhpW+uObz5dvMgjz1OxfM/XXUB+VHtZ6isGN";
    let eva = "age1t7rxyev2z3rw82stdlrrepyc39nvn86l5078zqkf5uasdy86jp6svpy7pa";
    with_secrets(&lab, &format!("recipients = [\"{ben} ben@example.com\", \"{eva}\"]"));
    lab.plan().expect(0);
    lab.run(&["apply", "plan.json", "--yes"]).expect(0);
    let own = fs::read_to_string(lab.path(".flowswap/identity.txt")).unwrap();
    let own = own.lines().find_map(|line| line.strip_prefix("# public key: ")).unwrap().to_owned();
    let list = || lab.run(&["secret", "recipients"]).expect(0).stdout.replace(&own, "OWN");
    assert_snapshot!(list(), @r"
    KEY OF     OPENS        OWNER            PUBLIC KEY
    identity   1 of 1                        OWN
    recipient  1 of 1       ben@example.com  ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHsKLqeplhpW+uObz5dvMgjz1OxfM/XXUB+VHtZ6isGN
    recipient  not visible                   age1t7rxyev2z3rw82stdlrrepyc39nvn86l5078zqkf5uasdy86jp6svpy7pa

    a file does not name the keys of age that open it
    ");
    lab.edit_config(|text| text.replace(&format!("\"{ben} ben@example.com\", "), ""));
    assert_snapshot!(list(), @r"
    KEY OF                    OPENS        OWNER  PUBLIC KEY
    identity                  1 of 1              OWN
    recipient                 not visible         age1t7rxyev2z3rw82stdlrrepyc39nvn86l5078zqkf5uasdy86jp6svpy7pa
    not in the configuration  1 of 1              an SSH key with the tag PYX4ow

    a file does not name the keys of age that open it

    not every secret is encrypted to exactly these keys
    next: flowswap secret rekey
    ");
    lab.run(&["secret", "rekey", "--yes"]).expect(0);
    assert_snapshot!(list(), @r"
    KEY OF     OPENS        OWNER  PUBLIC KEY
    identity   1 of 1              OWN
    recipient  not visible         age1t7rxyev2z3rw82stdlrrepyc39nvn86l5078zqkf5uasdy86jp6svpy7pa

    a file does not name the keys of age that open it
    ");
}

#[test]
fn a_wrong_recipient_is_refused_with_its_line_and_never_shown() {
    for (key, why) in [
        ("age1canary", "neither `age1…` nor a line of an SSH public key"),
        ("AGE-SECRET-KEY-1CANARY", "it is a private key"),
        ("sk-ssh-ed25519@openssh.com CANARY", "`sk-ssh-ed25519@openssh.com` is not `ssh-ed25519` or `ssh-rsa`"),
    ] {
        let lab = Lab::with_tenants(1);
        lab.plan().expect(0);
        with_secrets(&lab, &format!("recipients = [\"{key}\"]"));
        for args in [&["apply", "plan.json", "--yes"][..], &["secret", "rekey", "--yes"]] {
            let refused = lab.run(args).expect(2).stderr;
            let said: String = refused.split_whitespace().collect::<Vec<_>>().join(" ");
            assert!(said.contains("a key of `recipients` under `[secrets]`, in ") && said.contains(why), "{refused}");
            assert!(!refused.to_lowercase().contains("canary"), "{refused}");
        }
    }
}
