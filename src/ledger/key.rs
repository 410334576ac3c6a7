//! The station's secret: it proves whose ledger this is, and keys the MAC of payloads that name no ballot.

use crate::sheet::{Code, SEAL_DIGITS, TAG_DIGITS, base32};
use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::{Digest as _, Sha256};
use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

const SEED_BYTES: usize = 32;

/// Bytes of an Ed25519 signature.
pub(super) const SIGNATURE_BYTES: usize = 64;

/// Keeps the MAC's key apart from the signing key that it is derived from.
const MAC_PURPOSE: &[u8] = b"ballot-intake payload mac v1";

/// The same for the seals of command sheets: no other secret of the station makes one, nor is one made by them.
const SEAL_PURPOSE: &[u8] = b"ballot-intake command sheet seal v1";

/// Bytes of a seal.
const SEAL_BYTES: usize = 10;

/// Why there is no station key.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The file cannot be made.
    #[error("cannot make the signing key {path}")]
    Make {
        /// The file.
        path: PathBuf,
        /// What went wrong.
        #[source]
        source: io::Error,
    },
    /// There is a ledger that was begun with it, and it is not there.
    #[error(
        "the signing key {path} is not there: put its copy back, a new one signs for another ledger"
    )]
    Missing {
        /// The file.
        path: PathBuf,
    },
    /// The file cannot be read.
    #[error("cannot read the signing key {path}")]
    Read {
        /// The file.
        path: PathBuf,
        /// What went wrong.
        #[source]
        source: io::Error,
    },
    /// The file holds something else.
    #[error("the signing key {path} does not hold {SEED_BYTES} bytes")]
    Length {
        /// The file.
        path: PathBuf,
    },
    /// The operating system gave no random bytes.
    #[error("no random bytes for a signing key")]
    Random(#[source] getrandom::Error),
}

/// The station's secret key.
pub(super) struct StationKey {
    signing: SigningKey,
    mac: Hmac<Sha256>,
    seal: Hmac<Sha256>,
}

impl std::fmt::Debug for StationKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "StationKey({})", self.public_key())
    }
}

impl StationKey {
    /// Reads the key, or makes it, mode 0600, if the file is not there.
    pub(super) fn open(path: &Path) -> Result<Self, KeyError> {
        match File::open(path) {
            Ok(file) => read(file, path),
            Err(e) if e.kind() == io::ErrorKind::NotFound => make(path),
            Err(source) => Err(KeyError::Read { path: path.to_owned(), source }),
        }
    }

    /// Reads the key of a ledger that was begun: a new one would be another's.
    pub(super) fn of_begun(path: &Path) -> Result<Self, KeyError> {
        match File::open(path) {
            Ok(file) => read(file, path),
            Err(e) if e.kind() == io::ErrorKind::NotFound => {
                Err(KeyError::Missing { path: path.to_owned() })
            }
            Err(source) => Err(KeyError::Read { path: path.to_owned(), source }),
        }
    }

    fn from_seed(seed: &[u8; SEED_BYTES]) -> Self {
        let [mac, seal] = [MAC_PURPOSE, SEAL_PURPOSE].map(|purpose| keyed(purpose, seed));
        Self { signing: SigningKey::from_bytes(seed), mac, seal }
    }

    /// By what this station's sheets are told from another's: the first 20 bits of the public key.
    pub(super) fn sheet_tag(&self) -> String {
        let key = self.signing.verifying_key();
        let first =
            key.as_bytes().iter().take(3).fold(0, |bits, byte| bits << 8 | u128::from(*byte));
        base32(first >> 4, TAG_DIGITS)
    }

    /// The seal of a command's code: the first 80 bits of HMAC-SHA256 over all before it.
    pub(super) fn seal(&self, sealed: &str) -> String {
        let mut mac = self.seal.clone();
        mac.update(sealed.as_bytes());
        let first = mac.finalize().into_bytes();
        let first = first.iter().take(SEAL_BYTES);
        base32(first.fold(0, |bits, byte| bits << 8 | u128::from(*byte)), SEAL_DIGITS)
    }

    /// Whether that is the code's seal. How long this takes does not tell how much of it is right.
    pub(super) fn sealed(&self, code: &Code<'_>) -> bool {
        let right = self.seal(code.sealed);
        let differs = right.bytes().zip(code.seal.bytes()).fold(0, |all, (a, b)| all | (a ^ b));
        right.len() == code.seal.len() && differs == 0
    }

    /// The public key, 64 hexadecimal digits.
    pub(super) fn public_key(&self) -> String {
        hex(self.signing.verifying_key().as_bytes())
    }

