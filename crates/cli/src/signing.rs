//! Signs with the SSH key of the person at the terminal. `ssh-keygen` does it, because it knows agents, passphrases, and keys on
//! hardware. flowswap never sees a private key.

use std::{
    env,
    ffi::OsString,
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use etcetera::BaseStrategy;
use flowswap_attest::{Envelope, Unsigned, unarmor};
use jiff::Timestamp;

use crate::{
    approvals::SignersFile,
    args::SigningKey,
    context::Context,
    exit::{Exit, Failure},
    fetch::{COMMON_VARIABLES, find_program},
};

/// The hint about a signature that would not count.
pub(crate) const ANOTHER_KEY: &str = "nothing was written; sign with another key: `--key FILE`";

/// The variables that `ssh-keygen` gets beside the common ones: how to reach an agent, and how to ask for a passphrase.
const VARIABLES: [&str; 7] =
    ["SSH_AUTH_SOCK", "SSH_ASKPASS", "SSH_ASKPASS_REQUIRE", "DISPLAY", "WAYLAND_DISPLAY", "XDG_RUNTIME_DIR", "TERM"];

/// The key that the person named, or else the only one in `~/.ssh` that is in the file of signers, for signatures of this
/// namespace.
pub(crate) fn choose_key(
    named: &SigningKey,
    signers: Option<&SignersFile>,
    namespace: &'static str,
    now: Timestamp,
) -> Result<PathBuf, Failure> {
    match (&named.key, signers) {
        (Some(key), _) if key.is_file() || public_of(key).is_file() => Ok(key.clone()),
        (Some(key), _) => {
            let failure = Failure::new(Exit::Usage, format!("there is no SSH key `{}`", key.display()));
            Err(failure.hint("name a private key, or a public key whose private key an agent has"))
        }
        (None, Some(signers)) => find_key(signers, namespace, now),
        (None, None) => {
            let error = "the configuration has no `approvals.signers`, so flowswap does not know which key is yours";
            Err(Failure::new(Exit::Usage, error).hint("name your SSH key with `--key`"))
        }
    }
}

/// The text of a public key, if there is a file with it. `key` may be the private one.
pub(crate) fn read_public(key: &Path) -> Option<String> {
    let is_public = |text: &String| !text.starts_with("-----BEGIN");
    let read = |path: &Path| fs::read_to_string(path).ok().filter(is_public);
    read(key).or_else(|| read(&public_of(key)))
}

/// Where the public key of a private one is.
fn public_of(key: &Path) -> PathBuf {
    let mut name = key.as_os_str().to_owned();
    name.push(".pub");
    name.into()
}

fn find_key(signers: &SignersFile, namespace: &'static str, now: Timestamp) -> Result<PathBuf, Failure> {
    let folder = etcetera::choose_base_strategy().map(|base| base.home_dir().join(".ssh")).unwrap_or_default();
    let files = fs::read_dir(&folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let is_public = |file: &PathBuf| file.extension().is_some_and(|ending| ending == "pub") && file.is_file();
    let counts = |file: &PathBuf| {
        let text = fs::read_to_string(file).unwrap_or_default();
        signers.signers.find_openssh(&text, namespace, now).is_ok_and(|signer| signer.is_some())
    };
    let mut keys: Vec<PathBuf> = files.filter(is_public).filter(counts).collect();
    keys.sort();
    match keys.as_slice() {
        [key] => Ok(key.clone()),
        [] => {
            let (folder, file) = (folder.display(), signers.path.display());
            let error = format!("no public key in `{folder}` is in the file of signers `{file}`");
            let hint = "name your key with `--key`, or ask for it to be added to that file";
            Err(Failure::new(Exit::Usage, error).hint(hint))
        }
        many => {
            let names: Vec<_> = many.iter().map(|key| format!("`{}`", key.display())).collect();
            let error = format!("several of your keys count: {}", names.join(", "));
            Err(Failure::new(Exit::Usage, error).hint("name one with `--key`"))
        }
    }
}

/// Signs a statement with a key. `ssh-keygen` may ask for a passphrase or a touch at the terminal.
pub(crate) fn sign(context: &Context, key: &Path, statement: Unsigned) -> Result<Envelope, Failure> {
    let not_found = |error| Failure { exit: Exit::Usage, ..Failure::at("sign")(error) }.hint("install OpenSSH");
    let program = find_program("ssh-keygen").map_err(not_found)?;
    let failed = |error: io::Error| Failure::at(format!("sign with the key `{}`", key.display()))(error);
    let output = run(&program, key, &statement).map_err(failed)?;
    // Ctrl-C at a question of `ssh-keygen` ends that program too.
    if output.is_empty() && context.stop.is_stopped() {
        return Err(Failure::new(Exit::Interrupted, "you stopped it, so nothing was signed"));
    }
    if output.is_empty() {
        let error = format!("`ssh-keygen` did not sign with the key `{}`", key.display());
        let hint = "its message is above, and nothing was written; name a private key, or a public key whose private key an \
                    agent has";
        return Err(Failure::new(Exit::Failed, error).hint(hint));
    }
    let signature = unarmor(statement.namespace, &String::from_utf8_lossy(&output))
        .map_err(Failure::at("read the signature of `ssh-keygen`"))?;
    Ok(statement.seal(signature))
}

/// What `ssh-keygen` printed. Nothing if it failed; it has said why.
fn run(program: &Path, key: &Path, statement: &Unsigned) -> io::Result<Vec<u8>> {
    let variable = |name: &&str| Some((OsString::from(name), env::var_os(name)?));
    let mut child = Command::new(program)
        .env_clear()
        .envs(COMMON_VARIABLES.iter().chain(&VARIABLES).filter_map(variable))
        .args(["-q", "-Y", "sign", "-n", statement.namespace, "-f"])
        .arg(key)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    if let Some(mut stdin) = child.stdin.take() {
        match stdin.write_all(&statement.bytes()) {
            // It ended before it read everything, and says why.
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => return Err(error),
            _ => {}
        }
    }
    let output = child.wait_with_output()?;
    Ok(if output.status.success() { output.stdout } else { Vec::new() })
}
