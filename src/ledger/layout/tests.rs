//! Tests of layouts: what rows of ours become, what every layout can say, and that no file of a stranger does harm.

use super::*;
use crate::ballot::BallotId;
use proptest::prelude::*;

fn rules() -> Rules {
    Rules {
        election: Some(ElectionId::new("202611").unwrap()),
        named: None,
        election_day: None,
        codes: Vec::new(),
        zone: Zone::named("America/Denver").unwrap(),
        now: Micros::parse_rfc3339("2026-10-20T12:00:00-06:00").unwrap(),
    }
}

fn generic() -> Layout {
    Layout::named("generic").unwrap()
}

/// The ballot that the row names.
fn id(row: &ImportRow) -> &str {
    row.ballot.as_ref().map_or("", BallotId::as_str)
}

fn piece(text: &[u8], rules: Rules) -> Piece {
    let piece = Rows::open(text, &generic(), rules).unwrap().piece(1_000).unwrap();
    assert!(piece.done);
    piece
}

/// The one row, or the column and the reason.
fn one(header: &str, row: &str, rules: Rules) -> Result<ImportRow, String> {
    let mut piece = piece(format!("{header}\n{row}\n").as_bytes(), rules);
    assert_eq!(piece.rows.len() + piece.refused.len(), 1, "{row}");
    let refused = piece.refused.pop().map(|refused| {
        let (at, name) = refused.column.unwrap_or_default();
        format!("{at} {name}: {}", refused.reason)
    });
    piece.rows.pop().ok_or_else(|| refused.unwrap())
}

/// What the value of `column` becomes, beside a good ballot and voter.
#[track_caller]
fn check(column: &str, value: &str, part: fn(&ImportRow) -> String, expected: &str) {
    let row = one(&format!("ballot,voter,{column}"), &format!("1,2,{value}"), rules());
    let told = row.map_or_else(|reason| reason, |row| part(&row));
    assert_eq!(told, expected, "{column} {value:?}");
}

#[test]
fn a_header_is_taken_in_any_order_and_any_spelling() {
    for header in
        ["ballot,voter", "\u{feff}Ballot, VOTER ", "\n\r\n\"ballot\",\"voter\"\r", "BALLOT\t,voter"]
    {
        let row = one(header, "1,2", rules()).unwrap();
        assert_eq!((id(&row), row.voter.as_str()), ("1", "2"), "{header:?}");
    }
    let row = one("style,voter,,extra,ballot,", "A,2,,x,1,", rules()).unwrap();
    assert_eq!((id(&row), row.style.as_deref()), ("1", Some("A")));
}

#[test]
fn a_header_that_lacks_something_refuses_the_file() {
    for (text, expected) in [
        ("", "it has no header row"),
        ("\n\n", "it has no header row"),
        ("ballot\n1\n", "its header row has no column `voter`; columns are separated by commas"),
        ("a;b\n", "its header row has no column `ballot`; columns are separated by commas"),
        ("ballot,voter,Ballot \n", "its header row has the column `ballot` twice"),
        ("ballot,voter,x,x\n", "its header row has the column `x` twice"),
        (
            "ballot,\"voter\n1,2\n",
            "its header row has more than 16384 bytes or a quote that is not closed",
        ),
    ] {
        let error = Rows::open(text.as_bytes(), &generic(), rules()).unwrap_err();
        assert_eq!(error.to_string(), expected, "{text:?}");
    }
}

#[test]
fn columns_without_a_meaning_are_named() {
    let file = Rows::open(&b"voter,Precinct,ballot,,\x1b[2J"[..], &generic(), rules()).unwrap();
    assert_eq!(file.header().unknown(), ["precinct", "\\u{1b}[2j"]);
}

#[test]
fn ids_are_held_to_their_form() {
    for (row, expected) in [
        (",2", "1 ballot: ballot \"\" is no id: it is empty"),
        ("1,", "2 voter: voter \"\" is no id: it is empty"),
        (
            "1 ,2",
            "1 ballot: ballot \"1 \" is no id: it holds ' ', which is no visible ASCII character",
        ),
        (
            "1,\u{1b}x",
            "2 voter: voter \"\\u{1b}x\" is no id: it holds '\\u{1b}', which is no visible ASCII character",
        ),
        ("1", "0 : the row has 1 fields, the header row 2"),
        ("1,2,3", "0 : the row has 3 fields, the header row 2"),
    ] {
        assert_eq!(one("ballot,voter", row, rules()).unwrap_err(), expected);
    }
}

