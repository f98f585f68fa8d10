//! What `-o` writes to (files, links, pipes, sockets, and stdout), and what it leaves unchanged.

use std::{
    fs::{self, File},
    io::Read,
    os::unix::{
        fs::{FileTypeExt, PermissionsExt, lchown, symlink},
        net::UnixListener,
    },
    path::Path,
    process::Command,
    thread,
};

use crate::support::{Lab, Output, print};

fn plan(lab: &Lab, args: &[&str]) -> Output {
    lab.run(&[&["plan", "-o"], args].concat())
}

fn make_pipe(path: &Path) {
    assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
}

fn is_plan(path: &Path) -> bool {
    fs::read_to_string(path).unwrap().contains("\"not_after\"")
}

/// In a shared folder, another user can be first, and let flowswap write somewhere else.
#[test]
fn a_link_of_another_user_is_not_followed() {
    const OTHER: u32 = 65_534;
    let lab = Lab::with_tenants(1);
    fs::create_dir(lab.path("shared")).unwrap();
    fs::set_permissions(lab.path("shared"), fs::Permissions::from_mode(0o1777)).unwrap();
    symlink(lab.path("mine.json"), lab.path("shared/link.json")).unwrap();
    plan(&lab, &["shared/link.json"]).expect(0);
    assert!(is_plan(&lab.path("mine.json")), "a link of this user is followed");
    for target in ["victim.json", "mine.json"] {
        fs::remove_file(lab.path("shared/link.json")).unwrap();
        symlink(lab.path(target), lab.path("shared/link.json")).unwrap();
        if lchown(lab.path("shared/link.json"), Some(OTHER), None).is_err() {
            return print("skipped: only root can make links of another user");
        }
        let refused = plan(&lab, &["shared/link.json", "--force"]).expect(2);
        let why = "the symlink `shared/link.json` belongs to another user";
        assert!(refused.stderr.contains(why), "{}", refused.stderr);
    }
    assert!(!lab.path("victim.json").exists());
}

#[test]
fn a_plan_overwrites_only_a_plan() {
    let lab = Lab::with_tenants(1);
    plan(&lab, &["plan.json"]).expect(0);
    // A plan, even a changed one, may be overwritten. The file keeps its permissions.
    fs::write(lab.path("plan.json"), fs::read_to_string(lab.path("plan.json")).unwrap() + " ").unwrap();
    fs::set_permissions(lab.path("plan.json"), fs::Permissions::from_mode(0o640)).unwrap();
    plan(&lab, &["plan.json"]).expect(0);
    assert_eq!(fs::metadata(lab.path("plan.json")).unwrap().permissions().mode() & 0o777, 0o640);
    lab.run(&["show", "plan.json"]).expect(0);

    let notes = [("notes.txt", "my notes\n".to_owned()), ("other.json", "{\"tenants\": []}".to_owned())];
    for (name, content) in notes {
        fs::write(lab.path(name), &content).unwrap();
        let refused = plan(&lab, &[name]).expect(2);
        assert!(
            refused.stderr.contains(&format!("`{name}` exists, and flowswap did not write it as a plan")),
            "{}",
            refused.stderr
        );
        assert_eq!(fs::read_to_string(lab.path(name)).unwrap(), content);
        plan(&lab, &[name, "--force"]).expect(0);
        assert!(is_plan(&lab.path(name)), "{name}");
    }
    let before = fs::read_to_string(lab.path("migrate.toml")).unwrap();
    plan(&lab, &["migrate.toml"]).expect(2);
    assert_eq!(fs::read_to_string(lab.path("migrate.toml")).unwrap(), before);
    // `--force` does not overwrite the identity and the journal, because nothing could restore them.
    for name in [".flowswap/identity.txt", ".flowswap/journal.sqlite"] {
        let before = fs::read(lab.path(name)).unwrap();
        let refused = plan(&lab, &[name, "--force"]).expect(2);
        assert!(refused.stderr.contains("belongs to flowswap's state"), "{}", refused.stderr);
        assert_eq!(fs::read(lab.path(name)).unwrap(), before);
    }
    plan(&lab, &["."]).expect(2);
    plan(&lab, &["no-such-folder/plan.json"]).expect(2);
    // An empty file contains nothing that could be lost.
    File::create(lab.path("empty")).unwrap();
    plan(&lab, &["empty"]).expect(0);
}

