//! Commands about people: who signs in, operators, and what takes two of them.

use super::ask::{control_failure, have_done, have_done_by, open_reader, unexpected};
use super::place::Place;
use super::{Common, Exit, Failure, print_json};
use crate::config::Config;
use crate::control::{Answer, Command, Desk, Hand, PASSWORD_BYTES_MAX};
use crate::desk::tokens;
use crate::event::printable;
use crate::ledger::{
    Decision, LeftAlone, Moved, OperatorEntry, Proposal, Reversed, Role, Secret, TokenAct,
    TwoPersonAct,
};
use anyhow::anyhow;
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use std::io::{self, BufRead as _, IsTerminal as _, Read as _, Write as _};

/// The operators whom the arguments name.
#[derive(Debug, Clone)]
pub(super) struct Signers {
    pub(super) operator: Option<String>,
    pub(super) confirmed_by: Option<String>,
}

impl Signers {
    /// The one of every command.
    pub(super) fn of(common: &Common) -> Self {
        Self { operator: common.operator.clone(), confirmed_by: None }
    }

    /// Asks each of them for their password or badge; the commands by which they sign in.
    pub(super) fn read(&self) -> Result<Vec<Command>, Failure> {
        if self.confirmed_by.is_some() && self.operator.is_none() {
            return Err(Failure::new(
                Exit::Usage,
                anyhow!("--confirmed-by needs --operator: it takes two"),
            ));
        }
        let hands = [(&self.operator, Hand::First), (&self.confirmed_by, Hand::Second)];
        hands
            .into_iter()
            .filter_map(|(name, hand)| name.clone().map(|name| (name, hand)))
            .map(|(name, hand)| {
                let secret = read_secret(&format!("Password or badge of {name}: "))?;
                Ok(Command::SignIn { operator: Some(name), secret, hand })
            })
            .collect()
    }
}

/// Signs them in, one after the other.
pub(super) fn sign_in(desk: &mut Desk, signings: Vec<Command>) -> Result<(), Failure> {
    for signing in signings {
        match desk.ask(signing).map_err(control_failure)? {
            Answer::SignedIn { .. } => {}
            answer => return Err(refusal(&answer)),
        }
    }
    Ok(())
}

/// What `operators add` is asked for.
pub(super) struct New {
    pub(super) name: String,
    pub(super) role: Role,
    pub(super) with: With,
}

/// By what a new operator is known again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum With {
    Password,
    Badge,
}

/// `ballot-intake operators add`.
pub(super) fn operators_add(place: &Place, common: &Common, new: New) -> Result<Exit, Failure> {
    let New { name, role, with } = new;
    let config = place.config(common)?;
    let signings = Signers::of(common).read()?;
    let secret = match with {
        With::Badge => new_badge()?,
        With::Password => new_password(&name)?,
    };
    let badge = Some(secret.clone()).filter(|_| with == With::Badge);
    Place::make_ledger_dir(&config.ledger.path)?;
    let mut desk = super::ask::find_desk(place, &config)?;
    let answer = sign_in(&mut desk, signings).and_then(|()| {
        desk.ask(Command::OperatorAdd { operator: name, role, secret }).map_err(control_failure)
    });
    desk.close();
    match answer? {
        Answer::OperatorAdded { operator, role } if common.json => {
            let badge = badge.as_ref().map(Secret::as_str);
            let role = role.name();
            print_json(&serde_json::json!({ "operator": operator, "role": role, "badge": badge }))?;
        }
        Answer::OperatorAdded { operator, role } => {
            let mut out = io::stdout().lock();
            writeln!(out, "{operator} may sign in from now on, as {}", role.name())?;
            if let Some(badge) = badge {
                let badge = badge.as_str();
                writeln!(out, "badge (it is not shown again; print it as Code 128): {badge}")?;
            }
        }
        answer => return Err(refusal(&answer)),
    }
    Ok(Exit::Done)
}

fn new_badge() -> Result<Secret, Failure> {
    let mut random = [0; 16];
    getrandom::fill(&mut random)
        .map_err(|error| Failure::new(Exit::Ledger, anyhow!("no random bytes: {error}")))?;
    Ok(Secret::badge(random))
}

/// The code of a badge that was just made.
pub(super) fn read_badge(name: &str) -> Result<Secret, Failure> {
    let code = read_secret(&format!("Badge of {name}: "))?;
    if code.is_badge() {
        return Ok(code);
    }
    Err(Failure::new(Exit::Usage, anyhow!("this is no badge: `operators add --badge` makes one")))
}

