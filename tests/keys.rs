//! The dialog with a scanner that types, against a simulated scanner, lost events, and streams of any kind.
#![cfg(test)]

#[path = "keys/typist.rs"]
mod typist;

use ballot_intake::scan::{Named, Symbol, Symbology};
use ballot_intake::scanner::dialog::Dialog as _;
use ballot_intake::scanner::framing::{Framed, Framing, Identifier, Stx};
use ballot_intake::scanner::keyboard::{Keyboard, Layout};
use proptest::prelude::*;
use std::num::NonZeroU16;
use std::time::Duration;
use typist::{DROPPED, EVENT_BYTES, Event, WAYS, Way, alt, scan, tap, typed, with};

const SILENCE: Duration = Duration::from_millis(500);

const ENTER: u16 = 28;
const CTRL: u16 = 29;
const SHIFT: u16 = 42;
const ALT: u16 = 56;
const RIGHT_ALT: u16 = 100;

/// A keyboard at its driver, whose clock goes on as events are sent.
struct Desk {
    keyboard: Keyboard,
    now: Duration,
}

impl Desk {
    /// The line was opened, and the scanner has been silent.
    fn new(layout: Layout, frame_bytes_max: u16) -> Self {
        let mut desk = Self::just_open(layout, frame_bytes_max);
        assert_eq!(desk.silence(), None);
        desk
    }

    fn just_open(layout: Layout, frame_bytes_max: u16) -> Self {
        let framing = Framing {
            terminators: b"\r\n\t\x03".to_vec(),
            stx: Stx::Strip,
            identifier: Identifier::Use,
            frame_bytes_max: NonZeroU16::new(frame_bytes_max).unwrap(),
            silence: SILENCE,
        };
        Self { keyboard: Keyboard::new(layout, framing), now: Duration::ZERO }
    }

    fn us() -> Self {
        Self::new(Layout::Us, 4096)
    }

    /// Sends events, a millisecond from one to the next.
    fn send(&mut self, events: &[Event]) -> Vec<Framed> {
        let mut heard = Vec::new();
        for event in events {
            self.now += Duration::from_millis(1);
            heard.extend(self.read(&event.bytes(self.now)));
        }
        heard
    }

    /// Sends bytes as one read of the device.
    fn read(&mut self, bytes: &[u8]) -> Vec<Framed> {
        let (mut rest, mut heard) = (bytes, Vec::new());
        while !rest.is_empty() {
            let (taken, framed) = self.keyboard.push(rest, self.now);
            assert!(taken > 0 && (framed.is_some() || taken == rest.len()));
            rest = &rest[taken..];
            heard.extend(framed);
        }
        heard
    }

    fn pause_between(
        &mut self,
        events: [&[Event]; 2],
        driver: Duration,
        kernel: Duration,
        pause: impl Fn(&mut Self) -> Option<Framed>,
    ) -> Vec<Framed> {
        let [first, second] = events.map(|events| events.iter().copied());
        let stamp = Duration::from_secs(7);
        let first: Vec<_> = first.flat_map(|event| event.bytes(stamp)).collect();
        let second: Vec<_> = second.flat_map(|event| event.bytes(stamp + kernel)).collect();
        let mut heard = self.read(&first);
        self.now += driver;
        heard.extend(pause(self));
        heard.extend(self.read(&second));
        heard.extend(self.silence());
        heard
    }

    /// Nothing comes for a second.
    fn silence(&mut self) -> Option<Framed> {
        let deadline = self.keyboard.deadline();
        assert!(deadline.is_none_or(|deadline| deadline <= self.now + SILENCE));
        self.now += Duration::from_secs(1);
        let framed = deadline.and_then(|_| self.keyboard.expired(self.now));
        assert_eq!(self.keyboard.deadline(), None);
        framed
    }
}

fn symbol(payload: &[u8]) -> Framed {
    Framed::Symbol(Symbol::untold(payload))
}

/// What comes of these events and of the silence after them.
#[track_caller]
fn check(layout: Layout, events: &[Event], expected: &[Framed]) {
    let mut desk = Desk::new(layout, 4096);
    let mut heard = desk.send(events);
    heard.extend(desk.silence());
    assert_eq!(heard, expected);
    assert_eq!(desk.send(&scan(b"next")), [symbol(b"next")], "after the silence");
}