    /// The public key.
    pub(super) fn public(&self) -> PublicKey {
        PublicKey(self.signing.verifying_key())
    }

    /// Ed25519 (RFC 8032) over the text.
    pub(super) fn sign(&self, text: &[u8]) -> [u8; SIGNATURE_BYTES] {
        self.signing.sign(text).to_bytes()
    }

    /// HMAC-SHA256 of a payload, 64 hexadecimal digits.
    pub(super) fn mac(&self, payload: &[u8]) -> String {
        let mut mac = self.mac.clone();
        mac.update(payload);
        hex(&mac.finalize().into_bytes())
    }
}

/// HMAC-SHA256 under a key of its own for that purpose.
fn keyed(purpose: &[u8], seed: &[u8; SEED_BYTES]) -> Hmac<Sha256> {
    let key = Sha256::new().chain_update(purpose).chain_update(seed).finalize();
    // HMAC fills a key up to its block of 64 bytes with zeros (RFC 2104).
    let mut block = [0; 64];
    block.iter_mut().zip(key).for_each(|(to, from)| *to = from);
    Hmac::<Sha256>::new(&block.into())
}

/// A station's public key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PublicKey(VerifyingKey);

impl PublicKey {
    /// Reads 64 hexadecimal digits.
    pub fn from_hex(digits: &str) -> Option<Self> {
        let mut bytes = [0; SEED_BYTES];
        let mut digits = digits.chars();
        for byte in &mut bytes {
            let (high, low) = (digits.next()?.to_digit(16)?, digits.next()?.to_digit(16)?);
            *byte = u8::try_from(high << 4 | low).ok()?;
        }
        digits.next().is_none().then(|| VerifyingKey::from_bytes(&bytes).ok().map(Self))?
    }

    /// The key as RFC 8032 writes it.
    pub(super) fn bytes(&self) -> &[u8; SEED_BYTES] {
        self.0.as_bytes()
    }

    /// Whether this key made the signature over the text.
    pub(super) fn holds(&self, text: &[u8], signature: &[u8; SIGNATURE_BYTES]) -> bool {
        self.0.verify_strict(text, &Signature::from_bytes(signature)).is_ok()
    }
}

impl std::fmt::Display for PublicKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&hex(self.bytes()))
    }
}

fn read(mut file: File, path: &Path) -> Result<StationKey, KeyError> {
    let mut seed = [0; SEED_BYTES];
    let mut more = [0; 1];
    let at = |source: io::Error| match source.kind() {
        io::ErrorKind::UnexpectedEof => KeyError::Length { path: path.to_owned() },
        _ => KeyError::Read { path: path.to_owned(), source },
    };
    file.read_exact(&mut seed).map_err(at)?;
    match file.read(&mut more).map_err(at)? {
        0 => Ok(StationKey::from_seed(&seed)),
        _ => Err(KeyError::Length { path: path.to_owned() }),
    }
}

/// Writes a new key beside the file first, so that a power cut leaves all of it or nothing.
fn make(path: &Path) -> Result<StationKey, KeyError> {
    let mut seed = [0; SEED_BYTES];
    getrandom::fill(&mut seed).map_err(KeyError::Random)?;
    let beside = path.with_extension("new");
    let write = || -> io::Result<()> {
        let mut file =
            OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&beside)?;
        file.write_all(&seed)?;
        file.sync_all()?;
        std::fs::rename(&beside, path)?;
        // The parent of a bare name is the empty path.
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        File::open(folder.unwrap_or_else(|| Path::new(".")))?.sync_all()
    };
    write().map_err(|source| KeyError::Make { path: path.to_owned(), source })?;
    Ok(StationKey::from_seed(&seed))
}

/// Lower-case hexadecimal digits.
pub(super) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a string cannot fail.
        if write!(text, "{byte:02x}").is_err() {
            text.clear();
        }
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn a_key_is_made_once_and_for_its_owner_only() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("signing.key");
        let made = StationKey::open(&path).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let read = StationKey::open(&path).unwrap();
        assert_eq!(read.public_key(), made.public_key());
        assert_eq!(read.mac(b"D1234567"), made.mac(b"D1234567"));
        assert_ne!(read.mac(b"D1234567"), made.mac(b"D1234568"));
    }

    #[test]
    fn a_key_of_another_length_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("signing.key");
        for length in [0, 31, 33] {
            std::fs::write(&path, vec![7; length]).unwrap();
            let error = StationKey::open(&path).map(|_| ()).unwrap_err();
            assert!(matches!(error, KeyError::Length { .. }), "{length}: {error}");
        }
    }
}
