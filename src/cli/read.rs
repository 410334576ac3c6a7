//! `ballot-intake read`: what stands on pictures, without a ledger or a daemon.

use std::fs::{self, File};
use std::io::{self, Read as _, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;

use crate::clock::Clock;
use crate::decode::image::{Corners, Found, PICTURE_BYTES_MAX, Picture, PictureError, find};
use crate::event::{chain, printable};
use crate::scan::{Symbol, Symbology};

/// The most entries of one folder that are looked at.
const FOLDER_FILES_MAX: usize = 1_000_000;

/// What the answer looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Output {
    /// A line for people, everything escaped.
    Text,
    /// A JSON object a line.
    Json,
}

/// What there was; the exit code follows from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// At least one symbol.
    Found,
    /// Pictures, and no symbol on any of them.
    NothingFound,
    /// Not one picture.
    NoPicture,
}

/// Tells the name of the envelope format that a symbol matches, and the ballot it names.
pub type EnvelopeOf<'a> = dyn Fn(&Symbol) -> Option<(String, String)> + 'a;

/// How to read.
#[derive(Clone, Copy)]
pub struct Request<'a> {
    /// What to look for.
    pub wanted: &'a [Symbology],
    /// The envelope format that a symbol matches and the ballot it names.
    pub envelope: &'a EnvelopeOf<'a>,
    /// What the answer looks like.
    pub output: Output,
    /// Times the decoding.
    pub clock: &'a dyn Clock,
}

impl std::fmt::Debug for Request<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Request({:?}, {:?})", self.wanted, self.output)
    }
}

/// Why a path gave no picture.
#[derive(Debug, thiserror::Error)]
enum ReadError {
    #[error("{} cannot be opened", .path.display())]
    Open {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("{} is not read", .path.display())]
    Picture {
        path: PathBuf,
        #[source]
        source: PictureError,
    },
}

/// Reads pictures, and of folders every picture inside in name order. What cannot be read is said on `err`, and the rest goes
/// on; of a folder, files that are no pictures are passed over. Fails only when nothing can be written.
pub fn read(
    paths: &[PathBuf],
    request: &Request<'_>,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> io::Result<Outcome> {
    let mut outcome = Outcome::NoPicture;
    for path in paths {
        let inside = if path.is_dir() { files_in(path).map(Some) } else { Ok(None) };
        let is_folder = matches!(inside, Ok(Some(_)));
        let pictures = match inside {
            Ok(inside) => inside.unwrap_or_else(|| vec![path.clone()]),
            Err(error) => {
                say(err, &error)?;
                continue;
            }
        };
        for picture in pictures {
            match read_one(&picture, request, out)? {
                Ok(seen) => outcome = outcome.with(seen),
                Err(ReadError::Picture { source: PictureError::Format, .. }) if is_folder => {}
                Err(error) => say(err, &error)?,
            }
        }
    }
    Ok(outcome)
}

impl Outcome {
    const fn with(self, other: Self) -> Self {
        match (self, other) {
            (Self::Found, _) | (_, Self::Found) => Self::Found,
            (Self::NothingFound, _) | (_, Self::NothingFound) => Self::NothingFound,
            (Self::NoPicture, Self::NoPicture) => Self::NoPicture,
        }
    }
}

