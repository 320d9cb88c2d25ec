//! Requests that arrive at a given rate, whether or not the ones before were answered.
//!
//! A thread of its own lets them in, since the runtime's clock has milliseconds. How long a request took counts from
//! when it was due: what waits behind a slow answer is slow too.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use tokio::sync::Semaphore;

use super::CONNECTIONS_MAX;

/// How late the system wakes a thread, about: it is let go so much earlier.
const TIMER_SLACK: Duration = Duration::from_micros(50);

/// The longest that the thread sleeps before it looks whether it is to end.
const NAP: Duration = Duration::from_millis(100);

/// The requests that are due.
#[derive(Debug)]
pub(super) struct Arrivals {
    between: Duration,
    due: Mutex<VecDeque<Instant>>,
    waiting: Semaphore,
}

impl Arrivals {
    pub(super) fn every(between: Duration) -> Self {
        Self { between, due: Mutex::default(), waiting: Semaphore::new(0) }
    }

    /// Lets so many requests in, from now on, until it is told to stop. It blocks.
    pub(super) fn run(&self, requests: Option<u64>, stops: impl Fn() -> bool) {
        let started = Instant::now();
        let mut number: u64 = 0;
        while requests.is_none_or(|requests| number < requests) && !stops() {
            let due = started + self.between.mul_f64(as_f64(number));
            let left = due.saturating_duration_since(Instant::now());
            if left > TIMER_SLACK {
                thread::sleep((left - TIMER_SLACK).min(NAP));
                if left > NAP {
                    continue;
                }
            }
            self.lock().push_back(due.min(Instant::now()));
            self.waiting.add_permits(1);
            number += 1;
        }
        if stops() {
            self.close();
        } else {
            // Whoever waits when all were let in finds none due.
            self.waiting.add_permits(CONNECTIONS_MAX);
        }
    }

    /// Waits for a request that is due, and tells since when; `None` when no more are let in.
    pub(super) async fn next(&self) -> Option<Instant> {
        self.waiting.acquire().await.ok()?.forget();
        self.lock().pop_front()
    }

    /// How many are due and were not sent.
    pub(super) fn left(&self) -> usize {
        self.lock().len()
    }

    /// Lets none in any more, and ends all waiting.
    pub(super) fn close(&self) {
        self.waiting.close();
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, VecDeque<Instant>> {
        self.due.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[expect(clippy::cast_precision_loss, reason = "a run has far fewer than 2^53 requests")]
fn as_f64(number: u64) -> f64 {
    number as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn requests_arrive_at_their_rate_though_nobody_answers() {
        let arrivals = Arrivals::every(Duration::from_millis(2));
        arrivals.run(Some(5), || false);
        let due: Vec<_> = [arrivals.next().await, arrivals.next().await, arrivals.next().await].into();
        assert_eq!(arrivals.left(), 2);
        assert!(arrivals.next().await.is_some() && arrivals.next().await.is_some());
        assert_eq!(arrivals.next().await, None, "all were let in");
        let first = due[0].expect("it was due");
        for (number, due) in (0..).zip(due) {
            let after = due.expect("it was due") - first;
            assert!(after + TIMER_SLACK >= Duration::from_millis(2) * number, "{after:?}");
        }
    }

    #[tokio::test]
    async fn whoever_waits_for_the_next_one_hears_of_the_end() {
        let arrivals = Arrivals::every(Duration::from_millis(1));
        arrivals.run(None, || true);
        assert_eq!(arrivals.next().await, None);
    }
}
