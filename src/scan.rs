//! What a scan is: symbols as a scanner delivers them, the envelope face they spell, and the verdict that comes back.

use crate::ballot::{BallotId, Status};
use crate::clock::Micros;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::sync::Arc;

/// The kinds of symbol an envelope may carry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Symbology {
    /// Code 128, GS1-128 too (ISO/IEC 15417).
    Code128,
    /// Code 39 (ISO/IEC 16388).
    Code39,
    /// Interleaved 2 of 5 (ISO/IEC 16390).
    Itf,
    /// PDF417 (ISO/IEC 15438).
    Pdf417,
    /// QR Code (ISO/IEC 18004).
    Qr,
    /// Data Matrix ECC 200 (ISO/IEC 16022).
    DataMatrix,
    /// Intelligent Mail bar code (USPS-B-3200).
    Imb,
}

impl Symbology {
    /// Every symbology.
    pub const ALL: [Self; 7] = [
        Self::Code128,
        Self::Code39,
        Self::Itf,
        Self::Pdf417,
        Self::Qr,
        Self::DataMatrix,
        Self::Imb,
    ];

    /// The name in the configuration and in JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Code128 => "code128",
            Self::Code39 => "code39",
            Self::Itf => "itf",
            Self::Pdf417 => "pdf417",
            Self::Qr => "qr",
            Self::DataMatrix => "datamatrix",
            Self::Imb => "imb",
        }
    }

    /// The symbology of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|symbology| symbology.name() == name)
    }
}

impl fmt::Display for Symbology {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A symbology identifier of ISO/IEC 15424 (AIM) without its `]`: a code letter and a modifier.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SymbologyIdentifier {
    code: u8,
    modifier: u8,
}

impl SymbologyIdentifier {
    /// Takes a letter and a letter or digit, as the standard has them.
    pub fn new(code: u8, modifier: u8) -> Option<Self> {
        (code.is_ascii_alphabetic() && modifier.is_ascii_alphanumeric())
            .then_some(Self { code, modifier })
    }

    /// The symbology the code letter stands for. `]X` is "other": makers use it for what they like, the Intelligent Mail bar
    /// code among them, so it tells nothing.
    pub const fn symbology(self) -> Named {
        match self.code {
            b'C' => Named::One(Symbology::Code128),
            b'A' => Named::One(Symbology::Code39),
            b'I' => Named::One(Symbology::Itf),
            b'L' => Named::One(Symbology::Pdf417),
            b'Q' => Named::One(Symbology::Qr),
            b'd' => Named::One(Symbology::DataMatrix),
            b'X' => Named::Untold,
            _ => Named::Foreign,
        }
    }
}

impl fmt::Display for SymbologyIdentifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "]{}{}", char::from(self.code), char::from(self.modifier))
    }
}

/// What is known of a symbol's symbology.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Named {
    /// This one.
    One(Symbology),
    /// The scanner did not say: any envelope format may match.
    Untold,
    /// One that no ballot envelope carries: no envelope format matches.
    Foreign,
}

impl Named {
    /// The name for the ledger: the symbology's, `unknown` or `other`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::One(symbology) => symbology.name(),
            Self::Untold => "unknown",
            Self::Foreign => "other",
        }
    }
}

/// The decoded bytes of a symbol, as scanned. Its `Debug` shows the length only: what may be a driver's licence is in no log.
#[derive(Clone, PartialEq, Eq, Hash, Default)]
pub struct Payload(pub Vec<u8>);

impl fmt::Debug for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Payload({} bytes)", self.0.len())
    }
}

/// One printed symbol as a scanner or the picture decoder delivers it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Symbol {
    /// What is known of its symbology.
    pub symbology: Named,
    /// The symbology identifier, where one was sent.
    pub identifier: Option<SymbologyIdentifier>,
    /// The bytes; of an overlong frame, those before the bound.
    pub payload: Payload,
    /// How many bytes there were; more than the payload has when the frame was overlong.
    pub length: u32,
    /// Whether a doubtful part was solved from the code's own redundancy: it counts only when that ballot was issued.
    pub repaired: bool,
}

