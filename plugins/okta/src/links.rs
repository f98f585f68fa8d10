//! Reads the next page from the `Link` header (RFC 8288 §3). An unreadable header is an error: otherwise flowswap would stop at this
//! page and consider everything on later pages gone.

/// Finds the target of the link with the relation `next` in all header lines. The error is the line that is unreadable.
pub(crate) fn find_next<'a>(lines: impl Iterator<Item = &'a str>) -> Result<Option<&'a str>, String> {
    let mut next = None;
    for line in lines {
        for link in read(line).ok_or_else(|| line.to_owned())? {
            if link.is_next && next.replace(link.target).is_some_and(|other| other != link.target) {
                return Err(line.to_owned());
            }
        }
    }
    Ok(next)
}

struct Link<'a> {
    target: &'a str,
    is_next: bool,
}

fn read(line: &str) -> Option<Vec<Link<'_>>> {
    let mut links = Vec::new();
    let mut rest = line.trim();
    while !rest.is_empty() {
        let (target, after) = rest.strip_prefix('<')?.split_once('>')?;
        let (is_next, after) = read_parameters(after.trim_start())?;
        links.push(Link { target, is_next });
        // Skips the comma between two links, and empty list elements (RFC 9110 §5.6.1).
        rest = after.trim_start_matches(|c: char| c == ',' || c.is_ascii_whitespace());
    }
    Some(links)
}

/// Reads the parameters of one link: whether its relations include `next`, and the rest of the text.
fn read_parameters(text: &str) -> Option<(bool, &str)> {
    let mut relations = None;
    let mut rest = text;
    while let Some(after) = rest.strip_prefix(';') {
        let after = after.trim_start();
        let end = after.find(|c: char| "=;,".contains(c) || c.is_ascii_whitespace()).unwrap_or(after.len());
        let (name, after) = after.split_at(end);
        let after = after.trim_start();
        let (value, after) = match after.strip_prefix('=') {
            Some(value) => read_value(value.trim_start())?,
            None => (String::new(), after),
        };
        // Only the first `rel` counts (RFC 8288 §3.3).
        if name.eq_ignore_ascii_case("rel") {
            relations.get_or_insert(value);
        }
        rest = after.trim_start();
    }
    if !rest.is_empty() && !rest.starts_with(',') {
        return None;
    }
    let is_next = relations?.split_ascii_whitespace().any(|relation| relation.eq_ignore_ascii_case("next"));
    Some((is_next, rest))
}

