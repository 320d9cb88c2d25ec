//! Many senders at once.

use std::collections::HashMap;
use std::thread;

use ledger_event::{EventId, Position};

use super::{Setup, Subject, all_chunks, append, numbered};
use crate::event_log::Appended;

const SENDERS: u64 = 8;
const REQUESTS: u64 = 25;

/// Each request has the positions it was told, in a row, in its order, in exactly one chunk.
pub fn concurrent_requests_are_each_whole_in_one_chunk<S: Subject>() {
    let subject = S::open(Setup::default());
    let numbers = |sender: u64, request: u64| {
        let first = (sender * REQUESTS + request) * 100;
        first..=first + (sender + request) % 5
    };
    let answers: Vec<(u64, u64, Appended)> = thread::scope(|scope| {
        let send_all = |sender: u64| {
            let log = subject.log();
            let send = move |request| {
                let events = numbers(sender, request).map(numbered).collect();
                (sender, request, append(log, events).expect("it is appended"))
            };
            scope.spawn(move || (0..REQUESTS).map(send).collect::<Vec<_>>())
        };
        let senders: Vec<_> = (0..SENDERS).map(send_all).collect();
        senders.into_iter().flat_map(|sender| sender.join().expect("its appends went through")).collect()
    });

    let mut places: HashMap<EventId, (usize, Position)> = HashMap::new();
    for (index, chunk) in all_chunks(subject.log()).iter().enumerate() {
        for (offset, event) in chunk.events.iter().enumerate() {
            let id = event.decode().expect("it was encoded").id;
            assert!(places.insert(id, (index, chunk.first.plus(offset as u64))).is_none(), "it is stored once");
        }
    }
    for (sender, request, appended) in answers {
        let (first, last) = appended.positions.expect("its ids are its own");
        let stored: Vec<(usize, Position)> =
            numbers(sender, request).map(|number| places[&numbered(number).event.id]).collect();
        assert!(stored.iter().all(|(chunk, _)| *chunk == stored[0].0), "a request is never split");
        let positions: Vec<u64> = stored.iter().map(|(_, position)| position.get()).collect();
        assert_eq!(positions, (first.get()..=last.get()).collect::<Vec<_>>());
    }
}

/// However many send the same at once, it is stored once, and all are told where.
pub fn of_concurrent_equal_requests_one_is_stored<S: Subject>() {
    let subject = S::open(Setup::default());
    for round in 0..10 {
        let events = move || (round * 10..round * 10 + 3).map(numbered).collect();
        let answers: Vec<Appended> = thread::scope(|scope| {
            let log = subject.log();
            let senders: Vec<_> = (0..SENDERS).map(|_| scope.spawn(move || append(log, events()))).collect();
            let joined = senders.into_iter().map(|sender| sender.join().expect("it does not panic"));
            joined.map(|answer| answer.expect("it is appended or a duplicate")).collect()
        });
        assert_eq!(answers.iter().map(|answer| answer.appended).sum::<u64>(), 3);
        assert_eq!(answers.iter().map(|answer| answer.duplicates).sum::<u64>(), 3 * (SENDERS - 1));
        assert!(answers.iter().all(|answer| answer.readable_at == Position::new((round + 1) * 3)));
    }
}
