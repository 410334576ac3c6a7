//! The closed list of what the daemon logs, and the one way an error's chain is printed.
//!
//! Levels say what a person must do: `WARN`, nothing is lost and it mends itself; `ERROR`, somebody must come. No event
//! carries a payload.

pub(crate) mod often;

use std::error::Error;

macro_rules! log_events {
    ($($(#[$doc:meta])* $name:ident = $text:literal,)*) => {
        /// What a log line is about; stands in its field `event`.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum LogEvent {
            $($(#[$doc])* $name,)*
        }

        impl LogEvent {
            /// Every event.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// The name in the log.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$name => stringify!($name),)*
                }
            }

            /// What it means, for the manual.
            pub const fn meaning(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)*
                }
            }
        }
    };
}

log_events! {
    /// The ledger is open and every scanner was opened or reported away.
    DaemonReady = "The ledger is open and every configured scanner was opened or reported away.",
    /// The daemon has drained.
    DaemonStopped = "Asked to stop; every scanner was answered and the ledger is closed.",
    /// No election or envelope format is configured.
    NothingMarked = "No election or no envelope format is configured: scans are recorded, no ballot is marked.",
    /// A scanner's port is open.
    ScannerOpened = "A scanner's port is open.",
    /// A scanner cannot be reached.
    ScannerLost = "A scanner cannot be reached; it is tried again until it is back.",
    /// A scanner sent half a frame.
    NoRead = "A scanner sent a half or doubtful read; it was dropped and answered bad.",
    /// A scanner does not take its answers.
    AnswersStalled = "A scanner does not take its answers; scanning goes on without them.",
    /// A recording is not whole.
    RecordingCut = "A recording of a scanner lacks lines or ends early: the disk was too slow or full, or it is as long as one may be.",
    /// The station cannot sound its tones.
    SpeakerAway = "The station's own speaker cannot be used; scanners without tones of their own are silent.",
    /// A batch has as many scans as it may.
    BatchFull = "A batch has as many scans as it was opened for; it is to be closed, and its envelopes counted.",
    /// A picture could not be read.
    PictureFailed = "A picture could not be read; one of a folder was moved to `failed`.",
    /// Somebody connected who is not allowed.
    ConnectionRefused = "A connection came from an address that is not on the scanner's allow list.",
    /// A commit failed.
    CommitFailed = "A commit failed: its scans were answered with the alarm, and the ledger is opened anew.",
    /// The ledger works again.
    LedgerReopened = "The ledger was opened anew after a failed commit; what had been written was found and synced.",
    /// The ledger cannot be opened again.
    LedgerAway = "The ledger cannot be opened: every scan is answered with the alarm until it can.",
    /// A nightly backup was made.
    BackupMade = "A nightly backup of the ledger was made and verified.",
    /// A nightly backup was not made.
    BackupFailed = "The nightly backup could not be made, or does not hold; it is tried again in an hour.",
    /// The log on the second path was not written.
    EventLogFailed = "The events could not be written to `log_dir`; they are tried again within a quarter of an hour.",
    /// The log on the second path is another ledger's.
    EventLogDiverged = "What stands in `log_dir` is not what stands in the ledger: one of them was changed, and nothing more is written there.",
    /// Changes of status are on their way again.
    RelayBack = "The relay takes changes again.",
    /// The relay does not take changes.
    RelayAway = "The relay does not take changes; all wait, and it is asked again.",
    /// The relay is gone for good.
    RelayGone = "The relay answered 410: nothing more is sent until `outbox retry` or a restart.",
    /// One change was refused.
    DeliveryRefused = "The relay refused one change; it is set aside for a supervisor, and later ones of that ballot wait.",
    /// The relay does not witness.
    CheckpointRefused = "The relay refused a checkpoint of the ledger; ballots' changes go on, and the next checkpoint is sent.",
    /// A file's voiding came too late.
    VoidingOvertaken = "A file voids a ballot that was accepted or rejected while it was imported; the ballot stays, and somebody must look.",
    /// A thread panicked.
    Panicked = "A thread panicked, which is a fault of this program; a decoder lives on, all else stops the daemon.",
    /// Somebody could not sign in.
    SignInRefused = "Somebody gave a wrong password or badge, or tried too often; after five failures nobody can sign in as that operator for ten minutes.",
    /// Somebody scanned the code that calls a supervisor.
    SupervisorCalled = "Somebody at a scanner calls a supervisor, by a code of a command sheet.",
    /// A code of a command was refused.
    SheetRefused = "A code that looks like a command's or a badge's was refused: damaged, stale, another station's, beside something else, or not possible now.",
    /// The pages are served.
    PagesServed = "The pages for clerk and supervisor are served at the address beside it.",
    /// The pages are not served.
    PagesFailed = "The pages for clerk and supervisor are served no more, or cannot read the ledger; scanning goes on.",
    /// A page was refused.
    PageRefused = "Somebody asked the pages for what they may not have, or with a form that was not of this session; said ten times a minute.",
    /// Somebody signed in or out.
    SignedIn = "An operator signed in at the pages.",
    /// Somebody signed out.
    SignedOut = "An operator signed out of the pages.",
    /// The daemon runs for practice.
    Practice = "The daemon runs for practice: another ledger, and nothing is forwarded.",
    /// A command from the socket failed.
    CommandFailed = "A command that came over the socket could not be carried out.",
}

/// The error and what caused it, one after the other: `a: b: c`.
pub fn chain(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}

/// The text with everything that could steer a terminal or a log escaped, cut at 200 characters.
pub fn printable(text: &str) -> String {
    text.chars().take(200).flat_map(char::escape_debug).collect()
}

/// The same where it stands in no quotes: those in it stay as they are.
pub fn legible(text: &str) -> String {
    let mut shown = String::new();
    for c in text.chars().take(200) {
        match c {
            '\'' | '"' => shown.push(c),
            _ => shown.extend(c.escape_debug()),
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("outer")]
    struct Outer(#[source] std::io::Error);

    #[test]
    fn a_chain_names_each_cause_once() {
        let error = Outer(std::io::Error::other("inner"));
        assert_eq!(chain(&error), "outer: inner");
    }

    #[test]
    fn printable_text_steers_no_terminal() {
        assert_eq!(printable("a\u{1b}[2J\n"), "a\\u{1b}[2J\\n");
        assert_eq!(printable(&"x".repeat(300)).len(), 200);
        assert_eq!(printable("it's \"it\""), "it\\'s \\\"it\\\"");
        assert_eq!(legible("it's \"it\"\u{1b}[2J"), "it's \"it\"\\u{1b}[2J");
        assert_eq!(legible(&"x".repeat(300)).len(), 200);
    }
}
