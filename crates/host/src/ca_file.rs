//! Reads the file of certificates that are trusted besides those of the system, and says what is wrong with one that
//! does not hold any. Never shows what stands in the file: people name the wrong one.

use std::{fmt, path::Path};

use reqwest::Certificate;
use rustls::{
    RootCertStore,
    pki_types::{CertificateDer, pem::PemObject},
};

use crate::transport::NetworkError;

const BEGIN: &str = "-----BEGIN CERTIFICATE-----";

/// What is wrong with the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CaProblem {
    /// There is nothing in it.
    Empty,
    /// A private key, and no certificate.
    PrivateKey,
    /// A certificate in one line.
    NoLineBreaks,
    /// A certificate in binary form.
    Der,
    /// Something else.
    NoCertificate,
    /// The certificate of this number, counted from one, is damaged.
    Damaged(usize),
}

impl CaProblem {
    /// What the operator can do about it.
    pub(crate) fn hint(self) -> &'static str {
        match self {
            Self::Empty | Self::NoCertificate => {
                "a certificate in PEM form starts with a line `-----BEGIN CERTIFICATE-----`"
            }
            Self::PrivateKey => "name the file with the certificate of the CA; flowswap has no use for its key",
            Self::NoLineBreaks => {
                "`-----BEGIN CERTIFICATE-----`, every 64 characters and `-----END CERTIFICATE-----` stand in lines of their \
                 own; they get lost where a certificate is kept in a variable: write it with `printf '%b'`, or in quotes"
            }
            Self::Der => "turn it into PEM form: openssl x509 -inform der -in FILE -out ca.pem",
            Self::Damaged(_) => "export it again, or look at it: openssl x509 -in FILE -noout -text",
        }
    }
}

impl fmt::Display for CaProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("is empty"),
            Self::PrivateKey => f.write_str("holds a private key and no certificate"),
            Self::NoLineBreaks => f.write_str("holds a certificate that has lost its line breaks"),
            Self::Der => f.write_str("holds a certificate in DER form, and not in PEM form"),
            Self::NoCertificate => f.write_str("does not hold a certificate in PEM form"),
            Self::Damaged(number) => write!(f, "holds a certificate that is damaged (number {number})"),
        }
    }
}

/// The certificates in the file.
pub(crate) fn read(path: &Path) -> Result<Vec<Certificate>, NetworkError> {
    let bytes = std::fs::read(path).map_err(|source| NetworkError::CaFile { path: path.to_owned(), source })?;
    parse(&bytes).map_err(|problem| NetworkError::CaContent { path: path.to_owned(), problem })
}

/// Also tries each certificate as a root, because reqwest would only do so when it no longer knows the file.
fn parse(bytes: &[u8]) -> Result<Vec<Certificate>, CaProblem> {
    let mut roots = Vec::new();
    for (number, certificate) in (1..).zip(CertificateDer::pem_slice_iter(bytes)) {
        let damaged = || diagnose(bytes).unwrap_or(CaProblem::Damaged(number));
        let certificate = certificate.map_err(|_| damaged())?;
        roots.push(Certificate::from_der(&certificate).map_err(|_| damaged())?);
        RootCertStore::empty().add(certificate).map_err(|_| damaged())?;
    }
    match roots.is_empty() {
        true => Err(diagnose(bytes).unwrap_or(CaProblem::NoCertificate)),
        false => Ok(roots),
    }
}

/// What is wrong with bytes that hold no certificate, where there is more to say.
fn diagnose(bytes: &[u8]) -> Option<CaProblem> {
    if bytes.trim_ascii().is_empty() {
        return Some(CaProblem::Empty);
    }
    // An ASN.1 sequence of more than 255 bytes.
    if bytes.starts_with(&[0x30, 0x82]) {
        return Some(CaProblem::Der);
    }
    let text = String::from_utf8_lossy(bytes);
    if let Some(at) = text.find(BEGIN) {
        let before = text.get(..at).unwrap_or_default();
        let after = text.get(at + BEGIN.len()..).unwrap_or_default();
        let alone = before.chars().next_back().is_none_or(|c| c == '\n' || c == '\r')
            && after.trim_start_matches([' ', '\t']).starts_with(['\n', '\r']);
        // What stood in lines of 64 characters stands in one.
        let long = after.lines().any(|line| line.len() > 512);
        return (!alone || long).then_some(CaProblem::NoLineBreaks);
    }
    text.contains("PRIVATE KEY-----").then_some(CaProblem::PrivateKey)
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, KeyPair};

    use super::*;

    #[test]
    fn what_is_wrong_is_said_and_what_stands_there_is_not() {
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new(["a.test".to_owned()]).unwrap().self_signed(&key).unwrap();
        let pem = certificate.pem();
        let middle = pem.lines().nth(3).unwrap().to_owned();
        let (escaped, spaced) = (pem.replace('\n', "\\n"), pem.replace('\n', " "));
        let joined = pem.lines().filter(|line| !line.starts_with("--")).collect::<String>();
        let one_line = format!("{BEGIN}\n{}\n-----END CERTIFICATE-----\n", joined.repeat(2));
        let cut = pem.split_at(pem.len() / 2).0.to_owned();
        let twice = format!("{pem}{cut}");
        for (bytes, expect) in [
            (pem.as_bytes(), Ok(1)),
            (format!("a comment\n{pem}{pem}").as_bytes(), Ok(2)),
            (pem.replace('\n', "\r\n").as_bytes(), Ok(1)),
            (b"", Err(CaProblem::Empty)),
            (b" \n\n", Err(CaProblem::Empty)),
            (key.serialize_pem().as_bytes(), Err(CaProblem::PrivateKey)),
            (certificate.der().as_ref(), Err(CaProblem::Der)),
            (escaped.as_bytes(), Err(CaProblem::NoLineBreaks)),
            (spaced.as_bytes(), Err(CaProblem::NoLineBreaks)),
            (one_line.as_bytes(), Err(CaProblem::NoLineBreaks)),
            (b"<html>hunter2</html>", Err(CaProblem::NoCertificate)),
            (pem.replace(&middle, "%%%hunter2%%%").as_bytes(), Err(CaProblem::Damaged(1))),
            (pem.replace(&middle, "").as_bytes(), Err(CaProblem::Damaged(1))),
            (twice.as_bytes(), Err(CaProblem::Damaged(2))),
        ] {
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join("ca.pem");
            std::fs::write(&path, bytes).unwrap();
            let got = read(&path);
            let shown = String::from_utf8_lossy(bytes).into_owned();
            match (got, expect) {
                (Ok(roots), Ok(count)) => assert_eq!(roots.len(), count, "{shown}"),
                (Err(error), Err(expect)) => {
                    let NetworkError::CaContent { problem, .. } = &error else { panic!("{error:?}") };
                    assert_eq!(*problem, expect, "{shown}");
                    assert!(error.hint().is_some());
                    let said = format!("{error} {error:?} {}", crate::chain(&error));
                    assert!(!said.contains("hunter2") && !said.contains(&middle), "{said}");
                }
                (got, expect) => panic!("{got:?} instead of {expect:?} for {shown}"),
            }
        }
    }
}
