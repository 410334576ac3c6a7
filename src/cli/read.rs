//! `ballot-intake read`: what stands on pictures, without a ledger or a daemon.
//!
//! Pictures are read one after the other in memory that is kept, or so many at a time as there are jobs; what is said of them comes
//! in their order all the same. At most `AHEAD_MAX` answers for each job wait for their turn.

mod record;

use std::collections::VecDeque;
use std::fs::{self, File};
use std::io::{self, Read as _, Write};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::thread::{self, Builder};
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, bounded};

use self::record::Record;
use super::annotate::{Album, AnnotateError, Pictures};
use crate::clock::Clock;
use crate::decode::Looker;
use crate::decode::image::{Found, PICTURE_BYTES_MAX, Picture, PictureError};
use crate::event::{chain, printable};
use crate::scan::{Symbol, Symbology};

/// The most entries of one folder that are looked at.
const FOLDER_FILES_MAX: usize = 1_000_000;

/// The most answers for each job that wait for the one before them.
const AHEAD_MAX: usize = 4;

/// What the answer looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Output {
    /// A line for people, everything escaped.
    Text,
    /// A JSON object a line.
    Json,
}

/// What there was; the exit code follows from it. The last one that holds counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outcome {
    /// Not one picture.
    NoPicture,
    /// Pictures, and no symbol on any of them.
    NothingFound,
    /// At least one symbol.
    Found,
    /// An annotated picture could not be written.
    Unwritten,
}

/// Tells the name of the envelope format that a symbol matches, and the ballot it names.
pub type EnvelopeOf<'a> = dyn Fn(&Symbol) -> Option<(String, String)> + Sync + 'a;

/// How to read.
#[derive(Clone, Copy)]
pub struct Request<'a> {
    /// What to look for.
    pub wanted: &'a [Symbology],
    /// The envelope format that a symbol matches and the ballot it names.
    pub envelope: &'a EnvelopeOf<'a>,
    /// What the answer looks like.
    pub output: Output,
    /// Where to draw what was found: a file for one picture, a folder for a folder or for several.
    pub annotate: Option<&'a Path>,
    /// How many pictures are read at the same time.
    pub jobs: NonZeroUsize,
    /// Times the looking.
    pub clock: &'a dyn Clock,
}

impl std::fmt::Debug for Request<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Request({:?}, {:?})", self.wanted, self.output)
    }
}

/// Why a path gave no picture, or no annotated one.
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
    #[error("{} is not annotated", .path.display())]
    Annotate {
        path: PathBuf,
        #[source]
        source: AnnotateError,
    },
}

/// Reads pictures, and of folders every picture inside in name order. What cannot be read or written is said on `err`, and the
/// rest goes on; of a folder, files that are no pictures are passed over. Fails only when nothing can be said.
pub fn read(
    paths: &[PathBuf],
    request: &Request<'_>,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> io::Result<Outcome> {
    let mut teller = Teller { out, err, outcome: Outcome::NoPicture };
    let mut inputs = Vec::new();
    for path in paths {
        match inputs_of(path) {
            Ok(more) => inputs.extend(more),
            Err(error) => say(teller.err, &error)?,
        }
    }
    let album = match request.annotate.map(|out| album(out, paths, &mut inputs)).transpose() {
        Ok(album) => album,
        Err(error) => {
            say(teller.err, &error)?;
            return Ok(Outcome::Unwritten);
        }
    };
    let reader = Reader { request, album: album.as_ref() };
    if request.jobs.get() == 1 {
        let mut memory = Memory::default();
        for input in &inputs {
            teller.tell(&reader.answer(input, &mut memory)?)?;
        }
    } else {
        in_parallel(&reader, &inputs, &mut teller)?;
    }
    Ok(teller.outcome)
}

/// A file to read.
struct Input {
    path: PathBuf,
    by: By,
    /// Where to draw what was found.
    drawn: Option<PathBuf>,
}

