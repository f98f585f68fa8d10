//! Reads certificates that are trusted in addition to those of the system, and finds out what is wrong with a file without
//! any. Never shows the file's content, because people sometimes name the wrong file.

use std::fmt;

use rustls::{
    RootCertStore,
    pki_types::{CertificateDer, pem::PemObject},
};

const BEGIN: &str = "-----BEGIN CERTIFICATE-----";

/// What is wrong with the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CaProblem {
    /// The file is empty.
    Empty,
    /// It has a private key, and no certificate.
    PrivateKey,
    /// It has a certificate in one line.
    NoLineBreaks,
    /// It has a certificate in binary form.
    Der,
    /// It has something else.
    NoCertificate,
    /// The certificate of this number, counted from one, is damaged.
    Damaged(usize),
}

impl CaProblem {
    /// What the operator can do about it.
    pub(crate) fn hint(self) -> &'static str {
        match self {
            Self::Empty | Self::NoCertificate => {
                "name a file in PEM format, which starts with the line `-----BEGIN CERTIFICATE-----`"
            }
            Self::PrivateKey => "name the file with the CA's certificate; flowswap does not need the key",
            Self::NoLineBreaks => {
                "put `-----BEGIN CERTIFICATE-----`, every 64 characters, and `-----END CERTIFICATE-----` on separate lines. \
                 Shell variables lose line breaks, so write the file with `printf '%b'`, or quote the variable"
            }
            Self::Der => "convert it to PEM: openssl x509 -inform der -in FILE -out ca.pem",
            Self::Damaged(_) => "export it again, or inspect it: openssl x509 -in FILE -noout -text",
        }
    }
}

impl fmt::Display for CaProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("is empty"),
            Self::PrivateKey => f.write_str("contains a private key, but no certificate"),
            Self::NoLineBreaks => f.write_str("contains a certificate that has lost its line breaks"),
            Self::Der => f.write_str("contains a certificate in DER format; expected PEM"),
            Self::NoCertificate => f.write_str("does not contain a certificate in PEM format"),
            Self::Damaged(number) => write!(f, "contains a damaged certificate (number {number})"),
        }
    }
}

/// Also adds each certificate to a root store. The TLS library would do that later, when it can no longer name the file.
pub(crate) fn parse(bytes: &[u8]) -> Result<Vec<CertificateDer<'static>>, CaProblem> {
    let mut roots = Vec::new();
    for (number, certificate) in (1..).zip(CertificateDer::pem_slice_iter(bytes)) {
        let damaged = || diagnose(bytes).unwrap_or(CaProblem::Damaged(number));
        let certificate = certificate.map_err(|_| damaged())?;
        RootCertStore::empty().add(certificate.clone()).map_err(|_| damaged())?;
        roots.push(certificate);
    }
    if roots.is_empty() { Err(diagnose(bytes).unwrap_or(CaProblem::NoCertificate)) } else { Ok(roots) }
}

/// What exactly is wrong with bytes without a certificate, if that can be recognized.
fn diagnose(bytes: &[u8]) -> Option<CaProblem> {
    if bytes.trim_ascii().is_empty() {
        return Some(CaProblem::Empty);
    }
    // DER starts with an ASN.1 sequence, here of more than 255 bytes.
    if bytes.starts_with(&[0x30, 0x82]) {
        return Some(CaProblem::Der);
    }
    let text = String::from_utf8_lossy(bytes);
    if let Some(at) = text.find(BEGIN) {
        let before = text.get(..at).unwrap_or_default();
        let after = text.get(at + BEGIN.len()..).unwrap_or_default();
        let alone = before.chars().next_back().is_none_or(|c| c == '\n' || c == '\r')
            && after.trim_start_matches([' ', '\t']).starts_with(['\n', '\r']);
        // Lines of 64 characters were joined.
        let long = after.lines().any(|line| line.len() > 512);
        return (!alone || long).then_some(CaProblem::NoLineBreaks);
    }
    text.contains("PRIVATE KEY-----").then_some(CaProblem::PrivateKey)
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, KeyPair};

    use super::*;
    use crate::transport::{NetworkError, read_ca_file};

    #[test]
    fn the_problem_is_shown_and_the_content_is_not() {
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new(["a.test".to_owned()]).unwrap().self_signed(&key).unwrap();
        let pem = certificate.pem();
        let middle = pem.lines().nth(3).unwrap().to_owned();
        let escaped = pem.replace('\n', "\\n");
        let spaced = pem.replace('\n', " ");
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
            let dir = crate::testing::folder();
            let path = dir.path().join("ca.pem");
            std::fs::write(&path, bytes).unwrap();
            let got = read_ca_file(&path);
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
