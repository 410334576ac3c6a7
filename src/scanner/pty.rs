//! A serial line without a scanner: a pseudo terminal, whose one end is played and whose other end is opened as a port.

use std::io;
use std::path::{Path, PathBuf};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio_serial::{SerialPort as _, SerialStream};

/// Why there is no pseudo terminal.
#[derive(Debug, thiserror::Error)]
pub enum PtyError {
    /// The operating system gives none.
    #[error("cannot open a pseudo terminal")]
    Open(#[source] tokio_serial::Error),
    /// It has no path that could be opened.
    #[error("the pseudo terminal has no path")]
    NoPath,
}

/// Both ends of a pseudo terminal in raw mode.
#[derive(Debug)]
pub struct Pty {
    scanner: SerialStream,
    /// Kept open, so that the line lives while nobody has the port open.
    _port: SerialStream,
    path: PathBuf,
}

impl Pty {
    /// Opens one; within a runtime.
    pub fn open() -> Result<Self, PtyError> {
        let (scanner, port) = SerialStream::pair().map_err(PtyError::Open)?;
        let path = port.name().ok_or(PtyError::NoPath)?.into();
        Ok(Self { scanner, _port: port, path })
    }

    /// The port, for whoever listens to the scanner.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Reads what was written to the port; at least one byte. Cancel safe.
    pub async fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.scanner.read(buffer).await? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            n => Ok(n),
        }
    }

    /// Writes what is to be read from the port; waits while nobody reads it.
    pub async fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.scanner.write_all(bytes).await
    }

    /// Writes what the line takes at once, and drops the rest: for one whose port perhaps nobody reads.
    pub fn write_lossy(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self.scanner.try_write(bytes) {
            Err(e) if e.kind() != io::ErrorKind::WouldBlock => Err(e),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scanner::line::{Kind, Moved, Opened, Opener, Place};
    use crate::scanner::plugged::Which;
    use crate::scanner::profile::Profile;

    #[tokio::test]
    async fn what_is_played_comes_out_of_the_port_and_back() {
        let mut pty = Pty::open().unwrap();
        let profile = Profile::parse(Profile::built_in("generic-serial").unwrap()).unwrap();
        let mut opener = Opener::new(Place::Device {
            which: Which::Path(pty.path().into()),
            kind: Kind::Serial(profile.line.unwrap()),
        });
        let Opened::Line(mut line) = opener.open().await.unwrap() else { panic!("turned away") };
        pty.write_all(b"\x00\x03\r\n\x1a\xff").await.unwrap();
        let mut buffer = [0; 16];
        let moved = line.moved(&mut buffer, &[]).await.unwrap();
        assert!(matches!(moved, Moved::In(6)), "{moved:?}");
        assert_eq!(&buffer[..6], b"\x00\x03\r\n\x1a\xff");
        let moved = line.moved(&mut [], b"\x06\n").await.unwrap();
        assert!(matches!(moved, Moved::Out(2)), "{moved:?}");
        let mut answered = Vec::new();
        while answered.len() < 2 {
            let n = pty.read(&mut buffer).await.unwrap();
            answered.extend_from_slice(&buffer[..n]);
        }
        assert_eq!(answered, b"\x06\n");
    }
}
