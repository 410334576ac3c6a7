//! The event log of NIST SP 1500-101, Election Event Logging Common Data Format 1.0, in JSON.
//!
//! One entry for each event of the chain: its row number, when it was (local time with offset), whether it did what was asked,
//! and the hash of its row. Types and ids are ours to choose ("as determined by the device vendor"); the documentation that the
//! standard wants beside a log says what they mean.

use super::{ExportError, Exported, Record};
use crate::ballot::ElectionId;
use crate::clock::Micros;
use crate::ledger::fact::{
    Act, Decision, Fact, Opened, ScanFact, SetFact, TokenAct, TwoPersonAct, Who,
};
use crate::ledger::report::Reader;
use crate::scan::{Tone, Verdict};
use serde::Serialize;
use std::io;

/// What a device of this kind is called; the standard's list has none.
const DEVICE: &str = "mail-ballot-envelope-scanner";

const PRODUCT: &str = "ballot-intake";

/// Types of events, and what they mean.
const TYPES: [(&str, &str); 6] = [
    ("ballot", "An envelope was scanned, or a ballot was moved otherwise."),
    ("batch", "A batch of envelopes was opened, closed or reversed."),
    ("file", "A mail ballot file was imported."),
    ("ledger", "The record itself was begun or signed, or somebody else keeps its signature."),
    (
        "operator",
        "A person was given or lost a right, proposed or decided what takes two, or printed command sheets.",
    ),
    ("relay", "Changes were released to the notification relay, or it answered."),
];

/// Ids of events, and what they mean. A scan's is `scan-` and its verdict.
const IDS: [(&str, &str); 21] = [
    ("ledger-opened", "The ledger was begun."),
    ("batch-opened", "A batch was opened."),
    ("batch-closed", "A batch was closed with a hand count."),
    ("batch-reversed", "All that a batch's scans moved was taken back."),
    ("ballot-set", "A supervisor moved a ballot by hand."),
    ("scan-undone", "A clerk took the last scan back."),
    ("ballot-imported", "A mail ballot file moved a ballot, and the relay is told."),
    ("file-imported", "A mail ballot file was imported."),
    ("changes-released", "Changes are owed to the relay from here on."),
    ("changes-delivered", "The relay took changes."),
    ("change-set-aside", "The relay refused a change, which waits for a supervisor."),
    ("changes-retried", "Changes that were set aside are owed again."),
    ("change-dropped", "A supervisor gave a change up."),
    ("operator-added", "There is a new operator."),
    ("operator-disabled", "An operator may do nothing any more."),
    ("token-made", "A token was made with which an operator's own programs read."),
    ("tokens-revoked", "All tokens of an operator ended."),
    ("act-proposed", "Somebody proposed what takes two."),
    ("sheets-renewed", "Command sheets were printed anew, and all earlier ones are stale."),
    ("act-decided", "Somebody else decided on it."),
    ("checkpoint", "The head of the chain was signed, or the relay keeps that as a witness."),
];

/// An entry. Fields stand in the order of the standard's own examples.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Entry<'a> {
    #[serde(rename = "@type")]
    class: &'static str,
    sequence: String,
    time_stamp: String,
    #[serde(rename = "Type")]
    kind: &'static str,
    id: &'a str,
    disposition: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_id: Option<&'a str>,
    description: &'a str,
    details: String,
    hash: String,
}

/// What an event is in the words of the log.
struct Said {
    kind: &'static str,
    id: &'static str,
    disposition: &'static str,
    user: Option<String>,
    about: Vec<String>,
}

impl Said {
    fn new(kind: &'static str, id: &'static str) -> Self {
        Self { kind, id, disposition: "success", user: None, about: Vec::new() }
    }

    fn by(self, who: &Who) -> Self {
        Self { user: Some(who.in_words()), ..self }
    }

    fn about(mut self, what: impl Into<String>) -> Self {
        self.about.push(what.into());
        self
    }
}