#[test]
fn the_bytes_of_one_scan_are_a_symbol() {
    // Shift and 7, then 7 twice, as a 64-bit kernel on a little-endian machine gives it.
    let event = |kind: u8, code: u8, value: u8| {
        [&[1, 0, 0, 0, 0, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0, kind, 0, code, 0, value][..], &[0; 3]]
            .concat()
    };
    let events = [
        event(1, 42, 1),
        event(4, 4, 36),
        event(1, 8, 1),
        event(0, 0, 0),
        event(1, 8, 0),
        event(1, 42, 0),
        event(1, 8, 1),
        event(1, 8, 0),
        event(1, 8, 1),
        event(1, 8, 2),
        event(1, 8, 0),
        event(1, 28, 1),
    ];
    if cfg!(all(target_pointer_width = "64", target_endian = "little")) {
        assert_eq!(Desk::us().read(&events.concat()), [symbol(b"&77")]);
    }
}

#[test]
fn every_character_of_ascii_can_be_typed_in_every_way() {
    for byte in (0..=127).filter(|byte| !b"\r\n\t\x03\x02".contains(byte)) {
        for way in WAYS {
            let events = [typed(&[(b'<', Way::Key), (byte, way)]), scan(b">")].concat();
            check(Layout::Us, &events, &[symbol(&[b'<', byte, b'>'])]);
        }
    }
}

#[test]
fn every_terminator_can_be_typed_in_every_way() {
    for byte in *b"\r\n\t\x03" {
        for way in WAYS {
            check(Layout::Us, &typed(&[(b'1', Way::Key), (byte, way)]), &[symbol(b"1")]);
        }
    }
}

#[test]
fn an_identifier_and_control_characters_are_what_they_are_on_a_line() {
    let payload = b"]C10117\x1d2126";
    let ways = [Way::Key, Way::Ctrl, Way::Alt];
    for way in ways {
        let characters: Vec<_> = payload.iter().map(|byte| (*byte, way)).collect();
        let heard = Desk::us().send(&[typed(&characters), tap(ENTER)].concat());
        let [Framed::Symbol(symbol)] = heard.as_slice() else { panic!("{heard:?}") };
        assert_eq!(symbol.symbology, Named::One(Symbology::Code128));
        assert_eq!(symbol.payload.0, b"0117\x1d2126");
    }
}

#[test]
fn a_byte_beyond_ascii_is_typed_by_its_code() {
    check(
        Layout::Us,
        &[alt("0228"), alt("196"), alt("255"), tap(ENTER)].concat(),
        &[symbol(b"\xe4\xc4\xff")],
    );
}

#[test]
fn caps_lock_stays_on_until_it_is_pressed_again() {
    let caps = tap(58);
    let events = [scan(b"a"), caps.clone(), scan(b"aB1!"), caps, scan(b"a")].concat();
    check(Layout::Us, &events, &[symbol(b"a"), symbol(b"Ab1!"), symbol(b"a")]);
}

#[test]
fn what_means_no_character_makes_the_scan_a_no_read() {
    let (f1, num_lock, meta, unknown, beyond) = (59, 69, 125, 0x2f0, 0x3ff);
    for spoiling in [
        tap(f1),
        tap(num_lock),
        tap(meta),
        tap(unknown),
        tap(beyond),
        with(SHIFT, tap(71)),
        with(CTRL, tap(2)),
        with(CTRL, tap(71)),
        with(CTRL, with(SHIFT, tap(30))),
        with(CTRL, with(ALT, tap(71))),
        with(meta, tap(2)),
        with(ALT, Vec::new()),
        with(ALT, tap(2)),
        with(ALT, [tap(71), tap(2)].concat()),
        with(ALT, with(SHIFT, tap(71))),
        alt("256"),
        alt("1000"),
        alt("00065"),
        alt("99999999999999999999999999999999"),
        vec![Event::key(2, 7)],
    ] {
        let events = [typed(&[(b'1', Way::Key)]), spoiling, scan(b"2"), tap(ENTER)].concat();
        check(Layout::Us, &events, &[Framed::NoRead]);
    }
}

