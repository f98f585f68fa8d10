//! OpenSSH itself: it makes keys, signs, and is the second opinion.

use std::{
    fs,
    io::Write as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use flowswap_attest::{ApprovalPredicate, Predicate as _, Signature, unarmor};
use tempfile::TempDir;

pub(crate) const NAMESPACE: &str = ApprovalPredicate::NAMESPACE;

/// A person with a key.
pub(crate) struct Key {
    pub(crate) file: PathBuf,
    /// `ssh-ed25519 AAAA…`
    pub(crate) public: String,
}

impl Key {
    /// A new key of this type, such as `ed25519`.
    pub(crate) fn new(dir: &TempDir, name: &str, kind: &str) -> Self {
        let file = dir.path().join(name);
        let mut command = Command::new("ssh-keygen");
        command.args(["-q", "-t", kind.split('-').next().unwrap(), "-N", "", "-C", "", "-f"]).arg(&file);
        if let Some((_, bits)) = kind.split_once('-') {
            command.args(["-b", bits]);
        }
        let status = command.status().expect("these tests need `ssh-keygen` of OpenSSH");
        assert!(status.success(), "{kind}");
        let public = fs::read_to_string(file.with_extension("pub")).unwrap().trim().to_owned();
        Self { file, public }
    }

    /// What `ssh-keygen -Y sign` prints.
    pub(crate) fn sign_armored(&self, namespace: &str, bytes: &[u8]) -> String {
        let mut child = Command::new("ssh-keygen")
            .args(["-q", "-Y", "sign", "-n", namespace, "-f"])
            .arg(&self.file)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(bytes).unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success());
        String::from_utf8(output.stdout).unwrap()
    }

    pub(crate) fn sign(&self, bytes: &[u8]) -> Signature {
        unarmor(NAMESPACE, &self.sign_armored(NAMESPACE, bytes)).unwrap()
    }
}

/// Whether `ssh-keygen -Y verify` accepts the signature of `who`.
pub(crate) fn verifies(dir: &Path, signers: &str, who: &str, armored: &str, bytes: &[u8]) -> bool {
    let (signers_file, signature_file) = (dir.join("signers-to-verify"), dir.join("signature-to-verify"));
    fs::write(&signers_file, signers).unwrap();
    fs::write(&signature_file, armored).unwrap();
    let mut child = Command::new("ssh-keygen")
        .args(["-Y", "verify", "-n", NAMESPACE, "-I", who, "-f"])
        .arg(&signers_file)
        .arg("-s")
        .arg(&signature_file)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    // It ends early if it does not accept the file of signers.
    let _ = child.stdin.take().unwrap().write_all(bytes);
    child.wait().unwrap().success()
}
