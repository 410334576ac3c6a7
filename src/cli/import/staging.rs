//! An import under way: the file's rows in the order of their ballots, piece by piece into the ledger, and what comes back.

use super::list::{self, List, not_written};
use super::told::{Share, Step, Told};
use super::{
    Hashed, ImportError, ImportOutcome, ImportRequest, LIST_BYTES, PIECE_BYTES_MAX, PIECE_ROWS,
    READ_ROWS, RUN_BYTES, Run, SCRATCH, SHOWN_MAX, file_name, hex, of_layout, unexpected,
};
use crate::clock::{Micros, Zone};
use crate::control::{Answer, Command, Desk};
use crate::ledger::{
    Changed, Compared, Header, ImportRow, ImportedFile, Origin, Piece, Record, Refused, RefusedRow,
    RefusedRows, Repeats, Rows, Sorted, Sorter,
};
use sha2::{Digest as _, Sha256};
use std::fs::File;
use std::io;
use std::path::PathBuf;

/// Most rows of one ballot that are compared with one another; later ones are the ledger's to compare with the first.
const GROUP_ROWS_MAX: usize = 100;

/// Lines that a reason names.
const LINES_SHOWN_MAX: usize = 5;

/// The layout whose rows must not say anything twice.
const STRICT: &str = "generic";

/// What became of a file, and what of it people are shown.
pub(super) struct Outcome {
    pub(super) outcome: ImportOutcome,
    /// Lines about the first differences.
    pub(super) shown: Vec<String>,
}

/// An import that is being staged.
pub(super) struct Staging<'a> {
    import: i64,
    request: &'a ImportRequest<'a>,
    told: Told<'a>,
    /// Rows of the file.
    rows: u64,
    /// Rows that were refused here, not by the ledger.
    refused: u64,
    refused_rows: Sorter,
    differences: Sorter,
    /// Lists that were begun, so that no two entries have one key.
    listed: u64,
    disappeared: u64,
    disappeared_list: List,
    voters: u64,
    voters_list: List,
    to_pull: u64,
}

impl<'a> Staging<'a> {
    pub(super) fn new(import: i64, request: &'a ImportRequest<'a>, told: Told<'a>) -> Self {
        let list = || Sorter::new(folders(request), LIST_BYTES);
        Self {
            import,
            request,
            told,
            rows: 0,
            refused: 0,
            refused_rows: list(),
            differences: list(),
            listed: 0,
            disappeared: 0,
            disappeared_list: List::new("disappeared", &["ballot", "voter", "status"]),
            voters: 0,
            voters_list: List::new("voters", &["line", "ballot", "status", "before", "after"]),
            to_pull: 0,
        }
    }

    /// Hands the ledger all rows, and has it look for what they do not name.
    pub(super) fn take(
        &mut self,
        desk: &mut Desk,
        rows: &mut Rows<&mut Hashed<'_>>,
        read: &dyn Fn() -> Share,
    ) -> Result<(), ImportError> {
        if self.request.layout.name() != STRICT {
            let command =
                Command::ImportRepeats { import: self.import, repeats: Repeats::Unchanged };
            Self::ask(desk, command, |answer| match answer {
                Answer::ImportGoesOn {} => Ok(()),
                other => Err(other),
            })?;
        }
        let sorter = self.read(desk, rows, read)?;
        self.stage(desk, sorter)?;
        self.look_for_unnamed(desk)?;
        if self.request.run == Run::Real {
            self.index(desk)?;
        }
        let all = Share { done: 1, of: 1 };
        self.told.tell(Step::Done, all, self.rows).map_err(ImportError::Out)
    }

