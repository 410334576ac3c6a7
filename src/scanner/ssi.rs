//! Zebra's Simple Serial Interface, in which each side acknowledges what the other sends.
//!
//! What holds here, whatever is on the line:
//! - A read is told once, when its last packet has come, and is acknowledged only then: who drives this holds a scanner back
//!   by not handing its bytes in.
//! - A packet that was sent again because our acknowledgement was lost is acknowledged again, and told no more.
//! - A damaged packet is asked for again. Of what never comes whole, there is a no-read.
//! - What we say is one packet: an opcode and its data. It is sent at most three times, and then given up.
//! - Of a scanner no more is buffered than one packet, one repeat and one read of `frame_bytes_max` bytes.
//!
//! From the *Simple Serial Interface Programmer's Guide* (Zebra 72E-40451), as far as it is public: the chapters "SSI
//! Interface" of the reference guides of DS9908, DS8108, DS4308 and DS2208 (opcodes, retries, time-outs, multipacket
//! options), and the SE955 integration guide, chapter 10 (packet formats, causes of a `CMD_NAK`). That each packet of a read
//! begins with the code type: two published drivers that agree.
//!
//! A scanner has to be set to packeted decode data (parameter 238: 1), ACK/NAK handshaking (159: 1), multipacket option 1
//! (334: 0) and a host response time-out of 2 s or more (155: 20). All but the first are what it is shipped with. The packets
//! of a cordless cradle (opcode 0x73) are another protocol: they are refused, so that the scanner says so.

mod code_type;
mod joiner;
mod packet;

use super::dialog::{Dialog, Say};
use super::framing::Framed;
use super::profile::{Answers, LockCommands};
use joiner::{Joiner, Taken};
use packet::{Cutter, Packet};
use std::num::NonZeroU16;
use std::time::Duration;

/// How long the scanner may take to acknowledge: its own default for us, parameter 155, and the same on both sides.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(2);

/// How often we say something at most: once, and twice more.
const SENDS_MAX: u8 = 3;

/// A repeat that comes so soon after our acknowledgement left was sent before that came: it is settled by it. A second one
/// would be taken for that of the scanner's next packet.
const SETTLED: Duration = Duration::from_millis(500);

/// How long something damaged may wait for the packet it was.
const UNREAD_MAX: Duration = Duration::from_secs(5);

/// Beyond this nothing more is acknowledged until what is to be sent has left: the scanner sends again.
const REPLY_BYTES_MAX: usize = 256;

/// What a scanner may send of its own accord or as an answer, besides reads: `SSI_MGMT_COMMAND`, `REPLY_REVISION`,
/// `REPLY_ID`, `IMAGE_DATA`, `VIDEO_DATA`, `PARAM_SEND`, `CAPABILITIES_REPLY`, `EVENT`.
const OTHERS: [u8; 8] = [0x80, 0xA4, 0xA6, 0xB1, 0xB4, 0xC6, 0xD4, 0xF6];

/// What is said between the station and one scanner in SSI mode.
#[derive(Debug)]
pub struct Ssi {
    answers: Answers,
    lock: Option<LockCommands>,
    cutter: Cutter,
    joiner: Joiner,
    /// What is to be sent: replies up to `REPLY_BYTES_MAX`, and one command.
    out: Vec<u8>,
    acknowledged: Acknowledged,
    command: Option<Command>,
    /// Of the last command.
    fate: Fate,
    /// Since when something damaged waits for the packet it was.
    unread_since: Option<Duration>,
}

/// Where our last acknowledgement is.
#[derive(Debug, Clone, Copy)]
enum Acknowledged {
    Never,
    /// In `out`.
    Leaving,
    /// On the line since then.
    Left(Duration),
}

/// Something we say.
#[derive(Debug)]
struct Command {
    /// An opcode and its data.
    body: Vec<u8>,
    n_sends: u8,
    stage: Stage,
}

