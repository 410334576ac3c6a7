//! The made-up election office of the demonstration: its ballots, its envelopes and what its clerk scans.

use crate::cli::faces::{self, FaceError};
use crate::envelope::Check;
use crate::scan::Symbology;

/// The office's facility, station, election and envelope formats.
pub(super) const CONFIG: &str = include_str!("../../../fixtures/sessions/office.toml");

/// A session at the counter: what the clerk's scanner sends, and what each scan comes to.
pub(super) const SESSION: &[u8] = include_bytes!("../../../fixtures/sessions/counter.jsonl");

/// Ballots issued. The clerk scans the first 195 of them; the last two are one voter's.
const BALLOTS: u64 = 300;

/// One ballot in so many was voided.
const VOIDED_EVERY: u64 = 50;

/// The election.
const ELECTION: &str = "202611";

/// Ballot numbers as they come from a county's own generator: without order, and none twice, for the modulus is a prime.
const SEED: u64 = 202_611_417;
const STEP: u64 = 381_966_011;
const MODULUS: u64 = 999_999_937;

/// The symbols of a face: of each its symbology and the number of its ballot.
pub(super) type Symbols = &'static [(Symbology, u64)];

/// What stands on the envelopes that are photographed.
pub(super) const PICTURES: [Symbols; 8] = [
    &[(Symbology::Code128, 210)],
    &[(Symbology::DataMatrix, 211)],
    &[(Symbology::Qr, 212)],
    &[(Symbology::Pdf417, 213)],
    &[(Symbology::Itf, 214), (Symbology::Qr, 214)],
    &[(Symbology::Code39, 215)],
    &[(Symbology::Code128, 216), (Symbology::DataMatrix, 217)],
    &[],
];

/// The mail ballot file, in the generic layout.
pub(super) fn mail_ballot_file() -> String {
    let head = "ballot,voter,imb,style,status,reason\n".to_owned();
    (0..BALLOTS).fold(head, |text, n| text + &row(n))
}

fn row(n: u64) -> String {
    let voter = 5_000_000 + 13 * n.min(BALLOTS - 2);
    let is_voided = n % VOIDED_EVERY == VOIDED_EVERY - 1 && n + 1 < BALLOTS;
    let status = if is_voided { "voided,voted in person" } else { "mailed," };
    let (ballot, serial, style) = (ballot(n), 100_000 + n, n % 7 + 1);
    format!("{ballot},{voter},901234567{serial},{style:03},{status}\n")
}

/// Draws the picture of that number.
pub(super) fn picture(seed: u64, symbols: Symbols) -> Result<Vec<u8>, FaceError> {
    let payloads: Vec<(Symbology, String)> =
        symbols.iter().map(|(symbology, n)| (*symbology, payload(*n))).collect();
    let symbols: Vec<(Symbology, &str)> =
        payloads.iter().map(|(symbology, payload)| (*symbology, payload.as_str())).collect();
    faces::draw(&symbols, seed)
}

/// What the county's symbol of a ballot says.
pub(super) fn payload(n: u64) -> String {
    let body = format!("{ELECTION}{}", ballot(n));
    let check = Check::Luhn.characters(&body).unwrap_or_default();
    body + &check
}

/// The ballot of that number.
pub(super) fn ballot(n: u64) -> String {
    format!("{:09}", (SEED + n * STEP) % MODULUS)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scanner::recording::{Expect, Recording};

    #[test]
    fn the_fixture_is_the_file_that_the_demonstration_imports() {
        assert_eq!(mail_ballot_file(), include_str!("../../../fixtures/sessions/office.csv"));
    }

    #[test]
    fn the_session_has_something_of_everything() {
        let steps = Recording::parse(SESSION).unwrap().steps;
        let n = |expect| steps.iter().filter(|step| step.expect == Some(expect)).count();
        let all = [Expect::Good, Expect::Notice, Expect::Bad, Expect::Repeat].map(n);
        assert_eq!(all.iter().sum::<usize>(), steps.len(), "a step expects nothing");
        assert!(all.iter().all(|n| *n >= 5), "{all:?}");
    }

    #[test]
    fn no_picture_is_of_a_ballot_that_the_clerk_scans() {
        let session = String::from_utf8_lossy(SESSION);
        for (_, n) in PICTURES.into_iter().flatten() {
            assert!(!session.contains(&payload(*n)), "{n}");
        }
    }
}
