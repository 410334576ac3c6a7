//! The running daemon, for commands: the one way in which the socket's and the page's are carried out.

use super::people::{self, Guests, Slow, note, note_act};
use super::roster::Roster;
use super::{Answer, Asked, Command, NotAsked, OfScanners, asked, failed, refused};
use crate::envelope::Formats;
use crate::ledger::{Ledger, NotKnown, PeopleRequest, Reply, Request, SignedInAt, Unsent, Who};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Semaphore, oneshot};

/// Passwords hashed at a time.
const HASHES_MAX: usize = 1;

/// Between two attempts to hand the ledger a command that found its queue full.
const SEND_AGAIN: Duration = Duration::from_millis(5);

/// How long a page waits for what the ledger's thread alone knows: what is shown beside it must not wait for a slow disk.
const LOOK_MAX: Duration = Duration::from_secs(2);

/// What a running daemon has, for commands.
#[derive(Debug, Clone)]
pub struct Within {
    /// The ledger.
    pub ledger: Ledger,
    /// The scanners.
    pub scanners: Roster,
    /// The envelope formats by which typed numbers are read.
    pub formats: Arc<Formats>,
    turns: Arc<Semaphore>,
}

impl Within {
    /// A daemon with this ledger and these scanners. Its clones share their turns.
    pub fn new(ledger: Ledger, scanners: Roster, formats: Arc<Formats>) -> Self {
        Self { ledger, scanners, formats, turns: Arc::new(Semaphore::new(HASHES_MAX)) }
    }

    /// Carries a command out, on a runtime with time. Whoever signs in by it is among the guests from then on.
    /// That it was refused is written down, and that it was done where it leaves no other event.
    pub async fn carry_out(&self, command: Command, guests: &mut Guests) -> Answer {
        let noted = command.noted().map(|what| (what, guests.party().by.who.clone()));
        let silent = command.leaves_no_event();
        let answer = self.carried_out(command, guests).await;
        match (noted, silent, &answer) {
            (Some((what, who)), _, Answer::Refused { why, .. }) => {
                self.refused(what, why, who).await;
            }
            (Some((_, who)), Some((what, of)), Answer::Sheet(_) | Answer::Acknowledged { .. }) => {
                self.acted(what, of, who).await;
            }
            _ => {}
        }
        answer
    }

    /// Writes down what somebody did that leaves no other event.
    pub async fn acted(&self, what: &str, of: Option<String>, who: Who) {
        // A ledger that is closed takes no events any more.
        let _sent = self.send(note_act(what, of, who)).await;
    }

    /// Who is signed in at which scanner; none where the ledger does not say so in time.
    pub async fn signed_in_at_scanners(&self) -> Option<Vec<SignedInAt>> {
        let (sender, answer) = oneshot::channel();
        let reply = Reply::new(move |said: Result<Vec<SignedInAt>, NotKnown>| {
            // Whoever asked may be gone.
            drop(sender.send(said));
        });
        let asked = async {
            self.send(Request::People(PeopleRequest::AtScanners(reply))).await?;
            answer.await.ok()?.ok()
        };
        tokio::time::timeout(LOOK_MAX, asked).await.ok().flatten()
    }

    /// Writes down that somebody was refused.
    pub async fn refused(&self, what: &str, why: &str, who: Who) {
        // A ledger that is closed takes no events any more.
        let _sent = self.send(note(what, why, who)).await;
    }

    async fn send(&self, mut request: Request) -> Option<()> {
        loop {
            match self.ledger.try_send(request) {
                Ok(()) => return Some(()),
                Err(Unsent::Full(again)) => request = *again,
                Err(Unsent::Closed) => return None,
            }
            tokio::time::sleep(SEND_AGAIN).await;
        }
    }

    async fn carried_out(&self, command: Command, guests: &mut Guests) -> Answer {
        let (reply, answer) = oneshot::channel();
        let request = match asked(command, guests, &self.formats, reply) {
            Asked::Ledger(request) => request,
            Asked::Slow(slow) => return self.slowly(slow, guests).await,
            Asked::Scanners(what) => return of_scanners(&self.scanners, what),
            Asked::Refused(answer) => return answer,
        };
        match self.send(request).await {
            Some(()) => answer.await.unwrap_or_else(|_closed| failed()),
            None => failed(),
        }
    }

    /// Carries out what takes a password's hash, beside the runtime and one at a time, for each takes 19 MiB.
    async fn slowly(&self, slow: Slow, guests: &mut Guests) -> Answer {
        let Ok(turn) = Arc::clone(&self.turns).acquire_owned().await else { return failed() };
        let (ledger, mut own) = (self.ledger.clone(), guests.clone());
        let done = tokio::task::spawn_blocking(move || {
            let answer = people::carry_out(&ledger, slow, &mut own);
            drop(turn);
            (answer, own)
        });
        match done.await {
            Ok((answer, own)) => {
                *guests = own;
                answer
            }
            Err(_panicked) => failed(),
        }
    }
}

fn of_scanners(roster: &Roster, what: OfScanners) -> Answer {
    match what {
        OfScanners::States => Answer::Scanners { scanners: roster.states() },
        OfScanners::Acknowledge(scanner) => match roster.acknowledge(scanner.as_deref()) {
            Some(n) => Answer::Acknowledged { n },
            None => refused(&NotAsked::NoScanner),
        },
    }
}
