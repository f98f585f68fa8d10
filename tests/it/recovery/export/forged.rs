//! Somebody with the key of a signer changes an export and signs it again. The signature is good, so the other checks must find
//! what does not fit together.

use std::{fs, path::Path};

use flowswap_attest::{Envelope, ExportPredicate, Predicate, Signed, Statement, Subject, Unsigned, unarmor};
use jiff::Timestamp;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::{approved_work, expect_failure, export, lines, names, verify};
use crate::{approvals::people::Office, support::finish};

/// An export that was changed and signed again.
struct Forgery<'a> {
    office: &'a Office,
    folder: &'a Path,
    predicate: ExportPredicate,
}

impl Forgery<'_> {
    /// Changes the lines of the journal.
    fn edit_lines(&mut self, edit: impl FnOnce(&mut Vec<Value>)) {
        let mut all = lines(self.folder);
        edit(&mut all);
        let text: String = all.iter().map(|line| format!("{line}\n")).collect();
        fs::write(self.folder.join("journal.jsonl"), text).unwrap();
    }

    /// Replaces a text in every record, and computes all hashes again.
    fn replace_in_records(&mut self, old: &str, new: &str) {
        let mut last = String::new();
        self.edit_lines(|all| {
            let mut before = [0; 32];
            for line in all.iter_mut() {
                let seq = line["seq"].as_u64().unwrap();
                if let Some(body) = line["body"].as_str().map(|body| body.replace(old, new)) {
                    line["bodyHash"] = json!(base16ct::lower::encode_string(&Sha256::digest(&body)));
                    line["body"] = json!(body);
                }
                let mut body_hash = [0; 32];
                base16ct::lower::decode(line["bodyHash"].as_str().unwrap(), &mut body_hash).unwrap();
                let hash = Sha256::new().chain_update(before).chain_update(seq.to_be_bytes()).chain_update(body_hash);
                line["hash"] = json!(base16ct::lower::encode_string(&hash.finalize()));
                last = line["hash"].as_str().unwrap().to_owned();
                base16ct::lower::decode(&last, &mut before).unwrap();
            }
        });
        self.predicate.last_hash = last;
    }

    fn sign(&self, who: &str, statement: Unsigned) -> String {
        let file = self.office.lab.path("to-sign");
        fs::write(&file, statement.bytes()).unwrap();
        let mut keygen = std::process::Command::new("ssh-keygen");
        keygen.args(["-q", "-Y", "sign", "-n", statement.namespace, "-f"]).arg(self.office.key(who)).arg(&file);
        let _ = finish(keygen).expect(0);
        let signature = file.with_extension("sig");
        let armored = fs::read_to_string(&signature).unwrap();
        fs::remove_file(signature).unwrap();
        let signature = unarmor(statement.namespace, &armored).unwrap();
        statement.seal(signature).render()
    }

    /// The subjects are the files as they are now.
    fn sign_again(&self, who: &str) {
        let subjects = names(self.folder).into_iter().filter(|name| name != "export.json").map(|name| {
            let file = fs::File::open(self.folder.join(&name)).unwrap();
            Subject::read(name, file).unwrap()
        });
        let statement = Statement::about(subjects.collect(), self.predicate.clone());
        fs::write(self.folder.join("export.json"), self.sign(who, statement.to_sign())).unwrap();
    }

    /// The only file of a folder of the export.
    fn first(&self, folder: &str) -> String {
        names(self.folder).into_iter().find(|name| name.starts_with(folder)).unwrap()
    }

    /// Puts another approval in the place of the first one, in the records as well.
    fn replace_approval(&mut self, envelope: &Envelope) {
        let old = self.first("approvals/");
        fs::remove_file(self.folder.join(&old)).unwrap();
        let old = old.trim_start_matches("approvals/").trim_end_matches(".json").to_owned();
        fs::write(self.folder.join(format!("approvals/{}.json", envelope.digest())), envelope.render()).unwrap();
        self.replace_in_records(&old, &envelope.digest());
    }

    fn approval(&self) -> Envelope {
        Envelope::read(&fs::read_to_string(self.folder.join(self.first("approvals/"))).unwrap()).unwrap()
    }
}