/// Reads a token, or a quoted string with its escapes (RFC 9110 §5.6.4), and returns the rest of the text.
fn read_value(text: &str) -> Option<(String, &str)> {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find(|c: char| ";,".contains(c) || c.is_ascii_whitespace()).unwrap_or(text.len());
        return (end > 0).then(|| (text[..end].to_owned(), &text[end..]));
    };
    let mut value = String::new();
    let mut chars = quoted.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Some((value, &quoted[at + 1..])),
            '\\' => value.push(chars.next()?.1),
            other => value.push(other),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use fastrand::Rng;

    use super::*;

    #[test]
    fn every_form_of_the_header_is_read_or_refused() {
        let next = |target: &'static str| Ok(Some(target));
        let refused = |line: &str| Err(line.to_owned());
        type Case = (&'static [&'static str], Result<Option<&'static str>, String>);
        let table: [Case; 20] = [
            (
                &[r#"<https://x/a?l=2>; rel="self""#, r#"<https://x/a?after=q>; rel="next""#],
                next("https://x/a?after=q"),
            ),
            (&[r#"<https://x/a>; rel="self", <https://x/b?q=1,2>; rel="next""#], next("https://x/b?q=1,2")),
            (&[r#"<https://x/b>; rel="next", <https://x/a>; rel="self""#], next("https://x/b")),
            (&[r#"<https://x/b>; title="t"; rel=next"#], next("https://x/b")),
            (&[r#"<https://x/b>; Rel="next""#], next("https://x/b")),
            (&[r#"<https://x/b>; rel="Next""#], next("https://x/b")),
            (&[r#"<https://x/b>; rel = "next""#], next("https://x/b")),
            (&[r#"<https://x/b>;rel="next last""#], next("https://x/b")),
            (
                &[r#"<https://x/a>; rel="self", <https://x/b?1,2;3>; title="a, b; \"c"; rel=next"#],
                next("https://x/b?1,2;3"),
            ),
            (&[r#"<https://x/b>; rel="next" ,, "#], next("https://x/b")),
            (&[r#"<https://x/a>; rel="self""#], Ok(None)),
            (&[r#"<https://x/next>; rel="prev"; rel="next""#], Ok(None)),
            (&[], Ok(None)),
            (&[""], Ok(None)),
            (&["nonsense"], refused("nonsense")),
            (&[r#"<https://x/b; rel="next""#], refused(r#"<https://x/b; rel="next""#)),
            (&[r#"<https://x/b>; rel="next"#], refused(r#"<https://x/b>; rel="next"#)),
            (&[r#"<https://x/b> rel="next""#], refused(r#"<https://x/b> rel="next""#)),
            (&["<https://x/b>"], refused("<https://x/b>")),
            (
                &["<https://x/b>; rel=next, <https://x/c>; rel=next"],
                refused("<https://x/b>; rel=next, <https://x/c>; rel=next"),
            ),
        ];
        for (lines, expected) in table {
            assert_eq!(find_next(lines.iter().copied()), expected, "{lines:?}");
        }
    }

    /// A header with one link of the relation `next` among others, written in any way that the standard allows.
    fn random_header(rng: &mut Rng, target: &str) -> String {
        let space = |rng: &mut Rng| " ".repeat(rng.usize(..3));
        let value = |rng: &mut Rng, text: &str| match text {
            "next" if rng.bool() => text.to_owned(),
            text => format!("\"{text}\""),
        };
        let mut links = Vec::new();
        for place in 0..=rng.usize(1..4) {
            let (address, relation) = match place {
                0 => (target.to_owned(), *rng.choice(&["next", "last next", "NEXT", "next last"]).unwrap()),
                _ => (format!("https://x/other{place}?a=1,2;3"), *rng.choice(&["self", "prev", "nextish"]).unwrap()),
            };
            let mut parameters = vec![format!("rel={}{}", space(rng), value(rng, relation))];
            for _ in 0..rng.usize(..3) {
                let title = rng.choice(&["title=\"a, <b>; rel=next\"", "title=\"\\\"next\\\"\"", "x", "y=z"]).unwrap();
                parameters.insert(rng.usize(..=parameters.len()), (*title).to_owned());
            }
            let between = format!("{};{}", space(rng), space(rng));
            links.push(format!("<{address}>{between}{}", parameters.join(&between)));
        }
        rng.shuffle(&mut links);
        links.join(*rng.choice(&[",", ", ", " , ,"]).unwrap())
    }

    #[test]
    fn the_next_page_is_found_however_the_header_is_written() {
        let seed = fastrand::u64(..);
        println!("seed: {seed}");
        let mut rng = Rng::with_seed(seed);
        let target = "https://x/api/v1/apps?after=0oa1,2;3&limit=200";
        for _ in 0..20_000 {
            let header = random_header(&mut rng, target);
            assert_eq!(find_next([header.as_str()].into_iter()), Ok(Some(target)), "{header}");
            // A damaged header names no page that it does not have.
            let mut damaged: Vec<char> = header.chars().collect();
            for _ in 0..rng.usize(1..4) {
                let place = rng.usize(..damaged.len());
                if rng.bool() {
                    damaged.remove(place);
                } else {
                    damaged[place] = *rng.choice(&['<', '>', '"', '\\', ';', ',', '=', 'é', '\u{0}']).unwrap();
                }
            }
            let damaged: String = damaged.into_iter().collect();
            if let Ok(Some(found)) = find_next([damaged.as_str()].into_iter()) {
                assert!(damaged.contains(&format!("<{found}>")), "{damaged}");
            }
        }
    }
}
