//! The sheet as one page of HTML that needs nothing else: boxes to tick while working, fit to be printed. A value stands in
//! `<code>` whose `data-label` is the label that it belongs to, so that a script can find it.

use super::{Page, Piece, join, plain};
use crate::display::text::{Text, text};

const STYLE: &str = include_str!("html.css");

/// The sheet as a page.
pub(crate) fn html(page: &Page<'_>) -> Text {
    let sheet = page.sheet();
    let title = escape(&plain(&sheet.title));
    let mut text = text!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n\
         <meta name=\"referrer\" content=\"no-referrer\">\n\
         <title>{}: {}</title>\n<style>\n{}</style>\n</head>\n<body>\n<main>\n<h1>{}</h1>\n<dl>\n",
        title,
        escape(&plain(page.tenant)),
        Text::from(STYLE),
        title
    );
    for (name, said) in page.facts() {
        let class = if name == "deadline" && page.is_overdue() { " class=\"late\"" } else { "" };
        text += text!("<dt>{}</dt><dd id=\"{}\"{}>{}</dd>\n", name, name, class, escape(&said));
    }
    if let Some(url) = &sheet.url {
        text += text!("<dt>begin at</dt><dd id=\"begin\">{}</dd>\n", link(&plain(url)));
    }
    text += "</dl>\n";
    for claim in page.claims() {
        text += text!("<p class=\"claim\">{}</p>\n", escape(&claim));
    }
    text += "<ol>\n";
    for (pieces, note) in page.lines() {
        let label = pieces.iter().find_map(|piece| match piece {
            Piece::Label(label) => Some(label.as_str()),
            _ => None,
        });
        let line = join(&pieces, |piece| show(piece, label.unwrap_or_default()));
        let note = note.map(|note| text!("<small>{}</small>", escape(&note))).unwrap_or_default();
        // The box stands beside the words and not in one label with them: who selects a value does not mean to tick it.
        text +=
            text!("<li><div><input type=\"checkbox\" aria-label=\"done\"><span>{}{}</span></div></li>\n", line, note);
    }
    text += "</ol>\n";
    for (title, class, lines) in [("Keep as it is", "keep", &sheet.keep), ("Take care", "care", &sheet.care)] {
        if !lines.is_empty() {
            text += text!("<section class=\"{}\">\n<h2>{}</h2>\n<ul>\n", class, title);
            text.extend(lines.iter().map(|line| text!("<li>{}</li>\n", escape(&plain(line)))));
            text += "</ul>\n</section>\n";
        }
    }
    text += text!("<section>\n<h2>When it is done</h2>\n<p id=\"proof\">{}</p>\n<ul>\n", escape(&plain(&sheet.proof)));
    for (when, command) in page.endings() {
        text += text!("<li>{}: <code>{}</code></li>\n", when, escape(&command));
    }
    text + "</ul>\n</section>\n</main>\n</body>\n</html>\n"
}

fn show(piece: &Piece, label: &str) -> Text {
    match piece {
        Piece::Words(words) => text!("{}", escape(words)),
        Piece::Label(label) => text!("<b>{}</b>", escape(label)),
        Piece::Value(value) => text!("<code data-label=\"{}\">{}</code>", escape(label), escape(value)),
        Piece::Command(command) => text!("<code>{}</code>", escape(command)),
    }
}

/// Only what leads to a page becomes a link.
fn link(url: &str) -> Text {
    let shown = escape(url);
    match url.starts_with("https://") || url.starts_with("http://") {
        true => text!("<a href=\"{}\">{}</a>", shown, shown),
        false => text!("{}", shown),
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