#[test]
fn the_end_of_a_scan_is_one_with_any_modifier_but_not_of_a_whole_one() {
    for modifier in [SHIFT, CTRL, ALT, RIGHT_ALT, 125] {
        let events = [typed(&[(b'1', Way::Key)]), with(modifier, tap(ENTER))].concat();
        assert_eq!(Desk::us().send(&events)[0], Framed::NoRead, "{modifier}");
    }
}

#[test]
fn only_the_scan_that_is_spoiled_is_a_no_read() {
    let events = [scan(b"1"), tap(59), scan(b"2"), scan(b"3")].concat();
    check(Layout::Us, &events, &[symbol(b"1"), Framed::NoRead, symbol(b"3")]);
}

#[test]
fn a_half_scan_is_dropped_by_silence() {
    for half in [
        typed(&[(b'1', Way::Key)]),
        typed(&[(2, Way::Ctrl)]),
        vec![Event::key(ALT, 1)],
        with(SHIFT, tap(2))[..2].to_vec(),
        tap(59),
        vec![Event::key(2, 2)],
        vec![DROPPED],
    ] {
        check(Layout::Us, &half, if half.len() == 2 { &[] } else { &[Framed::NoRead] });
    }
    check(Layout::Us, &tap(ENTER), &[]);
    check(Layout::Us, &with(SHIFT, Vec::new()), &[]);
}

#[test]
fn a_scanner_that_is_unplugged_takes_its_half_scan_with_it() {
    for half in
        [typed(&[(b'1', Way::Key)]), vec![Event::key(ALT, 1)], tap(58), tap(59), vec![DROPPED]]
    {
        let mut desk = Desk::us();
        desk.send(&half);
        desk.read(&[0; 7]);
        desk.keyboard.reset();
        desk.now = Duration::ZERO;
        assert_eq!(desk.silence(), None);
        assert_eq!(desk.send(&scan(b"a2")), [symbol(b"a2")]);
    }
}

#[test]
fn what_a_scanner_types_as_its_line_is_opened_is_not_believed() {
    let enter = tap(ENTER);
    for (events, expected) in [
        (scan(b"2"), &[Framed::NoRead][..]),
        (enter.clone(), &[Framed::NoRead]),
        ([enter.clone(), tap(36)].concat(), &[Framed::NoRead, Framed::NoRead]),
        ([enter.clone(), scan(b"3")].concat(), &[Framed::NoRead, Framed::NoRead]),
        (enter[enter.len() - 3..].to_vec(), &[Framed::NoRead]),
        (vec![Event::key(ENTER, 0)], &[Framed::NoRead]),
        (vec![Event::key(ENTER, 2)], &[Framed::NoRead]),
        (typed(&[(b'1', Way::Key)]), &[Framed::NoRead]),
        (vec![DROPPED], &[Framed::NoRead]),
        (vec![Event::extra(0), Event::extra(1)], &[]),
        (Vec::new(), &[]),
    ] {
        let mut desk = Desk::just_open(Layout::Us, 4096);
        let mut heard = desk.send(&events);
        heard.extend(desk.silence());
        assert_eq!(heard, expected, "{events:?}");
        assert_eq!(desk.send(&scan(b"next")), [symbol(b"next")], "after the silence");
    }
}

#[test]
fn only_a_silence_that_was_told_of_ends_the_doubt_of_a_line_that_was_just_opened() {
    for (opened_for, is_told, expected) in [
        (SILENCE * 3, true, symbol(b"2")),
        (SILENCE * 3, false, Framed::NoRead),
        (SILENCE / 2, true, Framed::NoRead),
    ] {
        let mut desk = Desk::just_open(Layout::Us, 4096);
        assert_eq!(desk.keyboard.deadline(), Some(SILENCE));
        desk.now = opened_for;
        if is_told {
            assert_eq!(desk.keyboard.expired(desk.now), None);
        }
        assert_eq!(desk.send(&scan(b"2")), [expected], "{opened_for:?} {is_told}");
    }
}

#[test]
fn an_overlong_scan_is_one_cut_off_symbol() {
    let heard = Desk::new(Layout::Us, 8).send(&scan(&[b'7'; 5000]));
    let [Framed::Symbol(symbol)] = heard.as_slice() else { panic!("{heard:?}") };
    assert_eq!((symbol.payload.0.len(), symbol.length), (8, 5000));
}

