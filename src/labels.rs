//! What a station prints: command sheets, badges and test envelopes, as PDF files for any printer.
//!
//! A sheet or a badge is as good as a key: whoever prints one keeps it from logs, from events and from caches.

pub mod pdf;

use crate::ballot::{Mode, ReceivedBy};
use crate::decode::image::{DrawError, Picture, draw_symbol};
use crate::envelope::{Format, Formats};
use crate::event::printable;
use crate::ledger::{Secret, SheetCode, SheetCodes};
use crate::scan::{Face, Symbol, Symbology};
use crate::sheet::{Opening, Order, Place as Digits, attentions};
use pdf::{PAGE_PT, Page, Point, Weight};

/// Symbologies that labels can be printed in: those that take every character of a code.
pub const PRINTED: [Symbology; 3] = [Symbology::Code128, Symbology::DataMatrix, Symbology::Qr];

/// The narrowest bar of a bar code: 9 mil, which hand-held readers read from a hand's breadth. The module of the others: 20 mil.
const BAR_PT: f64 = 0.648;
const MODULE_PT: f64 = 1.44;

/// The height of bars: half an inch.
const BARS_PT: f64 = 36.0;

/// Modules of white that [`draw_symbol`] leaves at each side.
const QUIET_MODULES: u32 = 10;

const MARGIN_PT: f64 = 45.0;
const TITLE_PT: f64 = 15.0;
const HEAD_PT: f64 = 12.0;
const WORD_PT: f64 = 13.0;
const NOTE_PT: f64 = 8.0;

/// White between two labels, so that no reader sees both.
const BETWEEN_PT: f64 = 26.0;

/// A symbol with a word for it.
struct Label {
    word: String,
    note: String,
    payload: String,
}

/// Labels under one heading.
struct Section {
    head: String,
    labels: Vec<Label>,
}

/// How labels are printed, and for what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Print {
    /// Each label once in each of them.
    pub symbologies: Vec<Symbology>,
    /// Of what station.
    pub purpose: Purpose,
}

/// Whether what is scanned counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// It does.
    Work,
    /// It is practice: every page says so, for another station's paper looks the same.
    Practice,
}

/// A file with labels.
#[derive(Clone, PartialEq, Eq)]
pub struct Printed {
    /// The PDF file. It may be as good as a key.
    pub file: Vec<u8>,
    /// Its pages.
    pub pages: usize,
    /// The labels on them.
    pub labels: usize,
}

impl std::fmt::Debug for Printed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Printed({} labels on {} pages)", self.labels, self.pages)
    }
}

/// Those of the symbologies that can be printed that the envelope formats name; Code 128 where they name none.
pub fn symbologies(envelopes: &[Format]) -> Vec<Symbology> {
    let is_read = |symbology: &Symbology| envelopes.iter().any(|format| format.reads(*symbology));
    let found: Vec<_> = PRINTED.into_iter().filter(is_read).collect();
    if found.is_empty() { vec![Symbology::Code128] } else { found }
}

/// The command sheets of a station whose batches are of that mode.
pub fn commands(codes: &SheetCodes, mode: Mode, print: &Print) -> Result<Printed, DrawError> {
    let SheetCodes { station, generation, .. } = codes;
    let title = format!("Commands of station {station}, printing {generation}");
    printed(&title, &sections(codes, mode), print)
}

/// A badge.
pub fn badge(name: &str, code: &Secret, print: &Print) -> Result<Printed, DrawError> {
    let label = Label {
        word: name.to_owned(),
        note: "scan to sign in, and again to sign out".to_owned(),
        payload: code.as_str().to_owned(),
    };
    printed("Badge", &[Section { head: String::new(), labels: vec![label] }], print)
}

/// Envelopes for tests, each with what the station reads in it.
pub fn envelopes(
    formats: &Formats,
    payloads: &[String],
    print: &Print,
) -> Result<Printed, DrawError> {
    let label = |payload: &String| Label {
        word: printable(payload),
        note: reading(formats, payload),
        payload: payload.clone(),
    };
    let labels = payloads.iter().map(label).collect();
    let sections = [Section { head: String::new(), labels }];
    printed("TEST envelopes: no ballots", &sections, print)
}