    /// The rows of the file, on their way into the order of their ballots.
    fn read(
        &mut self,
        desk: &mut Desk,
        rows: &mut Rows<&mut Hashed<'_>>,
        read: &dyn Fn() -> Share,
    ) -> Result<Sorter, ImportError> {
        let mut sorter = Sorter::new(folders(self.request), RUN_BYTES);
        let mut entry = Entry::default();
        loop {
            let piece = rows.piece(READ_ROWS).map_err(|e| of_layout(self.request, e))?;
            self.rows += count(piece.rows.len() + piece.refused.len());
            self.refused += count(piece.refused.len());
            for refused in &piece.refused {
                self.list_refused(refused)?;
            }
            let Piece { rows, origins, named, done, refused: _ } = piece;
            for row in &named {
                entry.fill(row, &Origin::of(0, &[]));
                sorter.push(&entry.key, &entry.value).map_err(ImportError::Sort)?;
            }
            for (row, origin) in rows.iter().zip(&origins) {
                entry.fill(row, origin);
                sorter.push(&entry.key, &entry.value).map_err(ImportError::Sort)?;
            }
            self.told.tell(Step::Read, read(), self.rows).map_err(ImportError::Out)?;
            if done {
                return Ok(sorter);
            }
            // A daemon that hears nothing for long takes us for gone.
            self.hand_over(desk, &[])?;
        }
    }

    /// Hands the ledger all rows in the order of their ballots.
    fn stage(&mut self, desk: &mut Desk, rows: Sorter) -> Result<(), ImportError> {
        let mut groups = Groups::of(rows)?;
        let mut staged = 0;
        loop {
            let mut records = Vec::with_capacity(PIECE_ROWS);
            let mut bytes = 0;
            while records.len() < PIECE_ROWS && bytes < PIECE_BYTES_MAX {
                let Some(group) = groups.take_next()? else { break };
                bytes += group.records.iter().map(|record| record.value.len()).sum::<usize>();
                records.extend(self.agreed(group)?);
            }
            if records.is_empty() {
                return Ok(());
            }
            staged += count(records.len());
            self.hand_over(desk, &records)?;
            let share = Share { done: staged, of: self.rows };
            self.told.tell(Step::Stage, share, staged).map_err(ImportError::Out)?;
        }
    }

    /// The rows of a group. Those that contradict one another are refused, all of them, for which is right nobody knows; the
    /// ledger hears what they name.
    fn agreed(&mut self, group: Group) -> Result<Vec<Record>, ImportError> {
        let Some((reason, named)) = group.contradiction()? else { return Ok(group.records) };
        let mut entry = Entry::default();
        for record in &group.records {
            if !row_of(record)?.is_refused() {
                self.refused += 1;
                self.list_refused(&origin_of(record)?.refused(reason.clone()))?;
            }
        }
        entry.fill(&named, &Origin::of(0, &[]));
        let Entry { key, value, .. } = entry;
        Ok(vec![Record { key, value }])
    }

    /// Hands the ledger a piece, and lists what comes back.
    fn hand_over(&mut self, desk: &mut Desk, records: &[Record]) -> Result<(), ImportError> {
        let import = self.import;
        let rows = records.iter().map(row_of).collect::<Result<Vec<_>, _>>()?;
        let command = match self.request.run {
            Run::Real => Command::ImportRows { import, rows },
            Run::Dry => Command::ImportCompare { import, rows },
        };
        let Compared { refused, changed } = Self::ask(desk, command, |answer| match answer {
            Answer::ImportCompared(compared) => Ok(compared),
            other => Err(other),
        })?;
        for RefusedRow { index, reason } in refused {
            let refused = origin_of(at(records, index)?)?.refused(reason);
            self.list_refused(&refused)?;
        }
        for changed in changed {
            let line = origin_of(at(records, changed.index)?)?.line;
            self.hear(line, &changed)?;
            if self.request.run == Run::Dry {
                self.list_differences(line, &changed)?;
            }
        }
        Ok(())
    }

