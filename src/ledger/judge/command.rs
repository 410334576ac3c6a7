//! Codes of command sheets, and badges: judged like any scan, in the transaction in which they are carried out.
//!
//! What was carried out and perhaps never answered is not carried out again: the same code, scanned anew after a crash, is told what
//! it was to be told, as long as what it did still stands.

use super::{REPEATS, Ruling};
use crate::clock::Micros;
use crate::ledger::at_scanners::{self, SignedInAt};
use crate::ledger::batches::{Closing, NO_BATCH, NewBatch};
use crate::ledger::book::{Book, WriteError};
use crate::ledger::fact::{Fact, Person, Role, ScanFact};
use crate::ledger::operators::Secret;
use crate::ledger::rows;
use crate::ledger::tally::Scope;
use crate::ledger::unanswered::{Committed, Purpose};
use crate::scan::{Face, Fill, Judged, Payload, Scan, Then, Verdict};
use crate::sheet::{self, Code, Opening, Order};
use std::time::Duration;

/// What a code came to.
struct Ruled {
    ruling: Ruling,
    /// What it asked for, where that is known to be this station's word.
    command: Option<String>,
    then: Then,
    /// Who asked.
    person: Person,
}

/// What an order did, for people, and what is to be done once it is durable; or why it was not possible.
type Done = Result<(String, Then), String>;

impl Book {
    /// Judges a face that is nothing but a code, or several, and does what it says.
    pub(super) fn command(&mut self, scan: &Scan, now: Duration) -> Result<Judged, WriteError> {
        if let Some(committed) = self.unanswered.take(scan, Purpose::Command, &self.key)
            && self.command_stands(scan, &committed)?
        {
            self.tally.add(Scope::Working, REPEATS, 1);
            return self.judged_before(scan, &committed);
        }
        let person = self.person_at(&scan.scanner_name, now)?;
        let ruled = match &scan.face {
            Face::Command(payload) if sheet::has_form_of_badge(&payload.0) => {
                self.badge(scan, payload, person, now)?
            }
            Face::Command(payload) => self.ordered(scan, payload, person, now)?,
            _ => Ruled::refused(
                person,
                Verdict::Ambiguous,
                "several codes at once: cover all but one",
            ),
        };
        let Ruled { ruling, command, then, person } = ruled;
        let fact = ScanFact { command, ..self.command_fact(scan, &ruling, &person) };
        self.append(scan.at, Fact::Scan(fact), None)?;
        Ok(Judged {
            id: scan.id,
            verdict: ruling.verdict,
            ballot: None,
            status: None,
            reason: ruling.reason,
            earlier: None,
            batch: NO_BATCH,
            position: 0,
            fill: Fill::Room,
            then,
        })
    }

    /// Who scans there: whoever signed in, unless they were disabled since, or else the station.
    pub(super) fn person_at(&mut self, scanner: &str, now: Duration) -> rusqlite::Result<Person> {
        let person = at_scanners::person(self.at_scanners.seen(scanner, now));
        if person.role.is_some() && self.is_disabled(&person.who.by)? {
            self.at_scanners.sign_out(scanner);
            return Ok(at_scanners::person(None));
        }
        Ok(person)
    }

    /// Everybody who is signed in at a scanner and still an operator.
    pub(in crate::ledger) fn signed_in_at(
        &self,
        now: Duration,
    ) -> Result<Vec<SignedInAt>, WriteError> {
        let mut all = self.at_scanners.all(now);
        for at in std::mem::take(&mut all) {
            if !self.is_disabled(&at.operator)? {
                all.push(at);
            }
        }
        Ok(all)
    }