/// Asked twice where nobody sees what they type.
fn new_password(name: &str) -> Result<Secret, Failure> {
    let password = read_secret(&format!("New password of {name}: "))?;
    if io::stdin().is_terminal() && read_secret("Once more: ")? != password {
        return Err(Failure::new(Exit::No, anyhow!("the two passwords differ")));
    }
    Ok(password)
}

/// `ballot-intake operators disable`.
pub(super) fn operators_disable(
    place: &Place,
    common: &Common,
    operator: String,
) -> Result<Exit, Failure> {
    let config = place.config(common)?;
    match have_done(place, common, &config, Command::OperatorDisable { operator })? {
        Answer::OperatorDisabled { operator } if common.json => {
            print_json(&serde_json::json!({ "disabled": operator }))?;
        }
        Answer::OperatorDisabled { operator } => {
            writeln!(io::stdout().lock(), "{operator} cannot sign in any more")?;
        }
        answer => return Err(refusal(&answer)),
    }
    Ok(Exit::Done)
}

/// `ballot-intake operators list`.
pub(super) fn operators_list(place: &Place, common: &Common) -> Result<Exit, Failure> {
    let config = place.config(common)?;
    let operators = open_reader(&config)?.operators().map_err(|e| Failure::new(Exit::Ledger, e))?;
    for entry in &operators {
        if common.json {
            print_json(entry)?;
        } else {
            print_operator(entry)?;
        }
    }
    Ok(Exit::Done)
}

/// `ballot-intake operators token`. The event comes first: no token is ever made that the ledger does not know of.
pub(super) fn operators_token(place: &Place, common: &Common, name: &str) -> Result<Exit, Failure> {
    let config = place.config(common)?;
    note_tokens(place, common, &config, name, TokenAct::Made)?;
    let token =
        tokens::issue(&config.ledger.path, name).map_err(|e| Failure::new(Exit::Ledger, e))?;
    if common.json {
        print_json(&serde_json::json!({ "operator": name, "token": token }))?;
    } else {
        writeln!(io::stdout().lock(), "token (it is not shown again): {token}")?;
    }
    Ok(Exit::Done)
}

/// `ballot-intake operators token --revoke`. They end first: what the ledger says has ended has. Where that could not be written, it is
/// when this is asked again, though no token is left to end.
pub(super) fn operators_revoke(
    place: &Place,
    common: &Common,
    name: &str,
) -> Result<Exit, Failure> {
    let config = place.config(common)?;
    let n = tokens::revoke(&config.ledger.path, name).map_err(|e| Failure::new(Exit::Ledger, e))?;
    let act = TokenAct::Revoked { n: u32::try_from(n).unwrap_or(u32::MAX) };
    note_tokens(place, common, &config, name, act)?;
    if common.json {
        print_json(&serde_json::json!({ "operator": name, "revoked": n }))?;
    } else {
        writeln!(io::stdout().lock(), "{n} tokens of {name} are none any more")?;
    }
    Ok(Exit::Done)
}

fn note_tokens(
    place: &Place,
    common: &Common,
    config: &Config,
    name: &str,
    act: TokenAct,
) -> Result<(), Failure> {
    let command = Command::OperatorTokens { operator: name.to_owned(), act };
    match have_done(place, common, config, command)? {
        Answer::TokensNoted { .. } => Ok(()),
        answer => Err(refusal(&answer)),
    }
}

fn print_operator(entry: &OperatorEntry) -> Result<(), Failure> {
    let OperatorEntry { operator, role, proof, added, added_by, .. } = entry;
    let mut out = io::stdout().lock();
    write!(out, "{operator}: {}, by {proof}, added {added} by {added_by}", role.name())?;
    if let (Some(at), Some(by)) = (&entry.disabled, &entry.disabled_by) {
        write!(out, "; disabled {at} by {by}")?;
    }
    writeln!(out)?;
    Ok(())
}

/// `ballot-intake proposals list`.
pub(super) fn proposals_list(place: &Place, common: &Common) -> Result<Exit, Failure> {
    let config = place.config(common)?;
    let proposals = open_reader(&config)?.proposals().map_err(|e| Failure::new(Exit::Ledger, e))?;
    for proposal in &proposals {
        if common.json {
            print_json(proposal)?;
        } else {
            writeln!(io::stdout().lock(), "{}", in_words(proposal))?;
        }
    }
    Ok(Exit::Done)
}

