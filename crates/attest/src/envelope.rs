//! DSSE envelopes: the bytes that were signed, and the signatures, in one JSON file.
//!
//! The format is that of the Dead Simple Signing Envelope, version 1 (secure-systems-lab/dsse, `envelope.md` and
//! `protocol.md`).

use base16ct::lower::encode_string as hex;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// What people signed, and their signatures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Envelope {
    /// The media type of the payload.
    pub payload_type: String,
    /// The bytes that were signed, together with their type.
    pub payload: Vec<u8>,
    /// At least one.
    pub signatures: Vec<Signature>,
}

/// One signature of an envelope.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signature {
    /// The fingerprint of the key, for a reader. Nothing relies on it.
    pub key_id: String,
    /// An SSH signature without its armor (`PROTOCOL.sshsig` of OpenSSH).
    pub signature: Vec<u8>,
}

/// Why a text is not an envelope.
#[derive(Debug, thiserror::Error)]
pub enum EnvelopeError {
    /// It is not the JSON of an envelope.
    #[error("the file is not a DSSE envelope")]
    Malformed(#[source] serde_json::Error),
    /// A member that must be Base64 is not.
    #[error("`{0}` is not Base64")]
    NotBase64(&'static str),
    /// It has no signature.
    #[error("nobody signed it")]
    Unsigned,
    /// It has too many signatures.
    #[error("it has more than {MAX_SIGNATURES} signatures")]
    Crowded,
}

/// The most signatures of an envelope.
const MAX_SIGNATURES: usize = 16;

/// The JSON of an envelope.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Written {
    payload_type: String,
    payload: String,
    signatures: Vec<WrittenSignature>,
}

#[derive(Serialize, Deserialize)]
struct WrittenSignature {
    #[serde(default)]
    keyid: String,
    sig: String,
}

impl Envelope {
    /// Reads the JSON of an envelope. Checks no signature.
    ///
    /// # Errors
    ///
    /// If it is no envelope, or has no signature.
    pub fn read(text: &str) -> Result<Self, EnvelopeError> {
        let written: Written = serde_json::from_str(text).map_err(EnvelopeError::Malformed)?;
        let decode = |member, text: &str| STANDARD.decode(text).map_err(|_| EnvelopeError::NotBase64(member));
        let signature = |WrittenSignature { keyid, sig }| {
            Ok(Signature { key_id: keyid, signature: decode("signatures.sig", &sig)? })
        };
        if written.signatures.is_empty() {
            return Err(EnvelopeError::Unsigned);
        }
        if written.signatures.len() > MAX_SIGNATURES {
            return Err(EnvelopeError::Crowded);
        }
        Ok(Self {
            payload: decode("payload", &written.payload)?,
            payload_type: written.payload_type,
            signatures: written.signatures.into_iter().map(signature).collect::<Result<_, EnvelopeError>>()?,
        })
    }

    /// The JSON of the envelope, with a final line break.
    pub fn render(&self) -> String {
        let signature = |Signature { key_id, signature }: &Signature| WrittenSignature {
            keyid: key_id.clone(),
            sig: STANDARD.encode(signature),
        };
        let written = Written {
            payload_type: self.payload_type.clone(),
            payload: STANDARD.encode(&self.payload),
            signatures: self.signatures.iter().map(signature).collect(),
        };
        // Strings and lists of strings always become JSON.
        serde_json::to_string(&written).unwrap_or_default() + "\n"
    }

    /// SHA-256 of what was signed and of the signatures, hexadecimal. It does not depend on how the JSON is written.
    pub fn digest(&self) -> String {
        hex(&Sha256::digest(self.render()))
    }

    /// The bytes that are signed: the type and the payload, each with its length (DSSE calls this PAE).
    pub fn signed_bytes(&self) -> Vec<u8> {
        signed_bytes(&self.payload_type, &self.payload)
    }
}

/// The bytes that are signed for a payload of this type.
pub(crate) fn signed_bytes(payload_type: &str, payload: &[u8]) -> Vec<u8> {
    let mut bytes = format!("DSSEv1 {} {payload_type} {} ", payload_type.len(), payload.len()).into_bytes();
    bytes.extend_from_slice(payload);
    bytes
}

#[cfg(test)]
mod tests {
    use super::signed_bytes;

    /// The example of DSSE's `protocol.md`.
    #[test]
    fn the_signed_bytes_are_those_of_the_specification() {
        let bytes = signed_bytes("http://example.com/HelloWorld", b"hello world");
        assert_eq!(String::from_utf8(bytes).unwrap(), "DSSEv1 29 http://example.com/HelloWorld 11 hello world");
    }
}