    fn command_fact(&self, scan: &Scan, ruling: &Ruling, person: &Person) -> ScanFact {
        let symbol = scan.symbols.first();
        let who = person.role.map(|_| person.who.clone());
        ScanFact {
            verdict: ruling.verdict,
            scanner: scan.scanner_name.to_string(),
            method: scan.method,
            batch: NO_BATCH,
            symbology: symbol.map_or("none", |symbol| symbol.symbology.name()).to_owned(),
            length: symbol.map_or(0, |symbol| symbol.length),
            format: None,
            election: None,
            ballot: None,
            code: None,
            mac: symbol.map(|symbol| self.key.mac(&symbol.payload.0)),
            from: None,
            from_reason: None,
            to: None,
            reason: ruling.reason.clone(),
            repaired: false,
            command: None,
            by: who.as_ref().map(|who| who.by.clone()),
            os_user: who.and_then(|who| who.os_user),
        }
    }

    /// Whether what that code did is still the last word on it.
    fn command_stands(&self, scan: &Scan, committed: &Committed) -> Result<bool, WriteError> {
        let Fact::Scan(known) = &committed.event.fact else { return Ok(false) };
        let Face::Command(payload) = &scan.face else { return Ok(false) };
        let Ok(code) = Code::read(&payload.0) else { return Ok(false) };
        // What an order changes stands in the events right before its scan.
        let before = committed.seq - 1;
        if known.verdict != Verdict::Command || before < 1 {
            return Ok(false);
        }
        Ok(match (code.order, rows::event(&self.conn, before)?.fact) {
            (Order::Open(_), Fact::BatchOpened(_)) => self.batch_by_hand()? == Some(before),
            (Order::Close, Fact::Checkpointed(_)) => self.batch_by_hand()?.is_none(),
            (Order::Undo, Fact::Set(set)) => {
                let row = rows::by_id(&self.conn, set.election.as_str(), set.ballot.as_str())?;
                row.is_some_and(|row| row.status_seq == before)
            }
            _ => false,
        })
    }

    /// A badge signs in where it is scanned, and out when it is scanned there again.
    fn badge(
        &mut self,
        scan: &Scan,
        payload: &Payload,
        person: Person,
        now: Duration,
    ) -> Result<Ruled, WriteError> {
        let scanner = &*scan.scanner_name;
        self.at_scanners.forget_count(scanner);
        let refused = |why: &str| Ok(Ruled::refused(person.clone(), Verdict::Refused, why));
        let badge = str::from_utf8(&payload.0).ok().map(|text| Secret::new(text.to_owned()));
        let Some(badge) = badge.filter(Secret::is_badge) else {
            return refused("a damaged badge: scan it again");
        };
        let Some((name, role)) = self.holder(&badge)? else {
            return refused("no operator has this badge");
        };
        if role == Role::Auditor {
            return refused(
                "an auditor reads everything and changes nothing, and so does not scan",
            );
        }
        if person.role.is_some() && person.who.by == name {
            self.at_scanners.sign_out(scanner);
            return Ok(Ruled::done(person, "sign out", format!("{name} signed out")));
        }
        let says = format!("{name} signed in");
        let operator = (name, role);
        let person = at_scanners::person(Some(&operator));
        self.at_scanners.sign_in(scanner, operator, now);
        Ok(Ruled::done(person, "sign in", says))
    }

    /// A code of a sheet: whether it is this station's, and of the sheets that are good, and what it comes to.
    fn ordered(
        &mut self,
        scan: &Scan,
        payload: &Payload,
        person: Person,
        now: Duration,
    ) -> Result<Ruled, WriteError> {
        let refused = |why: &str| Ok(Ruled::refused(person.clone(), Verdict::Refused, why));
        let code = match Code::read(&payload.0) {
            Ok(code) => code,
            Err(why) => return refused(&why.to_string()),
        };
        if code.tag != self.key.sheet_tag() {
            return refused("a command sheet of another station");
        }
        if !self.key.sealed(&code) {
            return refused("no code that this station printed: it is damaged or made up");
        }
        if code.generation != self.sheet_generation()? {
            return refused("a command sheet that is not good any more: print a new one");
        }
        let (command, then, ruling) = match self.carry_out(code.order, scan, &person, now)? {
            Ok((says, then)) => (code.order, then, Ruling::because(Verdict::Command, says)),
            Err(why) => (code.order, Then::Nothing, Ruling::because(Verdict::Refused, why)),
        };
        Ok(Ruled { ruling, command: Some(command.to_string()), then, person })
    }