impl Symbol {
    /// A symbol of a scanner that told no more than its bytes.
    pub fn untold(payload: &[u8]) -> Self {
        Self {
            symbology: Named::Untold,
            identifier: None,
            payload: Payload(payload.to_vec()),
            length: u32::try_from(payload.len()).unwrap_or(u32::MAX),
            repaired: false,
        }
    }

    /// Whether the frame was longer than its bound, so that the payload is not whole.
    pub fn is_overlong(&self) -> bool {
        usize::try_from(self.length).map_or(true, |length| length > self.payload.0.len())
    }
}

/// Which kind of code a capture is.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum CodeKind {
    /// The ballot's own id.
    Ballot,
    /// The 15 digits of mailer id and serial number of an Intelligent Mail bar code.
    Imb,
    /// The voter's id: that voter's one open ballot.
    Voter,
    /// A code of the county's own: the column of the mail ballot file that has it.
    Other(Arc<str>),
}

impl CodeKind {
    /// The name in the configuration.
    pub fn name(&self) -> &str {
        match self {
            Self::Ballot => "ballot",
            Self::Imb => "imb",
            Self::Voter => "voter",
            Self::Other(column) => column,
        }
    }

    /// The kind of that name.
    pub fn from_name(name: &str) -> Self {
        let own = [Self::Ballot, Self::Imb, Self::Voter];
        own.into_iter().find(|kind| kind.name() == name).unwrap_or_else(|| Self::Other(name.into()))
    }
}

/// Which way the piece of mail went, where its code tells (Intelligent Mail service types).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// A return envelope, or a code that does not tell.
    Return,
    /// The outbound packet.
    Outbound,
}

/// What one symbol says of which ballot this is.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Capture {
    /// The envelope format that matched.
    pub format: Arc<str>,
    /// What kind of code it captured.
    pub names: CodeKind,
    /// The code.
    pub code: String,
    /// Which way the piece went.
    pub direction: Direction,
}

/// Why nothing on a face names a ballot.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Unreadable {
    /// No envelope format's symbology and pattern fit.
    NoFormat,
    /// This format's pattern held, its check did not.
    CheckFailed(Arc<str>),
    /// This format's pattern held, but its service type or mailer is not that of this office's ballot mail.
    NotBallotMail(Arc<str>),
    /// This format's pattern held, but what it captured is no id.
    NoId(Arc<str>),
    /// The frame was longer than its bound.
    Overlong,
    /// A picture with no symbol on it.
    NoSymbol,
}

impl Unreadable {
    /// The envelope format that came nearest.
    pub fn format(&self) -> Option<&Arc<str>> {
        match self {
            Self::CheckFailed(format) | Self::NotBallotMail(format) | Self::NoId(format) => {
                Some(format)
            }
            Self::NoFormat | Self::Overlong | Self::NoSymbol => None,
        }
    }
}

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoFormat => f.write_str("matches no envelope format"),
            Self::CheckFailed(format) => write!(f, "the check of {format} fails"),
            Self::NotBallotMail(format) => write!(f, "{format}: not this office's ballot mail"),
            Self::NoId(format) => write!(f, "{format}: the capture is no id"),
            Self::Overlong => f.write_str("longer than a frame may be"),
            Self::NoSymbol => f.write_str("no symbol found"),
        }
    }
}

/// What the symbols on one envelope spell together.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Face {
    /// At least one capture; the ledger says whether they agree.
    Names(Vec<Capture>),
    /// An envelope of another election, by this format.
    WrongElection(Arc<str>),
    /// A code of this election and one of another on the same face.
    Mixed,
    /// One code that looks like a command's or a badge's, and nothing else.
    Command(Payload),
    /// Several such codes.
    Commands,
    /// Such a code beside something else.
    CommandBeside,
    /// Nothing on it names a ballot.
    Unreadable(Unreadable),
}

impl Face {
    /// Whether what stands on it may be somebody's secret, and so is shown nowhere.
    pub const fn is_secret(&self) -> bool {
        matches!(self, Self::Command(_) | Self::Commands | Self::CommandBeside)
    }
}

/// How a scan came about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Method {
    /// A scanner that decodes by itself.
    Scanner,
    /// A picture, from a camera or a folder.
    Camera,
    /// Somebody typed the number that is printed on the envelope.
    Manual,
}

