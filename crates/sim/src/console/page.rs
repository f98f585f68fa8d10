//! The frame of every page: its head and its style. Also escapes text for HTML.

use http::{HeaderValue, StatusCode, header};

use crate::message::Reply;

const STYLE: &str = "
:root { color-scheme: light; --ink: #1f2933; --soft: #5b6773; --line: #d5dbe1; --accent: #0b5cad; }
* { box-sizing: border-box; }
body { margin: 0; background: #f4f6f8; color: var(--ink); font: 16px/1.5 system-ui, sans-serif; }
header { background: #17212b; color: #fff; padding: 14px 32px; display: flex; gap: 24px; align-items: baseline; }
header b { font-weight: 600; }
header span, header a { color: #c3ced9; font-size: 14px; }
main { max-width: 1100px; margin: 28px auto; padding: 0 32px 80px; }
h1 { font-size: 24px; font-weight: 600; margin: 0 0 18px; }
table { width: 100%; border-collapse: collapse; background: #fff; border: 1px solid var(--line); }
th, td { text-align: left; padding: 11px 14px; border-bottom: 1px solid var(--line); vertical-align: top; }
th { font-size: 13px; color: var(--soft); background: #fafbfc; font-weight: 600; }
td.number { text-align: right; font-variant-numeric: tabular-nums; }
a { color: var(--accent); }
.card { background: #fff; border: 1px solid var(--line); padding: 24px 28px; max-width: 720px; }
.field { margin: 0 0 20px; }
.field > label, legend { display: block; font-weight: 600; margin-bottom: 5px; padding: 0; }
fieldset { border: 0; margin: 0 0 20px; padding: 0; }
.choice { display: flex; gap: 8px; align-items: baseline; margin: 4px 0; }
input[type=text], input[type=password] { width: 100%; font: inherit; padding: 8px 10px; border: 1px solid #9aa5b1;
  border-radius: 4px; }
input[readonly] { background: #eef1f4; color: var(--soft); }
.row { display: flex; gap: 10px; align-items: baseline; }
.row input { flex: 1; }
button { font: inherit; padding: 7px 16px; border: 1px solid #9aa5b1; border-radius: 4px; background: #fff;
  color: var(--ink); cursor: pointer; white-space: nowrap; }
button:hover:enabled { border-color: var(--accent); color: var(--accent); }
button.main { background: var(--accent); border-color: var(--accent); color: #fff; }
button:disabled { background: #e4e8ec; border-color: #e4e8ec; color: #8a949e; cursor: not-allowed; }
.hint { color: var(--soft); font-size: 14px; margin: 4px 0 0; }
.good { color: #1b6e3c; font-weight: 600; }
.bad { color: #b3261e; font-weight: 600; }
.notice { border-left: 4px solid var(--accent); background: #fff; padding: 10px 16px; margin: 0 0 18px; }
.notice.bad { border-color: #b3261e; }
.end { border-top: 1px solid var(--line); margin-top: 24px; padding-top: 18px; display: flex; gap: 10px; }
details { position: relative; }
summary { cursor: pointer; color: var(--accent); }
details form { margin: 6px 0 0; }
details button { width: 100%; text-align: left; padding: 4px 10px; }
.default { position: absolute; left: -9999px; }
form:has(#flow-client-credential:checked) .sign-in { display: none; }
";

/// A page. The bar at the top shows `location`, and `body` is HTML. With `refresh_to`, the browser loads that path after a
/// second.
pub(crate) struct Page<'a> {
    pub(crate) title: &'a str,
    pub(crate) location: &'a str,
    pub(crate) body: &'a str,
    pub(crate) refresh_to: Option<&'a str>,
}

impl Page<'_> {
    pub(crate) fn reply(&self, status: StatusCode) -> Reply {
        let (title, location, body) = (escape(self.title), escape(self.location), self.body);
        let refresh_to = self.refresh_to.map(escape);
        let refresh = refresh_to.map(|path| format!("<meta http-equiv=\"refresh\" content=\"1; url={path}\">"));
        let refresh = refresh.unwrap_or_default();
        let html = format!(
            "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">{refresh}\
             <meta name=\"viewport\" content=\"width=device-width\"><title>{title} - Cloud Identity Engine</title>\
             <style>{STYLE}</style></head>\n<body><header><b>Cloud Identity Engine</b><span>simulated</span>\
             <span>{location}</span><a href=\"/\">Tenants</a></header>\n<main><h1>{title}</h1>\n{body}\n</main></body></html>\n"
        );
        let mut reply = Reply::empty(status);
        reply.body = html.into();
        for (name, value) in [
            (header::CONTENT_TYPE, "text/html; charset=utf-8"),
            (header::CACHE_CONTROL, "no-store"),
            (header::CONTENT_SECURITY_POLICY, "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'"),
        ] {
            reply.headers.insert(name, HeaderValue::from_static(value));
        }
        reply
    }
}

pub(crate) fn not_found() -> Reply {
    let body = "<p>This page does not exist. <a href=\"/\">Choose a tenant</a>.</p>";
    Page { title: "Not found", location: "", body, refresh_to: None }.reply(StatusCode::NOT_FOUND)
}

/// A form with a single button.
pub(crate) fn button(path: &str, label: &str) -> String {
    format!("<form method=\"post\" action=\"{}\"><button>{}</button></form>", escape(path), escape(label))
}

/// Escapes text for HTML, including attributes.
pub(crate) fn escape(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            c => safe.push(c),
        }
    }
    safe
}
