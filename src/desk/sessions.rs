//! Who is signed in: random tokens in memory, bounded in number and time, gone with the daemon.

use crate::clock::Clock;
use crate::control::{Answer, Guests};
use crate::ledger::Role;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

/// Sessions at a time; the one that was not used for the longest ends for a new one.
const SESSIONS_MAX: usize = 256;

/// A session ends so long after it began: a shift.
pub(super) const SESSION_MAX: Duration = Duration::from_hours(12);

/// One of somebody who may do more than a clerk, or who reads everything, ends when it was not used for so long.
const IDLE_MAX: Duration = Duration::from_mins(30);

/// Event streams of one session at a time: one for each monitor with the clerk's page.
const STREAMS_MAX: usize = 16;

/// Random bytes of a token.
const TOKEN_BYTES: usize = 32;

/// What a session is found by: no token is kept.
pub(super) type SessionKey = [u8; 32];

/// Whether a request is a person's doing, and keeps the session alive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sign {
    OfLife,
    OfNothing,
}

/// A session that lasts.
#[derive(Debug, Clone)]
pub(super) struct Found {
    pub(super) key: SessionKey,
    pub(super) guests: Guests,
    pub(super) csrf: String,
}

#[derive(Debug, Clone)]
struct Session {
    guests: Guests,
    /// Who looked a number up in it, and may confirm that.
    looking: Option<Guests>,
    /// What came of the last act in it, and the address of the page that tells it.
    told: Option<(String, Answer)>,
    csrf: String,
    streams: Arc<Semaphore>,
    began: Duration,
    used: Duration,
}

/// All sessions; clones are the same.
#[derive(Debug, Clone)]
pub(super) struct Sessions {
    table: Arc<watch::Sender<HashMap<SessionKey, Session>>>,
    clock: Arc<dyn Clock>,
    /// Of forms that whoever is not signed in sends.
    csrf: Arc<str>,
}

impl Sessions {
    pub(super) fn new(clock: Arc<dyn Clock>) -> Result<Self, getrandom::Error> {
        let table = Arc::new(watch::Sender::new(HashMap::new()));
        Ok(Self { table, clock, csrf: random()?.into() })
    }

    /// What the forms of whoever is not signed in carry: no other site can read it.
    pub(super) fn csrf(&self) -> &str {
        &self.csrf
    }

    /// Begins one; its token, which nobody sees again. Of whoever is not signed in, the forms stay what they were.
    pub(super) fn begin(&self, guests: Guests) -> Result<String, getrandom::Error> {
        let is_signed_in = guests.operator().is_some();
        let csrf = if is_signed_in { random()? } else { self.csrf.to_string() };
        let (token, now) = (random()?, self.clock.elapsed());
        let streams = Arc::new(Semaphore::new(STREAMS_MAX));
        let session =
            Session { guests, looking: None, told: None, csrf, streams, began: now, used: now };
        self.table.send_modify(|table| {
            table.retain(|_, session| session.lasts(now));
            if table.len() >= SESSIONS_MAX {
                let stale = table.iter().min_by_key(|(_, session)| session.used);
                if let Some(key) = stale.map(|(key, _)| *key) {
                    table.remove(&key);
                }
            }
            table.insert(key_of(&token), session);
        });
        Ok(token)
    }

    /// The session of a token, if it lasts.
    pub(super) fn find(&self, token: &str, sign: Sign) -> Option<Found> {
        let (key, now) = (key_of(token), self.clock.elapsed());
        let mut found = None;
        self.table.send_if_modified(|table| {
            let Some(session) = table.get_mut(&key) else { return false };
            if !session.lasts(now) {
                table.remove(&key);
                return true;
            }
            if sign == Sign::OfLife {
                session.used = now;
            }
            let Session { guests, csrf, .. } = session.clone();
            found = Some(Found { key, guests, csrf });
            false
        });
        found
    }

    /// Whether a session lasts still.
    pub(super) fn lasts(&self, key: &SessionKey) -> bool {
        let now = self.clock.elapsed();
        self.table.borrow().get(key).is_some_and(|session| session.lasts(now))
    }

    /// A place for one more event stream in it, if there is one.
    pub(super) fn stream(&self, key: &SessionKey) -> Option<OwnedSemaphorePermit> {
        let streams = Arc::clone(&self.table.borrow().get(key)?.streams);
        streams.try_acquire_owned().ok()
    }

    /// Keeps who looked a number up in it.
    pub(super) fn put_by(&self, key: &SessionKey, looking: Guests) {
        self.table.send_if_modified(|table| {
            if let Some(session) = table.get_mut(key) {
                session.looking = Some(looking);
            }
            false
        });
    }

    /// Who looked a number up in it last: nobody, the next time.
    pub(super) fn take_up(&self, key: &SessionKey) -> Option<Guests> {
        let mut looking = None;
        self.table.send_if_modified(|table| {
            looking = table.get_mut(key).and_then(|session| session.looking.take());
            false
        });
        looking
    }

    /// Keeps what came of an act in it until the next one, for the page at that address.
    pub(super) fn tell(&self, key: &SessionKey, address: String, answer: Answer) {
        self.table.send_if_modified(|table| {
            if let Some(session) = table.get_mut(key) {
                session.told = Some((address, answer));
            }
            false
        });
    }

