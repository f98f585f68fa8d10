//! The identity that decrypts the secrets. Its file has the format of age's own tools, or is the private key of SSH.

use std::fmt;
use std::fs::File;
use std::io::{self, Read, Write};
use std::iter;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use age::secrecy::{ExposeSecret, SecretString};
use age::{DecryptError, Decryptor, Encryptor, armor::ArmoredReader, scrypt, ssh, x25519};
use flowswap_engine::Secret;
use jiff::{Timestamp, Unit};
use zeroize::Zeroizing;

use super::identity_id::IdentityId;
use super::recipient::Recipient;
use crate::durable::{self, FileError, IfExists};

/// The work factor that the age tool uses for a new passphrase: about a second in an optimized build.
const WORK_FACTOR: u8 = 18;
/// The highest work factor that the age tool accepts; more would take minutes and gigabytes.
const MAX_WORK_FACTOR: u8 = 22;
/// Identity files are a few lines long.
const MAX_SIZE: u64 = 1 << 20;

/// The keys that decrypt the secrets. Secrets are encrypted to all of them.
#[derive(Clone)]
pub struct Identity {
    keys: Vec<Key>,
}

/// A private key, and the public one that belongs to it.
#[derive(Clone)]
enum Key {
    X25519(x25519::Identity),
    Ssh(Box<(ssh::Identity, Recipient)>),
}

/// Why an identity could not be loaded or created.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// The file could not be read or written.
    #[error(transparent)]
    File(#[from] FileError),
    /// Other users can access the file.
    #[error("other users can access the identity file `{}` (mode {mode:04o})", path.display())]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// The file belongs to another user.
    #[error("the identity file `{}` belongs to the user with id {owner}, not to you", path.display())]
    NotOwned {
        /// The file.
        path: PathBuf,
        /// The id of its owner.
        owner: u32,
    },
    /// The file is encrypted with a passphrase; see [`Identity::unlock`].
    #[error("the identity file `{}` is protected by a passphrase", path.display())]
    Locked {
        /// The file.
        path: PathBuf,
    },
    /// The passphrase does not decrypt the file.
    #[error("the passphrase does not open the identity file `{}`", path.display())]
    WrongPassphrase {
        /// The file.
        path: PathBuf,
    },
    /// The file is not an identity file.
    #[error("`{}` is not an age identity file: {problem}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong. Never quotes the content of the file.
        problem: String,
    },
}

impl Identity {
    /// Reads an identity file that has no passphrase. Only this user may have access to it.
    pub fn load(path: &Path) -> Result<Self, IdentityError> {
        let content = read_private(path)?;
        if is_encrypted(&content) {
            return Err(IdentityError::Locked { path: path.to_owned() });
        }
        parse(path, &content, None)
    }

    /// Reads an identity file, and decrypts it if it is protected by a passphrase. Decryption takes about a second.
    pub fn unlock(path: &Path, passphrase: &Secret) -> Result<Self, IdentityError> {
        let content = read_private(path)?;
        if is_encrypted(&content) {
            return parse(path, &decrypt(path, &content, passphrase)?, None);
        }
        parse(path, &content, Some(passphrase))
    }

    /// A new identity, which has no file yet.
    pub fn create() -> Self {
        Self { keys: vec![Key::X25519(x25519::Identity::generate())] }
    }

    /// Creates a new identity and its file. Fails if the file exists.
    pub fn generate(path: &Path, passphrase: Option<Secret>) -> Result<Self, IdentityError> {
        let identity = Self::create();
        identity.save(path, passphrase)?;
        Ok(identity)
    }

    /// Writes its file. Fails if the file exists.
    pub fn save(&self, path: &Path, passphrase: Option<Secret>) -> Result<(), IdentityError> {
        self.save_with(path, passphrase, WORK_FACTOR)
    }

    fn save_with(&self, path: &Path, passphrase: Option<Secret>, work_factor: u8) -> Result<(), IdentityError> {
        let text = self.render();
        durable::make_folder(durable::parent_of(path))?;
        let written = match passphrase {
            None => durable::write_file(path, text.expose().as_bytes(), IfExists::Fail),
            Some(passphrase) => encrypt(&text, &passphrase, work_factor)
                .and_then(|content| durable::write_file(path, &content, IfExists::Fail)),
        };
        Ok(written.map_err(FileError::new("create the identity file", path))?)
    }

    /// The name by which a state folder knows its identity. Nobody can derive a key from it, not even the public one.
    pub fn id(&self) -> IdentityId {
        IdentityId::of(&self.public_keys())
    }

    /// The public keys. Anybody can encrypt to them.
    pub fn public_keys(&self) -> Vec<String> {
        self.recipients().iter().map(Recipient::public_key).collect()
    }

