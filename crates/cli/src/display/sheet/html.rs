//! The sheet as one page of HTML that needs nothing else: boxes to tick while working, fit to be printed. A value stands in
//! `<code>` whose `data-label` is the label that it belongs to, so that a script can find it.

use std::fmt::Write;

use super::{Page, Piece, join, plain};

const STYLE: &str = include_str!("html.css");

/// The sheet as a page.
pub(crate) fn html(page: &Page<'_>) -> String {
    let sheet = page.sheet();
    let title = escape(&plain(&sheet.title));
    let mut text = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n\
         <meta name=\"referrer\" content=\"no-referrer\">\n\
         <title>{title}: {}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<main>\n<h1>{title}</h1>\n<dl>\n",
        escape(&plain(page.tenant))
    );
    for (name, said) in page.facts() {
        let class = if name == "deadline" && page.is_overdue() { " class=\"late\"" } else { "" };
        let _ = writeln!(text, "<dt>{name}</dt><dd id=\"{name}\"{class}>{}</dd>", escape(&said));
    }
    if let Some(url) = &sheet.url {
        let _ = writeln!(text, "<dt>begin at</dt><dd id=\"begin\">{}</dd>", link(&plain(url)));
    }
    text += "</dl>\n";
    for claim in page.claims() {
        let _ = writeln!(text, "<p class=\"claim\">{}</p>", escape(&claim));
    }
    text += "<ol>\n";
    for (pieces, note) in page.lines() {
        let label = pieces.iter().find_map(|piece| match piece {
            Piece::Label(label) => Some(label.as_str()),
            _ => None,
        });
        let line = join(&pieces, |piece| show(piece, label.unwrap_or_default()));
        let note = note.map(|note| format!("<small>{}</small>", escape(&note))).unwrap_or_default();
        // The box stands beside the words and not in one label with them: who selects a value does not mean to tick it.
        let _ = writeln!(
            text,
            "<li><div><input type=\"checkbox\" aria-label=\"done\"><span>{line}{note}</span></div></li>"
        );
    }
    text += "</ol>\n";
    for (title, class, lines) in [("Keep as it is", "keep", &sheet.keep), ("Take care", "care", &sheet.care)] {
        if !lines.is_empty() {
            let _ = writeln!(text, "<section class=\"{class}\">\n<h2>{title}</h2>\n<ul>");
            text.extend(lines.iter().map(|line| format!("<li>{}</li>\n", escape(&plain(line)))));
            text += "</ul>\n</section>\n";
        }
    }
    let _ = writeln!(
        text,
        "<section>\n<h2>When it is done</h2>\n<p id=\"proof\">{}</p>\n<ul>",
        escape(&plain(&sheet.proof))
    );
    for (when, command) in page.endings() {
        let _ = writeln!(text, "<li>{when}: <code>{}</code></li>", escape(&command));
    }
    text + "</ul>\n</section>\n</main>\n</body>\n</html>\n"
}

fn show(piece: &Piece, label: &str) -> String {
    match piece {
        Piece::Words(words) => escape(words),
        Piece::Label(label) => format!("<b>{}</b>", escape(label)),
        Piece::Value(value) => format!("<code data-label=\"{}\">{}</code>", escape(label), escape(value)),
        Piece::Command(command) => format!("<code>{}</code>", escape(command)),
    }
}

/// Only what leads to a page becomes a link.
fn link(url: &str) -> String {
    let shown = escape(url);
    match url.starts_with("https://") || url.starts_with("http://") {
        true => format!("<a href=\"{shown}\">{shown}</a>"),
        false => shown,
    }
}

fn escape(text: &str) -> String {
    let mut escaped = String::new();
    for c in text.chars() {
        match c {
            '&' => escaped += "&amp;",
            '<' => escaped += "&lt;",
            '>' => escaped += "&gt;",
            '"' => escaped += "&quot;",
            '\'' => escaped += "&#39;",
            c => escaped.push(c),
        }
    }
    escaped
}
