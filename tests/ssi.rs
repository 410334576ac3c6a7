//! The SSI driver against a simulated scanner, over a line that loses, damages and adds bytes. Time is only counted.
#![cfg(test)]

#[path = "support/ssi.rs"]
mod scanner;

use ballot_intake::scan::{Named, Symbol, Symbology, Tone};
use ballot_intake::scanner::dialog::{Dialog as _, Say};
use ballot_intake::scanner::framing::Framed;
use ballot_intake::scanner::profile::{Answers, LockCommands};
use ballot_intake::scanner::ssi::Ssi;
use proptest::prelude::*;
use scanner::{Outcome, RESPONSE_TIMEOUT, Scanner, checksum, packet};
use std::collections::VecDeque;
use std::num::NonZeroU16;
use std::time::Duration;

/// Bytes from one end of the line to the other.
const LATENCY: Duration = Duration::from_millis(4);

const ACK: &[u8] = &[0x04, 0xD0, 0x04, 0x00, 0xFF, 0x28];
const NAK_RESEND: &[u8] = &[0x05, 0xD1, 0x04, 0x00, 0x01, 0xFF, 0x25];

fn ssi(frame_bytes_max: u16) -> Ssi {
    let answers = Answers {
        good: vec![0xE6, 0x00],
        notice: vec![0xE6, 0x01],
        bad: vec![0xE6, 0x14],
        fault: vec![],
    };
    let lock = LockCommands { lock: vec![0xEA], unlock: vec![0xE9] };
    Ssi::new(answers, Some(lock), NonZeroU16::new(frame_bytes_max).unwrap())
}

/// What the line does to a packet of the scanner, or to what the station sends at once.
#[derive(Debug, Clone)]
enum Fault {
    Nothing,
    /// A bit of any byte but the length.
    Flip(prop::sample::Index, u8),
    /// A bit of the length.
    FlipLength(u8),
    /// Only so much arrives.
    Cut(prop::sample::Index),
    /// Something that is no packet comes before it.
    Before(Vec<u8>),
    /// Something that is no packet comes behind it.
    Behind(Vec<u8>),
    /// The scanner sends it again before an answer can have come.
    Hurry,
}

impl Fault {
    fn is_one(&self) -> bool {
        !matches!(self, Self::Nothing)
    }

    fn apply(&self, bytes: &[u8]) -> Vec<u8> {
        let mut changed = bytes.to_vec();
        match self {
            Self::Nothing | Self::Hurry => {}
            Self::Flip(at, bit) => changed[1 + at.index(bytes.len() - 1)] ^= 1 << bit,
            Self::FlipLength(bit) => {
                changed[0] ^= 1 << bit;
                if is_valid(&changed) {
                    // A sum of 16 bits cannot see this one.
                    changed[0] = bytes[0];
                }
            }
            Self::Cut(at) => changed.truncate(at.index(bytes.len())),
            Self::Before(noise) => changed = [noise, bytes].concat(),
            Self::Behind(noise) => changed.extend(noise),
        }
        changed
    }
}

/// Whether the bytes begin with a whole packet.
fn is_valid(bytes: &[u8]) -> bool {
    let length = usize::from(bytes[0]);
    length >= 4
        && bytes.len() >= length + 2
        && checksum(&bytes[..length]) == bytes[length..length + 2]
}

fn noise() -> impl Strategy<Value = Vec<u8>> {
    // Never the beginning of a packet that could be whole by chance.
    (1_u8..4, prop::collection::vec(any::<u8>(), 0..40))
        .prop_map(|(first, rest)| [&[0, first], &rest[..]].concat())
}

fn fault_of_scanner() -> impl Strategy<Value = Fault> {
    prop_oneof![
        6 => Just(Fault::Nothing),
        2 => (any::<prop::sample::Index>(), 0_u8..8).prop_map(|(at, bit)| Fault::Flip(at, bit)),
        1 => (0_u8..8).prop_map(Fault::FlipLength),
        2 => any::<prop::sample::Index>().prop_map(Fault::Cut),
        1 => noise().prop_map(Fault::Before),
        1 => noise().prop_map(Fault::Behind),
        2 => Just(Fault::Hurry),
    ]
}