    pub(crate) fn keys(&self) -> impl Iterator<Item = &dyn age::Identity> {
        self.keys.iter().map(|key| match key {
            Key::X25519(key) => key as &dyn age::Identity,
            Key::Ssh(pair) => &pair.0,
        })
    }

    /// The public keys, to which secrets are encrypted.
    pub fn recipients(&self) -> Vec<Recipient> {
        let public = |key: &Key| match key {
            Key::X25519(key) => key.to_public().into(),
            Key::Ssh(pair) => pair.1.clone(),
        };
        self.keys.iter().map(public).collect()
    }

    /// Its public keys and those of others, each once.
    pub fn recipients_with(&self, others: &[Recipient]) -> Vec<Recipient> {
        let mut all = self.recipients();
        for other in others {
            if !all.contains(other) {
                all.push(other.clone());
            }
        }
        all
    }

    /// The text of the file, in the format of `age-keygen`.
    fn render(&self) -> Secret {
        let now = Timestamp::now();
        let now = now.round(Unit::Second).unwrap_or(now);
        let mut text = String::with_capacity(256);
        text += &format!("# created: {now}\n");
        // An SSH key is never written: `ssh-keygen` makes its file.
        let own = self.keys.iter().filter_map(|key| match key {
            Key::X25519(key) => Some(key),
            Key::Ssh(..) => None,
        });
        for key in own {
            text += &format!("# public key: {}\n", key.to_public());
            text += key.to_string().expose_secret();
            text += "\n";
        }
        Secret::new(text)
    }
}

/// Shows the public keys only.
impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Identity").field(&self.public_keys()).finish()
    }
}

/// Reads the file. Fails if another user can access it or owns it.
fn read_private(path: &Path) -> Result<Zeroizing<Vec<u8>>, IdentityError> {
    let failed = || FileError::new("read the identity file", path);
    let file = File::open(path).map_err(failed())?;
    // The metadata of the open file, because the path could name another file by now.
    let metadata = file.metadata().map_err(failed())?;
    let mode = metadata.mode() & 0o7777;
    if mode & 0o077 != 0 {
        return Err(IdentityError::Exposed { path: path.to_owned(), mode });
    }
    if metadata.uid() != rustix::process::geteuid().as_raw() {
        return Err(IdentityError::NotOwned { path: path.to_owned(), owner: metadata.uid() });
    }
    let size = usize::try_from(metadata.len().min(MAX_SIZE)).unwrap_or_default() + 1;
    let mut content = Zeroizing::new(Vec::with_capacity(size));
    file.take(MAX_SIZE).read_to_end(&mut content).map_err(failed())?;
    Ok(content)
}

fn is_encrypted(content: &[u8]) -> bool {
    content.starts_with(b"age-encryption.org/") || content.starts_with(b"-----BEGIN AGE ENCRYPTED FILE-----")
}

/// Parses the keys one by one, so that no error message can quote the file.
fn parse(path: &Path, content: &[u8], passphrase: Option<&Secret>) -> Result<Identity, IdentityError> {
    let malformed = |problem: String| IdentityError::Malformed { path: path.to_owned(), problem };
    let text = str::from_utf8(content).map_err(|_| malformed("it is not text".to_owned()))?;
    if text.starts_with("-----BEGIN ") {
        return parse_ssh(path, content, passphrase);
    }
    let mut keys = Vec::new();
    for (index, line) in text.lines().enumerate() {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let key = line.parse().map_err(|problem| malformed(format!("line {}: {problem}", index + 1)))?;
        keys.push(Key::X25519(key));
    }
    if keys.is_empty() { Err(malformed("it contains no key".to_owned())) } else { Ok(Identity { keys }) }
}

/// Parses the private key of SSH, and opens it if it has a passphrase.
fn parse_ssh(path: &Path, content: &[u8], passphrase: Option<&Secret>) -> Result<Identity, IdentityError> {
    let malformed = |problem: &str| IdentityError::Malformed { path: path.to_owned(), problem: problem.to_owned() };
    let key = ssh::Identity::from_buffer(content, None).map_err(|_| malformed("its SSH key is damaged"))?;
    let key = match (key, passphrase) {
        (ssh::Identity::Encrypted(_), None) => return Err(IdentityError::Locked { path: path.to_owned() }),
        (ssh::Identity::Encrypted(key), Some(passphrase)) => {
            let opened = key.decrypt(SecretString::from(passphrase.expose()));
            opened.map_err(|_| IdentityError::WrongPassphrase { path: path.to_owned() })?.into()
        }
        (ssh::Identity::Unsupported(_), _) => {
            return Err(malformed("its SSH key cannot decrypt: use an ssh-ed25519 or ssh-rsa key in OpenSSH's format"));
        }
        (key, _) => key,
    };
    let public = ssh::Recipient::try_from(key.clone()).map_err(|_| malformed("its SSH key is damaged"))?;
    Ok(Identity { keys: vec![Key::Ssh(Box::new((key, public.into())))] })
}

