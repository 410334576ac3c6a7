//! Mail ballot files into a ledger: what is taken, what is refused and where it is written, and that a file counts as a whole.
#![cfg(test)]

use ballot_intake::ballot::{ElectionId, Mode, Status};
use ballot_intake::cli::import::{
    ImportError, ImportOutcome, ImportRequest, Progress, Run, import,
};
use ballot_intake::cli::read::Output;
use ballot_intake::clock::{Clock as _, ManualClock, Micros, Zone};
use ballot_intake::control::{Answer, Command, Desk};
use ballot_intake::ledger::{
    Compared, Counts, ImportRow, Layout, LayoutError, Reader, Rows, Rules, Settings, verify,
};
use std::fmt::Write as _;
use std::fs;
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;

/// A ledger in a folder of its own, with an election and a standing clock.
struct Station {
    folder: TempDir,
    clock: Arc<ManualClock>,
    layout: Layout,
}

impl Station {
    fn new() -> Self {
        let now = Micros::parse_rfc3339("2026-10-20T12:00:00-06:00").unwrap();
        Self {
            folder: TempDir::new().unwrap(),
            clock: Arc::new(ManualClock::new(now)),
            layout: Layout::named("generic").unwrap(),
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn file(&self, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
        fs::write(self.path(name), text).unwrap();
        self.path(name)
    }

    fn rules(&self) -> Rules {
        Rules {
            election: Some(ElectionId::new("202611").unwrap()),
            election_day: None,
            named: None,
            codes: Vec::new(),
            zone: Zone::named("America/Denver").unwrap(),
            now: self.clock.now(),
        }
    }

    fn desk(&self) -> Desk {
        let settings = Settings {
            path: self.path("ledger.sqlite"),
            key_file: self.path("station.key"),
            facility: "boulder".to_owned(),
            station: "intake-1".to_owned(),
            zone: self.rules().zone,
            election: self.rules().election,
            receive_until: None,
            postmarked_receive_until: None,
            cure_until: None,
            mode: Mode::Receive,
            hold_back: Duration::from_mins(10),
            announce_imports: vec![Status::Voided],
            batch_cap: 0,
        };
        Desk::find(settings, Arc::<ManualClock>::clone(&self.clock)).unwrap()
    }

    fn request<'a>(&'a self, file: &'a Path, run: Run) -> ImportRequest<'a> {
        ImportRequest {
            file,
            layout: &self.layout,
            rules: self.rules(),
            run,
            lists: None,
            folder: self.folder.path(),
            output: Output::Json,
            progress: Progress::Hidden,
            clock: &*self.clock,
        }
    }

    /// What came of it, and what was said to the caller, the answer first.
    fn carry_out(
        &self,
        request: &ImportRequest<'_>,
    ) -> Result<(ImportOutcome, String), ImportError> {
        let mut desk = self.desk();
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let outcome = import(&mut desk, request, &mut out, &mut err);
        desk.close();
        outcome.map(|outcome| (outcome, String::from_utf8([out, err].concat()).unwrap()))
    }

    fn try_import(&self, file: &Path, run: Run) -> Result<(ImportOutcome, String), ImportError> {
        self.carry_out(&self.request(file, run))
    }

    fn counts(&self, file: &Path, run: Run) -> Counts {
        self.try_import(file, run).unwrap().0.counts
    }

    fn reader(&self) -> Reader {
        Reader::open(&self.path("ledger.sqlite"), self.rules().zone).unwrap()
    }

    fn report(&self) -> String {
        let election = self.rules().election;
        let report = self.reader().report(election.as_ref(), self.clock.now()).unwrap();
        serde_json::to_string_pretty(&report).unwrap()
    }

    fn statuses(&self, ballots: &[&str]) -> Vec<Option<Status>> {
        let reader = self.reader();
        let status = |ballot: &&str| reader.ballot("202611", ballot).unwrap().map(|b| b.status);
        ballots.iter().map(status).collect()
    }
}

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/import").join(name)
}

/// So many ballots, of which every `changed`th has another style.
fn ballots(count: u32, changed: u32) -> String {
    let mut text = "ballot,voter,imb,style,mailed\n".to_owned();
    for n in 1..=count {
        let style = if changed != 0 && n % changed == 0 { "new" } else { "old" };
        writeln!(text, "{n:09},6{n:08},901234567{n:06},{style},2026-10-09").unwrap();
    }
    text
}

const NONE: Counts = Counts { rows: 0, issued: 0, updated: 0, unchanged: 0, voided: 0, refused: 0 };

#[test]
fn a_file_with_every_kind_of_dirt_is_taken_as_far_as_it_can_be() {
    let station = Station::new();
    let file = station.file("dirt.csv", fs::read(fixture("dirt.csv")).unwrap());
    let (outcome, said) = station.try_import(&file, Run::Real).unwrap();

    let refused_file = outcome.refused_file.unwrap();
    assert_eq!(refused_file, station.path("dirt.csv.refused.csv"));
    let said = said.replace(station.folder.path().to_str().unwrap(), "FOLDER");
    assert_eq!(said, fs::read_to_string(fixture("dirt.said.txt")).unwrap());
    assert_eq!(fs::read(refused_file).unwrap(), fs::read(fixture("dirt.refused.csv")).unwrap());
}

/// The layouts of strangers, the files of each, and the columns that mean nothing.
const FILES: [(&str, &str); 5] = [
    ("ce-068", "ce-068/dirt.txt"),
    ("ce-068", "ce-068/comma.csv"),
    ("vr-systems", "vr-systems/dirt.csv"),
    ("nc-absentee", "nc-absentee/dirt.csv"),
    ("ballottrax-status", "ballottrax-status/dirt.csv"),
];

#[test]
fn a_file_of_a_stranger_is_taken_as_far_as_it_can_be_and_a_second_time_changes_nothing() {
    for (layout, name) in FILES {
        let station = Station { layout: Layout::named(layout).unwrap(), ..Station::new() };
        let (stem, _) = name.rsplit_once('.').unwrap();
        let fixture_of = |end: &str| fs::read_to_string(fixture(&format!("{stem}.{end}"))).unwrap();
        let (_, own_name) = name.split_once('/').unwrap();
        let file = station.file(own_name, fs::read(fixture(name)).unwrap());
        let (first, said) = station.try_import(&file, Run::Real).unwrap();
        let said = said.replace(station.folder.path().to_str().unwrap(), "FOLDER");
        assert_eq!(said, fixture_of("said.txt"), "{name}");
        let refused = fs::read_to_string(first.refused_file.unwrap()).unwrap();
        assert_eq!(refused, fixture_of("refused.csv"), "{name}");

        let report = station.report();
        let second = station.counts(&file, Run::Real);
        let Counts { rows, refused, .. } = first.counts;
        assert_eq!(second, Counts { rows, refused, unchanged: rows - refused, ..NONE }, "{name}");
        assert_eq!(station.report(), report);
        assert_eq!(verify(&station.path("ledger.sqlite")).unwrap().fault, None);
    }
}

/// Which of them is right depended on the order of the lines.
#[test]
fn rows_of_one_ballot_that_say_different_things_are_all_refused() {
    let header = "ncid,election_dt,ballot_req_dt,ballot_send_dt,ballot_rtn_dt,ballot_rtn_status";
    let spoiled = "ZZ1,11/03/2026,09/01/2026,09/15/2026,10/01/2026,SPOILED";
    let accepted = "ZZ1,11/03/2026,09/01/2026,09/15/2026,10/01/2026,ACCEPTED";
    let other = "ZZ2,11/03/2026,09/01/2026,09/15/2026,10/01/2026,ACCEPTED";
    for rows in [[spoiled, accepted, other, other], [accepted, other, spoiled, other]] {
        let station = Station { layout: Layout::named("nc-absentee").unwrap(), ..Station::new() };
        let before = "ZZ1,11/03/2026,09/01/2026,09/15/2026,,";
        let file = station.file("before.csv", format!("{header}\n{before}\n"));
        assert_eq!(station.counts(&file, Run::Real), Counts { rows: 1, issued: 1, ..NONE });
        let file = station.file("now.csv", format!("{header}\n{}\n", rows.join("\n")));
        let (outcome, _) = station.try_import(&file, Run::Real).unwrap();
        let counts = Counts { rows: 4, issued: 1, unchanged: 1, refused: 2, ..NONE };
        assert_eq!((outcome.counts, outcome.disappeared), (counts, 0));
        let refused = fs::read_to_string(outcome.refused_file.unwrap()).unwrap();
        let line = |row| rows.iter().position(|r| *r == row).unwrap() + 2;
        let lines = [line(spoiled), line(accepted)];
        let (first, last) = (lines[0].min(lines[1]), lines[0].max(lines[1]));
        let why = "the rows of ballot ZZ1-2026-09-01 say different things";
        for line in [first, last] {
            let expected = format!("\n{line},,\"{why}: lines {first}, {last}\",ZZ1,");
            assert!(refused.contains(&expected), "{refused}");
        }
        assert_eq!(station.statuses(&["ZZ1-2026-09-01"]), [Some(Status::Mailed)]);
    }
}

#[test]
fn a_ballot_with_a_hundred_rows_and_more_is_refused_with_all_of_them() {
    let station = Station { layout: Layout::named("ce-068").unwrap(), ..Station::new() };
    for (count, refused) in [(100, 0), (101, 101), (250, 250)] {
        let text = format!("VOTER_ID|X\n9|x\n{}", "1|x\n".repeat(count));
        let file = station.file("flood.txt", text);
        let counts = station.counts(&file, Run::Dry);
        assert_eq!((counts.rows, counts.refused), (u64::try_from(count).unwrap() + 1, refused));
    }
}

/// A slip in a date made a ballot disappear that the file names.
#[test]
fn a_ballot_whose_row_is_refused_has_not_disappeared() {
    let station = Station::new();
    station.counts(&station.file("ballots.csv", ballots(7, 0)), Run::Real);
    let text = "ballot,voter,mailed,x\n000000001,600000001,2026-02-31,\n000000002,,,\n\
                ,600000003,,\n000000004,600000004,,,\n000000005,600000005,,\"\n\
                000000006,600000006,,\n";
    for run in [Run::Dry, Run::Real] {
        let (outcome, _) = station.try_import(&station.file("slips.csv", text), run).unwrap();
        assert_eq!((outcome.counts.refused, outcome.counts.unchanged), (5, 1));
        assert_eq!(outcome.disappeared, 1);
        let list = fs::read_to_string(outcome.disappeared_file.unwrap()).unwrap();
        assert!(list.contains("000000007") && list.lines().count() == 2, "{list}");
    }
}

#[test]
fn no_list_holds_a_formula() {
    let station = Station::new();
    let file = |text: &str| station.file("list.csv", format!("ballot,voter,style\n{text}\n"));
    station.counts(&file("1,2, =1+1"), Run::Real);
    let (outcome, _) = station.try_import(&file("1,2,\u{ff1d}2"), Run::Dry).unwrap();
    let differences = fs::read_to_string(outcome.differences_file.unwrap()).unwrap();
    assert!(differences.ends_with("\"style\",\"' =1+1\",\"'\u{ff1d}2\"\r\n"), "{differences}");
}

#[test]
fn the_rows_of_that_file_are_what_it_says() {
    let file = fs::read(fixture("dirt.csv")).unwrap();
    let station = Station::new();
    let mut file = Rows::open(&file[..], &station.layout, station.rules()).unwrap();
    let piece = file.piece(1_000).unwrap();
    let mut rows = String::new();
    for (origin, row) in piece.origins.iter().zip(&piece.rows) {
        writeln!(rows, "{} {}", origin.line, serde_json::to_string(row).unwrap()).unwrap();
    }
    assert_eq!(rows, fs::read_to_string(fixture("dirt.rows.txt")).unwrap());
}

#[test]
fn the_same_file_again_changes_nothing() {
    let station = Station::new();
    let file = station.file("ballots.csv", ballots(500, 0));
    let all = Counts { rows: 500, ..NONE };
    assert_eq!(station.counts(&file, Run::Real), Counts { issued: 500, ..all });
    let report = station.report();
    assert_eq!(station.counts(&file, Run::Real), Counts { unchanged: 500, ..all });
    assert_eq!(station.report(), report);
}

#[test]
fn a_file_of_twenty_thousand_is_taken_and_its_changes_are_seen_at_once() {
    let station = Station::new();
    let all = Counts { rows: 20_000, ..NONE };
    let file = station.file("ballots.csv", ballots(20_000, 0));
    assert_eq!(station.counts(&file, Run::Real), Counts { issued: 20_000, ..all });
    let file = station.file("ballots.csv", ballots(20_000, 100));
    let changed = Counts { updated: 200, unchanged: 19_800, ..all };
    assert_eq!(station.counts(&file, Run::Real), changed);
    let mut void = "ballot,voter,status,reason\n".to_owned();
    for n in 1..=2_000 {
        writeln!(void, "{n:09},6{n:08},voided,moved").unwrap();
    }
    let file = station.file("void.csv", void);
    let voided = Counts { rows: 2_000, voided: 2_000, ..NONE };
    assert_eq!(station.counts(&file, Run::Real), voided);
    assert!(station.report().contains(r#""voided": 2000"#), "{}", station.report());
    assert!(station.report().contains(r#""mailed": 18000"#), "{}", station.report());
    let verified = verify(&station.path("ledger.sqlite")).unwrap();
    assert_eq!(verified.fault, None);
}

#[test]
fn a_dry_run_counts_and_changes_nothing() {
    let station = Station::new();
    let file = station.file("ballots.csv", ballots(10, 0));
    station.counts(&file, Run::Real);
    let report = station.report();
    let text = format!("{}000000011,7,,,\n,8,,,\n", ballots(10, 5));
    let file = station.file("dry.csv", text);
    let (outcome, said) = station.try_import(&file, Run::Dry).unwrap();
    let counts = Counts { rows: 12, issued: 1, updated: 2, unchanged: 8, voided: 0, refused: 1 };
    assert_eq!(outcome.counts, counts);
    assert!(outcome.refused_file.is_some_and(|path| path.exists()), "{said}");
    assert_eq!(station.report(), report);
    assert_eq!(station.statuses(&["000000011"]), [None]);
}

#[test]
fn a_dry_run_lists_what_would_change() {
    let station = Station::new();
    station.counts(&station.file("ballots.csv", ballots(30, 0)), Run::Real);
    let file = station.file("dry.csv", format!("{}000000031,7,,,\n", ballots(10, 5)));
    let request = station.request(&file, Run::Dry);
    let request = ImportRequest { output: Output::Text, ..request };
    let (outcome, said) = station.carry_out(&request).unwrap();
    let differences = fs::read_to_string(outcome.differences_file.unwrap()).unwrap();
    let expected = "\"line\",\"ballot\",\"column\",\"before\",\"after\"\r\n\
                    \"6\",\"000000005\",\"style\",\"old\",\"new\"\r\n\
                    \"11\",\"000000010\",\"style\",\"old\",\"new\"\r\n\
                    \"12\",\"000000031\",\"status\",,\"issued\"\r\n";
    assert_eq!(differences, expected);
    assert!(said.contains("line 6, ballot 000000005: style, old to new\n"), "{said}");
    assert_eq!(outcome.disappeared, 20);
    let disappeared = fs::read_to_string(outcome.disappeared_file.unwrap()).unwrap();
    let first = "\"ballot\",\"voter\",\"status\"\r\n\"000000011\",\"600000011\",\"mailed\"\r\n";
    assert!(disappeared.starts_with(first), "{disappeared}");
    assert_eq!(disappeared.lines().count(), 21);
}

#[test]
fn rows_in_any_order_are_taken_and_refused_in_the_order_of_the_file() {
    let station = Station::new();
    let mut lines: Vec<String> = ballots(5_000, 0).lines().skip(1).map(str::to_owned).collect();
    lines.reverse();
    lines.insert(100, ",1,,,".to_owned());
    lines.insert(3_000, "000004999,1,,,".to_owned());
    let text = format!("ballot,voter,imb,style,mailed\n{}\n", lines.join("\n"));
    let outcome = station.try_import(&station.file("b.csv", text), Run::Real).unwrap().0;
    assert_eq!(outcome.counts, Counts { rows: 5_002, issued: 4_999, refused: 3, ..NONE });
    let refused = fs::read_to_string(outcome.refused_file.unwrap()).unwrap();
    let places: Vec<_> =
        refused.lines().skip(1).filter_map(|line| line.split(',').next()).collect();
    assert_eq!(places, ["3", "102", "3002"]);
    assert_eq!(verify(&station.path("ledger.sqlite")).unwrap().fault, None);
}

#[test]
fn people_are_told_in_words() {
    let station = Station::new();
    let file = station.file("b.csv", format!("{}, 1,,,\n", ballots(1_500, 0)));
    let request = station.request(&file, Run::Dry);
    let request = ImportRequest { output: Output::Text, progress: Progress::Bar, ..request };
    let said = station.carry_out(&request).unwrap().1;
    let said = said.replace(station.folder.path().to_str().unwrap(), "FOLDER");
    let first = "1501 rows: 1500 issued, 0 updated, 0 unchanged, 0 voided, 1 refused\n\
                 The refused rows are in FOLDER/b.csv.refused.csv.\n  \
                 line 2, ballot 000000001: status, nothing to mailed\n";
    assert!(said.starts_with(first), "{said}");
    let last = "All differences are in FOLDER/b.csv.differences.csv.\n\
                This was a dry run: nothing was changed.\n\r[";
    assert!(said.contains(last), "{said}");
    assert_eq!(said.matches(" to mailed\n").count(), 20, "only the first are shown");
    assert!(said.contains("100 %, done, 1501 rows"), "{said}");
}

#[test]
fn an_import_that_was_not_decided_leaves_nothing() {
    let station = Station::new();
    let text = ballots(1_000, 0);
    let mut rows = Rows::open(text.as_bytes(), &station.layout, station.rules()).unwrap();
    let rows: Vec<ImportRow> = rows.piece(1_000).unwrap().rows;
    let mut desk = station.desk();
    let report = station.report();
    let Answer::ImportBegun { import } = desk.ask(Command::ImportBegin {}).unwrap() else {
        panic!("another import is under way");
    };
    let staged = desk.ask(Command::ImportRows { import, rows }).unwrap();
    assert_eq!(staged, Answer::ImportCompared(Compared::default()));
    desk.close();

    assert_eq!(station.statuses(&["000000001"]), [None]);
    assert_eq!(station.report(), report);
    let file = station.file("ballots.csv", text);
    let all = Counts { rows: 1_000, issued: 1_000, ..NONE };
    assert_eq!(station.counts(&file, Run::Real), all);
    assert_eq!(station.statuses(&["000000001"]), [Some(Status::Mailed)]);
}

#[test]
fn refused_rows_overwrite_no_file_and_come_with_no_good_one() {
    let station = Station::new();
    let good = station.file("good.csv", ballots(1, 0));
    assert_eq!(station.try_import(&good, Run::Real).unwrap().0.refused_file, None);
    assert!(!station.path("good.csv.refused.csv").exists());

    let bad = station.file("bad.csv", "ballot,voter\n,1\n");
    let names = ["bad.csv.refused.csv", "bad.csv.refused-2.csv", "bad.csv.refused-3.csv"];
    for name in names {
        let outcome = station.try_import(&bad, Run::Real).unwrap().0;
        assert_eq!(outcome.refused_file, Some(station.path(name)));
        let mode = fs::metadata(station.path(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}

#[test]
fn refused_rows_go_elsewhere_when_their_place_takes_no_file() {
    let station = Station::new();
    let bad = fs::File::open(station.file("bad.csv", "ballot,voter\n,1\n")).unwrap();
    // In this folder nobody may create a file.
    let file = PathBuf::from(format!("/proc/self/fd/{}", bad.as_raw_fd()));
    let outcome = station.try_import(&file, Run::Real).unwrap().0;
    let name = format!("{}.refused.csv", bad.as_raw_fd());
    assert_eq!(outcome.refused_file, Some(station.path(&name)));
}

#[test]
fn what_is_no_file_or_no_such_layout_is_said() {
    let station = Station::new();
    for path in [station.path("nowhere.csv"), station.folder.path().to_owned()] {
        let error = station.try_import(&path, Run::Real).unwrap_err();
        assert!(matches!(error, ImportError::Open { .. }), "{error:?}");
    }
    let file = station.file("other.csv", "ballot,name\n1,x\n");
    let error = station.try_import(&file, Run::Real).unwrap_err();
    assert!(
        matches!(
            &error,
            ImportError::Layout { source: LayoutError::Missing { column, .. }, .. } if column == "voter"
        ),
        "{error:?}"
    );
}

const OWN: &str = "ballot,voter,status,reason\n";

#[test]
fn a_file_says_apart_which_voters_it_changes_and_which_envelopes_are_to_be_pulled() {
    let station = Station::new();
    let first = "000000001,1,received,\n000000002,2,received,\n000000003,3,mailed,\n";
    station.counts(&station.file("first.csv", format!("{OWN}{first}")), Run::Real);
    let second = "000000001,9,received,\n000000002,2,voided,voted_in_person\n";
    let file = station.file("second.csv", format!("{OWN}{second}000000003,3,voided,moved\n"));
    for run in [Run::Dry, Run::Real] {
        let request = ImportRequest { output: Output::Text, ..station.request(&file, run) };
        let (outcome, said) = station.carry_out(&request).unwrap();
        assert_eq!((outcome.voters_changed, outcome.to_pull), (1, 1));
        let list = fs::read_to_string(outcome.voters_file.unwrap()).unwrap();
        let expected = "\"line\",\"ballot\",\"status\",\"before\",\"after\"\r\n\
                        \"2\",\"000000001\",\"received\",\"1\",\"9\"\r\n";
        assert_eq!(list, expected);
        assert!(said.contains("voters changed: 1;") && said.contains("to pull: 1;"), "{said}");
    }
    let (again, _) = station.try_import(&file, Run::Real).unwrap();
    assert_eq!((again.voters_changed, again.voters_file, again.to_pull), (0, None, 0));
}

#[test]
fn lists_go_where_they_are_sent_and_one_that_cannot_be_written_is_named() {
    let station = Station::new();
    let file = station.file("ballots.csv", format!("{OWN}000000001,1,lost,\n"));
    let lists = station.path("lists");
    let request = ImportRequest { lists: Some(&lists), ..station.request(&file, Run::Real) };
    let error = station.carry_out(&request).unwrap_err().to_string();
    let list = lists.join("ballots.csv.refused.csv");
    assert_eq!(error, format!("cannot write {}", list.display()));
    fs::create_dir(&lists).unwrap();
    let (outcome, _) = station.carry_out(&request).unwrap();
    assert_eq!(outcome.refused_file.as_deref(), Some(&*list));
    let mended = fs::read_to_string(&list).unwrap().replace("lost", "mailed");
    let (outcome, said) = station.try_import(&station.file("m.csv", mended), Run::Real).unwrap();
    assert_eq!(outcome.counts.issued, 1);
    assert!(!said.contains("ignored"), "{said}");
}

#[test]
fn by_a_file_without_rows_every_ballot_has_disappeared() {
    let station = Station::new();
    station.counts(&station.file("first.csv", ballots(3, 0)), Run::Real);
    let file = station.file("empty.csv", OWN);
    let request = ImportRequest { output: Output::Text, ..station.request(&file, Run::Real) };
    let (outcome, said) = station.carry_out(&request).unwrap();
    assert_eq!((outcome.counts.rows, outcome.disappeared), (0, 3));
    assert!(said.contains("The file has no rows.") && said.contains("3 ballots"), "{said}");
}
