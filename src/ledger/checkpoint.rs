//! Checkpoints: the head of the chain, signed, in a form that is kept elsewhere: in a file, with the relay, or on paper.
//!
//! The file is a signed note (C2SP signed-note) whose text has the three lines of a log's checkpoint (C2SP tlog-checkpoint):
//! origin, row number, base64 of the row's hash. That hash is the chain's, not the root of a tree. On paper stand the row number
//! and the first 80 bits of the hash, in the base32 of RFC 4648.

use super::book::Head;
use super::key::{PublicKey, SIGNATURE_BYTES, StationKey, hex};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// Longest note that is read, in bytes.
const NOTE_BYTES_MAX: usize = 64 * 1024;

/// Signatures of a note that are looked at.
const SIGNATURES_MAX: usize = 16;

/// The type of an Ed25519 signature (C2SP signed-note, "Signature types").
const ED25519: u8 = 0x01;

/// Bytes of a hash that stand on paper.
const PAPER_BYTES: usize = 10;

/// Characters that these are on paper.
const PAPER_LETTERS: usize = PAPER_BYTES * 8 / 5;

/// RFC 4648, section 6. It has no 0, 1, 8 and 9.
const BASE32: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/// A checkpoint, for whoever keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checkpoint {
    /// Whose ledger: `ballot-intake/<facility>/<station>`.
    pub origin: String,
    /// The row that it covers, and with it all before.
    pub seq: i64,
    /// The hash of that row, hexadecimal.
    pub hash: String,
    /// What stands on paper: `<seq> XXXX-XXXX-XXXX-XXXX`.
    pub paper: String,
    /// The signed note.
    pub note: String,
    /// The station's public key, by which it is checked: 64 hexadecimal digits. Empty in what an older program said.
    #[serde(default)]
    pub key: Box<str>,
}

/// A checkpoint that was kept elsewhere, to hold a ledger against.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    seq: i64,
    kept: Kept,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Kept {
    Note(Note),
    Paper([u8; PAPER_LETTERS]),
}

/// Why a text is no checkpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum HeldError {
    /// Neither form.
    #[error(
        "it is neither a signed note nor a row number and 16 letters such as 1234 ABCD-EFGH-IJKL-MNOP"
    )]
    Form,
    /// A note, but not one of a ledger.
    #[error("its note does not say origin, row number and hash")]
    Text,
    /// A note without a signature that can be read.
    #[error("its note has no signature")]
    Signature,
}

impl Held {
    /// Reads a note, the answer of `ledger checkpoint --json`, or what stands on paper.
    pub fn parse(text: &str) -> Result<Self, HeldError> {
        if text.len() > NOTE_BYTES_MAX {
            return Err(HeldError::Form);
        }
        if let Some((seq, letters)) = paper(text) {
            return Ok(Self { seq, kept: Kept::Paper(letters) });
        }
        let note = match serde_json::from_str::<Checkpoint>(text) {
            Ok(answer) => Note::parse(&answer.note)?,
            Err(_) => Note::parse(&text.replace("\r\n", "\n"))?,
        };
        Ok(Self { seq: note.seq, kept: Kept::Note(note) })
    }

    /// The row that it covers.
    pub const fn seq(&self) -> i64 {
        self.seq
    }

    /// Whether it says this of row [`Held::seq`].
    pub(super) fn fits(&self, hash: &[u8; 32]) -> bool {
        match &self.kept {
            Kept::Note(note) => note.hash == *hash,
            Kept::Paper(read) => {
                letters(hash).iter().zip(read).all(|(ours, theirs)| alike(*ours) == alike(*theirs))
            }
        }
    }

    /// Of what stands on paper, where most letters are those of that row: the groups that are not, by their place and as they were
    /// read. By chance hardly one letter in thirty fits.
    pub(super) fn misread(&self, hash: &[u8; 32]) -> Option<String> {
        let Kept::Paper(read) = &self.kept else { return None };
        let ours = letters(hash).map(alike);
        let theirs = read.map(alike);
        let n_alike = ours.iter().zip(&theirs).filter(|(ours, theirs)| ours == theirs).count();
        let groups = ours.chunks(4).zip(theirs.chunks(4)).zip(read.chunks(4)).zip(1..);
        let differing = groups.filter(|(((ours, theirs), _), _)| ours != theirs);
        let named: Vec<_> = differing
            .map(|((_, read), place)| format!("{place} ({})", String::from_utf8_lossy(read)))
            .collect();
        (n_alike > PAPER_LETTERS / 2 && !named.is_empty()).then(|| named.join(", "))
    }

