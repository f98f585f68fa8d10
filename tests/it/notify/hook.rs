//! A webhook on this machine: it keeps what it gets, and answers as a test says.

use std::{
    collections::VecDeque,
    fs,
    io::Write,
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
        mpsc::{Receiver, Sender, channel},
    },
    time::Duration,
};

use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
    runtime::Runtime,
};
use tokio_rustls::TlsAcceptor;

use crate::support::{Lab, tls::issue};

/// Longer than any test waits.
const FOREVER: Duration = Duration::from_secs(60);

/// What the webhook does with a request.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Reply {
    /// It answers with this status.
    Status(u16),
    /// It answers 200 with this body.
    #[cfg(feature = "otlp")]
    Body(&'static str),
    /// It answers 429 and asks to wait for so many seconds.
    Busy(u32),
    /// It answers nothing until the client closes the connection.
    Hang,
    /// It closes the connection without an answer.
    Close,
}

/// What is in the path of every webhook, and nowhere else.
pub(crate) const CANARY: &str = "canary-5f0e77";

/// A server that takes posts of JSON.
pub(crate) struct Hook {
    address: SocketAddr,
    /// Who signed its certificate. `None` if it does not use TLS.
    ca: Option<String>,
    requests: Receiver<(String, Value)>,
    shared: Arc<Shared>,
    _runtime: Runtime,
}

struct Shared {
    /// What to do with the next requests. After that, each gets 200.
    replies: Mutex<VecDeque<Reply>>,
    /// How many requests hang now.
    hanging: AtomicUsize,
}

impl Hook {
    /// One that uses TLS.
    pub(crate) fn start(replies: &[Reply]) -> Self {
        let (ca, acceptor) = issue();
        Self::serve(replies, Some(ca), Some(acceptor))
    }

    /// One that does not use TLS.
    #[cfg(feature = "otlp")]
    pub(crate) fn start_plain() -> Self {
        Self::serve(&[], None, None)
    }

    fn serve(replies: &[Reply], ca: Option<String>, acceptor: Option<TlsAcceptor>) -> Self {
        let runtime = Runtime::new().unwrap();
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = listener.local_addr().unwrap();
        let (sender, requests) = channel();
        let shared = Arc::new(Shared { replies: Mutex::default(), hanging: AtomicUsize::new(0) });
        let serving = Arc::clone(&shared);
        runtime.spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (acceptor, sender, shared) = (acceptor.clone(), sender.clone(), Arc::clone(&serving));
                tokio::spawn(async move {
                    match acceptor {
                        None => serve(stream, &sender, &shared).await,
                        Some(acceptor) => {
                            if let Ok(stream) = acceptor.accept(stream).await {
                                serve(stream, &sender, &shared).await;
                            }
                        }
                    }
                });
            }
        });
        let hook = Self { address, ca, requests, shared, _runtime: runtime };
        hook.script(replies);
        hook
    }

    /// What to do with the next requests.
    pub(crate) fn script(&self, replies: &[Reply]) {
        self.shared.replies.lock().unwrap().extend(replies);
    }

    /// Its URL for messages of this name. The lab trusts its certificate.
    pub(crate) fn trusted_by(&self, lab: &Lab, name: &str) -> String {
        let Some(ca) = &self.ca else { return format!("http://{}/{CANARY}/{name}", self.address) };
        fs::OpenOptions::new().append(true).open(lab.path("ca.pem")).unwrap().write_all(ca.as_bytes()).unwrap();
        format!("https://{}/{CANARY}/{name}", self.address)
    }

    /// Lets the lab tell this webhook of these occasions, under this name. Its URL is in a file.
    pub(crate) fn join(&self, lab: &Lab, name: &str, on: &str, form: &str) {
        let url = self.trusted_by(lab, name);
        let file = format!("{name}.url");
        fs::write(lab.path(&file), url + "\n").unwrap();
        fs::set_permissions(lab.path(&file), std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
        lab.edit_config(|text| {
            format!(
                "{text}\n[[notify]]\nname = \"{name}\"\non = [{on}]\nwebhook = {{ file = \"{file}\" }}\nas = \"{form}\"\n"
            )
        });
    }

    /// The next request: the last part of its path, and its body. Waits for it.
    #[track_caller]
    pub(crate) fn next(&self) -> (String, Value) {
        self.requests.recv_timeout(FOREVER).expect("nothing was told")
    }

    /// The keys of all requests that have come by now.
    pub(crate) fn keys(&self) -> Vec<String> {
        self.bodies().iter().map(|body| body["key"].as_str().unwrap().to_owned()).collect()
    }

    /// The bodies of all requests that have come by now.
    pub(crate) fn bodies(&self) -> Vec<Value> {
        self.requests.try_iter().map(|(_, body)| body).collect()
    }

    /// How many requests hang now.
    pub(crate) fn hanging(&self) -> usize {
        self.shared.hanging.load(Ordering::SeqCst)
    }
}

async fn serve(
    mut stream: impl AsyncReadExt + AsyncWriteExt + Unpin,
    requests: &Sender<(String, Value)>,
    shared: &Shared,
) {
    while let Some((path, body)) = read(&mut stream).await {
        let name = path.strip_prefix(&format!("/{CANARY}/")).expect("another path").to_owned();
        let reply = shared.replies.lock().unwrap().pop_front().unwrap_or(Reply::Status(200));
        if matches!(reply, Reply::Hang) {
            shared.hanging.fetch_add(1, Ordering::SeqCst);
        }
        let _ = requests.send((name, serde_json::from_slice(&body).unwrap()));
        let answer = match reply {
            Reply::Status(status) => format!("HTTP/1.1 {status} Status\r\ncontent-length: 0\r\n\r\n"),
            #[cfg(feature = "otlp")]
            Reply::Body(body) => {
                format!(
                    "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
                    body.len()
                )
            }
            Reply::Busy(seconds) => {
                format!("HTTP/1.1 429 Busy\r\nretry-after: {seconds}\r\ncontent-length: 0\r\n\r\n")
            }
            Reply::Close => return,
            Reply::Hang => {
                let _ = stream.read_u8().await;
                shared.hanging.fetch_sub(1, Ordering::SeqCst);
                return;
            }
        };
        if stream.write_all(answer.as_bytes()).await.is_err() {
            return;
        }
    }
}

/// The path and the body of a request. `None` at the end of the connection.
async fn read(stream: &mut (impl AsyncReadExt + Unpin)) -> Option<(String, Vec<u8>)> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    let head = String::from_utf8(head).unwrap();
    let mut words = head.split_whitespace();
    assert_eq!(words.next(), Some("POST"));
    let path = words.next().unwrap().to_owned();
    let length = head.lines().find_map(|line| line.to_lowercase().strip_prefix("content-length: ")?.parse().ok());
    let mut body = vec![0; length.unwrap()];
    stream.read_exact(&mut body).await.ok()?;
    Some((path, body))
}
