//! Pictures to symbols, on threads of their own: what a picture does to the library that reads it stays there.
//!
//! At most [`JOBS_WAITING_MAX`] pictures wait; whoever brings another is held back until a worker is free. Each worker unpacks and
//! looks on its own, in memory that it keeps, so that two of them get through twice the pictures of one. A picture that panics
//! the library is answered with [`PictureError::Panicked`] and its worker takes the next. The panic hook of the process prints
//! the panic first, and what rxing panics with may quote a payload: the process's hook should print the place alone.

pub mod image;
pub mod unchanged;

mod bars;
mod edges;
mod gray;
mod imb_reader;
mod locate;
mod looker;
mod matrices;
mod patterns;
mod profile;
mod quad;
mod soft;
mod soften;
mod tiles;

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, bounded};

use self::image::{Found, Picture, PictureError};
pub use self::looker::Looker;
use crate::clock::Clock;
use crate::scan::Symbology;

/// How many pictures may wait for a worker: 64 MiB packed or 48 MiB of pixels each, so at most 256 MiB.
pub const JOBS_WAITING_MAX: usize = 4;

/// Why pictures cannot be decoded.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    /// The system gave no thread.
    #[error("thread {name} cannot be started")]
    Thread {
        /// What it would have been called.
        name: String,
        /// What the system says.
        #[source]
        source: std::io::Error,
    },
    /// No worker is left.
    #[error("no thread decodes pictures any more")]
    Stopped,
}

/// A picture to look at.
#[derive(Debug)]
pub struct Job {
    /// The picture.
    pub given: Given,
    /// Where the answer goes. It needs room for it: a full channel stops the worker.
    pub reply: Sender<Decoded>,
    /// The asker's own number for it, handed back with the answer.
    pub number: u64,
}

/// How a picture is handed over.
#[derive(Debug)]
pub enum Given {
    /// As a file, to be unpacked.
    Packed(Vec<u8>),
    /// As its pixels.
    Gray(Picture),
}

/// What was found on a picture.
#[derive(Debug)]
pub struct Decoded {
    /// The job's number.
    pub number: u64,
    /// The symbols, none too, or why the picture could not be looked at.
    pub outcome: Result<Vec<Found>, PictureError>,
    /// How long it took to look at the unpacked picture.
    pub took: Duration,
}

/// Looks at a single picture as [`Looker::look`] does. Whoever has more of them keeps a [`Looker`].
pub fn find(picture: &Picture, wanted: &[Symbology]) -> Result<Vec<Found>, PictureError> {
    Looker::default().look(picture, wanted)
}

/// The threads that decode pictures, `scan-decode-1` and so on.
#[derive(Debug)]
pub struct Decoders {
    jobs_tx: Option<Sender<Job>>,
    workers: Vec<JoinHandle<()>>,
}

impl Decoders {
    /// Starts so many workers, which look for these symbologies.
    pub fn start(
        workers: NonZeroUsize,
        wanted: Vec<Symbology>,
        clock: &Arc<dyn Clock>,
    ) -> Result<Self, DecodeError> {
        let (jobs_tx, jobs_rx) = bounded(JOBS_WAITING_MAX);
        let wanted: Arc<[Symbology]> = wanted.into();
        let mut decoders = Self { jobs_tx: Some(jobs_tx), workers: Vec::new() };
        for number in 1..=workers.get() {
            let name = format!("scan-decode-{number}");
            let (rx, wanted, clock) = (jobs_rx.clone(), Arc::clone(&wanted), Arc::clone(clock));
            let worker = Builder::new()
                .name(name.clone())
                .spawn(move || work(&rx, &wanted, &*clock))
                .map_err(|source| DecodeError::Thread { name, source })?;
            decoders.workers.push(worker);
        }
        Ok(decoders)
    }

    /// How many pictures are decoded at the same time.
    pub fn workers(&self) -> usize {
        self.workers.len()
    }

    /// Hands a picture to the next free worker; waits while [`JOBS_WAITING_MAX`] others do.
    pub fn submit(&self, job: Job) -> Result<(), DecodeError> {
        let jobs_tx = self.jobs_tx.as_ref().ok_or(DecodeError::Stopped)?;
        jobs_tx.send(job).map_err(|_unsent| DecodeError::Stopped)
    }
}

impl Drop for Decoders {
    /// Ends the workers once the pictures that were handed over are done.
    fn drop(&mut self) {
        self.jobs_tx = None;
        for worker in self.workers.drain(..) {
            // A worker panics only outside the library; the panic hook has said so.
            drop(worker.join());
        }
    }
}