    /// What somebody must hear of, whether or not the import counts.
    fn hear(&mut self, line: u64, changed: &Changed) -> Result<(), ImportError> {
        self.to_pull += u64::from(changed.is_to_pull());
        let (Some(before), true) = (&changed.before, changed.is_of_voter()) else { return Ok(()) };
        self.voters += 1;
        let (line, ballot) = (line.to_string(), ballot_of(&changed.after));
        let (was, is) = (before.voter.as_str(), changed.after.voter.as_str());
        self.voters_list.write(self.request, &[&line, ballot, changed.after.status.name(), was, is])
    }

    /// Has the ledger write the codes into their index.
    fn index(&mut self, desk: &mut Desk) -> Result<(), ImportError> {
        let mut all = 0;
        loop {
            let command = Command::ImportIndex { import: self.import };
            let left = Self::ask(desk, command, |answer| match answer {
                Answer::ImportIndexed { left } => Ok(left),
                other => Err(other),
            })?;
            if left == 0 {
                return Ok(());
            }
            all = all.max(left);
            let share = Share { done: all - left, of: all };
            self.told.tell(Step::Index, share, self.rows).map_err(ImportError::Out)?;
        }
    }

    /// Lists the ballots that the file does not name.
    fn look_for_unnamed(&mut self, desk: &mut Desk) -> Result<(), ImportError> {
        let rules = &self.request.rules;
        let meant = rules.named.as_ref().or(rules.election.as_ref()).filter(|_| self.rows == 0);
        loop {
            let command = Command::ImportUnnamed { import: self.import, election: meant.cloned() };
            let piece = Self::ask(desk, command, |answer| match answer {
                Answer::ImportUnnamed(piece) => Ok(piece),
                other => Err(other),
            })?;
            self.disappeared += count(piece.ballots.len());
            for unnamed in &piece.ballots {
                list::write_unnamed(&mut self.disappeared_list, self.request, unnamed)?;
            }
            if piece.done {
                return Ok(());
            }
        }
    }

    fn ask<T>(
        desk: &mut Desk,
        command: Command,
        reads: impl FnOnce(Answer) -> Result<T, Answer>,
    ) -> Result<T, ImportError> {
        reads(desk.ask(command).map_err(ImportError::Control)?).map_err(unexpected)
    }

    fn list_refused(&mut self, refused: &Refused) -> Result<(), ImportError> {
        let (place, column) = match &refused.column {
            Some((place, name)) => (count(*place), name.as_str()),
            None => (0, ""),
        };
        let mut value = Vec::new();
        put(&mut value, &place.to_be_bytes());
        put(&mut value, column.as_bytes());
        put(&mut value, refused.reason.as_bytes());
        refused.origin.fields().for_each(|field| put(&mut value, field));
        let key = self.list_key(refused.origin.line);
        self.refused_rows.push(&key, &value).map_err(ImportError::Sort)
    }

    fn list_differences(&mut self, line: u64, changed: &Changed) -> Result<(), ImportError> {
        let zone = &self.request.rules.zone;
        for difference in differences(changed, zone) {
            let mut value = Vec::new();
            put(&mut value, ballot_of(&changed.after).as_bytes());
            for part in &difference {
                put(&mut value, part.as_bytes());
            }
            let key = self.list_key(line);
            self.differences.push(&key, &value).map_err(ImportError::Sort)?;
        }
        Ok(())
    }

    /// Lists are in the order of the file's lines.
    fn list_key(&mut self, line: u64) -> Vec<u8> {
        self.listed += 1;
        [line.to_be_bytes(), self.listed.to_be_bytes()].concat()
    }

