//! `ballot-intake receive`: an envelope whose symbol is torn, by the number that is printed on it.

use super::ask::{control_failure, find_desk, must_exist, unexpected};
use super::people::{self, Signers};
use super::place::Place;
use super::{Common, Exit, Failure, print_json};
use crate::control::manual::{ManualCommand, Marked};
use crate::control::{Answer, Command, Desk};
use crate::envelope::Formats;
use crate::ledger::LookedUp;
use crate::scan::Tone;
use anyhow::anyhow;
use std::io::{self, BufRead as _, IsTerminal as _, Read as _, Write as _};

/// The longest line that is read as an answer, in bytes.
const LINE_BYTES_MAX: u64 = 256;

/// What confirms.
const YES: &str = "yes";

/// A number, and the same once more where it has no check digit.
pub(super) struct Number {
    pub(super) number: String,
    pub(super) again: Option<String>,
}

/// `ballot-intake receive`: says which ballot it is, and records it once somebody has said yes to that.
pub(super) fn receive(place: &Place, common: &Common, wanted: Number) -> Result<Exit, Failure> {
    let Number { number, again } = wanted;
    let signings = Signers::of(common).read()?;
    let look_up = || {
        let (number, again) = (number.clone(), again.clone());
        Command::Manual(ManualCommand::LookUp { number, again })
    };
    // People look slowly: neither the ledger's lock nor the daemon waits for them.
    let shown = in_session(place, common, &signings, |desk| looked_up(ask(desk, look_up())?))?;
    if !is_confirmed(common, &shown)? {
        return Err(Failure::new(Exit::No, anyhow!("nothing was marked")));
    }
    let confirm = Command::Manual(ManualCommand::Confirm { number: number.clone() });
    let marked = in_session(place, common, &signings, |desk| {
        let now = looked_up(ask(desk, look_up())?)?;
        if now != shown {
            let why = anyhow!("the ballot was moved meanwhile: {}", now.status);
            return Err(Failure::new(Exit::No, why));
        }
        match ask(desk, confirm)? {
            Answer::Marked(marked) => Ok(marked),
            other => Err(refusal(&other)),
        }
    })?;
    say(common, &marked)
}

fn in_session<T>(
    place: &Place,
    common: &Common,
    signings: &[Command],
    session: impl FnOnce(&mut Desk) -> Result<T, Failure>,
) -> Result<T, Failure> {
    let mut config = place.config(common)?;
    must_exist(&config.ledger.path)?;
    let election = config.election.as_ref().map(|election| election.id.clone());
    let formats = Formats::new(election.as_ref(), std::mem::take(&mut config.envelopes));
    let mut desk = find_desk(place, &config)?.with_formats(formats);
    let done = people::sign_in(&mut desk, signings.to_vec()).and_then(|()| session(&mut desk));
    desk.close();
    done
}

fn ask(desk: &mut Desk, command: Command) -> Result<Answer, Failure> {
    desk.ask(command).map_err(control_failure)
}

fn looked_up(answer: Answer) -> Result<LookedUp, Failure> {
    match answer {
        Answer::LookedUp(found) => Ok(found),
        other => Err(refusal(&other)),
    }
}

fn refusal(answer: &Answer) -> Failure {
    match answer {
        Answer::Refused { why, .. } => Failure::new(Exit::No, anyhow!("{why}")),
        Answer::Failed { why } => Failure::new(Exit::Ledger, anyhow!("{why}")),
        other => unexpected(other),
    }
}

/// Shows the ballot, and reads a line: at a terminal it is asked for.
fn is_confirmed(common: &Common, found: &LookedUp) -> Result<bool, Failure> {
    if common.json {
        print_json(found)?;
    } else {
        let LookedUp { election, ballot, status, reason } = found;
        let why = reason.as_ref().map_or_else(String::new, |reason| format!(" ({reason})"));
        let mut out = io::stdout().lock();
        writeln!(out, "ballot {ballot} in election {election}: {status}{why}")?;
    }
    if io::stdin().is_terminal() {
        let mut err = io::stderr().lock();
        write!(err, "Is this the envelope in your hand? Type {YES} to record it: ")?;
        err.flush()?;
    }
    let mut line = String::new();
    io::stdin().lock().take(LINE_BYTES_MAX).read_line(&mut line)?;
    Ok(line.trim() == YES)
}

fn say(common: &Common, marked: &Marked) -> Result<Exit, Failure> {
    if common.json {
        print_json(marked)?;
    } else {
        let Marked { verdict, reason, batch, position, .. } = marked;
        let why = reason.as_ref().map_or_else(String::new, |reason| format!(": {reason}"));
        writeln!(io::stdout().lock(), "{verdict}{why} (number {position} of batch {batch})")?;
    }
    Ok(if marked.verdict.tone() == Tone::Good { Exit::Done } else { Exit::No })
}
