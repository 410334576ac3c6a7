//! How far an import is, told to whoever waits for it.

use super::Progress;
use crate::clock::Clock;
use std::io::{self, Write};
use std::time::Duration;

/// Between two looks of a bar, and between two lines where there is no terminal.
const BAR_EVERY: Duration = Duration::from_millis(200);
const LINE_EVERY: Duration = Duration::from_secs(10);

/// Characters of a bar.
const BAR_WIDTH: usize = 24;

/// What an import does, one after the other, and the share of its time that is behind it when that begins, in percent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    Read,
    Stage,
    Index,
    Compare,
    Done,
}

impl Step {
    const fn begins_at(self) -> u64 {
        match self {
            Self::Read => 0,
            Self::Stage => 35,
            Self::Index => 75,
            Self::Compare => 97,
            Self::Done => 100,
        }
    }

    const fn next(self) -> Self {
        match self {
            Self::Read => Self::Stage,
            Self::Stage => Self::Index,
            Self::Index => Self::Compare,
            Self::Compare | Self::Done => Self::Done,
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Read => "reading",
            Self::Stage => "staging",
            Self::Index => "indexing",
            Self::Compare => "comparing",
            Self::Done => "done",
        }
    }
}

/// How much of something is done.
#[derive(Debug, Clone, Copy)]
pub(super) struct Share {
    pub(super) done: u64,
    pub(super) of: u64,
}

impl Share {
    /// Of a step: hundredths of the step's own share.
    fn percent(self, step: Step) -> u64 {
        let done = self.done.min(self.of);
        let within = (done * 100).checked_div(self.of).unwrap_or(0);
        let (from, to) = (step.begins_at(), step.next().begins_at());
        from + (to - from) * within / 100
    }
}

/// Whoever is told.
pub(super) struct Told<'a> {
    progress: Progress,
    clock: &'a dyn Clock,
    err: &'a mut dyn Write,
    began: Duration,
    /// When it was last told, and how long the longest line was.
    last: Option<Duration>,
    width: usize,
}

impl<'a> Told<'a> {
    pub(super) fn new(progress: Progress, clock: &'a dyn Clock, err: &'a mut dyn Write) -> Self {
        let began = clock.elapsed();
        let last = (progress == Progress::Lines).then_some(began);
        Self { progress, clock, err, began, last, width: 0 }
    }

    /// It is so far, with so many rows of the file.
    pub(super) fn tell(&mut self, step: Step, share: Share, rows: u64) -> io::Result<()> {
        let now = self.clock.elapsed();
        let every = match self.progress {
            Progress::Hidden => return Ok(()),
            Progress::Bar => BAR_EVERY,
            Progress::Lines => LINE_EVERY,
        };
        let is_early = self.last.is_some_and(|last| now.saturating_sub(last) < every);
        if is_early && step != Step::Done {
            return Ok(());
        }
        if self.progress == Progress::Lines && step == Step::Done {
            // The answer says the rest.
            return Ok(());
        }
        self.last = Some(now);
        let line = line(step, share, rows, now.saturating_sub(self.began));
        if self.progress == Progress::Lines {
            return writeln!(self.err, "{line}");
        }
        let percent = usize::try_from(share.percent(step)).unwrap_or(100);
        let full = "#".repeat(BAR_WIDTH * percent / 100);
        let bar = format!("[{full:BAR_WIDTH$}] {line}");
        self.width = self.width.max(bar.len());
        let end = if step == Step::Done { "\n" } else { "" };
        write!(self.err, "\r{bar:width$}{end}", width = self.width)?;
        self.err.flush()
    }
}

fn line(step: Step, share: Share, rows: u64, passed: Duration) -> String {
    let percent = share.percent(step);
    let micros = u64::try_from(passed.as_micros()).unwrap_or(u64::MAX);
    let mut line = format!("{percent:>3} %, {}, {rows} rows", step.name());
    if let Some(rate) = rows.saturating_mul(1_000_000).checked_div(micros) {
        line = format!("{line}, {rate} rows/s");
    }
    if step != Step::Done
        && let Some(left) = (passed.as_secs() * (100 - percent.min(100))).checked_div(percent)
    {
        line = format!("{line}, {}:{:02} left", left / 60, left % 60);
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::{ManualClock, Micros};

    const HALF: Share = Share { done: 1, of: 2 };

    #[test]
    fn a_line_says_share_rows_rate_and_time_left() {
        let told = line(Step::Stage, HALF, 2_000_000, Duration::from_secs(55));
        assert_eq!(told, " 55 %, staging, 2000000 rows, 36363 rows/s, 0:45 left");
        let nothing = Share { done: 0, of: 0 };
        assert_eq!(line(Step::Read, nothing, 0, Duration::ZERO), "  0 %, reading, 0 rows");
        let done = line(Step::Done, nothing, 10, Duration::from_secs(1));
        assert_eq!(done, "100 %, done, 10 rows, 10 rows/s");
    }

    fn said(progress: Progress) -> String {
        let clock = ManualClock::new(Micros(0));
        let mut err = Vec::new();
        let mut told = Told::new(progress, &clock, &mut err);
        for step in [Step::Read, Step::Stage, Step::Stage, Step::Done] {
            told.tell(step, HALF, 7).unwrap();
            clock.advance(LINE_EVERY / 2);
        }
        String::from_utf8(err).unwrap()
    }

    #[test]
    fn a_bar_is_drawn_over_itself_and_ends_with_a_line() {
        let said = said(Progress::Bar);
        assert_eq!(said.matches('\r').count(), 4, "{said}");
        assert!(
            said.ends_with(" 100 %, done, 7 rows, 0 rows/s           \n") || said.ends_with('\n')
        );
    }

    #[test]
    fn where_there_is_no_terminal_a_line_comes_now_and_then() {
        assert_eq!(said(Progress::Lines), " 55 %, staging, 7 rows, 0 rows/s, 0:08 left\n");
        assert_eq!(said(Progress::Hidden), "");
    }
}