    /// Writes the lists, then decides the import, or gives it up after a dry run.
    pub(super) fn decide(
        self,
        desk: &mut Desk,
        header: &Header,
        digest: Sha256,
    ) -> Result<Outcome, ImportError> {
        let (import, request) = (self.import, self.request);
        let refused_file = write_refused(request, self.refused_rows, header)?;
        let (differences_file, shown) = write_differences(request, self.differences)?;
        let disappeared_file = self.disappeared_list.end()?;
        let voters_file = self.voters_list.end()?;
        let command = match request.run {
            Run::Dry => Command::ImportAbandon { import, refused: self.refused },
            Run::Real => Command::ImportCommit {
                import,
                file: ImportedFile {
                    file: file_name(request.file),
                    sha256: hex(&digest.finalize()),
                    layout: request.layout.name().to_owned(),
                    refused: self.refused,
                    // Whoever carries the command out knows who asks.
                    by: String::new(),
                    os_user: None,
                },
            },
        };
        let counts = match desk.ask(command).map_err(ImportError::Control)? {
            Answer::ImportDone(counts) => counts,
            other => return Err(unexpected(other)),
        };
        let outcome = ImportOutcome {
            counts,
            refused_file,
            disappeared: self.disappeared,
            disappeared_file,
            voters_changed: self.voters,
            voters_file,
            to_pull: self.to_pull,
            differences_file,
        };
        Ok(Outcome { outcome, shown })
    }
}

/// Rows in their order, by what they name: a ballot, or a voter where the file names no ballot.
struct Groups {
    sorted: Sorted,
    ahead: Option<Record>,
    /// What the last group names, where that was too long to be one.
    too_long: Option<Vec<u8>>,
}

/// Rows that name the same.
struct Group {
    records: Vec<Record>,
    /// Whether there are more of them than are compared.
    is_too_long: bool,
}

impl Groups {
    fn of(rows: Sorter) -> Result<Self, ImportError> {
        let mut groups =
            Self { sorted: rows.sorted().map_err(ImportError::Sort)?, ahead: None, too_long: None };
        groups.ahead = groups.sorted.take_next().map_err(ImportError::Sort)?;
        Ok(groups)
    }

    /// The next group, or the next [`GROUP_ROWS_MAX`] rows of one that is too long.
    fn take_next(&mut self) -> Result<Option<Group>, ImportError> {
        let Some(first) = self.ahead.take() else { return Ok(None) };
        let name = name_of(&first).to_owned();
        let mut records = vec![first];
        let next_of_it = loop {
            self.ahead = self.sorted.take_next().map_err(ImportError::Sort)?;
            let next = self.ahead.take_if(|next| name_of(next) == name);
            match next {
                Some(next) if records.len() < GROUP_ROWS_MAX => records.push(next),
                next => break next,
            }
        };
        let goes_on = next_of_it.is_some();
        if goes_on {
            self.ahead = next_of_it;
        }
        let is_too_long = goes_on || self.too_long.as_ref() == Some(&name);
        self.too_long = goes_on.then_some(name);
        Ok(Some(Group { records, is_too_long }))
    }
}

/// The key of a row without its line: what it names.
fn name_of(record: &Record) -> &[u8] {
    record.key.split_last_chunk::<8>().map_or(&[], |(name, _)| name)
}

impl Group {
    /// Why its rows cannot all be right, and what they name; nothing where each says the same.
    fn contradiction(&self) -> Result<Option<(String, ImportRow)>, ImportError> {
        if self.records.len() < 2 && !self.is_too_long {
            return Ok(None);
        }
        let mut rows = Vec::new();
        for record in &self.records {
            let row = row_of(record)?;
            if !row.is_refused() {
                rows.push((origin_of(record)?.line, row));
            }
        }
        let Some((_, first)) = rows.first() else { return Ok(None) };
        let name = match &first.ballot {
            Some(ballot) => format!("ballot {ballot}"),
            None => format!("voter {}", first.voter),
        };
        let why = if self.is_too_long {
            format!("{name} has more than {GROUP_ROWS_MAX} rows")
        } else if rows.iter().any(|(_, row)| row != first) {
            let shown = rows.iter().take(LINES_SHOWN_MAX);
            let lines = shown.map(|(line, _)| line.to_string()).collect::<Vec<_>>().join(", ");
            let and_more = if rows.len() > LINES_SHOWN_MAX { " and more" } else { "" };
            format!("the rows of {name} say different things: lines {lines}{and_more}")
        } else {
            return Ok(None);
        };
        let ImportRow { election, ballot, voter, .. } = first.clone();
        let named = ImportRow::refused(election, ballot, Some(voter)).ok_or_else(not_sorted)?;
        Ok(Some((why, named)))
    }
}