fn work(jobs_rx: &Receiver<Job>, wanted: &[Symbology], clock: &dyn Clock) {
    let mut memory = Vec::new();
    let mut looker = Looker::default();
    for Job { given, reply, number } in jobs_rx {
        let mut took = Duration::ZERO;
        let picture = match given {
            Given::Packed(bytes) => Picture::load_into(std::mem::take(&mut memory), &bytes),
            Given::Gray(picture) => Ok(picture),
        };
        let outcome = picture.and_then(|picture| {
            let started = clock.elapsed();
            let found = looker.look(&picture, wanted);
            took = clock.elapsed().saturating_sub(started);
            memory = picture.into_memory();
            found
        });
        // Who does not wait for the answer any more has no use for it.
        drop(reply.send(Decoded { number, outcome, took }));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::{ManualClock, Micros};
    use crate::decode::image::draw_symbol;

    fn decoders(workers: usize) -> Decoders {
        let clock: Arc<dyn Clock> = Arc::new(ManualClock::new(Micros(0)));
        let workers = NonZeroUsize::new(workers).unwrap();
        Decoders::start(workers, Symbology::ALL.to_vec(), &clock).unwrap()
    }

    fn picture(payload: &str) -> Given {
        Given::Packed(draw_symbol(Symbology::Code128, payload, 2).unwrap().to_png().unwrap())
    }

    fn first_payload(decoded: &Decoded) -> Option<&[u8]> {
        let found = decoded.outcome.as_ref().ok()?;
        found.first().map(|found| found.symbol.payload.0.as_slice())
    }

    #[test]
    fn every_picture_is_answered_under_its_number() {
        let decoders = decoders(2);
        let (reply, replies) = bounded(20);
        for number in 0..20 {
            let given = picture(&format!("{number:08}"));
            decoders.submit(Job { given, reply: reply.clone(), number }).unwrap();
        }
        for _answer in 0..20 {
            let decoded = replies.recv_timeout(Duration::from_mins(1)).unwrap();
            let expected = format!("{:08}", decoded.number).into_bytes();
            assert_eq!(first_payload(&decoded), Some(expected.as_slice()));
        }
    }

    #[test]
    fn a_picture_that_is_none_is_answered_and_the_worker_lives_on() {
        let decoders = decoders(1);
        let (reply, replies) = bounded(2);
        decoders
            .submit(Job { given: Given::Packed(b"none".to_vec()), reply: reply.clone(), number: 1 })
            .unwrap();
        decoders.submit(Job { given: picture("12345678"), reply, number: 2 }).unwrap();
        let [first, second] =
            [(); 2].map(|()| replies.recv_timeout(Duration::from_mins(1)).unwrap());
        assert!(matches!(first.outcome, Err(PictureError::Format)), "{first:?}");
        assert_eq!(first_payload(&second), Some(b"12345678".as_slice()));
    }

    #[test]
    fn pixels_are_looked_at_as_they_are() {
        let decoders = decoders(1);
        let (reply, replies) = bounded(1);
        let given = Given::Gray(draw_symbol(Symbology::Code128, "12345678", 2).unwrap());
        decoders.submit(Job { given, reply, number: 1 }).unwrap();
        let decoded = replies.recv_timeout(Duration::from_mins(1)).unwrap();
        assert_eq!(first_payload(&decoded), Some(b"12345678".as_slice()));
    }

    #[test]
    fn dropping_them_finishes_what_was_handed_over() {
        let decoders = decoders(1);
        let (reply, replies) = bounded(3);
        for number in 0..3 {
            decoders.submit(Job { given: picture("1234"), reply: reply.clone(), number }).unwrap();
        }
        drop(decoders);
        assert_eq!(replies.try_iter().map(|decoded| decoded.number).collect::<Vec<_>>(), [0, 1, 2]);
    }

    #[test]
    fn an_asker_that_went_away_stops_nobody() {
        let decoders = decoders(1);
        let (gone, _) = bounded(1);
        decoders.submit(Job { given: picture("1234"), reply: gone, number: 1 }).unwrap();
        let (reply, replies) = bounded(1);
        decoders.submit(Job { given: picture("1234"), reply, number: 2 }).unwrap();
        assert_eq!(replies.recv_timeout(Duration::from_mins(1)).unwrap().number, 2);
    }
}
