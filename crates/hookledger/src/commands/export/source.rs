//! Where an export reads: the log of a folder, or the feed of a server.

use std::sync::Arc;

use anyhow::{Context, anyhow, bail, ensure};
use ledger_event::{Completion, Event, EventDraft, Position, Timestamp, WorkspaceId, parse_json};
use ledger_feed::LEDGER_NEXT_POSITION;
use ledger_log::{Chunk, EventLog, SledLog};
use serde::Deserialize;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::client::{LedgerClient, number, position};
use crate::target::Target;
use crate::tool::Tool;

/// How many pieces are read ahead of the one that is written.
const READ_AHEAD_PIECES: usize = 4;

/// Events that are asked of a server at a time; it gives fewer when they are large.
const PAGE_EVENTS: u64 = 10_000;

/// How often a page is read again whose answer broke off.
const PAGE_TRIES: u32 = 5;

/// The positions that are wanted, both ends included.
#[derive(Clone, Copy, Debug)]
pub(super) struct Range {
    from: u64,
    to: Option<u64>,
}

/// A source that is open, with the positions that it will read.
pub(super) struct Source {
    from: u64,
    to: u64,
    workspace_id: Option<WorkspaceId>,
    of: Of,
}

enum Of {
    /// A folder; `None` when it has no log yet.
    Folder(Box<Tool>),
    Server {
        client: LedgerClient,
        /// Whether lines are to be read as events.
        needs_events: bool,
    },
}

/// Some events, in order.
#[derive(Debug)]
pub(super) struct Piece {
    pub(super) content: Content,
    /// How many positions have been read when it ends, of those that are wanted.
    pub(super) positions_done: u64,
}

/// What a piece holds.
#[derive(Debug)]
pub(super) enum Content {
    /// Events.
    Events(Vec<Recorded>),
    /// Lines as the server wrote them, each with its line break, and how many there are.
    Lines(Vec<u8>, u64),
}

/// An event and where it stands.
#[derive(Debug)]
pub(super) struct Recorded {
    pub(super) position: Position,
    pub(super) recorded_at: Timestamp,
    pub(super) event: Event,
}

/// Where a line of the feed stands.
#[derive(Deserialize)]
struct Place {
    position: Position,
    recorded_at: Timestamp,
}

/// What takes the pieces of a source.
type Pieces = mpsc::Sender<anyhow::Result<Piece>>;

impl Range {
    /// The range of those arguments.
    pub(super) fn new(from: Option<u64>, to: Option<u64>) -> anyhow::Result<Self> {
        let from = from.unwrap_or(1);
        if let Some(to) = to {
            ensure!(from <= to, "--from {from} is after --to {to}: both are included, the first at most the last");
        }
        Ok(Self { from, to })
    }

    /// The positions of a log that ends at `head`. A range that begins right after it is empty: nothing is new.
    fn within(self, head: u64) -> anyhow::Result<(u64, u64)> {
        let Self { from, to } = self;
        if let Some(to) = to {
            ensure!(to <= head, "--to {to} is beyond the end of the log, position {head}");
        }
        ensure!(from <= head + 1, "--from {from} is beyond the end of the log, position {head}");
        Ok((from, to.unwrap_or(head)))
    }
}

impl Source {
    /// Opens the ledger and sees how far it goes.
    pub(super) async fn open(
        target: &Target,
        range: Range,
        workspace_id: Option<WorkspaceId>,
        needs_events: bool,
    ) -> anyhow::Result<Self> {
        match target {
            Target::DataDir(path) => {
                let path = path.clone();
                let opened = tokio::task::spawn_blocking(move || Tool::open(&path)).await;
                let tool = opened.context("opening the ledger failed")??;
                let head = tool.log().map_or(0, |log| log.head().position.get());
                let (from, to) = range.within(head)?;
                Ok(Self { from, to, workspace_id, of: Of::Folder(Box::new(tool)) })
            }
            Target::Server(server) => {
                let client = server.client()?;
                let url = page_url(&client, 1, 1, workspace_id.as_ref())?;
                let answer = client.get_patiently(&url, 0).await?;
                let (from, to) = range.within(position(answer.headers())?)?;
                Ok(Self { from, to, workspace_id, of: Of::Server { client, needs_events } })
            }
        }
    }

    /// How many positions will be read.
    pub(super) fn positions(&self) -> u64 {
        (self.to + 1).saturating_sub(self.from)
    }

    /// Starts to read ahead. Failures come among the pieces; the task ends when all is read or nobody takes it.
    pub(super) fn start(self) -> anyhow::Result<(mpsc::Receiver<anyhow::Result<Piece>>, JoinHandle<()>)> {
        let (to, pieces) = mpsc::channel(READ_AHEAD_PIECES);
        let reading = match self.of {
            Of::Folder(tool) => {
                let (from, until, workspace_id) = (self.from, self.to, self.workspace_id);
                tokio::task::spawn_blocking(move || {
                    if let Some(log) = tool.log() {
                        read_log(log, (from, until), workspace_id.as_ref(), &to);
                    }
                })
            }
            Of::Server { client, needs_events } => {
                let feed = Feed { client, from: self.from, to: self.to, workspace_id: self.workspace_id, needs_events };
                tokio::spawn(async move {
                    if let Err(error) = feed.read(&to).await {
                        // Whoever does not listen any more has a reason of its own.
                        let _ = to.send(Err(error)).await;
                    }
                })
            }
        };
        Ok((pieces, reading))
    }
}