fn printed(title: &str, sections: &[Section], print: &Print) -> Result<Printed, DrawError> {
    let title = match print.purpose {
        Purpose::Work => title.to_owned(),
        Purpose::Practice => format!("PRACTICE: {title}"),
    };
    let pages = laid_out(&title, sections, &print.symbologies)?;
    Ok(Printed {
        file: pdf::file(&pages),
        pages: pages.len(),
        labels: sections.iter().map(|section| section.labels.len()).sum(),
    })
}

/// What a clerk needs most comes first; the digits of a hand count have pages of their own.
fn sections(codes: &SheetCodes, station: Mode) -> Vec<Section> {
    let section = |head: &str, orders: Vec<Order>| Section {
        head: head.to_owned(),
        labels: orders.into_iter().filter_map(|order| label(codes, order)).collect(),
    };
    let open = |mode, received_by| {
        attentions(mode).map(move |attention| Order::Open(Opening { mode, received_by, attention }))
    };
    let others = Mode::ALL.into_iter().filter(|mode| *mode != station);
    let mut sections = vec![
        section(
            "Always",
            vec![
                Order::Undo,
                Order::RepeatTone,
                Order::CallSupervisor,
                Order::Acknowledge,
                Order::SignOut,
            ],
        ),
        section(
            "Open a batch",
            ReceivedBy::ALL.into_iter().flat_map(|way| open(station, way)).collect(),
        ),
        section(
            "Switch mode: open a batch that does something else",
            others.flat_map(|mode| open(mode, ReceivedBy::Mail)).collect(),
        ),
    ];
    let [hundreds, tens, ones] = Digits::ALL;
    for (place, head) in [
        (hundreds, "Close the batch 1: the hundreds of the hand count"),
        (tens, "Close the batch 2: the tens of the hand count"),
        (ones, "Close the batch 3: the ones of the hand count"),
    ] {
        sections.push(section(head, (0..10).map(|digit| Order::Digit(place, digit)).collect()));
    }
    sections.push(section("Close the batch 4: confirm", vec![Order::Close]));
    sections
}

fn label(codes: &SheetCodes, order: Order) -> Option<Label> {
    let SheetCode { payload, .. } = codes.codes.iter().find(|code| code.order == order)?;
    let note = codes.station.clone();
    Some(Label { word: order.to_string(), note, payload: payload.clone() })
}

/// What the station reads in it.
fn reading(formats: &Formats, payload: &str) -> String {
    match formats.face(&[Symbol::untold(payload.as_bytes())]) {
        Face::Names(captures) => captures
            .iter()
            .map(|capture| format!("{}: {} {}", capture.format, capture.names.name(), capture.code))
            .collect::<Vec<_>>()
            .join(", "),
        Face::WrongElection(format) => format!("{format}: another election"),
        Face::Unreadable(why) => why.to_string(),
        Face::Mixed | Face::Command(_) | Face::Commands | Face::CommandBeside => {
            "no envelope".to_owned()
        }
    }
}

/// Labels one below the other, each with its symbols side by side.
fn laid_out(
    title: &str,
    sections: &[Section],
    symbologies: &[Symbology],
) -> Result<Vec<Page>, DrawError> {
    let mut pages: Vec<Page> = Vec::new();
    let mut y = 0.0;
    for section in sections {
        let mut head = Some(&section.head);
        for label in &section.labels {
            let stamps: Vec<Stamp> = symbologies
                .iter()
                .map(|symbology| Stamp::new(*symbology, &label.payload))
                .collect::<Result<_, _>>()?;
            let tallest = stamps.iter().map(|stamp| stamp.size[1]).fold(0.0, f64::max);
            let needs = tallest + WORD_PT + NOTE_PT + BETWEEN_PT;
            if y - needs - HEAD_PT * 2.0 < MARGIN_PT {
                let mut page = Page::default();
                y = PAGE_PT[1] - MARGIN_PT - TITLE_PT;
                page.text([MARGIN_PT, y], TITLE_PT, Weight::Bold, title);
                pages.push(page);
            }
            let Some(page) = pages.last_mut() else { continue };
            if let Some(head) = head.take().filter(|head| !head.is_empty()) {
                y -= HEAD_PT * 2.0;
                page.text([MARGIN_PT, y], HEAD_PT, Weight::Plain, head);
            }
            y -= needs;
            let mut x = MARGIN_PT;
            for stamp in &stamps {
                page.fill(&stamp.at([x, y + tallest - stamp.size[1]]));
                x += stamp.size[0] + BETWEEN_PT;
            }
            let above = y + tallest + 4.0;
            page.text([MARGIN_PT, above + NOTE_PT], WORD_PT, Weight::Bold, &label.word);
            page.text([MARGIN_PT, above - 2.0], NOTE_PT, Weight::Plain, &label.note);
        }
    }
    Ok(pages)
}

