//! How far a tool is: a bar on standard error when that is a terminal, and nothing otherwise.

use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// How often the bar is drawn at most, a second.
const DRAWS_PER_SECOND: u8 = 10;

/// How often the bar moves on by itself, so that its clock does not stand still.
const TICK: Duration = Duration::from_millis(250);

/// A bar, with a rate and the time that is left. It goes with the value.
#[derive(Debug)]
pub(crate) struct Progress {
    bar: ProgressBar,
    started: Instant,
}

impl Progress {
    /// A bar of what is done, over so many of something.
    pub(crate) fn new(doing: &'static str, total: u64, of_what: &'static str) -> Self {
        let template = format!(
            "{doing} {{bar:30}} {{percent:>3}} %  {{human_pos}} of {{human_len}} {of_what}  {{per_sec}}  {{eta}} left"
        );
        Self::drawn(Some(total), &template, ProgressDrawTarget::stderr_with_hz(DRAWS_PER_SECOND))
    }

    /// A bar of what is done, over positions of the log.
    pub(crate) fn of_positions(doing: &'static str, total: u64) -> Self {
        Self::new(doing, total, "events")
    }

    /// A bar over bytes of input, which tells events; where nobody knows the total it only counts them.
    pub(crate) fn of_bytes(doing: &'static str, total: Option<u64>) -> Self {
        let template = match total {
            Some(_) => format!("{doing} {{bar:30}} {{percent:>3}} %  {{msg}}  {{eta}} left"),
            None => format!("{doing} {{spinner}} {{elapsed}}  {{msg}}"),
        };
        Self::drawn(total, &template, ProgressDrawTarget::stderr_with_hz(DRAWS_PER_SECOND))
    }

    /// No bar, where what is written fills the terminal already.
    pub(crate) fn none() -> Self {
        Self { bar: ProgressBar::hidden(), started: Instant::now() }
    }

    fn drawn(total: Option<u64>, template: &str, target: ProgressDrawTarget) -> Self {
        // The target draws nothing where standard error is no terminal.
        let bar = ProgressBar::with_draw_target(total, target);
        bar.set_style(ProgressStyle::with_template(template).expect("the template is well formed"));
        if !bar.is_hidden() {
            bar.enable_steady_tick(TICK);
        }
        Self { bar, started: Instant::now() }
    }

    /// So much is done.
    pub(crate) fn reached(&self, done: u64) {
        self.bar.set_position(done);
    }

    /// So many bytes are done, which are so many events.
    pub(crate) fn reached_with(&self, bytes: u64, events: u64) {
        if self.bar.is_hidden() {
            return;
        }
        self.bar.set_position(bytes);
        self.bar.set_message(format!("{events} events, {:.0}/s", per_second(events, self.started.elapsed())));
    }

    /// Takes the bar away.
    pub(crate) fn finish(self) {}
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

/// So many in a second.
#[expect(clippy::cast_precision_loss, reason = "a rate is told in a few digits")]
pub(crate) fn per_second(count: u64, elapsed: Duration) -> f64 {
    count as f64 / elapsed.as_secs_f64().max(1e-9)
}
