//! A connection that stays open, and as little of HTTP/1.1 as appends need: where client and server share a machine,
//! what the client costs is missing from the figures.

use std::io::{self, ErrorKind};
use std::net::SocketAddr;

use http::StatusCode;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// The longest answer that is read: a problem document may name an id of 255 bytes, and has a few lines.
const ANSWER_MAX_BYTES: usize = 64 * 1024;

/// One connection to the ledger.
#[derive(Debug)]
pub(super) struct Connection {
    stream: TcpStream,
    read: Vec<u8>,
}

/// What the ledger answered.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    /// What `Retry-After` asks for, in seconds.
    pub(super) retry_after_seconds: Option<u64>,
    pub(super) body: Vec<u8>,
    /// Whether this was the last answer over the connection.
    pub(super) closes: bool,
}

impl Connection {
    /// Takes a connection into the runtime that it is called in.
    pub(super) fn take(stream: std::net::TcpStream) -> io::Result<Self> {
        stream.set_nonblocking(true)?;
        stream.set_nodelay(true)?;
        Ok(Self { stream: TcpStream::from_std(stream)?, read: Vec::with_capacity(1024) })
    }

    pub(super) async fn open(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, read: Vec::with_capacity(1024) })
    }

    /// Sends a request, head and body, and reads the answer.
    pub(super) async fn ask(&mut self, request: &[u8]) -> io::Result<Answer> {
        self.stream.write_all(request).await?;
        self.read.clear();
        loop {
            if self.stream.read_buf(&mut self.read).await? == 0 {
                return Err(ErrorKind::UnexpectedEof.into());
            }
            if let Some(answer) = parse(&self.read)? {
                return Ok(answer);
            }
            if self.read.len() > ANSWER_MAX_BYTES {
                return Err(not_http("an answer is too long"));
            }
        }
    }
}

/// The answer, when it is there to its end.
fn parse(read: &[u8]) -> io::Result<Option<Answer>> {
    let Some(head_bytes) = read.windows(4).position(|window| window == b"\r\n\r\n") else { return Ok(None) };
    let head = std::str::from_utf8(&read[..head_bytes]).map_err(|_| not_http("an answer's head is not text"))?;
    let mut lines = head.split("\r\n");
    let first = lines.next().unwrap_or_default();
    let status =
        first.strip_prefix("HTTP/1.1 ").and_then(|rest| StatusCode::from_bytes(rest.get(..3)?.as_bytes()).ok());
    let status = status.ok_or_else(|| not_http("an answer is not HTTP/1.1"))?;
    let (mut length, mut retry_after_seconds, mut closes) = (None, None, false);
    for (name, value) in lines.filter_map(|line| line.split_once(':')) {
        let value = value.trim();
        if name.eq_ignore_ascii_case("content-length") {
            length = value.parse::<usize>().ok();
        } else if name.eq_ignore_ascii_case("retry-after") {
            retry_after_seconds = value.parse().ok();
        } else if name.eq_ignore_ascii_case("connection") {
            closes = value.eq_ignore_ascii_case("close");
        }
    }
    let length = length.ok_or_else(|| not_http("an answer does not say its length"))?;
    let body = &read[head_bytes + 4..];
    if body.len() < length {
        return Ok(None);
    }
    Ok(Some(Answer { status, retry_after_seconds, body: body[..length].to_vec(), closes }))
}

fn not_http(what: &'static str) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, what)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_read_when_it_is_whole() {
        let text =
            "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 4\r\nretry-after: 2\r\nConnection: close\r\n\r\nbusy";
        for end in 0..text.len() {
            assert!(parse(&text.as_bytes()[..end]).expect("it may go on").is_none(), "{end}");
        }
        let answer = parse(text.as_bytes()).expect("it is HTTP").expect("it is whole");
        assert_eq!((answer.status, answer.retry_after_seconds), (StatusCode::SERVICE_UNAVAILABLE, Some(2)));
        assert_eq!((answer.body.as_slice(), answer.closes), (b"busy".as_slice(), true));
    }

    #[test]
    fn what_is_not_http_is_refused() {
        assert!(parse(b"SSH-2.0\r\n\r\n").is_err());
        assert!(parse(b"HTTP/1.1 200 OK\r\n\r\n").is_err());
    }
}