/// A proposal as a sentence.
pub(super) fn in_words(proposal: &Proposal) -> String {
    let Proposal { proposal: number, at, who, what, batch_name, void_because, .. } = proposal;
    let what = match what {
        TwoPersonAct::SetBallot { election, ballot, from, to, reason, beside } => {
            let beside = beside.as_ref().map_or_else(String::new, |other| {
                format!(", beside ballot {other} of the same voter, which may be counted, too")
            });
            format!("ballot {ballot} of election {election} from {from} to {to}{beside} ({reason})")
        }
        TwoPersonAct::ReverseBatch { batch, reason } => {
            let batch = batch_name.clone().unwrap_or_else(|| batch.to_string());
            format!("batch {batch} be reversed ({reason})")
        }
    };
    let waits = match void_because {
        Some(why) => format!("nobody can confirm it any more: {why}"),
        None => "it waits for another".to_owned(),
    };
    format!("proposal {number}, {at}: {} proposed that {what}; {waits}", who.by)
}

/// `ballot-intake proposals confirm` and `decline`.
pub(super) fn decide(
    place: &Place,
    common: &Common,
    proposal: i64,
    decision: Decision,
) -> Result<Exit, Failure> {
    let config = place.config(common)?;
    let command = Command::Decide { proposal, decision };
    say_decided(common, have_done(place, common, &config, command)?)
}

/// What `batch reverse` is asked for.
pub(super) struct Reversal {
    pub(super) batch: u32,
    pub(super) reason: String,
    pub(super) confirmed_by: Option<String>,
}

/// `ballot-intake batch reverse`.
pub(super) fn batch_reverse(
    place: &Place,
    config: &Config,
    common: &Common,
    wanted: Reversal,
) -> Result<Exit, Failure> {
    let Reversal { batch, reason, confirmed_by } = wanted;
    let reason = config.reasons.name_of(&reason);
    let signers = Signers { confirmed_by, ..Signers::of(common) };
    let command = Command::BatchReverse { batch, reason };
    let answer = have_done_by(place, config, &signers, command)?;
    say_first(config, &answer)?;
    say_decided(common, answer)
}

/// Where the same waits already as an earlier proposal, its number: one of the two is to be declined.
pub(super) fn say_first(config: &Config, answer: &Answer) -> Result<(), Failure> {
    let Answer::Proposed { proposal } = answer else { return Ok(()) };
    let waiting = open_reader(config)?.proposals();
    let waiting = waiting.map_err(|e| Failure::new(Exit::Ledger, e))?;
    let own = waiting.iter().find(|one| one.proposal == *proposal);
    let is_same = |one: &&Proposal| {
        one.proposal < *proposal
            && one.void_because.is_none()
            && own.is_some_and(|own| is_same(&one.what, &own.what))
    };
    if let Some(Proposal { proposal: first, who, .. }) = waiting.iter().find(is_same) {
        super::complain(&format!(
            "the same waits as proposal {first} of {} already: decline one of the two",
            printable(&who.by)
        ));
    }
    Ok(())
}

/// Whether both come to the same, for whatever reasons.
fn is_same(one: &TwoPersonAct, other: &TwoPersonAct) -> bool {
    use TwoPersonAct::{ReverseBatch, SetBallot};
    match (one, other) {
        (
            SetBallot { election, ballot, to, .. },
            SetBallot { election: of, ballot: same, to: there, .. },
        ) => (election, ballot, to) == (of, same, there),
        (ReverseBatch { batch, .. }, ReverseBatch { batch: same, .. }) => batch == same,
        _ => false,
    }
}

/// `ballot-intake outbox drop`.
pub(super) fn outbox_drop(
    place: &Place,
    common: &Common,
    change: i64,
    reason: String,
) -> Result<Exit, Failure> {
    let config = place.config(common)?;
    match have_done(place, common, &config, Command::OutboxDrop { change, reason })? {
        Answer::Dropped(dropped) if common.json => print_json(&dropped)?,
        Answer::Dropped(dropped) => writeln!(
            io::stdout().lock(),
            "the relay is never told that ballot {} in election {} became {}; what waited behind it goes on",
            dropped.ballot,
            dropped.election,
            dropped.status
        )?,
        answer => return Err(refusal(&answer)),
    }
    Ok(Exit::Done)
}

