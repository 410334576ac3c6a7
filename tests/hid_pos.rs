//! The dialog with a HID point-of-sale scanner, against reports as makers document them, lost ones, and reports of any kind.
#![cfg(test)]

use ballot_intake::scan::{Named, Symbol, Symbology, SymbologyIdentifier};
use ballot_intake::scanner::dialog::Dialog as _;
use ballot_intake::scanner::framing::Framed;
use ballot_intake::scanner::hid_pos::{CodeIds, HidPos, Reports, Settings};
use proptest::prelude::*;
use std::num::NonZeroU16;
use std::time::Duration;

const SILENCE: Duration = Duration::from_millis(500);

/// Where a scanner puts what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Layout {
    Identified,
    Shifted,
    Bare,
}

/// A scanner's symbol and how it sends it.
#[derive(Debug, Clone)]
struct Scan {
    layout: Layout,
    identifier: [u8; 3],
    code_id: u8,
    payload: Vec<u8>,
}

impl Scan {
    fn of(payload: &[u8]) -> Self {
        let payload = payload.to_vec();
        Self { layout: Layout::Identified, identifier: *b"]C0", code_id: b'j', payload }
    }

    fn reports(&self) -> Vec<[u8; 64]> {
        let n_reports = self.payload.chunks(56).len();
        let pieces = self.payload.chunks(56).zip(1..);
        pieces.map(|(piece, number)| self.report(piece, u8::from(number < n_reports))).collect()
    }

    fn report(&self, piece: &[u8], more: u8) -> [u8; 64] {
        let mut report = [0; 64];
        report[0] = 2;
        report[1] = u8::try_from(piece.len()).unwrap();
        let start = match self.layout {
            Layout::Identified => 5,
            Layout::Shifted => 6,
            Layout::Bare => 2,
        };
        if self.layout != Layout::Bare {
            report[start - 3..start].copy_from_slice(&self.identifier);
        }
        report[start..start + piece.len()].copy_from_slice(piece);
        match self.layout {
            Layout::Identified => report[61] = self.code_id,
            Layout::Shifted => {}
            Layout::Bare => report[62] = self.code_id,
        }
        report[63] = more;
        report
    }

    fn symbol(&self) -> Framed {
        let [_, code, modifier] = self.identifier;
        let identifier = SymbologyIdentifier::new(code, modifier);
        let identifier = identifier.filter(|_| self.layout != Layout::Bare);
        let symbology = identifier.map_or(Named::Untold, SymbologyIdentifier::symbology);
        Framed::Symbol(Symbol { identifier, symbology, ..Symbol::untold(&self.payload) })
    }
}

/// A dialog at its driver, whose clock goes on with each report.
struct Desk {
    dialog: HidPos,
    now: Duration,
}

impl Desk {
    /// The line was opened, and the scanner has been silent.
    fn new(settings: &Settings, frame_bytes_max: u16) -> Self {
        let mut desk = Self::just_open(settings, frame_bytes_max);
        assert_eq!(desk.silence(), None);
        desk
    }

    fn just_open(settings: &Settings, frame_bytes_max: u16) -> Self {
        let frame_bytes_max = NonZeroU16::new(frame_bytes_max).unwrap();
        Self { dialog: HidPos::new(settings, frame_bytes_max, SILENCE), now: Duration::ZERO }
    }

    fn plain() -> Self {
        Self::new(&Settings::default(), 4096)
    }

    fn of(layout: Layout) -> Self {
        let reports = if layout == Layout::Bare { Reports::Bare } else { Reports::Identified };
        Self::new(&Settings { reports, ..Settings::default() }, 4096)
    }

    fn send<R: AsRef<[u8]>>(&mut self, reports: &[R]) -> Vec<Framed> {
        let mut heard = Vec::new();
        for report in reports {
            self.now += Duration::from_millis(1);
            let (taken, framed) = self.dialog.push(report.as_ref(), self.now);
            assert_eq!(taken, report.as_ref().len());
            heard.extend(framed);
        }
        heard
    }

    /// Nothing comes for a second.
    fn silence(&mut self) -> Option<Framed> {
        let deadline = self.dialog.deadline();
        assert!(deadline.is_none_or(|deadline| deadline == self.now + SILENCE));
        assert_eq!(self.dialog.expired(self.now), None, "before its time");
        self.now += Duration::from_secs(1);
        let framed = deadline.and_then(|_| self.dialog.expired(self.now));
        assert_eq!(self.dialog.deadline(), None);
        framed
    }
}

