//! Events as the bytes of an export.

use std::io::{self, Write};

use ledger_event::RecordedEvent;

use super::Format;
use super::attempt_rows::AttemptRows;
use super::output::Output;
use super::source::{Content, Piece, Recorded};

/// Writes events in one format.
pub(super) enum Encoder {
    Ndjson(Output),
    Msgpack(Output),
    Csv(Box<AttemptRows<Output>>),
}

impl Encoder {
    /// Writes in that format.
    pub(super) fn new(format: Format, output: Output) -> Self {
        match format {
            Format::Ndjson => Self::Ndjson(output),
            Format::Msgpack => Self::Msgpack(output),
            Format::Csv => Self::Csv(Box::new(AttemptRows::new(output))),
        }
    }

    /// Writes the events of a piece, and says how many there were.
    pub(super) fn write(&mut self, piece: &Piece) -> io::Result<u64> {
        match &piece.content {
            Content::Events(events) => {
                for recorded in events {
                    self.write_event(recorded)?;
                }
                Ok(events.len() as u64)
            }
            Content::Lines(lines, count) => {
                match self {
                    Self::Ndjson(output) => output.write_all(lines)?,
                    Self::Msgpack(_) | Self::Csv(_) => unreachable!("they are read as events"),
                }
                Ok(*count)
            }
        }
    }

    fn write_event(&mut self, recorded: &Recorded) -> io::Result<()> {
        let Recorded { position, recorded_at, event } = recorded;
        let shown = RecordedEvent { position: *position, recorded_at: *recorded_at, event };
        match self {
            Self::Ndjson(output) => {
                serde_json::to_writer(&mut *output, &shown)?;
                output.write_all(b"\n")
            }
            Self::Msgpack(output) => {
                // Into memory first: its errors would hide those of the output.
                let packed = rmp_serde::to_vec_named(&shown).map_err(io::Error::other)?;
                output.write_all(&packed)
            }
            Self::Csv(rows) => rows.write(recorded),
        }
    }

    /// Writes what is left, and gives a file its name.
    pub(super) fn finish(self) -> anyhow::Result<()> {
        match self {
            Self::Ndjson(output) | Self::Msgpack(output) => output.finish(),
            Self::Csv(rows) => rows.finish()?.finish(),
        }
    }
}