/// Where rows are sorted: beside the file, else in the other folder.
fn folders(request: &ImportRequest<'_>) -> Vec<PathBuf> {
    let beside = request.file.with_file_name("");
    let beside = if beside.as_os_str().is_empty() { PathBuf::from(".") } else { beside };
    vec![beside, request.folder.to_owned(), PathBuf::from(SCRATCH)]
}

fn count(n: usize) -> u64 {
    u64::try_from(n).unwrap_or(u64::MAX)
}

fn ballot_of(row: &ImportRow) -> &str {
    row.ballot.as_ref().map_or("", |ballot| ballot.as_str())
}

/// A row as it is sorted: by election, ballot, and line of the file.
#[derive(Default)]
struct Entry {
    key: Vec<u8>,
    value: Vec<u8>,
    packed: String,
}

impl Entry {
    fn fill(&mut self, row: &ImportRow, origin: &Origin) {
        self.key.clear();
        // A row that names a voter alone stands among its like.
        let ballot = row.ballot.as_ref().map_or(row.voter.as_str(), |ballot| ballot.as_str());
        for part in [row.election.as_str(), ballot] {
            self.key.extend_from_slice(part.as_bytes());
            // Before every character of an id.
            self.key.push(0);
        }
        self.key.extend_from_slice(&origin.line.to_be_bytes());
        self.packed.clear();
        row.pack(&mut self.packed);
        self.value.clear();
        put(&mut self.value, self.packed.as_bytes());
        origin.fields().for_each(|field| put(&mut self.value, field));
    }
}

fn row_of(record: &Record) -> Result<ImportRow, ImportError> {
    let packed = parts(&record.value).next().and_then(|part| std::str::from_utf8(part).ok());
    let mut rows = ImportRow::unpack_all(packed.unwrap_or_default()).unwrap_or_default();
    rows.pop().ok_or_else(not_sorted)
}

fn origin_of(record: &Record) -> Result<Origin, ImportError> {
    let line = record.key.last_chunk().ok_or_else(not_sorted)?;
    let fields: Vec<_> = parts(&record.value).skip(1).collect();
    Ok(Origin::of(u64::from_be_bytes(*line), &fields))
}

fn at(records: &[Record], index: usize) -> Result<&Record, ImportError> {
    records.get(index).ok_or_else(|| ImportError::Ledger(format!("it speaks of row {index}")))
}

/// What was written to be sorted did not come back.
fn not_sorted() -> ImportError {
    ImportError::Sort(io::ErrorKind::InvalidData.into())
}

/// Appends a part with its length.
fn put(to: &mut Vec<u8>, part: &[u8]) {
    let length = u32::try_from(part.len()).unwrap_or(u32::MAX);
    to.extend_from_slice(&length.to_le_bytes());
    to.extend_from_slice(part);
}

/// The parts that were put.
fn parts(mut bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let (length, rest) = bytes.split_first_chunk()?;
        let length = usize::try_from(u32::from_le_bytes(*length)).ok()?;
        let (part, rest) = rest.split_at_checked(length)?;
        bytes = rest;
        Some(part)
    })
}

