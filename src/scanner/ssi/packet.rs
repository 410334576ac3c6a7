//! The packets of the Simple Serial Interface: cut from the bytes of a line, and put together.
//!
//! A packet has no mark that begins it, only its length and a sum. So where one was damaged, what comes behind it is not
//! searched for another, which a payload could feign: all is skipped until the line falls silent.

use std::time::Duration;

/// Positive acknowledgement of a packet.
pub(super) const CMD_ACK: u8 = 0xD0;
/// Negative acknowledgement; its first byte of data is the cause.
pub(super) const CMD_NAK: u8 = 0xD1;
/// A read, or a part of one; its first byte of data is the code type.
pub(super) const DECODE_DATA: u8 = 0xF3;

/// Cause of a `CMD_NAK`: the checksum is wrong, send it again.
pub(super) const RESEND: u8 = 1;
/// Cause of a `CMD_NAK`: a message that is unknown, or unexpected.
pub(super) const BAD_CONTEXT: u8 = 2;

/// Status of a packet that is sent again.
pub(super) const RETRANSMITTED: u8 = 1 << 0;
/// Status of a packet that another one of the same message follows.
const CONTINUES: u8 = 1 << 1;

/// The message source of a scanner ("decoder"), and that of the station ("host").
const SCANNER: u8 = 0;
const HOST: u8 = 4;

/// What wakes a scanner that sleeps and that an awake one skips; also what the line gives as a scanner is plugged in.
pub(super) const WAKE_UP: u8 = 0;

/// Length, opcode, source and status: what every packet has before its data.
const HEADER_BYTES: usize = 4;
const CHECKSUM_BYTES: usize = 2;

/// How long a line may be silent within a packet: the scanners' own default for what we send them, parameter 239.
const INTER_CHARACTER: Duration = Duration::from_millis(200);

/// A packet whose checksum is right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Packet {
    pub(super) opcode: u8,
    source: u8,
    status: u8,
    /// At most 251 bytes.
    pub(super) data: Vec<u8>,
}

impl Packet {
    /// Whether it is a scanner's, and not the echo of our own.
    pub(super) fn is_scanners(&self) -> bool {
        self.source == SCANNER
    }

    pub(super) fn is_retransmitted(&self) -> bool {
        self.status & RETRANSMITTED != 0
    }

    pub(super) fn continues(&self) -> bool {
        self.status & CONTINUES != 0
    }

    /// Whether it is that packet sent again: there are no numbers to tell by.
    pub(super) fn repeats(&self, earlier: &Self) -> bool {
        self.is_retransmitted()
            && self.continues() == earlier.continues()
            && self.opcode == earlier.opcode
            && self.data == earlier.data
    }

    fn parse(bytes: &[u8]) -> Option<Self> {
        let (content, checksum) = bytes.split_last_chunk::<CHECKSUM_BYTES>()?;
        let [_length, opcode, source, status, rest @ ..] = content else { return None };
        (*checksum == sum(content)).then(|| Self {
            opcode: *opcode,
            source: *source,
            status: *status,
            data: rest.to_vec(),
        })
    }
}

/// Puts a packet of ours behind what is to be sent: an opcode with its data. Nothing if it is longer than a packet can be.
pub(super) fn append(out: &mut Vec<u8>, body: &[u8], status: u8) {
    let Some((opcode, rest)) = body.split_first() else { return };
    let Ok(length) = u8::try_from(HEADER_BYTES + rest.len()) else { return };
    let packet = [&[length, *opcode, HOST, status], rest].concat();
    out.extend_from_slice(&packet);
    out.extend_from_slice(&sum(&packet));
}

/// The two's complement of the sum of the bytes, high byte first.
fn sum(bytes: &[u8]) -> [u8; CHECKSUM_BYTES] {
    let sum = bytes.iter().fold(0_u16, |sum, byte| sum.wrapping_add(u16::from(*byte)));
    sum.wrapping_neg().to_be_bytes()
}

/// Cuts a line's bytes into packets.
#[derive(Debug, Default)]
pub(super) struct Cutter {
    /// The packet that has not ended yet; with its checksum at most 257 bytes.
    bytes: Vec<u8>,
    /// Something was no packet: nothing is one until the line is silent.
    is_lost: bool,
    /// When the last byte came.
    last_at: Duration,
}