#[test]
fn a_row_belongs_to_the_configured_or_the_named_election() {
    let none = Rules { election: None, ..rules() };
    let named = |rules| Rules { named: Some(ElectionId::new("202705").unwrap()), ..rules };
    let another = "3 election: election 202705 is another one; `--election` takes it";
    for (rules, value, expected) in [
        (rules(), "", "202611"),
        (rules(), "202611", "202611"),
        (rules(), "202705", another),
        (named(rules()), "202705", "202705"),
        (named(rules()), "202611", "202611"),
        (named(rules()), "", "202705"),
        (named(none.clone()), "", "202705"),
        (none.clone(), "", "3 election: the row names no election, and none is configured"),
        (none, "202705", "3 election: no election is configured; `--election 202705` takes it"),
        (
            rules(),
            "2 6",
            "3 election: election \"2 6\" is no id: it holds ' ', which is no visible ASCII character",
        ),
    ] {
        let row = one("ballot,voter,election", &format!("1,2,{value}"), rules);
        let told = row.map_or_else(|reason| reason, |row| row.election.to_string());
        assert_eq!(told, expected, "{value:?}");
    }
}

#[test]
fn a_mail_piece_is_fifteen_digits_of_a_code() {
    let part = |row: &ImportRow| row.imb.clone().unwrap_or_default();
    let piece = "901234567000001";
    for code in [piece.to_owned(), format!("00777{piece}"), format!("00777{piece}80301123401")] {
        check("imb", &code, part, piece);
    }
    check("imb", "", part, "");
    let wrong = "3 imb: neither 15 digits nor an Intelligent Mail code: ";
    for (value, why) in [
        ("90123456700000", "it has 14 digits, not 20, 25, 29 or 31"),
        ("90123456700000x", "it holds something other than digits"),
        ("9.01235E+14", "it holds something other than digits"),
        ("05777901234567000001", "its second digit is 5, above 4"),
    ] {
        check("imb", value, part, &format!("{wrong}{why}"));
    }
}

#[test]
fn a_status_follows_from_the_day_of_mailing_when_it_is_not_given() {
    let part = |row: &ImportRow| row.status.to_string();
    for status in Status::ALL {
        check("status", status.name(), part, status.name());
    }
    check("status", "", part, "issued");
    check("mailed", "", part, "issued");
    check("mailed", "2026-10-09", part, "mailed");
    check("status", "Received", part, "3 status: status \"Received\" is unknown");
    check("mailed,status", "2026-10-09,voided", part, "voided");
}

#[test]
fn nothing_was_mailed_in_the_future() {
    let part = |row: &ImportRow| row.mailed.map_or_else(String::new, Micros::rfc3339);
    let future = "3 mailed: the time is in the future";
    let form = "3 mailed: the time is neither RFC 3339 nor YYYY-MM-DD, or there is no such day";
    for (value, expected) in [
        ("2026-10-09", "2026-10-09T06:00:00.000000Z"),
        ("2026-10-20", "2026-10-20T06:00:00.000000Z"),
        ("2026-10-20T12:00:00-06:00", "2026-10-20T18:00:00.000000Z"),
        ("2026-10-20T18:00:00.5Z", future),
        ("2026-10-21", future),
        ("2026-02-30", form),
        ("2026-10-09T12:00", form),
        ("10/09/2026", form),
        ("2026-1-9", form),
        ("20261009", form),
    ] {
        check("mailed", value, part, expected);
    }
}

#[test]
fn a_deadline_that_is_a_day_is_the_end_of_that_day() {
    let part = |row: &ImportRow| row.receive_until.map_or_else(String::new, Micros::rfc3339);
    check("receive_until", "2026-11-03", part, "2026-11-04T06:59:59.000000Z");
    check("receive_until", "2026-11-03T19:00:00-07:00", part, "2026-11-04T02:00:00.000000Z");
    check("receive_until", "", part, "");
}

#[test]
fn texts_are_bounded_and_steer_no_terminal() {
    let part = |row: &ImportRow| row.reason.clone().unwrap_or_default();
    check("reason", "voted in person", part, "voted in person");
    check("reason", "\"moved, then \"\"back\"\"\"", part, "moved, then \"back\"");
    check("reason", &"x".repeat(200), part, &"x".repeat(200));
    check("reason", &"\u{e9}".repeat(101), part, "3 reason: the text has 202 bytes, more than 200");
    check("reason", "a\tb", part, "3 reason: the text holds a control character");
    check("style", "\u{9b}2J", part, "3 style: the text holds a control character");
}

