//! Faults that a test requests: what goes wrong on the way to a host, and how often.

use serde::{Deserialize, Serialize};

/// A fault that hits matching requests.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fault {
    /// The virtual host, or `*` for every host except the admin host.
    pub host: String,
    /// The method. `None` matches any method.
    #[serde(default)]
    pub method: Option<String>,
    /// The prefix of the path. An empty prefix matches any path.
    #[serde(default)]
    pub path: String,
    /// A part of the query as it is sent. An empty part matches any query.
    #[serde(default)]
    pub query: String,
    /// What happens.
    #[serde(flatten)]
    pub kind: FaultKind,
    /// How many requests it hits. 0 for all.
    #[serde(default = "once")]
    pub times: u32,
    /// How many matching requests pass before it hits the first.
    #[serde(default)]
    pub skip: u32,
}

/// What a fault does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum FaultKind {
    /// 429 E0000047 with rate-limit headers, before any work.
    #[serde(rename = "429")]
    TooManyRequests {
        /// The seconds until `X-Rate-Limit-Reset`.
        #[serde(default = "one_second")]
        reset_seconds: u32,
    },
    /// An answer of this status, before any work.
    Status {
        /// The status, such as 503.
        status: u16,
    },
    /// The request is carried out, but the answer has this status.
    StatusAfterCommit {
        /// The status, such as 500.
        status: u16,
    },
    /// The request is carried out, and the connection is closed without an answer.
    DropAfterCommit,
    /// The request is carried out, and its answer comes after a wait.
    DelayAfterCommit {
        /// How long the wait is.
        milliseconds: u64,
    },
    /// The request is carried out, and the answer ends in the middle of its body. Without a body or a socket, there is
    /// no answer at all.
    CutBody {
        /// How long the connection stays open after the first half.
        #[serde(default)]
        milliseconds: u64,
    },
    /// 200 with `success: true` and an error in `result`, before any work. This is a form of Cloud Identity Engine's
    /// interface, so use it only with hosts and paths of that interface.
    ErrorInResult,
    /// Exactly this answer, such as one of a captive portal or a proxy, or an unexpected one of the server.
    Script {
        /// The status.
        status: u16,
        /// Header lines, in order. A `date` replaces the simulator's; an empty one removes it.
        #[serde(default)]
        headers: Vec<(String, String)>,
        /// The body as it is sent.
        #[serde(default)]
        body: String,
        /// Whether the request is carried out first.
        #[serde(default)]
        after_commit: bool,
        /// The wait before the answer.
        #[serde(default)]
        milliseconds: u64,
    },
    /// The request is carried out, and one member of its JSON answer is replaced or removed.
    Edit {
        /// The place of the member (RFC 6901). `*` means every item of a list.
        pointer: String,
        /// The new value. `None` removes the member.
        #[serde(default)]
        value: Option<serde_json::Value>,
    },
    /// The connection is closed before anything is done.
    DropBefore,
    /// The request is carried out after a wait.
    Delay {
        /// How long the wait is.
        milliseconds: u64,
    },
}

/// A fault, and how often it has fired.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FaultReport {
    /// The fault as it was added.
    #[serde(flatten)]
    pub fault: Fault,
    /// How many requests it has hit.
    pub fired: u32,
}

fn once() -> u32 {
    1
}

fn one_second() -> u32 {
    1
}

/// All faults, in the order in which they were added.
#[derive(Debug, Default)]
pub(crate) struct FaultBook {
    /// Each fault, how often it has fired, and how many matching requests it has seen.
    entries: Vec<(Fault, u32, u32)>,
}

impl FaultBook {
    pub(crate) fn add(&mut self, fault: Fault) {
        self.entries.push((fault, 0, 0));
    }

    pub(crate) fn clear(&mut self) {
        self.entries.clear();
    }

