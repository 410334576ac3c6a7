//! What an event says: the bodies of the ledger's rows, from which everything else in it derives.

mod batch;
mod people;
mod proof;

pub(super) use self::batch::{BatchClosed, BatchOpened, BatchReversed};
pub use self::people::{Act, Decision, Person, Refusal, Role, TokenAct, TwoPersonAct, Who};
pub(super) use self::people::{Decided, OperatorAdded};
pub(super) use self::proof::Checkpointed;
pub use self::proof::Why;
use crate::ballot::{BallotId, ElectionId, Status};
use crate::clock::Micros;
use crate::scan::{Method, Verdict};
use serde::{Deserialize, Serialize};

/// The version of the bodies this program writes.
pub(super) const BODY_VERSION: u8 = 1;

/// One row of the ledger.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Event {
    /// [`BODY_VERSION`] of the program that wrote it.
    pub v: u8,
    /// `UUIDv7`, made at the commit; the id under which the relay gets it.
    pub id: String,
    /// When it happened. Order is by row number, never by this.
    pub at: Micros,
    /// What happened.
    #[serde(flatten)]
    pub fact: Fact,
}

impl Event {
    /// The body as RFC 8785 canonical JSON: what the chain hashes. A scan's is written in order at once, for sorting its fields
    /// is a third of what a scan costs.
    pub(super) fn body(&self) -> Result<String, serde_json::Error> {
        match &self.fact {
            Fact::Scan(scan) => serde_json::to_string(&ScanBody::of(self, scan)),
            _ => serde_json_canonicalizer::to_string(self),
        }
    }

    /// Reads a body back.
    pub(super) fn from_body(body: &str) -> Result<Self, serde_json::Error> {
        serde_json::from_str(body)
    }
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub(super) enum Fact {
    /// The ledger was begun; always row 1.
    Opened(Opened),
    /// A batch was opened.
    BatchOpened(BatchOpened),
    /// A scan got its verdict.
    Scan(ScanFact),
    /// A person moved a ballot, took a scan back, or an import announced a move.
    Set(SetFact),
    /// A mail ballot file was imported.
    Imported(Imported),
    /// Hold-back ended: these changes are owed to the relay from here on.
    Released {
        /// Which, in order.
        changes: Vec<Release>,
    },
    /// The relay took these changes.
    Delivered {
        /// Row numbers of the changes.
        of: Vec<i64>,
    },
    /// The relay refused this one change; it and later ones of its ballot wait for a supervisor.
    SetAside {
        /// Row number of the change.
        of: i64,
        /// What the relay said.
        why: String,
    },
    /// Somebody had changes that were set aside sent again.
    Retried {
        /// Row numbers of the changes.
        of: Vec<i64>,
        /// Who.
        #[serde(flatten)]
        who: Who,
    },
    /// A supervisor gave a change up that was set aside: the relay never gets it.
    Dropped {
        /// Row number of the change.
        of: i64,
        /// Why.
        reason: String,
        /// Who.
        #[serde(flatten)]
        who: Who,
    },
    /// A batch was closed.
    BatchClosed(BatchClosed),
    /// A batch was reversed.
    BatchReversed(BatchReversed),
    /// There is a new operator.
    OperatorAdded(OperatorAdded),
    /// An operator may do nothing any more.
    OperatorDisabled {
        /// Their name.
        operator: String,
        /// Who disabled them.
        #[serde(flatten)]
        who: Who,
    },
    /// A token with which an operator's own programs read the API was made, or all of theirs ended. Nothing of one is here.
    Tokens {
        /// Whose.
        operator: String,
        /// What was done.
        #[serde(flatten)]
        act: TokenAct,
        /// Who did it; the user of the operating system, or the place of the page, says where.
        #[serde(flatten)]
        who: Who,
    },
    /// Somebody proposed what takes two.
    Proposed {
        /// What.
        #[serde(flatten)]
        what: TwoPersonAct,
        /// Who.
        #[serde(flatten)]
        who: Who,
    },
    /// Somebody else decided on it.
    Decided(Decided),
    /// Somebody was refused what they asked for.
    Refused(Refusal),
    /// Somebody did what leaves no other event.
    Acted(Act),
    /// The head of the chain was signed.
    Checkpointed(Checkpointed),
    /// Command sheets were printed anew: those of every earlier generation are stale.
    SheetsRenewed {
        /// The generation from here on; the first is 1, and has no event.
        generation: u32,
        /// Who.
        #[serde(flatten)]
        who: Who,
    },
    /// The relay keeps these checkpoints as a witness.
    Witnessed {
        /// Row numbers of the checkpoints.
        of: Vec<i64>,
    },
}

impl Fact {
    /// Where the ballot that it names stands from here on, when it moves it.
    pub(super) const fn moves_to(&self) -> Option<Status> {
        match self {
            Self::Scan(scan) => scan.to,
            Self::Set(set) => Some(set.to),
            _ => None,
        }
    }