impl Method {
    /// The name in the ledger and in files.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Scanner => "scanner",
            Self::Camera => "camera",
            Self::Manual => "manual",
        }
    }
}

/// The number of a scanner within one run of the daemon.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ScannerId(pub u16);

/// A scan's number within its scanner's run: answers come back under it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ScanId(pub u64);

/// A decoded read on its way to the ledger.
#[derive(Debug, Clone)]
pub struct Scan {
    /// Which scan of its scanner it is.
    pub id: ScanId,
    /// Which scanner.
    pub scanner: ScannerId,
    /// The scanner's configured name, which is what the ledger keeps.
    pub scanner_name: Arc<str>,
    /// When its last byte was read.
    pub at: Micros,
    /// How it came about.
    pub method: Method,
    /// What its symbols spell.
    pub face: Face,
    /// The symbols themselves; of a frame, one. They leave memory with the answer.
    pub symbols: Vec<Symbol>,
}

/// A scan's verdict with what the clerk is told beside it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judged {
    /// Which scan of its scanner.
    pub id: ScanId,
    /// The verdict.
    pub verdict: Verdict,
    /// The ballot, where there is one.
    pub ballot: Option<BallotId>,
    /// Where the ballot stands now.
    pub status: Option<Status>,
    /// Why, in words.
    pub reason: Option<String>,
    /// Of a ballot that stands there already: when, where and in which batch that was.
    pub earlier: Option<Earlier>,
    /// The batch the scan belongs to; 0 for none.
    pub batch: u32,
    /// Its position there, from 1; 0 for none.
    pub position: i64,
    /// Whether the clerk is warned that the batch is full.
    pub fill: Fill,
    /// What a command has others do.
    pub then: Then,
}

/// What is to be done, once a command is durable, by whoever has the scanners.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Then {
    /// Nothing.
    #[default]
    Nothing,
    /// The scanner that asked gets the tone of its last envelope.
    RepeatTone,
    /// Scanners that stopped on a bad answer may scan again.
    Unlock,
    /// A supervisor is called.
    CallSupervisor,
}

/// How full a batch is with a scan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Fill {
    /// It has room, or no bound, or the clerk was warned.
    #[default]
    Room,
    /// It is full: the clerk is warned, once.
    Full,
}

impl Judged {
    /// The alarm: not known to be committed.
    pub const fn fault(id: ScanId) -> Self {
        Self {
            id,
            verdict: Verdict::Fault,
            ballot: None,
            status: None,
            reason: None,
            earlier: None,
            batch: 0,
            position: 0,
            fill: Fill::Room,
            then: Then::Nothing,
        }
    }
}

/// The event that put a ballot where it stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Earlier {
    /// When.
    pub at: Micros,
    /// Which scanner, or who.
    pub by: String,
    /// The batch, of a scan.
    pub batch: Option<u32>,
}

/// What the ledger says of a scan (`design`, section 3, has the clerk's side of each).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// The ballot was marked received.
    Received,
    /// The ballot was marked accepted.
    Accepted,
    /// The ballot was marked as needing the voter.
    NeedsAttention,
    /// The ballot was marked undeliverable.
    Undeliverable,
    /// Nothing to change: it stands there already, or further.
    AlreadyReceived,
    /// Recorded; waits for a supervisor.
    Held,
    /// Look-up mode: what stands in the ledger.
    Found,
    /// No such ballot.
    NotIssued,
    /// The ballot was voided.
    Voided,
    /// The rules do not allow this move.
    Refused,
    /// Another election's envelope.
    WrongElection,
    /// Received after the ballot's deadline; recorded, held for a supervisor.
    Late,
    /// The outbound packet, not a return envelope.
    OutboundPiece,
    /// Two different ballots on one face.
    Ambiguous,
    /// Matches no envelope format, or its check fails, or it is not ballot mail.
    Unreadable,
    /// A command symbol of the station's own sheet.
    Command,
    /// Not known to be committed. Never in the ledger.
    Fault,
}

/// What the clerk gets to hear and see, from the best to the worst.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Tone {
    /// Green.
    Good,
    /// Nothing was marked and nothing is wrong: a command was carried out, or a ballot looked up.
    Own,
    /// Amber.
    Notice,
    /// Red.
    Bad,
    /// The alarm; scanning stops.
    Fault,
}