/// The event log, all of it.
pub(super) fn export(
    reader: &Reader,
    election: Option<&ElectionId>,
    as_of: Micros,
    out: &mut dyn io::Write,
) -> Result<Exported, ExportError> {
    let opened = reader.snapshot(|| reader.opened()).map_err(ExportError::Read)?;
    let mut put = |text: &str| out.write_all(text.as_bytes()).map_err(ExportError::Write);
    put(&head(reader, election, as_of, opened.as_ref())?)?;
    let mut rows = 0;
    reader.each_event(&mut |record| {
        put(if rows == 0 { "\n" } else { ",\n" })?;
        rows += 1;
        put(&entry(reader, &record)?)
    })?;
    put("\n]}]}\n")?;
    Ok(Exported { rows, ..Exported::default() })
}

/// The log up to its first event.
fn head(
    reader: &Reader,
    election: Option<&ElectionId>,
    as_of: Micros,
    opened: Option<&Opened>,
) -> Result<String, ExportError> {
    let text = |text: &str| serde_json::to_string(text).map_err(ExportError::Json);
    let details =
        "The hash of an event is SHA-256 over the hash of the one before it and its body.";
    let election = election
        .map(|election| text(election.as_str()).map(|id| format!("\"ElectionId\":{id},")))
        .transpose()?
        .unwrap_or_default();
    let (station, facility, key) = opened.map_or(("", "", ""), |opened| {
        (opened.station.as_str(), opened.facility.as_str(), opened.public_key.as_str())
    });
    Ok(format!(
        "{{\"@type\":\"EventLogging.ElectionEventLog\",\"GeneratedTime\":{},{election}\"Details\":{},\
         \"Device\":[{{\"@type\":\"EventLogging.Device\",\"Id\":{},\"Type\":\"other\",\"OtherType\":\"{DEVICE}\",\
         \"Model\":\"{PRODUCT}\",\"Version\":\"{}\",\"HashType\":\"sha-256\",\"Details\":{},\"Event\":[",
        text(&reader.zone.date_time(as_of))?,
        text(details)?,
        text(station)?,
        env!("CARGO_PKG_VERSION"),
        text(&format!("facility {facility}, public key {key}"))?,
    ))
}

fn entry(reader: &Reader, record: &Record) -> Result<String, ExportError> {
    let Record { seq, event, hash } = record;
    let said = said(&event.fact);
    let mut details = vec![format!("event {}", event.id)];
    details.extend(said.about);
    let entry = Entry {
        class: "EventLogging.Event",
        sequence: seq.to_string(),
        time_stamp: reader.zone.date_time(event.at),
        kind: said.kind,
        id: said.id,
        disposition: said.disposition,
        user_id: said.user.as_deref(),
        description: meaning(said.id),
        details: details.join("; "),
        hash: crate::ledger::key::hex(hash),
    };
    serde_json::to_string(&entry).map_err(ExportError::Json)
}

fn meaning(id: &str) -> &'static str {
    let listed = IDS.iter().find(|(known, _)| *known == id).map(|(_, meaning)| *meaning);
    listed
        .or_else(|| scanned_ids().find(|(known, _)| *known == id).map(|(_, meaning)| meaning))
        .unwrap_or("")
}

fn said(fact: &Fact) -> Said {
    match fact {
        Fact::Opened(_) => Said::new("ledger", "ledger-opened"),
        Fact::Scan(scan) => said_of_scan(scan),
        Fact::Set(set) => said_of_set(set),
        Fact::BatchOpened(batch) => {
            let said = Said::new("batch", "batch-opened").about(format!("batch {}", batch.batch));
            batch.who.iter().fold(said, Said::by)
        }
        Fact::BatchClosed(closed) => {
            let counts = format!("counted {}, scanned {}", closed.counted, closed.envelopes);
            let said = Said::new("batch", "batch-closed").by(&closed.who);
            said.about(format!("batch {}", closed.batch)).about(counts)
        }
        Fact::BatchReversed(reversed) => Said::new("batch", "batch-reversed")
            .by(&reversed.who)
            .about(format!("batch {}", reversed.batch))
            .about(format!("confirmed by {}", reversed.confirmed_by)),
        Fact::Imported(imported) => {
            let counts = &imported.counts;
            Said::new("file", "file-imported")
                .by(&imported.who)
                .about(format!("file {}, SHA-256 {}", imported.file, imported.file_sha256))
                .about(format!("{} rows, {} refused", counts.rows, counts.refused))
        }
        other => said_of_relay(other).unwrap_or_else(|| said_of_people(other)),
    }
}