/// What comes of these reports and of the silence after them.
#[track_caller]
fn check(reports: &[Vec<u8>], expected: &[Framed]) {
    let mut desk = Desk::plain();
    let mut heard = desk.send(reports);
    heard.extend(desk.silence());
    assert_eq!(heard, expected);
    let next = Scan::of(b"next");
    assert_eq!(desk.send(&next.reports()), [next.symbol()], "after the silence");
}

fn honeywell() -> Settings {
    Settings { code_ids: CodeIds::Honeywell, ..Settings::default() }
}

#[test]
fn the_two_reports_of_a_makers_manual_are_one_symbol() {
    // Access-IS LSR118 product manual, B.1.1: a boarding pass.
    let mut first = b"\x02\x38]Q0M1GATHERGOOD/MICHAEL YABCDEF LHRDURAK 3542 052Y003D23  ".to_vec();
    first.resize(61, b' ');
    first.extend(b"s\0\x01");
    let mut second = b"\x02\x04]Q0 100".to_vec();
    second.resize(61, 0);
    second.extend(b"s\0\0");
    assert_eq!((first.len(), second.len()), (64, 64));
    let heard = Desk::new(&honeywell(), 4096).send(&[first, second]);
    let [Framed::Symbol(symbol)] = heard.as_slice() else { panic!("{heard:?}") };
    let expected = b"M1GATHERGOOD/MICHAEL YABCDEF LHRDURAK 3542 052Y003D23    100";
    assert_eq!(symbol.payload.0, expected);
    assert_eq!(symbol.symbology, Named::One(Symbology::Qr));
    assert_eq!(symbol.identifier, SymbologyIdentifier::new(b'Q', b'0'));
}

#[test]
fn an_intelligent_mail_bar_code_is_told_by_its_makers_letter() {
    let imb =
        Scan { identifier: *b"]X0", code_id: b'M', ..Scan::of(b"0070012345678901234501234567891") };
    for (settings, expected) in
        [(honeywell(), Named::One(Symbology::Imb)), (Settings::default(), Named::Untold)]
    {
        let heard = Desk::new(&settings, 4096).send(&imb.reports());
        let [Framed::Symbol(symbol)] = heard.as_slice() else { panic!("{heard:?}") };
        assert_eq!((symbol.symbology, &symbol.payload.0), (expected, &imb.payload));
    }
}

#[test]
fn a_makers_letter_that_says_nothing_leaves_it_to_the_identifier() {
    for (letter, expected) in [
        (b'j', Named::One(Symbology::Code128)),
        (b'|', Named::One(Symbology::Code128)),
        (b'b', Named::One(Symbology::Code39)),
        (b'e', Named::One(Symbology::Itf)),
        (b'r', Named::One(Symbology::Pdf417)),
        (b's', Named::One(Symbology::Qr)),
        (b'w', Named::One(Symbology::DataMatrix)),
        (b'P', Named::Foreign),
        (b'R', Named::Foreign),
        (0, Named::One(Symbology::Code128)),
        (0xff, Named::One(Symbology::Code128)),
    ] {
        let scan = Scan { code_id: letter, ..Scan::of(b"17") };
        let heard = Desk::new(&honeywell(), 4096).send(&scan.reports());
        let [Framed::Symbol(symbol)] = heard.as_slice() else { panic!("{heard:?}") };
        assert_eq!(symbol.symbology, expected, "{letter}");
    }
}

#[test]
fn a_carriage_return_at_the_end_is_no_payload() {
    for (payload, expected) in [
        (&b"17\r"[..], &b"17"[..]),
        (b"17\r\r", b"17\r"),
        (b"1\r7", b"1\r7"),
        (&[&[b'7'; 56][..], b"\r"].concat(), &[b'7'; 56]),
    ] {
        assert_eq!(Desk::plain().send(&Scan::of(payload).reports()), [Scan::of(expected).symbol()]);
    }
}