fn fault_of_station() -> impl Strategy<Value = Fault> {
    prop_oneof![
        4 => Just(Fault::Nothing),
        1 => (any::<prop::sample::Index>(), 0_u8..8).prop_map(|(at, bit)| Fault::Flip(at, bit)),
        1 => any::<prop::sample::Index>().prop_map(Fault::Cut),
    ]
}

/// What a scanner reads.
#[derive(Debug, Clone)]
struct Read {
    text: Vec<u8>,
    suffix: Vec<u8>,
    part_bytes: usize,
    /// Whether an event is told before it.
    has_event: bool,
}

impl Read {
    fn n_parts(&self) -> usize {
        (self.text.len() + self.suffix.len()).div_ceil(self.part_bytes)
    }

    /// The same with no part like the one before. When a part is lost without a trace and its repeat is like the last part,
    /// nothing can tell them apart.
    fn with_unlike_parts(mut self) -> Self {
        for (at, byte) in self.text.iter_mut().enumerate().skip(2) {
            *byte = byte.wrapping_add(u8::try_from(at / 7).unwrap_or(0));
        }
        self.text.push(b'.');
        self
    }
}

/// Reads that differ from one another, in one packet or in several.
fn reads() -> impl Strategy<Value = Vec<Read>> {
    let text = prop_oneof![
        3 => prop::collection::vec(any::<u8>(), 0..60),
        1 => prop::collection::vec(any::<u8>(), 200..900),
        1 => (0_u8..3, 0_usize..900).prop_map(|(byte, n)| vec![byte; n]),
    ];
    let suffix = prop::sample::select(vec![&b""[..], b"\r", b"\r\n"]);
    let read = (text, suffix, 30_usize..=250, any::<bool>()).prop_map(
        |(text, suffix, part_bytes, has_event)| Read {
            text,
            suffix: suffix.to_vec(),
            part_bytes,
            has_event,
        },
    );
    prop::collection::vec(read, 1..6).prop_map(|mut reads| {
        for (number, read) in reads.iter_mut().enumerate() {
            read.text = [format!("{number}:").as_bytes(), &read.text, b"."].concat();
        }
        reads
    })
}

fn unlike_reads() -> impl Strategy<Value = Vec<Read>> {
    reads().prop_map(|reads| reads.into_iter().map(Read::with_unlike_parts).collect())
}

/// A scanner, a driver and the line between them.
struct World {
    now: Duration,
    scanner: Scanner,
    ssi: Ssi,
    to_station: VecDeque<(Duration, Vec<u8>)>,
    to_scanner: VecDeque<(Duration, Vec<u8>)>,
    faults_of_scanner: VecDeque<Fault>,
    faults_of_station: VecDeque<Fault>,
    /// How many bytes one read of the line returns.
    piece: usize,
    framed: Vec<Framed>,
    /// How many faults there were while each message of the scanner was under way.
    n_faults: Vec<usize>,
}

impl World {
    fn new(ssi: Ssi) -> Self {
        Self {
            now: Duration::from_secs(1),
            scanner: Scanner::default(),
            ssi,
            to_station: VecDeque::new(),
            to_scanner: VecDeque::new(),
            faults_of_scanner: VecDeque::new(),
            faults_of_station: VecDeque::new(),
            piece: 64,
            framed: Vec::new(),
            n_faults: vec![0],
        }
    }

    fn fault(&mut self, fault: Option<Fault>) -> Fault {
        let fault = fault.unwrap_or(Fault::Nothing);
        self.n_faults.resize(self.scanner.outcomes.len() + 1, 0);
        *self.n_faults.last_mut().unwrap() += usize::from(fault.is_one());
        fault
    }

    /// Puts on the line what either side has to send.
    fn transmit(&mut self) {
        while let Some(packet) = self.scanner.next_packet() {
            let fault = self.faults_of_scanner.pop_front();
            let fault = self.fault(fault);
            for bytes in fault.apply(&packet).chunks(self.piece) {
                self.to_station.push_back((self.now + LATENCY, bytes.to_vec()));
            }
            if matches!(fault, Fault::Hurry) {
                self.scanner.hurry(self.now + LATENCY / 2);
            }
        }
        while !self.ssi.outgoing().is_empty() {
            let bytes = self.ssi.outgoing().to_vec();
            assert!(bytes.len() <= 600, "{} bytes wait", bytes.len());
            self.ssi.sent(bytes.len(), self.now);
            let fault = self.faults_of_station.pop_front();
            let bytes = self.fault(fault).apply(&bytes);
            self.to_scanner.push_back((self.now + LATENCY, bytes));
        }
    }