    pub(crate) fn report(&self) -> Vec<FaultReport> {
        self.entries.iter().map(|(fault, fired, _)| FaultReport { fault: fault.clone(), fired: *fired }).collect()
    }

    /// The fault that hits this request, if any. Counts it as fired.
    pub(crate) fn take(&mut self, host: &str, method: &str, path: &str, query: &str) -> Option<FaultKind> {
        for (fault, fired, seen) in &mut self.entries {
            let matches = (fault.host == "*" || fault.host == host)
                && fault.method.as_deref().is_none_or(|wanted| wanted.eq_ignore_ascii_case(method))
                && path.starts_with(&fault.path)
                && query.contains(&fault.query);
            if !matches || (fault.times > 0 && *fired >= fault.times) {
                continue;
            }
            *seen += 1;
            if *seen > fault.skip {
                *fired += 1;
                return Some(fault.kind.clone());
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_skips_fires_and_is_used_up() {
        let json = r#"{"host":"*","method":"post","path":"/a","kind":"status","status":503,"times":2,"skip":1}"#;
        let mut book = FaultBook::default();
        book.add(serde_json::from_str(json).unwrap());
        let hits: Vec<_> = (0..5).map(|_| book.take("h", "POST", "/a/b", "").is_some()).collect();
        assert_eq!(hits, [false, true, true, false, false]);
        assert_eq!(book.take("h", "GET", "/a", ""), None);
        assert_eq!(book.report()[0].fired, 2);
    }

    #[test]
    fn a_fault_with_times_0_hits_every_matching_query() {
        let json = r#"{"host":"h","query":"kind%20eq","kind":"drop_before","times":0}"#;
        let mut book = FaultBook::default();
        book.add(serde_json::from_str(json).unwrap());
        let hits = |book: &mut FaultBook, query| book.take("h", "GET", "/", query).is_some();
        assert_eq!([1, 2, 3].map(|_| hits(&mut book, "filter=kind%20eq%201")), [true; 3]);
        assert!(!hits(&mut book, "filter=other"));
    }

    #[test]
    fn the_wire_form_of_a_429_is_its_number() {
        let fault: Fault = serde_json::from_str(r#"{"host":"acme.okta.test","kind":"429"}"#).unwrap();
        assert_eq!(fault.kind, FaultKind::TooManyRequests { reset_seconds: 1 });
        assert_eq!(fault.times, 1);
    }

    #[test]
    fn the_wire_form_of_each_kind_is_fixed() {
        for (kind, expect) in [
            (r#""status","status":503"#, FaultKind::Status { status: 503 }),
            (r#""status_after_commit","status":500"#, FaultKind::StatusAfterCommit { status: 500 }),
            (r#""drop_before""#, FaultKind::DropBefore),
            (r#""error_in_result""#, FaultKind::ErrorInResult),
            (r#""drop_after_commit""#, FaultKind::DropAfterCommit),
            (r#""delay","milliseconds":7"#, FaultKind::Delay { milliseconds: 7 }),
            (r#""delay_after_commit","milliseconds":7"#, FaultKind::DelayAfterCommit { milliseconds: 7 }),
            (r#""cut_body","milliseconds":7"#, FaultKind::CutBody { milliseconds: 7 }),
            (r#""cut_body""#, FaultKind::CutBody { milliseconds: 0 }),
            (
                r#""script","status":404,"headers":[["server","x"]],"body":"<html>""#,
                FaultKind::Script {
                    status: 404,
                    headers: vec![("server".to_owned(), "x".to_owned())],
                    body: "<html>".to_owned(),
                    after_commit: false,
                    milliseconds: 0,
                },
            ),
            (r#""edit","pointer":"/*/id""#, FaultKind::Edit { pointer: "/*/id".to_owned(), value: None }),
        ] {
            let fault: Fault = serde_json::from_str(&format!(r#"{{"host":"*","kind":{kind}}}"#)).unwrap();
            assert_eq!(fault.kind, expect);
        }
    }
}