    /// Whose ledger it says to be of, and whether this key signed it; nothing of what stands on paper.
    pub(super) fn signer(&self, key: &PublicKey) -> Option<(&str, bool)> {
        match &self.kept {
            Kept::Note(note) => Some((&note.origin, note.is_signed_by(key))),
            Kept::Paper(_) => None,
        }
    }
}

/// The name under which a station signs.
pub(super) fn origin(facility: &str, station: &str) -> String {
    format!("ballot-intake/{}/{}", encoded(facility), encoded(station))
}

/// A key's name has no space and no plus (C2SP signed-note, "Format"); what an address may not hold is left out, too.
fn encoded(id: &str) -> String {
    id.bytes()
        .map(|byte| match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                char::from(byte).to_string()
            }
            other => format!("%{other:02X}"),
        })
        .collect()
}

/// A signed note over a row of the chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Note {
    pub(super) origin: String,
    pub(super) seq: i64,
    pub(super) hash: [u8; 32],
    text: String,
    signatures: Vec<Signature>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Signature {
    name: String,
    key_id: [u8; 4],
    bytes: [u8; SIGNATURE_BYTES],
}

impl Note {
    /// Signs that the chain of this ledger ends there.
    pub(super) fn sign(origin: &str, head: Head, key: &StationKey) -> Self {
        let text = format!("{origin}\n{}\n{}\n", head.seq, STANDARD.encode(head.hash));
        let signature = Signature {
            name: origin.to_owned(),
            key_id: key_id(origin, &key.public()),
            bytes: key.sign(text.as_bytes()),
        };
        let (origin, Head { seq, hash }) = (origin.to_owned(), head);
        Self { origin, seq, hash, text, signatures: vec![signature] }
    }

    /// Reads a note. Lines of other signers are left alone.
    pub(super) fn parse(note: &str) -> Result<Self, HeldError> {
        let cut = note.rfind("\n\n").ok_or(HeldError::Form)?;
        let (text, signatures) = note.split_at_checked(cut + 1).ok_or(HeldError::Form)?;
        let mut lines = text.lines();
        let (Some(origin), Some(seq), Some(hash)) = (lines.next(), lines.next(), lines.next())
        else {
            return Err(HeldError::Text);
        };
        let number: i64 = seq.parse().ok().ok_or(HeldError::Text)?;
        let hash = STANDARD.decode(hash).ok().and_then(|hash| hash.try_into().ok());
        let hash: [u8; 32] = hash.ok_or(HeldError::Text)?;
        if origin.is_empty() || number < 1 || number.to_string() != seq {
            return Err(HeldError::Text);
        }
        let signatures: Vec<Signature> =
            signatures.lines().filter_map(Signature::parse).take(SIGNATURES_MAX).collect();
        if signatures.is_empty() {
            return Err(HeldError::Signature);
        }
        let (origin, text) = (origin.to_owned(), text.to_owned());
        Ok(Self { origin, seq: number, hash, text, signatures })
    }

    /// Whether this key signed it under the origin's name.
    pub(super) fn is_signed_by(&self, key: &PublicKey) -> bool {
        let id = key_id(&self.origin, key);
        let mut known = self
            .signatures
            .iter()
            .filter(|one| one.name == self.origin && one.key_id == id)
            .peekable();
        // One that does not hold spoils the note (C2SP signed-note, "Signatures").
        known.peek().is_some() && known.all(|one| key.holds(self.text.as_bytes(), &one.bytes))
    }

    fn to_text(&self) -> String {
        let mut note = format!("{}\n", self.text);
        for Signature { name, key_id, bytes } in &self.signatures {
            let blob = STANDARD.encode([key_id.as_slice(), bytes].concat());
            note.push_str(&["\u{2014} ", name, " ", &blob, "\n"].concat());
        }
        note
    }