    /// When something happens next.
    fn next(&self) -> Option<Duration> {
        let arrivals = [self.to_station.front(), self.to_scanner.front()];
        let arrivals = arrivals.into_iter().flatten().map(|(at, _)| *at);
        arrivals.chain(self.ssi.deadline()).chain(self.scanner.deadline()).min()
    }

    fn advance_to(&mut self, at: Duration) {
        self.now = self.now.max(at);
        if let Some((_, bytes)) = self.to_station.pop_front_if(|(at, _)| *at <= self.now) {
            self.push(&bytes);
        } else if let Some((_, bytes)) = self.to_scanner.pop_front_if(|(at, _)| *at <= self.now) {
            self.scanner.hear(&bytes, self.now);
        } else if self.ssi.deadline().is_some_and(|at| at <= self.now) {
            let framed = self.ssi.expired(self.now);
            self.framed.extend(framed);
        } else {
            self.scanner.expired(self.now);
        }
    }

    fn push(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let (taken, framed) = self.ssi.push(bytes, self.now);
            assert!(framed.is_some() || taken == bytes.len(), "bytes were left for nothing");
            bytes = &bytes[taken..];
            self.framed.extend(framed);
        }
    }

    /// Until nothing more happens; each read is answered where the driver is idle.
    fn run(&mut self) {
        let mut n_answered = 0;
        self.transmit();
        for _ in 0..100_000 {
            let Some(at) = self.next() else { return };
            self.advance_to(at);
            if self.framed.len() > n_answered && self.ssi.is_idle() {
                n_answered += 1;
                self.ssi.say(Say::Tone(Tone::Good), self.now);
            }
            self.transmit();
        }
        panic!("it never ends");
    }

    fn symbols(&self) -> Vec<&Symbol> {
        self.framed
            .iter()
            .filter_map(|framed| match framed {
                Framed::Symbol(symbol) => Some(symbol),
                Framed::NoRead => None,
            })
            .collect()
    }
}

/// The reads that were told: all of them whole, none twice, none out of order.
fn told(reads: &[Read], symbols: &[&Symbol]) -> Vec<bool> {
    let mut told = vec![false; reads.len()];
    let mut after = 0;
    for symbol in symbols {
        let found = reads[after..].iter().position(|read| read.text == symbol.payload.0);
        let Some(at) = found else { panic!("nothing like this was read: {:?}", symbol.payload.0) };
        assert_eq!(usize::try_from(symbol.length).unwrap(), symbol.payload.0.len());
        assert_eq!(symbol.symbology, Named::One(Symbology::DataMatrix));
        told[after + at] = true;
        after += at + 1;
    }
    told
}

/// Has all of them read, one after the other, over a line with these faults.
fn run(reads: &[Read], of_scanner: Vec<Fault>, of_station: Vec<Fault>, piece: usize) -> World {
    let mut world = World::new(ssi(4096));
    world.faults_of_scanner = of_scanner.into();
    world.faults_of_station = of_station.into();
    world.piece = piece;
    for read in reads {
        if read.has_event {
            world.scanner.tell(0xF6, &[0x01], world.now);
        }
        let text = [&read.text[..], &read.suffix].concat();
        world.scanner.decode(0x1B, &text, read.part_bytes, world.now);
    }
    world.run();
    assert!(world.ssi.is_idle() && world.ssi.outgoing().is_empty());
    world
}