/// Reads the chunks of a log.
fn read_log(log: &Arc<SledLog>, (from, to): (u64, u64), workspace_id: Option<&WorkspaceId>, pieces: &Pieces) {
    let mut next = from;
    while next <= to {
        let chunk = match log.chunk_at(Position::new(next)) {
            Ok(Some(chunk)) => chunk,
            Ok(None) => return,
            Err(error) => {
                let _ = pieces.blocking_send(Err(anyhow!(error)));
                return;
            }
        };
        let events = events_of(&chunk, (next, to), workspace_id);
        next = chunk.last().next().get();
        let positions_done = next.min(to + 1) - from;
        let piece = events.map(|events| Piece { content: Content::Events(events), positions_done });
        let is_failed = piece.is_err();
        if pieces.blocking_send(piece).is_err() || is_failed {
            return;
        }
    }
}

/// The wanted events of a chunk.
fn events_of(
    chunk: &Chunk,
    (from, to): (u64, u64),
    workspace_id: Option<&WorkspaceId>,
) -> anyhow::Result<Vec<Recorded>> {
    let mut events = Vec::with_capacity(chunk.events.len());
    for (index, stored) in chunk.events.iter().enumerate() {
        let position = chunk.first.plus(index as u64);
        if !(from..=to).contains(&position.get()) {
            continue;
        }
        let event = stored.decode().with_context(|| format!("the event at position {position} is damaged"))?;
        if workspace_id.is_none_or(|workspace_id| *workspace_id == event.workspace_id) {
            events.push(Recorded { position, recorded_at: chunk.recorded_at, event });
        }
    }
    Ok(events)
}

fn page_url(
    client: &LedgerClient,
    from: u64,
    limit: u64,
    workspace_id: Option<&WorkspaceId>,
) -> anyhow::Result<reqwest::Url> {
    let mut query = vec![("from", from.to_string()), ("limit", limit.to_string())];
    query.extend(workspace_id.map(|id| ("workspace_id", id.to_string())));
    client.url(&["v1", "events"], &query)
}

/// The feed of a server, page by page.
struct Feed {
    client: LedgerClient,
    from: u64,
    to: u64,
    workspace_id: Option<WorkspaceId>,
    needs_events: bool,
}

impl Feed {
    async fn read(&self, pieces: &Pieces) -> anyhow::Result<()> {
        let mut next = self.from;
        while next <= self.to {
            let (lines, after) = self.page(next).await?;
            ensure!(after > next, "the ledger's page from position {next} goes on at {after}, not beyond it");
            next = after;
            let content = self.content(&lines)?;
            let positions_done = next.min(self.to + 1) - self.from;
            if pieces.send(Ok(Piece { content, positions_done })).await.is_err() {
                return Ok(());
            }
        }
        Ok(())
    }

    /// A page and where the next one begins. An answer that breaks off is asked for again: it changes nothing.
    async fn page(&self, from: u64) -> anyhow::Result<(Vec<u8>, u64)> {
        let limit = PAGE_EVENTS.min(self.to + 1 - from);
        let url = page_url(&self.client, from, limit, self.workspace_id.as_ref())?;
        for tries in 1.. {
            let answer = self.client.get_patiently(&url, 0).await?;
            let next = number(answer.headers(), LEDGER_NEXT_POSITION.as_str())?;
            match answer.bytes().await {
                Ok(body) => return Ok((body.into(), next)),
                Err(error) if tries == PAGE_TRIES => bail!(self.client.unreachable(&error)),
                Err(_) => {}
            }
        }
        unreachable!("the last try returns")
    }

    /// The lines of a page up to the last position that is wanted.
    fn content(&self, page: &[u8]) -> anyhow::Result<Content> {
        let (mut lines, mut count, mut events) = (Vec::new(), 0, Vec::new());
        for line in page.split_inclusive(|byte| *byte == b'\n') {
            let place: Place = serde_json::from_slice(line).context("a line of the ledger's answer is no event")?;
            if place.position.get() > self.to {
                break;
            }
            if self.needs_events {
                events.push(recorded(line, &place)?);
            } else {
                lines.extend_from_slice(line);
                count += 1;
            }
        }
        Ok(if self.needs_events { Content::Events(events) } else { Content::Lines(lines, count) })
    }
}

/// The event of a line, to which nothing is added and of which nothing is cut.
fn recorded(line: &[u8], place: &Place) -> anyhow::Result<Recorded> {
    let cannot = || format!("the event at position {} is not one that this version knows", place.position);
    let draft: EventDraft = parse_json(line).with_context(cannot)?;
    let received_at = place.recorded_at;
    let completion = Completion { workspace_id: None, received_at, text_cut_bytes: usize::MAX };
    let id = || ledger_event::EventId::parse("none").expect("it is an id");
    let completed = draft.complete(&completion, id).with_context(cannot)?;
    Ok(Recorded { position: place.position, recorded_at: place.recorded_at, event: completed.event })
}
