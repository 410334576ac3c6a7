//! The append-only record of a station, and everything that derives from it.
//!
//! Constraints, on which the design stands:
//!
//! - One thread owns the one writing connection ([`Ledger`]). Readers open their own, beside it ([`Reader`]).
//! - A scan, its link in the chain, the ballot's status, the counts and what the relay is owed are one transaction in a
//!   write-ahead log with `synchronous=FULL`. No verdict leaves before its commit.
//! - Every row of `event` is RFC 8785 JSON; its hash is SHA-256 over the hash before it and the body. Everything else derives
//!   from the bodies and the imported rows by one function, which a rebuild runs again, and which `verify` compares.
//! - A power cut loses what was not answered, and nothing else.
//! - Bounds: requests waiting, rows in a transaction, pages in memory and in the log, rows of an import in memory: each a
//!   named constant in its file.

mod apply;
mod at_scanners;
pub mod backup;
mod batches;
mod body;
mod book;
mod cell;
mod checkpoint;
mod correct;
mod export;
mod fact;
mod import;
mod judge;
mod key;
mod layout;
mod lock;
mod now;
mod operators;
mod outbox;
mod proof;
mod proposals;
mod refusals;
mod report;
mod rows;
mod schema;
mod sheets;
mod sort;
mod tally;
mod unanswered;
mod verify;
mod writer;

pub use at_scanners::SignedInAt;
pub use batches::{
    BatchCount, BatchRequest, BatchReversal, BatchScan, BatchStory, ClosedBatch, Closing, Contents,
    Difference, IN_NO_BATCH, LeftAlone, NewBatch, NotBatched, NotReversed, OpenBatch, Reversed,
};
pub use book::{OpenError, Settings, WriteError};
pub use cell::write_csv_row;
pub use checkpoint::{Checkpoint, Held, HeldError};
pub use correct::{Moved, NotMoved, SetRequest, TakenBack};
pub use export::{Export, ExportError, Exported};
pub use fact::{Act, Counts, Decision, Person, Refusal, Role, TokenAct, TwoPersonAct, Who, Why};
pub(crate) use import::packed;
pub use import::{
    Changed, Compared, ImportRefused, ImportRow, ImportedFile, NotPacked, RefusedRow, Repeats,
    Unnamed, UnnamedPiece,
};
pub use judge::{BY_HAND, LookedUp, ManualRequest, NotMarked, Typed};
pub use key::{KeyError, PublicKey};
pub use layout::{
    Header, LAYOUT_BYTES_MAX, Layout, LayoutError, LayoutFault, LayoutFaults, Origin, Piece,
    Refused, RefusedRows, Rows, Rules,
};
pub use lock::{Holder, Lock, LockError};
pub use now::{Now, OpenNow, ScanNow};
pub use operators::{Challenge, Claim, NewOperator, NotAllowed, OperatorEntry, Proof, Secret};
pub use outbox::{Dropped, OutboxEntry};
pub use proof::ProofRequest;
pub use proposals::{Done, NotDone, Party, Proposal};
pub use report::{
    After, BallotStory, BatchDay, BatchPage, BatchReport, BatchSheet, Chapter, CheckpointEntry,
    CheckpointPage, ClerkScans, DayReport, DaySheet, Exception, Exceptions, FieldDifference, Flow,
    HandCounts, HourScans, ImportDifference, ImportEntry, ImportPage, ImportSheet, Mover,
    NamedScans, OutboxPage, Pulled, QuarterScans, ReadError, Reader, Reconciliation, Report,
    ScanSums, Undoable, VoterChange,
};
pub use schema::SchemaError;
pub use sheets::{NoSheet, Renewal, SheetCode, SheetCodes, SheetRequest};
pub use sort::{Record, Sorted, Sorter};
pub use verify::{
    Against, Differed, Newest, Rebuilt, Tail, Verified, VerifyError, VerifyFault, rebuild, verify,
    verify_against,
};
pub use writer::{
    Change, Ledger, News, NotKnown, PeopleRequest, Reply, Request, StartError, Told, Uncounted,
    Unsent,
};