fn decrypt(path: &Path, content: &[u8], passphrase: &Secret) -> Result<Zeroizing<Vec<u8>>, IdentityError> {
    let malformed = || IdentityError::Malformed { path: path.to_owned(), problem: "its encryption is damaged".into() };
    let mut key = scrypt::Identity::new(SecretString::from(passphrase.expose()));
    key.set_max_work_factor(MAX_WORK_FACTOR);
    let decryptor = Decryptor::new_buffered(ArmoredReader::new(content)).map_err(|_| malformed())?;
    let mut reader = decryptor.decrypt(iter::once(&key as &dyn age::Identity)).map_err(|error| match error {
        DecryptError::DecryptionFailed => IdentityError::WrongPassphrase { path: path.to_owned() },
        _ => malformed(),
    })?;
    let mut plain = Zeroizing::new(Vec::with_capacity(content.len()));
    reader.read_to_end(&mut plain).map_err(|_| malformed())?;
    Ok(plain)
}

fn encrypt(text: &Secret, passphrase: &Secret, work_factor: u8) -> io::Result<Vec<u8>> {
    let mut recipient = scrypt::Recipient::new(SecretString::from(passphrase.expose()));
    recipient.set_work_factor(work_factor);
    let encryptor =
        Encryptor::with_recipients(iter::once(&recipient as &dyn age::Recipient)).map_err(io::Error::other)?;
    let mut content = Vec::new();
    let mut writer = encryptor.wrap_output(&mut content)?;
    writer.write_all(text.expose().as_bytes())?;
    writer.finish()?;
    Ok(content)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Enough for a test; real files get [`WORK_FACTOR`].
    const CHEAP: u8 = 2;

    fn generate_with(path: &Path, passphrase: Option<Secret>, work_factor: u8) -> Result<Identity, IdentityError> {
        let identity = Identity::create();
        identity.save_with(path, passphrase, work_factor).map(|()| identity)
    }

    #[test]
    fn a_passphrase_protects_the_file_and_opens_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("identity.age");
        let passphrase = Secret::new("correct horse canary staple");
        let made = generate_with(&path, Some(passphrase.clone()), CHEAP).unwrap();

        let content = std::fs::read(&path).unwrap();
        assert!(content.starts_with(b"age-encryption.org/v1\n-> scrypt "));
        assert!(!String::from_utf8_lossy(&content).contains(&made.public_keys()[0]));
        assert!(matches!(Identity::load(&path).unwrap_err(), IdentityError::Locked { .. }));
        assert_eq!(Identity::unlock(&path, &passphrase).unwrap().public_keys(), made.public_keys());

        let error = Identity::unlock(&path, &Secret::new("wrong canary")).unwrap_err();
        assert!(matches!(error, IdentityError::WrongPassphrase { .. }), "{error:?}");
        assert!(!format!("{error} {error:?}").contains("canary"));
    }

    #[test]
    fn an_armored_file_can_be_unlocked() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("identity.age");
        let passphrase = Secret::new("p");
        let made = generate_with(&path, Some(passphrase.clone()), CHEAP).unwrap();
        let binary = std::fs::read(&path).unwrap();
        let mut armored = Vec::new();
        let mut writer = age::armor::ArmoredWriter::wrap_output(&mut armored, age::armor::Format::AsciiArmor).unwrap();
        writer.write_all(&binary).unwrap();
        writer.finish().unwrap();
        // Overwrites the existing file, which keeps its mode.
        std::fs::write(&path, armored).unwrap();
        assert!(matches!(Identity::load(&path).unwrap_err(), IdentityError::Locked { .. }));
        assert_eq!(Identity::unlock(&path, &passphrase).unwrap().public_keys(), made.public_keys());
    }

    #[test]
    fn a_damaged_encrypted_file_is_not_reported_as_a_wrong_passphrase() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("identity.age");
        let passphrase = Secret::new("p");
        generate_with(&path, Some(passphrase.clone()), CHEAP).unwrap();
        let mut content = std::fs::read(&path).unwrap();
        *content.last_mut().unwrap() ^= 1;
        std::fs::write(&path, &content).unwrap();
        let error = Identity::unlock(&path, &passphrase).unwrap_err();
        assert!(error.to_string().ends_with("its encryption is damaged"), "{error}");
        std::fs::write(&path, &content[..30]).unwrap();
        assert!(matches!(Identity::unlock(&path, &passphrase).unwrap_err(), IdentityError::Malformed { .. }));
    }
}