/// How a file came to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum By {
    Name,
    Folder,
}

/// What is said of one file.
#[derive(Default)]
struct Answer {
    lines: Vec<u8>,
    error: Option<ReadError>,
    outcome: Option<Outcome>,
}

/// The path itself, or the plain files of the folder that it is in name order.
fn inputs_of(path: &Path) -> Result<Vec<Input>, ReadError> {
    if !path.is_dir() {
        return Ok(vec![Input { path: path.to_owned(), by: By::Name, drawn: None }]);
    }
    let unopened = |source| ReadError::Open { path: path.to_owned(), source };
    let mut files = Vec::new();
    for entry in fs::read_dir(path).map_err(unopened)?.take(FOLDER_FILES_MAX) {
        let path = entry.map_err(unopened)?.path();
        if path.is_file() {
            files.push(path);
        }
    }
    files.sort();
    Ok(files.into_iter().map(|path| Input { path, by: By::Folder, drawn: None }).collect())
}

/// Gives each input the place of its annotated picture.
fn album(out: &Path, paths: &[PathBuf], inputs: &mut [Input]) -> Result<Album, ReadError> {
    let pictures = match paths {
        [path] if !path.is_dir() => Pictures::One,
        _ => Pictures::Many,
    };
    let mut album = Album::open(out, pictures)
        .map_err(|source| ReadError::Annotate { path: out.to_owned(), source })?;
    for input in inputs {
        input.drawn = Some(album.place(&input.path));
    }
    Ok(album)
}

/// Says what there is to say, and keeps the outcome.
struct Teller<'a> {
    out: &'a mut dyn Write,
    err: &'a mut dyn Write,
    outcome: Outcome,
}

impl Teller<'_> {
    fn tell(&mut self, answer: &Answer) -> io::Result<()> {
        self.out.write_all(&answer.lines)?;
        if let Some(error) = &answer.error {
            say(self.err, error)?;
        }
        self.outcome = self.outcome.max(answer.outcome.unwrap_or(Outcome::NoPicture));
        Ok(())
    }
}

fn say(err: &mut dyn Write, error: &ReadError) -> io::Result<()> {
    writeln!(err, "ballot-intake: {}", printable(&chain(error)))
}

/// What is kept from one picture to the next.
#[derive(Default)]
struct Memory {
    packed: Vec<u8>,
    unpacked: Vec<u8>,
    looker: Looker,
}

/// Reads one picture after the other.
#[derive(Clone, Copy)]
struct Reader<'a> {
    request: &'a Request<'a>,
    album: Option<&'a Album>,
}

impl Reader<'_> {
    /// Reads one picture. Fails only when a line cannot be made.
    fn answer(&self, input: &Input, memory: &mut Memory) -> io::Result<Answer> {
        let picture = match load(&input.path, memory) {
            Ok(picture) => picture,
            Err(ReadError::Picture { source: PictureError::Format, .. })
                if input.by == By::Folder =>
            {
                return Ok(Answer::default());
            }
            Err(error) => return Ok(Answer { error: Some(error), ..Answer::default() }),
        };
        let started = self.request.clock.elapsed();
        let found = memory.looker.look(&picture, self.request.wanted);
        let took = self.request.clock.elapsed().saturating_sub(started);
        let answer = match found {
            Ok(found) => {
                let lines = self.lines(input, &found, took)?;
                let seen = if found.is_empty() { Outcome::NothingFound } else { Outcome::Found };
                let error = self.draw(input, &picture, &found).err();
                let outcome = if error.is_some() { Outcome::Unwritten } else { seen };
                Answer { lines, error, outcome: Some(outcome) }
            }
            Err(source) => {
                let error = ReadError::Picture { path: input.path.clone(), source };
                Answer { error: Some(error), ..Answer::default() }
            }
        };
        memory.unpacked = picture.into_memory();
        Ok(answer)
    }

    fn lines(&self, input: &Input, found: &[Found], took: Duration) -> io::Result<Vec<u8>> {
        let Request { envelope, output, .. } = *self.request;
        let image = input.path.to_string_lossy();
        let mut lines = Vec::new();
        for found in found {
            Record::of(&image, took, found, envelope).write(output, &mut lines)?;
        }
        if found.is_empty() {
            Record::nothing(&image, took).write(output, &mut lines)?;
        }
        Ok(lines)
    }

    fn draw(&self, input: &Input, picture: &Picture, found: &[Found]) -> Result<(), ReadError> {
        let (Some(album), Some(to)) = (self.album, &input.drawn) else { return Ok(()) };
        album
            .draw(to, picture, found)
            .map_err(|source| ReadError::Annotate { path: input.path.clone(), source })
    }
}