#[test]
fn a_symbolic_link_is_followed_and_kept() {
    let lab = Lab::with_tenants(1);
    fs::create_dir(lab.path("elsewhere")).unwrap();
    symlink("elsewhere/plan.json", lab.path("link")).unwrap();
    symlink("link", lab.path("link-to-link")).unwrap();
    for _ in 0..2 {
        plan(&lab, &["link-to-link"]).expect(0);
        assert!(is_plan(&lab.path("elsewhere/plan.json")));
        for link in ["link", "link-to-link"] {
            assert!(fs::symlink_metadata(lab.path(link)).unwrap().is_symlink(), "{link}");
        }
    }
    symlink("circle", lab.path("circle")).unwrap();
    plan(&lab, &["circle"]).expect(2);
}

#[test]
fn stdout_has_the_plan_and_nothing_else() {
    let lab = Lab::with_tenants(1);
    let output = plan(&lab, &["-"]).expect(0);
    fs::write(lab.path("by-hand.json"), &output.stdout).unwrap();
    lab.run(&["show", "by-hand.json"]).expect(0);
    assert!(!lab.path("-").exists());
    assert!(output.stderr.contains("the journal does not record this plan"), "{}", output.stderr);
}

#[test]
fn a_pipe_and_a_socket_are_written_to_and_not_replaced() {
    let lab = Lab::with_tenants(1);
    make_pipe(&lab.path("pipe"));
    let reader = thread::spawn({
        let path = lab.path("pipe");
        move || fs::read_to_string(path).unwrap()
    });
    plan(&lab, &["pipe"]).expect(0);
    assert!(reader.join().unwrap().contains("\"not_after\""));
    assert!(fs::symlink_metadata(lab.path("pipe")).unwrap().file_type().is_fifo());

    let socket = UnixListener::bind(lab.path("socket")).unwrap();
    let reader = thread::spawn(move || {
        let mut text = String::new();
        socket.accept().unwrap().0.read_to_string(&mut text).unwrap();
        text
    });
    plan(&lab, &["socket", "--force"]).expect(0);
    assert!(reader.join().unwrap().contains("\"not_after\""));
    assert!(fs::symlink_metadata(lab.path("socket")).unwrap().file_type().is_socket());
}

/// A file that is not a plan is a mistake of the command line, and the hint is not to overwrite it, and no input is read without a limit.
#[test]
fn a_file_that_is_read_as_a_plan_is_not_changed() {
    let lab = Lab::with_tenants(1);
    fs::write(lab.path("notes.txt"), "my notes\n").unwrap();
    fs::write(lab.path("binary"), [0xff, 0xfe, 0x00]).unwrap();
    File::create(lab.path("huge")).unwrap().set_len(65 * 1024 * 1024).unwrap();
    let _socket = UnixListener::bind(lab.path("socket")).unwrap();
    for name in ["notes.txt", "binary", "huge", "socket", ".", "gone.json"] {
        for args in [
            &["show", name][..],
            &["diff", name, name],
            &["approve", name, "--reason", "seen"],
            &["approvals", name],
            &["apply", name, "--yes"],
            &["rehearse", "acme", "--plan", name, "--yes"],
        ] {
            let output = lab.run(args).expect(2);
            let hint = output.stderr.split("hint:").nth(1).unwrap_or_default();
            assert!(!output.stdout.contains("my notes") && !output.stderr.contains("my notes"));
            let proposes = hint.contains(&format!("-o {name}"));
            assert_eq!(proposes, name == "gone.json", "{args:?}: {}", output.stderr);
        }
    }
    // `show` can read a plan from a pipe. `apply` cannot, because it must read the plan again.
    plan(&lab, &["plan.json"]).expect(0);
    make_pipe(&lab.path("pipe"));
    lab.run(&["apply", "pipe", "--yes"]).expect(2);
    let writer = thread::spawn({
        let (from, to) = (lab.path("plan.json"), lab.path("pipe"));
        move || fs::write(to, fs::read(from).unwrap()).unwrap()
    });
    lab.run(&["show", "pipe"]).expect(0);
    writer.join().unwrap();
}

