//! The forms in which a server may repeat a secret. Pure.

use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD},
};
use serde_json::Value;
use zeroize::Zeroizing;

use crate::splice::encode_sparingly;

/// The secret in every encoding of the whole that flowswap recognizes, in lower case: a search in a text in lower case then
/// finds all of them. Escapes of single characters are decoded before the search. No form occurs twice. The forms of the
/// beginning of a secret are beginnings of its forms.
pub(crate) fn forms_of(secret: &str) -> Vec<Zeroizing<String>> {
    let mut forms = vec![secret.to_owned(), secret.replace(' ', "+")];
    // What flowswap sends: in a body of JSON, in a form, and in HTTP Basic. For most secrets they are the same.
    let quoted = Zeroizing::new(Value::from(secret).to_string());
    let json = quoted.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or(&quoted).to_owned();
    let form = form_urlencoded::byte_serialize(secret.as_bytes()).collect();
    let mut sent = [secret.to_owned(), json, form, encode_sparingly(secret)].map(Zeroizing::new).to_vec();
    sent.dedup();
    for text in &sent {
        forms.extend(["", ":", " ", "-"].map(|between| each_byte(text, between)));
        forms.extend((0..3).flat_map(|at| base64_after(text, at)));
    }
    for form in &mut forms {
        form.make_ascii_lowercase();
    }
    let mut different: Vec<Zeroizing<String>> = Vec::new();
    for form in forms.into_iter().map(Zeroizing::new) {
        if !different.contains(&form) {
            different.push(form);
        }
    }
    different
}

/// The secret from its last character to its first, in lower case.
pub(crate) fn backwards(secret: &str) -> Zeroizing<String> {
    Zeroizing::new(secret.chars().rev().collect::<String>().to_ascii_lowercase())
}

/// The part of base64 that depends only on the secret, if `before` bytes come before it in a group of three. So it is found
/// within a longer text that was encoded as a whole, such as `user:secret`.
fn base64_after(secret: &str, before: usize) -> [String; 2] {
    let mut bytes = Zeroizing::new(vec![0; before]);
    bytes.extend(secret.as_bytes());
    // Each character holds six bits. Those at the ends may also hold bits of the neighbors.
    let (first, last) = ((before * 8).div_ceil(6), bytes.len() * 8 / 6);
    [STANDARD_NO_PAD.encode(&*bytes), URL_SAFE_NO_PAD.encode(&*bytes)]
        .map(|text| text.get(first..last).unwrap_or_default().to_owned())
}

/// The bytes in hexadecimal, with something between them.
fn each_byte(secret: &str, between: &str) -> String {
    let mut form = String::with_capacity(secret.len() * (2 + between.len()));
    for byte in secret.bytes() {
        if !form.is_empty() {
            form.push_str(between);
        }
        form.extend([byte >> 4, byte & 15].map(|digit| char::from_digit(digit.into(), 16).unwrap_or_default()));
    }
    form
}
