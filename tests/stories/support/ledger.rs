//! A ledger's folder, for one story.

use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::client::Client;
use super::program::Program;
use super::server::Server;

/// A folder of its own, with the ledger in `data`. It goes when the story ends.
#[derive(Debug)]
pub(crate) struct Ledger {
    folder: TempDir,
}

/// A token, and the id that it is revoked by.
#[derive(Clone, Debug)]
pub(crate) struct Token {
    pub(crate) secret: String,
    pub(crate) id: String,
}

impl Ledger {
    pub(crate) fn new() -> Self {
        Self { folder: tempfile::tempdir().expect("there is room for a folder") }
    }

    /// A place beside the ledger.
    pub(crate) fn beside(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn data_dir(&self) -> PathBuf {
        self.beside("data")
    }

    /// The files of the current views.
    pub(crate) fn current_views(&self) -> PathBuf {
        let views = self.data_dir().join("views");
        let current = std::fs::read_to_string(views.join("CURRENT")).expect("there are views");
        views.join(current.trim_end())
    }

    /// Makes a token with the arguments of `token create`.
    pub(crate) fn token(&self, arguments: &str) -> Token {
        let create = Program::line("token create").arg("--data-dir").arg(self.data_dir());
        let create = arguments.split_whitespace().fold(create, Program::arg);
        let created = create.run().expect_code(0);
        Token { secret: created.stdout.trim_end().to_owned(), id: created.stderr.trim_end().to_owned() }
    }

    /// A token that may append to and read one workspace.
    pub(crate) fn workspace_token(&self, workspace: &str) -> Token {
        self.token(&format!("--workspace {workspace} --scope append --scope read"))
    }

    pub(crate) fn revoke(&self, token: &Token) {
        Program::line("token revoke").arg(&token.id).arg("--data-dir").arg(self.data_dir()).run().expect_code(0);
    }

    /// Serves, and waits until the server is ready.
    pub(crate) async fn serve(&self) -> Server {
        self.serve_with(|program| program).await
    }

    /// The same with more arguments or variables.
    pub(crate) async fn serve_with(&self, more: impl FnOnce(Program) -> Program) -> Server {
        Server::start(more(self.serve_program()), &self.beside("stderr.log")).await
    }

    /// The call that serves, on a free port.
    pub(crate) fn serve_program(&self) -> Program {
        Self::serve_program_in(&self.data_dir())
    }

    fn serve_program_in(data_dir: &Path) -> Program {
        Program::line("serve --listen 127.0.0.1:0 --data-dir").arg(data_dir)
    }
}

/// A fresh ledger that is served, and a client that may append to and read that workspace.
pub(crate) async fn serve_workspace(workspace: &str) -> (Ledger, Server, Client) {
    let ledger = Ledger::new();
    let token = ledger.workspace_token(workspace);
    let server = ledger.serve().await;
    let client = server.client(&token);
    (ledger, server, client)
}
