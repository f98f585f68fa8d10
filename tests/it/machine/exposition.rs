//! A strict reader of the text format of Prometheus, version 0.0.4: what flowswap writes must be understood without leniency.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

/// The samples of a file by name and labels, such as `state{tenant="acme"}`.
pub(crate) type Samples = BTreeMap<String, f64>;

/// Reads a file of metrics. Every metric has its meaning, its type, and then all of its samples, each only once.
#[track_caller]
pub(crate) fn read(path: &Path) -> Samples {
    parse(&fs::read_to_string(path).unwrap())
}

#[track_caller]
fn parse(text: &str) -> Samples {
    assert!(text.ends_with('\n'), "the last line has no end");
    let (mut samples, mut families) = (Samples::new(), BTreeSet::new());
    let mut lines = text.lines().peekable();
    while let Some(help) = lines.next() {
        let (family, meaning) = help.strip_prefix("# HELP ").and_then(|rest| rest.split_once(' ')).expect(help);
        assert!(is_name(family) && meaning.ends_with('.') && !meaning.contains('\\'), "{help}");
        assert!(families.insert(family.to_owned()), "{family} has two groups");
        let kind = lines.next().and_then(|line| line.strip_prefix(&format!("# TYPE {family} "))).unwrap();
        assert!(["gauge", "counter"].contains(&kind) && (kind == "counter") == family.ends_with("_total"), "{kind}");
        assert!(lines.peek().is_some_and(|line| !line.starts_with('#')), "{family} has no sample");
        while let Some(line) = lines.next_if(|line| !line.starts_with('#')) {
            let rest = line.strip_prefix(family).expect(line);
            let (labels, value) = read_labels(rest);
            let value: f64 = value.strip_prefix(' ').and_then(|value| value.parse().ok()).expect(line);
            assert!(value.is_finite(), "{line}");
            let series = format!("{family}{{{}}}", labels.join(","));
            assert!(samples.insert(series, value).is_none(), "twice: {line}");
        }
    }
    samples
}

/// The labels at the beginning of a text, as they are written, and the rest.
fn read_labels(text: &str) -> (Vec<String>, &str) {
    let Some(mut rest) = text.strip_prefix('{') else { return (Vec::new(), text) };
    let mut labels = Vec::new();
    loop {
        let (name, quoted) = rest.split_once("=\"").unwrap();
        assert!(is_name(name), "{name}");
        let (mut end, mut characters) = (None, quoted.char_indices());
        while let Some((at, character)) = characters.next() {
            match character {
                '"' => {
                    end = Some(at);
                    break;
                }
                '\\' => assert!(matches!(characters.next(), Some((_, '\\' | '"' | 'n'))), "{text}"),
                _ => {}
            }
        }
        let (value, after) = quoted.split_at(end.expect(text));
        labels.push(format!("{name}=\"{value}\""));
        match after[1..].split_at(1) {
            (",", next) => rest = next,
            ("}", next) => return (labels, next),
            _ => panic!("{text}"),
        }
    }
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_lowercase() || c == '_')
}
