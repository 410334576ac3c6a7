//! The real program, run as a daemon.

use super::{DEADLINE, Deadline, timespec};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::{Pid, PidfdFlags, Signal, kill_process, pidfd_open};
use std::fs::{self, File};
use std::io::Read as _;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};

/// A running daemon; killed when it is dropped.
#[derive(Debug)]
pub(crate) struct Daemon {
    child: Child,
}

impl Daemon {
    /// Starts it; its log goes to the end of a file.
    pub(crate) fn spawn(mut command: Command, log: &Path) -> Self {
        let log = File::options().create(true).append(true).open(log).unwrap();
        let child =
            command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log).spawn().unwrap();
        Self { child }
    }

    /// Waits until it says that it is ready.
    #[track_caller]
    pub(crate) fn ready(&mut self) {
        let deadline = Deadline::new();
        let stdout = self.child.stdout.as_mut().unwrap();
        let mut said = Vec::new();
        while !said.ends_with(b"\n") {
            let patience = timespec(deadline.left());
            let mut fds = [PollFd::new(stdout, PollFlags::IN)];
            assert_eq!(poll(&mut fds, Some(&patience)), Ok(1), "the daemon is not ready");
            let mut byte = [0];
            let n = stdout.read(&mut byte).unwrap();
            assert_eq!(n, 1, "the daemon ended before it was ready");
            said.extend(byte);
        }
        assert_eq!(said, b"ready\n");
    }

    /// Its process.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Kills it at once, as a power cut would but for what the operating system has.
    pub(crate) fn kill9(mut self) {
        self.child.kill().unwrap();
        assert!(!self.child.wait().unwrap().success());
    }

    /// Asks it to stop.
    pub(crate) fn terminate(&self) {
        kill_process(Pid::from_child(&self.child), Signal::TERM).unwrap();
    }

    /// Waits for its end.
    #[track_caller]
    pub(crate) fn ended(mut self) -> ExitStatus {
        if let Ok(fd) = pidfd_open(Pid::from_child(&self.child), PidfdFlags::empty()) {
            let mut fds = [PollFd::new(&fd, PollFlags::IN)];
            let patience = timespec(DEADLINE);
            assert_eq!(poll(&mut fds, Some(&patience)), Ok(1), "the daemon did not end");
        }
        self.child.wait().unwrap()
    }

    /// Stops it; it must say that all was well.
    #[track_caller]
    pub(crate) fn stop(self) {
        self.terminate();
        assert_eq!(self.ended().code(), Some(0));
    }

    /// Processor time that it took so far, in ticks of 10 ms.
    pub(crate) fn ticks(&self) -> u64 {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.pid())).unwrap();
        // The name in parentheses may hold spaces; user and system time are the 12th and 13th field after it.
        let (_, fields) = stat.rsplit_once(") ").unwrap();
        let ticks = fields.split(' ').skip(11).take(2).map(|n| n.parse::<u64>().unwrap());
        ticks.sum()
    }

    /// The most memory that it ever had, in KiB.
    pub(crate) fn memory_peak(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        line.trim().trim_end_matches(" kB").parse().unwrap()
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // Ended already, if the test went well.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