#[test]
fn an_empty_scan_is_none() {
    let scan = Scan::of(b"");
    check(&[scan.report(b"", 0).to_vec(), scan.report(b"\r", 0).to_vec()], &[]);
    let full = scan.report(&[b'7'; 56], 1).to_vec();
    check(&[full, scan.report(b"", 0).to_vec()], &[Scan::of(&[b'7'; 56]).symbol()]);
}

#[test]
fn a_report_that_is_not_as_it_should_be_makes_its_scan_a_no_read() {
    let good = Scan::of(b"17").reports()[0];
    let but = |place: usize, byte: u8| {
        let mut report = good;
        report[place] = byte;
        report.to_vec()
    };
    for bad in [
        but(0, 0),
        but(0, 3),
        but(1, 57),
        but(1, 255),
        but(2, b'C'),
        but(3, b']'),
        but(3, b'1'),
        but(4, 0),
        but(63, 2),
        but(63, 0x80),
        good[..63].to_vec(),
        [&good[..], &[0]].concat(),
        vec![2],
    ] {
        check(std::slice::from_ref(&bad), &[Framed::NoRead]);
        // It may be the middle of a longer scan, whose end is never a scan.
        let long = Scan::of(&[b'7'; 100]).reports();
        check(&[long[0].to_vec(), bad, long[1].to_vec()], &[Framed::NoRead]);
    }
}

#[test]
fn reports_of_different_symbols_are_not_joined() {
    let first = Scan::of(&[b'7'; 56]).report(&[b'7'; 56], 1).to_vec();
    for other in [
        Scan { identifier: *b"]C1", ..Scan::of(b"8") },
        Scan { layout: Layout::Shifted, ..Scan::of(b"8") },
    ] {
        check(&[first.clone(), other.reports()[0].to_vec()], &[Framed::NoRead]);
    }
    let other = Scan { code_id: b'b', ..Scan::of(b"8") }.reports()[0].to_vec();
    assert_eq!(Desk::new(&honeywell(), 4096).send(&[first.clone(), other]), [Framed::NoRead]);
    let unsaid = Scan { code_id: 0, ..Scan::of(b"8") }.reports()[0].to_vec();
    assert_ne!(Desk::new(&honeywell(), 4096).send(&[first, unsaid]), [Framed::NoRead]);
}

#[test]
fn a_scan_whose_end_does_not_come_is_dropped_by_silence() {
    let [first, second] = Scan::of(&[b'7'; 100]).reports()[..] else { panic!() };
    check(&[first.to_vec()], &[Framed::NoRead]);
    check(&vec![first.to_vec(); 1000], &[Framed::NoRead]);

    let mut desk = Desk::plain();
    desk.send(&[first]);
    desk.now += SILENCE;
    assert_eq!(desk.send(&[second]), [Framed::NoRead], "silence that nobody told of");
    assert_eq!(desk.silence(), None);
}

#[test]
fn a_scanner_that_is_unplugged_takes_its_half_scan_with_it() {
    let half = Scan::of(&[b'7'; 100]).reports()[0];
    for half in [half.to_vec(), vec![9]] {
        let mut desk = Desk::plain();
        desk.send(&[half]);
        desk.dialog.reset();
        desk.now = Duration::ZERO;
        assert_eq!(desk.silence(), None);
        let next = Scan::of(b"8");
        assert_eq!(desk.send(&next.reports()), [next.symbol()]);
    }
}

#[test]
fn what_ends_first_on_a_line_that_was_just_opened_is_not_believed() {
    let long = Scan::of(&[b'7'; 150]).reports();
    let short = Scan::of(b"8");
    for n_before in 0..long.len() {
        let mut desk = Desk::just_open(&Settings::default(), 4096);
        assert_eq!(desk.send(&long[n_before..]), [Framed::NoRead], "{n_before}");
        assert_eq!(desk.send(&short.reports()), [short.symbol()]);
    }

    let mut desk = Desk::just_open(&Settings::default(), 4096);
    assert_eq!(desk.send(&long[1..2]), []);
    assert_eq!(desk.silence(), Some(Framed::NoRead));
    assert_eq!(desk.send(&short.reports()), [short.symbol()]);

    let mut desk = Desk::just_open(&Settings::default(), 4096);
    desk.now = SILENCE * 3;
    assert_eq!(desk.send(&long[2..]), [Framed::NoRead], "silence that nobody told of");
    assert_eq!(desk.silence(), None);
}