/// What became of a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    /// It was acknowledged, or may yet be.
    Heard,
    GivenUp,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// It waits until the scanner has finished.
    Held,
    /// In `out`.
    Leaving,
    /// On the line; it is acknowledged until then, or sent again.
    Awaited(Duration),
}

impl Ssi {
    /// Begins between two packets. The answers, and what locks, are packets without length, source, status and checksum:
    /// `[0xE6, 0x05]` is BEEP with one low beep. An empty one is not sent.
    pub fn new(answers: Answers, lock: Option<LockCommands>, frame_bytes_max: NonZeroU16) -> Self {
        Self {
            answers,
            lock,
            cutter: Cutter::default(),
            joiner: Joiner::new(frame_bytes_max),
            out: Vec::new(),
            acknowledged: Acknowledged::Never,
            command: None,
            fate: Fate::Heard,
            unread_since: None,
        }
    }

    /// What a whole packet brings.
    fn receive(&mut self, packet: Packet, now: Duration) -> Option<Framed> {
        if !packet.is_scanners() {
            return None;
        }
        // Any packet but a refusal of ours may be what was damaged.
        self.unread_since.take_if(|_| packet.opcode != packet::CMD_NAK);
        let is_retransmitted = packet.is_retransmitted();
        match packet.opcode {
            packet::CMD_ACK => self.acknowledge_command(),
            packet::CMD_NAK => self.refuse_command(packet.data.first().copied()),
            packet::DECODE_DATA => match self.joiner.take(packet, now) {
                Taken::New(framed) => {
                    if is_retransmitted {
                        self.joiner.acknowledged_late(now);
                    }
                    self.acknowledge();
                    return framed;
                }
                Taken::Repeat => self.acknowledge_again(now),
            },
            other if !OTHERS.contains(&other) => {
                self.reply(&[packet::CMD_NAK, packet::BAD_CONTEXT]);
            }
            _ if is_retransmitted => self.acknowledge_again(now),
            _ => self.acknowledge(),
        }
        None
    }

    fn acknowledge_again(&mut self, now: Duration) {
        let is_settled = match self.acknowledged {
            Acknowledged::Never => false,
            Acknowledged::Leaving => true,
            Acknowledged::Left(at) => now < at + SETTLED,
        };
        if is_settled {
            self.joiner.hurried(now);
        } else {
            self.joiner.acknowledged_late(now);
            self.acknowledge();
        }
    }

    fn acknowledge(&mut self) {
        if self.reply(&[packet::CMD_ACK]) {
            self.acknowledged = Acknowledged::Leaving;
        }
    }

    /// Whether there was room for the reply.
    fn reply(&mut self, body: &[u8]) -> bool {
        let has_room = self.out.len() < REPLY_BYTES_MAX;
        if has_room {
            packet::append(&mut self.out, body, 0);
        }
        has_room
    }

    fn acknowledge_command(&mut self) {
        self.command.take_if(|command| matches!(command.stage, Stage::Awaited(_)));
    }

    /// The scanner refused what we said: a damaged packet is sent again, all else is in vain.
    fn refuse_command(&mut self, cause: Option<u8>) {
        if cause == Some(packet::RESEND) {
            self.retry_command();
        } else {
            let is_awaited = |command: &mut Command| matches!(command.stage, Stage::Awaited(_));
            self.give_up(is_awaited);
        }
    }

    /// What was not acknowledged is said again, or given up.
    fn retry_command(&mut self) {
        if let Some(command) = &mut self.command
            && matches!(command.stage, Stage::Awaited(_))
        {
            command.stage = Stage::Held;
            self.give_up(|command| command.n_sends >= SENDS_MAX);
        }
    }

    fn give_up(&mut self, is_over: impl FnOnce(&mut Command) -> bool) {
        if self.command.take_if(is_over).is_some() {
            self.fate = Fate::GivenUp;
        }
    }

