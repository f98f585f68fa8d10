//! The key of the secrets: outside of the state folder by default, and with a passphrase if a person wants one.

use std::{
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Command,
};

use tempfile::TempDir;

use crate::support::{Lab, command, finish, run_in, terminal::Terminal};

/// The identities in a user's configuration folder.
fn identities(config: &Path) -> Vec<PathBuf> {
    let folder = config.join("flowswap");
    let mut found: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    found.sort();
    found
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn a_new_state_folder_has_its_identity_in_the_configuration_folder_of_the_user() {
    let home = TempDir::new().unwrap();
    let output = run_in(home.path(), &["init"]).expect(0);
    let config = home.path().join(".config");
    let [first] = &identities(&config)[..] else { panic!("one identity") };
    assert!(output.stderr.contains(&first.display().to_string()), "{}", output.stderr);
    assert_eq!((mode(first), mode(first.parent().unwrap())), (0o600, 0o700));
    let state = home.path().join(".flowswap");
    let id = fs::read_to_string(state.join("identity.id")).unwrap();
    assert!(first.ends_with(format!("identity-{}.txt", id.trim_end())));
    let public = fs::read_to_string(first).unwrap().lines().nth(1).unwrap().replace("# public key: ", "");
    for entry in fs::read_dir(&state).unwrap() {
        let text = fs::read_to_string(entry.unwrap().path()).unwrap();
        assert!(!text.contains("AGE-SECRET-KEY") && !text.contains(&public), "{text}");
    }
    let check = run_in(home.path(), &["check", "-v"]).expect(3);
    assert!(check.stdout.contains(&format!("pass    `{}` can be used", first.display())), "{}", check.stdout);

    // Another state folder of the same user has another identity, and XDG_CONFIG_HOME decides where.
    run_in(home.path(), &["init", "--config", "other/migrate.toml"]).expect(0);
    assert_eq!(identities(&config).len(), 2);
    let mut third = command(home.path(), &["init", "--config", "third/migrate.toml"]);
    third.env("XDG_CONFIG_HOME", home.path().join("xdg"));
    finish(third).expect(0);
    assert_eq!((identities(&config).len(), identities(&home.path().join("xdg")).len()), (2, 1));
    // Another configuration of the same state folder uses the identity that is there.
    run_in(home.path(), &["init", "--config", "again.toml"]).expect(0);
    assert_eq!(identities(&config).len(), 2);
}

#[test]
fn an_identity_in_the_state_folder_works_until_the_advised_command_moves_it() {
    let lab = Lab::with_tenants(1);
    lab.edit_config(|text| text.replace("[secrets]\nidentity = \".flowswap/identity.txt\"\n", ""));
    lab.plan().expect(0);
    lab.run(&["apply", "plan.json", "--yes"]).expect(0);
    let check = lab.run(&["check", "-v"]).expect(0);
    let advice = check.stdout.lines().find(|line| line.contains("this machine  identity")).unwrap();
    assert!(advice.contains("note    `./.flowswap/identity.txt` lies beside the secrets"), "{advice}");
    let moving = advice.split("to move it, run: ").nth(1).unwrap();
    let moved = Command::new("sh").args(["-c", moving]).current_dir(lab.dir()).status().unwrap();
    assert!(moved.success(), "{moving}");

    assert!(!lab.path(".flowswap/identity.txt").exists());
    let [identity] = &identities(&lab.path(".config"))[..] else { panic!("one identity") };
    let check = lab.run(&["check", "-v"]).expect(0);
    assert!(
        check.stdout.contains(&format!("pass    `{}` opens the stored secret", identity.display())),
        "{}",
        check.stdout
    );
    lab.audit(1);
}

#[test]
fn a_state_folder_cannot_name_a_file_elsewhere() {
    let lab = Lab::with_tenants(1);
    lab.edit_config(|text| text.replace("[secrets]\nidentity = \".flowswap/identity.txt\"\n", ""));
    fs::write(lab.path(".flowswap/identity.id"), "../../identity\n").unwrap();
    let output = lab.run(&["audit", "verify"]).expect(0);
    assert!(output.stdout.contains("no tenant needs a secret"), "{}", output.stdout);
    lab.plan().expect(0);
    let output = lab.run(&["apply", "plan.json", "--yes"]).expect(1);
    let words = "failed to read the name of the identity in `./.flowswap/identity.id`";
    assert!(output.stderr.contains(words), "{}", output.stderr);
    assert!(output.stderr.contains("it does not contain 16 hexadecimal digits"), "{}", output.stderr);
    // A folder of another machine, whose identity is not here.
    fs::write(lab.path(".flowswap/identity.id"), "0123456789abcdef\n").unwrap();
    fs::remove_file(lab.path(".flowswap/identity.txt")).unwrap();
    let output = lab.run(&["apply", "plan.json", "--yes"]).expect(1);
    assert!(output.stderr.contains(".config/flowswap/identity-0123456789abcdef.txt"), "{}", output.stderr);
    assert!(output.stderr.contains("hint: put your copy of it back to `"), "{}", output.stderr);
}

#[test]
fn a_person_can_protect_a_new_identity_with_a_passphrase() {
    let home = TempDir::new().unwrap();
    let mut screen = Terminal::start(command(home.path(), &["init"]));
    for prompt in ["leave empty for none", "The same again"] {
        screen.await_words(prompt);
        screen.enter_hidden("canary-passphrase");
    }
    let (code, seen) = screen.finish();
    assert!(code == 0 && !seen.contains("canary") && seen.contains("FLOWSWAP_PASSPHRASE"), "{code}: {seen}");
    let [identity] = &identities(&home.path().join(".config"))[..] else { panic!("one identity") };
    assert!(fs::read(identity).unwrap().starts_with(b"age-encryption.org/v1\n-> scrypt "));
    assert!(!fs::read_to_string(home.path().join("migrate.toml")).unwrap().contains("canary"));

    let check = |passphrase: Option<&str>| {
        let mut check = command(home.path(), &["check", "-v"]);
        check.envs(passphrase.map(|passphrase| ("FLOWSWAP_PASSPHRASE", passphrase)));
        finish(check).expect(3).stdout
    };
    assert!(check(Some("canary-passphrase")).contains(&format!("pass    `{}` can be used", identity.display())));
    let wrong = check(Some("wrong"));
    assert!(wrong.contains("the passphrase does not open the identity file"), "{wrong}");
    let unset = check(None);
    assert!(unset.contains("the environment variable `FLOWSWAP_PASSPHRASE` is not set"), "{unset}");
    // `-o` does not replace it.
    let plan = run_in(home.path(), &["plan", "-o", identity.to_str().unwrap(), "--force"]).expect(2);
    assert!(plan.stderr.contains("belongs to flowswap's state and cannot be replaced"), "{}", plan.stderr);

    // A slip of the keyboard makes no identity that nobody can open.
    let slip = TempDir::new().unwrap();
    let mut screen = Terminal::start(command(slip.path(), &["init"]));
    for (prompt, typed) in [("leave empty for none", "canary-one"), ("The same again", "canary-two")] {
        screen.await_words(prompt);
        screen.enter_hidden(typed);
    }
    let (code, seen) = screen.finish();
    assert!(code == 2 && seen.contains("the two passphrases differ") && !seen.contains("canary"), "{code}: {seen}");
    assert_eq!(fs::read_dir(slip.path()).unwrap().count(), 0);

    // An empty one means none.
    let other = TempDir::new().unwrap();
    let mut screen = Terminal::start(command(other.path(), &["init"]));
    screen.await_words("leave empty for none");
    screen.enter_hidden("");
    let (code, seen) = screen.finish();
    assert!(code == 0 && !seen.contains("FLOWSWAP_PASSPHRASE"), "{code}: {seen}");
    assert!(!fs::read_to_string(other.path().join("migrate.toml")).unwrap().contains("[secrets]"));
}

#[test]
fn an_identity_that_others_can_read_is_refused_in_its_new_place_too() {
    let home = TempDir::new().unwrap();
    run_in(home.path(), &["init"]).expect(0);
    let [identity] = &identities(&home.path().join(".config"))[..] else { panic!("one identity") };
    fs::set_permissions(identity, Permissions::from_mode(0o644)).unwrap();
    let check = run_in(home.path(), &["check", "-v"]).expect(3);
    assert!(check.stdout.contains("other users can access the identity file"), "{}", check.stdout);
}