    /// Whether the relay is owed this change, unless it is withdrawn.
    pub(super) const fn owes(&self) -> bool {
        match self {
            Self::Scan(scan) => scan.to.is_some(),
            Self::Set(set) => set.previous.is_some(),
            _ => false,
        }
    }
}

/// Whose ledger it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Opened {
    /// `[facility] id`.
    pub facility: String,
    /// `[station] id`.
    pub station: String,
    /// The station's Ed25519 public key, 64 hexadecimal digits.
    pub public_key: String,
}

/// A scan and its verdict. What names an issued ballot keeps its code; anything else keeps symbology, length and MAC only.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct ScanFact {
    /// What the clerk was told.
    pub verdict: Verdict,
    /// The scanner's configured name.
    pub scanner: String,
    /// How it came about.
    pub method: Method,
    /// The batch it belongs to.
    pub batch: u32,
    /// What is known of the symbology.
    pub symbology: String,
    /// Length of the payload in bytes.
    pub length: u32,
    /// The envelope format that matched or came nearest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub format: Option<String>,
    /// The ballot's election.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub election: Option<ElectionId>,
    /// The ballot.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ballot: Option<BallotId>,
    /// The code that named it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// HMAC-SHA256 of a payload that names no ballot, under the station's key; hexadecimal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mac: Option<String>,
    /// Where the ballot stood.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Status>,
    /// The reason it stood there with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from_reason: Option<String>,
    /// Where it was moved; absent when nothing changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<Status>,
    /// Why, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The code was solved from doubtful bars.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub repaired: bool,
    /// What a command sheet's code asked for, once it was known to be this station's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command: Option<String>,
    /// Who had signed in at the scanner, or typed the number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// As [`Who::os_user`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub os_user: Option<String>,
}

impl ScanFact {
    /// The operator who had signed in at the scanner, or typed the number; none where a user of the operating system did.
    pub(super) fn operator(&self) -> Option<&str> {
        self.os_user.as_ref().and(self.by.as_deref())
    }
}

/// The body of a scan with its fields in the order of RFC 8785. Integers and strings look the same in all JSON of ours.
#[derive(Serialize)]
struct ScanBody<'a> {
    at: Micros,
    #[serde(skip_serializing_if = "Option::is_none")]
    ballot: Option<&'a BallotId>,
    batch: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    by: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    command: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    election: Option<&'a ElectionId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    format: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    from: Option<Status>,
    #[serde(skip_serializing_if = "Option::is_none")]
    from_reason: Option<&'a str>,
    id: &'a str,
    kind: &'static str,
    length: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    mac: Option<&'a str>,
    method: Method,
    #[serde(skip_serializing_if = "Option::is_none")]
    os_user: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    repaired: bool,
    scanner: &'a str,
    symbology: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    to: Option<Status>,
    v: u8,
    verdict: Verdict,
}