/// A symbol as rectangles, from its lower left corner.
struct Stamp {
    size: Point,
    rectangles: Vec<[f64; 4]>,
}

impl Stamp {
    fn new(symbology: Symbology, payload: &str) -> Result<Self, DrawError> {
        let picture = draw_symbol(symbology, payload, 1)?;
        let inner = |side: u32| side.saturating_sub(2 * QUIET_MODULES);
        let columns = inner(picture.width());
        // The rows of a bar code are one and the same.
        let (rows, module, height) = match symbology {
            Symbology::Code128 => (1, BAR_PT, BARS_PT),
            _ => (inner(picture.height()), MODULE_PT, MODULE_PT),
        };
        let mut rectangles = Vec::new();
        for row in 0..rows {
            let below = f64::from(rows - row - 1) * height;
            for (from, to) in runs(&picture, row, columns) {
                let [x, width] = [from, to - from].map(|modules| f64::from(modules) * module);
                rectangles.push([x, below, width, height]);
            }
        }
        Ok(Self { size: [f64::from(columns) * module, f64::from(rows) * height], rectangles })
    }

    fn at(&self, [left, bottom]: Point) -> Vec<[f64; 4]> {
        let moved = |[x, y, width, height]: &[f64; 4]| [x + left, y + bottom, *width, *height];
        self.rectangles.iter().map(moved).collect()
    }
}