/// What came of a command that may take two.
pub(super) fn say_decided(common: &Common, answer: Answer) -> Result<Exit, Failure> {
    match answer {
        Answer::Moved(moved) if common.json => print_json(&moved)?,
        Answer::Moved(moved) => print_moved(&moved)?,
        Answer::Reversed(reversed) if common.json => print_json(&reversed)?,
        Answer::Reversed(reversed) => print_reversed(&reversed)?,
        Answer::Proposed { proposal } if common.json => {
            print_json(&serde_json::json!({ "proposal": proposal }))?;
        }
        Answer::Proposed { proposal } => writeln!(
            io::stdout().lock(),
            "nothing is done yet: this is proposal {proposal}, and another supervisor confirms it with\n  \
             ballot-intake proposals confirm {proposal} --operator NAME"
        )?,
        Answer::Declined { proposal } if common.json => {
            print_json(&serde_json::json!({ "declined": proposal }))?;
        }
        Answer::Declined { proposal } => {
            writeln!(io::stdout().lock(), "proposal {proposal} was declined: nothing is done")?;
        }
        answer => return Err(refusal(&answer)),
    }
    Ok(Exit::Done)
}

fn print_reversed(reversed: &Reversed) -> Result<(), Failure> {
    let Reversed { batch, moved, left, left_alone } = reversed;
    let mut out = io::stdout().lock();
    writeln!(out, "batch {batch} was reversed: {moved} ballots were put back, {left} left alone")?;
    for LeftAlone { election, ballot, status } in left_alone {
        writeln!(out, "  ballot {ballot} in election {election} was moved on since: {status}")?;
    }
    Ok(())
}

fn print_moved(moved: &Moved) -> Result<(), Failure> {
    let told = if moved.withdrawn { "; the relay never heard of it" } else { "" };
    writeln!(
        io::stdout().lock(),
        "ballot {} in election {}: {} to {}{told}",
        moved.ballot,
        moved.election,
        moved.previous,
        moved.status
    )?;
    if let Some(other) = &moved.beside {
        writeln!(
            io::stdout().lock(),
            "  ballot {other} of the same voter may be counted, too: that both are is now decided"
        )?;
    }
    Ok(())
}

fn refusal(answer: &Answer) -> Failure {
    match answer {
        Answer::Refused { why, .. } => Failure::new(Exit::No, anyhow!("{why}")),
        Answer::Failed { why } => Failure::new(Exit::Ledger, anyhow!("{why}")),
        other => unexpected(other),
    }
}

/// Asks at the terminal without showing what is typed; else takes the next line of standard input.
fn read_secret(prompt: &str) -> Result<Secret, Failure> {
    let hidden = Hidden::begin(prompt)?;
    // One byte more than may be, and the end of the line, show that there is too much.
    let limit = u64::try_from(PASSWORD_BYTES_MAX).unwrap_or(u64::MAX).saturating_add(2);
    let mut line = Vec::new();
    io::stdin().lock().take(limit).read_until(b'\n', &mut line)?;
    drop(hidden);
    let line = line.strip_suffix(b"\n").unwrap_or(&line);
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    match str::from_utf8(line) {
        Ok(text) if text.len() <= PASSWORD_BYTES_MAX && !text.is_empty() => {
            Ok(Secret::new(text.to_owned()))
        }
        _ => Err(Failure::new(
            Exit::Usage,
            anyhow!(
                "no password: it is asked for at a terminal, else it is a line of standard input, of at most \
                 {PASSWORD_BYTES_MAX} bytes"
            ),
        )),
    }
}

/// As long as it lives the terminal, if it is one, shows nothing of what is typed.
struct Hidden {
    before: Option<Termios>,
}

impl Hidden {
    fn begin(prompt: &str) -> Result<Self, Failure> {
        let stdin = io::stdin();
        if !stdin.is_terminal() {
            return Ok(Self { before: None });
        }
        let before = tcgetattr(&stdin).map_err(io::Error::from)?;
        let mut silent = before.clone();
        silent.local_modes.remove(LocalModes::ECHO);
        silent.local_modes.insert(LocalModes::ECHONL);
        tcsetattr(&stdin, OptionalActions::Flush, &silent).map_err(io::Error::from)?;
        let hidden = Self { before: Some(before) };
        let mut err = io::stderr().lock();
        write!(err, "{prompt}")?;
        err.flush()?;
        Ok(hidden)
    }
}

impl Drop for Hidden {
    fn drop(&mut self) {
        if let Some(before) = &self.before
            && tcsetattr(io::stdin(), OptionalActions::Now, before).is_err()
        {
            tracing::debug!("The terminal is gone.");
        }
    }
}
