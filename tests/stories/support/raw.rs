//! HTTP by hand, for what a client library does not let us do: to stop in the middle.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// A bound on a server that hangs.
const READ_TIMEOUT: Duration = Duration::from_secs(60);

/// A connection with one request on it.
#[derive(Debug)]
pub(crate) struct RawConnection(BufReader<TcpStream>);

impl RawConnection {
    pub(crate) fn open(address: &str) -> Self {
        let stream = TcpStream::connect(address).expect("the server listens");
        stream.set_read_timeout(Some(READ_TIMEOUT)).expect("it is a time");
        Self(BufReader::new(stream))
    }

    /// Sends the head of a `POST /v1/events`; the connection is closed after its answer.
    pub(crate) fn send_append_head(&mut self, token: &str, headers: &[(&str, &str)]) {
        let mut head = format!("POST /v1/events HTTP/1.1\r\nhost: ledger\r\nauthorization: Bearer {token}\r\n");
        head.push_str("content-type: application/json\r\nconnection: close\r\n");
        for (name, value) in headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        self.send(&format!("{head}\r\n"));
    }

    pub(crate) fn send(&mut self, text: &str) {
        self.0.get_mut().write_all(text.as_bytes()).expect("the server reads");
    }

    /// Reads a head: the status line and the headers.
    pub(crate) fn read_head(&mut self) -> String {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            let read = self.0.read_line(&mut head).expect("the server answers");
            assert!(read > 0, "the connection ended after {head:?}");
        }
        head
    }

    /// Reads what is left.
    pub(crate) fn read_rest(mut self) -> String {
        let mut rest = String::new();
        self.0.read_to_string(&mut rest).expect("the server answers");
        rest
    }
}