#[test]
fn an_overlong_scan_is_one_cut_off_symbol_with_its_true_length() {
    for (payload, length, is_overlong) in [
        (vec![b'7'; 70], 70, false),
        (vec![b'7'; 71], 71, true),
        ([&[b'7'; 70][..], b"\r"].concat(), 70, false),
        ([&[b'7'; 71][..], b"\r"].concat(), 71, true),
        (vec![b'7'; 9000], 9000, true),
    ] {
        let heard = Desk::new(&Settings::default(), 70).send(&Scan::of(&payload).reports());
        let [Framed::Symbol(symbol)] = heard.as_slice() else { panic!("{heard:?}") };
        assert_eq!(symbol.payload.0, [b'7'; 70]);
        assert_eq!((symbol.length, symbol.is_overlong()), (length, is_overlong));
    }
}

#[test]
fn a_bracket_that_is_payload_is_no_identifier() {
    for payload in [&b"]C017"[..], b"1]C07", b"]]C0"] {
        let scan = Scan { layout: Layout::Bare, ..Scan::of(payload) };
        assert_eq!(Desk::of(Layout::Bare).send(&scan.reports()), [scan.symbol()]);
    }
    for payload in [&b"17"[..], b"]C017", b"1]C07"] {
        let bare = Scan { layout: Layout::Bare, ..Scan::of(payload) };
        check(&[bare.reports()[0].to_vec()], &[Framed::NoRead]);
    }
}

fn scan() -> impl Strategy<Value = Scan> {
    let layout = prop::sample::select(vec![Layout::Identified, Layout::Shifted, Layout::Bare]);
    let identifiers = vec![*b"]C0", *b"]A0", *b"]X0", *b"]Q1", *b"]d2", *b"]z3"];
    let byte = prop_oneof![Just(b']'), b' '..=b'~', any::<u8>()];
    // A CR at the end is none of it, and one that ends with padding is not believed.
    let payload = prop::collection::vec(byte, 1..300)
        .prop_filter("an end", |payload| payload.last() != Some(&b'\r'))
        .prop_filter("padding", |payload| {
            payload.chunks(56).all(|piece| !piece.ends_with(&[0; 3]))
        });
    (layout, prop::sample::select(identifiers), any::<u8>(), payload).prop_map(
        |(layout, identifier, code_id, payload)| Scan { layout, identifier, code_id, payload },
    )
}

proptest! {
    #[test]
    fn any_payload_in_any_layout_is_its_symbol(scan in scan(), stale: u8) {
        let mut reports = scan.reports();
        if scan.layout == Layout::Shifted {
            // What stands before the identifier is unknown.
            for report in &mut reports {
                report[2] = stale;
            }
        }
        let mut desk = Desk::of(scan.layout);
        prop_assert_eq!(desk.send(&reports), [scan.symbol()]);
        prop_assert_eq!(desk.silence(), None);
    }

    #[test]
    fn a_scan_without_its_end_or_with_a_bad_report_is_never_delivered(
        scan in scan(),
        place: prop::sample::Index,
        change in prop_oneof![Just(None), any::<u8>().prop_map(Some)],
    ) {
        let mut reports: Vec<_> = scan.reports().into_iter().map(|report| report.to_vec()).collect();
        match change {
            None => {
                reports.pop();
            }
            Some(length) => {
                let place = place.index(reports.len());
                reports[place].truncate(usize::from(length % 63) + 1);
            }
        }
        let mut desk = Desk::of(scan.layout);
        let mut heard = desk.send(&reports);
        heard.extend(desk.silence());
        prop_assert!(heard.iter().all(|framed| *framed == Framed::NoRead), "{:?}", heard);
        prop_assert_eq!(desk.send(&scan.reports()), [scan.symbol()]);
    }

    #[test]
    fn any_reports_end_with_the_next_silence(reports in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..70), 0..50)) {
        let mut desk = Desk::new(&Settings::default(), 8);
        for framed in desk.send(&reports) {
            if let Framed::Symbol(symbol) = framed {
                prop_assert!((1..=8).contains(&symbol.payload.0.len()));
            }
        }
        desk.silence();
        let next = Scan::of(b"next");
        prop_assert_eq!(desk.send(&next.reports()), [next.symbol()]);
    }
}
