//! A closed loop of readers over connections that stay open.

use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// How many readers there are at a time.
const READERS: usize = 8;

/// Requests a second, of that request, for so long.
pub(crate) async fn requests_per_second(address: &str, request: &str, duration: Duration) -> f64 {
    let deadline = Instant::now() + duration;
    let started = Instant::now();
    let readers: Vec<_> =
        (0..READERS).map(|_| tokio::spawn(read_until(address.to_owned(), request.to_owned(), deadline))).collect();
    let mut answers = 0;
    for reader in readers {
        answers += reader.await.expect("a reader does not panic");
    }
    f64::from(answers) / started.elapsed().as_secs_f64()
}

/// The body of the answer to one request.
pub(crate) async fn body(address: &str, request: &str) -> Vec<u8> {
    let mut stream = TcpStream::connect(address).await.expect("the server listens");
    read_answer(&mut stream, request, &mut Vec::new()).await
}

async fn read_until(address: String, request: String, deadline: Instant) -> u32 {
    let mut stream = TcpStream::connect(address).await.expect("the server listens");
    stream.set_nodelay(true).expect("it is a socket");
    let mut buffer = Vec::new();
    let mut answers = 0;
    while Instant::now() < deadline {
        read_answer(&mut stream, &request, &mut buffer).await;
        answers += 1;
    }
    answers
}

async fn read_answer(stream: &mut TcpStream, request: &str, buffer: &mut Vec<u8>) -> Vec<u8> {
    stream.write_all(request.as_bytes()).await.expect("the server reads");
    buffer.clear();
    loop {
        assert!(stream.read_buf(buffer).await.expect("the server answers") > 0, "the server hung up");
        let Some(head) = buffer.windows(4).position(|at| at == b"\r\n\r\n") else { continue };
        let text = String::from_utf8_lossy(&buffer[..head]).to_ascii_lowercase();
        assert!(text.starts_with("http/1.1 200"), "{text}");
        let length = text.split_once("content-length: ").and_then(|(_, rest)| rest.lines().next());
        let length: usize = length.and_then(|length| length.parse().ok()).expect("answers say their length");
        if buffer.len() >= head + 4 + length {
            return buffer[head + 4..].to_vec();
        }
    }
}
