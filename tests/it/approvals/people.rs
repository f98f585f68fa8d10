//! A lab whose configuration asks for approvals, and the people who give them.

use std::{env, fs, path::PathBuf, process::Command};

use crate::support::{Lab, Output, command, finish};

/// A lab with people. Each has a home with an ordinary SSH key.
pub(crate) struct Office {
    pub(crate) lab: Lab,
}

impl Office {
    /// Two people must approve, and three could.
    pub(crate) fn open(tenants: usize) -> Self {
        Self::of(Lab::with_tenants(tenants))
    }

    /// The same in a lab.
    pub(crate) fn of(lab: Lab) -> Self {
        let office = Self { lab };
        office.lab.edit_config(|text| format!("{text}\n[approvals]\nrequired = 2\nsigners = \"allowed_signers\"\n"));
        let signers: String = ["alice", "bob", "carol"].map(|name| office.hire(name)).concat();
        fs::write(office.lab.path("allowed_signers"), signers).unwrap();
        office
    }

    /// Makes a home with a key for a person. Returns the person's line for the file of signers.
    pub(crate) fn hire(&self, name: &str) -> String {
        let key = self.key(name);
        fs::create_dir_all(key.parent().unwrap()).unwrap();
        let mut keygen = Command::new("ssh-keygen");
        let made = keygen.args(["-q", "-t", "ed25519", "-N", "", "-C", name, "-f"]).arg(&key).status();
        assert!(made.expect("this test needs `ssh-keygen` of OpenSSH").success());
        let public = fs::read_to_string(key.with_extension("pub")).unwrap();
        format!("{name}@example.com {public}")
    }

    /// The private key of a person.
    pub(crate) fn key(&self, name: &str) -> PathBuf {
        self.lab.path(&format!("home/{name}/.ssh/id_ed25519"))
    }

    /// A person runs a command.
    pub(crate) fn run_as(&self, name: &str, args: &[&str]) -> Output {
        let mut command = command(self.lab.dir(), args);
        command.env("HOME", self.lab.path(&format!("home/{name}"))).env("PATH", env::var_os("PATH").unwrap());
        finish(command)
    }

    /// A person approves the plan, or some of its classes.
    pub(crate) fn approve(&self, name: &str, classes: &[&str]) -> Output {
        let classes: Vec<&str> = classes.iter().flat_map(|class| ["--class", class]).collect();
        self.run_as(name, &[&["approve", "plan.json", "--reason", "CHG-1042", "--yes"][..], &classes].concat())
    }

    /// The files of the approvals, by name.
    pub(crate) fn approvals(&self) -> Vec<PathBuf> {
        let files = fs::read_dir(self.lab.dir()).unwrap().map(|entry| entry.unwrap().path());
        let mut files: Vec<PathBuf> =
            files.filter(|file| file.extension().is_some_and(|it| it == "approval")).collect();
        files.sort();
        files
    }

    /// The classes of the plan, the one with the most tenants first, each with its tenants.
    pub(crate) fn classes(&self) -> Vec<(String, Vec<String>)> {
        let report: serde_json::Value =
            serde_json::from_str(&self.lab.run(&["show", "plan.json", "--as", "json"]).expect(0).stdout).unwrap();
        let with_steps =
            report["classes"].as_array().unwrap().iter().filter(|it| !it["steps"].as_array().unwrap().is_empty());
        let name = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
        with_steps
            .map(|class| (name(&class["id"]), class["tenants"].as_array().unwrap().iter().map(name).collect()))
            .collect()
    }
}