#[test]
fn a_stray_quote_costs_its_own_line() {
    let text = b"ballot,voter,reason\n1,a,\"x\n2,\"b\",y\n3,c,z\n4,d,\"open\n";
    let piece = piece(text, rules());
    let rows: Vec<_> = piece.rows.iter().map(id).collect();
    let lines: Vec<_> = piece.origins.iter().map(|origin| origin.line).collect();
    let refused: Vec<_> = piece.refused.iter().map(|refused| refused.origin.line).collect();
    assert_eq!((rows, lines, refused), (vec!["2", "3"], vec![3, 4], vec![2, 5]));
}

/// Two of them once made one record of several, whose line ends lay in a column that nobody reads: its voters were neither taken
/// nor refused, but for the first, who got the dates of the last.
#[test]
fn stray_quotes_in_one_column_never_make_one_row_of_several() {
    let files = [
        ("ballottrax-status", "VoterID,RejectionDescription,BallotStatus", "10000000#,@,Accepted"),
        ("ce-068", "VOTER_ID|RES_ADDRESS|MAIL_BALLOT_SENT_DATE", "60000000#|@|09-OCT-26"),
        ("generic", "ballot,note,voter", "#,@,V#"),
        (
            "nc-absentee",
            "ncid,voter_last_name,election_dt,ballot_req_dt,ballot_rtn_status",
            "ZZ#,@,11/03/2026,09/01/2026,PENDING",
        ),
        ("vr-systems", "BarCode,BallotName,VoterID", "0000000000#,@,10000000#"),
    ];
    for (notes, refused) in [
        (&["\"A", "B", "\"C", "D"][..], &[2, 4][..]),
        (&["\"A", "B", "C\"", "D"], &[2]),
        (&["\"A", "B\"", "C"], &[2]),
        (&["\"A", "B\"", "\"C", "D\""], &[2, 4]),
        (&["A", "\"\"B", "C", "D\"\"\""], &[]),
    ] {
        for (name, header, row) in files {
            let rows = notes
                .iter()
                .zip('1'..)
                .map(|(note, n)| row.replace('#', &n.to_string()).replace('@', note));
            let text = format!("{header}\n{}\n", rows.collect::<Vec<_>>().join("\n"));
            let layout = Layout::named(name).unwrap();
            let piece = Rows::open(text.as_bytes(), &layout, rules()).unwrap().piece(100).unwrap();
            let lines = |origins: Vec<&Origin>| origins.iter().map(|o| o.line).collect::<Vec<_>>();
            let told = lines(piece.refused.iter().map(|refused| &refused.origin).collect());
            assert_eq!(told, refused, "{text}");
            let rest: Vec<u64> = (2..).take(notes.len()).filter(|l| !refused.contains(l)).collect();
            assert_eq!(lines(piece.origins.iter().collect()), rest, "{text}");
            for (row, line) in piece.rows.iter().zip(rest) {
                assert!(row.voter.as_str().ends_with(&(line - 1).to_string()), "{text}");
            }
            assert_eq!(piece.named.len(), refused.len(), "{text}");
        }
    }
}

#[test]
fn a_row_of_two_lines_that_is_quoted_well_is_refused_once() {
    let text = b"ballot,note,voter\n1,\"two\nlines\",a,x\n2,\"two\nlines\"\n3,\"a,\nb\",c\n";
    let piece = piece(text, rules());
    let refused = piece.refused.iter().map(|refused| (refused.origin.line, &*refused.reason));
    let expected = [
        (2, "the row has 4 fields, the header row 3"),
        (4, "the row has 2 fields, the header row 3"),
    ];
    assert_eq!(refused.collect::<Vec<_>>(), expected);
    assert_eq!(piece.origins[0].line, 6);
}

#[test]
fn a_number_that_a_spreadsheet_cut_is_no_id_in_any_layout() {
    for number in ["1.23457E+10", "1E+05", "1,23457e+10"] {
        let row = one("ballot,voter", &format!("\"{number}\",2"), rules());
        let why = format!("1 ballot: ballot \"{number}\" is a number that a spreadsheet cut");
        assert_eq!(row.unwrap_err(), why);
    }
}