    fn carry_out(
        &mut self,
        order: Order,
        scan: &Scan,
        person: &Person,
        now: Duration,
    ) -> Result<Done, WriteError> {
        let (at, scanner) = (scan.at, &*scan.scanner_name);
        if !matches!(order, Order::Digit(..) | Order::Close) {
            self.at_scanners.forget_count(scanner);
        }
        Ok(match order {
            Order::Open(opening) => self.open_by_code(at, opening, person)?,
            Order::Digit(place, digit) => match self.open_number()? {
                None => Err(NONE_OPEN.to_owned()),
                Some(batch) => {
                    self.at_scanners.digit(scanner, batch, (place, digit), now);
                    Ok((order.to_string(), Then::Nothing))
                }
            },
            Order::Close => self.close_by_code(at, scanner, person, now)?,
            Order::Undo => match self.undo(at, person.who.clone(), None)? {
                Ok(moved) => Ok((
                    format!("ballot {} is {} again", moved.ballot, moved.status),
                    Then::Nothing,
                )),
                Err(why) => Err(why.to_string()),
            },
            Order::RepeatTone => Ok((order.to_string(), Then::RepeatTone)),
            Order::CallSupervisor => {
                Ok(("a supervisor is called".to_owned(), Then::CallSupervisor))
            }
            Order::Acknowledge => Ok(("scan on".to_owned(), Then::Unlock)),
            Order::SignOut => match self.at_scanners.sign_out(scanner) {
                Some(name) => Ok((format!("{name} signed out"), Then::Nothing)),
                None => Err("nobody has signed in at this scanner".to_owned()),
            },
        })
    }

    fn open_by_code(
        &mut self,
        at: Micros,
        opening: Opening,
        person: &Person,
    ) -> Result<Done, WriteError> {
        let wanted = NewBatch {
            mode: Some(opening.mode),
            received_by: opening.received_by,
            attention: opening.attention.map(|reason| reason.name().to_owned()),
            cap: Some(self.settings.batch_cap),
            ..NewBatch::default()
        };
        Ok(match self.open_batch(at, wanted, person)? {
            Ok(open) => {
                Ok((format!("batch {} is open: {}", open.batch, open.mode.name()), Then::Nothing))
            }
            Err(why) => Err(why.to_string()),
        })
    }

    fn close_by_code(
        &mut self,
        at: Micros,
        scanner: &str,
        person: &Person,
        now: Duration,
    ) -> Result<Done, WriteError> {
        let Some(batch) = self.open_number()? else { return Ok(Err(NONE_OPEN.to_owned())) };
        let Some(counted) = self.at_scanners.take_count(scanner, batch, now) else {
            return Ok(Err(
                "scan the hundreds, the tens and the ones of the hand count first".to_owned()
            ));
        };
        let closing = Closing { batch, counted, explanation: None };
        Ok(match self.close_batch(at, &closing, person)? {
            Ok(closed) => Ok((
                format!("batch {} is closed: {counted} envelopes", closed.batch),
                Then::Nothing,
            )),
            Err(why) => Err(why.to_string()),
        })
    }

    /// The number of the batch that somebody opened and nobody closed.
    fn open_number(&self) -> rusqlite::Result<Option<u32>> {
        let Some(seq) = self.batch_by_hand()? else { return Ok(None) };
        match rows::event(&self.conn, seq)?.fact {
            Fact::BatchOpened(opened) => Ok(Some(opened.batch)),
            _ => Ok(None),
        }
    }
}

const NONE_OPEN: &str = "no batch is open: open one first";

impl Ruled {
    fn refused(person: Person, verdict: Verdict, why: &str) -> Self {
        let ruling = Ruling::because(verdict, why);
        Self { ruling, command: None, then: Then::Nothing, person }
    }

    fn done(person: Person, command: &str, says: String) -> Self {
        let ruling = Ruling::because(Verdict::Command, says);
        Self { ruling, command: Some(command.to_owned()), then: Then::Nothing, person }
    }
}