impl Tone {
    /// What a scanner is told, which has three tones and the alarm.
    #[must_use]
    pub const fn at_scanner(self) -> Self {
        match self {
            Self::Own => Self::Notice,
            tone => tone,
        }
    }
}

impl Verdict {
    /// Every verdict.
    pub const ALL: [Self; 17] = [
        Self::Received,
        Self::Accepted,
        Self::NeedsAttention,
        Self::Undeliverable,
        Self::AlreadyReceived,
        Self::Held,
        Self::Found,
        Self::NotIssued,
        Self::Voided,
        Self::Refused,
        Self::WrongElection,
        Self::Late,
        Self::OutboundPiece,
        Self::Ambiguous,
        Self::Unreadable,
        Self::Command,
        Self::Fault,
    ];

    /// The name in the ledger and in JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Received => "received",
            Self::Accepted => "accepted",
            Self::NeedsAttention => "needs_attention",
            Self::Undeliverable => "undeliverable",
            Self::AlreadyReceived => "already_received",
            Self::Held => "held",
            Self::Found => "found",
            Self::NotIssued => "not_issued",
            Self::Voided => "voided",
            Self::Refused => "refused",
            Self::WrongElection => "wrong_election",
            Self::Late => "late",
            Self::OutboundPiece => "outbound_piece",
            Self::Ambiguous => "ambiguous",
            Self::Unreadable => "unreadable",
            Self::Command => "command",
            Self::Fault => "fault",
        }
    }

    /// The verdict of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|verdict| verdict.name() == name)
    }

    /// Whether somebody may have to look at the envelope: nothing was moved, and that was not what was asked.
    pub const fn is_exception(self) -> bool {
        match self {
            Self::AlreadyReceived | Self::Held => true,
            verdict => matches!(verdict.tone(), Tone::Bad),
        }
    }

    /// Whether a supervisor is to decide about the envelope, and so moves its ballot on.
    pub const fn is_decided_later(self) -> bool {
        matches!(self, Self::Held | Self::Late)
    }

    /// The tone it gets.
    pub const fn tone(self) -> Tone {
        match self {
            Self::Received | Self::Accepted | Self::NeedsAttention | Self::Undeliverable => {
                Tone::Good
            }
            Self::Found | Self::Command => Tone::Own,
            Self::AlreadyReceived | Self::Held => Tone::Notice,
            Self::NotIssued
            | Self::Voided
            | Self::Refused
            | Self::WrongElection
            | Self::Late
            | Self::OutboundPiece
            | Self::Ambiguous
            | Self::Unreadable => Tone::Bad,
            Self::Fault => Tone::Fault,
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_verdict_has_its_own_name() {
        for verdict in Verdict::ALL {
            assert_eq!(Verdict::from_name(verdict.name()), Some(verdict));
        }
    }

    #[test]
    fn only_a_changed_status_is_good() {
        let good: Vec<_> =
            Verdict::ALL.into_iter().filter(|verdict| verdict.tone() == Tone::Good).collect();
        assert_eq!(
            good,
            [Verdict::Received, Verdict::Accepted, Verdict::NeedsAttention, Verdict::Undeliverable]
        );
    }

    #[test]
    fn a_payload_is_not_in_its_debug_text() {
        let symbol = Symbol::untold(b"D1234567");
        assert!(!format!("{symbol:?}").contains("D1234567"));
        assert!(format!("{symbol:?}").contains("8 bytes"));
    }

    #[test]
    fn an_identifier_is_a_letter_and_a_modifier() {
        let code128 = SymbologyIdentifier::new(b'C', b'0').unwrap();
        assert_eq!(code128.to_string(), "]C0");
        assert_eq!(code128.symbology(), Named::One(Symbology::Code128));
        assert_eq!(SymbologyIdentifier::new(b'0', b'C'), None);
        assert_eq!(
            SymbologyIdentifier::new(b'E', b'0').map(SymbologyIdentifier::symbology),
            Some(Named::Foreign)
        );
        assert_eq!(
            SymbologyIdentifier::new(b'X', b'0').map(SymbologyIdentifier::symbology),
            Some(Named::Untold)
        );
    }
}
