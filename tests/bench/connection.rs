//! A connection that stays open, and as little of HTTP/1.1 as reads need: where client and server share a machine, what
//! the client costs is missing from the figures.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Room for an answer of the usual size, which one read then takes.
const ROOM_BYTES: usize = 128 * 1024;

/// One connection to a server.
#[derive(Debug)]
pub(crate) struct Connection {
    stream: TcpStream,
    read: Vec<u8>,
}

/// What a server answered.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Answer<'a> {
    pub(crate) status: u16,
    pub(crate) body: &'a [u8],
    head: &'a [u8],
}

impl Connection {
    /// Opens one to `127.0.0.1:PORT`.
    pub(crate) async fn open(address: &str) -> Self {
        let stream = TcpStream::connect(address).await.expect("the server listens");
        stream.set_nodelay(true).expect("it is a socket");
        Self { stream, read: Vec::with_capacity(ROOM_BYTES) }
    }

    /// Sends a request, head and body, and reads the answer to its end.
    pub(crate) async fn ask(&mut self, request: &[u8]) -> Answer<'_> {
        self.stream.write_all(request).await.expect("the server reads");
        self.read.clear();
        let mut length = None;
        loop {
            assert!(self.stream.read_buf(&mut self.read).await.expect("the server answers") > 0, "the server hung up");
            length = length.or_else(|| length_of(&self.read));
            match length {
                Some((head, whole)) if self.read.len() >= whole => return Answer::of(&self.read, head),
                Some(_) | None => {}
            }
        }
    }

    /// The body of the answer to a request that nothing is wrong with.
    pub(crate) async fn get(&mut self, request: &[u8]) -> &[u8] {
        let answer = self.ask(request).await;
        assert_eq!(answer.status, 200, "{}", String::from_utf8_lossy(answer.body));
        answer.body
    }
}

impl<'a> Answer<'a> {
    fn of(bytes: &'a [u8], head_bytes: usize) -> Self {
        let (head, body) = bytes.split_at(head_bytes);
        // Behind `HTTP/1.1 `.
        let status = head.get(9..12).and_then(|digits| std::str::from_utf8(digits).ok()?.parse().ok());
        Self { status: status.expect("an answer begins with its status"), body, head }
    }

    /// How far in the log the answer holds, or has come with what it was asked to append.
    pub(crate) fn position(&self) -> u64 {
        number(self.head, "ledger-position").expect("the answer has a position")
    }
}

/// How long the head of an answer is, and the whole of it, once the head is there.
fn length_of(read: &[u8]) -> Option<(usize, usize)> {
    let head = read.windows(4).position(|window| window == b"\r\n\r\n")? + 4;
    let body = number(&read[..head], "content-length").expect("answers say their length");
    Some((head, head + usize::try_from(body).expect("it fits into memory")))
}

/// A header that is a number.
fn number(head: &[u8], name: &str) -> Option<u64> {
    head.split(|byte| *byte == b'\n').find_map(|line| {
        let (field, value) = line.split_at_checked(name.len())?;
        let value = field.eq_ignore_ascii_case(name.as_bytes()).then_some(value)?.strip_prefix(b":")?;
        std::str::from_utf8(value).ok()?.trim().parse().ok()
    })
}