fn load(path: &Path, memory: &mut Memory) -> Result<Picture, ReadError> {
    let unopened = |source| ReadError::Open { path: path.to_owned(), source };
    let file = File::open(path).map_err(unopened)?;
    let limit = u64::try_from(PICTURE_BYTES_MAX).unwrap_or(u64::MAX).saturating_add(1);
    memory.packed.clear();
    file.take(limit).read_to_end(&mut memory.packed).map_err(unopened)?;
    Picture::load_into(std::mem::take(&mut memory.unpacked), &memory.packed)
        .map_err(|source| ReadError::Picture { path: path.to_owned(), source })
}

/// A file, and where its answer goes.
type Job<'a> = (&'a Input, Sender<io::Result<Answer>>);

/// Reads so many pictures at a time as there are jobs, and says each in its turn.
fn in_parallel(reader: &Reader<'_>, inputs: &[Input], teller: &mut Teller<'_>) -> io::Result<()> {
    let jobs = reader.request.jobs.get();
    thread::scope(|scope| {
        let (jobs_tx, jobs_rx) = bounded::<Job<'_>>(jobs);
        for number in 1..=jobs {
            let (rx, reader) = (jobs_rx.clone(), *reader);
            Builder::new()
                .name(format!("scan-read-{number}"))
                .spawn_scoped(scope, move || work(&rx, reader))?;
        }
        drop(jobs_rx);
        let mut ahead: VecDeque<Receiver<io::Result<Answer>>> = VecDeque::new();
        for input in inputs {
            if ahead.len() >= AHEAD_MAX * jobs
                && let Some(answer) = ahead.pop_front()
            {
                teller.tell(&answer.recv().map_err(io::Error::other)??)?;
            }
            let (reply, answer) = bounded(1);
            jobs_tx.send((input, reply)).map_err(|_unsent| io::ErrorKind::BrokenPipe)?;
            ahead.push_back(answer);
        }
        for answer in ahead {
            teller.tell(&answer.recv().map_err(io::Error::other)??)?;
        }
        Ok(())
    })
}