fn said_of_scan(scan: &ScanFact) -> Said {
    let disposition = match scan.verdict.tone() {
        Tone::Good => "success",
        Tone::Own | Tone::Notice => "na",
        Tone::Bad | Tone::Fault => "failure",
    };
    let said = Said { disposition, ..Said::new("ballot", scanned(scan.verdict).0) };
    let said =
        said.about(format!("batch {}", scan.batch)).about(format!("scanner {}", scan.scanner));
    let said = scan.command.iter().fold(said, Said::about);
    let said = match &scan.by {
        Some(by) => said.by(&Who { by: by.clone(), os_user: scan.os_user.clone() }),
        None => said,
    };
    let ballot = scan.election.as_ref().zip(scan.ballot.as_ref());
    ballot
        .iter()
        .fold(said, |said, (election, ballot)| said.about(format!("ballot {election}/{ballot}")))
}

fn said_of_set(set: &SetFact) -> Said {
    use crate::ledger::fact::By;
    let id = match set.method {
        By::Manual => "scan-undone",
        By::Supervisor => "ballot-set",
        By::Import => "ballot-imported",
    };
    let said = Said::new("ballot", id)
        .by(&set.who)
        .about(format!("ballot {}/{}", set.election, set.ballot))
        .about(format!("{} to {}", set.from, set.to));
    let said =
        set.confirmed_by.iter().fold(said, |said, who| said.about(format!("confirmed by {who}")));
    set.corrects.iter().fold(said, |said, id| said.about(format!("corrects event {id}")))
}

fn said_of_relay(fact: &Fact) -> Option<Said> {
    let rows = |of: &[i64]| {
        let rows: Vec<_> = of.iter().map(ToString::to_string).collect();
        format!("of rows {}", rows.join(", "))
    };
    Some(match fact {
        Fact::Released { changes } => {
            let of: Vec<_> = changes.iter().map(|release| release.of).collect();
            Said::new("relay", "changes-released").about(rows(&of))
        }
        Fact::Delivered { of } => Said::new("relay", "changes-delivered").about(rows(of)),
        Fact::SetAside { of, why } => Said {
            disposition: "failure",
            ..Said::new("relay", "change-set-aside").about(rows(&[*of])).about(why)
        },
        Fact::Retried { of, who } => Said::new("relay", "changes-retried").by(who).about(rows(of)),
        Fact::Dropped { of, who, .. } => {
            Said::new("relay", "change-dropped").by(who).about(rows(&[*of]))
        }
        _ => return None,
    })
}

/// Of an operator's password and badge nothing is said.
fn said_of_people(fact: &Fact) -> Said {
    match fact {
        Fact::OperatorAdded(added) => Said::new("operator", "operator-added")
            .by(&added.who)
            .about(format!("operator {}, {}", added.operator, added.role.name())),
        Fact::OperatorDisabled { operator, who } => {
            Said::new("operator", "operator-disabled").by(who).about(format!("operator {operator}"))
        }
        Fact::Tokens { operator, act, who } => match act {
            TokenAct::Made => Said::new("operator", "token-made").about(format!("of {operator}")),
            TokenAct::Revoked { n } => {
                Said::new("operator", "tokens-revoked").about(format!("{n} of {operator}"))
            }
        }
        .by(who),
        Fact::Refused(refusal) => Said {
            disposition: "failure",
            ..Said::new("operator", "act-refused")
                .by(&refusal.who)
                .about(format!("{}: {}", refusal.what, refusal.why))
        },
        Fact::Acted(Act { what, of, who }) => Said::new("operator", "act-done")
            .by(who)
            .about(of.as_ref().map_or_else(|| what.clone(), |of| format!("{what}: {of}"))),
        Fact::Proposed { what, who } => {
            let what = match what {
                TwoPersonAct::SetBallot { election, ballot, to, .. } => {
                    format!("ballot {election}/{ballot} to {to}")
                }
                TwoPersonAct::ReverseBatch { batch, .. } => format!("reverse batch {batch}"),
            };
            Said::new("operator", "act-proposed").by(who).about(what)
        }
        Fact::SheetsRenewed { generation, who } => Said::new("operator", "sheets-renewed")
            .by(who)
            .about(format!("generation {generation}")),
        Fact::Decided(decided) => {
            let (disposition, word) = match decided.decision {
                Decision::Confirmed => ("success", "confirmed"),
                Decision::Declined => ("failure", "declined"),
            };
            let said = Said::new("operator", "act-decided").by(&decided.who);
            Said { disposition, ..said.about(format!("{word}: row {}", decided.proposal)) }
        }
        Fact::Checkpointed(checkpoint) => {
            Said::new("ledger", "checkpoint").about(format!("of row {}", checkpoint.of))
        }
        _ => Said::new("ledger", "checkpoint"),
    }
}

