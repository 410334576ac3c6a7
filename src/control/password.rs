//! Passwords of operators: what is accepted as one, and the one door to Argon2.

use crate::coded::{Coded, Refuses, coded};
use crate::ledger::Secret;
use argon2::password_hash::{PasswordHasher as _, PasswordVerifier as _, phc::PasswordHash};
use argon2::{Algorithm, Argon2, Params, Version};

/// Shortest password, in characters.
const CHARACTERS_MIN: usize = 8;

/// Longest password, in bytes.
pub const PASSWORD_BYTES_MAX: usize = 1_024;

/// Memory, passes and lanes: the second of the equally strong settings for Argon2id in OWASP's Password Storage Cheat Sheet.
const MEMORY_KIB: u32 = 19_456;
const PASSES: u32 = 2;
const LANES: u32 = 1;

const SALT_BYTES: usize = 16;

/// What was given is no password: it is too short or too long.
#[derive(Debug, thiserror::Error)]
#[error(
    "a password has at least {CHARACTERS_MIN} characters and at most {PASSWORD_BYTES_MAX} bytes"
)]
pub(super) struct NoPassword;

impl Refuses for NoPassword {
    fn coded(&self) -> Coded {
        coded("password", &[("least", &CHARACTERS_MIN), ("most", &PASSWORD_BYTES_MAX)])
    }
}

/// Why there is no hash of a password.
#[derive(Debug, thiserror::Error)]
pub(super) enum PasswordError {
    /// It is too short or too long.
    #[error(transparent)]
    Length(NoPassword),
    /// The operating system gave no random bytes.
    #[error("no random bytes for a salt")]
    Random(#[source] getrandom::Error),
    /// Argon2 failed.
    #[error("the password cannot be hashed: {0}")]
    Hash(argon2::password_hash::Error),
}

/// The Argon2id hash of a new password, in the PHC string format. Takes some 20 ms and 19 MiB.
pub(super) fn hash(password: &Secret) -> Result<Secret, PasswordError> {
    let text = password.as_str();
    if text.chars().count() < CHARACTERS_MIN || text.len() > PASSWORD_BYTES_MAX {
        return Err(PasswordError::Length(NoPassword));
    }
    let mut salt = [0; SALT_BYTES];
    getrandom::fill(&mut salt).map_err(PasswordError::Random)?;
    let hash: PasswordHash = argon2()
        .and_then(|argon2| argon2.hash_password_with_salt(text.as_bytes(), &salt))
        .map_err(PasswordError::Hash)?;
    Ok(Secret::new(hash.to_string()))
}

/// Whether this is the password of that hash. Without a hash it is not, after the same work.
pub(super) fn is_of(password: &Secret, hash: Option<&Secret>) -> bool {
    let password = password.as_str();
    if password.len() > PASSWORD_BYTES_MAX {
        return false;
    }
    let Ok(argon2) = argon2() else { return false };
    if let Some(hash) = hash {
        return argon2.verify_password(password.as_bytes(), hash.as_str()).is_ok();
    }
    let hashed: Result<PasswordHash, _> =
        argon2.hash_password_with_salt(password.as_bytes(), &[0; SALT_BYTES]);
    drop(hashed);
    false
}

fn argon2() -> Result<Argon2<'static>, argon2::password_hash::Error> {
    let params = Params::new(MEMORY_KIB, PASSES, LANES, None)?;
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(text: &str) -> Secret {
        Secret::new(text.to_owned())
    }

    #[test]
    fn a_password_is_known_by_its_hash_alone() {
        let password = secret("correct horse");
        let first = hash(&password).unwrap();
        let settings = format!("$argon2id$v=19$m={MEMORY_KIB},t={PASSES},p={LANES}$");
        assert!(first.as_str().starts_with(&settings), "{}", first.as_str());
        assert_ne!(hash(&password).unwrap(), first, "each has its own salt");
        assert!(is_of(&password, Some(&first)));
        assert!(!is_of(&secret("correct horsf"), Some(&first)));
        assert!(!is_of(&password, Some(&secret("$argon2id$none"))));
        assert!(!is_of(&password, None));
    }

    #[test]
    fn a_password_is_not_too_short_and_not_too_long() {
        for text in ["", "1234567", &"x".repeat(PASSWORD_BYTES_MAX + 1)] {
            let error = hash(&secret(text)).unwrap_err();
            assert!(matches!(error, PasswordError::Length(NoPassword)), "{error}");
            assert!(!is_of(&secret(text), None));
        }
    }
}