impl<'a> ScanBody<'a> {
    fn of(event: &'a Event, scan: &'a ScanFact) -> Self {
        Self {
            at: event.at,
            ballot: scan.ballot.as_ref(),
            batch: scan.batch,
            by: scan.by.as_deref(),
            code: scan.code.as_deref(),
            command: scan.command.as_deref(),
            election: scan.election.as_ref(),
            format: scan.format.as_deref(),
            from: scan.from,
            from_reason: scan.from_reason.as_deref(),
            id: &event.id,
            kind: "scan",
            length: scan.length,
            mac: scan.mac.as_deref(),
            method: scan.method,
            os_user: scan.os_user.as_deref(),
            reason: scan.reason.as_deref(),
            repaired: scan.repaired,
            scanner: &scan.scanner,
            symbology: &scan.symbology,
            to: scan.to,
            v: event.v,
            verdict: scan.verdict,
        }
    }
}

/// Who moves a ballot otherwise than by a scan; the relay's word for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum By {
    /// A clerk took the last scan back.
    Manual,
    /// A supervisor set it.
    Supervisor,
    /// An import moved it, and its status is announced.
    Import,
}

/// A ballot moved otherwise than by a scan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct SetFact {
    /// The ballot's election.
    pub election: ElectionId,
    /// The ballot.
    pub ballot: BallotId,
    /// Where it stood.
    pub from: Status,
    /// Where it stands now.
    pub to: Status,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// What kind of act it was.
    pub method: By,
    /// Who, or the import's number.
    #[serde(flatten)]
    pub who: Who,
    /// The operator who confirmed it, where it took two.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confirmed_by: Option<String>,
    /// The id of the event it says was wrong.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub corrects: Option<String>,
    /// The row number of the reversal of a batch that it is part of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reversal: Option<i64>,
    /// The relay never gets that event: it was withdrawn, or owed to nobody.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unheard: bool,
    /// The row number of a change that was still held back, and so is never sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub withdraws: Option<i64>,
    /// Where the ballot stood as far as the relay will know, when it is owed this change; absent when there is nothing to tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous: Option<Status>,
}

/// A mail ballot file, decided by this one event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Imported {
    /// The import's number in this ledger.
    pub import: i64,
    /// The file's name, without its folder.
    pub file: String,
    /// SHA-256 of the file, hexadecimal.
    pub file_sha256: String,
    /// The layout it was read by.
    pub layout: String,
    /// Who.
    #[serde(flatten)]
    pub who: Who,
    /// What became of its rows.
    pub counts: Counts,
    /// SHA-256 over the canonical rows of the ballots it issued, in order, a line feed after each; hexadecimal.
    pub issued_sha256: String,
    /// The same over the rows that changed a ballot.
    pub changed_sha256: String,
    /// Statuses whose changes become events of their own, owed to the relay.
    pub announces: Vec<Status>,
    /// What a row does not say takes nothing away from what the ledger knows; imports of older programs blanked it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub keeps_unsaid: bool,
    /// Ballots of the file's elections that it does not name and that were not voided; absent when nobody counted them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disappeared: Option<u64>,
    /// Ballots that the file takes in and that stay where they were, for another ballot of their voter came in meanwhile.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub overtaken: Vec<Overtaken>,
}

impl Imported {
    /// Whether this ballot stays where it was, whatever the file says.
    pub(super) fn overtook(&self, election: &ElectionId, ballot: &BallotId) -> bool {
        self.overtaken.iter().any(|other| other.election == *election && other.ballot == *ballot)
    }
}

/// A ballot that a file takes in, while another ballot of its voter came in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Overtaken {
    /// The election.
    pub election: ElectionId,
    /// The ballot.
    pub ballot: BallotId,
}

/// What became of a file's rows: `rows` is the sum of all others.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Rows of the file, without its header.
    pub rows: u64,
    /// Ballots that were not in the ledger before.
    pub issued: u64,
    /// Ballots of which something changed.
    pub updated: u64,
    /// Rows that said nothing new.
    pub unchanged: u64,
    /// Ballots that the file voids.
    pub voided: u64,
    /// Rows that were not taken.
    pub refused: u64,
}

