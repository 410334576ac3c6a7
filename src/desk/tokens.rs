//! Tokens with which an auditor's own programs read the API, and change nothing.
//!
//! A token is 256 random bits, shown once. What is kept is its SHA-256, with an operator's name, a line each, in a file beside the
//! ledger that its owner alone reads: no secret is in the ledger, in the configuration or in a log. It is read at each request, so a
//! token that is revoked ends at once; so do those of an operator who is disabled.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

/// Random bytes of a token.
const TOKEN_BYTES: usize = 32;

/// What a token begins with, so that it is known where it does not belong.
const PREFIX: &str = "bit_";

/// Most tokens of a station.
const TOKENS_MAX: usize = 256;

/// Longest file of them, in bytes.
const FILE_BYTES_MAX: u64 = 64 << 10;

/// A token as it is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Kept {
    operator: String,
    sha256: String,
}

/// Why there is no token.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// The file cannot be read or written.
    #[error("cannot use the file of tokens {path}")]
    File {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        #[source]
        source: io::Error,
    },
    /// There are too many.
    #[error("there are {TOKENS_MAX} tokens: revoke some first")]
    TooMany,
    /// The operating system gave no random bytes.
    #[error("the operating system gave no random bytes")]
    Random(#[source] getrandom::Error),
}

/// Where the tokens of a ledger's station are kept.
fn file_of(ledger: &Path) -> PathBuf {
    let mut path = ledger.as_os_str().to_owned();
    path.push(".tokens");
    path.into()
}

/// A new token of an operator, who may have several. It is not shown again.
pub fn issue(ledger: &Path, operator: &str) -> Result<String, TokenError> {
    let mut tokens = read(ledger)?;
    if tokens.len() >= TOKENS_MAX {
        return Err(TokenError::TooMany);
    }
    let mut random = [0; TOKEN_BYTES];
    getrandom::fill(&mut random).map_err(TokenError::Random)?;
    let token = format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(random));
    tokens.push(Kept { operator: operator.to_owned(), sha256: hash(&token) });
    write(ledger, &tokens)?;
    Ok(token)
}

/// Ends all tokens of an operator; how many there were.
pub fn revoke(ledger: &Path, operator: &str) -> Result<usize, TokenError> {
    let mut tokens = read(ledger)?;
    let before = tokens.len();
    tokens.retain(|kept| kept.operator != operator);
    if tokens.len() < before {
        write(ledger, &tokens)?;
    }
    Ok(before - tokens.len())
}

/// The operator whose token that is.
pub(super) fn holder(ledger: &Path, token: &str) -> Option<String> {
    let sha256 = hash(token);
    // What is compared is the hash of what was sent: how long it takes tells nothing of a token.
    let tokens = read(ledger).ok()?;
    tokens.into_iter().find(|kept| kept.sha256 == sha256).map(|kept| kept.operator)
}

fn hash(token: &str) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(token.as_bytes()))
}

fn read(ledger: &Path) -> Result<Vec<Kept>, TokenError> {
    let path = file_of(ledger);
    let outcome = match fs::metadata(&path) {
        Ok(found) if found.len() > FILE_BYTES_MAX => Err(io::ErrorKind::FileTooLarge.into()),
        Ok(_) => fs::read_to_string(&path),
        Err(none) if none.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => Err(error),
    };
    let lines = outcome.and_then(|text| {
        text.lines().map(|line| serde_json::from_str(line).map_err(io::Error::other)).collect()
    });
    lines.map_err(|source| TokenError::File { path, source })
}

/// Replaces the file as a whole.
fn write(ledger: &Path, tokens: &[Kept]) -> Result<(), TokenError> {
    let path = file_of(ledger);
    let mut new = path.as_os_str().to_owned();
    new.push(".new");
    let new = PathBuf::from(new);
    let replace = || -> io::Result<()> {
        let mut file =
            OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&new)?;
        for kept in tokens {
            writeln!(file, "{}", serde_json::to_string(kept).map_err(io::Error::other)?)?;
        }
        file.sync_all()?;
        fs::rename(&new, &path)
    };
    replace().map_err(|source| TokenError::File { path: path.clone(), source })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_its_holders_until_it_is_revoked_and_is_kept_nowhere() {
        let dir = tempfile::tempdir().unwrap();
        let ledger = dir.path().join("ledger.sqlite");
        let (first, second) = (issue(&ledger, "ann").unwrap(), issue(&ledger, "bob").unwrap());
        assert_eq!(holder(&ledger, &first).as_deref(), Some("ann"));
        assert_eq!(holder(&ledger, &second).as_deref(), Some("bob"));
        assert_eq!(holder(&ledger, "bit_"), None);
        let kept = fs::read_to_string(file_of(&ledger)).unwrap();
        assert!(!kept.contains(first.trim_start_matches(PREFIX)), "{kept}");
        assert_eq!(revoke(&ledger, "ann").unwrap(), 1);
        assert_eq!(holder(&ledger, &first), None);
        assert_eq!(holder(&ledger, &second).as_deref(), Some("bob"));
    }
}
