//! Events as the bytes of an answer, in pieces.

use std::io::Write;

use axum::body::Bytes;
use ledger_event::{Position, RecordedEvent};

use crate::accept::{Form, PageForm};

/// What a piece of an answer holds about, in bytes: at least so much unless it is the last, at most one event more.
pub(crate) const PIECE_BYTES: usize = 64 * 1024;

/// Events as the bytes of an answer. Each piece ends where an event ends.
pub(crate) struct Lines {
    form: Form,
    pieces: Vec<Bytes>,
    open: Vec<u8>,
    events: usize,
    bytes: usize,
}

impl Lines {
    pub(crate) fn new(form: Form) -> Self {
        let open = match form {
            Form::Page(PageForm::Json) => b"{\"events\":[".to_vec(),
            Form::Page(PageForm::NdJson) | Form::EventStream => Vec::new(),
        };
        Self { form, pieces: Vec::new(), open, events: 0, bytes: 0 }
    }

    /// How many events there are.
    pub(crate) fn events(&self) -> usize {
        self.events
    }

    /// How many bytes they take.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(crate) fn push(&mut self, event: &RecordedEvent<'_>) {
        let before = self.open.len();
        match self.form {
            Form::Page(PageForm::NdJson) => {
                self.json(event);
                self.open.push(b'\n');
            }
            Form::Page(PageForm::Json) => {
                if self.events > 0 {
                    self.open.push(b',');
                }
                self.json(event);
            }
            Form::EventStream => {
                let kind = event.event.data.kind().as_str();
                self.write(format_args!("id: {}\nevent: {kind}\ndata: ", event.position));
                // JSON text has no line end: white space between its tokens is gone, and in strings it is escaped.
                self.json(event);
                self.open.extend_from_slice(b"\n\n");
            }
        }
        self.events += 1;
        self.bytes += self.open.len() - before;
        if self.open.len() >= PIECE_BYTES {
            self.cut();
        }
    }

    /// The pieces, with what ends a page that goes on at `next` of a log that ends at `head`.
    pub(crate) fn finish(mut self, next: Position, head: Position) -> Vec<Bytes> {
        match self.form {
            Form::Page(PageForm::Json) => self.write(format_args!("],\"next_position\":{next},\"head\":{head}}}\n")),
            Form::Page(PageForm::NdJson) | Form::EventStream => {}
        }
        if !self.open.is_empty() {
            self.cut();
        }
        self.pieces
    }

    fn json(&mut self, event: &RecordedEvent<'_>) {
        serde_json::to_writer(&mut self.open, event).expect("an event is plain maps, text, integers and JSON text");
    }

    fn write(&mut self, text: std::fmt::Arguments<'_>) {
        self.open.write_fmt(text).expect("memory takes all that is written");
    }

    fn cut(&mut self) {
        self.pieces.push(Bytes::from(std::mem::take(&mut self.open)));
    }
}