fn work(jobs_rx: &Receiver<Job<'_>>, reader: Reader<'_>) {
    let mut memory = Memory::default();
    for (input, reply) in jobs_rx {
        // Who does not wait for the answer any more has no use for it.
        drop(reply.send(reader.answer(input, &mut memory)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::faces;
    use crate::clock::{ManualClock, Micros};
    use crate::decode::image::draw_symbol;
    use serde_json::{Value, json};

    struct Said {
        outcome: Outcome,
        out: String,
        err: String,
    }

    fn said(paths: &[PathBuf], output: Output) -> Said {
        said_by(paths, output, 1, None)
    }

    fn said_by(paths: &[PathBuf], output: Output, jobs: usize, annotate: Option<&Path>) -> Said {
        let envelope = |symbol: &Symbol| {
            let text = String::from_utf8(symbol.payload.0.clone()).ok()?;
            let ballot = text.strip_prefix("202611")?;
            Some(("county".to_owned(), ballot.to_owned()))
        };
        let clock = ManualClock::new(Micros(0));
        let request = Request {
            wanted: &Symbology::ALL,
            envelope: &envelope,
            output,
            annotate,
            jobs: NonZeroUsize::new(jobs).unwrap(),
            clock: &clock,
        };
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
        let own_top_left = [0, 1].map(|side| corners[0][side].as_f64().unwrap());
        assert!(own_top_left.iter().all(|at| (at - 30.0).abs() <= 1.0), "{own_top_left:?}");
        let expected = json!({
            "image": path, "symbology": "code128", "symbology_identifier": "]C0",
            "payload": "202611000000001", "payload_base64": null,
            "envelope": {"format": "county", "ballot": "000000001"},
            "corners": null, "repaired": false, "ms": 0.0, "orientation": 0,
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
            "ms": 0.0, "orientation": null,
        });
        assert_eq!(objects(&said.out), [expected]);
        assert_eq!(said.outcome, Outcome::NothingFound);
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
        assert_eq!(payloads, ["A-1", "B-2", "B-3"]);
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

    #[test]
    fn many_jobs_say_what_one_says() {
        let place = tempfile::tempdir().unwrap();
        for number in 0..25 {
            let path = place.path().join(format!("{number:02}.png"));
            let png = match number % 5 {
                4 => b"no picture".to_vec(),
                3 => blank(),
                _ => symbol(Symbology::Code128, &format!("2026110000000{number:02}")),
            };
            fs::write(path, png).unwrap();
        }
        let paths = [place.path().to_owned(), place.path().join("04.png")];
        let [one, three] = [1, 3].map(|jobs| said_by(&paths, Output::Json, jobs, None));
        assert_eq!(one.out.lines().count(), 20);
        assert_eq!(one.err.lines().count(), 1);
        assert_eq!((one.out, one.err, one.outcome), (three.out, three.err, three.outcome));
    }

    #[test]
    fn several_pictures_are_annotated_in_a_folder_and_no_picture_is_written_over() {
        let place = tempfile::tempdir().unwrap();
        let inside = |name: &str| place.path().join(name);
        fs::write(inside("a.png"), symbol(Symbology::Qr, "A-1")).unwrap();
        fs::write(inside("a.jpg"), faces::draw(&[(Symbology::Code39, "A-2")], 1).unwrap()).unwrap();
        fs::write(inside("b"), blank()).unwrap();
        let paths = [inside("a.jpg"), inside("a.png"), inside("b")];
        let out = inside("drawn");
        let drawn = said_by(&paths, Output::Json, 2, Some(&out));
        assert_eq!((drawn.outcome, drawn.err.as_str()), (Outcome::Found, ""));
        for name in ["a.png", "a-2.png", "b.png"] {
            assert!(Picture::load(&fs::read(out.join(name)).unwrap()).is_ok(), "{name}");
        }
        let before = fs::read(inside("a.png")).unwrap();
        let refused = said_by(&[place.path().to_owned()], Output::Json, 1, Some(place.path()));
        assert_eq!(refused.out.lines().count(), 3);
        assert!(refused.err.contains("a.jpg is not annotated: "), "{}", refused.err);
        assert_eq!(refused.outcome, Outcome::Unwritten);
        assert_eq!(fs::read(inside("a.png")).unwrap(), before);
    }

    #[test]
    fn one_picture_is_annotated_in_a_file() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("a.png");
        fs::write(&path, symbol(Symbology::DataMatrix, "1")).unwrap();
        let out = place.path().join("out.png");
        let drawn = said_by(std::slice::from_ref(&path), Output::Text, 1, Some(&out));
        assert_eq!((drawn.outcome, drawn.err.as_str()), (Outcome::Found, ""));
        let [before, after] =
            [path, out].map(|path| Picture::load(&fs::read(path).unwrap()).unwrap());
        assert_eq!((before.width(), before.height()), (after.width(), after.height()));
        assert_ne!(before, after);
    }
}