/// Where black begins and ends in a row, in modules.
fn runs(picture: &Picture, row: u32, columns: u32) -> Vec<(u32, u32)> {
    let is_black = |column: u32| {
        let at = (row + QUIET_MODULES) * picture.width() + column + QUIET_MODULES;
        usize::try_from(at)
            .ok()
            .and_then(|at| picture.luma().get(at))
            .is_some_and(|luma| *luma == 0)
    };
    let mut runs = Vec::new();
    let mut begun = None;
    for column in 0..=columns {
        match (begun, column < columns && is_black(column)) {
            (None, true) => begun = Some(column),
            (Some(from), false) => {
                runs.push((from, column));
                begun = None;
            }
            _ => {}
        }
    }
    runs
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::find;

    /// Pixels for a point when a page is drawn: 200 to the inch.
    const PX: f64 = 200.0 / 72.0;

    /// The rectangles and the words of every page, read from the file as a viewer would: by its table of objects.
    fn read(file: &[u8]) -> Vec<String> {
        let text = str::from_utf8(file).unwrap();
        let start = text.rsplit_once("startxref\n").unwrap().1.lines().next().unwrap();
        let from = |at: &str| text.split_at(at.parse().unwrap()).1;
        let table = from(start);
        let objects: Vec<&str> = table
            .lines()
            .skip(2)
            .take_while(|line| line.len() == 19 && !line.starts_with("trailer"))
            .filter(|line| line.ends_with("n "))
            .map(|line| from(line.split_at(10).0))
            .collect();
        for (n, object) in objects.iter().enumerate() {
            assert!(object.starts_with(&format!("{} 0 obj\n", n + 1)));
        }
        let streams = objects.iter().filter_map(|object| {
            let object = object.split("\nendobj\n").next().unwrap();
            let (head, rest) = object.split_once("\nstream\n")?;
            let length = head.split("/Length ").nth(1).unwrap().split(' ').next().unwrap();
            assert_eq!(rest.split_at(length.parse().unwrap()).1, "endstream");
            Some(rest.strip_suffix("endstream").unwrap().to_owned())
        });
        streams.collect()
    }

    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "a page has few pixels"
    )]
    fn drawn(content: &str) -> Picture {
        let [width, height] = PAGE_PT.map(|side| (side * PX) as usize);
        let mut luma = vec![255; width * height];
        for line in content.lines().filter_map(|line| line.strip_suffix(" re")) {
            let numbers: Vec<f64> = line.split(' ').map(|n| n.parse().unwrap()).collect();
            let [x, y, w, h] = [0, 1, 2, 3].map(|n| numbers[n] * PX);
            let columns = (x.round() as usize)..((x + w).round() as usize);
            let (top, bottom) = (height as f64 - y - h, height as f64 - y);
            for row in (top.round() as usize)..(bottom.round() as usize) {
                luma[row * width..][columns.clone()].fill(0);
            }
        }
        Picture::from_luma(width as u32, height as u32, luma).unwrap()
    }

    fn section(payloads: &[&str]) -> Section {
        let label = |payload: &&str| Label {
            word: format!("word ({payload}) \u{e9}"),
            note: String::new(),
            payload: (*payload).to_owned(),
        };
        Section { head: "Head".to_owned(), labels: payloads.iter().map(label).collect() }
    }

    #[test]
    fn every_symbol_of_every_page_is_read_as_it_was_meant() {
        let payloads: Vec<String> =
            (0..9).map(|n| format!("BIS1:4Q7K:1:D:H{n}:0123456789ABCDEF")).collect();
        let payloads: Vec<&str> = payloads.iter().map(String::as_str).collect();
        for symbology in PRINTED {
            let pages = laid_out("Title", &[section(&payloads)], &[symbology]).unwrap();
            let mut found: Vec<String> = Vec::new();
            for content in read(&pdf::file(&pages)) {
                let symbols = find(&drawn(&content), &[symbology]).unwrap();
                found.extend(
                    symbols.into_iter().map(|f| String::from_utf8(f.symbol.payload.0).unwrap()),
                );
            }
            found.sort();
            assert_eq!(found, payloads, "{symbology}");
        }
    }

    #[test]
    fn words_are_escaped_and_stay_beside_their_symbols() {
        let symbologies = [Symbology::Code128, Symbology::DataMatrix];
        let pages = laid_out("Title", &[section(&["17"])], &symbologies).unwrap();
        let content = read(&pdf::file(&pages)).concat();
        assert!(content.contains(r"(word \(17\) ?) Tj"), "{content}");
        assert_eq!(pages.len(), 1);
    }

    fn codes() -> SheetCodes {
        let code = |order: Order| SheetCode { order, payload: order.spelling() };
        let codes = Order::all().map(code).collect();
        SheetCodes { station: "intake-1".to_owned(), generation: 1, codes }
    }

    /// A sheet of practice beside a sheet that counts must not look like it.
    #[test]
    fn what_is_printed_in_practice_says_so_on_every_page() {
        let codes = codes();
        let formats = Formats::new(None, Vec::new());
        for (purpose, is_practice) in [(Purpose::Work, false), (Purpose::Practice, true)] {
            let print = Print { symbologies: vec![Symbology::Code128], purpose };
            for printed in [
                commands(&codes, Mode::Receive, &print),
                badge("ann", &Secret::badge([1; 16]), &print),
                envelopes(&formats, &["17".to_owned()], &print),
            ] {
                for page in read(&printed.unwrap().file) {
                    assert_eq!(page.contains("(PRACTICE: "), is_practice, "{purpose:?}: {page}");
                }
            }
        }
    }

    #[test]
    fn a_sheet_has_every_order_that_is_offered() {
        let codes = codes();
        for mode in Mode::ALL {
            let sections = sections(&codes, mode);
            let labels: Vec<_> = sections.iter().flat_map(|section| &section.labels).collect();
            let n_open = labels.iter().filter(|label| label.payload.starts_with("O:")).count();
            let expected = if mode == Mode::NeedsAttention { 4 * 6 + 4 } else { 4 + 3 + 6 };
            assert_eq!(n_open, expected, "{mode:?}");
            assert_eq!(labels.len() - n_open, Order::digits().count() + 6);
        }
    }
}
