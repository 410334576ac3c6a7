//! People of the office: let in with a role and a password, of which the Argon2id hash is kept; access ended.

use super::{acted, counties, sees};
use crate::clock::Micros;
use crate::config::Config;
use crate::params;
use crate::store::{StoreError, Tx};
use crate::web::{Frame, Outcome, Refusal, Role, Visit, end_all};
use argon2::password_hash::{PasswordHasher as _, PasswordVerifier as _, phc::PasswordHash};
use argon2::{Algorithm, Argon2, Params, Version};
use askama::Template;
use std::sync::Arc;

/// Shortest password, in characters.
const CHARACTERS_MIN: usize = 12;

/// Longest password, in bytes.
const PASSWORD_BYTES_MAX: usize = 1_024;

/// Longest name, in characters.
const NAME_CHARS_MAX: usize = 64;

/// Memory, passes and lanes: the second of the equally strong settings for Argon2id in OWASP's Password Storage Cheat Sheet.
const MEMORY_KIB: u32 = 19_456;
const PASSES: u32 = 2;
const LANES: u32 = 1;

const SALT_BYTES: usize = 16;

/// Why nobody is let in.
#[derive(Debug, thiserror::Error)]
pub enum PeopleError {
    /// The password is too short or too long.
    #[error(
        "a password has at least {CHARACTERS_MIN} characters and at most {PASSWORD_BYTES_MAX} bytes"
    )]
    Password,
    /// The name is none.
    #[error("a name has 1 to {NAME_CHARS_MAX} letters, digits, dots, hyphens or spaces")]
    Name,
    /// There is no such county.
    #[error("there is no county {0}; `*` is all of them")]
    County(String),
    /// Somebody has this name already, now or before.
    #[error("there is somebody of this name already")]
    Taken,
    /// The password cannot be hashed.
    #[error("the password cannot be hashed: {0}")]
    Hash(String),
    /// The database does not take it.
    #[error("the database does not take it")]
    Store(#[source] StoreError),
}

/// Somebody who is to be let in.
#[derive(Debug, Clone)]
pub struct Newcomer {
    /// Their name.
    pub name: String,
    /// The county, or `*`.
    pub county: String,
    /// What they may do.
    pub role: Role,
    hash: String,
}

impl Newcomer {
    /// Checks name, county and password.
    pub fn new(
        config: &Config,
        (name, county, role): (&str, &str, Role),
        password: &str,
    ) -> Result<Self, PeopleError> {
        let is_name = |c: char| c.is_alphanumeric() || ". -_'".contains(c);
        if name.is_empty() || name.chars().count() > NAME_CHARS_MAX || !name.chars().all(is_name) {
            return Err(PeopleError::Name);
        }
        if county != "*" && config.county(county).is_none() {
            return Err(PeopleError::County(county.to_owned()));
        }
        let hash = hash(password)?;
        Ok(Self { name: name.to_owned(), county: county.to_owned(), role, hash })
    }
}

/// Lets somebody in; `false` where the name is taken.
pub fn hire(tx: &mut Tx<'_>, newcomer: &Newcomer, now: Micros) -> Result<bool, StoreError> {
    let Newcomer { name, county, role, hash } = newcomer;
    let n = tx.run(
        "INSERT INTO operator (name, county, role, password, created_at) VALUES ($1, $2, $3, $4, $5) \
         ON CONFLICT (name) DO NOTHING",
        params![name, county, role.name(), hash, now],
    )?;
    Ok(n == 1)
}

/// The Argon2id hash of a new password, in the PHC string format.
fn hash(password: &str) -> Result<String, PeopleError> {
    if password.chars().count() < CHARACTERS_MIN || password.len() > PASSWORD_BYTES_MAX {
        return Err(PeopleError::Password);
    }
    let mut salt = [0; SALT_BYTES];
    getrandom::fill(&mut salt).map_err(|error| PeopleError::Hash(error.to_string()))?;
    let hash: PasswordHash = argon2()
        .and_then(|argon2| argon2.hash_password_with_salt(password.as_bytes(), &salt))
        .map_err(|error| PeopleError::Hash(error.to_string()))?;
    Ok(hash.to_string())
}

/// Whether it is the password of that hash, on a thread that may be busy. Without a hash it is not, after the same work. Few are looked
/// at at once, so that nobody without a name fills the memory.
pub(super) async fn fits(
    visit: &Visit,
    hash: Option<String>,
    password: String,
) -> Result<bool, Refusal> {
    let place = Arc::clone(&visit.site.hashing).try_acquire_owned();
    let place = place.map_err(|_full| Refusal::Busy)?;
    let looked = tokio::task::spawn_blocking(move || {
        let is_right = is_of(&password, hash.as_deref());
        drop(place);
        is_right
    });
    looked.await.map_err(|error| Refusal::Failed(error.to_string()))
}

