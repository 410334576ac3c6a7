//! A serial scanner: the other end of a pseudoterminal, found under a path that stays the same.

use super::{Deadline, timespec};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use rustix::io::{Errno, read, write};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use std::fs;
use std::os::fd::OwnedFd;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

/// Written at a time; the line discipline holds as much.
const WRITE_BYTES: usize = 4_095;

/// A scanner that is plugged in; dropping it pulls the plug.
#[derive(Debug)]
pub(crate) struct Pty {
    master: OwnedFd,
    /// Where it is plugged in, and what stands there.
    link: (PathBuf, PathBuf),
}

impl Drop for Pty {
    /// The kernel gives the name to the next pseudo terminal, which may be another station's.
    fn drop(&mut self) {
        let (link, name) = &self.link;
        if fs::read_link(link).is_ok_and(|there| there == *name) {
            // A folder that is gone took it along.
            let _gone = fs::remove_file(link);
        }
    }
}

/// What is done first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Manner {
    /// Answers are read as they come.
    ReadAsYouWrite,
    /// No answer is read until all is written.
    WriteThenRead,
}

impl Pty {
    /// Opens one, and has `link` lead to it.
    pub(crate) fn open(link: &Path) -> Self {
        let master =
            openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        fcntl_setfl(&master, fcntl_getfl(&master).unwrap() | OFlags::NONBLOCK).unwrap();
        let name = ptsname(&master, Vec::new()).unwrap();
        let beside = link.with_extension("new");
        let name = PathBuf::from(name.to_str().unwrap());
        symlink(&name, &beside).unwrap();
        fs::rename(&beside, link).unwrap();
        Self { master, link: (link.to_owned(), name) }
    }

    /// Writes everything; no answer is read.
    #[track_caller]
    pub(crate) fn write(&self, mut bytes: &[u8]) {
        let deadline = Deadline::new();
        while !bytes.is_empty() {
            deadline.check("room on the line");
            self.wait(PollFlags::OUT, &deadline);
            let taken = self.write_some(bytes);
            bytes = &bytes[taken..];
        }
    }

    /// Waits for so many answer bytes.
    #[track_caller]
    pub(crate) fn read(&self, n: usize) -> Vec<u8> {
        let deadline = Deadline::new();
        let mut answers = Vec::new();
        while answers.len() < n {
            assert!(!deadline.left().is_zero(), "{} of {n} answers came", answers.len());
            self.wait(PollFlags::IN, &deadline);
            answers.extend(self.read_some(n - answers.len()).unwrap_or_default());
        }
        answers
    }

    /// Writes everything and reads so many answer bytes.
    #[track_caller]
    pub(crate) fn exchange(&self, bytes: &[u8], n: usize, manner: Manner) -> Vec<u8> {
        if manner == Manner::WriteThenRead {
            self.write(bytes);
            return self.read(n);
        }
        let deadline = Deadline::new();
        let (mut rest, mut answers) = (bytes, Vec::new());
        while answers.len() < n || !rest.is_empty() {
            assert!(!deadline.left().is_zero(), "{} of {n} answers came", answers.len());
            let out = if rest.is_empty() { PollFlags::empty() } else { PollFlags::OUT };
            let ready = self.wait(PollFlags::IN | out, &deadline);
            if ready.contains(PollFlags::OUT) {
                rest = &rest[self.write_some(rest)..];
            }
            if ready.contains(PollFlags::IN) {
                answers.extend(self.read_some(usize::MAX).unwrap_or_default());
            }
        }
        answers
    }

    /// Sends one frame and waits for its answer of one byte.
    #[track_caller]
    pub(crate) fn ask(&self, payload: &[u8]) -> u8 {
        self.write(&[payload, b"\r"].concat());
        self.read(1)[0]
    }

    /// Waits until one of these is so; an end of the line counts.
    pub(crate) fn wait(&self, flags: PollFlags, deadline: &Deadline) -> PollFlags {
        let patience = timespec(deadline.left());
        let mut fds = [PollFd::new(&self.master, flags)];
        poll(&mut fds, Some(&patience)).unwrap();
        fds[0].revents()
    }

    /// Writes what the line takes now.
    pub(crate) fn write_some(&self, bytes: &[u8]) -> usize {
        match write(&self.master, &bytes[..bytes.len().min(WRITE_BYTES)]) {
            Ok(n) => n,
            Err(Errno::AGAIN) => 0,
            Err(error) => panic!("{error}"),
        }
    }

    /// Reads what is there; nothing once the daemon has closed the port.
    pub(crate) fn read_some(&self, max: usize) -> Option<Vec<u8>> {
        let mut buffer = vec![0; max.min(WRITE_BYTES)];
        match read(&self.master, &mut buffer) {
            Ok(n) => {
                buffer.truncate(n);
                Some(buffer)
            }
            Err(Errno::AGAIN) => Some(Vec::new()),
            Err(Errno::IO) => None,
            Err(error) => panic!("{error}"),
        }
    }

    /// Reads all answers up to the moment at which the daemon has closed the port.
    #[track_caller]
    pub(crate) fn read_to_end(&self) -> Vec<u8> {
        let deadline = Deadline::new();
        let mut answers = Vec::new();
        while let Some(more) = self.read_some(usize::MAX) {
            deadline.check("the end of the line");
            if more.is_empty() {
                self.wait(PollFlags::IN, &deadline);
            }
            answers.extend(more);
        }
        answers
    }
}
