//! The requests of a run: as many bodies as memory is spent on, used lap after lap.

use super::body::{Body, Format, Lap};
use super::generator::Generator;
use super::moment::MomentWriter;

/// How much memory the bodies may take: at 500 bytes an event, more than any chunk of the log holds, so that what is
/// used again never meets its like.
const POOL_MAX_BYTES: usize = 64 * 1024 * 1024;

/// Bodies, prepared.
#[derive(Debug)]
pub(super) struct Pool {
    bodies: Vec<Body>,
    /// The last request, when it has fewer events.
    rest: Option<Body>,
    /// How many requests there are in all; without an end when `None`.
    requests: Option<u64>,
    run: u64,
    lap_ms: i64,
}

impl Pool {
    /// Prepares requests of so many events each, for so many events in all or without an end.
    pub(super) fn prepare(
        mut generator: Generator,
        run: u64,
        format: Format,
        batch: usize,
        events: Option<u64>,
    ) -> Self {
        let whole = events.map(|events| events / batch as u64);
        let rest = events.map_or(0, |events| events % batch as u64);
        let mut body = |events: usize| Body::new(format, (0..events).map(|_| generator.next_event()));
        let (mut bodies, mut bytes) = (Vec::new(), 0);
        while bytes < POOL_MAX_BYTES && whole.is_none_or(|whole| (bodies.len() as u64) < whole) {
            let next = body(batch);
            bytes += next.size_bytes();
            bodies.push(next);
        }
        let rest = (rest > 0).then(|| body(usize::try_from(rest).expect("it is less than a batch")));
        let requests = whole.map(|whole| whole + u64::from(rest.is_some()));
        let lap_ms = generator.elapsed_us() / 1_000 + 1;
        Self { bodies, rest, requests, run, lap_ms }
    }

    /// How many requests there are in all; without an end when `None`.
    pub(super) fn requests(&self) -> Option<u64> {
        self.requests
    }

    /// How many events a request has, from 0 on.
    pub(super) fn events_of(&self, request: u64) -> usize {
        self.body(request).0.events()
    }

    /// How long the body of a request is.
    pub(super) fn body_bytes(&self, request: u64) -> usize {
        self.body(request).0.bytes().len()
    }

    /// Writes the body of a request behind what is there.
    pub(super) fn write(&self, request: u64, moments: &mut MomentWriter, out: &mut Vec<u8>) {
        let (body, lap) = self.body(request);
        let lap = match lap {
            0 => Lap { mask: 0, later_ms: 0 },
            lap => {
                Lap { mask: mix(self.run, lap), later_ms: self.lap_ms * i64::try_from(lap).expect("laps take time") }
            }
        };
        body.write(lap, moments, out);
    }

    fn body(&self, request: u64) -> (&Body, u64) {
        if let Some(rest) = &self.rest
            && self.requests.is_some_and(|requests| request + 1 == requests)
        {
            return (rest, 0);
        }
        let bodies = self.bodies.len() as u64;
        let index = usize::try_from(request % bodies).expect("it is an index");
        (&self.bodies[index], request / bodies)
    }
}

/// A number that tells laps and runs apart (the finalizer of SplitMix64).
fn mix(run: u64, lap: u64) -> u64 {
    let mut z = run.wrapping_add(lap.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn ids(pool: &Pool, requests: u64) -> Vec<String> {
        let (mut moments, mut out) = (MomentWriter::new(), Vec::new());
        (0..requests).for_each(|request| pool.write(request, &mut moments, &mut out));
        let id = |line: &[u8]| {
            let event: serde_json::Value = serde_json::from_slice(line).expect("it is JSON");
            event["id"].as_str().expect("it is text").to_owned()
        };
        out.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).map(id).collect()
    }

    #[test]
    fn so_many_events_are_sent_and_the_last_request_has_the_rest() {
        let pool = Pool::prepare(Generator::new(1, 0), 0, Format::Ndjson, 100, Some(250));
        assert_eq!(pool.requests(), Some(3));
        assert_eq!((0..3).map(|request| pool.events_of(request)).collect::<Vec<_>>(), [100, 100, 50]);
        let mut generator = Generator::new(1, 0);
        let expected: Vec<_> = (0..250).map(|_| generator.next_event().id.text()).collect();
        assert_eq!(ids(&pool, 3), expected);
    }

    #[test]
    fn no_id_comes_twice_in_whatever_lap() {
        let mut pool = Pool::prepare(Generator::new(1, 9), 9, Format::Ndjson, 10, Some(1_000));
        // As if no more had fitted.
        pool.bodies.truncate(7);
        let ids = ids(&pool, 100);
        assert_eq!(ids.len(), 1_000);
        assert_eq!(ids.iter().collect::<HashSet<_>>().len(), 1_000);
    }
}