    /// What came of the last act in it, if that is told by the page at that address.
    pub(super) fn told(&self, key: &SessionKey, address: &str) -> Option<Answer> {
        let of_it = |told: &&(String, Answer)| told.0 == address;
        self.table.borrow().get(key)?.told.as_ref().filter(of_it).map(|told| told.1.clone())
    }

    /// Ends one.
    pub(super) fn end(&self, key: &SessionKey) {
        self.table.send_if_modified(|table| table.remove(key).is_some());
    }

    /// Ends those whose operator may not sign in any more with that role.
    pub(super) fn keep(&self, may: impl Fn(&str, Role) -> bool) {
        self.table.send_if_modified(|table| {
            let before = table.len();
            table.retain(|_, session| {
                session.guests.operator().is_none_or(|(name, role)| may(name, role))
            });
            table.len() != before
        });
    }

    /// Told when a session ends or begins.
    pub(super) fn changes(&self) -> Changes {
        Changes(self.table.subscribe())
    }
}

/// When sessions end and begin.
pub(super) struct Changes(watch::Receiver<HashMap<SessionKey, Session>>);

impl Changes {
    /// The next time. Cancel safe.
    pub(super) async fn next(&mut self) {
        if self.0.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

impl Session {
    fn lasts(&self, now: Duration) -> bool {
        let idle_max = match self.guests.operator() {
            Some((_, Role::Clerk)) => SESSION_MAX,
            _ => IDLE_MAX,
        };
        now.saturating_sub(self.began) < SESSION_MAX && now.saturating_sub(self.used) < idle_max
    }
}

/// What the session of a token is found by.
pub(super) fn key_of(token: &str) -> SessionKey {
    Sha256::digest(token).into()
}

fn random() -> Result<String, getrandom::Error> {
    let mut bytes = [0; TOKEN_BYTES];
    getrandom::fill(&mut bytes)?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::{ManualClock, Micros};
    use crate::control::Hand;
    use crate::ledger::Person;

    fn guests(name: &str, role: Role) -> Guests {
        let mut guests = Guests::os_user("page".to_owned());
        let mut person = Person::os_user(name.to_owned());
        person.role = Some(role);
        guests.admit(person, Hand::First);
        guests
    }

    fn sessions() -> (Sessions, Arc<ManualClock>) {
        let clock = Arc::new(ManualClock::new(Micros(0)));
        (Sessions::new(Arc::clone(&clock) as _).unwrap(), clock)
    }

    #[test]
    fn a_session_ends_with_the_shift_and_a_supervisors_when_it_is_not_used() {
        let (sessions, clock) = sessions();
        let clerk = sessions.begin(guests("kim", Role::Clerk)).unwrap();
        let supervisor = sessions.begin(guests("sue", Role::Supervisor)).unwrap();
        let look = |minutes: u64, sign| {
            clock.advance(Duration::from_mins(minutes));
            [&clerk, &supervisor].map(|token| sessions.find(token, sign).is_some())
        };
        assert_eq!(look(29, Sign::OfLife), [true, true]);
        assert_eq!(look(29, Sign::OfNothing), [true, true]);
        assert_eq!(look(1, Sign::OfNothing), [true, false]);
        assert_eq!(look(660, Sign::OfLife), [true, false]);
        assert_eq!(look(1, Sign::OfLife), [false, false]);
    }

    #[test]
    fn only_its_token_finds_a_session_and_the_stalest_makes_way() {
        let (sessions, clock) = sessions();
        let first = sessions.begin(guests("kim", Role::Clerk)).unwrap();
        clock.advance(Duration::from_secs(1));
        for _ in 1..SESSIONS_MAX {
            sessions.begin(guests("kim", Role::Clerk)).unwrap();
        }
        assert!(sessions.find(&first, Sign::OfNothing).is_some());
        assert!(sessions.find("", Sign::OfLife).is_none());
        assert!(sessions.find(sessions.csrf(), Sign::OfLife).is_none());
        let last = sessions.begin(guests("sue", Role::Supervisor)).unwrap();
        assert!(sessions.find(&first, Sign::OfNothing).is_none());
        let nobody = sessions.begin(Guests::os_user("page".to_owned())).unwrap();
        sessions.keep(|name, _| name == "kim");
        assert!(sessions.find(&last, Sign::OfNothing).is_none());
        assert_eq!(sessions.find(&nobody, Sign::OfNothing).unwrap().csrf, sessions.csrf());
    }

    #[test]
    fn whoever_looked_something_up_is_found_once_and_in_that_session_only() {
        let (sessions, _clock) = sessions();
        let [ours, theirs] =
            ["kim", "lee"].map(|name| key_of(&sessions.begin(guests(name, Role::Clerk)).unwrap()));
        sessions.put_by(&ours, guests("kim", Role::Clerk));
        assert!(sessions.take_up(&theirs).is_none());
        let found = sessions.take_up(&ours).unwrap();
        assert_eq!(found.operator(), Some(("kim", Role::Clerk)));
        assert!(sessions.take_up(&ours).is_none());
    }
}
