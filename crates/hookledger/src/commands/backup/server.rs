//! Backups through a running server, which goes on taking events.

use std::fs::{self, File, OpenOptions};
use std::io::{BufReader, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail, ensure};
use ledger_event::Position;
use ledger_log::{Head, SealedSegment, SegmentReader, segment_path, tail_path};
use serde::Deserialize;

use super::{Copied, prepare, remove_old_tails};
use crate::client::{LedgerClient, Server};
use crate::durable;
use crate::progress::Progress;

#[derive(Deserialize)]
struct SegmentList {
    ledger_id: String,
    head: String,
    first_unsealed: Position,
    segments: Vec<Listed>,
}

#[derive(Deserialize)]
struct Listed {
    first: Position,
    last: Position,
    hash: String,
}

/// Copies what the backup lacks.
pub(super) async fn backup(server: &Server, output: &Path) -> anyhow::Result<Copied> {
    let client = server.client()?;
    let url = client.url(&["v1", "log", "segments"], &[])?;
    let list = client.get_patiently(&url, 0).await?.text().await?;
    let list: SegmentList =
        serde_json::from_str(&list).with_context(|| format!("{url} does not list segments: is it a ledger?"))?;
    let mut head: Head = list.head.parse().with_context(|| format!("{url} does not tell where the log ends"))?;
    prepare(output, None)?;
    let progress = Progress::new("copying", list.segments.len() as u64, "segments");
    let mut new = 0;
    for (done, listed) in (1..).zip(&list.segments) {
        let path = segment_path(output, listed.first);
        if !path.exists() {
            copy(&client, listed.first, &path, &list.ledger_id).await?;
            new += 1;
        }
        see_that_it_is(listed, &path)?;
        progress.reached(done);
    }
    progress.finish();
    let mut tail = None;
    if head.position.next() != list.first_unsealed {
        let copied = copy_tail(&client, list.first_unsealed, output, &list.ledger_id).await?;
        head = Head { position: copied.footer.last, hash: copied.footer.hash };
        tail = Some(copied);
    }
    remove_old_tails(output, tail.as_ref(), head.position)?;
    let tails = usize::from(tail.is_some());
    Ok(Copied { head, segments: list.segments.len() + tails, new: new + tails })
}

/// A segment that is there is the one that the server has, or is left alone.
fn see_that_it_is(listed: &Listed, path: &Path) -> anyhow::Result<()> {
    let found = SealedSegment::of_file(path)?;
    ensure!(
        (found.footer.last, found.footer.hash.to_string()) == (listed.last, listed.hash.clone()),
        "{} is another segment than the server's, and is left as it is: move it away, or name another folder",
        path.display()
    );
    Ok(())
}

/// Copies what is not sealed, or has been by now.
async fn copy_tail(
    client: &LedgerClient,
    first: Position,
    dir: &Path,
    ledger_id: &str,
) -> anyhow::Result<SealedSegment> {
    let path = tail_path(dir, first, first);
    let copied = copy(client, first, &path, ledger_id).await?;
    let named = tail_path(dir, first, copied.footer.last);
    fs::rename(&path, &named).with_context(|| format!("cannot rename to {}", named.display()))?;
    durable::sync_folder(dir)?;
    Ok(SealedSegment { path: named, ..copied })
}

/// Copies a segment: it appears under its name when every chunk of it was found to be right.
async fn copy(client: &LedgerClient, first: Position, path: &Path, ledger_id: &str) -> anyhow::Result<SealedSegment> {
    let temporary = path.with_added_extension("writing");
    let copied = download(client, first, &temporary).await.and_then(|()| verify(&temporary, ledger_id));
    if let Err(error) = copied {
        fs::remove_file(&temporary).ok();
        return Err(error);
    }
    fs::rename(&temporary, path).with_context(|| format!("cannot rename to {}", path.display()))?;
    durable::sync_folder(path.parent().unwrap_or(Path::new(".")))?;
    Ok(SealedSegment::of_file(path)?)
}

async fn download(client: &LedgerClient, first: Position, to: &PathBuf) -> anyhow::Result<()> {
    let url = client.url(&["v1", "log", "segments", &first.to_string()], &[])?;
    let mut answer = client.download(&url).await?;
    let cannot = || format!("cannot write {}", to.display());
    // It holds what webhooks carried: it is for its owner alone.
    let opened = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(to);
    let mut file = opened.with_context(cannot)?;
    while let Some(piece) = answer.chunk().await.with_context(|| format!("the answer of {url} broke off"))? {
        file.write_all(&piece).with_context(cannot)?;
    }
    file.sync_all().with_context(cannot)
}

fn verify(path: &Path, ledger_id: &str) -> anyhow::Result<()> {
    let file = File::open(path).with_context(|| format!("cannot read {}", path.display()))?;
    let mut reader = SegmentReader::open(BufReader::with_capacity(1 << 20, file))?;
    let identity = reader.header().identity;
    if identity.ledger_id.to_string() != ledger_id {
        bail!("the server sent a segment of another ledger");
    }
    while let Some((encoded, _)) = reader.next_chunk().context("what the server sent is not whole")? {
        encoded.verify(&identity).context("what the server sent is not right")?;
    }
    Ok(())
}
