//! The forms in which a server may repeat a secret. Pure.

use std::{
    fmt::{self, Write},
    iter,
};

use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD},
};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;
use zeroize::Zeroizing;

use crate::splice::{encode_sparingly, form_encode};

/// All characters but the unreserved ones of RFC 3986 §2.3.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// What `encodeURIComponent` of JavaScript escapes (ECMAScript §19.2.6.4).
const OF_COMPONENT: &AsciiSet = &RESERVED.remove(b'!').remove(b'\'').remove(b'(').remove(b')').remove(b'*');

/// The secret in every encoding that flowswap recognizes, in lower case: a search in a text in lower case then finds all
/// of them in any case, such as `%2F` and `%2f`. No form occurs twice. The forms of the beginning of a secret are beginnings
/// of its forms.
pub(crate) fn forms_of(secret: &str) -> Vec<Zeroizing<String>> {
    let percent = utf8_percent_encode(secret, RESERVED).to_string();
    let percent_all = utf8_percent_encode(secret, NON_ALPHANUMERIC).to_string();
    let quoted = Value::from(secret).to_string();
    let json = quoted.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or(&quoted).to_owned();
    let sparing = encode_sparingly(secret);
    let component = utf8_percent_encode(secret, OF_COMPONENT).to_string();
    // Go writes these three as codes in every JSON text.
    let go = ["&\\u0026", "<\\u003c", ">\\u003e"]
        .iter()
        .fold(json.clone(), |json, pair| json.replace(&pair[..1], &pair[1..]));
    let mut forms = vec![
        secret.to_owned(),
        form_encode(secret),
        component.replace('%', "%25"),
        component,
        go,
        percent.replace('%', "%25"),
        percent,
        percent_all.replace('%', "%25"),
        percent_all,
        // Some languages write `\/`.
        json.replace('/', "\\/"),
        json,
        html(secret, "\"", "'"),
        html(secret, "&quot;", "'"),
        html(secret, "&quot;", "&#39;"),
        html(secret, "&quot;", "&#x27;"),
        html(secret, "&#34;", "&#39;"),
        each_byte(secret, "%", ""),
        each_byte(secret, "%25", ""),
        each_byte(secret, "\\x", ""),
        each_byte(secret, "", ""),
        each_byte(secret, "", ":").trim_end_matches(':').to_owned(),
        each_byte(secret, "", " ").trim_end().to_owned(),
        each_byte(secret, "", "-").trim_end_matches('-').to_owned(),
        each_unit(secret),
    ];
    for spare in [char::is_ascii_alphanumeric as fn(&char) -> bool, |_| false] {
        forms.push(each_char(secret, spare, |form, c| write!(form, "&#{c};")));
        forms.push(each_char(secret, spare, |form, c| write!(form, "&#x{c:x};")));
    }
    // In HTTP Basic, the secret is within base64, in one of two forms that rarely differ.
    for text in iter::once(secret).chain(Some(sparing.as_str()).filter(|sparing| *sparing != secret)) {
        forms.extend((0..3).flat_map(|at| base64_after(text, at)));
    }
    forms.push(sparing);
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

fn each_byte(secret: &str, before: &str, after: &str) -> String {
    let mut form = String::with_capacity(secret.len() * (before.len() + 2 + after.len()));
    for byte in secret.bytes() {
        form.push_str(before);
        push_hex(&mut form, byte);
        form.push_str(after);
    }
    form
}

/// Writes each UTF-16 code unit as JSON escapes it.
fn each_unit(secret: &str) -> String {
    let mut form = String::with_capacity(secret.len() * 6);
    for byte in secret.encode_utf16().map(u16::to_be_bytes) {
        form.push_str("\\u");
        byte.into_iter().for_each(|byte| push_hex(&mut form, byte));
    }
    form
}

fn push_hex(form: &mut String, byte: u8) {
    form.extend([byte >> 4, byte & 15].map(|digit| char::from_digit(digit.into(), 16).unwrap_or_default()));
}

/// Writes the code of each character, except of those to spare.
fn each_char(secret: &str, spare: fn(&char) -> bool, write: fn(&mut String, u32) -> fmt::Result) -> String {
    let mut form = String::with_capacity(secret.len() * 6);
    for c in secret.chars() {
        if spare(&c) {
            form.push(c);
        } else {
            // A `String` takes everything.
            let _ = write(&mut form, c.into());
        }
    }
    form
}

/// The characters that HTML must escape (HTML §13.3). Within an attribute, that includes quotes, which libraries write in
/// different ways.
fn html(secret: &str, quote: &str, apostrophe: &str) -> String {
    let text = secret.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    text.replace('"', quote).replace('\'', apostrophe)
}
