//! What the figures were measured on, and where.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

/// One line: processors, memory, kernel.
pub(crate) fn describe() -> String {
    let cores = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
    let model = field("/proc/cpuinfo", "model name").unwrap_or_else(|| "unknown processor".to_owned());
    let memory = field("/proc/meminfo", "MemTotal").unwrap_or_else(|| "unknown memory".to_owned());
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    format!("{cores} × {model}, {memory}, Linux {}", kernel.trim())
}

/// A value that a file of the kernel gives a name to.
pub(crate) fn field(path: &str, name: &str) -> Option<String> {
    let text = fs::read_to_string(path).ok()?;
    let line = text.lines().find(|line| line.starts_with(name))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

/// Where results go: `target/bench`.
pub(crate) fn bench_dir() -> PathBuf {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/bench");
    fs::create_dir_all(&dir).expect("the target folder can be written");
    dir
}

/// A folder on the disk of the target folder: the system's own for such may be memory, which syncs at once.
pub(crate) fn scratch() -> TempDir {
    let dir = bench_dir().join("tmp");
    fs::create_dir_all(&dir).expect("the target folder can be written");
    tempfile::tempdir_in(dir).expect("the target folder can be written")
}

/// Takes away what a bench that was interrupted has left.
pub(crate) fn sweep() {
    // There may be nothing.
    let _ = fs::remove_dir_all(bench_dir().join("tmp"));
}

/// How much is on the disk below a folder: as its files say, and in allocated blocks, as `du` counts.
pub(crate) fn disk_bytes(dir: &Path) -> (u64, u64) {
    let (mut logical, mut allocated) = (0, 0);
    for entry in fs::read_dir(dir).expect("it is a folder").map(|entry| entry.expect("it can be listed")) {
        // A file may go while it is looked at.
        let Ok(metadata) = entry.metadata() else { continue };
        if metadata.is_dir() {
            let (more_logical, more_allocated) = disk_bytes(&entry.path());
            logical += more_logical;
            allocated += more_allocated;
        } else {
            logical += metadata.len();
            allocated += metadata.blocks() * 512;
        }
    }
    (logical, allocated)
}

/// Lets the system forget what it has read from its disks, where that is allowed, and all of a folder: whether it has.
pub(crate) fn drop_page_cache(dir: &Path) -> bool {
    // What is still to be written would stay.
    sync_files(dir);
    fs::write("/proc/sys/vm/drop_caches", "1").is_ok()
}

fn sync_files(dir: &Path) {
    for entry in fs::read_dir(dir).expect("it is a folder").map(|entry| entry.expect("it can be listed")) {
        let path = entry.path();
        if path.is_dir() {
            sync_files(&path);
            continue;
        }
        // A file may go while it is looked at.
        let Ok(file) = fs::File::open(&path) else { continue };
        file.sync_all().expect("the disk works");
    }
}

/// How many bytes this process has given to writes. (`write_bytes` counts whole folios of the page cache.)
pub(crate) fn written_bytes() -> u64 {
    field("/proc/self/io", "wchar").and_then(|text| text.parse().ok()).expect("Linux counts them")
}