    pub(super) fn to_checkpoint(&self, key: &PublicKey) -> Checkpoint {
        Checkpoint {
            origin: self.origin.clone(),
            seq: self.seq,
            hash: hex(&self.hash),
            paper: on_paper(self.seq, &self.hash),
            note: self.to_text(),
            key: key.to_string().into(),
        }
    }
}

impl Signature {
    fn parse(line: &str) -> Option<Self> {
        let (name, blob) = line.strip_prefix("\u{2014} ")?.split_once(' ')?;
        let blob = STANDARD.decode(blob).ok()?;
        let (key_id, bytes) = blob.split_first_chunk::<4>()?;
        let bytes = <[u8; SIGNATURE_BYTES]>::try_from(bytes).ok()?;
        Some(Self { name: name.to_owned(), key_id: *key_id, bytes })
    }
}

/// C2SP signed-note, "Ed25519 signatures".
fn key_id(name: &str, key: &PublicKey) -> [u8; 4] {
    let digest = Sha256::new()
        .chain_update(name)
        .chain_update([b'\n', ED25519])
        .chain_update(key.bytes())
        .finalize();
    let mut id = [0; 4];
    id.iter_mut().zip(digest).for_each(|(to, from)| *to = from);
    id
}

/// What stands on paper for that row.
pub(super) fn on_paper(seq: i64, hash: &[u8; 32]) -> String {
    let letters = letters(hash);
    let groups: Vec<_> = letters.chunks(4).map(String::from_utf8_lossy).collect();
    format!("{seq} {}", groups.join("-"))
}

fn letters(hash: &[u8; 32]) -> [u8; PAPER_LETTERS] {
    let bits =
        hash.iter().take(PAPER_BYTES).fold(0_u128, |bits, byte| bits << 8 | u128::from(*byte));
    let mut letters = [0; PAPER_LETTERS];
    for (place, letter) in letters.iter_mut().rev().enumerate() {
        let index = usize::try_from(bits >> (5 * place) & 31).unwrap_or(0);
        *letter = BASE32.get(index).copied().unwrap_or(b'?');
    }
    letters
}

/// The row and the letters, if that is what the text is. Spaces and hyphens between letters are as people leave them.
fn paper(text: &str) -> Option<(i64, [u8; PAPER_LETTERS])> {
    let (seq, rest) =
        text.trim().split_once(|c: char| c.is_whitespace() || c == '-' || c == ':')?;
    let read: Vec<u8> = rest
        .chars()
        .filter(|c| !c.is_whitespace() && *c != '-')
        .map(|c| u8::try_from(c.to_ascii_uppercase()).unwrap_or(0))
        .collect();
    let is_letter = |letter: &u8| BASE32.contains(&alike(*letter));
    let letters = <[u8; PAPER_LETTERS]>::try_from(read).ok()?;
    let seq = seq.parse().ok().filter(|seq| *seq > 0)?;
    letters.iter().all(is_letter).then_some((seq, letters))
}