impl Cutter {
    /// Takes bytes up to the end of the first whole packet. Returns how many were taken.
    pub(super) fn push(&mut self, bytes: &[u8], now: Duration) -> (usize, Option<Packet>) {
        self.last_at = now;
        for (taken, byte) in (1..).zip(bytes) {
            if self.is_lost || (self.bytes.is_empty() && *byte == WAKE_UP) {
                continue;
            }
            self.bytes.push(*byte);
            let length = self.bytes.first().map_or(0, |length| usize::from(*length));
            self.is_lost = length < HEADER_BYTES;
            if self.bytes.len() == length + CHECKSUM_BYTES {
                let packet = Packet::parse(&self.bytes);
                self.bytes.clear();
                self.is_lost = packet.is_none();
                if packet.is_some() {
                    return (taken, packet);
                }
            }
        }
        (bytes.len(), None)
    }

    /// When what has come so far is no packet any more; none between two packets.
    pub(super) fn deadline(&self) -> Option<Duration> {
        (self.is_lost || !self.bytes.is_empty()).then(|| self.last_at + INTER_CHARACTER)
    }

    /// What has come so far is forgotten.
    pub(super) fn reset(&mut self) {
        self.bytes.clear();
        self.is_lost = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Duration = Duration::from_secs(1);

    fn appended(body: &[u8], status: u8) -> Vec<u8> {
        let mut out = Vec::new();
        append(&mut out, body, status);
        out
    }

    #[test]
    fn packets_of_ours_are_those_that_public_drivers_send() {
        for (body, status, expected) in [
            (&[CMD_ACK][..], 0, &[0x04, 0xD0, 0x04, 0x00, 0xFF, 0x28][..]),
            (&[CMD_NAK, RESEND], 0, &[0x05, 0xD1, 0x04, 0x00, 0x01, 0xFF, 0x25]),
            (&[0xE4], 0, &[0x04, 0xE4, 0x04, 0x00, 0xFF, 0x14]),
            (&[0xE9], RETRANSMITTED, &[0x04, 0xE9, 0x04, 0x01, 0xFF, 0x0E]),
            (&[0xE6, 0x05], 0, &[0x05, 0xE6, 0x04, 0x00, 0x05, 0xFF, 0x0C]),
            (&[], 0, &[]),
        ] {
            assert_eq!(appended(body, status), expected, "{body:02x?}");
        }
        assert_eq!(appended(&[0; 252], 0).len(), 257);
        assert!(appended(&[0; 253], 0).is_empty());
    }

    #[test]
    fn wake_ups_are_skipped_between_packets_and_nowhere_else() {
        let mut cutter = Cutter::default();
        let bytes = [0, 0, 5, 0xF6, 0, 0, 0, 0xFF, 0x05, 0, 7];
        let (taken, packet) = cutter.push(&bytes, NOW);
        assert_eq!((taken, packet.unwrap().data), (9, vec![0]));
        assert_eq!(cutter.deadline(), None);
        assert_eq!(cutter.push(&bytes[9..], NOW), (2, None));
        assert_eq!(cutter.deadline(), Some(NOW + INTER_CHARACTER));
    }

    #[test]
    fn behind_a_damaged_packet_nothing_counts_until_silence() {
        let whole = [4, CMD_ACK, SCANNER, 0, 0xFF, 0x2C];
        for damage in [&[1][..], &[3, 0], &[4, CMD_ACK, SCANNER, 0, 0xFF, 0x2D], &[6, 1, 1, 1]] {
            let mut cutter = Cutter::default();
            let bytes = [damage, &whole].concat();
            assert_eq!(cutter.push(&bytes, NOW), (bytes.len(), None), "{damage:02x?}");
            assert_eq!(cutter.push(&whole, NOW), (6, None), "{damage:02x?}");
            assert!(cutter.deadline().is_some());
            cutter.reset();
            assert_eq!(cutter.push(&whole, NOW).1.unwrap().opcode, CMD_ACK);
        }
    }
}