/// The plain files of a folder in name order.
fn files_in(folder: &Path) -> Result<Vec<PathBuf>, ReadError> {
    let unopened = |source| ReadError::Open { path: folder.to_owned(), source };
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).map_err(unopened)?.take(FOLDER_FILES_MAX) {
        let path = entry.map_err(unopened)?.path();
        if path.is_file() {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

fn say(err: &mut dyn Write, error: &ReadError) -> io::Result<()> {
    writeln!(err, "ballot-intake: {}", printable(&chain(error)))
}

/// Reads one picture and writes what is on it. The outer error is that of writing.
fn read_one(
    path: &Path,
    request: &Request<'_>,
    out: &mut dyn Write,
) -> io::Result<Result<Outcome, ReadError>> {
    let started = request.clock.elapsed();
    let found = match symbols_of(path, request.wanted) {
        Ok(found) => found,
        Err(error) => return Ok(Err(error)),
    };
    let took = request.clock.elapsed().saturating_sub(started);
    let image = path.to_string_lossy();
    if found.is_empty() {
        write_record(&Record::nothing(&image, took), request.output, out)?;
        return Ok(Ok(Outcome::NothingFound));
    }
    for found in &found {
        let record = Record::of(&image, took, found, request.envelope);
        write_record(&record, request.output, out)?;
    }
    Ok(Ok(Outcome::Found))
}

fn symbols_of(path: &Path, wanted: &[Symbology]) -> Result<Vec<Found>, ReadError> {
    let unopened = |source| ReadError::Open { path: path.to_owned(), source };
    let file = File::open(path).map_err(unopened)?;
    let limit = u64::try_from(PICTURE_BYTES_MAX).unwrap_or(u64::MAX).saturating_add(1);
    let mut bytes = Vec::new();
    file.take(limit).read_to_end(&mut bytes).map_err(unopened)?;
    Picture::load(&bytes)
        .and_then(|picture| find(&picture, wanted))
        .map_err(|source| ReadError::Picture { path: path.to_owned(), source })
}

/// One line of the answer. The keys and their order are an interface that stays.
#[derive(Serialize)]
struct Record<'a> {
    image: &'a str,
    symbology: Option<&'static str>,
    symbology_identifier: Option<String>,
    payload: Option<&'a str>,
    payload_base64: Option<String>,
    envelope: Option<Envelope>,
    corners: Option<Corners>,
    repaired: Option<bool>,
    ms: f64,
}

#[derive(Serialize)]
struct Envelope {
    format: String,
    ballot: String,
}

impl<'a> Record<'a> {
    fn nothing(image: &'a str, took: Duration) -> Self {
        Self {
            image,
            symbology: None,
            symbology_identifier: None,
            payload: None,
            payload_base64: None,
            envelope: None,
            corners: None,
            repaired: None,
            ms: (took.as_secs_f64() * 1e6).round() / 1e3,
        }
    }

    fn of(image: &'a str, took: Duration, found: &'a Found, envelope: &EnvelopeOf<'_>) -> Self {
        let symbol = &found.symbol;
        let bytes = &symbol.payload.0;
        let text = std::str::from_utf8(bytes).ok();
        Self {
            symbology: Some(symbol.symbology.name()),
            symbology_identifier: symbol.identifier.map(|identifier| identifier.to_string()),
            payload: text,
            payload_base64: text.is_none().then(|| STANDARD.encode(bytes)),
            envelope: envelope(symbol).map(|(format, ballot)| Envelope { format, ballot }),
            corners: Some(found.corners),
            repaired: Some(symbol.repaired),
            ..Self::nothing(image, took)
        }
    }
}

fn write_record(record: &Record<'_>, output: Output, out: &mut dyn Write) -> io::Result<()> {
    match output {
        Output::Json => {
            serde_json::to_writer(&mut *out, record)?;
            writeln!(out)
        }
        Output::Text => writeln!(out, "{}", text(record)),
    }
}

/// `envelope.png: code128 ]C0 "2026110000000011", county ballot 000000001, 12.3 ms`.
fn text(record: &Record<'_>) -> String {
    let image = printable(record.image);
    let Some(symbology) = record.symbology else {
        return format!("{image}: no symbol, {:.1} ms", record.ms);
    };
    let identifier = record.symbology_identifier.as_deref().unwrap_or("no identifier");
    let payload = match (record.payload, &record.payload_base64) {
        (Some(payload), _) => format!("\"{}\"", printable(payload)),
        (None, base64) => format!("base64 {}", printable(base64.as_deref().unwrap_or_default())),
    };
    let envelope = record.envelope.as_ref().map_or_else(
        || "no envelope format".to_owned(),
        |envelope| {
            format!("{} ballot {}", printable(&envelope.format), printable(&envelope.ballot))
        },
    );
    format!("{image}: {symbology} {identifier} {payload}, {envelope}, {:.1} ms", record.ms)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::faces;
    use crate::clock::{ManualClock, Micros};
    use crate::decode::image::draw_symbol;
    use crate::scan::Named;
    use serde_json::{Value, json};

    struct Said {
        outcome: Outcome,
        out: String,
        err: String,
    }

    fn said(paths: &[PathBuf], output: Output) -> Said {
        let envelope = |symbol: &Symbol| {
            let text = String::from_utf8(symbol.payload.0.clone()).ok()?;
            let ballot = text.strip_prefix("202611")?;
            Some(("county".to_owned(), ballot.to_owned()))
        };
        let clock = ManualClock::new(Micros(0));
        let request =
            Request { wanted: &Symbology::ALL, envelope: &envelope, output, clock: &clock };
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let outcome = read(paths, &request, &mut out, &mut err).unwrap();
        let [out, err] = [out, err].map(|bytes| String::from_utf8(bytes).unwrap());
        Said { outcome, out, err }
    }

    fn objects(out: &str) -> Vec<Value> {
        out.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    fn symbol(symbology: Symbology, payload: &str) -> Vec<u8> {
        draw_symbol(symbology, payload, 3).unwrap().to_png().unwrap()
    }

    fn blank() -> Vec<u8> {
        Picture::from_luma(50, 50, vec![255; 2500]).unwrap().to_png().unwrap()
    }

    #[test]
    fn each_symbol_is_an_object_with_every_key() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("a.png");
        fs::write(&path, symbol(Symbology::Code128, "202611000000001")).unwrap();
        let said = said(std::slice::from_ref(&path), Output::Json);
        let mut objects = objects(&said.out);
        let corners = objects[0]["corners"].take();
        assert_eq!(corners[0], json!([30.0, 30.0]));
        let expected = json!({
            "image": path, "symbology": "code128", "symbology_identifier": "]C0",
            "payload": "202611000000001", "payload_base64": null,
            "envelope": {"format": "county", "ballot": "000000001"},
            "corners": null, "repaired": false, "ms": 0.0,
        });
        assert_eq!(objects, [expected]);
        assert_eq!((said.outcome, said.err.as_str()), (Outcome::Found, ""));
    }

    #[test]
    fn a_picture_without_a_symbol_is_an_object_of_nulls() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("a.png");
        fs::write(&path, blank()).unwrap();
        let said = said(std::slice::from_ref(&path), Output::Json);
        let expected = json!({
            "image": path, "symbology": null, "symbology_identifier": null, "payload": null,
            "payload_base64": null, "envelope": null, "corners": null, "repaired": null,
            "ms": 0.0,
        });
        assert_eq!(objects(&said.out), [expected]);
        assert_eq!(said.outcome, Outcome::NothingFound);
    }

    #[test]
    fn the_keys_stand_in_their_order() {
        let record = Record::nothing("a", Duration::from_micros(12_345));
        assert_eq!(
            serde_json::to_string(&record).unwrap(),
            r#"{"image":"a","symbology":null,"symbology_identifier":null,"payload":null,"#
                .to_owned()
                + r#""payload_base64":null,"envelope":null,"corners":null,"repaired":null,"ms":12.345}"#
        );
    }

    #[test]
    fn bytes_that_are_no_text_come_as_base64() {
        let mut symbol = Symbol::untold(&[0xff, 0x00]);
        symbol.symbology = Named::One(Symbology::Qr);
        let found = Found { symbol, corners: [[0.0; 2]; 4] };
        let record = Record::of("a", Duration::ZERO, &found, &|_symbol| None);
        assert_eq!((record.payload, record.payload_base64.as_deref()), (None, Some("/wA=")));
    }

    #[test]
    fn a_folder_is_read_in_name_order_and_the_rest_goes_on() {
        let place = tempfile::tempdir().unwrap();
        let inside = |name: &str| place.path().join(name);
        let face = [(Symbology::Code39, "B-2"), (Symbology::DataMatrix, "B-3")];
        fs::write(inside("b.jpg"), faces::draw(&face, 1).unwrap()).unwrap();
        fs::write(inside("a.png"), symbol(Symbology::Qr, "A-1")).unwrap();
        fs::write(inside("notes.txt"), "no picture").unwrap();
        let png = blank();
        fs::write(inside("cut.png"), &png[..png.len() / 2]).unwrap();
        let paths = [place.path().join("missing.png"), place.path().to_owned()];
        let said = said(&paths, Output::Json);
        let payloads: Vec<_> =
            objects(&said.out).iter().map(|object| object["payload"].clone()).collect();
        assert_eq!(payloads, ["A-1", "B-3", "B-2"]);
        let says: Vec<_> = said.err.lines().collect();
        assert_eq!(says.len(), 2, "{}", said.err);
        assert!(says[0].contains("missing.png cannot be opened: No such file"), "{}", says[0]);
        assert!(says[1].contains("cut.png is not read: picture cannot be unpacked"), "{}", says[1]);
        assert_eq!(said.outcome, Outcome::Found);
    }

    #[test]
    fn a_named_file_that_is_no_picture_is_said() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("\u{1b}[2J.txt");
        fs::write(&path, "no picture").unwrap();
        let said = said(&[path], Output::Json);
        assert!(said.err.contains("\\u{1b}[2J.txt is not read: not a PNG"), "{}", said.err);
        assert_eq!((said.outcome, said.out.as_str()), (Outcome::NoPicture, ""));
    }

    #[test]
    fn the_text_for_people_steers_no_terminal() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("a.png");
        fs::write(&path, symbol(Symbology::Qr, "202611\u{1b}[2J")).unwrap();
        let said = said(std::slice::from_ref(&path), Output::Text);
        let expected = format!(
            "{}: qr ]Q1 \"202611\\u{{1b}}[2J\", county ballot \\u{{1b}}[2J, 0.0 ms\n",
            path.display()
        );
        assert_eq!(said.out, expected);
    }
}
