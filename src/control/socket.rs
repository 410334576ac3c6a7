//! The daemon's Unix socket: connections, each with its commands one after the other.

use super::people::Guests;
use super::{Answer, Command, LINE_BYTES_MAX, Within, user_name};
use crate::event::{LogEvent, chain};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::Semaphore;

/// Commands carried out at a time.
const CONNECTIONS_MAX: usize = 16;

/// How long the daemon waits for a connection's next command, and for it to take an answer: whoever does neither must not keep
/// others out.
const COMMAND_TIMEOUT: Duration = Duration::from_secs(10);

/// Between two attempts to accept when the operating system refuses.
const ACCEPT_AGAIN: Duration = Duration::from_millis(100);

/// The daemon's socket.
#[derive(Debug)]
pub struct Socket {
    listener: tokio::net::UnixListener,
    path: PathBuf,
}

impl Socket {
    /// Listens in systemd's runtime directory, else beside the ledger, else, where a file system takes no sockets or the path is
    /// too long for one, in the directory for temporary files. The caller holds the ledger's lock, so what lies there is
    /// nobody's.
    pub fn bind(ledger: &Path, runtime_dir: Option<&Path>) -> io::Result<Self> {
        let of_this_process = format!("ballot-intake-{}.sock", std::process::id());
        let place = runtime_dir
            .map_or_else(|| ledger.with_extension("sock"), |dir| dir.join("control.sock"));
        Self::bind_at(place)
            .or_else(|_elsewhere| Self::bind_at(std::env::temp_dir().join(of_this_process)))
    }

    fn bind_at(path: PathBuf) -> io::Result<Self> {
        match std::fs::remove_file(&path) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
            _ => {}
        }
        let listener = tokio::net::UnixListener::bind(&path)?;
        let socket = Self { listener, path };
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o660);
        std::fs::set_permissions(&socket.path, mode)?;
        Ok(socket)
    }

    /// Where it listens.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Takes commands until `shutdown` completes.
    pub async fn serve(self, daemon: Within, shutdown: impl Future<Output = ()>) {
        let room = Arc::new(Semaphore::new(CONNECTIONS_MAX));
        let mut connections = tokio::task::JoinSet::new();
        tokio::pin!(shutdown);
        loop {
            let accepted = tokio::select! {
                biased;
                () = &mut shutdown => break,
                Some(_) = connections.join_next(), if !connections.is_empty() => continue,
                accepted = accept(&self.listener, &room) => accepted,
            };
            match accepted {
                Ok((stream, permit)) => {
                    let daemon = daemon.clone();
                    connections.spawn(async move {
                        if let Err(error) = answer_all(stream, &daemon).await {
                            tracing::warn!(
                                event = LogEvent::CommandFailed.name(),
                                error = chain(&error),
                                "A command could not be carried out."
                            );
                        }
                        drop(permit);
                    });
                }
                Err(error) => {
                    tracing::warn!(
                        event = LogEvent::CommandFailed.name(),
                        error = chain(&error),
                        "No command can be taken."
                    );
                    tokio::time::sleep(ACCEPT_AGAIN).await;
                }
            }
        }
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        if std::fs::remove_file(&self.path).is_err() {
            tracing::debug!("The socket was gone already.");
        }
    }
}

async fn accept(
    listener: &tokio::net::UnixListener,
    room: &Arc<Semaphore>,
) -> io::Result<(tokio::net::UnixStream, tokio::sync::OwnedSemaphorePermit)> {
    let permit = Arc::clone(room).acquire_owned().await.map_err(io::Error::other)?;
    let (stream, _) = listener.accept().await?;
    Ok((stream, permit))
}

/// Every command of one connection, each answered. An import that the connection does not decide is given up with it.
async fn answer_all(stream: tokio::net::UnixStream, daemon: &Within) -> io::Result<()> {
    let mut guests = Guests::os_user(user_name(stream.peer_cred()?.uid()));
    let (read, mut write) = stream.into_split();
    let mut read = tokio::io::BufReader::new(read);
    let mut import = None;
    let mut line = String::new();
    let outcome = loop {
        line.clear();
        let mut bounded = (&mut read).take(LINE_BYTES_MAX);
        match in_time(bounded.read_line(&mut line)).await {
            Ok(0) => break Ok(()),
            Ok(_) => {}
            Err(error) => break Err(error),
        }
        let answer = match serde_json::from_str::<Command>(&line) {
            Ok(command) => {
                let ends =
                    matches!(command, Command::ImportCommit { .. } | Command::ImportAbandon { .. });
                let answer = daemon.carry_out(command, &mut guests).await;
                match &answer {
                    Answer::ImportBegun { import: number } => import = Some(*number),
                    _ if ends => import = None,
                    _ => {}
                }
                answer
            }
            Err(error) => Answer::Failed { why: format!("this is no command: {error}") },
        };
        let mut text = serde_json::to_string(&answer).map_err(io::Error::other)?;
        text.push('\n');
        if let Err(error) = in_time(write.write_all(text.as_bytes())).await {
            break Err(error);
        }
    };
    if let Some(import) = import {
        daemon.carry_out(Command::ImportAbandon { import, refused: 0 }, &mut guests).await;
    }
    outcome
}

async fn in_time<T>(done: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    match tokio::time::timeout(COMMAND_TIMEOUT, done).await {
        Ok(outcome) => outcome,
        Err(_) => Err(io::ErrorKind::TimedOut.into()),
    }
}
