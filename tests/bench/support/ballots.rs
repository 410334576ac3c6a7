//! A ledger with issued ballots, and the envelopes that bring them back.

use anyhow::{Context as _, bail};
use ballot_intake::ballot::{BallotId, ElectionId, Mode, Status, VoterId};
use ballot_intake::clock::{SystemClock, Zone};
use ballot_intake::control::{Answer, Command, Desk};
use ballot_intake::ledger::{ImportRow, ImportedFile, Settings};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// The election.
pub(crate) const ELECTION: &str = "202611";

/// Rows of an import that are staged at a time.
const PIECE_ROWS: usize = 1_000;

/// The ledger of a station in that folder.
pub(crate) fn settings(dir: &Path) -> anyhow::Result<Settings> {
    Ok(Settings {
        path: dir.join("ledger.sqlite"),
        key_file: dir.join("signing.key"),
        facility: "county".to_owned(),
        station: "intake-1".to_owned(),
        zone: Zone::named("America/Denver").context("no time zones")?,
        election: Some(ElectionId::new(ELECTION)?),
        receive_until: None,
        postmarked_receive_until: None,
        cure_until: None,
        mode: Mode::Receive,
        hold_back: Duration::from_mins(10),
        announce_imports: Vec::new(),
        batch_cap: 0,
    })
}

/// Issues ballots 0 to `n`, each to a voter of its own; through the daemon, if one has the ledger.
pub(crate) fn issue(settings: Settings, n: usize) -> anyhow::Result<()> {
    let mut desk = Desk::find(settings, Arc::new(SystemClock::new()))?;
    let Answer::ImportBegun { import } = desk.ask(Command::ImportBegin {})? else {
        bail!("no import could be begun");
    };
    for start in (0..n).step_by(PIECE_ROWS) {
        let rows = (start..n.min(start + PIECE_ROWS)).map(row).collect::<anyhow::Result<_>>()?;
        match desk.ask(Command::ImportRows { import, rows })? {
            Answer::ImportCompared(staged) if staged.refused.is_empty() => {}
            answer => bail!("rows were not staged: {answer:?}"),
        }
    }
    let file = ImportedFile {
        file: "ballots.csv".to_owned(),
        sha256: "0".repeat(64),
        layout: "bench".to_owned(),
        refused: 0,
        by: String::new(),
        os_user: None,
    };
    match desk.ask(Command::ImportCommit { import, file })? {
        Answer::ImportDone(counts) if counts.issued == u64::try_from(n)? => desk.close(),
        answer => bail!("the import was not taken: {answer:?}"),
    }
    Ok(())
}

/// The numbers 0 to `n` in an order that no file has: envelopes come back as the mail brings them.
pub(crate) fn as_they_come(n: usize) -> impl Iterator<Item = usize> {
    // A step that shares no factor with `n` meets every number once.
    let step =
        (n * 618 / 1_000..=n.saturating_add(1)).find(|step| is_coprime(*step, n)).unwrap_or(1);
    (0..n).map(move |place| place * step % n)
}

/// The id of ballot `number`.
pub(crate) fn ballot(number: usize) -> String {
    format!("{number:09}")
}

fn row(number: usize) -> anyhow::Result<ImportRow> {
    Ok(ImportRow {
        election: ElectionId::new(ELECTION)?,
        ballot: Some(BallotId::new(&ballot(number))?),
        voter: VoterId::new(&format!("6{number:08}"))?,
        imb: Some(format!("901234567{:06}", number % 1_000_000)),
        codes: BTreeMap::new(),
        style: Some(format!("{}", number % 50)),
        status: Status::Mailed,
        reason: None,
        mailed: None,
        returned: None,
        receive_until: None,
    })
}

const fn is_coprime(mut a: usize, mut b: usize) -> bool {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a == 1
}