/// Characters that are read for one another are one, so that no reading of what was printed is a wrong one.
const fn alike(letter: u8) -> u8 {
    match letter {
        b'0' => b'O',
        b'8' => b'B',
        b'1' | b'L' => b'I',
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the relay's fixture was signed with, by another program.
    const SEED: [u8; 32] = [7; 32];

    fn signed() -> (Note, PublicKey) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("signing.key");
        std::fs::write(&path, SEED).unwrap();
        let key = StationKey::open(&path).unwrap();
        let head = Head { seq: 1_234, hash: Sha256::digest(b"a row").into() };
        (Note::sign(&origin("boulder", "intake-1"), head, &key), key.public())
    }

    #[test]
    fn a_note_has_the_form_of_its_specification() {
        let (note, key) = signed();
        let text = note.to_text();
        let lines: Vec<&str> = text.lines().collect();
        let hash = STANDARD.encode(note.hash);
        assert_eq!(lines[..4], ["ballot-intake/boulder/intake-1", "1234", hash.as_str(), ""]);
        let blob = lines[4].strip_prefix("\u{2014} ballot-intake/boulder/intake-1 ").unwrap();
        let blob = STANDARD.decode(blob).unwrap();
        assert_eq!((lines.len(), blob.len(), text.ends_with('\n')), (5, 4 + 64, true));
        let mut named = b"ballot-intake/boulder/intake-1\n\x01".to_vec();
        named.extend(key.bytes());
        assert_eq!(blob[..4], Sha256::digest(&named)[..4]);
        assert!(key.holds(
            text.split("\n\n").next().map(|t| format!("{t}\n")).unwrap().as_bytes(),
            &blob[4..].try_into().unwrap()
        ));
    }

    #[test]
    fn a_note_is_what_another_program_signs() {
        let fixture = include_str!("../../relay/wire/fixtures/checkpoint.json");
        let fixture: serde_json::Value = serde_json::from_str(fixture).unwrap();
        assert_eq!(signed().0.to_text(), fixture["data"]["note"].as_str().unwrap());
    }

    #[test]
    fn a_note_reads_back_and_holds_as_it_was_written_only() {
        let (note, key) = signed();
        let text = note.to_text();
        assert_eq!(Note::parse(&text), Ok(note.clone()));
        assert!(note.is_signed_by(&key));
        let stranger = text.clone() + "\u{2014} witness.example AAAAAAAA\n";
        assert!(Note::parse(&stranger).unwrap().is_signed_by(&key), "other signers are left alone");
        for (place, _) in text.char_indices() {
            let mut changed = text.clone().into_bytes();
            changed[place] ^= 1;
            let held = String::from_utf8(changed).ok().and_then(|text| Note::parse(&text).ok());
            assert!(!held.is_some_and(|note| note.is_signed_by(&key)), "byte {place}");
        }
    }

    #[test]
    fn paper_is_read_as_people_write_it() {
        let (note, _) = signed();
        let paper = on_paper(note.seq, &note.hash);
        let (seq, letters) = paper.split_once(' ').unwrap();
        assert_eq!((seq, letters.len()), ("1234", 19));
        let plain = letters.replace('-', "");
        for text in [
            paper.clone(),
            paper.to_lowercase(),
            format!("  {seq}  {plain}\n"),
            format!("{seq}: {}", letters.replace('-', " ")),
            paper.replace('O', "0").replace('B', "8").replace(['I', 'L'], "1"),
        ] {
            let held = Held::parse(&text).unwrap();
            assert_eq!(held.seq(), 1_234, "{text}");
            assert!(held.fits(&note.hash), "{text}");
            assert!(!held.fits(&[0; 32]), "{text}");
            assert_eq!(held.misread(&note.hash).or(held.misread(&[0; 32])), None, "{text}");
        }
    }

    #[test]
    fn paper_that_was_misread_says_where() {
        let mut hash = [0; 32];
        hash[..10].copy_from_slice(b"foobarfoob");
        let misread = |text| Held::parse(text).unwrap().misread(&hash);
        assert_eq!(misread("7 MZXW-6YTB-0JTG-633C"), None, "a zero is read as the letter");
        assert_eq!(misread("7 MZXW-6YTB-OJTG-633G").as_deref(), Some("4 (633G)"));
        assert_eq!(misread("7 MZWX-6YTB-OJTG-633G").as_deref(), Some("1 (MZWX), 4 (633G)"));
        assert_eq!(misread("7 AAAA-AAAA-OJTG-633C"), None, "half of it is no misreading");
    }

    #[test]
    fn the_letters_are_those_of_rfc_4648() {
        // Section 10 has BASE32("foobar") = MZXW6YTBOI; ten bytes fill sixteen letters.
        let mut hash = [0; 32];
        hash[..10].copy_from_slice(b"foobarfoob");
        assert_eq!(on_paper(7, &hash), "7 MZXW-6YTB-OJTG-633C");
    }

    #[test]
    fn what_is_no_checkpoint_is_refused() {
        for text in [
            "",
            "1234",
            "0 AAAA-AAAA-AAAA-AAAA",
            "1234 AAAA-AAAA-AAAA-AAA",
            "x AAAA-AAAA-AAAA-AAAA",
            "1234 AAAA-AAAA-AAAA-AAA9",
        ] {
            assert_eq!(Held::parse(text), Err(HeldError::Form), "{text}");
        }
        let (note, _) = signed();
        let text = note.to_text();
        assert_eq!(Held::parse(&text.replace("1234", "01234")), Err(HeldError::Text));
        assert_eq!(Held::parse(&text.replace('\u{2014}', "-")), Err(HeldError::Signature));
        assert!(Held::parse(&text.replace('\n', "\r\n")).is_ok());
    }
}
