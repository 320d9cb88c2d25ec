//! Where lines come from: files and standard input, plain or compressed by zstd.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Context, bail};

/// The longest line that is read, in bytes: an event at all its bounds, each character escaped, is shorter.
pub(super) const LINE_MAX_BYTES: usize = 4 * 1024 * 1024;

/// How much is read at a time, in bytes.
const BUFFER_BYTES: usize = 256 * 1024;

/// How large the window of a compressed input may be, as a power of two: what zstd reads without being asked to.
const ZSTD_WINDOW_LOG_MAX: u32 = 27;

const ZSTD_MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];
const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];

/// An input that is there.
#[derive(Debug)]
pub(super) struct Input {
    /// `None` for standard input.
    path: Option<PathBuf>,
    /// As it is told.
    pub(super) name: Arc<str>,
    /// How large it is, where that can be known.
    pub(super) size_bytes: Option<u64>,
}

/// What was read so far of all inputs.
#[derive(Debug, Default)]
pub(super) struct InputBytes {
    bytes: AtomicU64,
    lines: AtomicU64,
}

/// The lines of an input, each within [`LINE_MAX_BYTES`].
pub(super) struct Lines {
    reader: Box<dyn BufRead>,
    line: Vec<u8>,
    /// The number of the line that is read, or was read last, from 1.
    pub(super) number: u64,
    /// Whether that line ended with a line break.
    pub(super) is_ended: bool,
}

impl Input {
    /// Finds the input of that name, before anything is read: a missing file stops it before anything is appended.
    pub(super) fn find(path: &Path) -> anyhow::Result<Self> {
        if path.as_os_str() == "-" {
            return Ok(Self { path: None, name: "standard input".into(), size_bytes: None });
        }
        let metadata = path.metadata().with_context(|| format!("cannot read {}", path.display()))?;
        if metadata.is_dir() {
            bail!("{} is a folder: name files of events, an event a line", path.display());
        }
        let size_bytes = metadata.is_file().then_some(metadata.len());
        Ok(Self { path: Some(path.to_owned()), name: path.display().to_string().into(), size_bytes })
    }

    /// Opens it for reading.
    pub(super) fn open(&self, counted: &Arc<InputBytes>) -> anyhow::Result<Lines> {
        let reader = self.open_reader(counted).with_context(|| format!("cannot read {}", self.name))?;
        Ok(Lines { reader, line: Vec::new(), number: 0, is_ended: true })
    }

    fn open_reader(&self, counted: &Arc<InputBytes>) -> anyhow::Result<Box<dyn BufRead>> {
        let source: Box<dyn Read> = match &self.path {
            Some(path) => Box::new(File::open(path)?),
            None => Box::new(io::stdin().lock()),
        };
        let counting = Counting { source, counted: Arc::clone(counted) };
        let mut reader = BufReader::with_capacity(BUFFER_BYTES, counting);
        let start = reader.fill_buf()?;
        if start.starts_with(&GZIP_MAGIC) {
            bail!("it is compressed by gzip, which is not read here: gunzip -c FILE | hookledger ingest … -");
        }
        if !start.starts_with(&ZSTD_MAGIC) {
            return Ok(Box::new(reader));
        }
        let mut decoder = zstd::Decoder::with_buffer(reader)?;
        decoder.window_log_max(ZSTD_WINDOW_LOG_MAX)?;
        Ok(Box::new(BufReader::with_capacity(BUFFER_BYTES, decoder)))
    }
}

impl Lines {
    /// The next line that is not blank, without white space around it.
    pub(super) fn next(&mut self, counted: &InputBytes) -> anyhow::Result<Option<&[u8]>> {
        loop {
            self.line.clear();
            self.number += 1;
            let mut limited = (&mut self.reader).take(LINE_MAX_BYTES as u64 + 1);
            if limited.read_until(b'\n', &mut self.line)? == 0 {
                return Ok(None);
            }
            counted.lines.fetch_add(1, Ordering::Relaxed);
            self.is_ended = self.line.ends_with(b"\n");
            if self.line.len() > LINE_MAX_BYTES {
                bail!("is longer than {LINE_MAX_BYTES} bytes");
            }
            if !self.line.trim_ascii().is_empty() {
                break;
            }
        }
        Ok(Some(self.line.trim_ascii()))
    }
}

impl InputBytes {
    /// The bytes read, compressed ones as they came.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// The lines read, blank ones too.
    pub(super) fn lines(&self) -> u64 {
        self.lines.load(Ordering::Relaxed)
    }
}

/// Counts what is read.
struct Counting {
    source: Box<dyn Read>,
    counted: Arc<InputBytes>,
}

impl Read for Counting {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let bytes = self.source.read(buffer)?;
        self.counted.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
        Ok(bytes)
    }
}
