//! A cluster of its own, in a temporary folder.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::machine;

/// What it is given: it is as durable as the ledger, and has the memory that a machine of its own would give it.
const SETTINGS: [&str; 9] = [
    "fsync=on",
    "synchronous_commit=on",
    "full_page_writes=on",
    "shared_buffers=512MB",
    "max_wal_size=8GB",
    "checkpoint_timeout=15min",
    "wal_compression=lz4",
    "max_connections=100",
    "listen_addresses=",
];

/// How long it may take to start.
const START_MAX: Duration = Duration::from_secs(30);

/// A running PostgreSQL. It ends with the value.
pub(crate) struct Cluster {
    process: Child,
    name: String,
    bin: PathBuf,
    /// Of its socket: a path with room for little more.
    socket: TempDir,
    _data: TempDir,
}

impl Cluster {
    /// Makes one and starts it with these settings too; or says why it cannot.
    pub(crate) fn start(more_settings: &[&str]) -> Result<Self, String> {
        let bin = binaries().ok_or("PostgreSQL is not installed (apt-get install postgresql)")?;
        let (data, socket) = (machine::scratch(), tempfile::tempdir().expect("a folder can be made"));
        let user = User::of_the_server()?;
        user.hand_over(data.path())?;
        user.hand_over(socket.path())?;
        let cluster = data.path().join("cluster");
        let mut initdb = user.command(&bin.join("initdb"));
        initdb.args(["--auth=trust", "--username=postgres", "--encoding=UTF8", "--locale=C", "--pgdata"]);
        let made = initdb.arg(&cluster).output().map_err(|error| format!("initdb cannot be run: {error}"))?;
        if !made.status.success() {
            return Err(format!("initdb failed: {}", String::from_utf8_lossy(&made.stderr).trim()));
        }
        let mut postgres = user.command(&bin.join("postgres"));
        postgres.arg("-D").arg(&cluster).arg("-k").arg(socket.path());
        for setting in SETTINGS.iter().chain(more_settings) {
            postgres.args(["-c", setting]);
        }
        let log = fs::File::create(socket.path().join("log")).expect("a file can be made");
        let process = postgres.stdout(Stdio::null()).stderr(log).spawn();
        let process = process.map_err(|error| format!("postgres cannot be run: {error}"))?;
        let mut cluster = Self { process, name: name(&bin), bin, socket, _data: data };
        cluster.wait()?;
        Ok(cluster)
    }

    /// Its name and version.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// How it is reached.
    pub(super) fn connection(&self) -> String {
        format!("host={} user=postgres dbname=postgres", self.socket.path().display())
    }

    /// A call of one of its clients, such as `psql`.
    pub(super) fn client(&self, name: &str) -> Command {
        let mut client = Command::new(self.bin.join(name));
        client.arg("--host").arg(self.socket.path()).args(["--username", "postgres"]);
        client
    }

    /// Waits until it takes connections.
    fn wait(&mut self) -> Result<(), String> {
        let started = Instant::now();
        while !self.client("pg_isready").arg("--quiet").status().is_ok_and(|status| status.success()) {
            let has_ended = self.process.try_wait().expect("it is our child").is_some();
            if has_ended || started.elapsed() > START_MAX {
                let log = fs::read_to_string(self.socket.path().join("log")).unwrap_or_default();
                return Err(format!("postgres did not start: {}", log.lines().last().unwrap_or("without a word")));
            }
            thread::sleep(Duration::from_millis(50));
        }
        Ok(())
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        // A fast shutdown: its own children go with it. When it is gone already that is as well.
        let _ = Command::new("kill").args(["-INT", &self.process.id().to_string()]).stderr(Stdio::null()).status();
        let _ = self.process.wait();
    }
}

/// Who runs it: it refuses to be run by root.
struct User(Option<String>);

impl User {
    fn of_the_server() -> Result<Self, String> {
        let id = |of: &[&str]| {
            let output = Command::new("id").args(of).output().ok().filter(|output| output.status.success())?;
            Some(String::from_utf8_lossy(&output.stdout).trim().to_owned())
        };
        if id(&["-u"]).as_deref() != Some("0") {
            return Ok(Self(None));
        }
        let other = ["postgres", "nobody"].into_iter().find(|name| id(&["-u", name]).is_some());
        other.map(|name| Self(Some(name.to_owned()))).ok_or_else(|| "there is no user to run PostgreSQL".to_owned())
    }

    fn command(&self, program: &Path) -> Command {
        let Some(name) = &self.0 else { return Command::new(program) };
        let mut command = Command::new("setpriv");
        command.args(["--reuid", name, "--regid", name, "--clear-groups", "--"]).arg(program);
        // Our own folder may be closed to it.
        command.current_dir("/");
        command
    }

    fn hand_over(&self, dir: &Path) -> Result<(), String> {
        let Some(name) = &self.0 else { return Ok(()) };
        let given = Command::new("chown").arg(name).arg(dir).status();
        if !given.is_ok_and(|status| status.success()) {
            return Err(format!("a folder cannot be given to the user {name}"));
        }
        fs::set_permissions(dir, fs::Permissions::from_mode(0o700)).map_err(|error| error.to_string())
    }
}

/// The folder of its programs: where `pg_config` says, where Debian has the newest, or in `PATH`.
fn binaries() -> Option<PathBuf> {
    let mut folders = Vec::new();
    if let Ok(output) = Command::new("pg_config").arg("--bindir").output() {
        folders.push(PathBuf::from(String::from_utf8_lossy(&output.stdout).trim()));
    }
    let mut debian: Vec<PathBuf> = fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path().join("bin"))
        .collect();
    debian.sort();
    folders.extend(debian.into_iter().rev());
    folders.extend(std::env::var_os("PATH").iter().flat_map(std::env::split_paths));
    folders.into_iter().find(|folder| folder.join("initdb").exists() && folder.join("postgres").exists())
}

/// `PostgreSQL 15.14`, of `postgres (PostgreSQL) 15.14 (Debian …)`.
fn name(bin: &Path) -> String {
    let output = Command::new(bin.join("postgres")).arg("--version").output();
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
    format!("PostgreSQL {}", text.split_whitespace().nth(2).unwrap_or("of an unknown version"))
}