#[test]
fn a_report_overwrites_only_a_report_of_its_kind() {
    let lab = Lab::with_tenants(1);
    plan(&lab, &["plan.json", "--report", "page.html", "--report", "page.md", "--report", "page.xml"]).expect(0);
    lab.run(&["apply", "plan.json", "--yes"]).expect(0);
    for name in ["page.html", "page.md", "page.xml"] {
        let before = fs::read(lab.path(name)).unwrap();
        for refused in [&["report", "-o", name][..], &["diff", "plan.json", "plan.json", "--report", name]] {
            let refused = lab.run(refused).expect(2);
            assert!(
                refused.stderr.contains(&format!("`{name}` exists, and flowswap did not write it as a report of ")),
                "{}",
                refused.stderr
            );
        }
        assert_eq!(fs::read(lab.path(name)).unwrap(), before, "{name} was changed");
        lab.run(&["show", "plan.json", "--report", name]).expect(0);
    }
    // The first place that is not fit ends the command before it writes anything.
    let refused = lab.run(&["report", "-o", "done.html", "-o", "nowhere/done.html"]).expect(2);
    assert!(refused.stderr.starts_with("error: there is no folder `nowhere`\n"), "{}", refused.stderr);
    assert!(!lab.path("done.html").exists());
}

#[test]
fn nothing_is_written_into_the_state_folder() {
    let lab = Lab::with_tenants(1);
    lab.plan().expect(0);
    lab.run(&["apply", "plan.json", "--yes"]).expect(0);
    for (args, name) in [
        (&["plan", "-o", ".flowswap/plan.json"][..], "plan.json"),
        (&["report", "-o", ".flowswap/report.html"], "report.html"),
        (&["record", "-o", ".flowswap/r.jsonl", "detect"], "r.jsonl"),
    ] {
        let refused = lab.run(args).expect(2);
        assert!(refused.stderr.contains("` would be in flowswap's state folder\n"), "{args:?}: {}", refused.stderr);
        assert!(!lab.path(".flowswap").join(name).exists(), "{args:?}");
    }
}

#[test]
fn a_file_that_is_no_plan_is_named_as_what_it_is() {
    let lab = Lab::with_tenants(1);
    plan(&lab, &["plan.json", "--report", "page.html", "--report", "page.json"]).expect(0);
    for (name, what) in [("page.html", "report of a plan"), ("page.json", "report of a plan")] {
        let refused = lab.run(&["show", name]).expect(2);
        let said =
            format!("error: `{name}` is a {what}, not a plan\n\nhint: name the file that `flowswap plan -o` wrote\n");
        assert_eq!(refused.stderr, said);
    }
}

/// The path of a temporary file says nothing to a person.
#[test]
fn an_error_of_a_folder_that_is_read_only_names_no_other_file() {
    let lab = Lab::with_tenants(1);
    lab.plan().expect(0);
    fs::create_dir(lab.path("closed")).unwrap();
    fs::set_permissions(lab.path("closed"), fs::Permissions::from_mode(0o500)).unwrap();
    let refused = lab.run(&["show", "plan.json", "--report", "closed/page.html"]);
    if refused.code == 0 {
        return print("skipped: root may write everywhere");
    }
    let said = "error: failed to write the report of a plan `closed/page.html`\n  caused by: Permission denied (os error 13)\n\n\
                hint: this file was not written; name one that you can write\n";
    assert!(refused.stderr.ends_with(said), "{}", refused.stderr);
}