#[test]
fn a_voter_whose_leading_zero_a_spreadsheet_ate_is_no_other_voter() {
    for (layout, text, at) in [
        ("vr-systems", "VoterID,BarCode\n12345678,00000000001", "1 voterid"),
        ("ballottrax-status", "BallotStatus,VoterID\nAccepted,12345678", "2 voterid"),
    ] {
        let told = told(&Layout::named(layout).unwrap(), text, rules());
        assert_eq!(told, format!("{at}: voter \"12345678\" has not 9 characters but 8"));
    }
}

#[test]
fn an_outbound_ballot_with_a_day_of_return_is_received() {
    let layout = Layout::named("ballottrax-status").unwrap();
    for (dates, status) in
        [(",", "mailed"), ("10/05/2026,", "mailed"), ("10/05/2026,10/12/2026", "received")]
    {
        let text =
            format!("VoterID,BallotStatus,MailedDate,ReturnedDate\n100000001,Outbound,{dates}");
        let row: ImportRow = serde_json::from_str(&told(&layout, &text, rules())).unwrap();
        assert_eq!(row.status.name(), status, "{dates}");
    }
}

#[test]
fn a_row_that_must_say_its_election_is_of_no_other_s() {
    for (column, required) in [("election", "election"), ("election_date", "election_date")] {
        let layout = layout(&format!(
            "dates = 'YYYY-MM-DD'\nrequired = '{required}'\n[columns]\nvoter = 'v'\n{column} = 'e'"
        ));
        let told = told(&layout, "v,e\n1, ", rules());
        assert_eq!(told, "2 e: the row does not say which election");
    }
}

#[test]
fn a_line_end_in_a_column_that_is_ignored_is_none_of_our_business() {
    let piece = piece(b"ballot,note,voter\n1,\"two\nlines\",a\n2,\xff,b\n3,n,c\n", rules());
    let lines: Vec<_> = piece.origins.iter().map(|origin| origin.line).collect();
    assert_eq!(lines, [2, 5]);
    let refused = &piece.refused[0];
    assert_eq!((refused.origin.line, refused.reason.as_str()), (4, "the text is not UTF-8"));
    assert_eq!(refused.column, Some((2, "note".to_owned())));
}

#[test]
fn a_piece_is_as_long_as_it_may_be() {
    let mut file = Rows::open(&b"ballot,voter\n1,a\n,b\n3,c\n"[..], &generic(), rules()).unwrap();
    let sizes = |piece: &Piece| (piece.rows.len(), piece.refused.len(), piece.done);
    assert_eq!(sizes(&file.piece(2).unwrap()), (1, 1, false));
    assert_eq!(sizes(&file.piece(2).unwrap()), (1, 0, true));
}

#[test]
fn a_file_of_refused_rows_can_be_mended_and_read() {
    let refuse = |text: &[u8]| {
        let mut file = Rows::open(text, &generic(), rules()).unwrap();
        let mut rows = RefusedRows::begin(Vec::new(), file.header()).unwrap();
        for refused in file.piece(10).unwrap().refused {
            rows.write(&refused).unwrap();
        }
        String::from_utf8(rows.end().unwrap()).unwrap()
    };
    let first = refuse(b"ballot,voter,reason\n1 ,a,\"x,y\"\n2,b,\n3,c\n");
    assert_eq!(
        first,
        "refused_line,refused_column,refused_reason,ballot,voter,reason\n\
         2,1 (ballot),\"ballot \"\"1 \"\" is no id: it holds ' ', which is no visible ASCII character\",1 ,a,\"x,y\"\n\
         4,,\"the row has 2 fields, the header row 3\",3,c\n"
    );
    let mended = first.replace(",1 ,a", ",1,a").replace(",3,c", ",3,c,");
    assert_eq!(piece(mended.as_bytes(), rules()).rows.len(), 2);
    let again = refuse(first.replace(",3,c", ",3,c,").as_bytes());
    assert!(
        again.starts_with(
            "refused_line,refused_column,refused_reason,ballot,voter,reason\n2,4 (ballot),"
        ),
        "{again}"
    );
}

