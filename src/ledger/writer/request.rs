//! What the ledger's thread may be asked, and how it answers.

use super::super::batches::BatchRequest;
use super::super::correct::{Moved, NotMoved, SetRequest};
use super::super::fact::{Counts, Who};
use super::super::import::{
    Compared, ImportRefused, ImportRow, ImportedFile, Repeats, UnnamedPiece,
};
use super::super::judge::ManualRequest;
use super::super::operators::NotAllowed;
use super::super::proof::ProofRequest;
use super::super::proposals::{Done, NotDone};
use super::super::sheets::SheetRequest;
use super::PeopleRequest;
use crate::ballot::ElectionId;
use crate::delivery::{Answer, Delivery};
use crate::scan::{Judged, Scan};
use tokio::sync::{mpsc, oneshot};

/// What is counted without a row of its own.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Uncounted {
    /// Repeats.
    pub repeats: u32,
    /// Half frames that were dropped.
    pub no_reads: u32,
}

/// What the ledger's thread may be asked.
#[derive(Debug)]
pub enum Request {
    /// Judge a scan.
    Scan {
        /// The scan.
        scan: Box<Scan>,
        /// Where its verdict goes, after the commit. It has room for every scan that its scanner may have in flight.
        verdicts: mpsc::Sender<Judged>,
    },
    /// Count what is no scan.
    Count(Uncounted),
    /// Hand out changes to deliver; those in flight are not handed out twice.
    Claim {
        /// At most so many.
        max: usize,
        /// Where they go.
        reply: oneshot::Sender<Vec<Delivery>>,
    },
    /// Record what became of deliveries.
    Settle {
        /// By row number of the change.
        settled: Vec<(i64, Answer)>,
        /// Answered when it is durable.
        reply: oneshot::Sender<()>,
    },
    /// Set a ballot by hand, or propose to.
    Set(SetRequest, Reply<Result<Done, NotDone>>),
    /// Take back the last scan that changed something.
    Undo {
        /// Who asks.
        who: Who,
        /// The id of the scan that was shown to them; none where it is whichever was last.
        of: Option<String>,
        /// What came of it.
        reply: Reply<Result<Moved, NotMoved>>,
    },
    /// Owe again what was set aside, and ask the relay at once.
    Retry {
        /// Who asks.
        who: Who,
        /// How many.
        reply: Reply<Result<usize, NotAllowed>>,
    },
    /// What people ask about themselves, and what takes two of them.
    People(PeopleRequest),
    /// Begin an import.
    ImportBegin(Reply<Result<i64, ImportRefused>>),
    /// Stage rows of it.
    ImportRows {
        /// Which import.
        import: i64,
        /// The rows.
        rows: Vec<ImportRow>,
        /// Those that were refused, that change whose a ballot is, or that void or reject one whose envelope is in.
        reply: Reply<Result<Compared, ImportRefused>>,
    },
    /// Say what is done with rows of it that say what an earlier one said.
    ImportRepeats {
        /// Which import.
        import: i64,
        /// What is done.
        repeats: Repeats,
        /// Whether it goes on.
        reply: Reply<Result<(), ImportRefused>>,
    },
    /// Stage rows of it, and hear what became of each.
    ImportCompare {
        /// Which import.
        import: i64,
        /// The rows.
        rows: Vec<ImportRow>,
        /// What became of them.
        reply: Reply<Result<Compared, ImportRefused>>,
    },
    /// Write a piece of its codes into their index; it takes no rows after this.
    ImportIndex {
        /// Which import.
        import: i64,
        /// How many codes are left.
        reply: Reply<Result<u64, ImportRefused>>,
    },
    /// Look for ballots that it does not name.
    ImportUnnamed {
        /// Which import.
        import: i64,
        /// An election that is meant, too: that of a file without rows.
        election: Option<ElectionId>,
        /// The next of them.
        reply: Reply<Result<UnnamedPiece, ImportRefused>>,
    },
    /// Decide it.
    ImportCommit {
        /// Which import.
        import: i64,
        /// What the event says of the file.
        file: ImportedFile,
        /// What became of its rows.
        reply: Reply<Result<Counts, ImportRefused>>,
    },
    /// Give it up.
    ImportAbandon {
        /// Which import.
        import: i64,
        /// Rows refused before they came here.
        refused: u64,
        /// What would have become of its rows.
        reply: Reply<Result<Counts, ImportRefused>>,
    },
    /// Open, close or reverse a batch.
    Batch(BatchRequest),
    /// Say the codes of command sheets, or make all earlier ones stale.
    Sheet(SheetRequest),
    /// A number that somebody typed.
    Manual(ManualRequest),
    /// Sign the chain, or have the relay witness that.
    Proof(ProofRequest),
    /// Make a transaction, for the watchdog.
    Probe(oneshot::Sender<()>),
}

/// What is done with an answer, on the ledger's thread: it must not block. `Err` when the transaction was given up, so that it
/// is not known what came of the request.
pub struct Reply<T>(pub(super) Box<dyn FnOnce(Result<T, NotKnown>) + Send>);

impl<T: Send + 'static> Reply<T> {
    /// Does this with the answer.
    pub fn new(with: impl FnOnce(Result<T, NotKnown>) + Send + 'static) -> Self {
        Self(Box::new(with))
    }

    /// Sends the answer there; whoever asked may be gone.
    pub fn to(sender: oneshot::Sender<Result<T, NotKnown>>) -> Self {
        Self::new(move |answer| {
            if sender.send(answer).is_err() {
                tracing::debug!("Nobody waits for an answer any more.");
            }
        })
    }
}

impl<T> std::fmt::Debug for Reply<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Reply")
    }
}

/// The transaction was given up.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the ledger could not be written; it is not known whether this was")]
pub struct NotKnown;

/// Why a request was not sent.
#[derive(Debug)]
pub enum Unsent {
    /// The thread has more than it can take: try this again.
    Full(Box<Request>),
    /// The thread has ended.
    Closed,
}