proptest! {
    #[test]
    fn over_a_clean_line_every_read_is_told_once_and_answered(
        reads in reads(),
        piece in 1_usize..300,
    ) {
        let world = run(&reads, vec![], vec![], piece);
        prop_assert!(told(&reads, &world.symbols()).iter().all(|told| *told));
        prop_assert_eq!(world.framed.len(), reads.len());
        prop_assert!(world.scanner.outcomes.iter().all(|at| *at == Outcome::Acknowledged));
        prop_assert_eq!(world.scanner.beeps.len(), reads.len());
    }

    #[test]
    fn over_a_bad_line_what_is_told_was_read_and_what_was_acknowledged_is_told(
        reads in unlike_reads(),
        of_scanner in prop::collection::vec(fault_of_scanner(), 0..40),
        of_station in prop::collection::vec(fault_of_station(), 0..40),
        piece in 1_usize..300,
    ) {
        let world = run(&reads, of_scanner, of_station, piece);
        let told = told(&reads, &world.symbols());
        let mut n_in_doubt = 0;
        let mut message = 0;
        let mut is_after_part = false;
        for (read, told) in reads.iter().zip(told) {
            message += usize::from(read.has_event);
            let outcome = world.scanner.outcomes[message];
            let n_faults: usize = world.n_faults.iter().take(message + 1).sum();
            if outcome == Outcome::Acknowledged && !told {
                // Two faults may leave a read in doubt; so does a part of the last read. With more, an acknowledgement may
                // come when its message was given up, and the next one is lost: there are no numbers.
                prop_assert!(is_after_part || n_faults > 1, "{:?}", read);
                n_in_doubt += usize::from(n_faults <= 2);
            }
            is_after_part = outcome == Outcome::GivenUp && read.n_parts() > 1;
            message += 1;
        }
        let n_no_reads = world.framed.len() - world.symbols().len();
        prop_assert!(n_no_reads >= n_in_doubt, "{} of {} were told", n_no_reads, n_in_doubt);
    }

    #[test]
    fn one_fault_loses_no_read_and_tells_none_twice(
        reads in unlike_reads(),
        n_before in 0_usize..6,
        fault in fault_of_scanner(),
        is_of_scanner in any::<bool>(),
        fault_back in fault_of_station(),
        piece in 1_usize..300,
    ) {
        let mut faults = vec![Fault::Nothing; n_before];
        let (of_scanner, of_station) = if is_of_scanner {
            faults.push(fault);
            (faults, vec![])
        } else {
            faults.push(fault_back);
            (vec![], faults)
        };
        let world = run(&reads, of_scanner, of_station, piece);
        prop_assert!(told(&reads, &world.symbols()).iter().all(|told| *told));
        // Noise behind the last packet may have been one.
        prop_assert!((reads.len()..=reads.len() + 1).contains(&world.framed.len()));
        prop_assert!(world.scanner.outcomes.iter().all(|at| *at == Outcome::Acknowledged));
    }

    #[test]
    fn any_bytes_at_any_time_are_borne(
        pieces in prop::collection::vec(
            (prop::collection::vec(any::<u8>(), 0..300), 0_u64..3_000), 0..40,
        ),
        frame_bytes_max in 1_u16..600,
    ) {
        let mut world = World::new(ssi(frame_bytes_max));
        for (bytes, wait_ms) in pieces {
            world.push(&bytes);
            world.now += Duration::from_millis(wait_ms);
            if world.ssi.is_idle() {
                world.ssi.say(Say::Lock, world.now);
            }
            prop_assert!(world.ssi.outgoing().len() <= 600);
        }
        world.run();
        for symbol in world.symbols() {
            prop_assert!(symbol.payload.0.len() <= usize::from(frame_bytes_max));
        }
    }
}

/// Pushes whole, and returns what that made and what is to be sent, which is sent.
fn said(ssi: &mut Ssi, bytes: &[u8], ms: u64) -> (Option<Framed>, Vec<u8>) {
    let now = Duration::from_millis(ms);
    let (taken, framed) = ssi.push(bytes, now);
    assert_eq!(taken, bytes.len());
    let out = ssi.outgoing().to_vec();
    ssi.sent(out.len(), now);
    (framed, out)
}

#[expect(clippy::unnecessary_wraps, reason = "it is what `said` is compared with")]
fn symbol(symbology: Named, text: &[u8]) -> Option<Framed> {
    Some(Framed::Symbol(Symbol { symbology, ..Symbol::untold(text) }))
}

const CODE_128: Named = Named::One(Symbology::Code128);

#[test]
fn a_read_is_acknowledged_and_its_suffix_is_no_part_of_it() {
    let mut ssi = ssi(4096);
    let read = packet(0xF3, 0, b"\x03AB12\r\n");
    assert_eq!(said(&mut ssi, &read, 0), (symbol(CODE_128, b"AB12"), ACK.to_vec()));
    assert_eq!(ssi.deadline(), None);
}