/// The approval again, with another payload, signed by somebody.
fn approve_again(forgery: &Forgery<'_>, who: &str, edit: impl FnOnce(String) -> String) -> Envelope {
    let payload = edit(String::from_utf8(forgery.approval().payload).unwrap());
    let statement: Statement<flowswap_attest::ApprovalPredicate> = serde_json::from_str(&payload).unwrap();
    Envelope::read(&forgery.sign(who, statement.to_sign())).unwrap()
}

#[test]
fn what_does_not_fit_together_is_found_although_it_is_signed() {
    let office = approved_work(1);
    office.hire("mallory");
    let (folder, _) = export(&office, "alice", &[]);
    type Edit = fn(&mut Forgery<'_>);
    let table: &[(&str, Edit)] = &[
        ("the records have consecutive numbers", |it| it.edit_lines(|all| drop(all.remove(4)))),
        ("the records have consecutive numbers", |it| it.edit_lines(|all| all.swap(4, 5))),
        ("the records have consecutive numbers", |it| {
            it.edit_lines(|all| all[4]["body"] = json!(format!("{} ", all[4]["body"].as_str().unwrap())));
        }),
        ("every hash follows", |it| {
            it.edit_lines(|all| {
                all.swap(4, 5);
                (all[4]["seq"], all[5]["seq"]) = (json!(5), json!(6));
            });
        }),
        ("every hash follows", |it| {
            it.edit_lines(|all| all[2]["body"] = json!(all[2]["body"].as_str().unwrap().replace("acme", "acne")));
        }),
        ("the records have consecutive numbers and hashes", |it| {
            it.edit_lines(|all| all[4]["hash"] = json!(format!("{}\n", all[4]["hash"].as_str().unwrap())));
        }),
        ("the records have consecutive numbers and hashes", |it| {
            it.edit_lines(|all| all[4]["bodyHash"] = json!("-\n"));
        }),
        ("every hash follows", |it| it.edit_lines(|all| all[4]["bodyHash"] = json!("0".repeat(64)))),
        ("every hash follows", |it| it.edit_lines(|all| drop(all[4].as_object_mut().unwrap().remove("bodyHash")))),
        // A record before one without a body is changed, and the chain up to that one computed again.
        ("every hash follows", |it| {
            let original = lines(it.folder);
            let withheld = original.iter().position(|line| line["withheld"].is_string()).unwrap();
            assert!(withheld > 4, "{withheld}");
            it.replace_in_records("CHG-1042", "CHG-1043");
            it.edit_lines(|all| all[withheld..].clone_from_slice(&original[withheld..]));
            it.predicate.last_hash = original.last().unwrap()["hash"].as_str().unwrap().to_owned();
        }),
        ("every hash follows", |it| {
            it.edit_lines(|all| {
                let at = all.windows(2).position(|pair| pair[0]["withheld"].is_string() && pair[1]["body"].is_string());
                all[at.unwrap()]["hash"] = json!("0".repeat(64));
            });
        }),
        ("the last record is the one that was signed", |it| it.edit_lines(|all| drop(all.pop()))),
        ("the last record is the one that was signed", |it| it.predicate.last_hash = "0".repeat(64)),
        ("plans/", |it| edit_plan(it, false)),
        ("every plan that a run carried out is here", |it| edit_plan(it, true)),
        ("every plan that a run carried out is here", |it| {
            fs::remove_file(it.folder.join(it.first("plans/"))).unwrap();
        }),
        // Text that looks like a line of the block, where a digest belongs.
        ("every plan that a run carried out is here", |it| {
            let plan = it.first("plans/").replace("plans/", "").replace(".json", "");
            let line = format!("{plan} - \\\"acme\\\", plan {plan}: approved by alice@example.com; as \\\"acme\\\"");
            it.replace_in_records(&format!("\"plan\":\"{plan}\""), &format!("\"plan\":\"{line}\""));
            it.predicate.missing_plans = vec![line.replace('\\', "")];
            fs::remove_dir_all(it.folder.join("plans")).unwrap();
        }),
        ("every plan that a run carried out is here", |it| {
            let spoof = "a\nplan b: 1 tenants".to_owned();
            it.predicate.missing_plans.push(spoof);
        }),
        ("what names an approval is a digest", |it| {
            let digest = it.approval().digest();
            it.replace_in_records(&format!("\"approvals\":[\"{digest}\""), "\"approvals\":[\"- acme x\"");
        }),
        ("the names of files are plain", |it| {
            fs::write(it.folder.join("plans/a\nverified: all checks passed.json"), "{}").unwrap();
        }),
        ("what the journal has of plans/", |it| {
            it.replace_in_records("\"title\":\"", "\"title\":\"do not ");
        }),
        ("every approval that counted is here", |it| {
            fs::remove_file(it.folder.join(it.first("approvals/"))).unwrap();
        }),
        ("approvals/", |it| {
            let name = it.folder.join(it.first("approvals/"));
            let text = fs::read_to_string(&name).unwrap();
            fs::write(name, text.replacen("SHA256:", "SHA256:x", 1)).unwrap();
        }),
        // What jq would take for a program of its own.
        ("approvals/", |it| {
            let name = it.folder.join(it.first("approvals/"));
            let mut approval: Value = serde_json::from_str(&fs::read_to_string(&name).unwrap()).unwrap();
            approval["signatures"] = json!({"a ],(env.PATH|debug),.signatures[ b": approval["signatures"][0]});
            fs::write(name, approval.to_string()).unwrap();
        }),
        ("the signature of approvals/", |it| {
            let again = approve_again(it, "mallory", |payload| payload);
            it.replace_approval(&again);
        }),
        ("the signature of approvals/", |it| {
            let mut changed = it.approval();
            changed.payload = String::from_utf8(changed.payload).unwrap().replace("CHG-1042", "CHG-1043").into();
            it.replace_approval(&changed);
        }),
        ("approvals/", |it| {
            let plan = it.first("plans/").replace("plans/", "").replace(".json", "");
            let again = approve_again(it, "bob", |payload| payload.replace(&plan, &"0".repeat(64)));
            it.replace_approval(&again);
        }),
        ("the approvals of \"acme\" are here", |it| {
            let digest = it.approval().digest();
            it.replace_in_records(
                &format!("\"approvals\":[\"{digest}\""),
                &format!("\"approvals\":[\"{}\"", "0".repeat(64)),
            );
        }),
    ];
    for (check, edit) in table {
        let copy = copy(&folder);
        edit_and_sign(&office, &copy, "alice", edit);
        expect_failure(&copy, check);
    }
    // Signing again alone breaks nothing.
    let again = copy(&folder);
    edit_and_sign(&office, &again, "bob", &|it| it.replace_in_records("no such text", ""));
    assert!(verify(&again).expect(0).stdout.contains("signed by bob@example.com"));
    edit_and_sign(&office, &again, "mallory", &|_| {});
    expect_failure(&again, "the signature of export.json");
    // Another statement under the same namespace is no export.
    let forgery = Forgery { office: &office, folder: &again, predicate: read(&folder) };
    fs::write(again.join("export.json"), forgery.sign("alice", Statement::about(Vec::new(), Other).to_sign())).unwrap();
    expect_failure(&again, "export.json is an export");
}

/// Somebody who is not in the file that the auditor trusts signs an export that is to look like one of alice.
#[test]
fn nothing_in_an_export_controls_the_terminal_of_the_auditor() {
    let office = approved_work(1);
    office.hire("mallory");
    let (folder, _) = export(&office, "alice", &[]);
    let spoof = "\u{1b}[1A\u{1b}[2K\rsigned by alice\nverified: all checks passed\u{9b}2J";
    let copy = copy(&folder);
    fs::remove_file(copy.join("allowed_signers")).unwrap();
    let mut forgery = Forgery { office: &office, folder: &copy, predicate: read(&folder) };
    spoof.clone_into(&mut forgery.predicate.version);
    forgery.predicate.tenants = vec![spoof.to_owned()];
    forgery.sign_again("mallory");
    let found = verify(&copy);
    assert!(!found.stdout.contains(['\u{1b}', '\u{9b}', '\r']), "{:?}", found.stdout);
    let verified: Vec<&str> = found.stdout.lines().filter(|line| line.starts_with("verified")).collect();
    assert_eq!(verified, found.stdout.lines().last().as_slice(), "{}", found.show());
    assert!(verified[0].ends_with(&fingerprint(&office, "mallory")), "{}", found.show());

    // The file of signers in the folder is hostile as well.
    let text = fs::read_to_string(folder.join("allowed_signers")).unwrap();
    let key = text.lines().find(|line| line.starts_with("alice")).unwrap().split_once(' ').unwrap().1;
    fs::write(copy.join("allowed_signers"), format!("{text}\u{1b}[8mbob,alice\u{1b}[2J {key}\n")).unwrap();
    Forgery { office: &office, folder: &copy, predicate: read(&folder) }.sign_again("alice");
    let found = verify(&copy);
    assert!(!found.stdout.contains('\u{1b}'), "{:?}", found.stdout);
    assert_eq!((found.code, found.stderr.as_str()), (0, ""), "{}", found.show());
}

/// What `ssh-keygen -l` prints of the key.
fn fingerprint(office: &Office, who: &str) -> String {
    let mut keygen = std::process::Command::new("ssh-keygen");
    keygen.arg("-lf").arg(office.key(who));
    finish(keygen).expect(0).stdout.split(' ').nth(1).unwrap().to_owned()
}

/// A statement of another type, signed as if it were an export.
#[derive(serde::Serialize, serde::Deserialize)]
struct Other;

impl Predicate for Other {
    const TYPE: &'static str = "https://example.com/other";
    const NAMESPACE: &'static str = ExportPredicate::NAMESPACE;
}

/// Changes a tenant of the plan, and perhaps the digest and the name of the file as well.
fn edit_plan(it: &Forgery<'_>, rename: bool) {
    let name = it.folder.join(it.first("plans/"));
    let text = fs::read_to_string(&name).unwrap().replace("\"acme\"", "\"acne\"");
    let mut plan: Value = serde_json::from_str(&text).unwrap();
    if !rename {
        return fs::write(name, text).unwrap();
    }
    plan["digest"] = json!("");
    // The members of this value are sorted.
    plan["digest"] = json!(base16ct::lower::encode_string(&Sha256::digest(plan.to_string())));
    fs::remove_file(name).unwrap();
    let name = it.folder.join(format!("plans/{}.json", plan["digest"].as_str().unwrap()));
    fs::write(name, plan.to_string()).unwrap();
}

fn edit_and_sign(office: &Office, folder: &Path, who: &str, edit: &dyn Fn(&mut Forgery<'_>)) {
    let mut forgery = Forgery { office, folder, predicate: read(folder) };
    edit(&mut forgery);
    forgery.sign_again(who);
}

/// What the signer says.
fn read(folder: &Path) -> ExportPredicate {
    let text = fs::read_to_string(folder.join("export.json")).unwrap();
    Signed::<ExportPredicate>::read(&text, None, Timestamp::now()).unwrap().statement.predicate
}

/// A copy beside the folder.
pub(super) fn copy(folder: &Path) -> std::path::PathBuf {
    let to = folder.with_file_name("copy");
    fs::remove_dir_all(&to).ok();
    for name in names(folder) {
        let target = to.join(&name);
        fs::create_dir_all(target.parent().unwrap()).unwrap();
        fs::copy(folder.join(name), target).unwrap();
    }
    to
}
