//! A clock that stands still, so that "6 d ago" and the widths of columns are the same on every day.

use std::{
    io::{Read, Write},
    net::TcpListener,
    thread,
};

use jiff::Timestamp;

/// Answers as the clock of a simulator, until the test ends. Returns the table of `migrate.toml` with which flowswap takes
/// this time for the current one, to within the time that a command takes: choose one that is not on a full minute.
pub(crate) fn simulation_at(time: &str) -> String {
    let time: Timestamp = time.parse().unwrap();
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            let mut asked = Vec::new();
            while !asked.ends_with(b"\r\n\r\n") {
                let mut byte = [0];
                if !matches!(stream.read(&mut byte), Ok(1)) {
                    break;
                }
                asked.push(byte[0]);
            }
            let body = format!("{{\"moved_ms\":{}}}", time.as_millisecond() - Timestamp::now().as_millisecond());
            let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
            // A command that was stopped meanwhile reads no answer.
            let _ = stream.write_all((head + &body).as_bytes());
        }
    });
    format!("[simulation]\nclock = \"http://{address}/clock\"\n")
}
