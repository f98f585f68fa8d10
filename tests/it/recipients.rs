//! Several people open the captured secrets, as the configuration says.

use std::{fs, process::Command};

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
    let told = lab.run(&["check"]).expect(0).stdout;
    assert!(told.contains("2 of 2 stored secrets are not encrypted to the recipients of the configuration"), "{told}");
    let asked = lab.run(&["secret", "rekey"]).expect(2).stderr;
    assert!(asked.contains("2 secrets will open with any of 2 keys:") && asked.contains("ben@example.com"), "{asked}");
    let done = lab.run(&["secret", "rekey", "--yes"]).expect(0).stderr;
    assert!(done.contains("encrypted 2 secrets."), "{done}");
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
