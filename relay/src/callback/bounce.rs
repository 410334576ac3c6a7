//! Bounces: delivery status notifications (RFC 3464) that the county's mail server pipes to `ballot-relay bounce`.
//!
//! A bounce is not authenticated; its recipient is. It is believed only at a return path of ours, whose tag nobody can make up.
//! `delayed` is no failure, and `relayed` no delivery. Only a status about the address itself parks it: a full mailbox, or a server that
//! refuses us, says nothing against it.

use crate::channel::Class;
use crate::channel::email::{bounced_attempt, refused};
use crate::clock::Micros;
use crate::config::Config;
use crate::params;
use crate::receipt::failed;
use crate::store::{StoreError, Tx};
use std::io::{self, BufRead as _, BufReader, Read};

/// How much of a message is read.
const BYTES_MAX: u64 = 1 << 20;

/// What a bounce says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bounce {
    /// `failed`, `delayed`, ...
    pub action: String,
    /// The status of RFC 3463.
    pub status: String,
}

/// Reads what a delivery status notification says of its first recipient; nothing if it is none.
pub fn read(message: impl Read) -> io::Result<Option<Bounce>> {
    let mut is_report = false;
    let (mut action, mut status) = (None, None);
    for line in BufReader::new(message.take(BYTES_MAX)).split(b'\n') {
        let line = String::from_utf8_lossy(&line?).trim().to_lowercase();
        if line.starts_with("content-type:") {
            is_report = line.contains("message/delivery-status");
        }
        if !is_report {
            continue;
        }
        if let Some(value) = line.strip_prefix("action:") {
            action.get_or_insert_with(|| value.trim().to_owned());
        }
        if let Some(value) = line.strip_prefix("status:") {
            let code = value.split_whitespace().next().unwrap_or_default();
            status.get_or_insert_with(|| code.to_owned());
        }
    }
    Ok(action.zip(status).map(|(action, status)| Bounce { action, status }))
}

/// Takes a bounce to one of our return paths. Whether it changed something.
pub fn take(
    tx: &mut Tx<'_>,
    config: &Config,
    (recipient, bounce): (&str, &Bounce),
    now: Micros,
) -> Result<bool, StoreError> {
    let Some(attempt) = bounced_attempt(&config.keys, recipient) else { return Ok(false) };
    if bounce.action != "failed" {
        return Ok(false);
    }
    let class =
        if bounce.status.starts_with('5') { refused(&bounce.status) } else { Class::TryLater };
    let changed = tx.run(
        "UPDATE attempt SET status = 'bounced', code = $2, state = 'accepted'
         WHERE id = $1 AND COALESCE(status, '') <> 'bounced'",
        params![&attempt, &bounce.status],
    )?;
    if changed == 0 {
        return Ok(false);
    }
    let row = tx.row("SELECT notice FROM attempt WHERE id = $1", params![&attempt])?;
    let Some(row) = row else { return Ok(false) };
    failed(tx, &row.text(0)?, (class, &bounce.status), now)?;
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_delivery_status_notification_is_read() {
        let text = "Content-Type: multipart/report; report-type=delivery-status\r\n\r\n--x\r\n\
            Content-Type: text/plain\r\n\r\nStatus: nonsense\r\n--x\r\n\
            Content-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; mx\r\n\r\n\
            Final-Recipient: rfc822; a@b\r\nAction: Failed\r\nStatus: 5.1.1 (no such user)\r\n--x--\r\n";
        let bounce = read(text.as_bytes()).unwrap().unwrap();
        assert_eq!(bounce, Bounce { action: "failed".to_owned(), status: "5.1.1".to_owned() });
        assert_eq!(read(&b"Subject: hello\r\n\r\nAction: failed\r\n"[..]).unwrap(), None);
    }
}
