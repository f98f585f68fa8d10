//! The throw-away certificate authority and the one server certificate for all virtual hosts.

use std::io;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose, date_time_ymd};
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::PrivateKeyDer;
use tokio_rustls::TlsAcceptor;

use crate::config::Certificate;

/// Makes an authority that exists as long as the simulator, and an acceptor with a certificate that it signed. Drops the
/// key of the authority at once, and returns its certificate as PEM for clients to trust.
pub(crate) fn issue(certificate: Certificate) -> io::Result<(String, TlsAcceptor)> {
    build(certificate).map_err(io::Error::other)
}

fn build(certificate: Certificate) -> Result<(String, TlsAcceptor), Box<dyn std::error::Error + Send + Sync>> {
    let mut authority = CertificateParams::default();
    authority.distinguished_name.push(DnType::CommonName, "flowswap simulator (throw-away)");
    authority.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    authority.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let authority_key = KeyPair::generate()?;
    let ca_pem = authority.self_signed(&authority_key)?.pem();
    let issuer = Issuer::new(authority, authority_key);

    let names = ["*.okta.test", "*.cie.test", "*.sim.test", "localhost", "127.0.0.1"];
    let mut server = CertificateParams::new(names.map(str::to_owned).to_vec())?;
    let server_key = KeyPair::generate()?;
    if certificate == Certificate::Expired {
        (server.not_before, server.not_after) = (date_time_ymd(2020, 1, 1), date_time_ymd(2021, 1, 1));
    }
    let certificate = match certificate {
        Certificate::Good | Certificate::Expired => server.signed_by(&server_key, &issuer)?,
        Certificate::SelfSigned => server.self_signed(&server_key)?,
    };

    // Name the provider, so that a program that embeds the simulator need not install a process-wide default.
    let key = PrivateKeyDer::Pkcs8(server_key.serialize_der().into());
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok((ca_pem, TlsAcceptor::from(Arc::new(config))))
}
