//! A proxy between this machine and Okta that tunnels, refuses, or wants credentials. flowswap never repeats what a
//! proxy refused, because repeated attempts could lock the account.

use std::{
    io::{Read, Write, copy},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    thread,
};

use crate::support::{Lab, Output, command, finish};

/// What the proxy does with a `CONNECT`.
#[derive(Clone, Copy)]
enum Answer {
    /// It connects to this address for every host name.
    Tunnel(SocketAddr),
    /// It refuses with this status line.
    Refuse(&'static str),
}

/// Starts a proxy that counts the requested tunnels.
fn proxy(answer: Answer) -> (SocketAddr, Arc<AtomicU32>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let asked = Arc::new(AtomicU32::new(0));
    let count = Arc::clone(&asked);
    thread::spawn(move || {
        for client in listener.incoming().flatten() {
            let count = Arc::clone(&count);
            thread::spawn(move || serve(client, answer, &count));
        }
    });
    (address, asked)
}

fn serve(mut client: TcpStream, answer: Answer, asked: &AtomicU32) {
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        if client.read(&mut byte).unwrap_or(0) == 0 {
            return;
        }
        request.extend(byte);
    }
    assert!(request.starts_with(b"CONNECT "), "{}", String::from_utf8_lossy(&request));
    asked.fetch_add(1, Ordering::SeqCst);
    match answer {
        Answer::Refuse(words) => {
            let _ = client.write_all(format!("HTTP/1.1 {words}\r\ncontent-length: 0\r\n\r\n").as_bytes());
        }
        Answer::Tunnel(address) => {
            let mut server = TcpStream::connect(address).unwrap();
            client.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").unwrap();
            let (mut from, mut to) = (server.try_clone().unwrap(), client.try_clone().unwrap());
            thread::spawn(move || {
                let _ = copy(&mut from, &mut to);
                let _ = to.shutdown(Shutdown::Both);
            });
            let _ = copy(&mut client, &mut server);
            let _ = server.shutdown(Shutdown::Both);
        }
    }
}

const PASSWORD: &str = "proxy-canary-7";

/// Runs `check` with Okta behind the proxy. Also returns how many tunnels were requested.
fn check_behind(answer: impl FnOnce(SocketAddr) -> Answer) -> (Output, u32) {
    let lab = Lab::with_tenants(1);
    let simulator = lab.sim.addr();
    // A host with a configured address would bypass the proxy.
    lab.edit_config(|text| {
        text.replace(&format!("\"*.okta.test\" = \"{simulator}\""), "\"unused.test\" = \"127.0.0.1:1\"")
    });
    let (address, asked) = proxy(answer(simulator));
    let mut command = command(lab.dir(), &["check", "acme"]);
    command.env("HTTPS_PROXY", format!("http://operator:{PASSWORD}@{address}"));
    let output = finish(command);
    assert!(!output.show().contains(PASSWORD), "{}", output.show());
    (output, asked.load(Ordering::SeqCst))
}

#[test]
fn a_proxy_that_tunnels_is_used() {
    let (output, asked) = check_behind(Answer::Tunnel);
    assert!(output.code == 0 && asked > 0, "{asked}: {}", output.show());
}

#[test]
fn a_refusal_by_a_proxy_is_not_retried() {
    for (answer, says) in
        [("407 Proxy Authentication Required", "the proxy"), ("403 Forbidden", "the proxy refused to connect to it")]
    {
        let (output, asked) = check_behind(|_| Answer::Refuse(answer));
        assert!(output.code == 3 && output.show().contains(says), "{}", output.show());
        assert!(!output.show().contains("okta refused"), "{}", output.show());
        assert_eq!(asked, 1, "{answer}: {}", output.show());
    }
}
