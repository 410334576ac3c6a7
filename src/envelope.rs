//! Tells from the symbols on an envelope's face which ballot it belongs to.
//!
//! What holds here, whatever is scanned:
//! - An envelope format matches when symbology, pattern and check all hold; formats are tried in order, and the first that
//!   matches decides what the symbol says.
//! - A pattern spells the whole payload, in bytes; its digits are ASCII digits. The regular expressions have no
//!   backtracking, so the time for a symbol is linear in its length, which its frame bounds.
//! - A symbol whose frame was too long, whose check fails, or that is other mail names nothing.
//! - Nothing is looked up here: whether the ballot was issued, and whether two codes agree, is for the ledger to say.

mod check;
mod format;

pub use check::Check;
pub use format::{Format, FormatError, FormatSpec};

use crate::ballot::ElectionId;
use crate::scan::{Capture, Face, Symbol, Unreadable};
use crate::sheet;
use format::Reading;

/// The envelope formats of a station, and the election whose envelopes count.
#[derive(Debug)]
pub struct Formats {
    election: Option<ElectionId>,
    formats: Vec<Format>,
}

impl Formats {
    /// Takes the formats in the order in which they are tried. Without an election, what says its election is of another.
    pub fn new(election: Option<&ElectionId>, formats: Vec<Format>) -> Self {
        Self { election: election.cloned(), formats }
    }

    /// What the symbols on one face spell together. A symbol that names nothing does not disturb another that does; one of
    /// another election does.
    ///
    /// What looks like a code of a command sheet, or like a badge, is nothing else, whatever the formats say.
    pub fn face(&self, symbols: &[Symbol]) -> Face {
        if let Some(face) = face_of_sheet(symbols) {
            return face;
        }
        let mut captures: Vec<Capture> = Vec::new();
        let mut wrong_election = None;
        let mut nearest = None;
        for symbol in symbols {
            match self.read(symbol) {
                Reading::Names(capture) if captures.contains(&capture) => {}
                Reading::Names(capture) => captures.push(capture),
                Reading::WrongElection(format) => {
                    wrong_election.get_or_insert(format);
                }
                Reading::Unreadable(why) => keep_nearest(&mut nearest, why),
            }
        }
        match (captures.is_empty(), wrong_election) {
            (false, None) => Face::Names(captures),
            (false, Some(_)) => Face::Mixed,
            (true, Some(format)) => Face::WrongElection(format),
            (true, None) => Face::Unreadable(nearest.unwrap_or(Unreadable::NoSymbol)),
        }
    }

    /// Whether a check digit held for each of these, which were read by these formats.
    pub fn are_checked(&self, captures: &[Capture]) -> bool {
        captures.iter().all(|capture| {
            let format = self.formats.iter().find(|format| format.name() == &*capture.format);
            format.is_some_and(Format::is_checked)
        })
    }

    fn read(&self, symbol: &Symbol) -> Reading {
        if symbol.is_overlong() {
            return Reading::Unreadable(Unreadable::Overlong);
        }
        let mut nearest = None;
        for format in &self.formats {
            match format.read(symbol, self.election.as_ref()) {
                Reading::Unreadable(why) => keep_nearest(&mut nearest, why),
                matched => return matched,
            }
        }
        Reading::Unreadable(nearest.unwrap_or(Unreadable::NoFormat))
    }
}

/// What codes of a command sheet are by themselves, together, and beside something else; the same one in two symbologies is one.
fn face_of_sheet(symbols: &[Symbol]) -> Option<Face> {
    let is_code = |symbol: &&Symbol| sheet::has_form(&symbol.payload.0);
    let first = symbols.iter().find(is_code)?;
    Some(if !symbols.iter().all(|symbol| is_code(&symbol)) {
        Face::CommandBeside
    } else if symbols.iter().any(|symbol| symbol.payload != first.payload || symbol.is_overlong()) {
        Face::Commands
    } else {
        Face::Command(first.payload.clone())
    })
}

