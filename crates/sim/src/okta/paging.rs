//! Pages of a list, and their `Link` headers. Each header has its own line, like at Okta.

use http::{StatusCode, header};
use serde_json::Value;

use super::Call;
use super::refusal::{Answer, Refusal};
use crate::encoding::write_pairs;
use crate::message::Reply;

/// The maximum number of users or groups on a page (Okta management API, listUsers; Okta recommends the same for groups).
const MAX_NUMBERED: usize = 200;

/// Answers with the requested page of items that have an id. A page has at most the org's page size, whatever `limit`
/// says. So code that does not follow `next` fails here.
pub(crate) fn answer_page(
    call: &Call<'_>,
    ids: &[String],
    default_limit: usize,
    render: impl Fn(&str) -> Value,
) -> Answer {
    let limit = read_limit(call, default_limit)?.min(call.org.page_size.max(1));
    let start = match call.request.parameter("after") {
        None => 0,
        Some(after) => match ids.iter().position(|id| *id == after) {
            Some(position) => position + 1,
            None => return Err(unknown_cursor()),
        },
    };
    let end = start.saturating_add(limit).min(ids.len());
    let page = ids.get(start..end).unwrap_or_default();
    let body: Vec<_> = page.iter().map(|id| render(id)).collect();
    let next = page.last().filter(|_| end < ids.len());
    let reply = Reply::json(StatusCode::OK, &body).with_header(header::LINK, &link_self(call));
    Ok(match next {
        Some(last) => reply.with_header(header::LINK, &link_next(call, last)),
        None => reply,
    })
}

/// A list of numbered objects, in ascending order.
pub(crate) struct Numbered<'a> {
    /// The prefix of their ids.
    pub(crate) prefix: &'static str,
    pub(crate) count: usize,
    /// The position after a number.
    pub(crate) position: &'a dyn Fn(usize) -> usize,
    /// The numbers from one position up to, but not including, another.
    pub(crate) page: &'a dyn Fn(usize, usize) -> Vec<usize>,
}

impl Numbered<'static> {
    /// All numbers below `count`.
    pub(crate) fn all(prefix: &'static str, count: usize) -> Self {
        Self { prefix, count, position: &|number| number + 1, page: &|start, end| (start..end).collect() }
    }
}

/// Answers with a page of numbered objects: at most 200, like the users at Okta. Makes only the objects of the page.
pub(crate) fn answer_numbers(call: &Call<'_>, list: &Numbered<'_>, render: impl Fn(&str, usize) -> Value) -> Answer {
    let limit = read_limit(call, MAX_NUMBERED)?.min(MAX_NUMBERED).min(call.org.page_size.max(1));
    let start = match call.request.parameter("after") {
        None => 0,
        Some(after) => {
            let number = call.org.number_of(list.prefix, &after).ok_or_else(unknown_cursor)?;
            Some((list.position)(number)).filter(|place| *place <= list.count).ok_or_else(unknown_cursor)?
        }
    };
    let end = start.saturating_add(limit).min(list.count);
    let page = (list.page)(start, end);
    let id = |number| call.org.numbered_id(list.prefix, number);
    let body: Vec<_> = page.iter().map(|number| render(&id(*number), *number)).collect();
    let reply = Reply::json(StatusCode::OK, &body).with_header(header::LINK, &link_self(call));
    let next = page.last().filter(|_| end < list.count);
    Ok(match next {
        Some(last) => reply.with_header(header::LINK, &link_next(call, &id(*last))),
        None => reply,
    })
}

/// The `limit` parameter, or the default.
pub(crate) fn read_limit(call: &Call<'_>, default: usize) -> Result<usize, Refusal> {
    match call.request.parameter("limit") {
        None => Ok(default),
        Some(text) => {
            text.parse().map_err(|_| Refusal::invalid("limit", "Invalid 'limit' parameter: it is not a number."))
        }
    }
}

/// The link to the page itself.
pub(crate) fn link_self(call: &Call<'_>) -> String {
    write_link(call, &call.request.pairs(), "self")
}

/// The link to the page after `cursor`. `after` comes first, as in recordings of the Okta management API.
pub(crate) fn link_next(call: &Call<'_>, cursor: &str) -> String {
    let mut pairs = vec![("after".to_owned(), cursor.to_owned())];
    pairs.extend(call.request.pairs().into_iter().filter(|(name, _)| name != "after"));
    write_link(call, &pairs, "next")
}

fn write_link(call: &Call<'_>, pairs: &[(String, String)], relation: &str) -> String {
    let query = write_pairs(pairs.iter().map(|(name, value)| (name.as_str(), value.as_str())));
    let mark = if query.is_empty() { "" } else { "?" };
    format!("<{}{}{mark}{query}>; rel=\"{relation}\"", call.request.base(), call.request.path)
}

fn unknown_cursor() -> Refusal {
    Refusal::invalid("after", "Invalid 'after' parameter: the cursor is not known.")
}

/// E0000031, the answer to a filter that is invalid or not allowed on the list.
pub(crate) fn invalid_search() -> Refusal {
    Refusal::new(StatusCode::BAD_REQUEST, "E0000031", "Invalid search criteria.")
}