/// The columns in which a ballot changes, each with what stood there and what will; of a new one, its status alone.
fn differences(changed: &Changed, zone: &Zone) -> Vec<[String; 3]> {
    let Changed { before, after, .. } = changed;
    let Some(before) = before else {
        return vec![["status".to_owned(), String::new(), after.status.to_string()]];
    };
    let texts = |row: &ImportRow| {
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        let time = |at: Option<Micros>| at.map_or_else(String::new, |at| zone.date_time(at));
        [
            ("voter", row.voter.to_string()),
            ("imb", text(&row.imb)),
            ("style", text(&row.style)),
            ("status", row.status.to_string()),
            ("reason", text(&row.reason)),
            ("mailed", time(row.mailed)),
            ("returned", time(row.returned)),
            ("receive_until", time(row.receive_until)),
        ]
    };
    let both = texts(before).into_iter().zip(texts(after));
    let columns = both.map(|((name, old), (_, new))| [name.to_owned(), old, new]);
    let codes = after.codes.iter().map(|(kind, new)| {
        [kind.clone(), before.codes.get(kind).cloned().unwrap_or_default(), new.clone()]
    });
    columns.chain(codes).filter(|[_, old, new]| old != new).collect()
}

fn write_refused(
    request: &ImportRequest<'_>,
    rows: Sorter,
    header: &Header,
) -> Result<Option<PathBuf>, ImportError> {
    let mut sorted = rows.sorted().map_err(ImportError::Sort)?;
    let mut open: Option<(PathBuf, RefusedRows<File>)> = None;
    while let Some(record) = sorted.take_next().map_err(ImportError::Sort)? {
        let (path, file) = if let Some(open) = open.take() {
            open
        } else {
            let (path, file) = list::create(request, "refused")?;
            let rows = RefusedRows::begin(file, header).map_err(|e| not_written(&path, e))?;
            (path, rows)
        };
        let (path, file) = open.insert((path, file));
        file.write(&refused_of(&record)?).map_err(|e| not_written(path, e))?;
    }
    let Some((path, file)) = open else { return Ok(None) };
    file.end().map_err(|e| not_written(&path, e))?;
    Ok(Some(path))
}

fn refused_of(record: &Record) -> Result<Refused, ImportError> {
    let line = record.key.first_chunk().ok_or_else(not_sorted)?;
    let mut parts = parts(&record.value);
    let place = parts.next().and_then(|place| place.try_into().ok()).map(u64::from_be_bytes);
    let place = place.and_then(|place| usize::try_from(place).ok()).ok_or_else(not_sorted)?;
    let mut text = || {
        let text = parts.next().map(String::from_utf8_lossy);
        text.map(std::borrow::Cow::into_owned).ok_or_else(not_sorted)
    };
    let (column, reason) = (text()?, text()?);
    let fields: Vec<_> = parts.collect();
    let origin = Origin::of(u64::from_be_bytes(*line), &fields);
    let column = Some((place, column)).filter(|(place, _)| *place > 0);
    Ok(Refused { origin, column, reason })
}

/// Writes the differences; the file, and the first of them for people.
fn write_differences(
    request: &ImportRequest<'_>,
    differences: Sorter,
) -> Result<(Option<PathBuf>, Vec<String>), ImportError> {
    let mut sorted = differences.sorted().map_err(ImportError::Sort)?;
    let mut list = List::new("differences", &["line", "ballot", "column", "before", "after"]);
    let mut shown = Vec::new();
    while let Some(record) = sorted.take_next().map_err(ImportError::Sort)? {
        let line = record.key.first_chunk().ok_or_else(not_sorted)?;
        let line = u64::from_be_bytes(*line).to_string();
        let texts: Vec<_> = parts(&record.value).map(String::from_utf8_lossy).collect();
        let [ballot, column, before, after] = texts.as_slice() else { return Err(not_sorted()) };
        list.write(request, &[&line, ballot, column, before, after])?;
        if shown.len() < SHOWN_MAX {
            let or_nothing =
                |text: &str| if text.is_empty() { "nothing".to_owned() } else { text.to_owned() };
            let (before, after) = (or_nothing(before), or_nothing(after));
            shown.push(format!("line {line}, ballot {ballot}: {column}, {before} to {after}"));
        }
    }
    Ok((list.end()?, shown))
}