#[test]
fn push_stops_after_each_read_and_acknowledges_no_more_than_that() {
    let mut ssi = ssi(4096);
    let first = packet(0xF3, 0, b"\x031");
    let both = [&first[..], &packet(0xF3, 0, b"\x032")].concat();
    assert_eq!(ssi.push(&both, Duration::ZERO), (first.len(), symbol(CODE_128, b"1")));
    assert_eq!(ssi.outgoing(), ACK);
    let rest = &both[first.len()..];
    assert_eq!(ssi.push(rest, Duration::from_mins(1)), (rest.len(), symbol(CODE_128, b"2")));
}

#[test]
fn the_same_read_twice_is_two_reads_and_one_sent_twice_is_one() {
    let mut ssi = ssi(4096);
    let read = packet(0xF3, 0, b"\x0317");
    let again = packet(0xF3, 1, b"\x0317");
    for (bytes, ms, is_read, is_acknowledged) in [
        (&read, 0, true, true),
        (&again, 2_000, false, true),
        // Too soon for one that was sent for want of an acknowledgement.
        (&again, 2_100, false, false),
        (&again, 4_200, false, true),
        (&read, 4_300, true, true),
        (&again, 30_000, true, true),
    ] {
        let (framed, out) = said(&mut ssi, bytes, ms);
        assert_eq!(framed, symbol(CODE_128, b"17").filter(|_| is_read), "at {ms} ms");
        assert_eq!(out, if is_acknowledged { ACK } else { b"" }, "at {ms} ms");
    }
}

#[test]
fn a_damaged_packet_is_asked_for_again_when_the_line_is_silent() {
    let mut ssi = ssi(4096);
    let mut read = packet(0xF3, 0, b"\x0317");
    read[5] ^= 1;
    assert_eq!(said(&mut ssi, &read, 0), (None, vec![]));
    assert_eq!(ssi.deadline(), Some(Duration::from_millis(200)));
    assert_eq!(ssi.expired(Duration::from_millis(200)), None);
    assert_eq!(ssi.outgoing(), NAK_RESEND);
    ssi.sent(NAK_RESEND.len(), Duration::from_millis(200));
    let again = packet(0xF3, 1, b"\x0317");
    assert_eq!(said(&mut ssi, &again, 210), (symbol(CODE_128, b"17"), ACK.to_vec()));
}

#[test]
fn what_never_comes_whole_is_a_no_read() {
    let mut ssi = ssi(4096);
    said(&mut ssi, &packet(0xF3, 0, b"\x0317")[..5], 0);
    assert_eq!(ssi.expired(Duration::from_millis(200)), None);
    assert_eq!(ssi.deadline(), Some(Duration::from_millis(5_200)));
    assert_eq!(ssi.expired(Duration::from_millis(5_200)), Some(Framed::NoRead));
    assert_eq!(ssi.deadline(), None);
}

#[test]
fn a_read_of_several_packets_is_joined_and_its_rest_is_never_a_read() {
    let parts =
        [packet(0xF3, 2, b"\x1CAAA"), packet(0xF3, 2, b"\x1CAAA"), packet(0xF3, 0, b"\x1CB\r")];
    let mut whole = ssi(4096);
    assert_eq!(said(&mut whole, &parts[0], 0), (None, ACK.to_vec()));
    assert_eq!(said(&mut whole, &parts[1], 10), (None, ACK.to_vec()));
    let qr = Named::One(Symbology::Qr);
    assert_eq!(said(&mut whole, &parts[2], 20), (symbol(qr, b"AAAAAAB"), ACK.to_vec()));

    let mut half = ssi(4096);
    said(&mut half, &parts[0], 0);
    let rest = Duration::from_millis(3_500);
    assert_eq!(half.deadline(), Some(rest));
    assert_eq!(half.expired(rest), Some(Framed::NoRead));
    assert_eq!(said(&mut half, &parts[1], 10_000), (None, ACK.to_vec()));
    assert_eq!(said(&mut half, &parts[2], 10_010), (Some(Framed::NoRead), ACK.to_vec()));
    let next = packet(0xF3, 0, b"\x0317");
    assert_eq!(said(&mut half, &next, 10_020), (symbol(CODE_128, b"17"), ACK.to_vec()));
}