#[test]
fn a_formula_in_a_refused_row_is_text_and_is_read_as_it_was() {
    let file = b"ballot,voter,reason,=note\n-1,,=1+1,x\n@2,,'=\"\",\xef\xbc\x9d1\n";
    let refuse = |text: &[u8]| {
        let mut file = Rows::open(text, &generic(), rules()).unwrap();
        let mut rows = RefusedRows::begin(Vec::new(), file.header()).unwrap();
        file.piece(10).unwrap().refused.iter().for_each(|refused| rows.write(refused).unwrap());
        String::from_utf8(rows.end().unwrap()).unwrap()
    };
    let first = refuse(file);
    let why = "2 (voter),\"voter \"\"\"\" is no id: it is empty\"";
    let expected = format!(
        "refused_line,refused_column,refused_reason,ballot,voter,reason,'=note\n\
         2,{why},'-1,,'=1+1,x\n3,{why},'@2,,\"''=\"\"\"\"\",'\u{ff1d}1\n"
    );
    assert_eq!(first, expected);
    let again = refuse(first.as_bytes());
    assert_eq!(again.replace(",5 (voter)", ",2 (voter)"), first);
    let mended = first.replace("'-1,,", "'-1,a,").replace("'@2,,", "'@2,b,");
    let rows = piece(mended.as_bytes(), rules()).rows;
    let told: Vec<_> = rows.iter().map(|row| (id(row), row.reason.as_deref())).collect();
    assert_eq!(told, [("-1", Some("=1+1")), ("@2", Some("'=\"\""))]);
}

/// The layout of that text behind a name.
fn layout(text: &str) -> Layout {
    Layout::parse(&format!("name = 'own'\n{text}")).unwrap_or_else(|faults| panic!("{faults:#?}"))
}

/// What the one row of a file is as JSON, or the column and the reason.
#[track_caller]
fn told(layout: &Layout, text: &str, rules: Rules) -> String {
    let mut piece = Rows::open(text.as_bytes(), layout, rules).unwrap().piece(1_000).unwrap();
    assert_eq!(piece.rows.len() + piece.refused.len(), 1, "{text}");
    match piece.refused.pop() {
        Some(Refused { column, reason, .. }) => {
            let (at, name) = column.unwrap_or_default();
            format!("{at} {name}: {reason}")
        }
        None => serde_json::to_string(&piece.rows[0]).unwrap(),
    }
}

#[test]
fn every_shipped_layout_is_named_as_its_file() {
    let names: Vec<String> = Layout::shipped().map(|layout| layout.name().to_owned()).collect();
    assert_eq!(names, Layout::names().collect::<Vec<_>>());
    for (name, text) in SHIPPED {
        assert!(Layout::parse(text).is_ok(), "{name}: {:#?}", Layout::parse(text));
        assert!(text.contains("# Source"), "{name} states no sources");
    }
    assert_eq!(Layout::named("none-such"), None);
}

#[test]
fn a_delimiter_is_found_by_the_header_row() {
    let layout =
        layout("delimiter = ['|', ';', \"\\t\", ',']\n[columns]\nvoter = 'ID'\nstyle = 'S'");
    for text in
        ["id|s\n1|A", "id;s\n1;A", "id\ts\n1\tA", "id,s\n1,A", "\u{feff}\n\"id\"|\"s\"\n1|A"]
    {
        let row = told(&layout, text, rules());
        assert_eq!(
            row, r#"{"election":"202611","voter":"1","style":"A","status":"issued"}"#,
            "{text:?}"
        );
    }
    let error = Rows::open(&b"style;identity\n"[..], &layout, rules()).unwrap_err();
    let expected = "its header row has no column `ID`; columns are separated by `|` or semicolons or tabs or commas";
    assert_eq!(error.to_string(), expected);
    let error = Rows::open(&b"\n"[..], &layout, rules()).unwrap_err();
    assert_eq!(error.to_string(), "it has no header row");
}

