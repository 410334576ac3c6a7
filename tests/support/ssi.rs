//! A simulated scanner in SSI mode, written from the public documents and sharing nothing with the driver.
//!
//! It has one message under way at a time and waits for its acknowledgement (multipacket option 1). Without one, or told to
//! by a `CMD_NAK` with cause 1, it sends the packet twice more with the retransmit bit set; then the message is given up.

use std::collections::VecDeque;
use std::time::Duration;

/// The host serial response time-out it is shipped with.
pub(crate) const RESPONSE_TIMEOUT: Duration = Duration::from_secs(2);

/// How long the host may be silent within a packet.
const CHARACTER_TIMEOUT: Duration = Duration::from_millis(200);

const RESENDS: u32 = 2;

/// What became of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The host acknowledged each of its packets.
    Acknowledged,
    /// It did not, or refused one.
    GivenUp,
}

/// The scanner.
#[derive(Debug, Default)]
pub(crate) struct Scanner {
    /// What happened to each message, in order.
    pub(crate) outcomes: Vec<Outcome>,
    /// Every beep code that was asked for, repeats of the host too.
    pub(crate) beeps: Vec<u8>,
    /// How often it was disabled and enabled.
    pub(crate) switches: Vec<bool>,
    messages: VecDeque<VecDeque<(u8, Vec<u8>, bool)>>,
    attempt: Option<Attempt>,
    line: VecDeque<Vec<u8>>,
    heard: Vec<u8>,
    heard_at: Duration,
}

#[derive(Debug, Clone, Copy)]
struct Attempt {
    n_resends: u32,
    until: Duration,
}

impl Scanner {
    /// Has decoded something, which goes out in packets of so many bytes of it.
    pub(crate) fn decode(&mut self, code_type: u8, text: &[u8], part_bytes: usize, now: Duration) {
        let mut parts: Vec<&[u8]> = text.chunks(part_bytes).collect();
        if parts.is_empty() {
            parts.push(&[]);
        }
        let n_parts = parts.len();
        let packets = parts.into_iter().enumerate().map(|(at, part)| {
            let data = [&[code_type], part].concat();
            (0xF3, data, at + 1 < n_parts)
        });
        self.messages.push_back(packets.collect());
        self.begin(now);
    }

    /// Has something to say that is no read.
    pub(crate) fn tell(&mut self, opcode: u8, data: &[u8], now: Duration) {
        self.messages.push_back([(opcode, data.to_vec(), false)].into());
        self.begin(now);
    }

    /// The next packet that leaves it.
    pub(crate) fn next_packet(&mut self) -> Option<Vec<u8>> {
        self.line.pop_front()
    }

    /// Sends again what it would have sent again later.
    pub(crate) fn hurry(&mut self, now: Duration) {
        if let Some(attempt) = &mut self.attempt
            && attempt.n_resends < RESENDS
        {
            attempt.until = now;
        }
    }

    pub(crate) fn deadline(&self) -> Option<Duration> {
        let heard = (!self.heard.is_empty()).then(|| self.heard_at + CHARACTER_TIMEOUT);
        heard.into_iter().chain(self.attempt.map(|attempt| attempt.until)).min()
    }

    pub(crate) fn expired(&mut self, now: Duration) {
        if !self.heard.is_empty() && self.heard_at + CHARACTER_TIMEOUT <= now {
            self.heard.clear();
        }
        if self.attempt.is_some_and(|attempt| attempt.until <= now) {
            self.send_again(now);
        }
    }

    /// Hears what the host sends.
    pub(crate) fn hear(&mut self, bytes: &[u8], now: Duration) {
        self.expired(now);
        self.heard_at = now;
        for byte in bytes {
            if self.heard.is_empty() && *byte == 0 {
                continue;
            }
            self.heard.push(*byte);
            let length = usize::from(self.heard[0]).max(4);
            if self.heard.len() == length + 2 {
                let packet = std::mem::take(&mut self.heard);
                self.obey(&packet, now);
            }
        }
    }

    fn obey(&mut self, packet: &[u8], now: Duration) {
        let (content, sum) = packet.split_at(packet.len() - 2);
        if checksum(content) != sum {
            self.reply(0xD1, &[1]);
            return;
        }
        assert_eq!(content[2], 4, "the host is not the source of {packet:02x?}");
        assert_eq!(content[3] & !1, 0, "status of {packet:02x?}");
        match (content[1], &content[4..]) {
            (0xD0, []) => self.acknowledged(now),
            (0xD1, [1]) => self.send_again(now),
            (0xD1, [_]) => self.end(Outcome::GivenUp, now),
            (0xE6, [code @ 0..=0x1A]) => {
                self.beeps.push(*code);
                self.reply(0xD0, &[]);
            }
            (0xE6, [_]) => self.reply(0xD1, &[6]),
            (switch @ (0xE9 | 0xEA), []) => {
                self.switches.push(switch == 0xE9);
                self.reply(0xD0, &[]);
            }
            _ => self.reply(0xD1, &[2]),
        }
    }

    fn acknowledged(&mut self, now: Duration) {
        if self.attempt.take().is_none() {
            return;
        }
        let message = self.messages.front_mut().unwrap();
        message.pop_front();
        if message.is_empty() {
            self.end(Outcome::Acknowledged, now);
        } else {
            self.begin(now);
        }
    }

    fn send_again(&mut self, now: Duration) {
        let Some(attempt) = self.attempt else { return };
        if attempt.n_resends == RESENDS {
            self.end(Outcome::GivenUp, now);
        } else {
            self.attempt =
                Some(Attempt { n_resends: attempt.n_resends + 1, until: now + RESPONSE_TIMEOUT });
            self.send_front(1);
        }
    }

    fn end(&mut self, outcome: Outcome, now: Duration) {
        self.attempt = None;
        if self.messages.pop_front().is_some() {
            self.outcomes.push(outcome);
        }
        self.begin(now);
    }

    fn begin(&mut self, now: Duration) {
        if self.attempt.is_none() && !self.messages.is_empty() {
            self.attempt = Some(Attempt { n_resends: 0, until: now + RESPONSE_TIMEOUT });
            self.send_front(0);
        }
    }

    fn send_front(&mut self, retransmit: u8) {
        let (opcode, data, continues) = &self.messages[0][0];
        let status = retransmit | if *continues { 2 } else { 0 };
        self.line.push_back(packet(*opcode, status, data));
    }

    fn reply(&mut self, opcode: u8, data: &[u8]) {
        self.line.push_back(packet(opcode, 0, data));
    }
}

/// A packet of a scanner.
pub(crate) fn packet(opcode: u8, status: u8, data: &[u8]) -> Vec<u8> {
    let length = u8::try_from(4 + data.len()).unwrap();
    let mut packet = vec![length, opcode, 0, status];
    packet.extend(data);
    packet.extend(checksum(&packet));
    packet
}

/// What makes the sum of a packet nought, taken as 16 bits.
pub(crate) fn checksum(content: &[u8]) -> [u8; 2] {
    let sum: u32 = content.iter().map(|byte| u32::from(*byte)).sum();
    let complement = (0x1_0000 - (sum & 0xFFFF)) & 0xFFFF;
    [(complement >> 8) as u8, (complement & 0xFF) as u8]
}