#[test]
fn a_held_key_is_one_character_and_no_sound() {
    let mut desk = Desk::us();
    desk.send(&[Event::key(2, 1)]);
    for _ in 0..1000 {
        assert_eq!(desk.send(&[Event::key(2, 2)]), []);
    }
    assert!(desk.keyboard.deadline().unwrap() < desk.now);
    assert_eq!(desk.silence(), Some(Framed::NoRead));
    assert_eq!(desk.send(&[Event::key(2, 2), Event::key(2, 0)]), []);
    assert_eq!(desk.send(&scan(b"11")), [symbol(b"11")]);
}

#[test]
fn after_dropped_events_nothing_is_believed_before_a_silence() {
    let mut desk = Desk::us();
    let events = [typed(&[(b'1', Way::Key)]), vec![DROPPED], scan(b"23"), tap(ENTER)].concat();
    assert_eq!(desk.send(&events), [Framed::NoRead]);
    assert_eq!(desk.send(&scan(b"4")), [Framed::NoRead]);
    assert_eq!(desk.silence(), None);
    assert_eq!(desk.send(&scan(b"5")), [symbol(b"5")]);

    assert_eq!(
        desk.send(&[vec![DROPPED], tap(ENTER)].concat()),
        [Framed::NoRead],
        "a whole scan may be lost"
    );
    assert_eq!(desk.silence(), None);
    assert_eq!(desk.send(&[DROPPED]), []);
    assert_eq!(desk.silence(), Some(Framed::NoRead));
    assert_eq!(desk.send(&scan(b"6")), [symbol(b"6")]);
}

#[test]
fn after_dropped_events_caps_lock_is_as_it_was_when_all_was_silent() {
    let mut desk = Desk::us();
    desk.send(&tap(58));
    desk.silence();
    assert_eq!(desk.send(&scan(b"a")), [symbol(b"A")]);
    desk.send(&[tap(58), vec![DROPPED]].concat());
    desk.silence();
    assert_eq!(desk.send(&scan(b"a")), [symbol(b"A")]);
}

/// Two reads with so many milliseconds between them on the driver's clock and on the kernel's.
fn two_reads(first: &[Event], second: &[Event], driver: u64, kernel: u64) -> Vec<Framed> {
    let mut desk = Desk::us();
    let (driver, kernel) = (Duration::from_millis(driver), Duration::from_millis(kernel));
    desk.pause_between([first, second], driver, kernel, |_| None)
}

/// The same, and the driver calls it a silence before it reads on.
fn two_reads_and_a_silence(
    first: &[Event],
    second: &[Event],
    driver: u64,
    kernel: u64,
) -> Vec<Framed> {
    let mut desk = Desk::us();
    let (driver, kernel) = (Duration::from_millis(driver), Duration::from_millis(kernel));
    desk.pause_between([first, second], driver, kernel, |desk| desk.keyboard.expired(desk.now))
}

#[test]
fn a_station_that_is_held_up_makes_no_new_scan_of_the_rest() {
    let (half, rest) = (typed(&[(b'1', Way::Key)]), scan(b"2"));
    assert_eq!(two_reads(&half, &rest, 10, 10), [symbol(b"12")]);
    assert_eq!(two_reads(&half, &rest, 900, 10), [symbol(b"12")]);
    assert_eq!(two_reads(&half, &rest, 900, 900), [Framed::NoRead, symbol(b"2")]);
    assert_eq!(two_reads(&half, &rest, 10, 900), [Framed::NoRead], "one scan, or two");
    assert_eq!(two_reads(&rest, &rest, 10, 900), [symbol(b"2"), symbol(b"2")]);

    let no_reads = [Framed::NoRead, Framed::NoRead];
    assert_eq!(two_reads_and_a_silence(&half, &rest, 900, 10), no_reads);
    assert_eq!(two_reads_and_a_silence(&half, &rest, 900, 900), [Framed::NoRead, symbol(b"2")]);
    assert_eq!(two_reads_and_a_silence(&half, &rest, 10, 10), [symbol(b"12")], "before its time");
}

