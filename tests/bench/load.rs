//! Readers over connections that stay open, all in one thread: as many requests as are answered, or as many as are due.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use crate::connection::Connection;

/// How many readers there are at a time in a closed loop.
pub(crate) const READERS: usize = 8;

/// Runs it in this thread alone.
pub(crate) fn block_on<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime can be made").block_on(future)
}

/// Requests a second, in a closed loop over these requests, for so long.
pub(crate) fn requests_per_second(address: &str, requests: &[String], duration: Duration) -> f64 {
    let requests: Arc<[String]> = requests.into();
    block_on(async {
        let mut connections = Vec::new();
        for _ in 0..READERS {
            connections.push(Connection::open(address).await);
        }
        let started = Instant::now();
        let deadline = started + duration;
        let mut readers = JoinSet::new();
        for (number, connection) in connections.into_iter().enumerate() {
            let first = number * requests.len() / READERS;
            readers.spawn(read_until(connection, Arc::clone(&requests), first, deadline));
        }
        let answers: u32 = readers.join_all().await.into_iter().sum();
        f64::from(answers) / started.elapsed().as_secs_f64()
    })
}

async fn read_until(mut connection: Connection, requests: Arc<[String]>, first: usize, deadline: Instant) -> u32 {
    let mut answers = 0;
    for request in requests.iter().cycle().skip(first) {
        connection.get(request.as_bytes()).await;
        answers += 1;
        if Instant::now() >= deadline {
            break;
        }
    }
    answers
}

/// How many milliseconds each request took, one after the other over one connection.
pub(crate) fn one_by_one_ms(address: &str, requests: &[String]) -> Vec<f64> {
    block_on(async {
        let mut connection = Connection::open(address).await;
        let mut each_ms = Vec::with_capacity(requests.len());
        for request in requests {
            let begun = Instant::now();
            connection.get(request.as_bytes()).await;
            each_ms.push(begun.elapsed().as_secs_f64() * 1e3);
        }
        each_ms
    })
}

/// How many milliseconds each request took, over one connection, where one is due every so often, until all were sent
/// or it is over.
///
/// What waits behind a slow answer is slow too: its time counts from when it was due. That this thread wakes late is
/// none of the server's time.
pub(crate) fn paced_ms(
    address: &str,
    requests: &[String],
    between: Duration,
    mut is_over: impl FnMut() -> bool,
) -> Vec<f64> {
    block_on(async {
        let mut connection = Connection::open(address).await;
        let mut each_ms = Vec::with_capacity(requests.len());
        let mut due = Instant::now();
        for request in requests {
            let begun = if Instant::now() < due {
                tokio::time::sleep_until(due.into()).await;
                Instant::now()
            } else {
                due
            };
            connection.get(request.as_bytes()).await;
            each_ms.push(begun.elapsed().as_secs_f64() * 1e3);
            due += between;
            if is_over() {
                break;
            }
        }
        each_ms
    })
}