#[test]
fn a_ballot_is_of_one_column_of_several_or_of_none() {
    let layout = layout(
        "dates = 'M/D/YYYY'\n[columns]\nvoter = ['V', 'Voter No']\nballot = ['B', 'V + Asked']\nrequested = 'Asked'",
    );
    for (text, expected) in [
        (
            "v,b,asked\n1,7,1/2/2026",
            r#"{"election":"202611","ballot":"7","voter":"1","status":"issued"}"#,
        ),
        ("VOTER_NO,b\n1,7", r#"{"election":"202611","ballot":"7","voter":"1","status":"issued"}"#),
        (
            "v,asked\n 1 , 01/02/2026 ",
            r#"{"election":"202611","ballot":"1-2026-01-02","voter":"1","status":"issued"}"#,
        ),
        ("v,asked\n1,", "2 asked: a part of the ballot's id is empty"),
        ("v,asked\n1,13/2/2026", "2 asked: the time is not M/D/YYYY, or there is no such day"),
        ("v,asked\n1,11/2/2026", "2 asked: the time is in the future"),
        ("v,b\n1,1.23457E+10", "2 b: ballot \"1.23457E+10\" is a number that a spreadsheet cut"),
    ] {
        assert_eq!(told(&layout, text, rules()), expected, "{text}");
    }
    let error = Rows::open(&b"v,x\n"[..], &layout, rules()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "its header row has no column `B`; columns are separated by commas"
    );
}

#[test]
fn an_election_may_be_known_by_its_day() {
    let layout = layout("dates = 'MM/DD/YYYY'\n[columns]\nvoter = 'v'\nelection_date = 'd'");
    let of = |id: &str| Some(ElectionId::new(id).unwrap());
    let another = "the election of 2026-11-03 is not";
    for (election, day, named, expected) in [
        ("202611", None, None, Ok("202611")),
        ("202611", Some("2026-11-03"), None, Ok("202611")),
        ("202611", Some("2026-11-17"), None, Err("202611, which is on 2026-11-17")),
        ("2026-11-03", None, None, Ok("2026-11-03")),
        ("2026-11-03", Some("2026-11-04"), None, Err("2026-11-03, which is on 2026-11-04")),
        ("general", Some("2026-11-03"), None, Ok("general")),
        ("general", Some("2026-11-04"), None, Err("general, which is on 2026-11-04")),
        ("general", None, None, Err("general, unless `[election] day` says so")),
        ("general", None, of("2026-11-03"), Ok("2026-11-03")),
        ("general", Some("2026-11-04"), of("202611"), Ok("202611")),
        ("202605", None, None, Err("202605, unless `[election] day` says so")),
    ] {
        let election_day = day.map(str::to_owned);
        let rules = Rules { election: of(election), election_day, named, ..rules() };
        let told = told(&layout, "v,d\n1,11/03/2026", rules);
        let expected = expected.map_or_else(
            |why| format!("2 d: {another} {why}"),
            |id| format!(r#"{{"election":"{id}","voter":"1","status":"issued"}}"#),
        );
        assert_eq!(told, expected, "{election} {day:?}");
    }
    let none = Rules { election: None, ..rules() };
    let another =
        "2 d: the election of 2026-11-03 is another one; `--election 2026-11-03` takes it";
    assert_eq!(told(&layout, "v,d\n1,11/03/2026", none), another);
    let told = told(&layout, "v,d\n1,11/31/2026", rules());
    assert_eq!(told, "2 d: the time is not MM/DD/YYYY, or there is no such day");
}

#[test]
fn a_status_follows_from_its_value_or_from_the_dates() {
    let layout = layout(
        "dates = 'YYYY-MM-DD'\n[columns]\nvoter = 'v'\nstatus = ['s + again', 's']\nreason = 'why'\nmailed = 'm'\n\
         returned = 'r'\nvoted_in_person = 'p'\n[status]\nIn = 'received'\nNo = 'rejected: other'\n\
         'No + y' = 'refuse'\nSee = 'dates'\n[reasons]\nL = 'late'",
    );
    for (row, expected) in [
        ("in,,,,,", "received"),
        ("IN ,y,L,2026-10-01,,", "received"),
        ("no,,L,,,", "rejected late"),
        ("no,n,l,,,", "rejected late"),
        ("No,,Q,,,", "rejected other"),
        ("No,,,,,", "rejected other"),
        ("no,Y,,,,", "2 s: status \"no + Y\" says too little to go by"),
        ("lost,y,,,,", "2 s: status \"lost\" is unknown"),
        (",,,,,", "issued"),
        ("see,,,2026-10-01,,", "mailed"),
        (",,,2026-10-01,2026-10-02,", "received"),
        (",,L,2026-10-01,2026-10-02,2026-10-03", "voided late"),
        (",,,2026-10-01,,2026-10-03", "voided voted_in_person"),
        (",,,2026-10-03,2026-10-02,", "6 r: the ballot came back before it was mailed"),
        (",,,2026-10-03,2026-10-03,", "received"),
        (",,,,2026-11-02,", "6 r: the time is in the future"),
        (",,,,,2026-11-02", "7 p: the time is in the future"),
        (",,,0202-11-06,,", "5 m: the time is before the year 2000"),
        (",,,2026-02-31,,", "5 m: the time is not YYYY-MM-DD, or there is no such day"),
    ] {
        let told = told(&layout, &format!("v,s,again,why,m,r,p\n1,{row}"), rules());
        let parsed = serde_json::from_str::<ImportRow>(&told).map(|row| {
            let reason = row.reason.map(|reason| format!(" {reason}")).unwrap_or_default();
            format!("{}{reason}", row.status)
        });
        assert_eq!(parsed.unwrap_or(told), expected, "{row}");
    }
}

#[test]
fn further_codes_come_from_the_layout_and_from_columns_of_their_kind() {
    let layout = layout("[columns]\nvoter = 'v'\nimb = 'mail'\n[codes]\nbarcode = 'Bar Code'");
    let kinds = ["barcode", "label", "imb", "voter"].map(str::to_owned);
    let rules = || Rules { codes: kinds.to_vec(), ..rules() };
    for (row, expected) in [
        ("1,,77,L1,9", r#""codes":{"barcode":"77","label":"L1"},"#),
        ("1,,,,", ""),
        (
            "1,,7 7,,",
            "3 bar_code: barcode \"7 7\" is no id: it holds ' ', which is no visible ASCII character",
        ),
        ("1,,,1E+5,", "4 label: label \"1E+5\" is a number that a spreadsheet cut"),
    ] {
        let told = told(&layout, &format!("v,mail,BAR_CODE,Label,imb\n{row}"), rules());
        let whole = format!(r#"{{"election":"202611","voter":"1",{expected}"status":"issued"}}"#);
        assert!(told == whole || told == expected, "{row}: {told}");
    }
}

#[test]
fn the_column_of_the_ballot_may_be_a_code_too() {
    let layout = Layout::named("vr-systems").unwrap();
    let rules = Rules { codes: vec!["barcode".to_owned()], ..rules() };
    let told = told(&layout, "Election,VoterID,BarCode\n202611,100000001,00000000001", rules);
    let row: ImportRow = serde_json::from_str(&told).unwrap();
    assert_eq!((id(&row), row.codes["barcode"].as_str()), ("00000000001", "00000000001"));
}

#[test]
fn every_fault_of_a_layout_is_told_with_its_place() {
    for (text, expected) in [
        (
            "",
            &[
                "1:1: `columns` is missing; such as [columns] and voter = \"VOTER_ID\"",
                "1:1: `name` is missing",
            ][..],
        ),
        ("name = 'a'\n[columns]\nvoter = ", &["3:9: not TOML: "]),
        (
            "name = 'A b'\n[columns]\nvoter = 'v'",
            &["1:8: name: \"A b\" is not 1 to 64 lower-case letters"],
        ),
        (
            "name = 'a'\ndelimiter = 'ab'\nencoding = 'ebcdic'\nvalues = 'x'\ncolor = 1\ndates = ['YYYY-MM-DD', 'jj']\n\
             required = ['imb', 'x']\n[columns]\nmailed = 'm'\nvoted = 'v'\nimb = 'a + b'\nstyle = []\nelection = 5\n\
             status = 's'",
            &[
                "2:13: delimiter: \"ab\" is not a sign",
                "3:12: encoding: \"ebcdic\" is none of utf-8, iso-8859-1, windows-1252, cp437",
                "4:10: values: \"x\" is not trimmed or exact",
                "5:1: unknown `color`; there are name, delimiter",
                "6:24: dates: \"jj\" is no form: it holds 'j'",
                "7:20: unknown column \"x\"; there are ballot, voter",
                "8:2: [columns] has a status, so a table [status] must say",
                "10:1: unknown column \"voted\"; there are ballot",
                "11:7: [columns] imb: only ballot, status, reason can be of several columns",
                "12:9: style: not 1 to 8 of them",
                "13:12: election: not a text in quotes",
            ],
        ),
        (
            "name = 'a'\n[columns]\nvoter = 'v'\nballot = 'V'\n[status]\nA = 'gone'\nB = 'voided: lost'\nb = 'voided'\n\
             [reasons]\nx = 'y'\n[lengths]\nballot = 0\nstyle = 5\n[codes]\nBar = 'b'",
            &[
                "2:2: [columns]: `ballot` and `voter` are the same column",
                "6:5: [status] \"A\": \"gone\" is none of issued, mailed",
                "7:5: [status] \"B\": the reason \"lost\" is none of signature_missing",
                "10:5: [reasons] \"x\": the reason \"y\" is none of",
                "12:10: [lengths] ballot: not a number from 1 to 64",
                "13:1: [lengths] style: only ballot, voter and election have a length",
                "15:1: [codes] \"Bar\": a kind is of lower-case letters",
            ],
        ),
        ("name = 'a'\ncolumns = 1", &["2:1: `columns` is a table, [columns]"]),
        ("name = 'a'\n[columns]\nvoter = 'v'\nmailed = 'm'", &["1:1: `dates` is missing"]),
    ] {
        let faults = Layout::parse(text).unwrap_err();
        let told = faults
            .as_slice()
            .iter()
            .map(|fault| format!("{}:{}: {}", fault.line, fault.column, fault.message));
        let told: Vec<_> = told.collect();
        for line in expected {
            assert!(told.iter().any(|told| told.starts_with(line)), "{line}\n{told:#?}");
        }
    }
    let long = format!("name = 'a'\n# {}", "x".repeat(LAYOUT_BYTES_MAX));
    assert!(Layout::parse(&long).unwrap_err().as_slice()[0].message.starts_with("longer than"));
}

#[test]
fn a_refused_row_of_another_encoding_can_be_mended_and_read_again() {
    let layout = Layout::named("ce-068").unwrap();
    let file = b"VOTER_ID|LAST_NAME|MAIL_BALLOT_SENT_DATE\n1|Pe\xa4a|31-FEB-26\n2|\xa1|09-OCT-26\n";
    let mut rows = Rows::open(&file[..], &layout, rules()).unwrap();
    let mut refused = RefusedRows::begin(Vec::new(), rows.header()).unwrap();
    let piece = rows.piece(10).unwrap();
    assert_eq!(piece.rows.len(), 1);
    piece.refused.iter().for_each(|row| refused.write(row).unwrap());
    let text = String::from_utf8(refused.end().unwrap()).unwrap();
    let expected = "refused_line|refused_column|refused_reason|VOTER_ID|LAST_NAME|MAIL_BALLOT_SENT_DATE\n\
                    2|3 (mail_ballot_sent_date)|the time is neither D-MON-YY nor M/D/YYYY, or there is no such day|1|Pe\u{f1}a|31-FEB-26\n";
    assert_eq!(text, expected);
    let mended = text.replace("31-FEB-26", "13-FEB-26");
    let again = Rows::open(mended.as_bytes(), &layout, rules()).unwrap().piece(10).unwrap();
    assert_eq!(again.rows.len(), 1);
}

proptest! {
    #[test]
    fn no_bytes_panic_and_no_line_is_lost(
        name in prop::sample::select(SHIPPED.map(|(name, _)| name).to_vec()),
        body in prop::collection::vec(prop_oneof![
            "[\"|,\n0-9A-Z/ -]{0,40}".prop_map(String::into_bytes),
            prop::collection::vec(any::<u8>(), 0..40),
        ], 0..20),
    ) {
        let layout = Layout::named(name).unwrap();
        let columns = layout.columns.iter().flatten().flatten().cloned();
        let header: std::collections::BTreeSet<String> = columns.collect();
        let delimiter = char::from(layout.delimiters[0]).to_string();
        let mut text = header.into_iter().collect::<Vec<_>>().join(&delimiter).into_bytes();
        let body = body.concat();
        text.push(b'\n');
        text.extend(&body);
        let mut rows = Rows::open(&text[..], &layout, rules()).unwrap();
        let mut refused = RefusedRows::begin(Vec::new(), rows.header()).unwrap();
        let piece = rows.piece(10_000).unwrap();
        piece.refused.iter().for_each(|row| refused.write(row).unwrap());
        let lines = body.split(|byte| *byte == b'\n').filter(|line| !matches!(line, [] | [b'\r'])).count();
        prop_assert!(piece.rows.len() + piece.refused.len() <= lines);
        prop_assert!(lines == 0 || !piece.refused.is_empty() || !piece.rows.is_empty());
        if layout.encoding != Encoding::Utf8 {
            prop_assert!(String::from_utf8(refused.end().unwrap()).is_ok());
        }
    }

    #[test]
    fn no_layout_panics(text in "[a-z=\\[\\]'\"+ \n|0-9]{0,200}", table in "(columns|status|codes|lengths|reasons)") {
        let whole = format!("name = 'a'\n[{table}]\n{text}");
        prop_assert!(Layout::parse(&whole).is_err() || table == "columns");
    }
}
