//! The run sheet as one self-contained HTML page, with a check box for every line and a style for print. A value is in a
//! `<code>` element whose `data-label` is its label, so that a script can find it.

use super::{Fragment, SheetView, join, one_line};
use crate::display::text::{Text, text};

const STYLE: &str = include_str!("html.css");

/// The run sheet as an HTML page.
pub(crate) fn html(view: &SheetView<'_>) -> Text {
    let sheet = view.sheet();
    let title = escape(&one_line(&sheet.title));
    let mut text = text!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n\
         <meta name=\"referrer\" content=\"no-referrer\">\n\
         <title>{}: {}</title>\n<style>\n{}</style>\n</head>\n<body>\n<main>\n<h1>{}</h1>\n<dl>\n",
        title,
        escape(&one_line(view.tenant)),
        Text::from(STYLE),
        title
    );
    for (name, value) in view.facts() {
        let class = if name == "deadline" && view.is_overdue() { " class=\"late\"" } else { "" };
        text += text!("<dt>{}</dt><dd id=\"{}\"{}>{}</dd>\n", name, name, class, escape(&value));
    }
    if let Some(url) = &sheet.url {
        text += text!("<dt>start at</dt><dd id=\"begin\">{}</dd>\n", link(&one_line(url)));
    }
    text += "</dl>\n";
    for claim in view.claims() {
        text += text!("<p class=\"claim\">{}</p>\n", escape(&claim));
    }
    text += "<ol>\n";
    for (fragments, note) in view.lines() {
        let label = fragments.iter().find_map(|fragment| match fragment {
            Fragment::Label(label) => Some(label.as_str()),
            _ => None,
        });
        let line = join(&fragments, |fragment| show(fragment, label.unwrap_or_default()));
        let note = note.map(|note| text!("<small>{}</small>", escape(&note))).unwrap_or_default();
        // The check box and the words do not share a `<label>`, so that selecting a value does not tick the box.
        text +=
            text!("<li><div><input type=\"checkbox\" aria-label=\"done\"><span>{}{}</span></div></li>\n", line, note);
    }
    text += "</ol>\n";
    for (title, class, lines) in [("Keep these settings", "keep", &sheet.keep), ("Caution", "care", &sheet.care)] {
        if !lines.is_empty() {
            text += text!("<section class=\"{}\">\n<h2>{}</h2>\n<ul>\n", class, title);
            text.extend(lines.iter().map(|line| text!("<li>{}</li>\n", escape(&one_line(line)))));
            text += "</ul>\n</section>\n";
        }
    }
    text +=
        text!("<section>\n<h2>Expected result</h2>\n<p id=\"proof\">{}</p>\n<ul>\n", escape(&one_line(&sheet.proof)));
    for (when, command) in view.endings() {
        text += text!("<li>{}: <code>{}</code></li>\n", when, escape(&command));
    }
    text + "</ul>\n</section>\n</main>\n</body>\n</html>\n"
}

fn show(fragment: &Fragment, label: &str) -> Text {
    match fragment {
        Fragment::Words(words) => text!("{}", escape(words)),
        Fragment::Label(label) => text!("<b>{}</b>", escape(label)),
        Fragment::Value(value) => text!("<code data-label=\"{}\">{}</code>", escape(label), escape(value)),
        Fragment::Command(command) => text!("<code>{}</code>", escape(command)),
    }
}

/// A link for an HTTP or HTTPS address, and plain text for anything else, such as `javascript:`.
fn link(url: &str) -> Text {
    let shown = escape(url);
    if url.starts_with("https://") || url.starts_with("http://") {
        text!("<a href=\"{}\">{}</a>", shown, shown)
    } else {
        text!("{}", shown)
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