    /// Sends the command that waits, unless the scanner is sending.
    fn speak(&mut self) {
        let is_scanner_sending = self.cutter.deadline().is_some() || self.joiner.is_amid();
        if let Some(command) = &mut self.command
            && command.stage == Stage::Held
            && !is_scanner_sending
        {
            let status = if command.n_sends == 0 { 0 } else { packet::RETRANSMITTED };
            self.out.push(packet::WAKE_UP);
            packet::append(&mut self.out, &command.body, status);
            command.n_sends += 1;
            command.stage = Stage::Leaving;
        }
    }

    /// What has come is no packet: it is asked for again.
    fn damaged(&mut self, now: Duration) {
        self.cutter.reset();
        self.joiner.damaged(now);
        self.unread_since.get_or_insert(now);
        self.reply(&[packet::CMD_NAK, packet::RESEND]);
    }

    fn response_deadline(&self) -> Option<Duration> {
        match self.command.as_ref()?.stage {
            Stage::Awaited(until) => Some(until),
            Stage::Held | Stage::Leaving => None,
        }
    }

    fn unread_deadline(&self) -> Option<Duration> {
        self.unread_since.map(|since| since + UNREAD_MAX)
    }
}

impl Dialog for Ssi {
    fn push(&mut self, bytes: &[u8], now: Duration) -> (usize, Option<Framed>) {
        if is_past(self.cutter.deadline(), now) {
            self.damaged(now);
        }
        let mut rest = bytes;
        let mut framed = None;
        while !rest.is_empty() && framed.is_none() {
            let (taken, packet) = self.cutter.push(rest, now);
            rest = rest.get(taken..).unwrap_or_default();
            framed = packet.and_then(|packet| self.receive(packet, now));
        }
        self.speak();
        (bytes.len() - rest.len(), framed)
    }

    fn deadline(&self) -> Option<Duration> {
        let deadlines = [
            self.cutter.deadline(),
            self.response_deadline(),
            self.joiner.deadline(),
            self.unread_deadline(),
        ];
        deadlines.into_iter().flatten().min()
    }

    fn expired(&mut self, now: Duration) -> Option<Framed> {
        if is_past(self.cutter.deadline(), now) {
            self.damaged(now);
        }
        if is_past(self.response_deadline(), now) {
            self.retry_command();
        }
        let mut framed = self.joiner.expired(now);
        if framed.is_some() {
            self.unread_since = None;
        } else if is_past(self.unread_deadline(), now) {
            self.unread_since = None;
            framed = Some(Framed::NoRead);
        }
        self.speak();
        framed
    }

    fn say(&mut self, say: Say, _now: Duration) {
        let body = match (say, &self.lock) {
            (Say::Tone(tone), _) => self.answers.bytes(tone).to_vec(),
            (Say::Lock, Some(commands)) => commands.lock.clone(),
            (Say::Unlock, Some(commands)) => commands.unlock.clone(),
            (Say::Lock | Say::Unlock, None) => Vec::new(),
        };
        self.fate = Fate::Heard;
        if !body.is_empty() {
            self.command = Some(Command { body, n_sends: 0, stage: Stage::Held });
            self.speak();
        }
    }

    fn outgoing(&self) -> &[u8] {
        &self.out
    }

    fn sent(&mut self, n: usize, now: Duration) {
        self.out.drain(..n.min(self.out.len()));
        if !self.out.is_empty() {
            return;
        }
        if matches!(self.acknowledged, Acknowledged::Leaving) {
            self.acknowledged = Acknowledged::Left(now);
        }
        if let Some(command) = &mut self.command
            && command.stage == Stage::Leaving
        {
            command.stage = Stage::Awaited(now + RESPONSE_TIMEOUT);
        }
    }

    fn is_idle(&self) -> bool {
        self.command.is_none()
    }

    fn gave_up(&self) -> bool {
        self.fate == Fate::GivenUp
    }

    fn reset(&mut self) {
        self.cutter.reset();
        self.joiner.reset();
        self.out.clear();
        self.acknowledged = Acknowledged::Never;
        self.command = None;
        self.fate = Fate::Heard;
        self.unread_since = None;
    }
}

fn is_past(deadline: Option<Duration>, now: Duration) -> bool {
    deadline.is_some_and(|at| at <= now)
}