#[test]
fn a_part_in_doubt_spoils_its_read() {
    let parts = [packet(0xF3, 2, b"\x1CAAA"), packet(0xF3, 3, b"\x1CAAA")];
    let last = packet(0xF3, 0, b"\x1CB");
    // The second of two like parts was damaged, or the first was sent again: it cannot be told.
    let mut like = ssi(4096);
    said(&mut like, &parts[0], 0);
    said(&mut like, &[1], 10);
    said(&mut like, &parts[1], 600);
    assert_eq!(said(&mut like, &last, 610), (Some(Framed::NoRead), ACK.to_vec()));
    // A part of another symbology, or one that comes too late, is not of this read.
    let again = packet(0xF3, 1, b"\x1CB");
    for (second, ms) in [(packet(0xF3, 0, b"\x11B"), 10), (last, 1_500), (again, 3_500)] {
        let mut other = ssi(4096);
        said(&mut other, &parts[0], 0);
        assert_eq!(said(&mut other, &second, ms), (Some(Framed::NoRead), ACK.to_vec()));
    }
}

#[test]
fn a_read_beyond_the_bound_is_one_cut_off_symbol_with_its_true_length() {
    for (text, expected, length) in [
        (&b"12345678\r\n"[..], &b"12345678"[..], 8),
        (b"]d212345678\r\n", b"12345678", 8),
        (b"123456789\r", b"12345678", 9),
        (b"1234567\r\n\r\n9", b"1234567\r", 12),
        (b"]d2123456789", b"12345678", 9),
    ] {
        let mut ssi = ssi(8);
        let mut parts = text.chunks(3).peekable();
        while let Some(part) = parts.next() {
            let status = if parts.peek().is_some() { 2 } else { 0 };
            let bytes = packet(0xF3, status, &[&[0x1B], part].concat());
            if let (Some(Framed::Symbol(symbol)), _) = said(&mut ssi, &bytes, 0) {
                assert_eq!((symbol.payload.0.as_slice(), symbol.length), (expected, length));
                assert_eq!(symbol.is_overlong(), length > 8);
            } else {
                assert_eq!(status, 2, "{text:?}");
            }
        }
    }
}

#[test]
fn the_code_type_and_an_identifier_tell_the_symbology() {
    for (data, symbology, text) in [
        (&b"\x34]X01234"[..], Named::One(Symbology::Imb), &b"1234"[..]),
        (b"\x341234", Named::One(Symbology::Imb), b"1234"),
        (b"\x03]C01234", CODE_128, b"1234"),
        (b"\x03]A01234", CODE_128, b"]A01234"),
        (b"\xF0]C01234", CODE_128, b"1234"),
        (b"\xF01234", Named::Untold, b"1234"),
        (b"\x0B]E01234", Named::Foreign, b"1234"),
        (b"\x03]C", CODE_128, b"]C"),
    ] {
        let (framed, _) = said(&mut ssi(4096), &packet(0xF3, 0, data), 0);
        let Some(Framed::Symbol(symbol)) = framed else { panic!("{data:?}: {framed:?}") };
        assert_eq!((symbol.symbology, &symbol.payload.0[..]), (symbology, text), "{data:?}");
        assert_eq!(symbol.identifier.is_some(), data.len() - 1 - text.len() == 3);
    }
}

#[test]
fn a_read_of_nothing_is_acknowledged_and_is_none() {
    for data in [&b""[..], b"\x03", b"\x03\r\n", b"\x03]C0\r"] {
        let mut ssi = ssi(4096);
        assert_eq!(said(&mut ssi, &packet(0xF3, 0, data), 0), (None, ACK.to_vec()), "{data:?}");
        assert_eq!(ssi.deadline(), None);
    }
}

#[test]
fn other_packets_are_acknowledged_where_the_protocol_wants_it() {
    for (opcode, data, expected) in [
        (0xF6, &[0x03][..], ACK),
        (0xC6, &[0xFF, 0x8A, 0x01], ACK),
        (0xA4, b"NBRPVAAM", ACK),
        (0xD0, &[], b""),
        (0xD1, &[1], b""),
        (0x73, &[0, 0xF3], &[0x05, 0xD1, 0x04, 0x00, 0x02, 0xFF, 0x24]),
    ] {
        let said = said(&mut ssi(4096), &packet(opcode, 0, data), 0);
        assert_eq!(said, (None, expected.to_vec()), "{opcode:#04x}");
    }
    assert_eq!(said(&mut ssi(4096), ACK, 0), (None, vec![]), "an echo of our own");
}

/// What is on the line after something is said at that time.
fn saying(ssi: &mut Ssi, say: Say, ms: u64) -> Vec<u8> {
    assert!(ssi.is_idle());
    ssi.say(say, Duration::from_millis(ms));
    let out = ssi.outgoing().to_vec();
    ssi.sent(out.len(), Duration::from_millis(ms));
    out
}

