//! The small parts: templates, suggestions, masks.

use crate::{
    mask::{is_secret_key, is_variable_name, mask_lines},
    source::mask_span,
    suggest::suggest,
    template::{Fields, fill, parse},
};

#[test]
fn templates_are_filled() {
    let fields: Fields =
        [("name", "acme"), ("a.b", "dotted"), ("région", "sud")].map(|(k, v)| (k.to_owned(), v.to_owned())).into();
    for (text, filled) in [
        ("", ""),
        ("plain", "plain"),
        ("{name}", "acme"),
        ("x{name}y{name}", "xacmeyacme"),
        ("{a.b} {région}", "dotted sud"),
        ("{{name}}", "{name}"),
        ("{{{name}}}", "{acme}"),
        ("}}{{", "}{"),
        ("é{name}é", "éacmeé"),
    ] {
        assert_eq!(fill(text, &fields), (filled.to_owned(), vec![]), "{text}");
        assert_eq!(parse(text).stray_brace, None, "{text}");
    }
    for (text, stray) in
        [("{", 0), ("a}", 1), ("{}", 0), ("{a b}", 0), ("{name", 0), ("{{}", 2), ("é{ {name}", 2), ("{name}}", 6)]
    {
        assert_eq!(parse(text).stray_brace, Some(stray), "{text}");
    }
    assert_eq!(fill("{name}/{other}", &fields).1, [("other".to_owned(), 7..14)]);
}

#[test]
fn suggestions_name_the_nearest_word() {
    let known = ["concurrency", "max_failures", "path"];
    for (word, help) in [
        ("concurency", "did you mean `concurrency`?"),
        ("Concurrency", "did you mean `concurrency`?"),
        ("maxfailures", "did you mean `max_failures`?"),
        ("paht", "did you mean `path`?"),
        ("pa", "use one of `concurrency`, `max_failures`, `path`"),
        ("", "use one of `concurrency`, `max_failures`, `path`"),
    ] {
        assert_eq!(suggest(word, known), help, "{word}");
    }
    assert_eq!(suggest("a", []), "remove it");
}

#[test]
fn keys_of_secrets_are_recognized() {
    for key in
        ["credential", "token", "secret", "api_token", "client_secret", "password", "adminPassword", "a.b.api_token"]
    {
        assert!(is_secret_key(key), "{key}");
    }
    for key in ["tokens", "token_url", "credentials_file", "secretary", "name", "credential.file", ""] {
        assert!(!is_secret_key(key), "{key}");
    }
    for (name, is_name) in
        [("A_1", true), ("_a", true), ("A-b.c", true), ("0A", false), ("", false), ("A B", false), ("A=b", false)]
    {
        assert_eq!(is_variable_name(name), is_name, "{name}");
    }
}

#[test]
fn masks_keep_the_length() {
    for (text, masked) in [("\"abc\"", "\"***\""), ("'é\nx'", "'**\n*'"), ("7", "*"), ("\"", "*"), ("", "")] {
        let mut shown = text.to_owned();
        mask_span(&mut shown, 0..text.len());
        assert_eq!(shown, masked);
    }
    for (text, masked) in [
        ("a = \"x\"\ncredential = \"abc\n", "a = \"x\"\ncredential = ****\n"),
        ("p = { a = 1, api_token = abc }", "p = { a = 1, api_token = *****"),
        ("credential = { file = \"x\" }", "credential = { file = \"x\" }"),
        ("credential.file = abc", "credential.file = ***"),
        ("x = 1, credential = { env = 0abc }", "x = 1, credential = { env = ******"),
        ("credential = { env = \"ABC }", "credential = { env = \"ABC }"),
        ("tokens = 3", "tokens = 3"),
    ] {
        let mut shown = text.to_owned();
        mask_lines(&mut shown);
        assert_eq!(shown, masked);
    }
}