fn is_of(password: &str, hash: Option<&str>) -> bool {
    if password.len() > PASSWORD_BYTES_MAX {
        return false;
    }
    let Ok(argon2) = argon2() else { return false };
    if let Some(hash) = hash {
        return argon2.verify_password(password.as_bytes(), hash).is_ok();
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

/// Somebody, as the page shows them.
#[derive(Debug)]
struct Person {
    name: String,
    county: String,
    role: String,
    is_disabled: bool,
}

#[derive(Template)]
#[template(path = "office_people.html")]
struct List<'v> {
    frame: Frame<'v>,
    people: Vec<Person>,
    counties: Vec<String>,
    roles: [&'static str; 3],
}

/// `GET /office/people`.
pub(super) async fn list(visit: Visit) -> Outcome {
    let (seen, (own, _)) = (counties(&visit)?, visit.operator()?);
    let people = visit
        .read(move |tx| {
            let rows = tx.rows(
                "SELECT name, county, role, disabled_at FROM operator WHERE county LIKE $1 ORDER BY name",
                params![&seen],
            )?;
            let person = |row: &crate::store::Row| {
                Ok(Person {
                    name: row.text(0)?,
                    county: row.text(1)?,
                    role: row.text(2)?,
                    is_disabled: row.maybe_at(3)?.is_some(),
                })
            };
            rows.iter().map(person).collect::<Result<Vec<_>, StoreError>>()
        })
        .await?;
    let mut open: Vec<_> = visit.site.relay.config.counties.keys().cloned().collect();
    open.insert(0, "*".to_owned());
    open.retain(|county| own == "*" || *county == own);
    let (frame, roles) = (visit.frame("title.people"), Role::ALL.map(Role::name));
    visit.page(&List { frame, people, counties: open, roles })
}

/// `POST /office/people`.
pub(super) async fn add(visit: Visit) -> Outcome {
    let (name, county) =
        (visit.field("name").unwrap_or_default(), visit.field("county").unwrap_or("*"));
    let role = visit.field("role").and_then(Role::from_name);
    let role = role.ok_or(Refusal::Malformed("there is no such role"))?;
    let password = visit.field("password").unwrap_or_default();
    sees(&visit, county)?;
    let newcomer = Newcomer::new(&visit.site.relay.config, (name, county, role), password);
    let newcomer = newcomer.map_err(|error| Refusal::Rules(error.to_string()))?;
    let ((own, by), now) = (visit.operator()?, visit.now());
    let is_new = visit.write(move |tx| {
        let is_new = hire(tx, &newcomer, now)?;
        if is_new {
            acted(tx, (&own, &by), ("hired", &newcomer.name), now)?;
        }
        Ok(is_new)
    });
    if is_new.await? {
        Visit::see_other("/office/people?done=hired")
    } else {
        Err(Refusal::Rules(PeopleError::Taken.to_string()))
    }
}

/// `POST /office/people/{name}/disable`. Sessions of theirs end at once.
pub(super) async fn disable(visit: Visit) -> Outcome {
    let (seen, (own, by), now) = (counties(&visit)?, visit.operator()?, visit.now());
    let name = visit.param("name")?.to_owned();
    if name == by {
        return Err(Refusal::Rules("nobody ends their own access".to_owned()));
    }
    let n = visit.write(move |tx| {
        let n = tx.run(
            "UPDATE operator SET disabled_at = $2 WHERE name = $1 AND disabled_at IS NULL AND county LIKE $3",
            params![&name, now, &seen],
        )?;
        if n > 0 {
            end_all(tx, "operator", &name)?;
            acted(tx, (&own, &by), ("dismissed", &name), now)?;
        }
        Ok(n)
    });
    if n.await? == 0 {
        Err(Refusal::NotFound)
    } else {
        Visit::see_other("/office/people?done=dismissed")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_known_by_its_hash_alone() {
        let kept = hash("correct horse battery").unwrap();
        assert!(kept.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{kept}");
        assert!(is_of("correct horse battery", Some(&kept)));
        assert!(!is_of("correct horse batterz", Some(&kept)));
        assert!(!is_of("correct horse battery", None));
        for wrong in ["short", &"x".repeat(PASSWORD_BYTES_MAX + 1)] {
            assert!(matches!(hash(wrong), Err(PeopleError::Password)));
        }
    }
}