/// The id of a scan of that verdict, and what it means.
const fn scanned(verdict: Verdict) -> (&'static str, &'static str) {
    match verdict {
        Verdict::Received => ("scan-received", "The ballot was marked received."),
        Verdict::Accepted => ("scan-accepted", "The ballot was marked accepted."),
        Verdict::NeedsAttention => {
            ("scan-needs-attention", "The ballot was marked as needing the voter.")
        }
        Verdict::Undeliverable => ("scan-undeliverable", "The ballot was marked undeliverable."),
        Verdict::AlreadyReceived => {
            ("scan-already-received", "The ballot stood there already, or further.")
        }
        Verdict::Held => ("scan-held", "The envelope waits for a supervisor."),
        Verdict::Found => ("scan-found", "Somebody looked where the ballot stands."),
        Verdict::NotIssued => ("scan-not-issued", "No such ballot was issued."),
        Verdict::Voided => ("scan-voided", "The ballot had been voided."),
        Verdict::Refused => ("scan-refused", "The rules do not allow this move."),
        Verdict::WrongElection => ("scan-wrong-election", "The envelope is another election's."),
        Verdict::Late => {
            ("scan-late", "The envelope came after the deadline and waits for a supervisor.")
        }
        Verdict::OutboundPiece => {
            ("scan-outbound-piece", "The packet to the voter, not a return envelope.")
        }
        Verdict::Ambiguous => ("scan-ambiguous", "Two different ballots on one face."),
        Verdict::Unreadable => {
            ("scan-unreadable", "No envelope format holds, or it is no ballot mail.")
        }
        Verdict::Command => ("scan-command", "A command symbol of the station's own sheet."),
        Verdict::Fault => ("scan-fault", "It was not known whether the scan was recorded."),
    }
}

fn scanned_ids() -> impl Iterator<Item = (&'static str, &'static str)> {
    Verdict::ALL.into_iter().map(scanned)
}

/// What types and ids mean.
pub(super) fn documentation(
    reader: &Reader,
    as_of: Micros,
    out: &mut dyn io::Write,
) -> Result<Exported, ExportError> {
    let ids: Vec<_> = IDS
        .into_iter()
        .chain(scanned_ids())
        .map(|(id, description)| {
            serde_json::json!({"@type": "EventLogging.EventIdDescription", "Id": id, "Description": description})
        })
        .collect();
    let types = TYPES.map(|(kind, description)| {
        serde_json::json!({"@type": "EventLogging.EventTypeDescription", "Type": kind, "Description": description})
    });
    let rows = u64::try_from(ids.len() + types.len()).unwrap_or(u64::MAX);
    let document = serde_json::json!({
        "@type": "EventLogging.ElectionEventLogDocumentation",
        "DeviceManufacturer": PRODUCT,
        "DeviceModel": PRODUCT,
        "DeviceVersion": env!("CARGO_PKG_VERSION"),
        "GeneratedDate": reader.zone.date(as_of),
        "EventIdDescription": ids,
        "EventTypeDescription": types,
    });
    let text = serde_json::to_string(&document).map_err(ExportError::Json)?;
    writeln!(out, "{text}").map_err(ExportError::Write)?;
    Ok(Exported { rows, ..Exported::default() })
}