/// A change that is owed to the relay from here on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Release {
    /// Row number of the change.
    pub of: i64,
    /// Its number among what is sent about this ballot, from 1 without a gap.
    pub sequence: u32,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scan() -> Event {
        Event {
            v: BODY_VERSION,
            id: "01936f3e-7c00-7000-8000-000000000001".to_owned(),
            at: Micros(1_793_739_600_000_000),
            fact: Fact::Scan(ScanFact {
                verdict: Verdict::Received,
                scanner: "left".to_owned(),
                method: Method::Scanner,
                batch: 1,
                symbology: "code128".to_owned(),
                length: 16,
                format: Some("county".to_owned()),
                election: ElectionId::new("202611").ok(),
                ballot: BallotId::new("000000001").ok(),
                code: Some("000000001".to_owned()),
                mac: None,
                from: Some(Status::Mailed),
                from_reason: None,
                to: Some(Status::Received),
                reason: None,
                repaired: false,
                command: None,
                by: None,
                os_user: None,
            }),
        }
    }

    #[test]
    fn a_body_is_canonical_json_and_reads_back() {
        let body = scan().body().unwrap();
        assert_eq!(
            body,
            "{\"at\":1793739600000000,\"ballot\":\"000000001\",\"batch\":1,\"code\":\"000000001\",\
             \"election\":\"202611\",\"format\":\"county\",\"from\":\"mailed\",\
             \"id\":\"01936f3e-7c00-7000-8000-000000000001\",\"kind\":\"scan\",\"length\":16,\
             \"method\":\"scanner\",\"scanner\":\"left\",\"symbology\":\"code128\",\
             \"to\":\"received\",\"v\":1,\"verdict\":\"received\"}"
        );
        assert_eq!(Event::from_body(&body).unwrap(), scan());
    }

    proptest::proptest! {
        #[test]
        fn a_scan_s_body_is_what_the_canonicalizer_writes(
            text in ".*", at in proptest::num::i64::ANY, bits in 0_u32..16_384, n in proptest::num::u32::ANY
        ) {
            let given = |bit: u32| (bits >> bit & 1 == 1).then(|| text.clone());
            // Integers of a body are times in microseconds and counts, which a double holds exactly.
            let at = Micros(at % (1 << 53));
            let fact = ScanFact {
                verdict: Verdict::ALL[n as usize % Verdict::ALL.len()],
                scanner: text.clone(),
                method: if bits & 1 == 0 { Method::Scanner } else { Method::Camera },
                batch: n,
                symbology: text.clone(),
                length: n,
                format: given(1),
                election: given(2).and_then(|_| ElectionId::new("202611").ok()),
                ballot: given(3).and_then(|_| BallotId::new("1").ok()),
                code: given(4),
                mac: given(5),
                from: given(6).map(|_| Status::ALL[n as usize % 8]),
                from_reason: given(7),
                to: given(8).map(|_| Status::ALL[n as usize % 8]),
                reason: given(9),
                repaired: bits >> 10 & 1 == 1,
                command: given(11),
                by: given(12),
                os_user: given(13),
            };
            let event = Event { v: 1, id: text.clone(), at, fact: Fact::Scan(fact) };
            let body = event.body().unwrap();
            proptest::prop_assert_eq!(&body, &serde_json_canonicalizer::to_string(&event).unwrap());
            proptest::prop_assert_eq!(Event::from_body(&body).unwrap(), event);
        }
    }

    #[test]
    fn a_body_without_its_fields_is_refused() {
        let error =
            Event::from_body("{\"v\":1,\"id\":\"x\",\"at\":0,\"kind\":\"scan\"}").unwrap_err();
        assert!(error.to_string().contains("missing field"), "{error}");
    }
}