/// Keeps the first reason; one that names a format, whose pattern held, before one that does not.
fn keep_nearest(nearest: &mut Option<Unreadable>, why: Unreadable) {
    let is_nearer = match nearest {
        None => true,
        Some(kept) => kept.format().is_none() && why.format().is_some(),
    };
    if is_nearer {
        *nearest = Some(why);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scan::{CodeKind, Direction, Named, Payload, Symbology};

    fn county(name: &str, pattern: &str, check: Check) -> Format {
        Format::new(FormatSpec {
            name: name.into(),
            symbologies: vec![Symbology::Code128],
            pattern: Some(pattern.into()),
            check,
            names: CodeKind::Ballot,
            return_service_types: vec![],
            outbound_service_types: vec![],
            mailer_ids: vec![],
        })
        .unwrap()
    }

    fn mail() -> Format {
        Format::new(FormatSpec {
            name: "mail".into(),
            symbologies: vec![Symbology::Imb],
            pattern: None,
            check: Check::None,
            names: CodeKind::Imb,
            return_service_types: vec!["777".into()],
            outbound_service_types: vec!["715".into()],
            mailer_ids: vec!["901234567".into()],
        })
        .unwrap()
    }

    fn formats() -> Formats {
        let election = ElectionId::new("202611").unwrap();
        let county =
            county("county", r"(?<election>\d{6})(?<ballot>\d{9})(?<check>\d)", Check::Luhn);
        Formats::new(Some(&election), vec![county, mail()])
    }

    fn ballot(code: &str) -> Capture {
        Capture {
            format: "county".into(),
            names: CodeKind::Ballot,
            code: code.into(),
            direction: Direction::Return,
        }
    }

    fn imb(code: &str, direction: Direction) -> Capture {
        Capture { format: "mail".into(), names: CodeKind::Imb, code: code.into(), direction }
    }

    const COUNTY_17: &str = "2026110000000177";
    const COUNTY_25: &str = "2026110000000250";
    const COUNTY_BROKEN: &str = "2026110000000175";
    const COUNTY_OF_2024: &str = "2024110000000179";
    const IMB_1: &str = "0077790123456700000180301";
    const IMB_1_OUTBOUND: &str = "0071590123456700000180301";
    const IMB_COURTESY: &str = "00070901234567000001";
    const IMB_1_CODE: &str = "901234567000001";

    #[track_caller]
    fn check(payloads: &[&str], expected: &Face) {
        let symbols: Vec<_> =
            payloads.iter().map(|payload| Symbol::untold(payload.as_bytes())).collect();
        assert_eq!(formats().face(&symbols), *expected, "{payloads:?}");
    }

    #[test]
    fn codes_of_all_symbols_are_collected_and_what_names_nothing_is_ignored() {
        let seventeen = || Face::Names(vec![ballot("000000017")]);
        let returned = imb(IMB_1_CODE, Direction::Return);
        let outbound = imb(IMB_1_CODE, Direction::Outbound);
        check(&[COUNTY_17], &seventeen());
        check(&[COUNTY_17, COUNTY_17], &seventeen());
        check(&["hello", COUNTY_17, COUNTY_BROKEN, IMB_COURTESY], &seventeen());
        check(
            &[COUNTY_17, COUNTY_25],
            &Face::Names(vec![ballot("000000017"), ballot("000000025")]),
        );
        check(&[IMB_1, COUNTY_17], &Face::Names(vec![returned.clone(), ballot("000000017")]));
        check(&[IMB_1, IMB_1_OUTBOUND], &Face::Names(vec![returned, outbound]));
    }

    #[test]
    fn a_code_of_another_election_disturbs_every_other_code() {
        let wrong_election = || Face::WrongElection("county".into());
        check(&[COUNTY_OF_2024], &wrong_election());
        check(&["hello", COUNTY_OF_2024, COUNTY_BROKEN], &wrong_election());
        check(&[COUNTY_OF_2024, COUNTY_17], &Face::Mixed);
        check(&[IMB_1, "hello", COUNTY_OF_2024], &Face::Mixed);
    }

    #[test]
    fn a_face_that_names_nothing_tells_the_format_that_came_nearest() {
        let unreadable = Face::Unreadable;
        let check_failed = || Unreadable::CheckFailed("county".into());
        let not_ballot_mail = || Unreadable::NotBallotMail("mail".into());
        check(&[], &unreadable(Unreadable::NoSymbol));
        check(&["hello"], &unreadable(Unreadable::NoFormat));
        check(&["hello", "world"], &unreadable(Unreadable::NoFormat));
        check(&["hello", COUNTY_BROKEN, IMB_COURTESY], &unreadable(check_failed()));
        check(&["hello", IMB_COURTESY, COUNTY_BROKEN], &unreadable(not_ballot_mail()));
    }

    #[test]
    fn a_frame_that_was_too_long_names_nothing_even_where_its_beginning_would() {
        let long = Symbol { length: 17, ..Symbol::untold(COUNTY_17.as_bytes()) };
        let overlong = Face::Unreadable(Unreadable::Overlong);
        assert_eq!(formats().face(std::slice::from_ref(&long)), overlong);
        assert_eq!(formats().face(&[long.clone(), Symbol::untold(b"hello")]), overlong);
        assert_eq!(
            formats().face(&[long, Symbol::untold(COUNTY_25.as_bytes())]),
            Face::Names(vec![ballot("000000025")])
        );
    }

    #[test]
    fn a_symbology_that_no_envelope_carries_matches_no_format() {
        let symbol = Symbol { symbology: Named::Foreign, ..Symbol::untold(COUNTY_17.as_bytes()) };
        assert_eq!(formats().face(&[symbol]), Face::Unreadable(Unreadable::NoFormat));
    }

    #[test]
    fn formats_are_tried_in_order_and_the_first_that_matches_decides() {
        let formats = |order: [(&str, Check); 2]| {
            let pattern = r"(?<ballot>\d{10})(?<check>\d)";
            Formats::new(None, order.map(|(name, check)| county(name, pattern, check)).into())
        };
        let face = |formats: &Formats, payload: &[u8]| formats.face(&[Symbol::untold(payload)]);
        let by_luhn = |format: &str| {
            Face::Names(vec![Capture { format: format.into(), ..ballot("7992739871") }])
        };
        let luhn_last = formats([("first", Check::Mod11), ("second", Check::Luhn)]);
        assert_eq!(face(&luhn_last, b"79927398713"), by_luhn("second"));
        assert_eq!(
            face(&luhn_last, b"79927398714"),
            Face::Unreadable(Unreadable::CheckFailed("first".into()))
        );
        let luhn_twice = formats([("first", Check::Luhn), ("second", Check::Luhn)]);
        assert_eq!(face(&luhn_twice, b"79927398713"), by_luhn("first"));
    }

    #[test]
    fn a_format_of_another_election_is_not_passed_over_for_a_later_one() {
        let election = ElectionId::new("202611").unwrap();
        let formats = Formats::new(
            Some(&election),
            vec![
                county("strict", r"(?<election>\d{6})(?<ballot>\d{9})", Check::None),
                county("loose", r"(?<ballot>\d+)", Check::None),
            ],
        );
        assert_eq!(
            formats.face(&[Symbol::untold(b"202411000000017")]),
            Face::WrongElection("strict".into())
        );
    }

    #[test]
    fn a_command_s_code_is_nothing_else_whatever_the_formats_say() {
        let greedy = Formats::new(None, vec![county("greedy", r"(?<ballot>.*)", Check::None)]);
        let face = |payloads: &[&str]| {
            let symbols: Vec<_> =
                payloads.iter().map(|payload| Symbol::untold(payload.as_bytes())).collect();
            greedy.face(&symbols)
        };
        let command = |payload: &str| Face::Command(Payload(payload.as_bytes().to_vec()));
        let [undo, close] = ["BIS1:4Q7K:1:U:0123456789ABCDEF", "BIS1:4Q7K:1:C:0123456789ABCDEF"];
        assert_eq!(face(&[undo]), command(undo));
        assert_eq!(face(&[undo, undo]), command(undo));
        let damaged = undo.replacen('B', "", 1);
        assert_eq!(face(&[&damaged]), command(&damaged));
        assert_eq!(face(&["bib-7"]), command("bib-7"));
        assert_eq!(face(&[undo, close]), Face::Commands);
        assert_eq!(face(&["17", undo]), Face::CommandBeside);
        assert_eq!(face(&[undo, "BIBLE"]), Face::CommandBeside);
    }

    #[test]
    fn without_formats_nothing_is_named() {
        let formats = Formats::new(None, vec![]);
        assert_eq!(
            formats.face(&[Symbol::untold(COUNTY_17.as_bytes())]),
            Face::Unreadable(Unreadable::NoFormat)
        );
    }
}