#[test]
fn other_layouts_type_what_is_printed_on_their_keys() {
    // The keys of the first letter row, in their places.
    let row: Vec<_> = (16..22).flat_map(tap).chain(tap(ENTER)).collect();
    check(Layout::De, &row, &[symbol(b"qwertz")]);
    check(Layout::Fr, &row, &[symbol(b"azerty")]);
    let digits: Vec<_> = (2..12).flat_map(tap).collect();
    check(Layout::De, &[digits.clone(), tap(ENTER)].concat(), &[symbol(b"1234567890")]);
    check(Layout::Fr, &[with(SHIFT, digits), tap(ENTER)].concat(), &[symbol(b"1234567890")]);
    let signs = [with(RIGHT_ALT, [tap(8), tap(9), tap(10), tap(11)].concat()), tap(ENTER)].concat();
    check(Layout::De, &signs, &[symbol(b"{[]}")]);
    check(Layout::Us, &signs, &[Framed::NoRead]);
    check(Layout::Fr, &[with(RIGHT_ALT, tap(9)), tap(7), tap(ENTER)].concat(), &[symbol(b"\\-")]);
}

#[test]
fn an_accent_is_typed_before_a_space_and_means_nothing_before_a_letter() {
    for (layout, code, accent) in
        [(Layout::De, 41, b'^'), (Layout::Fr, 26, b'^'), (Layout::De, 13, 0xb4)]
    {
        check(layout, &[tap(code), tap(57), tap(ENTER)].concat(), &[symbol(&[accent])]);
        check(layout, &[tap(code), tap(18), tap(ENTER)].concat(), &[Framed::NoRead]);
        check(layout, &[tap(code), tap(code), tap(ENTER)].concat(), &[Framed::NoRead]);
        check(layout, &[tap(code), tap(ENTER)].concat(), &[Framed::NoRead]);
    }
}

#[test]
fn caps_lock_is_trusted_for_letters_only_where_systems_differ() {
    let caps = tap(58);
    for (layout, letter) in [(Layout::De, b'Q'), (Layout::Fr, b'A')] {
        let letters = [caps.clone(), tap(16), tap(57), tap(71), caps.clone(), tap(ENTER)].concat();
        check(layout, &letters, &[symbol(&[letter, b' ', b'7'])]);
        let sign = [caps.clone(), tap(3), caps.clone(), tap(ENTER)].concat();
        check(layout, &sign, &[Framed::NoRead]);
    }
}

/// Bytes that a scanner may type, none of them an end.
fn payload() -> impl Strategy<Value = Vec<u8>> {
    let byte = prop_oneof![
        4 => b' '..=b'~',
        1 => (0_u8..=127).prop_filter("no end", |byte| !b"\r\n\t\x03\x02".contains(byte)),
    ];
    prop::collection::vec(byte, 1..24).prop_filter("no identifier", |bytes| bytes[0] != b']')
}

fn characters() -> impl Strategy<Value = Vec<(u8, Way)>> {
    let ways = prop::collection::vec(prop::sample::select(&WAYS[..]), 24);
    (payload(), ways).prop_map(|(payload, ways)| payload.into_iter().zip(ways).collect())
}

fn bytes_of(characters: &[(u8, Way)]) -> Vec<u8> {
    characters.iter().map(|(byte, _)| *byte).collect()
}

/// Symbols only, in order.
fn symbols(heard: &[Framed]) -> Vec<Framed> {
    heard.iter().filter(|framed| **framed != Framed::NoRead).cloned().collect()
}

