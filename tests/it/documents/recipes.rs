//! The recipes of `secrets.md`, with a stand-in for each program that checks how it is called.

use std::{
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt,
};

use crate::support::{Lab, command, finish, repository};

/// A program, the variables that it needs from flowswap, and the arguments that its manual asks for.
const PROGRAMS: [(&str, &[&str], &[&str]); 5] = [
    ("op", &["OP_SERVICE_ACCOUNT_TOKEN"], &["read", "op://Okta/acme/token"]),
    ("sops", &["SOPS_AGE_KEY_FILE"], &["decrypt", "--extract", "[\"okta\"][\"acme\"]", "secrets.yaml"]),
    (
        "aws",
        &["AWS_PROFILE", "AWS_REGION"],
        &[
            "secretsmanager",
            "get-secret-value",
            "--secret-id",
            "okta/acme",
            "--query",
            "SecretString",
            "--output",
            "text",
        ],
    ),
    (
        "gcloud",
        &["CLOUDSDK_CONFIG"],
        &["secrets", "versions", "access", "latest", "--secret", "okta-acme", "--project", "example-project"],
    ),
    (
        "az",
        &["AZURE_CONFIG_DIR"],
        &[
            "keyvault",
            "secret",
            "show",
            "--vault-name",
            "example-vault",
            "--name",
            "okta-acme",
            "--query",
            "value",
            "--output",
            "tsv",
        ],
    ),
];

/// The line of the document that runs this program.
fn recipe(program: &str) -> String {
    let text = fs::read_to_string(repository().join("crates/cli/docs/secrets.md")).unwrap();
    let start = format!("credential = {{ command = [\"{program}\", ");
    let mut lines = text.lines().filter(|line| line.starts_with(&start));
    let line = lines.next().unwrap_or_else(|| panic!("no recipe for {program}"));
    assert_eq!(lines.next(), None);
    line.to_owned()
}

/// Lets the lab get the token of its org in this way, from a stand-in that prints it only if it is called as it must be.
fn prepare(lab: &Lab, recipe: &str, program: &str, variables: &[&str], args: &[&str]) {
    lab.edit_config(|text| text.replacen("credential = { file = \"tokens/{name}.token\" }", recipe, 1));
    let quoted = args.iter().map(|arg| format!("'{arg}'")).collect::<Vec<_>>().join(" ");
    let set = variables.iter().map(|name| format!("[ \"${name}\" = given-{name} ] || exit 10\n")).collect::<String>();
    let token = &lab.sim.tenants()[0].admin_token;
    let script = format!(
        "#!/bin/sh\n[ -d \"$HOME\" ] && [ -z \"$UNLISTED\" ] || exit 9\n{set}[ $# = {} ] || exit 11\nfor wanted in {quoted}; do\n  [ \
         \"$1\" = \"$wanted\" ] || exit 12\n  shift\ndone\necho '{token}'\n",
        args.len()
    );
    fs::create_dir(lab.path("bin")).unwrap();
    fs::write(lab.path("bin").join(program), script).unwrap();
    fs::set_permissions(lab.path("bin").join(program), Permissions::from_mode(0o700)).unwrap();
}

#[test]
fn each_recipe_calls_its_program_as_it_must_be_called() {
    for (program, variables, args) in PROGRAMS {
        let lab = Lab::with_tenants(1);
        prepare(&lab, &recipe(program), program, variables, args);
        let mut check = command(lab.dir(), &["check", "-v"]);
        check.env("PATH", lab.path("bin")).env("UNLISTED", "yes");
        check.envs(variables.iter().map(|name| (name, format!("given-{name}"))));
        let output = finish(check).expect(0);
        assert!(output.stdout.contains(&format!("`{program}` runs `")), "{}", output.show());
    }
}

/// The stand-in notices a wrong call.
#[test]
fn a_wrong_recipe_fails() {
    let (program, variables, args) = PROGRAMS[0];
    for (recipe, code) in [
        (recipe(program).replace("/token", "/password"), 12),
        (recipe(program).replace("\"read\", ", "\"read\", \"-n\", "), 11),
        (recipe(program).replace(", env = [\"OP_SERVICE_ACCOUNT_TOKEN\"]", ""), 10),
    ] {
        let lab = Lab::with_tenants(1);
        prepare(&lab, &recipe, program, variables, args);
        let mut check = command(lab.dir(), &["check"]);
        check.env("PATH", lab.path("bin")).env("OP_SERVICE_ACCOUNT_TOKEN", "given-OP_SERVICE_ACCOUNT_TOKEN");
        let output = finish(check).expect(3);
        assert!(output.stdout.contains(&format!("(exit status: {code})")), "{}", output.show());
    }
}