#[test]
fn a_tone_is_one_packet_that_the_scanner_acknowledges() {
    let mut ssi = ssi(4096);
    for (say, expected) in [
        (Say::Tone(Tone::Notice), &[0, 0x05, 0xE6, 0x04, 0x00, 0x01, 0xFF, 0x10][..]),
        (Say::Lock, &[0, 0x04, 0xEA, 0x04, 0x00, 0xFF, 0x0E]),
        (Say::Unlock, &[0, 0x04, 0xE9, 0x04, 0x00, 0xFF, 0x0F]),
        (Say::Tone(Tone::Fault), &[]),
    ] {
        assert_eq!(saying(&mut ssi, say, 0), expected, "{say:?}");
        assert_eq!(ssi.is_idle(), expected.is_empty());
        said(&mut ssi, &packet(0xD0, 0, &[]), 10);
        assert!(ssi.is_idle());
    }
}

#[test]
fn a_tone_that_is_not_acknowledged_is_sent_again_and_then_given_up() {
    let mut ssi = ssi(4096);
    saying(&mut ssi, Say::Tone(Tone::Good), 0);
    for n_timeouts in 1..3 {
        let now = RESPONSE_TIMEOUT * n_timeouts;
        assert_eq!(ssi.deadline(), Some(now));
        assert_eq!(ssi.expired(now), None);
        assert_eq!(ssi.outgoing(), [0, 0x05, 0xE6, 0x04, 0x01, 0x00, 0xFF, 0x10]);
        ssi.sent(8, now);
    }
    assert_eq!(ssi.expired(RESPONSE_TIMEOUT * 3), None);
    assert_eq!(ssi.outgoing(), b"");
    assert!(ssi.is_idle());
    assert_eq!(ssi.deadline(), None);
}

#[test]
fn a_tone_is_sent_again_when_the_scanner_asks_and_not_when_it_refuses() {
    for (cause, is_sent_again) in [(1, true), (2, false), (6, false), (10, false)] {
        let mut ssi = ssi(4096);
        saying(&mut ssi, Say::Tone(Tone::Bad), 0);
        let (_, out) = said(&mut ssi, &packet(0xD1, 0, &[cause]), 10);
        assert_eq!(out.is_empty(), !is_sent_again, "{cause}");
        assert_eq!(ssi.is_idle(), !is_sent_again, "{cause}");
    }
}

#[test]
fn a_read_that_comes_instead_of_an_acknowledgement_is_not_lost() {
    let mut ssi = ssi(4096);
    saying(&mut ssi, Say::Tone(Tone::Good), 0);
    let read = packet(0xF3, 0, b"\x0317");
    assert_eq!(said(&mut ssi, &read, 10), (symbol(CODE_128, b"17"), ACK.to_vec()));
    assert!(!ssi.is_idle());
    said(&mut ssi, &packet(0xD0, 0, &[]), 20);
    assert!(ssi.is_idle());
}

#[test]
fn a_tone_waits_until_the_scanner_has_finished() {
    let mut ssi = ssi(4096);
    let read = packet(0xF3, 0, b"\x0317");
    said(&mut ssi, &read[..4], 0);
    assert_eq!(saying(&mut ssi, Say::Tone(Tone::Good), 10), b"");
    let (_, out) = said(&mut ssi, &read[4..], 20);
    assert_eq!(out, [ACK, &[0, 0x05, 0xE6, 0x04, 0x00, 0x00, 0xFF, 0x11]].concat());
}

#[test]
fn a_line_that_comes_back_begins_anew() {
    let mut ssi = ssi(4096);
    saying(&mut ssi, Say::Tone(Tone::Good), 0);
    said(&mut ssi, &packet(0xF3, 2, b"\x1CA"), 10);
    ssi.push(&[9, 9], Duration::from_millis(20));
    ssi.reset();
    assert!(ssi.is_idle() && ssi.outgoing().is_empty());
    assert_eq!(ssi.deadline(), None);
    let read = packet(0xF3, 0, b"\x1CB");
    let qr = Named::One(Symbology::Qr);
    assert_eq!(said(&mut ssi, &read, 30), (symbol(qr, b"B"), ACK.to_vec()));
}