proptest! {
    #[test]
    fn what_a_scanner_types_in_any_way_is_its_payload(
        characters in characters(),
        extras in prop::collection::vec((0_usize..400, 0_u8..5), 0..20),
        cuts in prop::collection::vec(0_usize..10_000, 0..20),
    ) {
        let mut events = [typed(&characters), tap(ENTER)].concat();
        for (place, choice) in extras {
            events.insert(place % events.len(), Event::extra(choice));
        }
        let bytes: Vec<_> = events.iter().flat_map(|event| event.bytes(Duration::from_secs(3))).collect();
        let mut cuts: Vec<_> = cuts.into_iter().map(|cut| cut % bytes.len()).chain([0, bytes.len()]).collect();
        cuts.sort_unstable();
        let mut desk = Desk::us();
        let mut heard = Vec::new();
        for cut in cuts.windows(2) {
            heard.extend(desk.read(&bytes[cut[0]..cut[1]]));
        }
        prop_assert_eq!(heard, [symbol(&bytes_of(&characters))]);
        prop_assert_eq!(desk.silence(), None);
    }

    #[test]
    fn one_event_that_is_lost_alters_no_scan(characters in characters(), other in characters(), place: prop::sample::Index) {
        let first = [typed(&characters), tap(ENTER)].concat();
        let mut events = [first, typed(&other), tap(ENTER)].concat();
        let keys: Vec<_> = (0..events.len()).filter(|place| events[*place].is_key()).collect();
        events.remove(keys[place.index(keys.len())]);
        let mut desk = Desk::us();
        let heard = desk.send(&events);
        let whole = [symbol(&bytes_of(&characters)), symbol(&bytes_of(&other))];
        for framed in symbols(&heard) {
            prop_assert!(whole.contains(&framed), "{:?} of {:?}", framed, whole);
        }
        prop_assert!(heard.len() + usize::from(desk.silence().is_some()) >= 1);
        prop_assert_eq!(desk.send(&scan(b"next")), [symbol(b"next")]);
    }

    #[test]
    fn a_scan_of_which_the_kernel_dropped_events_is_never_delivered(
        scans in prop::collection::vec(characters(), 1..4),
        n_dropped in 0_usize..200,
        place: prop::sample::Index,
    ) {
        let mut events = Vec::new();
        let mut ends = Vec::new();
        for characters in &scans {
            events.extend([typed(characters), tap(ENTER)].concat());
            ends.push(events.len());
        }
        let end = place.index(events.len() + 1);
        let start = end.saturating_sub(n_dropped);
        events.splice(start..end, [DROPPED]);
        // The press of Enter, not what follows it, is the end.
        let n_whole = ends.iter().filter(|end| **end - 3 <= start).count();
        let expected: Vec<_> = scans.iter().take(n_whole).map(|characters| symbol(&bytes_of(characters))).collect();
        let mut desk = Desk::us();
        let mut heard = desk.send(&events);
        heard.extend(desk.silence());
        prop_assert_eq!(symbols(&heard), expected);
        prop_assert!(heard.contains(&Framed::NoRead));
        prop_assert_eq!(desk.send(&scan(b"next")), [symbol(b"next")]);
    }

    #[test]
    fn any_events_end_with_the_next_silence(
        events in prop::collection::vec((0_u16..130, -1_i32..4, any::<bool>()), 0..300),
        rest in prop::collection::vec(any::<u8>(), 0..EVENT_BYTES),
    ) {
        let events: Vec<_> = events
            .into_iter()
            .map(|(code, value, is_key)| Event { kind: u16::from(is_key), code, value })
            .collect();
        let mut desk = Desk::new(Layout::Us, 8);
        desk.send(&events);
        desk.read(&rest);
        desk.silence();
        // A Caps Lock that was pressed stays on.
        prop_assert_eq!(desk.send(&scan(b"1!2@")), [symbol(b"1!2@")]);
    }

    #[test]
    fn the_end_of_a_scan_that_began_before_the_line_was_opened_is_never_a_scan(
        scans in prop::collection::vec(characters(), 1..4),
        place: prop::sample::Index,
    ) {
        let events: Vec<_> = scans.iter().flat_map(|scan| [typed(scan), tap(ENTER)].concat()).collect();
        let mut desk = Desk::just_open(Layout::Us, 4096);
        let mut heard = desk.send(&events[place.index(events.len() - 2)..]);
        heard.extend(desk.silence());
        prop_assert!((1..=scans.len() + 1).contains(&heard.len()));
        prop_assert_eq!(symbols(&heard), []);
        prop_assert_eq!(desk.send(&scan(b"next")), [symbol(b"next")]);
    }

    #[test]
    fn any_bytes_make_the_same_however_they_are_split(bytes in prop::collection::vec(any::<u8>(), 0..3000), piece in 1_usize..100) {
        let whole = Desk::us().read(&bytes);
        let mut desk = Desk::us();
        let split: Vec<_> = bytes.chunks(piece).flat_map(|piece| desk.read(piece)).collect();
        prop_assert_eq!(split, whole);
    }
}
